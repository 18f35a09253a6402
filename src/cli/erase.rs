//! `advisoryd erase`: removes people's data from the database.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::ask;
use super::confirm::confirm;
use super::login::login;
use super::output::{print_done, print_error, print_json};
use super::shared::GlobalArgs;
use crate::clock::Clock;
use crate::job::trust::erase::{self, By, MIN_NAME_CHARS, Person};
use crate::model::counted;
use crate::startup::Opened;
use crate::store::trust::erasure::{self, ERASED, Erased};

/// How long a run that is under way is waited for.
const PATIENCE: Duration = Duration::from_mins(5);

#[derive(Debug, Args)]
pub(super) struct Erase {
    #[command(subcommand)]
    what: EraseCommand,
    /// Do not ask for confirmation
    #[arg(long, global = true)]
    yes: bool,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum EraseCommand {
    /// Erase title, description, assignee and raw text of a ticket, in all versions and alerts
    Ticket {
        /// Ticket ID or ticket number
        number: i64,
    },
    /// Erase the names of a person from tickets, alerts, quarantine, silences and acknowledgements
    Person {
        /// Names, login names and mail addresses, at least 3 characters; each matches whole words
        /// in any case
        #[arg(required = true, value_parser = name)]
        names: Vec<String>,
    },
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() < MIN_NAME_CHARS || !text.chars().any(char::is_alphabetic) {
        return Err(format!(
            "expected a name of at least {MIN_NAME_CHARS} characters, with a letter"
        ));
    }
    // It would be found again in its own replacement.
    if ERASED.contains(&text.to_lowercase()) {
        return Err(format!("expected a name, not a part of `{ERASED}`"));
    }
    Ok(text.to_owned())
}

pub(super) async fn run(shared: GlobalArgs, wanted: Erase) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let who = login();
    let by = By {
        who: &who,
        at: Clock::system().now(),
    };
    ask::with_database(&config, async |opened| {
        let erased = match &wanted.what {
            EraseCommand::Ticket { number } => ticket(opened, *number, wanted.yes, by).await?,
            EraseCommand::Person { names } => person(opened, names, wanted.yes, by).await?,
        };
        match erased {
            Some(erased) if wanted.json => print_json(&erased)?,
            Some(erased) => print_done(&summary(erased)),
            None => {}
        }
        Ok(erased.is_some())
    })
    .await
}

async fn ticket(
    opened: &Opened,
    number: i64,
    yes: bool,
    by: By<'_>,
) -> anyhow::Result<Option<Erased>> {
    let mut connection = ask::up_to_date(opened).await?;
    let ids = erasure::tickets_called(&mut connection, number).await?;
    drop(connection);
    let id = match ids.as_slice() {
        [] => anyhow::bail!("there is no ticket {number}"),
        [id] => *id,
        ids => anyhow::bail!(
            "{number} is the id of one ticket and the number of another; use one of the ids {ids:?}, \
             or erase the other one by its number first"
        ),
    };
    let question = format!("Erase the texts of ticket {number} (id {id})? This cannot be undone.");
    if !confirm(yes, &question)? {
        return Ok(None);
    }
    Ok(Some(erase::ticket(&opened.pool, id, by, PATIENCE).await?))
}

async fn person(
    opened: &Opened,
    names: &[String],
    yes: bool,
    by: By<'_>,
) -> anyhow::Result<Option<Erased>> {
    let person = Person::new(names)?;
    drop(ask::up_to_date(opened).await?);
    let question = format!(
        "Erase {} from all tickets, alerts, deliveries, quarantined and replaced records, silences, acknowledgements, assignments, pending approvals, unknown fields and their samples, last errors, conditions, and the values that rules were compared with? This cannot be undone.",
        names.join(", ")
    );
    if !confirm(yes, &question)? {
        return Ok(None);
    }
    let erased = erase::person(&opened.pool, &person, by, PATIENCE).await?;
    let runs = erase::runs_that_mention(&opened.pool, &person).await?;
    if runs > 0 {
        print_error(&format!(
            "the run log contains the name in {}; the run log cannot be changed, [retention] runs removes it",
            counted(runs, "error")
        ));
    }
    Ok(Some(erased))
}

fn summary(erased: Erased) -> String {
    let Erased {
        versions,
        alerts,
        deliveries,
        quarantined,
        silences,
        samples,
        approvals,
        acknowledgements,
        errors,
    } = erased;
    format!(
        "erased texts in {}, {}, {}, {}, {}, {}, {}, {} and {}; \
         if upstream changes an erased record, it is stored again as sent",
        counted(versions, "ticket version"),
        counted(alerts, "alert"),
        counted(deliveries, "delivery"),
        counted(quarantined, "quarantined record"),
        counted(silences, "silence"),
        counted(samples, "sample"),
        counted(approvals, "pending approval"),
        counted(acknowledgements, "acknowledgement"),
        counted(errors, "stored error")
    )
}
