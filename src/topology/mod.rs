//! A cluster as a picture: what was observed → [`Topology`], what there is to draw → [`Drawing`], where it stands → SVG and HTML. Pure.
//!
//! Zones are columns. Rows are, from the outside in: gateway, public subnets with their NAT gateways, the subnets of the machines,
//! control-plane slots, and a row for each node group, with a cell in each zone that it uses: so three groups and a hundred have the
//! same picture, which only is longer.

mod drawing;
mod html;
mod layout;
mod model;
mod problems;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use drawing::Drawing;
pub use html::html;
pub use layout::draw;
pub use model::{Health, Source, Topology};
pub use svg::svg;
