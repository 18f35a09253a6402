//! Alerts: one task evaluates changes, one for each sink delivers, one listens.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::outage::until_done;
use crate::config;
use crate::job::alerts::evaluate::{self, Rules};
use crate::job::alerts::{baseline, deliver};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::chain;
use crate::sink::Sink;
use crate::store::alerts::alert;
use crate::store::{change, database};

/// A lost notification is made up for by looking now and then, as is one that
/// came while another process was the evaluator.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Pause before a sink is opened again that could not be.
const OPEN_AGAIN: Duration = Duration::from_mins(1);
/// Pause before listening again when the connection is lost.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Who is woken by what.
#[derive(Clone, Default)]
struct Bells {
    changes: Arc<Notify>,
    alerts: Vec<Arc<Notify>>,
}

impl Bells {
    fn ring_all(&self) {
        self.changes.notify_one();
        self.alerts
            .iter()
            .for_each(|run_ended| run_ended.notify_one());
    }
}

/// Starts the tasks of a configuration.
pub(super) fn start(tasks: &TaskTracker, context: &Context, backlog: bool) {
    let mut bells = Bells::default();
    for settings in &context.config.alerts.sinks {
        let run_ended = Arc::new(Notify::new());
        bells.alerts.push(Arc::clone(&run_ended));
        tasks.spawn(keep_delivering(
            context.clone(),
            settings.clone(),
            run_ended,
        ));
    }
    tasks.spawn(listen(context.clone(), bells.clone()));
    if !context.config.alerts.rules.is_empty() {
        tasks.spawn(keep_evaluating(context.clone(), bells.changes, backlog));
    }
}

/// Delivers to one sink. One that cannot be opened (its secret's file is gone)
/// holds up neither the start nor the others: what it is owed waits.
async fn keep_delivering(context: Context, settings: config::Sink, run_ended: Arc<Notify>) {
    let mut is_told = false;
    loop {
        match Sink::open(&settings) {
            Ok(sink) => return deliver::keep_delivering(context, Arc::new(sink), run_ended).await,
            Err(error) if !is_told => {
                is_told = true;
                let error = chain(&error);
                error!(
                    sink = %settings.name, %error,
                    "sink `{}` cannot be used, and what it is to be told waits until it can: {error}", settings.name
                );
            }
            Err(error) => debug!(sink = %settings.name, %error, "the sink still cannot be used"),
        }
        let pause = tokio::time::sleep(OPEN_AGAIN);
        if context.or_stopped(pause).await.is_err() {
            return;
        }
    }
}

async fn listen(context: Context, bells: Bells) {
    let listening = async {
        loop {
            if let Err(error) = hear(&context, &bells).await {
                debug!(%error, "the database no longer tells what happens; listening again");
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    };
    context.stop.run_until_cancelled(listening).await;
}

async fn hear(context: &Context, bells: &Bells) -> Result<(), sqlx::Error> {
    // A connection of its own: the pool may be as small as two.
    let mut listener = PgListener::connect_with(&database::alone(&context.pool)).await?;
    listener
        .listen_all([change::CHANNEL, alert::CHANNEL])
        .await?;
    // What happened before is looked for without having been heard of.
    bells.ring_all();
    loop {
        match listener.try_recv().await? {
            Some(heard) if heard.channel() == change::CHANNEL => bells.changes.notify_one(),
            Some(_) => bells
                .alerts
                .iter()
                .for_each(|run_ended| run_ended.notify_one()),
            // The connection was lost, and with it what was told meanwhile.
            None => bells.ring_all(),
        }
    }
}

async fn keep_evaluating(context: Context, run_ended: Arc<Notify>, backlog: bool) {
    loop {
        let pass = || evaluate_once(&context, backlog);
        match until_done(&context, None, "alerts", pass).await {
            Ok(()) => {}
            Err(Failure::Stopped) => return,
            Err(failure) => warn!(
                error = %failure.chain(),
                "changes could not be evaluated and are looked at again: {}", failure.chain()
            ),
        }
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = run_ended.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

async fn evaluate_once(context: &Context, backlog: bool) -> Result<(), Failure> {
    let rules = Rules::of(context, backlog);
    baseline::count(context, &rules).await?;
    evaluate::evaluate(context, &rules).await?;
    Ok(())
}
