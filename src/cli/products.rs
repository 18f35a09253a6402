//! `advisoryd products`: what watch lists contain, and which products advisories name.

use chrono::{DateTime, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::list::{ListFormat, print};
use super::output::{print_note, table};
use super::shared::GlobalArgs;
use super::table::width;
use super::times::Times;
use super::{ask, chosen_list, level};
use crate::clock::Clock;
use crate::model::MirrorKind;
use crate::store::lists::mirror;
use crate::store::reports::products::{self, ProductLine, ProductQuestion};

/// A narrower terminal has no room for the kind and the time since when a list has a product.
const ALL_COLUMNS: usize = 110;

/// Which products.
#[derive(Debug, Args)]
pub(super) struct Products {
    /// Words in the name
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    /// Of this watch list: what it contains, and what its advisories name
    #[arg(long, visible_alias = "list", value_name = "NAME|ID")]
    watch_list: Option<String>,
    /// Only what a watch list contains, not what only advisories name
    #[arg(long, conflicts_with = "gone")]
    listed: bool,
    /// Only what has left all followed watch lists; with --watch-list, what has left that list
    #[arg(long)]
    gone: bool,
    #[command(flatten)]
    form: ListFormat,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Products) -> anyhow::Result<bool> {
    wanted.form.check::<ProductLine>()?;
    let config = shared.load_and_note()?;
    let (now, times) = (Clock::system().now(), shared.times());
    let words = wanted.words.iter().flat_map(|text| text.split_whitespace());
    let mut asked = ProductQuestion {
        words: words.map(str::to_lowercase).collect(),
        watch_list_id: None,
        listed: wanted.listed,
        gone: wanted.gone,
        limit: wanted.form.rows(),
    };
    let ask = async |connection: &mut PgConnection| {
        asked.watch_list_id =
            chosen_list::stored_id(connection, wanted.watch_list.as_deref()).await?;
        let found = products::products(connection, &asked).await?;
        anyhow::Ok((found, is_read(connection, asked.watch_list_id).await?))
    };
    let (found, is_read) = ask::with_connection(&config, ask).await?;
    print(&wanted.form, found, times, |lines| {
        rows(lines, wanted.gone, (times, now))
    })?;
    if !is_read {
        print_note(
            "the contents of the watch lists have not been read yet, so only products that advisories name are listed; the daemon or `advisoryd sync` reads them ([schedule] list_contents); if that fails, `advisoryd status` shows why",
        );
    }
    Ok(true)
}

/// Whether it was ever read what watch lists contain, or what this one contains.
async fn is_read(connection: &mut PgConnection, list: Option<i64>) -> Result<bool, sqlx::Error> {
    let states = mirror::states(connection).await?;
    Ok(states.iter().any(|state| {
        let is_asked = list.is_none_or(|id| state.key.watch_list_id == id);
        is_asked && state.key.kind != MirrorKind::Approval && state.read_at.is_some()
    }))
}

fn rows(lines: &[ProductLine], gone: bool, (times, now): (Times, DateTime<Utc>)) -> String {
    let day = |at: Option<DateTime<Utc>>| at.map(|at| times.day(at)).unwrap_or_default();
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            [
                line.name.clone(),
                line.kind.clone().unwrap_or_default(),
                line.advisories
                    .map(|count| count.to_string())
                    .unwrap_or_default(),
                level::shown(line.severity.as_deref().unwrap_or_default()),
                day(line.released_at),
                day(if gone {
                    line.left_at
                } else {
                    line.first_seen_at
                }),
                match line.left_at {
                    Some(at) if !gone => format!("(left {})", times.day(at)),
                    _ => line.watch_lists.join(", "),
                },
            ]
        })
        .collect();
    let released = times.heading("released", now);
    let since = times.heading(if gone { "left" } else { "since" }, now);
    let heading = [
        "product",
        "kind",
        "advisories",
        "severity",
        &released,
        &since,
        "watch lists",
    ];
    if width().is_none_or(|width| width >= ALL_COLUMNS) {
        return table(heading, &rows);
    }
    let [product, _, advisories, severity, released, _, lists] = heading;
    let few = |[product, _, advisories, severity, released, _, lists]: [String; 7]| {
        [product, advisories, severity, released, lists]
    };
    let rows: Vec<[String; 5]> = rows.into_iter().map(few).collect();
    table([product, advisories, severity, released, lists], &rows)
}
