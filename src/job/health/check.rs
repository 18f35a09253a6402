//! Health check (self-monitoring): finds problems of advisoryd itself from the recorded
//! runs and deliveries, and creates alerts for them.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};
use uuid::Uuid;

use super::findings::{HealthData, sink_key};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::problems::ActiveProblems;
use crate::model::{
    Condition, ConditionState, Finding, MessagePurpose, OWN_RULE, Silence, Transition, decide,
    label_of, outgoing,
};
use crate::store::alerts::alert;
use crate::store::alerts::raised::Raised;
use crate::store::alerts::{evaluation, silence};
use crate::store::database;
use crate::store::enrichment::state;
use crate::store::health::condition;
use crate::store::lists::{discovery, mirror};
use crate::store::reports::{full_reads, missing};
use crate::store::tickets::reading;

/// Conditions that begin or end within this time are sent in one message: an upstream
/// that is down affects every list.
pub(crate) const GATHER: TimeDelta = TimeDelta::seconds(5);

/// Checks all conditions once and creates alerts for those that began or were resolved;
/// returns their number. Each alert is created in one transaction with the state of its
/// condition, so that neither a crash nor a second daemon loses or repeats it.
pub async fn check_health(context: &Context) -> Result<u64, Failure> {
    let mut connection = context.pool.acquire().await?;
    // Usually there is nothing to write, so no lock is taken.
    if transitions(context, &mut connection).await?.is_empty() {
        return Ok(0);
    }
    drop(connection);
    let now = context.clock.now();
    let mut transaction = database::begin(&context.pool).await?;
    evaluation::wait_and_lock(&mut transaction).await?;
    let transitions = transitions(context, &mut transaction).await?;
    let silences = silence::active(&mut transaction, now).await?;
    let mut raised = Vec::new();
    for Transition { state, is_notified } in &transitions {
        condition::write(&mut transaction, state).await?;
        if *is_notified && let Some(mut one) = raise(context, state, &silences, now) {
            if one.alert.resolved && !one.silences.is_empty() {
                let begun = alert::last_sinks(&mut transaction, &one.alert).await?;
                resolve_silenced(context, &mut one, &begun);
            }
            raised.push(one);
        }
    }
    let created = alert::raise(&mut transaction, raised, now).await?;
    transaction.commit().await?;
    if created > 0 {
        crate::measures::raised(created);
    }
    transitions
        .iter()
        .filter(|transition| transition.is_notified)
        .for_each(log_transition);
    Ok(created)
}

async fn transitions(
    context: &Context,
    connection: &mut PgConnection,
) -> Result<Vec<Transition>, Failure> {
    let filter = reading::get(connection).await?.filter;
    let seen = HealthData {
        config: &context.config,
        now: context.clock.now(),
        upstream_now: context.upstream_now(),
        filter,
        sources: condition::sources(connection, context.clock.now()).await?,
        missing: missing::of_lists(connection).await?,
        revisions: missing::of_revisions(connection, context.clock.now()).await?,
        full_reads: full_reads::failed(connection).await?,
        discovery: Some(discovery::state(connection).await?)
            .filter(|_| context.config.discovery.watch_lists),
        mirrors: mirror::states(connection).await?,
        catalogues: state::states(connection).await?,
        sinks: condition::sinks(connection).await?,
        states: condition::states(connection).await?,
    };
    let now = context.clock.now();
    let decided = seen.findings().into_iter().filter_map(|finding| {
        // It may quote what upstream sent.
        let finding = Finding {
            summary: outgoing(&finding.summary),
            ..finding
        };
        let former = seen
            .states
            .iter()
            .find(|one| one.condition == finding.condition && one.key == finding.key);
        decide(former, &finding, now)
    });
    Ok(decided.collect())
}

fn raise(
    context: &Context,
    state: &ConditionState,
    silences: &[Silence],
    now: DateTime<Utc>,
) -> Option<Raised> {
    let health = &context.config.alerts.health;
    let alert = state.alert(now);
    let mut sinks = health.sinks.clone();
    let mut group = GATHER;
    if state.condition == Condition::SinkFailing {
        sinks.retain(|name| state.key != sink_key(name));
        // It goes to other sinks than the other alerts of the group.
        group = TimeDelta::zero();
    }
    Some(Raised {
        id: Uuid::parse_str(&alert.id).ok()?,
        rule: OWN_RULE.to_owned(),
        purpose: MessagePurpose::Health,
        seq: None,
        through: None,
        silences: silences
            .iter()
            .filter(|one| one.fits(OWN_RULE, &alert))
            .map(|one| one.id)
            .collect(),
        alert,
        is_shadow: !health.enabled,
        sinks,
        group,
        held_by: None,
    })
}

/// A silence does not hold back the end of a condition from sinks that keep the alert about its
/// beginning: it would stay open there.
fn resolve_silenced(context: &Context, raised: &mut Raised, begun: &[String]) {
    let resolving: Vec<&str> = context.config.alerts.resolving_sinks().collect();
    let is_kept = |sink: &String| resolving.contains(&&**sink) && begun.contains(sink);
    let kept: Vec<String> = raised
        .sinks
        .iter()
        .filter(|sink| is_kept(sink))
        .cloned()
        .collect();
    if !kept.is_empty() {
        raised.silences.clear();
        raised.sinks = kept;
        // It goes to fewer sinks than the other alerts of the group.
        raised.group = TimeDelta::zero();
    }
}

fn log_transition(transition: &Transition) {
    let ConditionState {
        condition,
        key,
        summary,
        is_raised,
        ..
    } = &transition.state;
    let what = condition.name();
    if *is_raised {
        warn!(condition = what, condition.key = %key, "{}: {what}: {summary}", label_of(key));
    } else {
        info!(condition = what, condition.key = %key, "{}: {what} resolved: {summary}", label_of(key));
    }
}

/// Passes the active conditions on to `Context::problems`. An error leaves it as it is:
/// the next check is a minute away.
pub async fn show(context: &Context) {
    let Ok(mut connection) = context.pool.acquire().await else {
        return;
    };
    if let Ok(states) = condition::states(&mut connection).await {
        let conditions = ActiveProblems::conditions(&states);
        context.problems.send_if_modified(|problems| {
            let is_new = problems.conditions != conditions;
            problems.conditions = conditions;
            is_new
        });
    }
}
