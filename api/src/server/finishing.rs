//! Work that is finished although nobody waits for it any more.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Works where it is waited for, and when it is dropped before its end, as where a caller hangs up, goes on in a task of its
/// own. A task from the beginning would be one more thing to wake for each request.
pub struct Finishing<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    tasks: TaskTracker,
}

impl<T: Send + 'static> Finishing<T> {
    /// Work that `tasks` can be waited for to have finished.
    pub fn new(work: impl Future<Output = T> + Send + 'static, tasks: &TaskTracker) -> Self {
        let work: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(tasks.track_future(work));
        Self { work: Some(work), tasks: tasks.clone() }
    }
}

impl<T: Send + 'static> Future for Finishing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let outcome = work.as_mut().poll(context);
        if outcome.is_ready() {
            self.work = None;
        }
        outcome
    }
}

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        // What panicked has ended.
        let work = self.work.take().filter(|_| !thread::panicking());
        if let (Some(work), Ok(runtime)) = (work, Handle::try_current()) {
            let rest = async move {
                work.await;
            };
            self.tasks.spawn_on(rest.in_current_span(), &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_in_the_middle_is_finished() {
        let tasks = TaskTracker::new();
        let (go, gone) = oneshot::channel();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            gone.await.expect("the word to go on");
            done.send("to the end").expect("somebody who waits");
        };
        let mut work = Finishing::new(work, &tasks);
        assert!((&mut work).now_or_never().is_none());
        drop(work);
        tasks.close();
        assert!(tasks.wait().now_or_never().is_none(), "it is under way");
        go.send(()).expect("it goes on");
        assert_eq!(is_done.await, Ok("to the end"));
        tasks.wait().await;
    }

    #[tokio::test]
    async fn what_has_ended_leaves_nothing() {
        let tasks = TaskTracker::new();
        assert_eq!(Finishing::new(async { 7 }, &tasks).await, 7);
        tasks.close();
        tasks.wait().await;
    }
}
