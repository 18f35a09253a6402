//! A panic within a run is a failed run: it is recorded, and the next run begins as ever.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use super::failure::Failure;

/// Waits for a part of a run; a panic in it is [`Failure::Panicked`]. What was stored until
/// then was stored by transactions of its own.
pub(crate) fn caught<T>(
    part: impl Future<Output = Result<T, Failure>> + Send,
) -> impl Future<Output = Result<T, Failure>> + Send {
    // On the heap: it is most of a run.
    let part = AssertUnwindSafe(Box::pin(part)).catch_unwind();
    async move {
        match part.await {
            Ok(result) => result,
            Err(panic) => Err(Failure::Panicked(words(&*panic))),
        }
    }
}

/// What a panic says.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::caught;
    use crate::job::failure::Failure;

    #[tokio::test]
    async fn a_panic_is_a_failure_that_says_why() {
        let number = std::hint::black_box(7);
        let part = async move {
            tokio::task::yield_now().await;
            assert!(number != 7, "row {number}");
            Ok(number)
        };
        let failure = caught(part).await.err().map(|failure| failure.chain());
        let wanted = "internal error (panic): row 7; please report this error";
        assert_eq!(failure.as_deref(), Some(wanted));
        assert!(matches!(caught(async { Ok::<_, Failure>(1) }).await, Ok(1)));
    }
}
