//! Tasks that run as long as the daemon: one that panics is logged and started again.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use super::outage::ReconnectBackoff;
use crate::job::caught::words;

/// Starts a task; `make` makes it again after a panic, after a pause that grows. Else
/// nothing would do its work until a restart, and nobody would know.
pub(super) fn spawn<F>(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    name: impl Into<String>,
    make: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (stop, name) = (stop.clone(), name.into());
    tasks.spawn(async move {
        let mut pauses = ReconnectBackoff::new();
        while let Err(panic) = AssertUnwindSafe(make()).catch_unwind().await {
            let pause = pauses.next();
            let words = words(&*panic);
            error!(
                task = name,
                error = words,
                "{name}: internal error (panic): {words}; the task is restarted; please report this error"
            );
            if stop
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_none()
            {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "it is what is tested")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::spawn;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_until_it_ends() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let count = Arc::new(AtomicU32::new(0));
        let made = Arc::clone(&count);
        spawn(&tasks, &stop, "watch list 1", move || {
            let made = made.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(made >= 2, "the {made}th time");
            }
        });
        tasks.close();
        tasks.wait().await;
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn it_is_not_started_again_once_the_daemon_stops() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        stop.cancel();
        spawn(&tasks, &stop, "tickets", || async { panic!("again") });
        tasks.close();
        tasks.wait().await;
    }
}
