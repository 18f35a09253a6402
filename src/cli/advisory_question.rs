//! The options of `advisoryd advisories`, and the filter that they are together.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args;

use super::advisory_counts::CountBy;
use super::advisory_options::{
    Given, cve, cvss, epss, filter, level, product, said, searched, solution, sort, threat, vector,
    vendor,
};
use super::advisory_rows::ShownFact;
use super::exit::WrongUsage;
use super::list::ListFormat;
use super::since::{Since, TimeSpan, in_order, since, span};
use super::times::Times;
use crate::model::filter::{
    Filter, FilterTime, FlagField, OrderComparison, Test, TimeField, is_cve,
};
use crate::store::reports::question::Sort;

const NOTES: &str =
    "All options together must match. An option that is repeated matches any of its values;
--search, --sort and the options with a time can be given once.
docs/filter.md describes the language of --where.";

/// Which advisories.
#[derive(Debug, Args)]
#[command(after_long_help = NOTES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Advisories {
    /// Words to search for, as with --search; one argument with spaces ('remote code') is a
    /// phrase. A CVE as with --cve; an advisory (SA87735)
    #[arg(value_name = "WORDS", conflicts_with = "search")]
    pub(super) words: Vec<String>,
    /// Those among the words.
    #[arg(skip)]
    pub(super) saids: Vec<Filter>,
    /// A filter, such as 'severity >= high and (product ~ "openssl" or cve = CVE-2026-1234)'
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    pub(super) filter: Vec<Given>,
    /// Severity: extremely_critical (also `critical`), highly_critical (`high`),
    /// moderately_critical (`medium`), less_critical (`low`) or not_critical; with `+` this or
    /// more severe
    #[arg(long, value_name = "LEVEL[+]", value_parser = level)]
    pub(super) severity: Vec<Given>,
    /// CVSS score, 0 to 10 (version 4, else 3, else 2): `7` for 7 and more, `4..7`, `..4`
    #[arg(long, value_name = "MIN[..MAX]", value_parser = cvss)]
    pub(super) cvss: Vec<Filter>,
    /// Threat score, with the syntax of --cvss
    #[arg(long, value_name = "MIN[..MAX]", value_parser = threat)]
    pub(super) threat: Vec<Filter>,
    /// Attack vector: remote, local_network, local or none
    #[arg(long, value_name = "NAME", value_parser = vector)]
    pub(super) vector: Vec<Filter>,
    /// Solution status: vendor_patched, vendor_workaround, partial_fix, no_fix (the vendor has
    /// no fix) or none (nothing is stated); repeat the option for several
    #[arg(long, value_name = "NAME", value_parser = solution)]
    pub(super) solution: Vec<Filter>,
    /// Mentions this CVE
    #[arg(long, value_parser = cve)]
    pub(super) cve: Vec<Filter>,
    /// Words in the name or CPE of a product
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = product)]
    pub(super) product: Vec<Given>,
    /// The vendor in a product's CPE, such as `microsoft`
    #[arg(long, value_name = "NAME", value_parser = vendor)]
    pub(super) vendor: Vec<Filter>,
    /// In this watch list
    #[arg(long, visible_alias = "list", value_name = "NAME|ID")]
    pub(super) watch_list: Vec<String>,
    /// Released or modified by the vendor since: a duration (`7d`), a day (`yesterday`,
    /// `monday`), a date or a time; a month (`2026-10`) is that month, `FROM..TO` a span
    #[arg(long, value_name = "WHEN", value_parser = span)]
    pub(super) since: Option<TimeSpan>,
    /// Until this time; a day or month is included. The end of the other options with a time,
    /// or of --since if there is none
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub(super) until: Option<Since>,
    /// Released by the vendor since this time, which is what is new to everybody; sorted by
    /// release, newest first
    #[arg(long, value_name = "WHEN", value_parser = span)]
    pub(super) released: Option<TimeSpan>,
    /// Modified by the vendor since this time: new, or with a new revision
    #[arg(long, value_name = "WHEN", value_parser = span)]
    pub(super) modified: Option<TimeSpan>,
    /// First stored in this database since this time, which is what is new to you: also old
    /// advisories that a watch list contains only now, and all of a first load; newest first
    #[arg(long, value_name = "WHEN", value_parser = span)]
    pub(super) first_seen: Option<TimeSpan>,
    /// Its stored content changed since this time: a new version, whoever made it (the vendor,
    /// details that were fetched, a newer parser)
    #[arg(long, value_name = "WHEN", value_parser = span)]
    pub(super) changed: Option<TimeSpan>,
    /// Only zero-days
    #[arg(long)]
    pub(super) zero_day: bool,
    /// Only advisories with a CVE in the KEV catalogue of exploited vulnerabilities; for those
    /// that the vendor marks as zero-days, use --zero-day
    #[arg(long)]
    pub(super) kev: bool,
    /// Only those about which a ticket exists
    #[arg(long, conflicts_with = "no_ticket")]
    pub(super) has_ticket: bool,
    /// Only those about which no ticket exists
    #[arg(long)]
    pub(super) no_ticket: bool,
    /// Only those that somebody has acknowledged (`advisoryd ack`)
    #[arg(long, conflicts_with = "unacknowledged")]
    pub(super) acknowledged: bool,
    /// Only those that nobody has acknowledged
    #[arg(long)]
    pub(super) unacknowledged: bool,
    /// Highest EPSS score of its CVEs at least this, 0 to 1
    #[arg(long, value_name = "SCORE", value_parser = epss)]
    pub(super) epss_min: Vec<Filter>,
    /// Full-text search in title, description and solution: words, all of which must be there,
    /// `"a phrase"`, `or`, and `-without`, for example --search 'openssl -windows'
    #[arg(
        long,
        visible_alias = "text",
        value_name = "TEXT",
        allow_hyphen_values = true
    )]
    pub(super) search: Option<String>,
    /// Sort by this, newest or highest first; `:asc` reverses it [default: modified]
    #[arg(long, value_name = "NAME[:asc]", value_parser = sort)]
    pub(super) sort: Option<(Sort, bool)>,
    /// Count them instead: by severity, month (of the release), product or watch_list, or by
    /// two of these separated by a comma; all rows, unless --limit is given
    #[arg(long, value_name = "NAME[,NAME]", value_parser = CountBy::parse, conflicts_with = "sort")]
    pub(super) count_by: Option<CountBy>,
    #[command(flatten)]
    pub(super) form: ListFormat,
}

impl Advisories {
    /// An identifier of an advisory is not searched for in texts.
    pub(super) fn take_saids(&mut self, is_said: impl Fn(&str) -> bool) {
        let (saids, words): (Vec<_>, Vec<_>) = std::mem::take(&mut self.words)
            .into_iter()
            .partition(|word| is_said(word));
        self.words = words;
        self.saids = saids.iter().filter_map(|word| said(word).ok()).collect();
    }

    /// A CVE is not searched for in texts.
    pub(super) fn take_cves(&mut self) {
        let (cves, words) = std::mem::take(&mut self.words)
            .into_iter()
            .partition(|word| is_cve(word));
        let cves: Vec<String> = cves;
        self.words = words;
        self.cve
            .extend(cves.iter().filter_map(|word| cve(word).ok()));
    }

    /// What comes first.
    pub(super) fn order(&self) -> (Sort, bool) {
        let usual = match (self.released, self.first_seen) {
            (Some(_), _) => Sort::Released,
            (None, Some(_)) => Sort::FirstSeen,
            (None, None) => Sort::default(),
        };
        self.sort.unwrap_or((usual, false))
    }

    /// The end of the options with a time, where they have none themselves.
    pub(super) fn end_spans(&mut self) {
        let Some(until) = self.until else {
            return;
        };
        let mut spans = [
            &mut self.released,
            &mut self.modified,
            &mut self.first_seen,
            &mut self.changed,
            &mut self.since,
        ];
        if spans.iter().all(|span| span.is_none()) {
            let (from, to) = (None, Some(until));
            self.since = Some(TimeSpan { from, to });
            return;
        }
        for span in spans.iter_mut().filter_map(|span| span.as_mut()) {
            span.to = Some(until);
        }
    }

    /// Refuses times that end before they begin.
    pub(super) fn check_spans(&self, time: &TimeContext) -> Result<(), WrongUsage> {
        let spans = [
            self.released,
            self.modified,
            self.first_seen,
            self.changed,
            self.since,
        ];
        spans.into_iter().flatten().try_for_each(|span| {
            let (from, to) = time.of(span);
            in_order(from, to, time.times)
        })
    }

    /// What the table says besides severity and score: who looks for a CVE wants to know where
    /// it is, and of what is exploited, which CVE that is.
    pub(super) fn fact(&self) -> ShownFact {
        if !self.cve.is_empty() {
            ShownFact::WatchLists
        } else if self.kev {
            ShownFact::Kev
        } else {
            ShownFact::Solution
        }
    }

    /// The words that products must have.
    pub(super) fn product_words(&self) -> Vec<String> {
        let words = self
            .product
            .iter()
            .flat_map(|given| given.text.split_whitespace());
        words.map(str::to_lowercase).collect()
    }

    /// Whether a search has the word `not`, which says nothing there.
    pub(super) fn searches_not(&self) -> bool {
        let mut texts = self.words.iter().chain(&self.search);
        texts.any(|text| {
            let mut words = text.split_whitespace();
            words.any(|word| word.eq_ignore_ascii_case("not"))
        })
    }

    /// Whether a severity was written as `critical`.
    pub(super) fn says_critical(&self) -> bool {
        let mut given = self.severity.iter().chain(&self.filter);
        given.any(|one| one.says_critical)
    }

    /// All options as one filter; its days are those of `zone`.
    pub(super) fn into_filter(self, time: &TimeContext, zone: Tz) -> (Filter, ListFormat) {
        let within = |field, span: Option<TimeSpan>| {
            let (from, to) = time.of(span?);
            let from = from.map(|at| (OrderComparison::GreaterOrEqual, at));
            let to = to.map(|at| (OrderComparison::Less, at));
            let limits = from.into_iter().chain(to).map(|(order, at)| {
                Filter::Test(Test::Time {
                    field,
                    order,
                    value: FilterTime::At(at),
                })
            });
            Some(Filter::All(limits.collect()))
        };
        let mut parts: Vec<Filter> = Vec::new();
        parts.extend(within(TimeField::Released, self.released));
        parts.extend(within(TimeField::Modified, self.modified));
        parts.extend(within(TimeField::FirstSeen, self.first_seen));
        if self.since.is_some() {
            let either = [TimeField::Released, TimeField::Modified];
            let either = either.map(|field| within(field, self.since));
            parts.push(Filter::Any(either.into_iter().flatten().collect()));
        }
        let filters = |given: Vec<Given>| given.into_iter().map(|one| one.filter).collect();
        let several = [
            self.saids,
            filters(self.filter),
            filters(self.severity),
            self.cvss,
            self.threat,
            self.epss_min,
            self.vector,
            self.solution,
            self.cve,
            filters(self.product),
            self.vendor,
        ];
        let several = several.into_iter().filter(|values| !values.is_empty());
        parts.extend(several.map(Filter::Any));
        let flags = [
            (self.zero_day, FlagField::IsZeroDay, true),
            (self.kev, FlagField::Kev, true),
            (self.has_ticket, FlagField::HasTicket, true),
            (self.no_ticket, FlagField::HasTicket, false),
            (self.acknowledged, FlagField::Acknowledged, true),
            (self.unacknowledged, FlagField::Acknowledged, false),
        ];
        let flags = flags.into_iter().filter(|(is_asked, ..)| *is_asked);
        parts.extend(flags.map(|(_, field, value)| Filter::Test(Test::Flag { field, value })));
        let words: Vec<String> = self.words.iter().map(|word| searched(word)).collect();
        let words = Some(words.join(" ")).filter(|words| !words.is_empty());
        let words = self.search.or(words);
        let words = words.map(|words| Filter::Test(Test::Words(words)));
        parts.extend(words);
        let mut filter = Filter::All(parts);
        filter.set_zone(zone);
        (filter, self.form)
    }
}

/// How times are read.
pub(super) struct TimeContext {
    pub(super) now: DateTime<Utc>,
    pub(super) times: Times,
}

impl TimeContext {
    pub(super) fn of(&self, span: TimeSpan) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        (
            span.from.map(|from| from.time(self.now, self.times)),
            span.to.map(|to| to.end(self.now, self.times)),
        )
    }
}
