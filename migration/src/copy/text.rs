//! Rows as lines, as PostgreSQL's `COPY` writes and reads them in its text format.
//!
//! It is also the form of which checksums are made: the target writes its own lines, so what a checksum compares is what
//! PostgreSQL has stored, not what it was sent.

/// Stands for no value.
const NULL: &[u8] = br"\N";

/// Adds a value to a line.
pub fn push(line: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match letter(byte) {
            Some(letter) => line.extend([b'\\', letter]),
            None => line.push(byte),
        }
    }
}

/// Adds the lack of a value to a line.
pub fn push_null(line: &mut Vec<u8>) {
    line.extend(NULL);
}

/// The values of a line, without its end.
pub fn values(line: &[u8]) -> Vec<Option<String>> {
    line.split(|byte| *byte == b'\t').map(|value| (value != NULL).then(|| plain(value))).collect()
}

fn plain(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter().copied();
    while let Some(byte) = rest.next() {
        // PostgreSQL writes no other escapes than those of `letter`.
        bytes.push(if byte == b'\\' { rest.next().map_or(byte, meant) } else { byte });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What stands behind a backslash for a byte that cannot stand for itself.
const fn letter(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        0x08 => Some(b'b'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        0x0b => Some(b'v'),
        0x0c => Some(b'f'),
        b'\r' => Some(b'r'),
        _ => None,
    }
}

const fn meant(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 0x0b,
        b'f' => 0x0c,
        b'r' => b'\r',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let all: String = ('\u{1}'..='\u{7f}').collect();
        let given = [Some(r"\N"), Some(""), None, Some(all.as_str()), Some("Zoë\t→\n"), Some(r"a\tb")];
        let mut line = Vec::new();
        for (place, value) in given.iter().enumerate() {
            if place > 0 {
                line.push(b'\t');
            }
            match value {
                Some(value) => push(&mut line, value),
                None => push_null(&mut line),
            }
        }
        assert!(!line.contains(&b'\n'));
        let read = values(&line);
        assert_eq!(read.iter().map(Option::as_deref).collect::<Vec<_>>(), given);
    }
}
