//! The alerts of `advisoryd sync`, after everything is read.

use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::output::{print_done, print_error};
use crate::config::Config;
use crate::job::alerts::deliver::Delivered;
use crate::job::alerts::pass;
use crate::job::context::Context;
use crate::job::health::check;
use crate::model::{chain, counted};
use crate::sink::Sink;

/// What is printed, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlertOutput {
    /// Also what was stored before.
    pub(super) backlog: bool,
    /// Programs read the output.
    pub(super) json: bool,
}

/// The sinks that can be used, and whether all can. One that cannot keeps nobody
/// from reading; what it is owed waits.
pub(super) fn usable_sinks(config: &Config) -> (Vec<Sink>, bool) {
    let mut sinks = Vec::new();
    for settings in &config.alerts.sinks {
        match Sink::open(settings) {
            Ok(sink) => sinks.push(sink),
            Err(error) => print_error(&format!(
                "sink `{}` cannot be used; its deliveries wait: {}",
                settings.name,
                chain(&error)
            )),
        }
    }
    let all = sinks.len() == config.alerts.sinks.len();
    (sinks, all)
}

/// Sends what the pass brought to the sinks.
pub(super) async fn alert(
    context: &Context,
    sinks: &[Sink],
    alert_output: AlertOutput,
) -> anyhow::Result<bool> {
    if context.stop.is_cancelled() {
        return Ok(true);
    }
    if context.config.alerts.rules.is_empty() && sinks.is_empty() {
        // `status` shows them; what is new is printed above.
        let silent = NoSubscriber::default();
        check::check_health(context).with_subscriber(silent).await?;
        return Ok(true);
    }
    let passed = pass::pass_with_health(context, sinks, alert_output.backlog).await?;
    let Delivered {
        delivered,
        postponed,
        abandoned,
        failures,
    } = passed.delivered;
    let raised = passed.evaluated.raised;
    if raised + delivered > 0 && !alert_output.json {
        print_done(&format!(
            "alerts: {raised} created, {} delivered",
            counted(delivered, "message")
        ));
    }
    if postponed > 0 {
        print_error(&format!(
            "alerts: {} failed and will be retried by the next `sync` or the daemon ({}); see `advisoryd alerts list`",
            counted(postponed, "delivery"),
            reasons(&failures)
        ));
    }
    if abandoned > 0 {
        print_error(&format!(
            "alerts: {} became dead letters ({}); see `advisoryd alerts list --state dead_letter`",
            counted(abandoned, "message"),
            reasons(&failures)
        ));
    }
    Ok(postponed + abandoned == 0)
}

/// Why sinks failed, each with its last reason.
fn reasons(failures: &[(String, String)]) -> String {
    let reasons = failures.iter();
    let reasons = reasons.map(|(sink, error)| format!("sink `{sink}`: {error}"));
    reasons.collect::<Vec<_>>().join("; ")
}
