//! Looks whether something is wrong with the program itself, from what the runs
//! and deliveries wrote down, and tells of it as of any alert.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tracing::{info, warn};
use uuid::Uuid;

use super::findings::{Seen, sink_key};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::{Condition, ConditionState, OWN_RULE, Purpose, Silence, Step, decide};
use crate::store::alerts::alert;
use crate::store::alerts::raised::Raised;
use crate::store::alerts::{evaluation, silence};
use crate::store::health::condition;
use crate::store::tickets::reading;

/// What begins or ends within this time is told in one message: an upstream that
/// is down concerns every list.
pub const GATHER: TimeDelta = TimeDelta::seconds(5);

/// Looks once, and tells of what began or is over; how many that were. Each is
/// told with the row that remembers it, in one transaction, so that neither a
/// crash nor a second daemon tells it twice or not at all.
pub async fn look(context: &Context) -> Result<u64, Failure> {
    let mut connection = context.pool.acquire().await?;
    // Mostly there is nothing to write: no lock is taken for that.
    if steps(context, &mut connection).await?.is_empty() {
        return Ok(0);
    }
    drop(connection);
    let now = context.clock.now();
    let mut transaction = context.pool.begin().await?;
    evaluation::wait_and_lock(&mut transaction).await?;
    let steps = steps(context, &mut transaction).await?;
    let silences = silence::active(&mut transaction, now).await?;
    let mut raised = Vec::new();
    for Step { standing, is_told } in &steps {
        condition::write(&mut transaction, standing).await?;
        if *is_told {
            raised.extend(raise(context, standing, &silences, now));
        }
    }
    let told = alert::raise(&mut transaction, raised, now).await?;
    transaction.commit().await?;
    if told > 0 {
        crate::measures::raised(told);
    }
    steps.iter().filter(|step| step.is_told).for_each(tell);
    Ok(told)
}

async fn steps(context: &Context, connection: &mut PgConnection) -> Result<Vec<Step>, Failure> {
    let filter = reading::get(connection).await?.filter;
    let seen = Seen {
        config: &context.config,
        upstream_now: context.upstream_now(),
        filter,
        sources: condition::sources(connection).await?,
        sinks: condition::sinks(connection).await?,
        standings: condition::standings(connection).await?,
    };
    let now = context.clock.now();
    let decided = seen.findings().into_iter().filter_map(|finding| {
        let former = seen
            .standings
            .iter()
            .find(|one| one.condition == finding.condition && one.key == finding.key);
        decide(former, &finding, now)
    });
    Ok(decided.collect())
}

fn raise(
    context: &Context,
    standing: &ConditionState,
    silences: &[Silence],
    now: DateTime<Utc>,
) -> Option<Raised> {
    let health = &context.config.alerts.health;
    let alert = standing.alert(now);
    let mut sinks = health.sinks.clone();
    let mut group = GATHER;
    if standing.condition == Condition::SinkFailing {
        sinks.retain(|name| standing.key != sink_key(name));
        // It goes to other sinks than what it would be gathered with.
        group = TimeDelta::zero();
    }
    let silence = silences.iter().find(|one| one.fits(OWN_RULE, &alert));
    Some(Raised {
        id: Uuid::parse_str(&alert.id).ok()?,
        rule: OWN_RULE.to_owned(),
        purpose: Purpose::Health,
        seq: None,
        through: None,
        silence_id: silence.map(|silence| silence.id),
        alert,
        is_shadow: !health.enabled,
        sinks,
        group,
    })
}

fn tell(step: &Step) {
    let ConditionState {
        condition,
        key,
        summary,
        is_raised,
        ..
    } = &step.standing;
    let what = condition.name();
    if *is_raised {
        warn!(condition = what, condition.key = %key, "{key}: {what}: {summary}");
    } else {
        info!(condition = what, condition.key = %key, "{key}: {what} is over: {summary}");
    }
}
