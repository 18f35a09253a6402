use std::time::{Duration, Instant};

/// How long a test waits for what should happen within moments: long enough for
/// a machine of two cores that others keep busy too.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Pause between two looks at a condition that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, panicking with `what` after `within`.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            begun.elapsed() < within,
            "waited {within:?} in vain for {what}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
