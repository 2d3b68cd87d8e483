//! The known name that a misspelt one probably means.

/// The candidate with the fewest edits, if they are few for its length.
pub fn nearest<'a>(wrong: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    let best = candidates.iter().map(|c| (distance(&lower, &c.to_lowercase()), *c)).min()?;
    let allowed = 1 + wrong.chars().count() / 4;
    (best.0 <= allowed).then_some(best.1)
}

/// Edits (insert, delete, replace, swap of neighbours) between two short words. Quadratic: long words are cut.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let width = b.len() + 1;
    let mut table: Vec<usize> = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let at = |i: usize, j: usize| table[i * width + j];
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = at(i - 1, j - 1) + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replaced.min(at(i - 1, j) + 1).min(at(i, j - 1) + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(at(i - 2, j - 2) + 1);
                }
                best
            };
        }
    }
    table[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_the_rest() {
        let names = ["perSource", "perPrefix", "perTarget", "eastWest"];
        assert_eq!(nearest("perSuorce", &names), Some("perSource"));
        assert_eq!(nearest("persource", &names), Some("perSource"));
        assert_eq!(nearest("eastwest", &names), Some("eastWest"));
        assert_eq!(nearest("colour", &names), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
