//! What a run printed at the end says.

use std::fmt;
use std::time::Duration;

/// What one pass of the program cost.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    pub wall: Duration,
    /// On all processors, in the program and in the kernel for it.
    pub cpu: Duration,
    pub peak_memory_kib: u64,
    pub wal_bytes: u64,
}

/// One round: every pass beside its baseline, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    pub first_load: Pass,
    pub copy: Duration,
    pub no_change: Pass,
    pub tokenize: Duration,
    pub changed: Pass,
}

/// All rounds of one size.
pub struct Figures {
    pub size: usize,
    pub bytes: u64,
    pub rounds: Vec<Round>,
}

impl Figures {
    fn each(&self, value: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(value).collect())
    }

    fn line(
        &self,
        out: &mut fmt::Formatter<'_>,
        name: &str,
        goal: &str,
        value: impl Fn(&Round) -> f64,
    ) -> fmt::Result {
        writeln!(out, "  {name:<42} {}   {goal}", self.each(value))
    }
}

/// A median and what it lies between.
pub struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self {
            low: values[0],
            median: values[values.len() / 2],
            high: values[values.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:>8.2}  ({:.2} to {:.2})",
            self.median, self.low, self.high
        )
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |duration: Duration| duration.as_secs_f64();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a printed figure has three digits"
        )]
        let kib = |bytes: u64| bytes as f64 / 1024.0;
        let (size, rounds) = (self.size, self.rounds.len());
        writeln!(
            out,
            "{size} advisories, {} MB of XML, {rounds} rounds: median (low to high)",
            self.bytes / 1_000_000
        )?;
        self.line(
            out,
            "first load / COPY of the rows it stored",
            "goal 1.5",
            |round| seconds(round.first_load.wall) / seconds(round.copy),
        )?;
        self.line(
            out,
            "no change / tokenizing the document",
            "goal 1.3",
            |round| seconds(round.no_change.wall) / seconds(round.tokenize),
        )?;
        self.line(out, "1 % changed / no change", "goal 1.5", |round| {
            seconds(round.changed.wall) / seconds(round.no_change.wall)
        })?;
        self.line(out, "WAL of no change, KiB", "goal 64", |round| {
            kib(round.no_change.wal_bytes)
        })?;
        self.line(out, "WAL of 1 % changed, KiB", "", |round| {
            kib(round.changed.wal_bytes)
        })?;
        self.line(out, "WAL of first load, MiB", "", |round| {
            kib(round.first_load.wal_bytes) / 1024.0
        })?;
        self.line(out, "peak memory, first load, MiB", "goal 64", |round| {
            kib(round.first_load.peak_memory_kib)
        })?;
        self.line(out, "peak memory, no change, MiB", "goal 64", |round| {
            kib(round.no_change.peak_memory_kib)
        })?;
        self.line(out, "first load, s", "", |round| {
            seconds(round.first_load.wall)
        })?;
        self.line(out, "COPY, s", "", |round| seconds(round.copy))?;
        self.line(out, "no change, s", "", |round| {
            seconds(round.no_change.wall)
        })?;
        self.line(out, "tokenizing, s", "", |round| seconds(round.tokenize))?;
        self.line(out, "1 % changed, s", "", |round| {
            seconds(round.changed.wall)
        })
    }
}
