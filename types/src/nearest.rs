//! The name that was most likely meant by a wrong one.

/// How many changes of one letter a name may be away from what was meant.
const MAX_DISTANCE: usize = 3;

/// The known name that is nearest to a wrong one, if one is near.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer by more letters is further away, and may be of any length.
    let (letters, most) = (wrong.chars().count(), |name: &str| name.chars().count() + MAX_DISTANCE);
    let near = known.into_iter().filter(|name| letters <= most(name));
    let nearest = near.map(|name| (distance(wrong, name), name)).min()?;
    (nearest.0 <= MAX_DISTANCE).then_some(nearest.1)
}

/// Levenshtein distance: letters to put in, take out or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_something_else_is_not() {
        let known = ["http.addr", "http.port", "clock.trust-local"];
        assert_eq!(nearest("http.prot", known), Some("http.port"));
        assert_eq!(nearest("clock.trustlocal", known), Some("clock.trust-local"));
        assert_eq!(nearest("mongodb.url", known), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest(&"http.port".repeat(1_000_000), known), None);
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, expected) in [("", "abc", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("same", "same", 0)] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected));
        }
    }
}
