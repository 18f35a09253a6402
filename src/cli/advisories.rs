//! `advisoryd advisories`: a list of advisories. All options are parts of one filter.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::advisory_rows::{Shown, rows};
use super::level::ranks;
use super::list::{Form, print};
use super::output::print_note;
use super::shared::Shared;
use super::since::{Since, since};
use super::{ask, chosen_list};
use crate::clock::Clock;
use crate::model::counted;
use crate::model::filter::{
    Comparison, Field, Filter, FlagField, ListField, Moment, NumberField, Order, Test, TextField,
    TimeField, comparison, is_cve, parse_filter,
};
use crate::store::reports::question::{self, AdvisoryLine, AdvisoryQuestion, Sort};
use crate::store::reports::receipt::{self, Unlisted};

const EXAMPLES: &str = r#"Examples:
  advisoryd advisories --severity high+ --watch-list "Office clients" --sort released
  advisoryd advisories --where 'cvss >= 9 and released >= 7d and not product ~ "windows"' --csv

All options together must match; an option that is repeated matches any of its values.
docs/filter.md describes the language of --where."#;

/// Which advisories.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Advisories {
    /// Words to search for, as with --search; a CVE as with --cve
    #[arg(value_name = "WORDS", conflicts_with = "search")]
    words: Vec<String>,
    /// A filter, such as 'severity >= high and (product ~ "openssl" or cve = CVE-2026-1234)'
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    filter: Option<Filter>,
    /// Severity: `high` for exactly this, `high+` for this or more severe
    #[arg(long, value_name = "LEVEL[+]", value_parser = level)]
    severity: Option<Filter>,
    /// CVSS score (version 4, else 3, else 2): `7` for 7 and more, `4..7`, `..4`
    #[arg(long, value_name = "MIN[..MAX]", value_parser = cvss)]
    cvss: Option<Filter>,
    /// Threat score, with the syntax of --cvss
    #[arg(long, value_name = "MIN[..MAX]", value_parser = threat)]
    threat: Option<Filter>,
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
    epss_min: Option<Filter>,
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
    range(NumberField::Cvss, text)
}

fn threat(text: &str) -> Result<Filter, String> {
    range(NumberField::ThreatScore, text)
}

fn epss(text: &str) -> Result<Filter, String> {
    let score = text.trim().parse().ok();
    let score = score.filter(|score| (0.0..=1.0).contains(score));
    let score = score.ok_or("expected a number from 0 to 1, such as `0.5`")?;
    Ok(number(NumberField::Epss, Order::GreaterOrEqual, score))
}

fn range(field: NumberField, text: &str) -> Result<Filter, String> {
    let (least, most) = text.split_once("..").unwrap_or((text, ""));
    let read = |order, text: &str| {
        let value = text.trim().parse().ok().filter(|one: &f64| one.is_finite());
        let value = value.ok_or("expected numbers, such as `7`, `4..7` or `..4`")?;
        Ok::<_, String>(number(field, order, value))
    };
    let mut parts = Vec::new();
    if !least.is_empty() || most.is_empty() {
        parts.push(read(Order::GreaterOrEqual, least)?);
    }
    if !most.is_empty() {
        parts.push(read(Order::LessOrEqual, most)?);
    }
    Ok(Filter::All(parts))
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

fn cve(text: &str) -> Result<Filter, String> {
    comparison(Field::List(ListField::Cve), Comparison::Equal, text)
}

fn product(text: &str) -> Result<Filter, String> {
    let field = Field::List(ListField::Product);
    let words: BTreeSet<&str> = text.split_whitespace().collect();
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
        let one = [
            self.filter,
            self.severity,
            self.cvss,
            self.threat,
            self.epss_min,
        ];
        let mut parts: Vec<Filter> = one.into_iter().flatten().collect();
        parts.extend(later(TimeField::Released, self.released));
        parts.extend(later(TimeField::Modified, self.modified));
        parts.extend(later(TimeField::FirstSeen, self.first_seen));
        if self.since.is_some() {
            let either = [TimeField::Released, TimeField::Modified];
            let either = either.map(|field| later(field, self.since));
            parts.push(Filter::Any(either.into_iter().flatten().collect()));
        }
        let several = [
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
    form.check::<AdvisoryLine>()?;
    let asked = AdvisoryQuestion {
        filter,
        now,
        changed_since,
        sort,
        is_reversed,
        limit: form.rows(),
    };
    let config = shared.load_and_log(Some("warn"))?;
    let details = config.feeds.details;
    let ask = async |connection: &mut PgConnection| {
        for name in &lists {
            chosen_list::id(connection, Some(name)).await?;
        }
        let found = question::advisories(connection, &asked, details).await?;
        anyhow::Ok((found, receipt::unlisted(connection, details).await?))
    };
    let (found, unlisted) = ask::with_connection(&config, ask).await?;
    let links = &config.upstream.links;
    print(&form, found, |lines| {
        rows(lines, shown, (times, now), links)
    })?;
    print_unlisted(unlisted);
    Ok(true)
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
        let cvss = |text: &str| range(NumberField::Cvss, text);
        assert_eq!(cvss("4..7.5"), filter("cvss >= 4 and cvss <= 7.5"));
        for refused in ["", "..", "x", "4..y", "nan"] {
            assert!(cvss(refused).is_err(), "{refused}");
        }
        assert_eq!(cve(" cve-2026-1234 "), filter("cve = CVE-2026-1234"));
        assert!(cve("2026-1234").is_err());
        assert!(sort("severity:asc").is_ok_and(|(_, is_reversed)| is_reversed));
        assert!(sort("age").is_err());
    }
}
