//! Alert tasks: one evaluates changes, one per sink delivers, one listens for
//! notifications of the database (`LISTEN`).

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::outage::until_done;
use super::supervised;
use crate::config;
use crate::job::alerts::evaluate::{self, RuleSet};
use crate::job::alerts::rehearsal::rehearse;
use crate::job::alerts::{baseline, by_clock, deliver};
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::chain;
use crate::sink::Sink;
use crate::store::alerts::alert;
use crate::store::{change, database};

/// Poll interval, in case a notification is lost or arrives while another process is
/// evaluating.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// How often rules about what has not happened are evaluated: they count in hours.
const CLOCK_EVERY: Duration = Duration::from_mins(10);
/// Pause before retrying to open a sink.
const OPEN_RETRY: Duration = Duration::from_mins(1);
/// Pause before listening again after the connection was lost.
const LISTEN_RETRY: Duration = Duration::from_secs(1);

/// Connections that evaluate and claim. New ones plan for longer than they work: with all
/// of the pool's in turn, the first alerts of each would be late.
const CONNECTIONS: u32 = 2;

/// Wakes the tasks.
#[derive(Clone, Default)]
struct Wakers {
    changes: Arc<Notify>,
    alerts: Vec<Arc<Notify>>,
}

impl Wakers {
    fn wake_all(&self) {
        self.changes.notify_one();
        self.alerts.iter().for_each(|sink| sink.notify_one());
    }
}

/// Starts the tasks of a configuration.
pub(super) fn start(tasks: &TaskTracker, context: &Context, backlog: bool) {
    let mut wakers = Wakers::default();
    let stop = &context.stop;
    let quick = database::beside(&context.pool, CONNECTIONS);
    for settings in &context.config.alerts.sinks {
        let wake = Arc::new(Notify::new());
        wakers.alerts.push(Arc::clone(&wake));
        let (on, quick, settings) = (context.clone(), quick.clone(), settings.clone());
        let name = format!("sink `{}`", settings.name);
        supervised::spawn(tasks, stop, name, move || {
            let wake = Arc::clone(&wake);
            keep_delivering(on.clone(), quick.clone(), settings.clone(), wake)
        });
    }
    let has_rules = !context.config.alerts.rules.is_empty();
    if has_rules || !wakers.alerts.is_empty() {
        let (on, wakers) = (context.clone(), wakers.clone());
        supervised::spawn(tasks, stop, "alerts, notifications", move || {
            listen(on.clone(), wakers.clone())
        });
    }
    if has_rules {
        let (on, wake) = (context.clone(), wakers.changes);
        supervised::spawn(tasks, stop, "alerts, evaluation", move || {
            keep_evaluating(on.clone(), quick.clone(), Arc::clone(&wake), backlog)
        });
    }
    let mut rules = context.config.alerts.rules.iter();
    if rules.any(|matcher| by_clock::is_timed(matcher.rule())) {
        let on = context.clone();
        supervised::spawn(tasks, stop, "alerts, clock rules", move || {
            keep_watching_the_clock(on.clone(), backlog)
        });
    }
}

/// Delivers to one sink. A sink that cannot be opened (for example because its secret's
/// file is missing) delays neither the start nor other sinks: its messages are queued.
async fn keep_delivering(
    context: Context,
    quick: PgPool,
    settings: config::SinkSettings,
    wake: Arc<Notify>,
) {
    let mut is_logged = false;
    loop {
        match Sink::open(&settings) {
            Ok(sink) => {
                return deliver::keep_delivering(context, quick, Arc::new(sink), wake).await;
            }
            Err(error) if !is_logged => {
                is_logged = true;
                let error = chain(&error);
                error!(
                    sink = %settings.name, %error,
                    "sink `{}` cannot be used, its messages are queued: {error}", settings.name
                );
            }
            Err(error) => debug!(sink = %settings.name, %error, "the sink still cannot be used"),
        }
        let pause = tokio::time::sleep(OPEN_RETRY);
        if context.or_stopped(pause).await.is_err() {
            return;
        }
    }
}

async fn listen(context: Context, wakers: Wakers) {
    let listening = async {
        loop {
            if let Err(error) = receive(&context, &wakers).await {
                debug!(%error, "lost the connection for notifications; listening again");
            }
            tokio::time::sleep(LISTEN_RETRY).await;
        }
    };
    context.stop.run_until_cancelled(listening).await;
}

async fn receive(context: &Context, wakers: &Wakers) -> Result<(), sqlx::Error> {
    // A separate connection: the pool may be as small as two.
    let mut listener = PgListener::connect_with(&database::alone(&context.pool)).await?;
    listener
        .listen_all([change::CHANNEL, alert::CHANNEL])
        .await?;
    // There were no notifications before this, so everything is checked once.
    wakers.wake_all();
    loop {
        match listener.try_recv().await? {
            Some(notification) if notification.channel() == change::CHANNEL => {
                wakers.changes.notify_one();
            }
            Some(_) => wakers.alerts.iter().for_each(|sink| sink.notify_one()),
            // The connection was lost, and notifications with it. Another server may have
            // taken over: the next connection is made anew.
            None => return Ok(()),
        }
    }
}

async fn keep_evaluating(context: Context, quick: PgPool, wake: Arc<Notify>, backlog: bool) {
    database::follow(&quick, &context.pool);
    if let Err(error) = rehearse(&quick, CONNECTIONS, context.clock.now()).await {
        debug!(%error, "the connections of alerts are not prepared");
    }
    loop {
        let pass = || evaluate_once(&context, &quick, backlog);
        match until_done(&context, None, "alerts", pass).await {
            Ok(()) => {}
            Err(Failure::Stopped) => return,
            Err(failure) => warn!(
                error = %failure.chain(),
                "evaluating changes failed, will retry: {}", failure.chain()
            ),
        }
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = wake.notified() => {}
            () = tokio::time::sleep(POLL_EVERY) => {}
        }
    }
}

/// Evaluates the rules about what has not happened.
async fn keep_watching_the_clock(context: Context, backlog: bool) {
    loop {
        let rules = RuleSet::of(&context, backlog);
        let pass = || by_clock::evaluate(&context, &rules);
        match until_done(&context, None, "rules by the clock", pass).await {
            Ok(_) => {}
            Err(Failure::Stopped) => return,
            Err(failure) => warn!(
                error = %failure.chain(),
                "evaluating rules by the clock failed, will retry: {}", failure.chain()
            ),
        }
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return,
            () = tokio::time::sleep(CLOCK_EVERY) => {}
        }
    }
}

async fn evaluate_once(context: &Context, quick: &PgPool, backlog: bool) -> Result<(), Failure> {
    database::follow(quick, &context.pool);
    let context = &Context {
        pool: quick.clone(),
        ..context.clone()
    };
    let rules = RuleSet::of(context, backlog);
    baseline::count(context, &rules).await?;
    evaluate::evaluate(context, &rules).await?;
    Ok(())
}
