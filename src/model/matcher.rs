//! Rule evaluation. Pure: the same rule and subject always give the same verdict.

mod unknown;

use chrono_tz::Tz;
use regex::{Regex, RegexBuilder};

use super::filter::{Field, Filter, FlagField, NumberField, evaluate, parse_filter};
use super::{
    AdvisorySubject, Clause, Clauses, Globs, Missing, Rule, Subject, TicketSubject, Verdict,
    WorkState,
};

/// Size limit of a compiled pattern in bytes; limits the memory it uses.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A rule with its patterns compiled.
#[derive(Debug, Clone)]
pub struct Matcher {
    rule: Rule,
    all: Conditions,
    not: Vec<Conditions>,
}

/// Result of a clause for a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    True,
    Fails,
    Unknown,
}

impl Truth {
    fn of(value: Option<bool>) -> Self {
        match value {
            Some(true) => Self::True,
            Some(false) => Self::Fails,
            None => Self::Unknown,
        }
    }
}

impl Matcher {
    /// Compiles a rule; the error has the clause and what was expected.
    pub fn new(rule: Rule) -> Result<Self, (Clause, String)> {
        let all = Conditions::new(&rule.clauses)?;
        let not = rule.not.iter().map(Conditions::new);
        let not = not.collect::<Result<_, _>>().map_err(|(clause, advice)| {
            (Clause::Not, format!("{advice} (in `{}`)", clause.name()))
        })?;
        Ok(Self { rule, all, not })
    }

    /// Takes days and times without a time zone in filters as those of `zone`.
    #[must_use]
    pub fn in_zone(mut self, zone: Tz) -> Self {
        let clauses = &mut self.rule.clauses;
        self.all.set_zone(clauses, zone);
        for (conditions, clauses) in self.not.iter_mut().zip(&mut self.rule.not) {
            conditions.set_zone(clauses, zone);
        }
        self
    }

    /// Excludes closed tickets from a rule about tickets that are open for long, unless the
    /// rule itself says which statuses it is about.
    #[must_use]
    pub fn without_closed(mut self, closed_statuses: &[String]) -> Self {
        let clauses = Clauses {
            ticket_status: closed_statuses.to_vec(),
            ..Clauses::default()
        };
        let is_about_open = self.rule.clock.ticket_open_for.is_some();
        if !is_about_open || closed_statuses.is_empty() || self.rule.names_ticket_status() {
            return self;
        }
        if let Ok(conditions) = Conditions::new(&clauses) {
            self.not.push(conditions);
            self.rule.not.push(clauses);
        }
        self
    }

    /// The rule itself.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The table of `not` that matches, if one does.
    pub fn excluding(&self, subject: &Subject) -> Option<&Clauses> {
        let mut not = self.not.iter();
        not.find(|conditions| conditions.together(subject) == Truth::True)
            .map(|conditions| &conditions.plain)
    }

    /// Whether the rule uses a clause of this kind anywhere.
    pub fn asks_for(&self, clause: Clause) -> bool {
        let mut all = std::iter::once(&self.all).chain(&self.not);
        all.any(|conditions| conditions.set.contains(&clause))
    }

    /// Whether the products of advisories have to be loaded.
    pub fn needs_products(&self) -> bool {
        let uses = |filter: &Filter| filter.uses_products();
        self.asks_for(Clause::Product) || self.filters().any(uses)
    }

    /// Whether the rule compares what the KEV catalogue says.
    pub fn compares_kev(&self) -> bool {
        let fields = [
            Field::Flag(FlagField::Kev),
            Field::Flag(FlagField::Ransomware),
        ];
        self.asks_for(Clause::Kev)
            || self.asks_for(Clause::Ransomware)
            || fields.into_iter().any(|field| self.compares(field))
    }

    /// Whether the rule compares EPSS scores.
    pub fn compares_epss(&self) -> bool {
        self.asks_for(Clause::Epss) || self.compares(Field::Number(NumberField::Epss))
    }

    fn compares(&self, field: Field) -> bool {
        let mut filters = self.filters();
        filters.any(|filter| filter.compares(field))
    }

    /// The full-text searches to make in the texts of advisories.
    pub fn words(&self) -> Vec<String> {
        let words = self.filters().flat_map(Filter::words);
        words.map(str::to_owned).collect()
    }

    fn filters(&self) -> impl Iterator<Item = &Filter> {
        let all = std::iter::once(&self.all).chain(&self.not);
        all.filter_map(|conditions| conditions.filter.as_ref())
    }

    /// The verdict of the rule. First loads are excluded last, so that they can be
    /// counted.
    pub fn judge(&self, subject: &Subject) -> Verdict {
        if !self.rule.clock.is_empty() || self.rule.sees(subject).is_none() {
            return Verdict::NotAsked;
        }
        match self.clauses(subject) {
            Verdict::Matched if !subject.is_followed => Verdict::NotFollowed,
            Verdict::Matched if subject.is_baseline => Verdict::Baseline,
            verdict => verdict,
        }
    }

    /// The verdict of the clauses alone, for any kind of change.
    pub fn clauses(&self, subject: &Subject) -> Verdict {
        let mut missing = None;
        let not = self
            .not
            .iter()
            .map(|conditions| (Clause::Not, opposite(conditions.together(subject))));
        for (clause, truth) in self.all.each(subject).chain(not) {
            match truth {
                Truth::True => {}
                Truth::Fails => return Verdict::False(clause),
                Truth::Unknown => missing = missing.or(Some(clause)),
            }
        }
        match (missing, self.rule.missing) {
            (Some(clause), Missing::Skip) => Verdict::Missing(clause),
            _ => Verdict::Matched,
        }
    }
}

fn opposite(truth: Truth) -> Truth {
    match truth {
        Truth::True => Truth::Fails,
        Truth::Fails => Truth::True,
        Truth::Unknown => Truth::Unknown,
    }
}

/// Whether it is in one of the watch lists, by id or by name.
fn is_in_list(clauses: &Clauses, subject: &Subject) -> bool {
    let mut ids = subject.compared_lists().iter();
    let is_named = |name: &str| {
        let name = name.to_lowercase();
        let mut wanted = clauses.watch_list_names.iter();
        wanted.any(|wanted| wanted.to_lowercase() == name)
    };
    ids.any(|id| clauses.watch_lists.contains(id))
        || (!clauses.watch_list_names.is_empty() && subject.compared_names().any(is_named))
}

/// Clauses with their patterns compiled.
#[derive(Debug, Clone)]
struct Conditions {
    plain: Clauses,
    set: Vec<Clause>,
    title: Option<Regex>,
    filter: Option<Filter>,
    cve: Globs,
    product: Globs,
    ticket_status: Globs,
    ticket_assignee: Globs,
    ticket_priority: Globs,
    ticket_queue: Globs,
}

impl Conditions {
    fn new(clauses: &Clauses) -> Result<Self, (Clause, String)> {
        let globs = |clause: Clause, patterns: &[String]| {
            Globs::new(patterns).map_err(|advice| (clause, advice))
        };
        let title = clauses.title.as_deref().map(title).transpose();
        let filter = clauses.filter.as_deref().map(parse_filter).transpose();
        let mut filter = filter.map_err(|error| (Clause::Where, error.one_line()))?;
        if let (Some(filter), Some(zone)) = (&mut filter, clauses.zone) {
            filter.set_zone(zone);
        }
        Ok(Self {
            filter,
            set: clauses.set(),
            title: title.map_err(|advice| (Clause::Title, advice))?,
            cve: globs(Clause::Cve, &clauses.cve)?,
            product: globs(Clause::Product, &clauses.product)?,
            ticket_status: globs(Clause::TicketStatus, &clauses.ticket_status)?,
            ticket_assignee: globs(Clause::TicketAssignee, &clauses.ticket_assignee)?,
            ticket_priority: globs(Clause::TicketPriority, &clauses.ticket_priority)?,
            ticket_queue: globs(Clause::TicketQueue, &clauses.ticket_queue)?,
            plain: clauses.clone(),
        })
    }

    /// Only where it makes a difference: the rule is another one then.
    fn set_zone(&mut self, clauses: &mut Clauses, zone: Tz) {
        if let Some(filter) = &mut self.filter
            && zone != Tz::UTC
            && filter.depends_on_zone()
        {
            filter.set_zone(zone);
            clauses.zone = Some(zone);
            self.plain.zone = Some(zone);
        }
    }

    fn each<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = (Clause, Truth)> + 'a {
        self.set
            .iter()
            .map(|clause| (*clause, self.truth_of(*clause, subject)))
    }

    /// Whether all clauses match: those of `not`, which must not match as a whole. With a
    /// clause about tickets, they match tickets only.
    fn together(&self, subject: &Subject) -> Truth {
        if subject.ticket.is_none() && self.set.iter().any(|clause| clause.is_of_tickets()) {
            return Truth::Fails;
        }
        let mut together = Truth::True;
        for (_, truth) in self.each(subject) {
            match truth {
                Truth::Fails => return Truth::Fails,
                Truth::Unknown => together = Truth::Unknown,
                Truth::True => {}
            }
        }
        together
    }

    fn truth_of(&self, clause: Clause, subject: &Subject) -> Truth {
        let plain = &self.plain;
        let ticket = |value: fn(&TicketSubject) -> &Option<String>, globs: &Globs| {
            match &subject.ticket {
                // An advisory has no ticket to compare with.
                None => Truth::True,
                Some(ticket) => Truth::of(value(ticket).as_deref().map(|name| globs.fit(name))),
            }
        };
        match clause {
            Clause::WatchLists => Truth::of(Some(is_in_list(plain, subject))),
            Clause::State => Truth::of(
                plain
                    .state
                    .map(|state| state == WorkState::of(subject.is_acknowledged)),
            ),
            Clause::Severity => Truth::of(
                subject
                    .worst_severity()
                    .map(|worst| Some(worst) >= plain.severity),
            ),
            Clause::TicketStatus => ticket(|ticket| &ticket.status, &self.ticket_status),
            Clause::TicketAssignee => ticket(|ticket| &ticket.assignee, &self.ticket_assignee),
            Clause::TicketPriority => ticket(|ticket| &ticket.priority, &self.ticket_priority),
            Clause::TicketQueue => ticket(|ticket| &ticket.queue, &self.ticket_queue),
            Clause::Title => Truth::of(self.title_fits(subject)),
            Clause::Where => {
                let filter = self.filter.as_ref();
                Truth::of(filter.and_then(|filter| evaluate(filter, subject)))
            }
            _ => match &subject.advisory {
                Some(advisory) => Truth::of(self.of_advisory(clause, advisory)),
                None => Truth::Unknown,
            },
        }
    }

    fn title_fits(&self, subject: &Subject) -> Option<bool> {
        let title = subject.title.as_deref()?;
        Some(self.title.as_ref()?.is_match(title))
    }

    fn of_advisory(&self, clause: Clause, advisory: &AdvisorySubject) -> Option<bool> {
        let plain = &self.plain;
        let least = |value: Option<f64>, wanted: Option<f64>| Some(value? >= wanted?);
        let any = |globs: &Globs, values: &[String]| {
            (!values.is_empty()).then(|| values.iter().any(|value| globs.fit(value)))
        };
        match clause {
            Clause::Cvss2 => least(advisory.cvss2, plain.cvss2),
            Clause::Cvss3 => least(advisory.cvss3, plain.cvss3),
            Clause::Cvss4 => least(advisory.cvss4, plain.cvss4),
            Clause::ThreatScore => least(advisory.threat_score, plain.threat_score),
            Clause::ZeroDay => Some(advisory.is_zero_day? == plain.zero_day?),
            Clause::Kev => Some(advisory.kev? == plain.kev?),
            Clause::Ransomware => Some(advisory.ransomware? == plain.ransomware?),
            Clause::Epss => least(advisory.epss, plain.epss),
            Clause::AttackVector => Some(plain.attack_vector.contains(&advisory.attack_vector?)),
            Clause::Cve => any(&self.cve, &advisory.cves),
            Clause::Product => any(&self.product, &advisory.products),
            Clause::SolutionStatus => {
                let status = advisory.solution_status.as_deref()?;
                let names = &plain.solution_status;
                Some(names.iter().any(|name| name.eq_ignore_ascii_case(status)))
            }
            _ => None,
        }
    }
}

fn title(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default().trim();
            let last = last.trim_start_matches("error: ");
            format!("expected a regular expression such as `(?i)vpn` ({last})")
        })
}

#[cfg(test)]
mod tests;
