//! The task that reserves slices in the database as requests wait for them, notifies others
//! of pauses, and gives back what is left.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::sharing::Sharing;
use crate::clock::Moment;
use crate::http::{PermitEvent, Permits, Slice, Spent, UsedUp};
use crate::model::{BudgetAnswer, BudgetRequest, MAX_LATE, MAX_PAUSE, chain, interval};
use crate::store::budget::member::{self as budget, BudgetMember};
use crate::store::budget::reservation::{self, Granted, Reservation};

/// How often a process that sends requests asks whether upstream asked another one for a pause.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Longest wait for an answer of the database.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long the database may be away before requests are sent without it.
const AWAY_AFTER: Duration = Duration::from_secs(3);
/// Most requests that are asked for at once.
const MOST: u32 = 4096;
/// Longest wait before places are asked for again.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The task of a process.
pub(super) struct BudgetOwner {
    pool: PgPool,
    used: Vec<(DateTime<Utc>, u32)>,
    sharing: Sharing,
    permits: Arc<Permits>,
    /// `None`: to be joined again.
    member: Option<BudgetMember>,
    /// Requests of the next slice: twice as many as of the last one, if all were used.
    growth: u32,
    last: Option<Instant>,
    /// Whether there were slices since the last report.
    is_active: bool,
    /// Requests that were sent while the database was away.
    owed: u32,
    away_since: Option<Instant>,
    /// Other processes, when the database was last there.
    others: u32,
    /// When the next request may be sent without the database.
    next_own: Instant,
}

impl BudgetOwner {
    pub(super) fn new(
        pool: PgPool,
        sharing: Sharing,
        permits: Arc<Permits>,
        used: Vec<(DateTime<Utc>, u32)>,
    ) -> Self {
        Self {
            pool,
            used,
            sharing,
            permits,
            member: None,
            growth: 1,
            last: None,
            is_active: false,
            owed: 0,
            away_since: None,
            others: 1,
            next_own: Instant::now(),
        }
    }

    async fn join(&mut self) -> Result<BudgetMember, sqlx::Error> {
        let limits = (self.sharing.per_minute, self.sharing.per_day);
        let who = (self.sharing.account.as_str(), self.sharing.kind);
        let joining = async {
            let mut transaction = self.pool.begin().await?;
            let member = budget::join(&mut transaction, who, limits, &self.used).await?;
            transaction.commit().await?;
            Ok(member)
        };
        let member = within(joining).await?;
        self.member = Some(member.clone());
        Ok(member)
    }

    async fn member(&mut self) -> Result<BudgetMember, sqlx::Error> {
        match &self.member {
            Some(member) => Ok(member.clone()),
            None => self.join().await,
        }
    }

    /// Until no request will be sent any more.
    pub(super) async fn work(mut self, mut stopped: watch::Receiver<bool>) {
        let permits = Arc::clone(&self.permits);
        let mut asked_at = Instant::now();
        loop {
            let next_question = asked_at + ASK_EVERY;
            let event = tokio::select! {
                // An error: nobody can stop it any more, and nobody needs it.
                _ = stopped.wait_for(|stopped| *stopped) => break,
                event = permits.event() => Some(event),
                () = sleep_until(next_question), if self.is_active => None,
            };
            let is_wanted = matches!(event, Some(PermitEvent::Wanted { .. }));
            let done = match event {
                Some(PermitEvent::Closed) => break,
                Some(PermitEvent::Pause {
                    wait,
                    is_background,
                }) => self.notify_pause(wait, is_background).await,
                Some(PermitEvent::Wanted { usual, background }) => {
                    self.provide(usual, background, &mut stopped).await
                }
                None => {
                    asked_at = Instant::now();
                    self.ask().await
                }
            };
            match done {
                Ok(()) => self.away_since = None,
                Err(error) => self.is_away(&error, is_wanted).await,
            }
        }
        if let Err(error) = self.give_back().await {
            debug!(%error, "what is left of the request budget was not given back");
        }
    }

    /// The database did not answer.
    async fn is_away(&mut self, error: &sqlx::Error, is_wanted: bool) {
        self.member = None;
        let since = *self.away_since.get_or_insert_with(Instant::now);
        debug!(error = chain(error), "the request budget is not available");
        if since.elapsed() < AWAY_AFTER {
            tokio::time::sleep(Duration::from_millis(250)).await;
        } else if is_wanted {
            self.go_on_alone();
        }
    }

    /// One request after the other without the database, as slowly as if each of the other
    /// processes and a further one did the same.
    fn go_on_alone(&mut self) {
        let distance = interval(self.sharing.per_minute)
            .to_std()
            .unwrap_or(Duration::from_secs(1));
        let first = self.next_own.max(Instant::now());
        self.next_own = first + distance * (self.others + 1);
        self.permits.give(Slice {
            asked: Moment::now(),
            first,
            first_until: first + late(),
            interval: distance,
            tokens: 1,
            for_background: true,
            minute: None,
            ends_at: None,
        });
        self.is_active = true;
    }

    async fn notify_pause(
        &mut self,
        wait: Duration,
        is_background: bool,
    ) -> Result<(), sqlx::Error> {
        let member = self.member().await?;
        let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        let notifying = async {
            let mut connection = self.pool.acquire().await?;
            budget::pause(&mut connection, &member, micros, is_background).await
        };
        let notified = within(notifying).await;
        if let Err(error) = &notified {
            let error = chain(error);
            warn!(error, "cannot notify other processes of the pause: {error}");
        }
        notified
    }

    /// Reserves a slice for the requests that wait.
    async fn provide(
        &mut self,
        usual: u32,
        background: bool,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<(), sqlx::Error> {
        self.report().await?;
        let is_background = usual == 0 && background;
        let is_recent = self.last.is_some_and(|last| last.elapsed() < late() * 4);
        let growth = if is_recent { self.growth } else { 1 };
        let request = BudgetRequest::Slice {
            tokens: usual.max(growth).min(MOST),
            is_background,
        };
        let member = self.member().await?;
        let asked = Moment::now();
        let reservation = within(reservation::reserve(&self.pool, &member, request, false)).await?;
        let (answer, now) = match reservation {
            Reservation::Granted(granted) => {
                self.last = Some(Instant::now());
                self.is_active = true;
                self.permits.give(slice(&granted, asked));
                return Ok(());
            }
            Reservation::Not(answer, now) => (answer, now),
        };
        let wait = match answer {
            BudgetAnswer::DayUsedUp => {
                self.refuse(&member, is_background).await?;
                return Ok(());
            }
            BudgetAnswer::Paused(until) => {
                let wait = (until - now).to_std().unwrap_or_default();
                let (all, details) = if is_background {
                    (None, Some(wait))
                } else {
                    (Some(wait), None)
                };
                self.permits.pause(all, details);
                self.ask().await?;
                wait
            }
            BudgetAnswer::Later(at) => (at - now).to_std().unwrap_or_default(),
            BudgetAnswer::Reserved(_) => Duration::ZERO,
        };
        // Not all at the same time. A pause, or a request that cannot wait so long, comes first.
        let wait = wait.min(LONGEST_WAIT) + Duration::from_millis(fastrand::u64(1..50));
        let permits = Arc::clone(&self.permits);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = permits.more_urgent(is_background) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
        Ok(())
    }

    async fn refuse(
        &mut self,
        member: &BudgetMember,
        is_background: bool,
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let (limit, until) = reservation::free_at(&mut connection, member, is_background).await?;
        self.permits.refuse(UsedUp {
            recorded_at: Instant::now(),
            is_background,
            limit,
            until,
        });
        Ok(())
    }

    /// Whether another process was asked for a pause; and reports what is over.
    async fn ask(&mut self) -> Result<(), sqlx::Error> {
        self.report().await?;
        self.is_active = self.permits.has_slices();
        let member = self.member().await?;
        let asking = async {
            let mut connection = self.pool.acquire().await?;
            let others = budget::others(&mut connection, &member).await?;
            let paused = budget::paused(&mut connection, &member.account).await?;
            Ok((others, paused))
        };
        let (others, (all, background)) = within(asking).await?;
        self.others = others;
        let wait = |micros: Option<i64>| {
            let wait = Duration::from_micros(u64::try_from(micros?).ok()?);
            let longest = MAX_PAUSE.to_std().unwrap_or_default();
            (wait <= longest).then_some(wait)
        };
        self.permits.pause(wait(all), wait(background));
        Ok(())
    }

    /// Counts what was used of slices that are over.
    async fn report(&mut self) -> Result<(), sqlx::Error> {
        let spent = self.permits.spent();
        self.report_all(spent).await
    }

    async fn report_all(&mut self, spent: Vec<Spent>) -> Result<(), sqlx::Error> {
        let mut unused = Vec::new();
        for Spent { slice, given, used } in spent {
            let rest = given.saturating_sub(used);
            match slice.minute {
                Some(minute) => {
                    self.growth = if rest == 0 {
                        (given * 2).min(MOST)
                    } else {
                        used.max(1)
                    };
                    unused.push((minute, rest));
                }
                None => self.owed += used,
            }
        }
        unused.retain(|(_, rest)| *rest > 0);
        if unused.is_empty() && self.owed == 0 {
            return Ok(());
        }
        let member = self.member().await?;
        let counting = async {
            let mut connection = self.pool.acquire().await?;
            for (minute, rest) in unused {
                let rest = i32::try_from(rest).unwrap_or(i32::MAX);
                budget::count(&mut connection, &member, minute, -rest).await?;
            }
            if self.owed > 0 {
                let owed = i32::try_from(self.owed).unwrap_or(i32::MAX);
                let now = budget::now(&mut connection).await?;
                budget::count(&mut connection, &member, now, owed).await?;
            }
            Ok(())
        };
        within(counting).await?;
        self.owed = 0;
        Ok(())
    }

    async fn give_back(&mut self) -> Result<(), sqlx::Error> {
        let back = self.permits.take_back();
        let last = back.iter().rev().find_map(|spent| {
            let left = spent.slice.interval * spent.slice.tokens;
            Some((spent.slice.ends_at?, left))
        });
        self.report_all(back).await?;
        let Some((ends_at, left)) = last else {
            return Ok(());
        };
        let member = self.member().await?;
        let micros = i64::try_from(left.as_micros()).unwrap_or(0);
        let returning = async {
            let mut connection = self.pool.acquire().await?;
            budget::return_places(&mut connection, &member, ends_at, micros).await
        };
        within(returning).await
    }
}

/// A slice by the clock of this process, which cannot be set.
fn slice(granted: &Granted, asked: Moment) -> Slice {
    let reserved = granted.reserved;
    let ahead = reserved.first_at - granted.now;
    Slice {
        asked,
        first: moved(granted.answered_at.into(), ahead),
        first_until: moved(granted.asked_at.into(), ahead + MAX_LATE),
        interval: reserved.interval.to_std().unwrap_or_default(),
        tokens: reserved.tokens,
        for_background: granted.for_background,
        minute: Some(granted.minute),
        ends_at: Some(reserved.next_at),
    }
}

fn moved(at: Instant, by: TimeDelta) -> Instant {
    match by.to_std() {
        Ok(ahead) => at + ahead,
        Err(_) => at
            .checked_sub((-by).to_std().unwrap_or_default())
            .unwrap_or(at),
    }
}

fn late() -> Duration {
    MAX_LATE.to_std().unwrap_or_default()
}

async fn within<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match timeout(ANSWER_WITHIN, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}
