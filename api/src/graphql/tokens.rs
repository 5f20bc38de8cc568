//! The tokens of a document (the specification's chapter 2.1), read without the parser.

/// Goes through the tokens of a text: names, numbers, strings with their quotes, and punctuators. Never fails: what is no
/// token is one of a single character. Of a string that has no end the beginning alone is a token, as to the parser, which
/// takes `"""` without an end for an empty string and a quote; so nothing is hidden here that the parser goes into.
#[derive(Debug, Clone)]
pub struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    /// Of a document's text.
    pub const fn of(text: &'a str) -> Self {
        Self(text)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let first = loop {
            self.0 = self.0.trim_start_matches(is_ignored);
            match self.0.chars().next()? {
                '#' => self.0 = self.0.find(['\n', '\r']).map_or("", |end| &self.0[end..]),
                first => break first,
            }
        };
        let length = match first {
            '"' => string(self.0),
            '-' | '0'..='9' => number(self.0.as_bytes()),
            '.' if self.0.starts_with("...") => 3,
            first if is_of_name(first) => self.0.find(|char| !is_of_name(char)).unwrap_or(self.0.len()),
            other => other.len_utf8(),
        };
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(token)
    }
}

fn is_ignored(char: char) -> bool {
    char.is_whitespace() || matches!(char, ',' | '\u{feff}')
}

fn is_of_name(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// How long the number at the beginning of a text is.
fn number(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = 1 + digits(1);
    if text.get(end) == Some(&b'.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits((end + 1 + sign).min(text.len()));
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// How long the string at the beginning of a text is, with its quotes.
fn string(text: &str) -> usize {
    if text.starts_with("\"\"\"") {
        return block_string(text).unwrap_or(2);
    }
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\n' | b'\r' => break,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
    1
}

fn block_string(text: &str) -> Option<usize> {
    let mut at = 3;
    loop {
        at += text.get(at..)?.find("\"\"\"")?;
        if text.as_bytes()[at - 1] != b'\\' {
            return Some(at + 3);
        }
        at += 3;
    }
}

#[cfg(test)]
mod tests {
    use super::Tokens;

    #[test]
    fn a_text_falls_into_its_tokens() {
        for (text, tokens) in [
            ("", ""),
            ("\u{feff} ,,\t\r\n # { a", ""),
            ("query A($b:[C!]=1){...D @e(f:\"g\")}", "query A ( $ b : [ C ! ] = 1 ) { ... D @ e ( f : \"g\" ) }"),
            ("a#b\nc#d\re", "a c e"),
            ("0-1 -2.5e+3 4E5 6.x 7e 8.9", "0 -1 -2.5e+3 4E5 6 . x 7 e 8.9"),
            ("\"\" \"a\\\"{\" \"ä\\\\\"b", "\"\" \"a\\\"{\" \"ä\\\\\" b"),
            ("\"\"\"a \\\"\"\" \"\" {\n\"\"\"b", "\"\"\"a \\\"\"\" \"\" {\n\"\"\" b"),
            ("\"\"\"\"\"\"a", "\"\"\"\"\"\" a"),
            ("\"a\nb\"", "\" a b \""),
            ("\"a\\", "\" a \\"),
            // To the parser an empty string, and a string up to the next quote.
            ("\"\"\"[\"[", "\"\" \"[\" ["),
            ("äb", "ä b"),
            ("..a....", ". . a ... ."),
        ] {
            let found: Vec<_> = Tokens::of(text).collect();
            assert_eq!(found.join(" "), tokens, "{text}");
        }
    }
}
