//! The table of `advisoryd advisories`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::level;
use super::table::{linked, width};
use super::times::Times;
use crate::model::LinkTemplates;
use crate::store::reports::question::{AdvisoryLine, Sort};

/// An advisory, and its page.
#[derive(Debug, Default, Serialize)]
pub(super) struct Line {
    #[serde(flatten)]
    advisory: AdvisoryLine,
    /// Those of its CVEs that are known to be exploited, once the catalogue was read.
    kev_cves: Option<Vec<String>>,
    /// The vendor's page, where the configuration says how to find it.
    url: Option<String>,
}

impl Line {
    pub(super) fn of(mut advisory: AdvisoryLine, links: &LinkTemplates) -> Self {
        let id = advisory.upstream_id.map(|id| id.to_string());
        let values = [("said", Some(advisory.said.clone())), ("id", id)];
        let url = links.advisory.as_ref().and_then(|link| link.fill(&values));
        let kev_cves = std::mem::take(&mut advisory.kev_cves);
        Self {
            kev_cves: advisory.kev.map(|_| kev_cves),
            advisory,
            url,
        }
    }
}

/// What the table shows.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    /// What it is sorted by.
    pub(super) sort: Sort,
    /// What is said before the time.
    pub(super) fact: ShownFact,
}

/// What a question is about besides severity and score.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ShownFact {
    /// Whether there is a solution.
    Solution,
    /// In which watch lists it is.
    WatchLists,
    /// Which of its CVEs are known to be exploited.
    Kev,
}

/// The table. It always shows what it is sorted by.
pub(super) fn rows(lines: &[Line], shown: Shown, (times, now): (Times, DateTime<Utc>)) -> String {
    let Shown { sort, fact } = shown;
    let advisories = || lines.iter().map(|line| &line.advisory);
    let ats = advisories().filter_map(|line| shown_time(line, sort).1);
    let is_fine = Times::are_recent(ats, now);
    let rows: Vec<[String; 6]> = lines
        .iter()
        .map(|whole| {
            let line = &whole.advisory;
            let (_, at) = shown_time(line, sort);
            [
                line.said.clone(),
                level::shown(line.severity.as_deref().unwrap_or_default()),
                score(line, sort),
                match fact {
                    ShownFact::Solution => line.solution_status.clone().unwrap_or_default(),
                    ShownFact::WatchLists => first_of(3, line.watch_lists.as_deref()),
                    ShownFact::Kev => first_of(1, whole.kev_cves.as_deref()),
                },
                at.map(|at| {
                    if is_fine {
                        times.minute(at)
                    } else {
                        times.day(at)
                    }
                })
                .unwrap_or_default(),
                marked(line, times),
            ]
        })
        .collect();
    let (heading, _) = shown_time(&AdvisoryLine::default(), sort);
    let score = match sort {
        Sort::Threat => "threat",
        Sort::Epss => "epss",
        _ => "cvss",
    };
    let at = times.heading(heading, now);
    let fourth = match fact {
        ShownFact::Solution => "solution",
        ShownFact::WatchLists => "watch lists",
        ShownFact::Kev => "in KEV",
    };
    let pages: Vec<_> = lines.iter().map(|line| line.url.clone()).collect();
    linked(
        ["advisory", "severity", score, fourth, &at, "title"],
        &rows,
        &pages,
    )
}

/// The names; on a terminal the first few, and how many more there are.
fn first_of(few: usize, names: Option<&[String]>) -> String {
    let names = names.unwrap_or_default();
    match names.get(..few) {
        Some(first) if names.len() > few && width().is_some() => {
            format!("{} +{}", first.join(", "), names.len() - few)
        }
        _ => names.join(", "),
    }
}

/// The column by which lines are sorted is always shown.
fn shown_time(line: &AdvisoryLine, sort: Sort) -> (&'static str, Option<DateTime<Utc>>) {
    match sort {
        Sort::Changed => ("changed", line.changed_at),
        Sort::Released => ("released", line.released_at),
        Sort::FirstSeen => ("first seen", line.first_seen_at),
        Sort::Modified | Sort::Severity | Sort::Cvss | Sort::Threat | Sort::Epss => {
            ("modified", line.modified_at)
        }
    }
}

/// The score by which lines are sorted, else the CVSS score.
fn score(line: &AdvisoryLine, sort: Sort) -> String {
    let text = match sort {
        Sort::Threat => line.threat_score.map(|score| format!("{score:.1}")),
        Sort::Epss => line.epss.map(|score| format!("{score:.3}")),
        _ => line.cvss_score.map(|score| format!("{score:.1}")),
    };
    text.unwrap_or_default()
}

/// The title; before it, that a record of the advisory is in quarantine.
fn marked(line: &AdvisoryLine, times: Times) -> String {
    let title = line.title.clone().unwrap_or_default();
    match line.quarantined_since {
        Some(since) => format!("[record in quarantine since {}] {title}", times.day(since)),
        None => title,
    }
}
