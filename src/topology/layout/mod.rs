//! Where everything stands. Sizes follow from the number of zones and groups alone, never from what they are called: long names are
//! cut, and told in full when the pointer is on them.

mod edge;
mod frame;
mod machines;

use super::drawing::{Drawing, Part, Rect};
use super::model::Topology;
use super::text::Font;

pub(super) use frame::LEGEND;

pub(super) const TITLE: Font = Font { size: 22, bold: true, mono: false };
pub(super) const HEAD: Font = Font { size: 13, bold: true, mono: false };
pub(super) const BODY: Font = Font { size: 12, bold: false, mono: false };
pub(super) const SMALL: Font = Font { size: 11, bold: false, mono: false };
pub(super) const MONO: Font = Font { size: 11, bold: false, mono: true };

/// Around the whole picture.
const MARGIN: i32 = 24;
/// Inside the VPC.
const PADDING: i32 = 16;
/// Left of the zones: what each row is.
const GUTTER: i32 = 300;
/// Between zones, and between rows.
const GAP: i32 = 14;
const ROW_GAP: i32 = 8;
/// From a zone's edge to what lies in its subnets.
const INSET: i32 = 12;
/// From the right edge of a zone's subnets to the lines that come down there, from the gateway and from the load balancer. Texts in
/// containers end left of them.
const LANE: i32 = 18;
const API_LANE: i32 = 34;

/// Columns and what follows from their number.
pub(super) struct Grid {
    pub zones: usize,
    zone_width: i32,
}

impl Grid {
    fn new(zones: usize) -> Self {
        let zone_width = match zones {
            0 | 1 => 480,
            2 => 330,
            3 => 252,
            _ => 236,
        };
        Self { zones, zone_width }
    }

    pub fn width(&self) -> i32 {
        self.vpc_left() * 2 + self.vpc_width()
    }

    pub fn vpc_left(&self) -> i32 {
        MARGIN
    }

    pub fn vpc_width(&self) -> i32 {
        2 * PADDING + GUTTER + self.columns_width()
    }

    /// Where row labels begin: right of the line that comes from the DNS name.
    pub fn gutter(&self) -> i32 {
        self.dns_lane() + 14
    }

    /// Room for row labels.
    pub fn gutter_width(&self) -> i32 {
        self.left() - self.gutter() - GAP
    }

    pub fn dns_lane(&self) -> i32 {
        self.vpc_left() + PADDING
    }

    /// Left edge of the first zone.
    pub fn left(&self) -> i32 {
        self.vpc_left() + PADDING + GUTTER
    }

    pub fn right(&self) -> i32 {
        self.left() + self.columns_width()
    }

    fn columns_width(&self) -> i32 {
        let zones = self.zones.max(1) as i32;
        zones * self.zone_width + (zones - 1) * GAP
    }

    pub fn zone(&self, index: usize, y: i32, h: i32) -> Rect {
        Rect { x: self.left() + index as i32 * (self.zone_width + GAP), y, w: self.zone_width, h }
    }

    /// The subnet of a zone.
    pub fn subnet(&self, index: usize, y: i32, h: i32) -> Rect {
        let zone = self.zone(index, y, h);
        Rect { x: zone.x + INSET / 2, w: zone.w - INSET, ..zone }
    }

    /// What lies in the subnet of a zone.
    pub fn cell(&self, index: usize, y: i32, h: i32) -> Rect {
        let subnet = self.subnet(index, y, h);
        Rect { x: subnet.x + INSET / 2, w: subnet.w - INSET, ..subnet }
    }

    pub fn lane(&self, index: usize) -> i32 {
        self.subnet(index, 0, 0).right() - LANE
    }

    pub fn api_lane(&self, index: usize) -> i32 {
        self.subnet(index, 0, 0).right() - API_LANE
    }

    /// A bar across all zones.
    pub fn bar(&self, y: i32, h: i32) -> Rect {
        Rect { x: self.left(), y, w: self.columns_width(), h }
    }
}

/// What has been laid out so far: containers, lines, then what lies on them. Drawn in this order.
#[derive(Default)]
pub(super) struct Layers {
    pub containers: Vec<Part>,
    pub bands: Vec<Part>,
    pub lines: Vec<Part>,
    pub things: Vec<Part>,
}

/// Lays a cluster out.
pub fn draw(topology: &Topology) -> Drawing {
    let grid = Grid::new(topology.zones.len());
    let mut layers = Layers::default();
    let vpc_top = frame::head(&grid, topology, &mut layers);
    let header = vpc_top + frame::VPC_HEADER;
    let columns = edge::gateway(&grid, topology, header, vpc_top, &mut layers);
    let edge = edge::public_subnets(&grid, topology, columns + frame::ZONE_HEADER, columns, &mut layers);
    let end = machines::rows(&grid, topology, &edge, &mut layers);
    let bottom = end + frame::zone_footer(topology) + PADDING - 6;
    frame::zones(&grid, topology, columns, end, &mut layers);
    frame::vpc(&grid, topology, vpc_top, bottom, &mut layers);
    let height = frame::legend(&grid, topology, bottom + 18, &mut layers) + MARGIN;
    let Layers { mut containers, bands, lines, things } = layers;
    // The outermost first: they were made from the inside out.
    containers.reverse();
    Drawing {
        width: grid.width(),
        height,
        title: format!("Topology of cluster {}", topology.cluster),
        description: frame::description(topology),
        parts: containers.into_iter().chain(bands).chain(lines).chain(things).collect(),
    }
}
