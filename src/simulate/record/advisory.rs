//! A generated advisory.

use fastrand::Rng;

use super::entry::AdvisoryEntry;
use super::parts::{self, Item, Link, RevisionNote, Weakness};
use super::scores::{self, Scores};
use super::text;
use crate::simulate::options::Note;
use crate::simulate::random::{self, RandomStream, chance, pick};
use crate::simulate::words;

/// Zero-days of a thousand advisories, in the vendor's proportions.
const ZERO_DAYS: u32 = 7;

/// One advisory whole.
#[derive(Debug, Clone)]
pub struct SimulatedAdvisory {
    pub entry: AdvisoryEntry,
    pub title: String,
    /// 1 = worst … 5, 0 = rejected.
    pub criticality: u8,
    /// Code of contract §7.
    pub reach: u8,
    /// Code of contract §7.
    pub solution_status: u8,
    /// Codes of contract §7.
    pub impacts: Vec<u8>,
    pub scores: Scores,
    /// Key `type`; `None` as without the licence for rejected advisories.
    pub kind: Option<u8>,
    pub is_zero_day: bool,
    pub description: String,
    pub solution: String,
    pub provided_by: String,
    pub reason_for_rating: String,
    pub products: Vec<Item>,
    pub weaknesses: Vec<Weakness>,
    pub references: Vec<Link>,
    pub revisions: Vec<RevisionNote>,
}

impl SimulatedAdvisory {
    /// Makes the advisory at `entry`.
    pub fn generate(seed: u64, entry: AdvisoryEntry) -> Self {
        let mut base = random::rng(seed, entry.index, RandomStream::Base);
        let vendor = pick(&mut base, words::VENDORS);
        let product = pick(&mut base, words::PRODUCTS);
        let kind = pick(&mut base, words::KINDS);
        let born = criticality(&mut base, entry.in_proportion);
        let is_withdrawn_later = chance(&mut base, 1) && !entry.in_proportion;
        let withdrawn = entry.rejected || born == 0 || is_withdrawn_later;
        let criticality = if born == 0 || entry.rejected {
            0
        } else {
            born.saturating_sub(entry.escalations).max(1)
        };
        let weaknesses = parts::weaknesses(seed, entry, vendor, product);
        Self {
            entry,
            title: format!("{vendor} {product} {kind}"),
            criticality,
            reach: reach(&mut base),
            solution_status: if chance(&mut base, 70) {
                2
            } else {
                base.u8(0..5)
            },
            impacts: impacts(&mut base),
            scores: scores::scores(seed, entry, criticality),
            kind: (withdrawn || chance(&mut base, 90)).then_some(u8::from(withdrawn)),
            is_zero_day: if entry.in_proportion {
                base.u32(0..1000) < ZERO_DAYS
            } else {
                chance(&mut base, 2)
            },
            description: text::description(seed, entry, (vendor, product)),
            solution: text::solution(seed, entry),
            provided_by: pick(&mut base, words::CREDITS).to_owned(),
            reason_for_rating: pick(&mut base, words::RATINGS).to_owned(),
            products: parts::products(seed, entry, vendor, product),
            references: parts::references(seed, entry, vendor),
            revisions: parts::revisions(seed, entry),
            weaknesses,
        }
    }

    /// Adds a note to what it says.
    pub fn add(&mut self, note: Option<&Note>) {
        if let Some(note) = note {
            self.description.push_str("\r\n");
            self.description.push_str(&note.text);
        }
    }

    /// Such as `SA70000`.
    pub fn said(&self) -> String {
        self.entry.said()
    }

    /// Whether it is about this product.
    pub fn is_about(&self, product: &str) -> bool {
        self.title.contains(product)
    }

    /// The names of the impacts.
    pub fn impact_names(&self) -> impl Iterator<Item = &'static str> {
        self.impacts
            .iter()
            .map(|code| words::IMPACT[usize::from(*code)])
    }

    /// The CVE names, in the order of the weaknesses.
    pub fn cves(&self) -> impl Iterator<Item = &str> {
        self.weaknesses.iter().map(|weakness| weakness.cve.as_str())
    }
}

/// Mostly 3 and 4, few 1 and 2, hardly any 0. In the vendor's proportions, of all
/// advisories and not only of those that are not rejected, even fewer 1.
fn criticality(rng: &mut Rng, in_proportion: bool) -> u8 {
    if in_proportion {
        return match rng.u32(0..1000) {
            0..=4 => 1,
            5..=124 => 2,
            125..=449 => 3,
            450..=849 => 4,
            _ => 5,
        };
    }
    match rng.u32(0..200) {
        0 => 0,
        1..=4 => 1,
        5..=24 => 2,
        25..=89 => 3,
        90..=169 => 4,
        _ => 5,
    }
}

fn reach(rng: &mut Rng) -> u8 {
    match rng.u32(0..100) {
        0 => 0,
        1..=69 => 1,
        70..=84 => 2,
        _ => 3,
    }
}

fn impacts(rng: &mut Rng) -> Vec<u8> {
    let mut codes = Vec::new();
    for _ in 0..random::skewed(rng, 1, 4, 3) {
        let code = rng.u8(1..=12);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}
