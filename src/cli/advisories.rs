//! `advisoryd advisories`: a list of advisories.

use regex::{Regex, RegexBuilder};
use sqlx::PgConnection;

use super::advisory_counts::{CountBy, print_counts};
use super::advisory_question::{Advisories, TimeContext};
use super::advisory_rows::{Line, Shown, rows};
use super::level::print_critical_note;
use super::list::{ListFormat, print};
use super::output::print_note;
use super::shared::GlobalArgs;
use super::times::Times;
use super::{ask, chosen_list, product_words};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::filter::{Field, Filter, FlagField, NumberField, Test, WatchListTest};
use crate::model::{Catalogue, counted};
use crate::store::enrichment::state;
use crate::store::reports::counts::{self, CountQuestion};
use crate::store::reports::question::{self, AdvisoryQuestion, Sort};
use crate::store::reports::receipt::{self, Unlisted};

pub(super) async fn run(shared: GlobalArgs, mut wanted: Advisories) -> anyhow::Result<bool> {
    wanted.form.check::<Line>()?;
    let config = shared.load_and_note()?;
    let id_pattern = whole(config.feeds.id_pattern.as_str())?;
    wanted.take_saids(|word| id_pattern.is_match(word.trim()));
    wanted.take_cves();
    print_hints(&wanted);
    let (now, times) = (Clock::system().now(), shared.times());
    let time = TimeContext { now, times };
    wanted.end_spans();
    wanted.check_spans(&time)?;
    let (sort, is_reversed) = wanted.order();
    let changed = wanted.changed.map(|span| time.of(span)).unwrap_or_default();
    let lists = std::mem::take(&mut wanted.watch_list);
    let count_by = wanted.count_by.take();
    let shown = Shown {
        sort,
        fact: wanted.fact(),
    };
    let words = wanted.product_words();
    let (filter, mut form) = wanted.into_filter(&time, times.zone());
    if count_by.is_some() {
        form = form.whole();
    }
    let mut asked = AdvisoryQuestion {
        filter,
        now,
        changed_since: changed.0,
        changed_until: changed.1,
        sort,
        is_reversed,
        limit: form.rows(),
    };
    if let Some(by) = count_by {
        return count(&config, asked, &lists, (form, &by, times)).await;
    }
    let details = config.feeds.details;
    let ask = async |connection: &mut PgConnection| {
        asked.filter = with_lists(connection, asked.filter, &lists).await?;
        let found = question::advisories(connection, &asked, details).await?;
        let unread = unread(connection, &asked).await?;
        let unlisted = receipt::unlisted(connection, details).await?;
        let words = if found.is_empty() { &words[..] } else { &[] };
        let unknown = product_words::unknown(connection, words).await?;
        anyhow::Ok((found, unlisted, unread, unknown))
    };
    let (found, unlisted, unread, unknown) = ask::with_connection(&config, ask).await?;
    let templates = &config.upstream.links;
    let rows_shown = found.into_iter().map(|line| Line::of(line, templates));
    print(&form, rows_shown.collect(), times, |lines| {
        rows(lines, shown, (times, now))
    })?;
    product_words::print(&unknown);
    print_unlisted(unlisted);
    print_unread(unread);
    Ok(true)
}

/// Says what words mean here that mean something else elsewhere.
fn print_hints(wanted: &Advisories) {
    if wanted.searches_not() {
        print_note(
            "`not` is not a search operator and is ignored, like other common words; to exclude a word, put `-` in front of it: `--search 'openssl -windows'`",
        );
    }
    if wanted.says_critical() {
        print_critical_note();
    }
}

/// Counts what matches instead of listing it.
async fn count(
    config: &Config,
    asked: AdvisoryQuestion,
    lists: &[String],
    (form, by, times): (ListFormat, &CountBy, Times),
) -> anyhow::Result<bool> {
    let counting = ask::with_connection(config, async |connection| {
        let question = CountQuestion {
            filter: with_lists(connection, asked.filter, lists).await?,
            now: asked.now,
            changed_since: asked.changed_since,
            changed_until: asked.changed_until,
            keys: by.keys().to_vec(),
            zone: times.zone(),
            limit: asked.limit,
        };
        Ok(counts::counts(connection, &question).await?)
    });
    print_counts(form, by, counting.await?, times)?;
    Ok(true)
}

/// The filter, and one of the watch lists that were given beside it.
async fn with_lists(
    connection: &mut PgConnection,
    filter: Filter,
    lists: &[String],
) -> anyhow::Result<Filter> {
    chosen_list::check_filter(connection, &filter).await?;
    if lists.is_empty() {
        return Ok(filter);
    }
    let lists = chosen(connection, lists).await?;
    Ok(Filter::All(vec![filter, lists]))
}

/// One of these watch lists. What was written may be a part of a name.
async fn chosen(connection: &mut PgConnection, lists: &[String]) -> anyhow::Result<Filter> {
    let mut chosen = Vec::new();
    for list in lists {
        let id = chosen_list::stored_id(connection, Some(list)).await?;
        chosen.extend(id.map(|id| Filter::Test(Test::WatchList(WatchListTest::Id(id)))));
    }
    Ok(Filter::Any(chosen))
}

/// Names the published files that were never read.
fn print_unread(unread: Vec<Catalogue>) {
    for catalogue in unread {
        let what = match catalogue {
            Catalogue::Kev => {
                "the KEV catalogue was never read: it is unknown which advisories are in it, and neither `kev` nor `not kev` matches any"
            }
            Catalogue::Epss => {
                "EPSS scores were never read: they are unknown, and no comparison with them matches"
            }
        };
        let name = catalogue.name();
        print_note(&format!(
            "{what}; set `[enrichment] {name}`, or run `advisoryd enrich FILE`"
        ));
    }
}

/// A pattern for a whole word, in any case.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    let pattern = format!("^(?:{pattern})$");
    RegexBuilder::new(&pattern).case_insensitive(true).build()
}

/// The published files that the question is about and that were never read.
async fn unread(
    connection: &mut PgConnection,
    asked: &AdvisoryQuestion,
) -> Result<Vec<Catalogue>, sqlx::Error> {
    let compares = |fields: &[Field]| fields.iter().any(|field| asked.filter.compares(*field));
    let flags = [FlagField::Kev, FlagField::Ransomware].map(Field::Flag);
    let wanted = |catalogue| match catalogue {
        Catalogue::Kev => compares(&flags),
        Catalogue::Epss => {
            asked.sort == Sort::Epss || compares(&[Field::Number(NumberField::Epss)])
        }
    };
    let states = state::states(connection).await?.into_iter();
    let unread = states.filter(|state| state.read_at.is_none() && wanted(state.catalogue));
    Ok(unread.map(|state| state.catalogue).collect())
}

/// What no filter can select, because it is not stored.
fn print_unlisted(unlisted: Unlisted) {
    let Unlisted {
        quarantined,
        pending,
    } = unlisted;
    if quarantined > 0 {
        print_note(&format!(
            "not listed: {} in quarantine; see `advisoryd quarantine list`",
            counted(quarantined, "advisory record")
        ));
    }
    if pending > 0 {
        print_note(&format!(
            "not listed: {} whose details are pending; see `advisoryd status`",
            counted(pending, "advisory")
        ));
    }
}
