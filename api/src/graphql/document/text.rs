//! What a document's text alone tells, before the parser sees it, so that parsing is bounded.

use super::exceeded::{Exceeded, Limit};
use crate::{app::DocumentLimits, graphql::tokens::Tokens};

/// The deepest nesting of brackets. The parser recurses into each, and gives up at 64 selections itself.
const DEEPEST: usize = 64;

/// Refuses a text that is too long, has too many tokens or directives, or nests too deep.
pub fn check(text: &str, limits: &DocumentLimits) -> Result<(), Exceeded> {
    Exceeded::check(Limit::Bytes, limits.bytes, text.len())?;
    let (mut tokens, mut directives, mut depth, mut deepest) = (0, 0, 0_usize, 0);
    for token in Tokens::of(text) {
        tokens += 1;
        match token {
            "{" | "[" | "(" => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            "}" | "]" | ")" => depth = depth.saturating_sub(1),
            "@" => directives += 1,
            _ => {}
        }
    }
    Exceeded::check(Limit::Tokens, limits.tokens, tokens)?;
    Exceeded::check(Limit::Nesting, DEEPEST, deepest)?;
    Exceeded::check(Limit::Directives, limits.directives, directives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceeded(text: &str) -> Option<(Limit, u64)> {
        let limits = DocumentLimits { bytes: 300_000, ..DocumentLimits::default() };
        check(text, &limits).err().map(|exceeded| (exceeded.limit, exceeded.found))
    }

    #[test]
    fn nesting_is_counted_outside_strings_and_comments() {
        let deep = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(exceeded(&deep("{", "}", 64)), None);
        assert_eq!(exceeded(&deep("{", "}", 65)), Some((Limit::Nesting, 65)));
        assert_eq!(exceeded(&"({[".repeat(30)), Some((Limit::Nesting, 90)));
        let braces = "{".repeat(100);
        assert_eq!(exceeded(&format!("# {braces}\n{{ a }}")), None);
        assert_eq!(exceeded(&format!("{{ a(b: \"\\\"{braces}\") }}")), None);
        assert_eq!(exceeded(&format!("{{ a(b: \"\"\"\\\"\"\" {braces} \"\"\") }}")), None);
        for hidden in ["\"x\") ", "\"\") ", "\"\"\"x\") ", "[\"\"\"x\" ", "\"\"\"\\\"\"\" \" ", "\"x\n "] {
            assert!(exceeded(&format!("{{ a(b: {hidden}{braces}")).is_some(), "{hidden}");
        }
        assert!(exceeded(&format!("# x\r{braces}")).is_some());
    }

    #[test]
    fn tokens_and_directives_are_counted_as_they_are_written() {
        assert_eq!(exceeded(&"a ".repeat(10_000)), None);
        assert_eq!(exceeded(&"a ".repeat(10_001)), Some((Limit::Tokens, 10_001)));
        assert_eq!(exceeded(&"{".repeat(200_000)), Some((Limit::Tokens, 200_000)));
        assert_eq!(exceeded(&"a @b ".repeat(50)), None);
        assert_eq!(exceeded(&"a @b ".repeat(51)), Some((Limit::Directives, 51)));
        assert_eq!(exceeded(&"#@\n\"@\" \"\"\"@\"\"\"".repeat(51)), None);
        assert_eq!(exceeded(&" ".repeat(300_001)), Some((Limit::Bytes, 300_001)));
    }
}
