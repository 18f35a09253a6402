//! The schedules: every tick only wakes a lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::lanes::Lane;

/// The scheduler's own pulse, to notice when it has stopped ticking.
const PULSE: &str = "*/2 * * * * *";
/// A scheduler without a pulse for so long does not work. Long enough for a
/// machine that was suspended or is swapping.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// Running schedules.
pub struct Schedules {
    scheduler: JobScheduler,
    pulse: Pulse,
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
    /// Starts the schedules of all lanes.
    pub async fn start(lanes: &[Lane], timezone: Tz) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        for lane in lanes {
            let tick = Arc::clone(&lane.tick);
            let job = Job::new_async_tz(lane.schedule.as_str(), timezone, move |_, _| {
                tick.notify_one();
                Box::pin(std::future::ready(()))
            })?;
            scheduler.add(job).await?;
        }
        let pulse = Pulse::new();
        let beating = pulse.clone();
        let job = Job::new_async(PULSE, move |_, _| {
            beating.beat();
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, pulse })
    }

    /// The scheduler's pulse.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// No tick comes after this.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the scheduler did not stop cleanly");
        }
    }
}
