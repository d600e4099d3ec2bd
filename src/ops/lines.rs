//! What differs between two documents, by lines.

/// Lines of two canonical documents that are in one and not in the other, `-` for the first and `+` for the second.
pub(super) fn differing_lines(applied: &str, given: &str) -> Vec<String> {
    let (applied, given): (Vec<&str>, Vec<&str>) = (applied.lines().collect(), given.lines().collect());
    // Longest common subsequence; canonical specs have a few hundred lines at most.
    let mut common = vec![vec![0_usize; given.len() + 1]; applied.len() + 1];
    for (i, left) in applied.iter().enumerate().rev() {
        for (j, right) in given.iter().enumerate().rev() {
            common[i][j] = if left == right { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < applied.len() || j < given.len() {
        if i < applied.len() && j < given.len() && applied[i] == given[j] {
            (i, j) = (i + 1, j + 1);
        } else if j >= given.len() || (i < applied.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", applied[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", given[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::differing_lines;

    #[test]
    fn only_what_differs_is_listed_in_place() {
        let lines = differing_lines("a\nmin: 1\nb\nc\n", "a\nmin: 2\nb\nc\nd\n");
        assert_eq!(lines, ["- min: 1", "+ min: 2", "+ d"]);
    }
}
