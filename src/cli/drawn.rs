//! The bar that is drawn on stderr, and what is written above it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// The bar that is drawn at present.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Whether a log is written where a bar would be drawn.
static HAS_LOG: AtomicBool = AtomicBool::new(false);

/// From now on no bars are drawn: a log tells more.
pub(super) fn leave_to_log() {
    HAS_LOG.store(true, Ordering::Relaxed);
}

/// Writes to stderr above the bar, if there is one.
pub(super) fn above(write: impl FnOnce()) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

pub(super) fn set_drawn(bar: Option<ProgressBar>) {
    *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Whether no bar may be drawn.
pub(super) fn is_left_to_log() -> bool {
    HAS_LOG.load(Ordering::Relaxed)
}
