//! Vets the records of a document until one shows that they were recognised
//! rightly. From then on records pass unread.

use std::collections::HashSet;
use std::sync::Arc;

use super::envelope::{DocumentEnvelope, shown};
use super::error::FeedError;
use super::profile::Profile;
use super::record::{parse, text};
use super::rules::ParserRules;
use super::token::{Next, next};
use super::tree::XmlNode;

/// Takes the bytes of a record.
pub(super) type Records<'s> = &'s mut dyn FnMut(&[u8]);

/// Vets records.
pub(super) struct Vetting {
    rules: Arc<ParserRules>,
    /// Records so far.
    pub records: u64,
    /// Hashes of the different ones.
    pub distinct: HashSet<u64>,
    /// Name of the first one's element, as written.
    pub first: Option<String>,
    /// The shape of the first one.
    pub profile: Option<Profile>,
    /// Whether any could be read.
    is_readable: bool,
    /// Whether any says more than its identifier.
    is_proven: bool,
    /// Why the first one could not be read.
    reason: Option<String>,
    /// Records that say nothing more, until it is known what they are.
    withheld: Vec<Vec<u8>>,
    withheld_bytes: usize,
}

impl Vetting {
    pub fn new(rules: Arc<ParserRules>) -> Self {
        Self {
            rules,
            records: 0,
            distinct: HashSet::new(),
            first: None,
            profile: None,
            is_readable: false,
            is_proven: false,
            reason: None,
            withheld: Vec::new(),
            withheld_bytes: 0,
        }
    }

    /// Takes the next record and passes on what is vetted.
    pub fn record(&mut self, record: &[u8], out: Records) {
        self.records += 1;
        self.distinct.insert(xxhash_rust::xxh3::xxh3_64(record));
        if self.is_proven {
            out(record);
            return;
        }
        if self.first.is_none()
            && let Next::Token(start) = next(record, 0)
        {
            self.first = Some(shown(start.name(record)));
            self.profile = Some(Profile::of(&self.rules, record));
        }
        let says_more = text(&self.rules, record).and_then(|text| {
            let parsed = parse(&self.rules, &text)?;
            Ok(says_more(&self.rules, &parsed.root))
        });
        match says_more {
            Ok(true) => {
                self.is_readable = true;
                self.is_proven = true;
                self.release(out);
                out(record);
            }
            Ok(false) => {
                self.is_readable = true;
                self.withhold(record, out);
            }
            Err(unreadable) => {
                self.reason.get_or_insert(unreadable.reason);
                if self.withheld.is_empty() {
                    out(record);
                } else {
                    self.withhold(record, out);
                }
            }
        }
    }

    fn withhold(&mut self, record: &[u8], out: Records) {
        self.withheld_bytes += record.len();
        self.withheld.push(record.to_owned());
        if self.withheld_bytes > self.rules.limits.lookahead_bytes {
            self.release(out);
        }
    }

    /// Passes on what was withheld.
    pub fn release(&mut self, out: Records) {
        self.withheld_bytes = 0;
        for record in self.withheld.drain(..) {
            out(&record);
        }
    }

    /// Says at the end of the document whether its records are what they were
    /// taken for. Records that say nothing but who they are, where identifiers or
    /// anything else stand beside them, are what advisories say of related ones.
    pub fn finish(&mut self, envelope: &DocumentEnvelope, out: Records) -> Result<(), FeedError> {
        let has_more = envelope.has_identifiers || envelope.has_content;
        if !self.withheld.is_empty() && !self.is_proven && has_more {
            let record = self.first.as_deref().unwrap_or_default();
            let root = envelope.root.clone().unwrap_or_default();
            return Err(FeedError::NotRecognised {
                why: format!(
                    "each `{record}` in `{root}` contains only an identifier, and there is other content outside of them"
                ),
                names: envelope.names.clone(),
            });
        }
        self.release(out);
        if let Some(name) = &envelope.unknown_identifier {
            let record = self.first.as_deref().unwrap_or_default();
            return Err(FeedError::NotRecognised {
                why: format!(
                    "each `{record}` was taken from inside another advisory, whose identifier is `{name}`; add this name to [feeds.aliases] said"
                ),
                names: envelope.names.clone(),
            });
        }
        match &self.reason {
            Some(reason) if !self.is_readable => Err(FeedError::Unreadable {
                records: self.records,
                reason: reason.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Whether an element holds anything that is no identifier.
fn says_more(rules: &ParserRules, node: &XmlNode<'_>) -> bool {
    let mut values = node
        .attributes
        .iter()
        .map(|attribute| &*attribute.value)
        .chain([&*node.text]);
    values.any(|value| !value.is_empty() && !rules.is_identifier(value.as_bytes()))
        || node.children.iter().any(|child| says_more(rules, child))
}
