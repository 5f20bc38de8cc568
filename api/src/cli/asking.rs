//! Asks a person before something is done.

use std::io::{IsTerminal, stderr, stdin};

use tokio::sync::oneshot;

/// Whether there is somebody to ask.
pub fn may_ask() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Whether the answer is yes.
pub async fn ask(question: &str) -> bool {
    eprint!("{question} [y/N] ");
    // A thread of its own, which Ctrl-C does not wait for.
    let (say, said) = oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        _ = say.send(stdin().read_line(&mut answer).map(|_| answer));
    });
    said.await.is_ok_and(|answer| answer.is_ok_and(|answer| answer.trim().eq_ignore_ascii_case("y")))
}
