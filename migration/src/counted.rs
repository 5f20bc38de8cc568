//! Numbers of things, as people read them.

use std::fmt::Display;

/// A number and what there are so many of, such as `1 row` and `2 rows`. `noun` is for one of them, in English, and
/// takes an `s` for more.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    let noun = if count == "1" { noun.to_owned() } else { plural(noun) };
    format!("{count} {noun}")
}

/// The word for so many of something, without their number: `row` or `rows`.
pub fn named(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { plural(noun) }
}

fn plural(noun: &str) -> String {
    let ending = if noun.ends_with('s') { "es" } else { "s" };
    format!("{noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::{counted, named};

    #[test]
    fn one_thing_is_no_plural() {
        for (count, noun, wanted) in [
            (0, "row", "0 rows"),
            (1, "row", "1 row"),
            (2, "row", "2 rows"),
            (1, "alias", "1 alias"),
            (11, "alias", "11 aliases"),
        ] {
            assert_eq!(counted(count, noun), wanted);
        }
        assert_eq!([0, 1, 2].map(|count| named(count, "column")), ["columns", "column", "columns"]);
    }
}
