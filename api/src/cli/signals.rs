//! What tells a program to stop.

use super::Exit;

/// Works until it is done, or until Ctrl-C, which ends it with what it says then.
pub async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Exit>>,
    interrupted: impl FnOnce() -> String,
) -> Result<T, Exit> {
    tokio::select! {
        // Asked for first: from the first word that is shown on.
        biased;
        _ = tokio::signal::ctrl_c() => Err(Exit::Failed(interrupted())),
        done = work => done,
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn until_told() {
    let interrupted = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!("cannot wait for Ctrl-C: {error}");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(error) => {
                tracing::error!("cannot wait for SIGTERM: {error}");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
