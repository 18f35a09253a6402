//! `advisoryd budget`: who uses the requests of an account, and requests for scripts.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask;
use super::output::{print_error, print_json, print_line, print_styled, rough, table};
use super::shared::GlobalArgs;
use super::stop::stop_on_signals;
use crate::config::Config;
use crate::job::budget::{BudgetGrant, take};
use crate::model::{BudgetKind, counted, max_burst};
use crate::startup::{self, Opened};
use crate::store::reports::budget::{BudgetReport, BudgetUser, budgets, users};

#[derive(Debug, Args)]
pub(super) struct BudgetArgs {
    #[command(subcommand)]
    what: Option<BudgetCommand>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum BudgetCommand {
    /// Reserve requests for a script that uses the same account, and wait until they may be sent
    #[command(after_long_help = "Send the requests within one second after the command ends.")]
    Take(Take),
}

#[derive(Debug, Args)]
struct Take {
    /// Number of requests
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Do not wait: exit with 1 if they may not be sent now
    #[arg(long)]
    no_wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: GlobalArgs, wanted: BudgetArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    ask::with_database(&config, async |opened| {
        drop(ask::up_to_date(opened).await?);
        match wanted.what {
            None => show(&config, opened, wanted.json).await,
            Some(BudgetCommand::Take(take)) => reserve(&config, opened, &take).await,
        }
    })
    .await
}

async fn reserve(config: &Config, opened: &Opened, wanted: &Take) -> anyhow::Result<bool> {
    let most = max_burst(config.upstream.requests_per_minute);
    anyhow::ensure!(
        wanted.requests <= most,
        "at most {most} requests at a time, about half of [upstream] requests_per_minute; take them in parts"
    );
    let token = config.upstream.token()?;
    let sharing = startup::sharing(config, &token, BudgetKind::Script);
    let stop = stop_on_signals()?;
    let reservation = take(&opened.pool, &sharing, wanted.requests, wanted.no_wait);
    let Some(answer) = stop.run_until_cancelled(reservation).await else {
        return Ok(false);
    };
    match answer? {
        BudgetGrant::Granted => {
            if wanted.json {
                print_json(&json!({"granted": wanted.requests}))?;
            } else {
                print_line(&format!("granted {}", wanted.requests));
            }
            Ok(true)
        }
        BudgetGrant::NotBefore { at, now, reason } => {
            let seconds = (at - now).max(TimeDelta::zero()).as_seconds_f64();
            if wanted.json {
                print_json(
                    &json!({"granted": 0, "at": at, "in_seconds": seconds, "reason": reason}),
                )?;
            } else {
                print_error(&format!(
                    "{} can be granted at {} (in {seconds:.1} s): {reason}",
                    counted(wanted.requests, "request"),
                    time(at)
                ));
            }
            Ok(false)
        }
    }
}

async fn show(config: &Config, opened: &Opened, as_json: bool) -> anyhow::Result<bool> {
    let mut connection = opened.pool.acquire().await?;
    let accounts = budgets(&mut connection).await?;
    let users = users(&mut connection).await?;
    let own = config.upstream.token().ok();
    let own = own.map(|token| startup::sharing(config, &token, BudgetKind::Command).account);
    let budgets: Vec<AccountBudget> = accounts
        .into_iter()
        .map(|report| AccountBudget::of(report, config, own.as_deref(), &users))
        .collect();
    if as_json {
        let all: Vec<Value> = budgets.iter().map(AccountBudget::json).collect();
        print_json(&all)?;
        return Ok(true);
    }
    if budgets.is_empty() {
        print_line("no requests were sent yet");
    }
    for (index, budget) in budgets.iter().enumerate() {
        if index > 0 {
            print_line("");
        }
        budget.print();
    }
    Ok(true)
}

/// A budget with its limits and users.
struct AccountBudget {
    report: BudgetReport,
    is_own: bool,
    per_minute: i64,
    per_day: Option<i64>,
    users: Vec<BudgetUser>,
}

impl AccountBudget {
    fn of(report: BudgetReport, config: &Config, own: Option<&str>, users: &[BudgetUser]) -> Self {
        let upstream = &config.upstream;
        let is_own = own == Some(report.account.as_str());
        let limit = |limit: u32| (is_own && limit > 0).then_some(i64::from(limit));
        let smallest = |one: Option<i64>, other: Option<i64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let per_minute = smallest(report.per_minute, limit(upstream.requests_per_minute));
        let per_day = smallest(report.per_day, limit(upstream.requests_per_day));
        let is_of = |user: &&BudgetUser| user.account == report.account;
        let users = users.iter().filter(is_of).cloned().collect();
        Self {
            is_own,
            per_minute: per_minute.unwrap_or(0),
            per_day,
            users,
            report,
        }
    }

    fn left_of_minute(&self) -> i64 {
        (self.per_minute - self.report.this_minute).max(0)
    }

    fn left_of_day(&self) -> Option<i64> {
        Some((self.per_day? - self.report.today).max(0))
    }

    fn json(&self) -> Value {
        let BudgetReport {
            account,
            now,
            paused_until,
            background_paused_until,
            paused_by,
            this_minute,
            today,
            ..
        } = &self.report;
        let paused = paused_until.is_some() || background_paused_until.is_some();
        let holder = |user: &BudgetUser| {
            json!({
                "kind": user.kind,
                "host": user.host,
                "pid": (user.pid != 0).then_some(user.pid),
                "ended": user.has_ended,
                "since": user.since,
                "last_at": user.seen_at,
                "this_minute": user.this_minute,
                "today": user.today,
                "holds": user.held,
            })
        };
        json!({
            "account": account,
            "configured": self.is_own,
            "at": now,
            "requests_per_minute": self.per_minute,
            "requests_per_day": self.per_day,
            "used_this_minute": this_minute,
            "used_today": today,
            "remaining_this_minute": self.left_of_minute(),
            "remaining_today": self.left_of_day(),
            "paused_until": paused_until,
            "details_paused_until": background_paused_until,
            "paused_by": paused_by.as_ref().filter(|_| paused),
            "holders": self.users.iter().map(holder).collect::<Vec<_>>(),
        })
    }

    fn print(&self) {
        let report = &self.report;
        let whose = if self.is_own {
            "the account of this configuration"
        } else {
            "another account"
        };
        print_line(&format!("{whose} ({})", report.account));
        print_line(&format!(
            "this minute: {} of {} requests used, {} left",
            report.this_minute,
            self.per_minute,
            self.left_of_minute()
        ));
        print_line(&match (self.per_day, self.left_of_day()) {
            (Some(limit), Some(left)) => format!(
                "last 24 hours: {} of {limit} requests used, {left} left",
                report.today
            ),
            _ => format!(
                "last 24 hours: {} used, no limit",
                counted(report.today, "request")
            ),
        });
        for (what, until) in [
            ("all requests", report.paused_until),
            ("details", report.background_paused_until),
        ] {
            if let Some(until) = until {
                let by = report.paused_by.as_deref().unwrap_or("unknown");
                print_line(&format!(
                    "pause: {what} until {}, requested by upstream in a response to {by}",
                    time(until)
                ));
            }
        }
        let rows: Vec<[String; 6]> = self
            .users
            .iter()
            .map(|user| row(user, report.now))
            .collect();
        if !rows.is_empty() {
            let heading = [
                "kind",
                "process",
                "this minute",
                "24 hours",
                "reserved",
                "last",
            ];
            print_line("");
            print_styled(&table(heading, &rows));
        }
    }
}

fn row(user: &BudgetUser, now: DateTime<Utc>) -> [String; 6] {
    let holder = match (user.pid, user.has_ended) {
        (0, _) => user.host.clone(),
        (pid, false) => format!("{pid} on {}", user.host),
        (pid, true) => format!("{pid} on {} (ended)", user.host),
    };
    [
        user.kind.clone(),
        holder,
        user.this_minute.to_string(),
        user.today.to_string(),
        user.held.to_string(),
        format!("{} ago", rough((now - user.seen_at).max(TimeDelta::zero()))),
    ]
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
