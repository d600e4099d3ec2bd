//! A drawing as a page: the SVG, and what its marks mean.

use super::drawing::Drawing;
use super::layout::LEGEND;
use super::svg::{element, escape, mark, style};

/// A document of its own, with nothing loaded from elsewhere.
pub fn html(drawing: &Drawing) -> String {
    let title = escape(&drawing.title);
    let legend: String = LEGEND
        .iter()
        .map(|(health, words)| {
            let class = format!("{health:?}").to_lowercase();
            format!(
                "      <li><svg class=\"mark {class}\" width=\"14\" height=\"14\" viewBox=\"0 0 14 14\" aria-hidden=\"true\">{}</svg> {words}</li>\n",
                mark(*health)
            )
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>{title}</title>\n  \
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n  \
         <meta name=\"color-scheme\" content=\"light dark\">\n  <style>\n{}{PAGE}  </style>\n</head>\n<body>\n\
         <main>\n{}</main>\n<aside>\n    <h2>What it shows</h2>\n    <ul>\n{legend}    </ul>\n{NOTES}</aside>\n</body>\n</html>\n",
        style(),
        element(drawing, "")
    )
}

/// The page around the picture.
const PAGE: &str = "\
body { margin: 0; font: 14px/1.5 system-ui, sans-serif; background: #ffffff; color: #1c2733; }
main { overflow-x: auto; }
aside { max-width: 46rem; padding: 0 24px 24px; }
h2 { font-size: 15px; margin: 12px 0 4px; }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 22px; }
li svg { vertical-align: -2px; }
@media (prefers-color-scheme: dark) { body { background: #0f161e; color: #e8eef5; } }
";

/// What a mark cannot say.
const NOTES: &str = "\
    <p>Columns are availability zones. Each row below the control plane is a node group, with a cell in each zone where it may
    launch: a square for each machine, or their number. <em>3/4 (2&ndash;9)</em> means that three run, Auto Scaling wants four, and
    the group may have from two to nine. <em>Old</em> are machines of an earlier launch template.</p>
    <p>The pointer on a thing tells its id, its state and, where it is not as it should be, the reason.</p>
";
