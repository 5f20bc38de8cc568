//! A field given twice in an input object. The parser keeps one of them and says nothing, so the text itself is read.

use std::collections::HashSet;

use async_graphql::{Pos, ServerError};

use super::error;
use crate::graphql::tokens::Tokens;

/// What encloses a place in the text.
enum Within<'a> {
    /// An input object, with the fields seen so far.
    Object(HashSet<&'a str>),
    List,
    Other,
}

/// The first field that its object has twice.
pub fn field(text: &str) -> Option<ServerError> {
    let mut within: Vec<Within<'_>> = Vec::new();
    // The token before, and the name before a colon.
    let (mut before, mut name) = ("", None);
    for token in Tokens::of(text) {
        match token {
            // A selection never follows a colon, an equals sign or a bracket; a value always does.
            "{" if matches!(before, ":" | "=") || matches!(within.last(), Some(Within::List)) => {
                within.push(Within::Object(HashSet::new()));
            }
            "[" => within.push(Within::List),
            "{" | "(" => within.push(Within::Other),
            "}" | "]" | ")" => _ = within.pop(),
            ":" => {
                if let (Some(Within::Object(seen)), Some(name)) = (within.last_mut(), name)
                    && !seen.insert(name)
                {
                    let message = format!("There can be only one input field named \"{name}\".");
                    return Some(error(message, [position(text, name)]));
                }
            }
            _ => {}
        }
        name = token.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_').then_some(token);
        before = token;
    }
    None
}

/// Where in a text a part of it stands.
fn position(text: &str, part: &str) -> Pos {
    let before = &text[..part.as_ptr() as usize - text.as_ptr() as usize];
    let line = before.rsplit('\n').next().unwrap_or_default();
    Pos { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn only_fields_of_one_object_are_compared() {
        for text in [
            "{ a(b: {c: 1, d: {c: 2}}) { c: x d } }",
            "{ a(b: [{c: 1}, {c: 1}], e: {c: 1}) }",
            "query($v: T = {c: 1, d: [{c: 2} {c: 3}]}) { a: b { a: c } a: b { a: c } }",
            "{ a(b: {c: \"{c: 1, c: 2}\" d: \"\"\"{c: \\\"\"\" c: }\"\"\"}) } # {c: 1, c: 2}",
            "{ a(b: {c: \"\\\"\", d: E, e: $f}) ... on T { c: d c: d } }",
            "{ a(b: \"ä\", c: {ä",
        ] {
            assert!(field(text).is_none(), "{text}");
        }
        let twice = field("{\n a(b: [{d: {c: 1, x: E, c: 2}}]) }").expect("twice");
        assert_eq!(twice.message, "There can be only one input field named \"c\".");
        assert_eq!((twice.locations[0].line, twice.locations[0].column), (2, 25));
        assert!(field("query($v: T = {c: 1 c: 2}) { a }").is_some());
        assert!(field("{ a(b: {c: \"\", # c:\n c: 1}) }").is_some());
    }
}
