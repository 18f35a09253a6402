//! `advisoryd advisories`: a list of advisories. All options are parts of one filter.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use clap::Args;
use regex::{Regex, RegexBuilder};
use sqlx::PgConnection;

use super::advisory_rows::{Shown, rows};
use super::level::ranks;
use super::list::{Form, print};
use super::output::print_note;
use super::shared::Shared;
use super::since::{Since, since};
use super::{ask, chosen_list};
use crate::clock::Clock;
use crate::model::filter::{
    Comparison, Field, Filter, FlagField, ListField, Moment, NumberField, Order, Test, TextField,
    TimeField, comparison, is_cve, parse_filter,
};
use crate::model::{Catalogue, counted};
use crate::store::enrichment::state;
use crate::store::reports::question::{self, AdvisoryLine, AdvisoryQuestion, Sort};
use crate::store::reports::receipt::{self, Unlisted};

/// The highest CVSS score.
const MAX_CVSS: f64 = 10.0;
/// Higher than any threat score, as for rules.
const MAX_THREAT: f64 = 1000.0;

const EXAMPLES: &str = r#"Examples:
  advisoryd advisories --severity high+ --watch-list "Office clients" --sort released
  advisoryd advisories --where 'cvss >= 9 and released >= 7d and not product ~ "windows"' --csv

All options together must match. An option that is repeated matches any of its values;
--search, --sort and the options with a time can be given once.
docs/filter.md describes the language of --where."#;

/// Which advisories.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Advisories {
    /// Words to search for, as with --search; a CVE as with --cve; an advisory (SA87735)
    #[arg(value_name = "WORDS", conflicts_with = "search")]
    words: Vec<String>,
    /// Those among the words.
    #[arg(skip)]
    saids: Vec<Filter>,
    /// A filter, such as 'severity >= high and (product ~ "openssl" or cve = CVE-2026-1234)'
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    filter: Vec<Filter>,
    /// Severity: `high` for exactly this, `high+` for this or more severe
    #[arg(long, value_name = "LEVEL[+]", value_parser = level)]
    severity: Vec<Filter>,
    /// CVSS score, 0 to 10 (version 4, else 3, else 2): `7` for 7 and more, `4..7`, `..4`
    #[arg(long, value_name = "MIN[..MAX]", value_parser = cvss)]
    cvss: Vec<Filter>,
    /// Threat score, with the syntax of --cvss
    #[arg(long, value_name = "MIN[..MAX]", value_parser = threat)]
    threat: Vec<Filter>,
    /// Attack vector: remote, local_network, local or none
    #[arg(long, value_name = "NAME", value_parser = vector)]
    vector: Vec<Filter>,
    /// Solution status: none, no_fix, vendor_patched, vendor_workaround or partial_fix
    #[arg(long, value_name = "NAME", value_parser = solution)]
    solution: Vec<Filter>,
    /// Mentions this CVE
    #[arg(long, value_parser = cve)]
    cve: Vec<Filter>,
    /// Words in the name or CPE of a product
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = product)]
    product: Vec<Filter>,
    /// The vendor in a product's CPE, such as `microsoft`
    #[arg(long, value_name = "NAME", value_parser = vendor)]
    vendor: Vec<Filter>,
    /// In this watch list
    #[arg(long, visible_alias = "list", value_name = "NAME|ID", value_parser = watch_list)]
    watch_list: Vec<(String, Filter)>,
    /// Released or modified by the vendor since: a duration (`7d`), a day (`yesterday`,
    /// `monday`), a date or a time
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Released by the vendor since this time; sorted by release, newest first
    #[arg(long, value_name = "WHEN", value_parser = since)]
    released: Option<Since>,
    /// Modified by the vendor since this time
    #[arg(long, value_name = "WHEN", value_parser = since)]
    modified: Option<Since>,
    /// First stored in this database since this time; newest first
    #[arg(long, value_name = "WHEN", value_parser = since)]
    first_seen: Option<Since>,
    /// Changed in this database since this time, for any reason
    #[arg(long, value_name = "WHEN", value_parser = since)]
    changed: Option<Since>,
    /// Only zero-days
    #[arg(long)]
    zero_day: bool,
    /// Only those with a CVE in the KEV catalogue (known to be exploited)
    #[arg(long)]
    kev: bool,
    /// Highest EPSS score of its CVEs at least this, 0 to 1
    #[arg(long, value_name = "SCORE", value_parser = epss)]
    epss_min: Vec<Filter>,
    /// Full-text search in title, description and solution: words, `"a phrase"`, `or`, `-without`
    #[arg(
        long,
        visible_alias = "text",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    search: Option<String>,
    /// Sort by this, newest or highest first; `:asc` reverses it [default: modified]
    #[arg(long, value_name = "NAME[:asc]", value_parser = sort)]
    sort: Option<(Sort, bool)>,
    #[command(flatten)]
    form: Form,
}

fn filter(text: &str) -> Result<Filter, String> {
    parse_filter(text).map_err(|error| error.to_string())
}

fn level(text: &str) -> Result<Filter, String> {
    let (rank, worst) = ranks(text)?;
    let order = if worst > rank {
        Order::GreaterOrEqual
    } else {
        Order::Equal
    };
    Ok(number(NumberField::Severity, order, f64::from(rank)))
}

fn number(field: NumberField, order: Order, value: f64) -> Filter {
    Filter::Test(Test::Number {
        field,
        order,
        value,
    })
}

fn cvss(text: &str) -> Result<Filter, String> {
    range(NumberField::Cvss, text, MAX_CVSS)
}

fn threat(text: &str) -> Result<Filter, String> {
    range(NumberField::ThreatScore, text, MAX_THREAT)
}

fn epss(text: &str) -> Result<Filter, String> {
    let score = text.trim().parse().ok();
    let score = score.filter(|score| (0.0..=1.0).contains(score));
    let score = score.ok_or("expected a number from 0 to 1, such as `0.5`")?;
    Ok(number(NumberField::Epss, Order::GreaterOrEqual, score))
}

/// `highest` is the highest score that there is.
fn range(field: NumberField, text: &str, highest: f64) -> Result<Filter, String> {
    let (least, most) = text.split_once("..").unwrap_or((text, ""));
    let read = |text: &str| {
        let value: Option<f64> = text.trim().parse().ok();
        let value = value.filter(|one| (0.0..=highest).contains(one));
        value.ok_or_else(|| {
            format!("expected numbers from 0 to {highest}, such as `7`, `4..7` or `..4`")
        })
    };
    let least = (!least.is_empty() || most.is_empty()).then(|| read(least));
    let most = (!most.is_empty()).then(|| read(most));
    let (least, most) = (least.transpose()?, most.transpose()?);
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        return Err(format!(
            "nothing is in this range; write the lower number first: `{most}..{least}`"
        ));
    }
    let parts = [(Order::GreaterOrEqual, least), (Order::LessOrEqual, most)];
    let parts = parts.into_iter();
    let parts = parts.filter_map(|(order, value)| Some(number(field, order, value?)));
    Ok(Filter::All(parts.collect()))
}

fn vector(text: &str) -> Result<Filter, String> {
    comparison(
        Field::Text(TextField::AttackVector),
        Comparison::Equal,
        text,
    )
}

fn solution(text: &str) -> Result<Filter, String> {
    comparison(
        Field::Text(TextField::SolutionStatus),
        Comparison::Equal,
        text,
    )
}

fn said(text: &str) -> Result<Filter, String> {
    comparison(Field::Text(TextField::Said), Comparison::Equal, text)
}

fn cve(text: &str) -> Result<Filter, String> {
    comparison(Field::List(ListField::Cve), Comparison::Equal, text)
}

fn product(text: &str) -> Result<Filter, String> {
    let field = Field::List(ListField::Product);
    let words: BTreeSet<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        return Err("expected some text".to_owned());
    }
    let words = words
        .into_iter()
        .map(|word| comparison(field, Comparison::Contains, word));
    Ok(Filter::All(words.collect::<Result<_, _>>()?))
}

fn vendor(text: &str) -> Result<Filter, String> {
    comparison(Field::List(ListField::Vendor), Comparison::Equal, text)
}

/// The name, and a filter for it.
fn watch_list(text: &str) -> Result<(String, Filter), String> {
    let filter = comparison(Field::WatchList, Comparison::Equal, text)?;
    Ok((text.to_owned(), filter))
}

fn sort(text: &str) -> Result<(Sort, bool), String> {
    let (name, is_reversed) = match text.strip_suffix(":asc") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let found = Sort::ALL.into_iter().find(|sort| sort.name() == name);
    found.map(|sort| (sort, is_reversed)).ok_or_else(|| {
        let names = Sort::ALL.map(Sort::name).join(", ");
        format!("expected one of {names}; append :asc for the lowest or oldest first")
    })
}

impl Advisories {
    /// An identifier of an advisory is not searched for in texts.
    fn take_saids(&mut self, is_said: impl Fn(&str) -> bool) {
        let (saids, words): (Vec<_>, Vec<_>) = std::mem::take(&mut self.words)
            .into_iter()
            .partition(|word| is_said(word));
        self.words = words;
        self.saids = saids.iter().filter_map(|word| said(word).ok()).collect();
    }

    /// A CVE is not searched for in texts.
    fn take_cves(&mut self) {
        let (cves, words) = std::mem::take(&mut self.words)
            .into_iter()
            .partition(|word| is_cve(word));
        let cves: Vec<String> = cves;
        self.words = words;
        self.cve
            .extend(cves.iter().filter_map(|word| cve(word).ok()));
    }

    /// What comes first.
    fn order(&self) -> (Sort, bool) {
        let usual = match (self.released, self.first_seen) {
            (Some(_), _) => Sort::Released,
            (None, Some(_)) => Sort::FirstSeen,
            (None, None) => Sort::default(),
        };
        self.sort.unwrap_or((usual, false))
    }

    /// All options as one filter.
    fn into_filter(self, time: impl Fn(Since) -> DateTime<Utc>) -> (Filter, Form) {
        let later = |field, since: Option<Since>| {
            since.map(|since| {
                let (order, value) = (Order::GreaterOrEqual, Moment::At(time(since)));
                Filter::Test(Test::Time {
                    field,
                    order,
                    value,
                })
            })
        };
        let mut parts: Vec<Filter> = Vec::new();
        parts.extend(later(TimeField::Released, self.released));
        parts.extend(later(TimeField::Modified, self.modified));
        parts.extend(later(TimeField::FirstSeen, self.first_seen));
        if self.since.is_some() {
            let either = [TimeField::Released, TimeField::Modified];
            let either = either.map(|field| later(field, self.since));
            parts.push(Filter::Any(either.into_iter().flatten().collect()));
        }
        let several = [
            self.saids,
            self.filter,
            self.severity,
            self.cvss,
            self.threat,
            self.epss_min,
            self.vector,
            self.solution,
            self.cve,
            self.product,
            self.vendor,
            self.watch_list
                .into_iter()
                .map(|(_, filter)| filter)
                .collect(),
        ];
        let several = several.into_iter().filter(|values| !values.is_empty());
        parts.extend(several.map(Filter::Any));
        let flags = [
            (self.zero_day, FlagField::IsZeroDay),
            (self.kev, FlagField::Kev),
        ];
        for (_, field) in flags.into_iter().filter(|(is_asked, _)| *is_asked) {
            let value = true;
            parts.push(Filter::Test(Test::Flag { field, value }));
        }
        let words = Some(self.words.join(" ")).filter(|words| !words.is_empty());
        let words = self.search.or(words);
        let words = words.map(|words| Filter::Test(Test::Words(words)));
        parts.extend(words);
        (Filter::All(parts), self.form)
    }
}

pub(super) async fn run(shared: Shared, mut wanted: Advisories) -> anyhow::Result<bool> {
    wanted.form.check::<AdvisoryLine>()?;
    let config = shared.load_and_log(Some("warn"))?;
    let id_pattern = whole(config.feeds.id_pattern.as_str())?;
    wanted.take_saids(|word| id_pattern.is_match(word.trim()));
    wanted.take_cves();
    let (now, times) = (Clock::system().now(), shared.times());
    let time = |since: Since| since.time(now, times);
    let (sort, is_reversed) = wanted.order();
    let changed_since = wanted.changed.map(time);
    let lists: Vec<String> = wanted
        .watch_list
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    let shown = Shown {
        sort,
        // Who looks for a CVE wants to know where it is.
        has_lists: !wanted.cve.is_empty(),
    };
    let (filter, form) = wanted.into_filter(time);
    let asked = AdvisoryQuestion {
        filter,
        now,
        changed_since,
        sort,
        is_reversed,
        limit: form.rows(),
    };
    let details = config.feeds.details;
    let ask = async |connection: &mut PgConnection| {
        for name in &lists {
            chosen_list::id(connection, Some(name)).await?;
        }
        let found = question::advisories(connection, &asked, details).await?;
        let unread = unread(connection, &asked).await?;
        let unlisted = receipt::unlisted(connection, details).await?;
        anyhow::Ok((found, unlisted, unread))
    };
    let (found, unlisted, unread) = ask::with_connection(&config, ask).await?;
    let links = &config.upstream.links;
    print(&form, found, |lines| {
        rows(lines, shown, (times, now), links)
    })?;
    print_unlisted(unlisted);
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
    Ok(true)
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
            "not listed: {} queued to be fetched as JSON; see `advisoryd status`",
            counted(pending, "advisory")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::{cve, level, range, sort};
    use crate::model::filter::{NumberField, parse_filter};

    #[test]
    fn options_are_parts_of_a_filter() {
        let filter = |text: &str| parse_filter(text).map_err(|error| error.to_string());
        assert_eq!(level("highly_critical+"), filter("severity >= high"));
        assert_eq!(level("Less critical"), filter("severity = low"));
        assert!(level("bad").is_err_and(|text| text.contains("not_critical")));
        let cvss = |text: &str| range(NumberField::Cvss, text, 10.0);
        assert_eq!(cvss("4..7.5"), filter("cvss >= 4 and cvss <= 7.5"));
        for refused in ["", "..", "x", "4..y", "nan", "9..3", "11", "-1"] {
            assert!(cvss(refused).is_err(), "{refused}");
        }
        assert_eq!(cve(" cve-2026-1234 "), filter("cve = CVE-2026-1234"));
        assert!(cve("2026-1234").is_err());
        assert!(sort("severity:asc").is_ok_and(|(_, is_reversed)| is_reversed));
        assert!(sort("age").is_err());
    }
}
