//! One pass of alerting, for who runs no daemon: evaluate, then deliver.

use chrono::{DateTime, Utc};

use super::baseline;
use super::deliver::{self, Delivered};
use super::evaluate::{self, Evaluated, Rules};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::job::health::check;
use crate::sink::Sink;
use crate::store::alerts::delivery;

/// What a pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// What was found.
    pub evaluated: Evaluated,
    /// What was told.
    pub delivered: Delivered,
}

/// Evaluates all that is new and delivers all that is due. What was found in the
/// pass is sent at its end, whatever the rules' `group`: nobody is there to wait.
pub async fn pass(context: &Context, sinks: &[Sink], backlog: bool) -> Result<Passed, Failure> {
    pass_since(context, sinks, backlog, context.clock.now()).await
}

/// The same, after a look at the program's own condition.
pub async fn pass_with_health(
    context: &Context,
    sinks: &[Sink],
    backlog: bool,
) -> Result<Passed, Failure> {
    let began_at = context.clock.now();
    check::look(context).await?;
    pass_since(context, sinks, backlog, began_at).await
}

async fn pass_since(
    context: &Context,
    sinks: &[Sink],
    backlog: bool,
    began_at: DateTime<Utc>,
) -> Result<Passed, Failure> {
    let rules = Rules::of(context, backlog);
    baseline::count(context, &rules).await?;
    let evaluated = evaluate::evaluate(context, &rules).await?;
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
