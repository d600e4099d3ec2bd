//! What lies between the internet and the machines: the gateway, public subnets of their own, NAT gateways, the load balancer.

use super::super::drawing::{Ink, Part, Rect, Surface};
use super::super::model::{Health, LoadBalancer, SubnetBox, Topology};
use super::frame::dns_line;
use super::{BODY, GAP, Grid, HEAD, INSET, Layers, MONO, ROW_GAP, SMALL};

const GATEWAY: i32 = 32;
const SUBNET_HEADER: i32 = 42;
const NAT: i32 = 44;
const LOAD_BALANCER: i32 = 46;
const MARK: i32 = 14;

/// Where the rows of the machines begin, and what comes down to them.
pub(super) struct Edge {
    pub bottom: i32,
    /// Lower edge of the load balancer, where that stands among the public subnets.
    pub load_balancer: Option<i32>,
}

/// The bar of the internet gateway. Returns the upper edge of the zones.
pub(super) fn gateway(grid: &Grid, topology: &Topology, y: i32, vpc_top: i32, layers: &mut Layers) -> i32 {
    let Some(gateway) = &topology.internet_gateway else {
        return vpc_top + super::frame::VPC_HEADER + ROW_GAP;
    };
    let bar = grid.bar(y, GATEWAY);
    let id = gateway.id.as_deref().unwrap_or("missing");
    let part = Part::new(format!("Internet gateway {id}: {}", gateway.word))
        .surface(bar, Surface::Leaf(gateway.health))
        .mark(bar.x + 12, bar.y + 9, MARK, gateway.health)
        .text(bar.x + 34, bar.y + 21, 140, "Internet gateway", HEAD, Ink::Strong)
        .text_to(bar.right() - 12, bar.y + 21, bar.w - 200, id, MONO, Ink::Muted);
    layers.things.push(part);
    bar.bottom() + GAP
}

/// Public subnets that are not those of the machines, one below the other in each zone.
pub(super) fn public_subnets(grid: &Grid, topology: &Topology, y: i32, zones_top: i32, layers: &mut Layers) -> Edge {
    let most = topology.zones.iter().map(|zone| zone.edge.len()).max().unwrap_or_default();
    let any_nat = topology.zones.iter().any(|zone| zone.nat.is_some() || zone.nat_elsewhere.is_some());
    let load_balancer = topology.load_balancer.as_ref().filter(|it| !it.among_machines && most > 0);
    let gateway_bottom = zones_top - GAP;
    let mut edge = Edge { bottom: y, load_balancer: None };
    for level in 0..most {
        let last = level + 1 == most;
        // What stands in the last one stands there in every zone.
        let nat = if last && any_nat { NAT + ROW_GAP } else { 0 };
        let bar = if last && load_balancer.is_some() { LOAD_BALANCER + ROW_GAP } else { 0 };
        let height = SUBNET_HEADER + nat + bar;
        let top = edge.bottom;
        let role = topology.zones.iter().find_map(|zone| zone.edge.get(level)).map(|subnet| subnet.role);
        let for_what = if nat > 0 { "NAT gateways, public load balancers" } else { "public load balancers" };
        subnet_label(grid, top, role, for_what, layers);
        for (index, zone) in topology.zones.iter().enumerate() {
            let Some(subnet) = zone.edge.get(level) else { continue };
            let rect = grid.subnet(index, top, height);
            if last && nat > 0 {
                nat_gateway(grid, topology, index, rect.y + SUBNET_HEADER, layers);
            }
            layers.containers.push(subnet_part(grid, index, rect, subnet));
            if level == 0 && topology.internet_gateway.is_some() {
                let end = if zone.nat.is_some() && most == 1 { rect.y + SUBNET_HEADER } else { rect.y };
                layers.lines.push(Part::new(None).line(&[(grid.lane(index), gateway_bottom), (grid.lane(index), end)]));
            }
        }
        if let Some(load_balancer) = load_balancer.filter(|_| last) {
            let bar = grid.bar(top + SUBNET_HEADER + nat, LOAD_BALANCER);
            draw_load_balancer(grid, topology, load_balancer, bar, layers);
            edge.load_balancer = Some(bar.bottom());
        }
        edge.bottom = top + height + ROW_GAP;
    }
    edge
}

fn nat_gateway(grid: &Grid, topology: &Topology, index: usize, y: i32, layers: &mut Layers) {
    let zone = &topology.zones[index];
    let cell = grid.cell(index, y, NAT);
    match (&zone.nat, &zone.nat_elsewhere) {
        (Some(nat), _) => {
            let id = nat.thing.id.as_deref().unwrap_or("missing");
            let address = nat.address.as_deref().unwrap_or_default();
            let part = Part::new(format!("NAT gateway {id}, {address}: {}", nat.thing.word))
                .surface(cell, Surface::Leaf(nat.thing.health))
                .mark(cell.x + 10, cell.y + 8, MARK, nat.thing.health)
                .text(cell.x + 32, cell.y + 19, cell.w - 40, &format!("NAT gateway {address}"), BODY, Ink::Strong)
                .text(cell.x + 32, cell.y + 35, cell.w - 40, id, MONO, Ink::Muted);
            layers.things.push(part);
        }
        (None, Some(elsewhere)) => {
            let words = format!("to the internet by {elsewhere}");
            layers.things.push(Part::new(None).text(cell.x + 10, cell.y + 26, cell.w - 20, &words, SMALL, Ink::Muted));
        }
        (None, None) => {}
    }
}

/// A subnet with its heading. What lies in it ends `INSET` above its lower edge.
pub(super) fn subnet_part(grid: &Grid, index: usize, rect: Rect, subnet: &SubnetBox) -> Part {
    let surface = if subnet.public { Surface::PublicSubnet } else { Surface::PrivateSubnet };
    let id = subnet.thing.id.as_deref().unwrap_or("missing");
    let cidr = subnet.cidr.as_deref().unwrap_or_default();
    let hint = format!("{} subnet {id}, {cidr}: {}", subnet.role, subnet.thing.word);
    let room = grid.api_lane(index) - rect.x - 18;
    let mut part = Part::new(hint).surface(rect, surface);
    let mut x = rect.x + 10;
    if subnet.thing.health != Health::Ok {
        part = part.mark(x, rect.y + 6, MARK, subnet.thing.health);
        x += 20;
    }
    part.text(x, rect.y + 17, room - (x - rect.x - 10), &format!("{} {cidr}", subnet.role), BODY, Ink::Strong).text(
        rect.x + 10,
        rect.y + 33,
        room,
        id,
        MONO,
        Ink::Muted,
    )
}

/// What a row of subnets is, and is for, beside it.
pub(super) fn subnet_label(grid: &Grid, top: i32, role: Option<&str>, for_what: &str, layers: &mut Layers) {
    let Some(role) = role else { return };
    let (x, room) = (grid.gutter(), grid.gutter_width());
    let title: String = role.chars().take(1).flat_map(char::to_uppercase).chain(role.chars().skip(1)).collect();
    let part = Part::new(None).text(x, top + 17, room, &format!("{title} subnets"), HEAD, Ink::Strong).text(
        x,
        top + 33,
        room,
        for_what,
        SMALL,
        Ink::Muted,
    );
    layers.things.push(part);
}

pub(super) fn load_balancer_height() -> i32 {
    LOAD_BALANCER
}

pub(super) fn draw_load_balancer(grid: &Grid, topology: &Topology, it: &LoadBalancer, bar: Rect, layers: &mut Layers) {
    let scheme = if it.internet_facing { "internet-facing" } else { "internal" };
    let address = it.dns_name.as_deref().unwrap_or(&it.name);
    let room = bar.w - 46;
    let part = Part::new(format!("Load balancer {}, {scheme}, {address}: {}", it.name, it.thing.word))
        .surface(bar, Surface::Leaf(it.thing.health))
        .mark(bar.x + 12, bar.y + 8, MARK, it.thing.health)
        .text(bar.x + 34, bar.y + 20, room, &format!("Load balancer, {scheme}: {}", it.thing.word), HEAD, Ink::Strong)
        .text(bar.x + 34, bar.y + 37, room, address, MONO, Ink::Muted);
    layers.things.push(part);
    dns_line(grid, topology, bar.y + bar.h / 2, layers);
}

/// What the subnet's heading takes.
pub(super) fn subnet_header() -> i32 {
    SUBNET_HEADER
}

pub(super) fn below() -> i32 {
    INSET
}
