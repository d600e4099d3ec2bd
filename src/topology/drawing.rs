//! What a drawing consists of: boxes, texts, marks and lines, each at its place. Units are pixels; y grows downwards.

use super::model::Health;
use super::text::{Font, fit, width};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

impl Rect {
    pub fn right(self) -> i32 {
        self.x + self.w
    }

    pub fn bottom(self) -> i32 {
        self.y + self.h
    }
}

/// What a box stands for: its looks, and what may lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Vpc,
    ForeignVpc,
    Zone,
    PublicSubnet,
    PrivateSubnet,
    /// Every second row, to lead the eye.
    Band,
    /// A thing of this health. Nothing else lies in it.
    Leaf(Health),
    /// A place where a group may launch and has nothing.
    Empty,
    /// Outside the VPC.
    Pill,
}

impl Surface {
    /// Other boxes may lie in it.
    #[cfg(test)]
    pub fn is_container(self) -> bool {
        match self {
            Self::Vpc | Self::ForeignVpc | Self::Zone | Self::PublicSubnet | Self::PrivateSubnet | Self::Band => true,
            Self::Leaf(_) | Self::Empty | Self::Pill => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Strong,
    Muted,
    /// The colour of a health.
    Of(Health),
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Box {
        rect: Rect,
        surface: Surface,
    },
    Text {
        x: i32,
        baseline: i32,
        at_end: bool,
        text: String,
        font: Font,
        ink: Ink,
    },
    /// A mark in a square of `size`, by its upper left corner.
    Mark {
        x: i32,
        y: i32,
        size: i32,
        health: Health,
    },
    /// A machine: a small square in a row of them.
    Machine {
        x: i32,
        y: i32,
        health: Health,
    },
    /// Through these points.
    Line {
        points: Vec<(i32, i32)>,
        arrow: bool,
    },
}

impl Shape {
    /// Where a text stands; `None` for other shapes.
    #[cfg(test)]
    pub fn text_rect(&self) -> Option<Rect> {
        match self {
            Self::Text { x, baseline, at_end, text, font, .. } => {
                let w = width(text, *font);
                let x = if *at_end { x - w } else { *x };
                Some(Rect { x, y: baseline - font.size, w, h: font.size + font.size / 3 })
            }
            _ => None,
        }
    }
}

/// Shapes that belong together, with what is told when the pointer is on them.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub hint: Option<String>,
    pub shapes: Vec<Shape>,
}

/// A whole picture.
#[derive(Debug, Clone)]
pub struct Drawing {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) parts: Vec<Part>,
}

/// Size of a [`Shape::Machine`], and of it with the gap to the next.
pub(super) const MACHINE: i32 = 9;
pub(super) const MACHINE_STEP: i32 = 12;

impl Part {
    pub fn new(hint: impl Into<Option<String>>) -> Self {
        Self { hint: hint.into(), shapes: Vec::new() }
    }

    pub fn surface(mut self, rect: Rect, surface: Surface) -> Self {
        self.shapes.push(Shape::Box { rect, surface });
        self
    }

    /// A text that is cut where it would leave `room`; returns the part.
    pub fn text(mut self, x: i32, baseline: i32, room: i32, text: &str, font: Font, ink: Ink) -> Self {
        let text = fit(text, room, font);
        if !text.is_empty() {
            self.shapes.push(Shape::Text { x, baseline, at_end: false, text, font, ink });
        }
        self
    }

    /// The same, ending at `x`.
    pub fn text_to(mut self, x: i32, baseline: i32, room: i32, text: &str, font: Font, ink: Ink) -> Self {
        let text = fit(text, room, font);
        if !text.is_empty() {
            self.shapes.push(Shape::Text { x, baseline, at_end: true, text, font, ink });
        }
        self
    }

    pub fn mark(mut self, x: i32, y: i32, size: i32, health: Health) -> Self {
        self.shapes.push(Shape::Mark { x, y, size, health });
        self
    }

    pub fn machine(mut self, x: i32, y: i32, health: Health) -> Self {
        self.shapes.push(Shape::Machine { x, y, health });
        self
    }

    pub fn line(mut self, points: &[(i32, i32)]) -> Self {
        self.shapes.push(Shape::Line { points: points.to_vec(), arrow: false });
        self
    }

    /// To the right, or down.
    pub fn arrow(mut self, points: &[(i32, i32)]) -> Self {
        self.shapes.push(Shape::Line { points: points.to_vec(), arrow: true });
        self
    }
}

/// Width of a text as it will be after [`fit`].
pub(super) fn fitted(text: &str, room: i32, font: Font) -> i32 {
    width(&fit(text, room, font), font)
}
