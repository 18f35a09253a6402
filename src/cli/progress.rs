//! Progress on a terminal: bytes or records, their total, the time left, and what is
//! waited for.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::drawn::{is_left_to_log, set_drawn};
use super::output::is_quiet;
use crate::http::{Client, Retrying};
use crate::job::context::{Context, Progress};
use crate::model::{counted, legible, one_line};

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);
/// A pause is worth a word if it is longer.
const SHORT_PAUSE: Duration = Duration::from_secs(2);

/// A bar that follows the counters of a run until it is finished. On anything
/// but a terminal, with `--quiet`, and beside a log, it draws nothing.
pub(super) struct Bar {
    bar: ProgressBar,
    drawing: tokio::task::JoinHandle<()>,
}

/// What the bar shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// How much came.
    Received,
    /// Bytes of a known number.
    Bytes(u64),
    /// Records of a known number.
    Records(u64),
    /// Why nothing comes.
    Waiting,
}

impl Bar {
    pub(super) fn start(context: &Context, what: &str) -> Self {
        let target = if is_quiet() || is_left_to_log() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(Shown::Received, false));
        bar.set_prefix(what.to_owned());
        set_drawn(Some(bar.clone()));
        let before = Counts::now(&context.progress);
        let drawing = tokio::spawn(follow(bar.clone(), context.clone(), before));
        Self { bar, drawing }
    }

    pub(super) fn finish(self) {
        self.drawing.abort();
        set_drawn(None);
        self.bar.finish_and_clear();
    }
}

/// The counters at the start of a run: they count all runs of the process.
struct Counts {
    bytes: u64,
    records: u64,
    expected_bytes: u64,
    expected_records: u64,
}

impl Counts {
    fn now(progress: &Progress) -> Self {
        Self {
            bytes: progress.bytes(),
            records: progress.records(),
            expected_bytes: progress.expected_bytes(),
            expected_records: progress.expected_records(),
        }
    }
}

async fn follow(bar: ProgressBar, context: Context, before: Counts) {
    let progress = &context.progress;
    let mut ticks = tokio::time::interval(REDRAW);
    let mut drawn = (Shown::Received, false);
    loop {
        ticks.tick().await;
        let came = progress.records() - before.records;
        let waiting = waiting(&context.client, Instant::now());
        let shown = match (
            progress.expected_bytes() - before.expected_bytes,
            progress.expected_records() - before.expected_records,
        ) {
            _ if waiting.is_some() => Shown::Waiting,
            (_, total) if total > 0 => Shown::Records(total),
            (length, _) if length > 0 => Shown::Bytes(length),
            _ => Shown::Received,
        };
        let is_begun = bar.position() > 0;
        if (shown, is_begun) != drawn {
            bar.set_style(style(shown, is_begun));
            drawn = (shown, is_begun);
        }
        match shown {
            Shown::Records(total) => {
                bar.set_length(total);
                bar.set_position(came);
            }
            Shown::Bytes(length) => {
                bar.set_length(length);
                bar.set_position(progress.bytes() - before.bytes);
            }
            Shown::Received | Shown::Waiting => bar.set_position(progress.bytes() - before.bytes),
        }
        bar.set_message(waiting.unwrap_or_else(|| counted(came, "record")));
    }
}

/// Why nothing comes at present, if that lasts.
fn waiting(client: &Client, now: Instant) -> Option<String> {
    if let Some(left) = client.paused_for().filter(|left| *left > SHORT_PAUSE) {
        return Some(format!(
            "upstream asked to wait, {} s left",
            left.as_secs() + 1
        ));
    }
    let Retrying {
        error,
        at,
        attempt,
        of,
    } = client.retrying()?;
    let left = at.saturating_duration_since(now).as_secs() + 1;
    let error = one_line(&legible(&error));
    let reason = reason(&error);
    Some(format!(
        "retrying in {left} s ({attempt} of {of}): {reason}"
    ))
}

/// What went wrong, without the request: its address would leave no room for the reason.
fn reason(error: &str) -> &str {
    let behind = error
        .strip_prefix("GET ")
        .and_then(|rest| rest.split_once(' '));
    behind.map_or(error, |(_, reason)| reason)
}

fn style(shown: Shown, is_begun: bool) -> ProgressStyle {
    let template = match shown {
        // Nothing came, so nobody knows how long it takes.
        Shown::Records(_) if !is_begun => "{prefix}  [{bar:30}] {pos}/{len}",
        Shown::Bytes(_) if !is_begun => "{prefix}  [{bar:30}] {bytes}/{total_bytes}  {msg}",
        Shown::Bytes(_) => {
            "{prefix}  [{bar:30}] {bytes}/{total_bytes}  {msg}  {bytes_per_sec}  {eta} left"
        }
        Shown::Records(_) => "{prefix}  [{bar:30}] {pos}/{len}  {eta} left",
        Shown::Received => "{prefix}  {spinner} {bytes}  {msg}  {bytes_per_sec}  {elapsed}",
        // The reason ends where the line does: further lines would stay when it goes.
        Shown::Waiting => "{prefix}  {spinner} {wide_msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn a_reason_is_told_without_its_request() {
        for (error, told) in [
            (
                "GET http://h/a?b=1: upstream does not answer: refused",
                "upstream does not answer: refused",
            ),
            (
                "GET http://h/a returned status 503: busy",
                "returned status 503: busy",
            ),
            ("the database is away", "the database is away"),
        ] {
            assert_eq!(reason(error), told);
        }
    }
}
