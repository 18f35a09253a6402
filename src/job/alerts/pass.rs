//! One pass of alerting without a daemon: evaluate, then deliver.

use chrono::{DateTime, Utc};

use super::baseline;
use super::by_clock;
use super::deliver::{self, Delivered};
use super::evaluate::{self, EvaluatedChanges, RuleSet};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::health::check;
use crate::sink::Sink;
use crate::store::alerts::delivery;

/// The result of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// The result of the evaluation.
    pub evaluated: EvaluatedChanges,
    /// The result of the delivery.
    pub delivered: Delivered,
}

/// Evaluates all new changes and delivers all due messages. Alerts of this pass are sent
/// at its end, regardless of the rules' `group`: no process is left to send them later.
pub async fn pass(context: &Context, sinks: &[Sink], backlog: bool) -> Result<Passed, Failure> {
    pass_since(context, sinks, backlog, context.clock.now()).await
}

/// The same, after a health check.
pub(crate) async fn pass_with_health(
    context: &Context,
    sinks: &[Sink],
    backlog: bool,
) -> Result<Passed, Failure> {
    let began_at = context.clock.now();
    check::check_health(context).await?;
    pass_since(context, sinks, backlog, began_at).await
}

async fn pass_since(
    context: &Context,
    sinks: &[Sink],
    backlog: bool,
    began_at: DateTime<Utc>,
) -> Result<Passed, Failure> {
    let rules = RuleSet::of(context, backlog);
    baseline::count(context, &rules).await?;
    let mut evaluated = evaluate::evaluate(context, &rules).await?;
    evaluated.raised += by_clock::evaluate(context, &rules).await?;
    let mut connection = context.pool.acquire().await?;
    delivery::seal_since(&mut connection, began_at, context.clock.now()).await?;
    drop(connection);
    let mut delivered = Delivered::default();
    for sink in sinks {
        delivered.add(deliver::deliver_due(context, sink).await?);
    }
    Ok(Passed {
        evaluated,
        delivered,
    })
}
