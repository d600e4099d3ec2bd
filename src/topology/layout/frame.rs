//! Around the rows: title, what lies outside the VPC, the VPC, the zones, and the legend.

use super::super::drawing::{Ink, Part, Rect, Surface, fitted};
use super::super::model::{Health, Topology};
use super::super::problems::Problem;
use super::super::text::width;
use super::machines::ROOMY;
use super::{BODY, Grid, HEAD, Layers, MARGIN, MONO, PADDING, SMALL, TITLE};

pub(super) const VPC_HEADER: i32 = 40;
pub(super) const ZONE_HEADER: i32 = 28;
const PILL: i32 = 44;
const MARK: i32 = 14;
/// Problems that are told in words below the picture.
const PROBLEMS_SHOWN: usize = 12;

/// The marks, and what they mean.
pub(in super::super) const LEGEND: [(Health, &str); 5] = [
    (Health::Ok, "as it should be"),
    (Health::Warning, "on its way, weaker, or changed"),
    (Health::Bad, "missing or broken"),
    (Health::Unknown, "could not be asked"),
    (Health::Idle, "nothing wanted"),
];

/// Title and what lies outside. Returns the upper edge of the VPC.
pub(super) fn head(grid: &Grid, topology: &Topology, layers: &mut Layers) -> i32 {
    let (left, right) = (grid.vpc_left(), grid.width() - MARGIN);
    let problems = topology.problems();
    let unknown = topology.unknown();
    let words = match (problems.len(), unknown) {
        (0, 0) => "no problem seen".to_owned(),
        (0, number) => format!("no problem seen, {number} not asked"),
        (number, _) => format!("{} seen", count(number, "problem")),
    };
    let without_problem = if unknown > 0 { Health::Unknown } else { Health::Ok };
    let verdict = (problems.iter().map(|problem| problem.health).max().unwrap_or(without_problem), words);
    let verdict_width = width(&verdict.1, HEAD) + 22;
    let room = right - left - verdict_width - 24;
    let machines: usize = topology.groups.iter().map(|group| group.running).sum();
    let subtitle = format!(
        "{} · Kubernetes {} · {} · {} · {}",
        topology.region,
        topology.version,
        count(topology.slots.len(), "control plane"),
        count(topology.groups.len(), "node group"),
        count(machines, "node")
    );
    let source = match &topology.kubernetes {
        None => "Health as Kubernetes and AWS see it".to_owned(),
        Some(reason) => format!("Health as AWS sees it. Kubernetes could not be asked: {reason}"),
    };
    let at = topology.at.strftime("%Y-%m-%d %H:%M UTC");
    let part = Part::new(topology.kubernetes.clone())
        .text(left, MARGIN + 20, room, &topology.cluster, TITLE, Ink::Strong)
        .text_to(right, MARGIN + 18, verdict_width, &verdict.1, HEAD, Ink::Of(verdict.0))
        .mark(right - verdict_width, MARGIN + 6, MARK, verdict.0)
        .text(left, MARGIN + 44, right - left, &subtitle, BODY, Ink::Muted)
        .text(left, MARGIN + 64, right - left, &format!("{at} · {source}"), SMALL, Ink::Muted);
    layers.things.push(part);
    let top = MARGIN + 84;
    dns(grid, topology, top, layers);
    if topology.internet_gateway.is_some() {
        let middle = i32::midpoint(grid.left(), grid.right()).max(grid.left() + 190);
        let pill = Rect { x: middle - 60, y: top, w: 120, h: PILL };
        let room = pill.w - 20;
        let label = "Internet";
        let x = middle - fitted(label, room, HEAD) / 2;
        layers.things.push(Part::new(None).surface(pill, Surface::Pill).text(x, pill.y + 27, room, label, HEAD, Ink::Strong));
        layers.lines.push(Part::new(None).line(&[(middle, pill.bottom()), (middle, top + PILL + 16 + VPC_HEADER)]));
    }
    top + PILL + 16
}

/// The API's name, above the gutter. Its line is drawn by whom it leads to.
fn dns(grid: &Grid, topology: &Topology, top: i32, layers: &mut Layers) {
    let Some(dns) = &topology.dns else { return };
    let pill = Rect { x: grid.vpc_left(), y: top, w: 400, h: PILL };
    let room = pill.w - 44;
    let hint = format!("{}: DNS record in {}, {}", dns.name, dns.zone, dns.thing.word);
    let part = Part::new(hint)
        .surface(pill, Surface::Leaf(dns.thing.health))
        .mark(pill.x + 12, pill.y + 9, MARK, dns.thing.health)
        .text(pill.x + 34, pill.y + 20, room, &dns.name, HEAD, Ink::Strong)
        .text(pill.x + 34, pill.y + 36, room, &format!("Route 53, {}", dns.zone), SMALL, Ink::Muted);
    layers.things.push(part);
}

/// The line from the API's name to `y` at the left edge of the zones.
pub(super) fn dns_line(grid: &Grid, topology: &Topology, y: i32, layers: &mut Layers) {
    if topology.dns.is_some() {
        let lane = grid.dns_lane();
        layers.lines.push(Part::new(None).arrow(&[(lane, MARGIN + 84 + PILL), (lane, y), (grid.left(), y)]));
    }
}

/// A picture whose upper edge is out of sight where its lower one is read.
fn is_long(topology: &Topology) -> bool {
    topology.groups.len() > ROOMY
}

/// Below the subnets of a zone.
pub(super) fn zone_footer(topology: &Topology) -> i32 {
    if is_long(topology) { ZONE_HEADER } else { 6 }
}

pub(super) fn zones(grid: &Grid, topology: &Topology, top: i32, bottom: i32, layers: &mut Layers) {
    for (index, zone) in topology.zones.iter().enumerate() {
        let rect = grid.zone(index, top, bottom - top + zone_footer(topology));
        let (x, room) = (rect.x + 12, grid.lane(index) - rect.x - 20);
        let mut part = Part::new(format!("Availability zone {}", zone.name)).surface(rect, Surface::Zone);
        part = part.text(x, rect.y + 19, room, &zone.name, HEAD, Ink::Strong);
        if is_long(topology) {
            part = part.text(x, rect.bottom() - 9, room, &zone.name, HEAD, Ink::Strong);
        }
        layers.containers.push(part);
    }
}

pub(super) fn vpc(grid: &Grid, topology: &Topology, top: i32, bottom: i32, layers: &mut Layers) {
    let vpc = &topology.vpc;
    let rect = Rect { x: grid.vpc_left(), y: top, w: grid.vpc_width(), h: bottom - top + 6 };
    let surface = if vpc.existing { Surface::ForeignVpc } else { Surface::Vpc };
    let x = grid.gutter();
    // Left of the line from the internet.
    let room = match topology.internet_gateway {
        Some(_) => i32::midpoint(grid.left(), grid.right()).max(grid.left() + 190) - x - 16,
        None => rect.right() - x - PADDING,
    };
    let title = if vpc.existing { "Existing VPC, not managed by kclust" } else { "VPC" };
    let id = vpc.id.clone().unwrap_or_else(|| "missing".to_owned());
    let cidrs = vpc.cidrs.join(", ");
    let heading = if cidrs.is_empty() { title.to_owned() } else { format!("{title} · {cidrs}") };
    let part = Part::new(format!("{title} {id}, {cidrs}: {}", vpc.word))
        .surface(rect, surface)
        .mark(x, rect.y + 7, MARK, vpc.health)
        .text(x + 22, rect.y + 18, room - 22, &heading, HEAD, Ink::Strong)
        .text(x + 22, rect.y + 33, room - 22, &id, MONO, Ink::Muted);
    layers.containers.push(part);
}

/// What the marks mean, and what is not drawn. Returns the lower edge.
pub(super) fn legend(grid: &Grid, topology: &Topology, top: i32, layers: &mut Layers) -> i32 {
    let (left, right) = (grid.vpc_left(), grid.width() - MARGIN);
    let mut part = Part::new(None);
    let (mut x, mut y) = (left, top);
    for (health, words) in LEGEND {
        let wide = 20 + width(words, SMALL);
        if x > left && x + wide > right {
            (x, y) = (left, y + 22);
        }
        part = part.mark(x, y, MARK, health).text(x + 20, y + 11, wide, words, SMALL, Ink::Muted);
        x += wide + 22;
    }
    if topology.strays > 0 {
        let words = format!("{} of no group not drawn", count(topology.strays, "instance"));
        y += 22;
        part = part.text(left, y + 11, right - left, &words, SMALL, Ink::Muted);
    }
    layers.things.push(part);
    problems(grid, topology, y + MARK, layers)
}

/// What is wrong, in words. Returns the lower edge.
fn problems(grid: &Grid, topology: &Topology, top: i32, layers: &mut Layers) -> i32 {
    let problems = topology.problems();
    if problems.is_empty() {
        return top;
    }
    let (left, room) = (grid.vpc_left(), grid.vpc_width() - 20);
    let mut y = top + 16;
    for problem in problems.iter().take(PROBLEMS_SHOWN) {
        let Problem { health, what, why } = problem;
        let part = Part::new(why.clone()).mark(left, y, MARK, *health).text(
            left + 20,
            y + 11,
            room,
            &why.as_ref().map_or_else(|| what.clone(), |why| format!("{what}: {why}")),
            SMALL,
            Ink::Strong,
        );
        layers.things.push(part);
        y += 20;
    }
    if let Some(more) = problems.len().checked_sub(PROBLEMS_SHOWN).filter(|more| *more > 0) {
        let words = format!("and {more} more");
        layers.things.push(Part::new(None).text(left + 20, y + 11, room, &words, SMALL, Ink::Muted));
        y += 20;
    }
    y
}

/// What a screen reader tells instead of the picture.
pub(super) fn description(topology: &Topology) -> String {
    let zones: Vec<&str> = topology.zones.iter().map(|zone| zone.name.as_str()).collect();
    let groups: Vec<String> = topology.groups.iter().map(|group| format!("{}: {}", group.name, group.word)).collect();
    let slots: Vec<String> = topology.slots.iter().map(|slot| format!("{}: {}", slot.name, slot.word)).collect();
    format!("Zones {}. Control planes {}. Node groups {}.", zones.join(", "), slots.join(", "), groups.join(", "))
}

/// `1 node`, `3 nodes`
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
