//! The mirror of what watch lists contain, and of pending approvals (`[schedule]
//! list_contents`). Off by itself for what upstream refuses to the account.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use tracing::{debug, warn};

use super::discover;
use super::mirror_store::{Changed, MirrorRows, ReceivedMirror, store};
use super::names;
use super::scan::PATH;
use crate::http::ClientError;
use crate::job::collection::whole::{self, Whole};
use crate::job::context::{Context, OUTCOME};
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{MirrorKey, MirrorKind};
use crate::source::{approval, list_item};
use crate::store::lists::discovery;
use crate::store::lists::mirror::{self, MirrorState};

/// Path of the pending approvals.
const APPROVALS: &str = "/api/approve-advisories/";
/// No list is begun in a tick after so many requests; the next tick continues with those
/// that were not read for the longest time. A list usually needs three.
const MAX_REQUESTS: u32 = 120;
/// With a daily limit, each tick of the default schedule may send this part of it (one in
/// 240), so that a day needs a tenth of it.
const PART_OF_DAY: u32 = 240;
/// One for the approvals, and one to begin a list.
const MIN_REQUESTS: u32 = 2;
/// How long something is not requested that upstream refuses or that is far too long.
const PAUSE: TimeDelta = TimeDelta::days(1);
/// How many refused collections a message names.
const MAX_NAMED: usize = 6;

/// What a tick did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Mirrored {
    /// Always `list contents`, to distinguish it from runs in the same output.
    pub source: &'static str,
    /// Collections that were read completely.
    pub read: usize,
    /// Rows that came.
    pub came: usize,
    /// Rows that left.
    pub left: usize,
    /// Collections that upstream refuses, and did not before.
    pub refused: usize,
    /// Requests sent to upstream.
    pub requests: u64,
    /// The first failure that is not a refusal.
    pub error: Option<String>,
}

/// Reads what each followed list contains, and the pending approvals, as far as it is due
/// and the requests suffice. `None` if another process is doing it. Fails only on database
/// errors and if advisoryd stops; all other failures are recorded.
pub async fn mirror(context: &Context) -> Result<Option<Mirrored>, Failure> {
    let Ok(lock) = mirror::lock(&context.pool).await? else {
        return Ok(None);
    };
    let guard = Guard::new(&context.pool, &lock);
    let context = Context {
        client: context.client.for_run(),
        ..context.clone()
    };
    let read = read_all(&context, &guard).await;
    let counted = count_requests(&context, &guard).await;
    lock.release().await;
    let mirrored = read?;
    counted?;
    Ok(Some(mirrored))
}

/// Reads only the names of lists, as far as they are due; nothing if another process mirrors,
/// which does that, too.
pub async fn names(context: &Context) -> Result<(), Failure> {
    let Ok(lock) = mirror::lock(&context.pool).await? else {
        return Ok(());
    };
    let guard = Guard::new(&context.pool, &lock);
    let context = Context {
        client: context.client.for_run(),
        ..context.clone()
    };
    let read = names::refresh(&context, &guard).await;
    let counted = count_requests(&context, &guard).await;
    lock.release().await;
    read.and(counted)
}

/// When anything was last requested.
pub async fn last_attempt_at(context: &Context) -> Result<Option<DateTime<Utc>>, Failure> {
    let mut connection = context.pool.acquire().await?;
    let states = mirror::states(&mut connection).await?;
    Ok(states.iter().filter_map(|state| state.attempted_at).max())
}

/// Counts the requests against the account's daily limit.
async fn count_requests(context: &Context, guard: &Guard) -> Result<(), Failure> {
    let requests = context.client.usage().requests;
    if requests > 0 {
        let mut transaction = guard.begin().await?;
        discovery::asked(&mut transaction, requests, context.clock.now()).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn read_all(context: &Context, guard: &Guard) -> Result<Mirrored, Failure> {
    names::refresh(context, guard).await?;
    let mut connection = context.pool.acquire().await?;
    let states = mirror::states(&mut connection).await?;
    let config = discover::followed(&mut connection, &context.config).await?;
    drop(connection);
    let mut tick = Tick {
        context,
        guard,
        now: context.clock.now(),
        states: states.into_iter().map(|state| (state.key, state)).collect(),
        closed: HashMap::new(),
        refused: Vec::new(),
        mirrored: Mirrored {
            source: "list contents",
            ..Mirrored::default()
        },
    };
    let mut goes_on = tick.one(MirrorKey::APPROVALS).await?;
    let mut lists: Vec<i64> = config.watch_lists.iter().map(|list| list.id).collect();
    lists.sort_by_key(|id| tick.attempted_at(*id));
    let limit = u64::from(most_requests(context.config.upstream.requests_per_day));
    for id in lists {
        for kind in MirrorKind::OF_LIST {
            let key = MirrorKey {
                watch_list_id: id,
                kind,
            };
            goes_on = goes_on && tick.one(key).await?;
        }
        if !goes_on || context.client.usage().requests >= limit {
            break;
        }
    }
    tick.log_refused();
    tick.mirrored.requests = context.client.usage().requests;
    debug!(mirrored = ?tick.mirrored, "list contents: {} collections read", tick.mirrored.read);
    Ok(tick.mirrored)
}

/// After how many requests no list is begun; `per_day` is the daily limit, 0 = none.
fn most_requests(per_day: u32) -> u32 {
    match per_day {
        0 => MAX_REQUESTS,
        per_day => (per_day / PART_OF_DAY).clamp(MIN_REQUESTS, MAX_REQUESTS),
    }
}

struct Tick<'c> {
    context: &'c Context,
    guard: &'c Guard,
    now: DateTime<Utc>,
    states: HashMap<MirrorKey, MirrorState>,
    /// What was refused with 403 in this tick, and how. It is not requested for lists for
    /// which it was never read: such an account costs three requests a day.
    closed: HashMap<MirrorKind, String>,
    /// What is refused since this tick.
    refused: Vec<(MirrorKey, String)>,
    mirrored: Mirrored,
}

impl Tick<'_> {
    /// When a list was last requested.
    fn attempted_at(&self, watch_list_id: i64) -> Option<DateTime<Utc>> {
        let states = MirrorKind::OF_LIST.iter().map(|kind| {
            let key = MirrorKey {
                watch_list_id,
                kind: *kind,
            };
            self.states.get(&key).and_then(|state| state.attempted_at)
        });
        states.min().flatten()
    }

    /// Reads one collection if it is due; false if the others should wait for the next
    /// tick.
    async fn one(&mut self, key: MirrorKey) -> Result<bool, Failure> {
        let state = self.states.get(&key).cloned();
        let state = state.unwrap_or_else(|| MirrorState::new(key));
        // A time further away was set by a clock that was wrong.
        let is_paused = |at: DateTime<Utc>| at > self.now && at - self.now <= PAUSE;
        if state.retry_at.is_some_and(is_paused) {
            return Ok(true);
        }
        let closed = self.closed.get(&key.kind).cloned();
        if let Some(error) = closed.filter(|_| state.read_at.is_none()) {
            self.refuse(&state, error).await?;
            return Ok(true);
        }
        let requested = MirrorState {
            attempted_at: Some(self.now),
            ..state.clone()
        };
        let failure = match read(self.context, key).await {
            Ok(received) => {
                // A bundle is imported later than it was read.
                let read_at = self.context.bundled.map_or(self.now, |(_, to)| to);
                let times = (self.now, read_at);
                let Changed { came, left } = store(self.guard, &state, &received, times).await?;
                self.mirrored.read += 1;
                self.mirrored.came += came;
                self.mirrored.left += left;
                return Ok(true);
            }
            Err(failure) => failure,
        };
        let error = failure.chain();
        match failure {
            Failure::Stopped | Failure::Store(_) => return Err(failure),
            Failure::Upstream(ClientError::Forbidden { .. }) => {
                self.closed.insert(key.kind, error.clone());
                self.refuse(&requested, error).await?;
            }
            Failure::Upstream(ClientError::NotFound { .. }) => {
                self.refuse(&requested, error).await?;
            }
            Failure::Upstream(_) => {
                self.fail(requested, error, None).await?;
                return Ok(false);
            }
            Failure::TooManyPages { .. } => {
                let retry_at = self.now + PAUSE;
                self.fail(requested, error, Some(retry_at)).await?;
            }
            _ => self.fail(requested, error, None).await?,
        }
        Ok(true)
    }

    /// Records that upstream refuses a collection.
    async fn refuse(&mut self, state: &MirrorState, error: String) -> Result<(), Failure> {
        if state.refused_since.is_none() {
            self.mirrored.refused += 1;
            self.refused.push((state.key, error.clone()));
        }
        let refused = MirrorState {
            refused_since: state.refused_since.or(Some(self.now)),
            retry_at: Some(self.now + PAUSE),
            last_error: Some(error),
            ..state.clone()
        };
        self.set(&refused).await
    }

    /// Records any other failure.
    async fn fail(
        &mut self,
        state: MirrorState,
        error: String,
        retry_at: Option<DateTime<Utc>>,
    ) -> Result<(), Failure> {
        // The first one is part of the outcome, which commands print themselves.
        if self.mirrored.error.is_none() {
            warn!(target: OUTCOME, error, "{} could not be read: {error}", state.key);
            self.mirrored.error = Some(format!("{} could not be read: {error}", state.key));
        } else {
            warn!(error, "{} could not be read: {error}", state.key);
        }
        let failed = MirrorState {
            refused_since: None,
            retry_at,
            last_error: Some(error),
            ..state
        };
        self.set(&failed).await
    }

    async fn set(&self, state: &MirrorState) -> Result<(), Failure> {
        let mut transaction = self.guard.begin().await?;
        mirror::set(&mut transaction, state).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Says once what upstream refuses.
    fn log_refused(&self) {
        let Some((_, error)) = self.refused.first() else {
            return;
        };
        let named: Vec<String> = self
            .refused
            .iter()
            .take(MAX_NAMED)
            .map(|(key, _)| key.to_string())
            .collect();
        let more = match self.refused.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        warn!(
            refused = self.refused.len(),
            error,
            "upstream refuses {}{more}; they are not mirrored and are requested again once a day; feeds are read as before: {error}",
            named.join(", ")
        );
    }
}

/// Requests all rows of a collection.
pub(crate) async fn read(context: &Context, key: MirrorKey) -> Result<ReceivedMirror, Failure> {
    let (id, label) = (key.watch_list_id, key.kind.label());
    let part = match key.kind {
        MirrorKind::Vendor => "vendors",
        MirrorKind::Product => "products",
        MirrorKind::ProductRelease => "product-releases",
        MirrorKind::Approval => {
            let row = |row: &Value| {
                approval::read(row).map(|approval| (approval.upstream_id.clone(), approval))
            };
            let whole = whole::read(context, APPROVALS, label, row).await?;
            return Ok(received(whole, MirrorRows::Approvals));
        }
    };
    let path = format!("{PATH}{id}/{part}/");
    let row = |row: &Value| list_item::read(row).map(|item| (item.upstream_id.clone(), item));
    let whole = whole::read(context, &path, label, row).await?;
    Ok(received(whole, MirrorRows::Items))
}

fn received<T>(whole: Whole<String, T>, rows: impl FnOnce(Vec<T>) -> MirrorRows) -> ReceivedMirror {
    ReceivedMirror {
        rows: rows(whole.rows.into_values().collect()),
        unreadable: whole.unreadable,
        staleness: whole.staleness,
    }
}
