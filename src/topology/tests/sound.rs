//! What holds for the picture of any cluster: nothing lies on anything else, every text has room, and the document is XML.

use proptest::prelude::*;

use super::random::shape;
use super::topology;
use crate::topology::drawing::{Rect, Shape, Surface};
use crate::topology::{Drawing, draw, html, svg};

fn overlap(a: Rect, b: Rect) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom()
}

fn within(inner: Rect, outer: Rect) -> bool {
    inner.x >= outer.x && inner.y >= outer.y && inner.right() <= outer.right() && inner.bottom() <= outer.bottom()
}

fn shapes(drawing: &Drawing) -> impl Iterator<Item = &Shape> {
    drawing.parts.iter().flat_map(|part| &part.shapes)
}

fn boxes(drawing: &Drawing, wanted: impl Fn(Surface) -> bool) -> Vec<Rect> {
    shapes(drawing)
        .filter_map(|shape| match shape {
            Shape::Box { rect, surface } if wanted(*surface) => Some(*rect),
            _ => None,
        })
        .collect()
}

/// Two of the rectangles that overlap. They are sorted by their upper edges, so that each is compared with its neighbours only.
fn first_overlap(mut rects: Vec<Rect>) -> Option<(Rect, Rect)> {
    rects.sort_by_key(|rect| rect.y);
    for (index, rect) in rects.iter().enumerate() {
        let near = rects[index + 1..].iter().take_while(|other| other.y < rect.bottom());
        if let Some(other) = near.copied().find(|other| overlap(*rect, *other)) {
            return Some((*rect, other));
        }
    }
    None
}

/// Does a line, which has only horizontal and vertical parts, touch the rectangle?
fn touches(points: &[(i32, i32)], rect: Rect) -> bool {
    points.windows(2).any(|pair| {
        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
        let line = Rect { x: x1.min(x2), y: y1.min(y2), w: (x1 - x2).abs().max(1), h: (y1 - y2).abs().max(1) };
        overlap(line, rect)
    })
}

fn check(drawing: &Drawing) -> Result<(), TestCaseError> {
    let canvas = Rect { x: 0, y: 0, w: drawing.width, h: drawing.height };
    let leaves = boxes(drawing, |surface| !surface.is_container());
    let containers = boxes(drawing, |surface| surface.is_container() && surface != Surface::Band);
    for rect in leaves.iter().chain(&containers) {
        prop_assert!(within(*rect, canvas), "{rect:?} is not in the picture");
    }
    prop_assert_eq!(first_overlap(leaves.clone()), None, "things on things");
    for (index, a) in containers.iter().enumerate() {
        for b in &containers[index + 1..] {
            prop_assert!(!overlap(*a, *b) || within(*a, *b) || within(*b, *a), "{a:?} and {b:?}");
        }
    }
    let texts: Vec<Rect> = shapes(drawing).filter_map(Shape::text_rect).collect();
    for text in &texts {
        prop_assert!(within(*text, canvas), "{text:?} is not in the picture");
        for leaf in &leaves {
            prop_assert!(!overlap(*text, *leaf) || within(*text, *leaf), "{text:?} sticks out of {leaf:?}");
        }
        for container in &containers {
            prop_assert!(
                !overlap(*text, *container) || within(*text, *container) || leaves.iter().any(|leaf| within(*text, *leaf)),
                "{text:?} crosses the edge of {container:?}"
            );
        }
    }
    prop_assert_eq!(first_overlap(texts.clone()), None, "texts on texts");
    let small: Vec<Rect> = shapes(drawing)
        .filter_map(|shape| match shape {
            Shape::Mark { x, y, size, .. } => Some(Rect { x: *x, y: *y, w: *size, h: *size }),
            Shape::Machine { x, y, .. } => Some(Rect { x: *x, y: *y, w: 9, h: 9 }),
            _ => None,
        })
        .collect();
    prop_assert_eq!(first_overlap(small.iter().chain(&texts).copied().collect()), None, "marks on texts");
    for shape in shapes(drawing) {
        if let Shape::Line { points, .. } = shape {
            // Things lie on lines; texts in the open do not.
            let open = texts.iter().chain(&small).filter(|rect| !leaves.iter().any(|leaf| within(**rect, *leaf)));
            for rect in open {
                prop_assert!(!touches(points, *rect), "{points:?} runs through {rect:?}");
            }
        }
    }
    Ok(())
}

/// A well-formed document, as far as this program writes XML: elements close in order, and no character stands for itself that must
/// not.
fn check_xml(text: &str) -> Result<(), TestCaseError> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    while let Some(start) = rest.find('<') {
        let words = &rest[..start];
        prop_assert!(!words.contains('>'), "{words}");
        for reference in words.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            prop_assert!(known.iter().any(|name| reference.starts_with(name)), "&{reference}");
        }
        let end = rest[start..].find('>').map(|end| start + end);
        prop_assert!(end.is_some(), "a tag does not end");
        let tag = &rest[start + 1..end.unwrap_or_default()];
        let name = |tag: &'_ str| tag.split([' ', '/']).find(|name| !name.is_empty()).map(str::len);
        if let Some(closed) = tag.strip_prefix('/') {
            prop_assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') {
            open.push(&tag[..name(tag).unwrap_or_default()]);
        }
        prop_assert!(tag.matches('"').count() % 2 == 0 && !tag.contains('&'), "{tag}");
        rest = &rest[end.unwrap_or_default() + 1..];
    }
    prop_assert!(open.is_empty(), "{open:?} are open");
    prop_assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cluster_has_a_sound_picture(shape in shape()) {
        let drawing = draw(&topology(&shape.observed()));
        check(&drawing)?;
        let text = svg(&drawing);
        check_xml(&text)?;
        prop_assert!(html(&drawing).contains(text.lines().find(|line| line.starts_with("  <desc")).unwrap()));
    }
}

#[test]
fn the_check_of_pictures_sees_what_it_looks_for() {
    let mut drawing = draw(&topology(&super::healthy(&crate::test_support::example("ha-private"))));
    check(&drawing).unwrap();
    let texts = drawing.parts.iter_mut().flat_map(|part| &mut part.shapes);
    for shape in texts {
        if let Shape::Text { text, .. } = shape
            && text == "cp-1"
        {
            *text = "a name that nobody has cut to the room that it has here, and goes on".to_owned();
        }
    }
    assert!(check(&drawing).is_err());
    for broken in ["<a><b></a></b>", "<a>&nbsp;</a>", "<a>", "<a>x > y</a>"] {
        assert!(check_xml(broken).is_err(), "{broken}");
    }
}
