//! How much of a request its errors say again.

/// The most characters of one quotation: what was meant can be told by its beginning.
const LONGEST_QUOTATION: usize = 100;
/// The most characters of a message. What we say ourselves is far shorter.
const LONGEST_MESSAGE: usize = 1_000;

/// Shortens what a message quotes of a request, and a message that is too long all the same.
pub fn shorten(message: &mut String) {
    if message.len() <= LONGEST_QUOTATION {
        return;
    }
    let mut whole = String::with_capacity(message.len().min(4 * LONGEST_MESSAGE));
    for (number, piece) in message.split('"').enumerate() {
        if number > 0 {
            whole.push('"');
        }
        // Between words of ours a name may stand without quotes.
        let between = if number % 2 == 0 { " " } else { "\"" };
        for (number, word) in piece.split(between).enumerate() {
            if number > 0 {
                whole.push_str(between);
            }
            push_most(&mut whole, word, LONGEST_QUOTATION);
        }
    }
    message.clear();
    push_most(message, &whole, LONGEST_MESSAGE - 1);
}

/// Adds so many characters of a text, and shows where there were more.
fn push_most(to: &mut String, text: &str, most: usize) {
    match text.char_indices().nth(most) {
        None => to.push_str(text),
        Some((end, _)) => to.extend([&text[..end], "…"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_and_messages_have_an_end() {
        let long = |character: char| character.to_string().repeat(5000);
        let cut = |character: char| format!("{}…", character.to_string().repeat(100));
        let sentence = "words of ours ".repeat(20);
        for (message, wanted) in [
            (String::new(), String::new()),
            (sentence.clone(), sentence),
            (format!("No \"{}\" here.", long('x')), format!("No \"{}\" here.", cut('x'))),
            (
                format!("No \"{}\" on \"{}\".", long('x'), long('ü')),
                format!("No \"{}\" on \"{}\".", cut('x'), cut('ü')),
            ),
            (format!("No {} here.", long('€')), format!("No {} here.", cut('€'))),
            (format!("No \"{}", "a b".repeat(5000)), format!("No \"{}…", &"a b".repeat(34)[..100])),
            ("\"".repeat(5000), format!("{}…", "\"".repeat(999))),
            ("a ".repeat(5000), format!("{}a…", "a ".repeat(499))),
        ] {
            let mut short = message.clone();
            shorten(&mut short);
            assert_eq!(short, wanted);
        }
    }
}
