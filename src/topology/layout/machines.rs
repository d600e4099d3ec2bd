//! The subnets of the machines: the load balancer where it stands among them, control-plane slots, and a row for each node group.

use super::super::drawing::{Ink, MACHINE, MACHINE_STEP, Part, Rect, Surface};
use super::super::model::{Cell, GroupRow, Health, SlotBox, Topology};
use super::super::text::width;
use super::edge::{Edge, below, draw_load_balancer, load_balancer_height, subnet_header, subnet_label, subnet_part};
use super::frame::{count, dns_line};
use super::{BODY, Grid, HEAD, Layers, MONO, ROW_GAP, SMALL};

const SLOT: i32 = 62;
const MARK: i32 = 14;
/// With more groups than this, a row has one line.
pub(super) const ROOMY: usize = 16;
/// Machines that are drawn one by one; of more, the number is told.
const MACHINES_SHOWN: usize = 12;

/// Returns the lower edge of the subnets.
pub(super) fn rows(grid: &Grid, topology: &Topology, edge: &Edge, layers: &mut Layers) -> i32 {
    let top = edge.bottom;
    let role = topology.zones.iter().find_map(|zone| zone.machines.as_ref()).map(|subnet| subnet.role);
    subnet_label(grid, top, role, "machines", layers);
    let mut y = top + subnet_header();
    let mut balanced_from = edge.load_balancer;
    if let Some(load_balancer) = topology.load_balancer.as_ref().filter(|_| edge.load_balancer.is_none()) {
        let bar = grid.bar(y, load_balancer_height());
        draw_load_balancer(grid, topology, load_balancer, bar, layers);
        y = bar.bottom() + ROW_GAP + 6;
        balanced_from = Some(bar.bottom());
    }
    y = slots(grid, topology, y, balanced_from, layers);
    y = groups(grid, topology, y, layers);
    let bottom = y - ROW_GAP + below();
    for (index, zone) in topology.zones.iter().enumerate() {
        let Some(subnet) = &zone.machines else { continue };
        let rect = grid.subnet(index, top, bottom - top);
        layers.containers.push(subnet_part(grid, index, rect, subnet));
        if zone.edge.is_empty() && topology.internet_gateway.is_some() {
            let from = top - super::frame::ZONE_HEADER - super::GAP;
            layers.lines.push(Part::new(None).line(&[(grid.lane(index), from), (grid.lane(index), top)]));
        }
    }
    bottom
}

/// The control plane: as many rows as the zone with the most slots has.
fn slots(grid: &Grid, topology: &Topology, top: i32, balanced_from: Option<i32>, layers: &mut Layers) -> i32 {
    let mut places = vec![0; grid.zones];
    for slot in &topology.slots {
        let Some(place) = places.get_mut(slot.zone) else { continue };
        let rect = grid.cell(slot.zone, top + *place * (SLOT + ROW_GAP), SLOT);
        *place += 1;
        layers.things.push(slot_part(slot, rect));
    }
    if let Some(from) = balanced_from {
        for (index, place) in places.iter().enumerate().filter(|(_, place)| **place > 0) {
            // Behind those above, to the last.
            let end = top + (place - 1) * (SLOT + ROW_GAP);
            layers.lines.push(Part::new(None).arrow(&[(grid.api_lane(index), from), (grid.api_lane(index), end)]));
        }
    } else {
        dns_line(grid, topology, top + 3, layers);
    }
    let (x, room) = (grid.gutter(), grid.gutter_width());
    let words = format!("{} of {}", count(topology.slots.len(), "slot"), topology.control_plane);
    let part = Part::new(None).text(x, top + 25, room, "Control plane", HEAD, Ink::Strong).text(
        x,
        top + 42,
        room,
        &words,
        SMALL,
        Ink::Muted,
    );
    layers.things.push(part);
    let rows = places.into_iter().max().unwrap_or_default();
    top + rows * (SLOT + ROW_GAP) + 6
}

fn slot_part(slot: &SlotBox, rect: Rect) -> Part {
    let instance = slot.instance.as_deref().unwrap_or("no instance");
    let address = slot.address.as_deref().unwrap_or_default();
    let detail = slot.detail.as_ref().map(|detail| format!(", {detail}")).unwrap_or_default();
    let hint = format!("Control-plane slot {}: {}{detail}. {instance}, {}, {address}", slot.name, slot.word, slot.instance_type);
    let word = width(&slot.word, SMALL).min(rect.w / 2);
    Part::new(hint)
        .surface(rect, Surface::Leaf(slot.health))
        .mark(rect.x + 10, rect.y + 8, MARK, slot.health)
        .text(rect.x + 32, rect.y + 19, rect.w - 50 - word, &slot.name, HEAD, Ink::Strong)
        .text_to(rect.right() - 10, rect.y + 19, word, &slot.word, SMALL, Ink::Of(slot.health))
        .text(rect.x + 32, rect.y + 36, rect.w - 42, instance, MONO, Ink::Strong)
        .text(rect.x + 32, rect.y + 52, rect.w - 42, &format!("{address} · {}", slot.instance_type), SMALL, Ink::Muted)
}

fn groups(grid: &Grid, topology: &Topology, top: i32, layers: &mut Layers) -> i32 {
    let roomy = topology.groups.len() <= ROOMY;
    let height = if roomy { 44 } else { 24 };
    let step = height + if roomy { ROW_GAP } else { 4 };
    let mut y = top;
    for (index, group) in topology.groups.iter().enumerate() {
        if index % 2 == 0 {
            let x = grid.gutter() - 8;
            let rect = Rect { x, y: y - (step - height) / 2, w: grid.right() - x, h: step };
            layers.bands.push(Part::new(None).surface(rect, Surface::Band));
        }
        layers.things.push(label(grid, group, y, roomy));
        for (zone, cell) in group.cells.iter().enumerate() {
            if let Some(cell) = cell {
                layers.things.push(cell_part(group, &topology.zones[zone].name, cell, grid.cell(zone, y, height)));
            }
        }
        y += step;
    }
    // One gap below the last, whatever the rows have.
    if topology.groups.is_empty() { top } else { y - step + height + ROW_GAP }
}

fn label(grid: &Grid, group: &GroupRow, y: i32, roomy: bool) -> Part {
    let (x, room) = (grid.gutter(), grid.gutter_width());
    let sizes = match (group.desired, group.bounds) {
        (Some(desired), Some((min, max))) => format!("{}/{desired} ({min}–{max})", group.running),
        _ => "missing".to_owned(),
    };
    let types = match group.types.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    };
    let spot = if group.spot_percent > 0 { format!("{}% spot", group.spot_percent) } else { String::new() };
    let old = if group.outdated > 0 { format!("{} old", group.outdated) } else { String::new() };
    let facts: Vec<&str> = [types.as_str(), sizes.as_str(), &spot, &old].into_iter().filter(|text| !text.is_empty()).collect();
    let problem = group.problem.as_ref().map(|problem| format!(". {problem}")).unwrap_or_default();
    let part = Part::new(format!("Node group {}: {}, {}{problem}", group.name, group.word, facts.join(", ")));
    if roomy {
        return part.mark(x, y + 6, MARK, group.health).text(x + 22, y + 18, room - 22, &group.name, HEAD, Ink::Strong).text(
            x + 22,
            y + 35,
            room - 22,
            &facts.join(" · "),
            SMALL,
            Ink::Muted,
        );
    }
    let sizes = sizes.split(' ').next().unwrap_or_default().to_owned();
    let sizes_width = width(&sizes, SMALL).min(room / 2);
    part.mark(x, y + 5, MARK, group.health)
        .text(x + 22, y + 16, room - 22 - sizes_width - 10, &group.name, BODY, Ink::Strong)
        .text_to(x + room, y + 16, sizes_width, &sizes, SMALL, Ink::Strong)
}

fn cell_part(group: &GroupRow, zone: &str, cell: &Cell, rect: Rect) -> Part {
    let total = cell.total();
    let words = if total == 0 { "none" } else { &cell.words };
    let part = Part::new(format!("{} in {zone}: {words}", group.name));
    let middle = rect.y + rect.h / 2;
    if total == 0 {
        return part.surface(rect, Surface::Empty).text(rect.x + 32, middle + 4, rect.w - 40, "0", SMALL, Ink::Muted);
    }
    let health = cell.health();
    let part = part.surface(rect, Surface::Leaf(health)).mark(rect.x + 10, middle - MARK / 2, MARK, health);
    let squares = if total <= MACHINES_SHOWN { total as i32 * MACHINE_STEP } else { 0 };
    let room = rect.w - 42;
    // The squares stand beside the words where both have room; else the words alone do.
    let beside = squares > 0 && squares + 10 + width(words, SMALL) <= room;
    let mut part = part.text(rect.x + 32, middle + 4, room, words, SMALL, Ink::Strong);
    if beside {
        let mut x = rect.right() - 10 - squares + (MACHINE_STEP - MACHINE);
        let each = cell.counts.iter().flat_map(|(health, count)| std::iter::repeat_n(*health, *count));
        for health in each.collect::<Vec<Health>>() {
            part = part.machine(x, middle - MACHINE / 2, health);
            x += MACHINE_STEP;
        }
    }
    part
}
