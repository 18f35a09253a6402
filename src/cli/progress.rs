//! Progress on a terminal: bytes, records, rate, time left.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::is_quiet;
use crate::job::context::{Context, Progress};
use crate::model::counted;

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// A bar that follows the counters of a run until it is finished. On anything
/// but a terminal, and with `--quiet`, it draws nothing.
pub(super) struct Bar {
    bar: ProgressBar,
    drawing: tokio::task::JoinHandle<()>,
}

impl Bar {
    pub(super) fn start(context: &Context, what: &str) -> Self {
        let target = if is_quiet() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_message(what.to_owned());
        bar.set_style(style(false));
        let drawing = tokio::spawn(follow(bar.clone(), Arc::clone(&context.progress)));
        Self { bar, drawing }
    }

    pub(super) fn finish(self) {
        self.drawing.abort();
        self.bar.finish_and_clear();
    }
}

async fn follow(bar: ProgressBar, progress: Arc<Progress>) {
    let (bytes, records, expected) = (
        progress.bytes(),
        progress.records(),
        progress.expected_bytes(),
    );
    let mut ticks = tokio::time::interval(REDRAW);
    loop {
        ticks.tick().await;
        let length = progress.expected_bytes() - expected;
        if length > 0 && bar.length() != Some(length) {
            bar.set_style(style(true));
            bar.set_length(length);
        }
        bar.set_position(progress.bytes() - bytes);
        bar.set_prefix(counted(progress.records() - records, "record"));
    }
}

fn style(known_length: bool) -> ProgressStyle {
    let template = if known_length {
        "{msg}  [{bar:30}] {bytes}/{total_bytes}  {prefix}  {bytes_per_sec}  {eta} left"
    } else {
        "{msg}  {spinner} {bytes}  {prefix}  {bytes_per_sec}  {elapsed}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
