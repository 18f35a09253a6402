//! The schedules: every tick only wakes a lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::lanes::Lane;
use crate::config::CronExpression;

/// The scheduler's own pulse, to notice when it has stopped ticking.
const PULSE: &str = "*/2 * * * * *";
/// A scheduler without a pulse for so long does not work. Long enough for a
/// machine that was suspended or is swapping.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// When a lane is woken, and by what.
pub type Tick = (CronExpression, Arc<Notify>);

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

    /// Whether it ticked lately.
    pub fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.last_millis.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(last) < DEAD_AFTER
    }
}

impl Schedules {
    /// Starts the schedules of all lanes; `now` by the machine's clock.
    pub async fn start(
        lanes: &[Lane],
        timezone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Self, JobSchedulerError> {
        Self::start_ticks(lanes.iter().map(Lane::as_tick).collect(), timezone, now).await
    }

    /// The same for whatever is to be woken.
    pub async fn start_ticks(
        ticks: Vec<Tick>,
        timezone: Tz,
        now: DateTime<Utc>,
    ) -> Result<Self, JobSchedulerError> {
        let pulse = Pulse::new();
        Ok(Self {
            scheduler: start(&ticks, timezone, &pulse).await?,
            ticks,
            timezone,
            pulse,
            followed_to: now,
        })
    }

    /// Follows the time zone: the scheduler keeps the zone's offset of the
    /// moment when a job was made, so that after a change to or from summer time
    /// it would tick an hour off. When the offset has changed since the last
    /// call, the schedules are started anew, and those are woken whose time fell
    /// between.
    pub async fn follow(&mut self, now: DateTime<Utc>) -> Result<(), JobSchedulerError> {
        let before = std::mem::replace(&mut self.followed_to, now);
        if self.offset_at(before) == self.offset_at(now) {
            return Ok(());
        }
        tracing::info!(timezone = %self.timezone, "the time zone's offset changed; the schedules follow");
        let next = start(&self.ticks, self.timezone, &self.pulse).await?;
        stop(std::mem::replace(&mut self.scheduler, next)).await;
        for (schedule, tick) in &self.ticks {
            let next = schedule.next_after(before, self.timezone);
            if next.is_some_and(|next| next <= now) {
                tick.notify_one();
            }
        }
        Ok(())
    }

    /// Ticks for these from now on. The old ones end after the new ones begin, so
    /// that none is lost; one that comes twice wakes once.
    pub async fn replace(&mut self, ticks: Vec<Tick>) -> Result<(), JobSchedulerError> {
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

    /// No tick comes after this.
    pub async fn stop(self) {
        stop(self.scheduler).await;
    }
}

async fn start(
    ticks: &[Tick],
    timezone: Tz,
    pulse: &Pulse,
) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for (schedule, tick) in ticks {
        let tick = Arc::clone(tick);
        let job = Job::new_async_tz(schedule.as_str(), timezone, move |_, _| {
            tick.notify_one();
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(job).await?;
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
