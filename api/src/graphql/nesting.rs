//! How deep a document's text is nested, told before the parser sees it.

/// The deepest nesting of brackets in a document's text. The parser recurses into each and would exhaust its stack.
const DEEPEST_TEXT: usize = 64;

/// Whether brackets in a document's text nest deeper than is ever of use. Looks at the text alone, before the parser.
pub fn is_too_nested(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'#' => rest = past(after, |rest| rest.starts_with(b"\n") || rest.starts_with(b"\r")),
            b'"' if after.starts_with(b"\"\"") => rest = past_block_string(&after[2..]),
            b'"' => rest = past_string(after),
            _ => {}
        }
        if depth > DEEPEST_TEXT {
            return true;
        }
    }
    false
}

/// What stands behind the first place that ends something.
fn past(mut rest: &[u8], ends: impl Fn(&[u8]) -> bool) -> &[u8] {
    while !rest.is_empty() && !ends(rest) {
        rest = &rest[1..];
    }
    rest
}

fn past_block_string(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = past(rest, |rest| rest.starts_with(b"\"\"\"") || rest.starts_with(b"\\\"\"\""));
        match rest.first() {
            None => return rest,
            Some(b'\\') => rest = &rest[4..],
            Some(_) => return &rest[3..],
        }
    }
}

/// A string ends at its quote, or unfinished at the end of its line.
fn past_string(mut rest: &[u8]) -> &[u8] {
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
        if matches!(byte, b'"' | b'\n' | b'\r') {
            return rest;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::is_too_nested;

    #[test]
    fn nesting_is_counted_outside_strings_and_comments() {
        let deep = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
        assert!(!is_too_nested(&deep("{", "}", 64)));
        assert!(is_too_nested(&deep("{", "}", 65)));
        assert!(is_too_nested(&"[".repeat(200_000)));
        assert!(is_too_nested(&"({[".repeat(30)));
        let braces = "{".repeat(100);
        assert!(!is_too_nested(&format!("# {braces}\n{{ a }}")));
        assert!(!is_too_nested(&format!("{{ a(b: \"\\\"{braces}\") }}")));
        assert!(!is_too_nested(&format!("{{ a(b: \"\"\"\\\"\"\" {braces} \"\"\") }}")));
        assert!(is_too_nested(&format!("{{ a(b: \"x\") {braces}")));
        assert!(is_too_nested(&format!("{{ a(b: \"\") {braces}")));
        assert!(is_too_nested(&format!("# x\r{braces}")));
    }
}
