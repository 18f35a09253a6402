//! Products, weaknesses and references of a generated advisory.

use chrono::{DateTime, Datelike, Utc};
use fastrand::Rng;

use crate::simulate::random::{self, RandomStream, chance, pick, skewed};
use crate::simulate::words;

use super::entry::{AdvisoryEntry, FIRST_SAID};

/// An affected product.
#[derive(Debug, Clone)]
pub struct Item {
    /// A string upstream too.
    pub id: String,
    pub name: String,
    pub is_os: bool,
    pub cpes: Vec<String>,
}

/// A weakness, at most one CVE each.
#[derive(Debug, Clone)]
pub struct Weakness {
    pub cve: String,
    pub text: String,
}

/// A reference.
#[derive(Debug, Clone)]
pub struct Link {
    pub ordinal: i32,
    pub url: String,
    pub description: String,
}

/// One line of an advisory's history.
#[derive(Debug, Clone)]
pub struct RevisionNote {
    /// A string upstream too: "1.0".
    pub number: String,
    pub at: DateTime<Utc>,
    pub description: String,
}

/// 1 to 60 products, mostly few; every third revision adds one.
pub fn products(seed: u64, entry: AdvisoryEntry, vendor: &str, product: &str) -> Vec<Item> {
    let mut rng = random::rng(seed, entry.index, RandomStream::Products);
    let count = skewed(&mut rng, 1, 60, 18) + entry.revision / 3;
    (0..count)
        .map(|number| item(&mut rng, number, (vendor, product)))
        .collect()
}

fn item(rng: &mut Rng, number: u32, (vendor, product): (&str, &str)) -> Item {
    let is_os = chance(rng, 15);
    let product = if is_os {
        pick(rng, words::OPERATING_SYSTEMS)
    } else {
        product
    };
    let (major, part) = (number + 1, if is_os { 'o' } else { 'a' });
    let cpes = if chance(rng, 40) {
        (0..skewed(rng, 1, 12, 4))
            .map(|minor| {
                let (vendor, product) = (cpe_name(vendor), cpe_name(product));
                format!("cpe:/{part}:{vendor}:{product}:{major}.{minor}")
            })
            .collect()
    } else {
        Vec::new()
    };
    Item {
        id: (1000 + rng.u32(0..90_000)).to_string(),
        name: format!("{vendor} {product} {major}.x"),
        is_os,
        cpes,
    }
}

fn cpe_name(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
            _ => '_',
        })
        .collect()
}

/// 0 to 40 CVEs, mostly few, each once.
pub fn weaknesses(seed: u64, entry: AdvisoryEntry, vendor: &str, product: &str) -> Vec<Weakness> {
    let mut rng = random::rng(seed, entry.index, RandomStream::Cves);
    let count = skewed(&mut rng, 0, 40, 26) + entry.revision / 5;
    let year = entry.released_at.year();
    let first = 1000 + rng.u32(0..90_000);
    (0..count)
        .map(|number| Weakness {
            cve: format!("CVE-{year}-{}", first + number),
            text: if chance(&mut rng, 30) {
                words::RESERVED.to_owned()
            } else {
                format!("{} ({vendor} {product})", pick(&mut rng, words::CVE_TEXTS))
            },
        })
        .collect()
}

/// 1 to 8 references, some into upstream's own rooms (contract §7).
pub fn references(seed: u64, entry: AdvisoryEntry, vendor: &str) -> Vec<Link> {
    let mut rng = random::rng(seed, entry.index, RandomStream::Entry);
    let count = skewed(&mut rng, 1, 8, 3) + entry.revision / 4;
    (1..)
        .take(usize::try_from(count).unwrap_or(1))
        .map(|ordinal| {
            let other = FIRST_SAID + rng.u64(0..=entry.index);
            if chance(&mut rng, 15) {
                let path = "#/vt/advisory-database/advisories/?advisory_id=SA";
                Link {
                    ordinal,
                    url: format!("http://localhost:8000/{path}{other}"),
                    description: format!("SA{other}"),
                }
            } else {
                let note = rng.u32(1000..9999);
                Link {
                    ordinal,
                    url: format!(
                        "https://security.example/{}?note={note}&lang=en",
                        cpe_name(vendor)
                    ),
                    description: format!("{vendor} (note {note}/{ordinal})"),
                }
            }
        })
        .collect()
}

/// The initial release and one line a revision, evenly spread over the time between.
pub fn revisions(seed: u64, entry: AdvisoryEntry) -> Vec<RevisionNote> {
    let mut rng = random::rng(seed, entry.index, RandomStream::Revision);
    let between = entry.modified_at - entry.released_at;
    let steps = i32::try_from(entry.revision).unwrap_or(i32::MAX).max(1);
    let mut notes = vec![RevisionNote {
        number: "1.0".to_owned(),
        at: entry.released_at,
        description: "Initial release".to_owned(),
    }];
    for step in 1..=i32::try_from(entry.revision).unwrap_or(i32::MAX) {
        notes.push(RevisionNote {
            number: format!("1.{step}"),
            at: entry.released_at + between / steps * step,
            description: pick(&mut rng, words::REVISION_NOTES).to_owned(),
        });
    }
    notes
}
