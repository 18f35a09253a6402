//! Cron schedules: every tick only wakes a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::progress::Woken;

/// A job that shows that the scheduler still works.
const PULSE: &str = "*/2 * * * * *";
/// A scheduler without a pulse for this long has stopped. Long enough for a machine that
/// was suspended or is swapping.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// The scheduler tells its parts of each tick through queues that lose what comes when they
/// are full, ticks too: the library's own size is 200, which 64 lists fill within a second. So
/// many messages for each job are those of a few seconds on a busy machine.
const MESSAGES_PER_JOB: usize = 16;
const LEAST_MESSAGES: usize = 200;
/// A tick that is this late is replaced. The scheduler is normally on time within a
/// second.
const LATE_AFTER: TimeDelta = TimeDelta::seconds(30);

/// What is woken, and the time of its next tick.
struct Tick {
    woken: Woken,
    ticks: u64,
    next_at: Option<DateTime<Utc>>,
}

impl Tick {
    fn new(woken: Woken, timezone: Tz, now: DateTime<Utc>) -> Self {
        Self {
            ticks: woken.watch.ticks(),
            next_at: woken.schedule.next_after(now, timezone),
            woken,
        }
    }

    /// Wakes if the scheduler missed a tick.
    fn make_up(&mut self, timezone: Tz, now: DateTime<Utc>) {
        let ticks = self.woken.watch.ticks();
        let is_late = self.next_at.is_some_and(|at| at + LATE_AFTER < now);
        if self.ticks == ticks && is_late {
            tracing::warn!(schedule = %self.woken.schedule, "the scheduler missed a time of the schedule `{}`; the run starts late", self.woken.schedule);
            self.woken.wake();
        } else if self.ticks == ticks {
            return;
        }
        *self = Self::new(self.woken.clone(), timezone, now);
    }
}

/// Running schedules.
pub struct Schedules {
    scheduler: JobScheduler,
    ticks: Vec<Tick>,
    timezone: Tz,
    pulse: Pulse,
    followed_to: DateTime<Utc>,
}

/// When the scheduler last ticked.
#[derive(Clone)]
pub struct Pulse {
    born: Instant,
    last_millis: Arc<AtomicU64>,
}

impl Pulse {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            last_millis: Arc::default(),
        }
    }

    fn beat(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    /// Whether it ticked recently.
    pub fn is_alive(&self) -> bool {
        self.silent_for() < DEAD_AFTER
    }

    /// How long ago it ticked last.
    pub fn silent_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(last)
    }
}

impl Schedules {
    /// Starts the schedules; `now` by the machine's clock.
    pub async fn start(
        woken: Vec<Woken>,
        timezone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Self, JobSchedulerError> {
        let tick = |woken| Tick::new(woken, timezone, now);
        let ticks: Vec<Tick> = woken.into_iter().map(tick).collect();
        let pulse = Pulse::new();
        Ok(Self {
            scheduler: start(&ticks, timezone, &pulse).await?,
            ticks,
            timezone,
            pulse,
            followed_to: now,
        })
    }

    /// Replaces missed ticks and follows the time zone. The scheduler uses the offset of
    /// the zone at the time when a job was created, so after a change to or from summer
    /// time it would tick an hour off. If the offset has changed since the last call, the
    /// schedules are restarted, and those with a tick in between are woken.
    pub async fn follow(&mut self, now: DateTime<Utc>) -> Result<(), JobSchedulerError> {
        for tick in &mut self.ticks {
            tick.make_up(self.timezone, now);
        }
        let before = std::mem::replace(&mut self.followed_to, now);
        if self.offset_at(before) == self.offset_at(now) {
            return Ok(());
        }
        tracing::info!(timezone = %self.timezone, "the offset of the time zone changed; restarting the schedules");
        let next = start(&self.ticks, self.timezone, &self.pulse).await?;
        stop(std::mem::replace(&mut self.scheduler, next)).await;
        for Tick { woken, .. } in &self.ticks {
            let next = woken.schedule.next_after(before, self.timezone);
            if next.is_some_and(|next| next <= now) {
                woken.wake();
            }
        }
        Ok(())
    }

    /// Replaces what is woken. The old schedules end after the new ones have started, so
    /// that no tick is lost; a duplicate tick wakes only once.
    pub async fn replace(
        &mut self,
        woken: Vec<Woken>,
        now: DateTime<Utc>,
    ) -> Result<(), JobSchedulerError> {
        let tick = |woken| Tick::new(woken, self.timezone, now);
        let ticks: Vec<Tick> = woken.into_iter().map(tick).collect();
        let next = start(&ticks, self.timezone, &self.pulse).await?;
        self.ticks = ticks;
        stop(std::mem::replace(&mut self.scheduler, next)).await;
        Ok(())
    }

    fn offset_at(&self, at: DateTime<Utc>) -> FixedOffset {
        self.timezone
            .offset_from_utc_datetime(&at.naive_utc())
            .fix()
    }

    /// The scheduler's pulse.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Stops the schedules: no tick comes after this.
    pub async fn stop(self) {
        stop(self.scheduler).await;
    }
}

async fn start(
    ticks: &[Tick],
    timezone: Tz,
    pulse: &Pulse,
) -> Result<JobScheduler, JobSchedulerError> {
    let jobs: usize = ticks
        .iter()
        .map(|tick| tick.woken.schedule.expressions().len())
        .sum();
    let room = (jobs * MESSAGES_PER_JOB).max(LEAST_MESSAGES);
    let scheduler = JobScheduler::new_with_channel_size(room).await?;
    for Tick { woken, .. } in ticks {
        for expression in woken.schedule.expressions() {
            let woken = woken.clone();
            let job = Job::new_async_tz(expression, timezone, move |_, _| {
                woken.wake();
                Box::pin(std::future::ready(()))
            })?;
            scheduler.add(job).await?;
        }
    }
    let beating = pulse.clone();
    let job = Job::new_async(PULSE, move |_, _| {
        beating.beat();
        Box::pin(std::future::ready(()))
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

async fn stop(mut scheduler: JobScheduler) {
    if let Err(error) = scheduler.shutdown().await {
        tracing::debug!(%error, "the scheduler did not stop cleanly");
    }
}
