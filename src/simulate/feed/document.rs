//! Streaming generator of feed documents: a document is never held in memory as a whole.

use super::damage::Damage;
use super::xml::Xml;
use super::{attributes, cvrf, encode, names};
use crate::simulate::options::{Encoding, Note, SimulatedProfile, SimulatorOptions};
use crate::simulate::record::{AdvisoryEntry, SimulatedAdvisory, examples};

/// A piece is sent when it is at least this long: few system calls, little memory.
const PIECE_BYTES: usize = 64 * 1024;

/// One feed document on its way out. What is in it is settled when it begins;
/// what changes meanwhile is in the next one.
#[derive(Debug)]
pub struct SimulatedFeed {
    seed: u64,
    has_examples: bool,
    note: Option<Note>,
    profile: SimulatedProfile,
    encoding: Encoding,
    /// Set when lists disagree: its number goes into every title.
    list_in_titles: Option<i64>,
    is_sparse: bool,
    damage: Option<Damage>,
    entries: std::vec::IntoIter<AdvisoryEntry>,
    /// How many records come before the one that is damaged.
    until_damage: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Records,
    Over,
}

impl SimulatedFeed {
    /// A document of these advisories, in this order, for `list`.
    pub fn new(options: &SimulatorOptions, list: Option<i64>, entries: Vec<AdvisoryEntry>) -> Self {
        let usual = match options.profile {
            SimulatedProfile::Attributes => Encoding::Iso8859_1,
            _ => Encoding::Utf8,
        };
        Self {
            seed: options.seed,
            has_examples: options.has_examples,
            note: options.note.clone(),
            profile: options.profile,
            encoding: options.feed.encoding.unwrap_or(usual),
            list_in_titles: list.filter(|_| options.feed.lists_disagree),
            is_sparse: options.feed.is_sparse,
            damage: None,
            until_damage: entries.len() / 2,
            entries: entries.into_iter(),
            stage: Stage::Head,
        }
    }

    /// The same document with something wrong in it; most often in the record in the middle.
    #[must_use]
    pub fn damaged(mut self, damage: Damage) -> Self {
        if damage == Damage::Empty {
            self.entries = Vec::new().into_iter();
        }
        self.damage = Some(damage);
        self
    }

    /// For the header `Content-Type`.
    pub fn content_type(&self) -> String {
        let label = encode::label(self.encoding).to_ascii_lowercase();
        format!("application/xml; charset={label}")
    }

    /// The next bytes; `None` after the last.
    pub fn piece(&mut self) -> Option<Vec<u8>> {
        if self.stage == Stage::Over {
            return None;
        }
        let mut xml = Xml::default();
        let first = self.stage == Stage::Head;
        if first {
            self.head(&mut xml);
            self.stage = Stage::Records;
        }
        while xml.text.len() < PIECE_BYTES {
            let Some(entry) = self.entries.next() else {
                self.tail(&mut xml);
                self.stage = Stage::Over;
                break;
            };
            self.record(&mut xml, entry);
        }
        Some(encode::encode(&xml.text, self.encoding, first))
    }

    fn head(&self, xml: &mut Xml) {
        let label = encode::label(self.encoding);
        xml.raw(&format!("<?xml version=\"1.0\" encoding=\"{label}\"?>\n"));
        if let Some(damage) = self.damage {
            xml.raw(damage.doctype());
        }
        xml.raw(match (self.damage, self.profile) {
            (Some(Damage::NotRecognised), _) => "<catalogue>",
            (_, SimulatedProfile::JsonNames) => "<advisories>\n",
            (_, SimulatedProfile::Drf) => "<root>",
            (_, SimulatedProfile::Attributes) => attributes::HEAD,
            (_, SimulatedProfile::Cvrf) => cvrf::HEAD,
        });
    }

    fn tail(&self, xml: &mut Xml) {
        xml.raw(match (self.damage, self.profile) {
            (Some(Damage::NotRecognised), _) => "</catalogue>",
            (_, SimulatedProfile::JsonNames) => "</advisories>\n",
            (_, SimulatedProfile::Drf) => "</root>",
            (_, SimulatedProfile::Attributes) => attributes::TAIL,
            (_, SimulatedProfile::Cvrf) => cvrf::TAIL,
        });
    }

    fn record(&mut self, xml: &mut Xml, entry: AdvisoryEntry) {
        let mut record = SimulatedAdvisory::generate(self.seed, entry);
        if self.has_examples {
            examples::apply(&mut record);
        }
        record.add(self.note.as_ref());
        if let Some(list) = self.list_in_titles {
            record.title = format!("{} (list {list})", record.title);
        }
        if self.is_sparse {
            record.products.clear();
            record.weaknesses.clear();
            record.description.clear();
        }
        let damage = self
            .damage
            .filter(|damage| *damage == Damage::NotRecognised || self.until_damage == 0);
        self.until_damage = self.until_damage.wrapping_sub(1);
        match damage {
            None => write_record(xml, self.profile, &record),
            Some(damage) => {
                let mut alone = Xml::default();
                write_record(&mut alone, self.profile, &record);
                xml.raw(&damage.apply(&alone.text, &record));
            }
        }
    }
}

fn write_record(xml: &mut Xml, profile: SimulatedProfile, record: &SimulatedAdvisory) {
    match profile {
        SimulatedProfile::JsonNames => names::json_names(xml, record),
        SimulatedProfile::Drf => names::drf(xml, record),
        SimulatedProfile::Attributes => attributes::record(xml, record),
        SimulatedProfile::Cvrf => cvrf::record(xml, record),
    }
}
