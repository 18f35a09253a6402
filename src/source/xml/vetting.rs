//! Vets the records of a document until one shows that they were recognised
//! rightly. From then on records pass unread.

use std::collections::HashSet;
use std::sync::Arc;

use super::alone::{Kind, glance, identifiers};
use super::build::build;
use super::characters::storable;
use super::content::{ElementContent, content, fault, name};
use super::envelope::{DocumentEnvelope, shown};
use super::error::FeedError;
use super::finder::MOST_NAMES;
use super::name::key;
use super::profile::Profile;
use super::rules::ParserRules;

/// Takes the bytes of a record.
pub(super) type Records<'s> = &'s mut dyn FnMut(&[u8]);

/// How many identifiers of a document are noted, which bounds the memory. An element that names
/// a further one is compared with what is stored, or quarantined.
const MOST_NOTED: usize = 1_000_000;

/// An element that waits until it is known what it is.
struct Held {
    bytes: Vec<u8>,
    /// Key of its name.
    name: u64,
    content: ElementContent,
    /// Whether it was found beside the records: it is no record in any case.
    is_beside: bool,
}

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
    /// Whether any has a field of an advisory.
    has_fields: bool,
    /// Keys of the names of those that say more.
    names: Vec<u64>,
    /// Hashes of their identifiers.
    saids: HashSet<u64>,
    /// Why the first one could not be read.
    reason: Option<String>,
    /// Elements that say no more than an identifier, until it is known what they are.
    held: Vec<Held>,
    held_bytes: usize,
    /// How many of them are vague, and how many cannot be read.
    vague: usize,
    unreadable: usize,
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
            has_fields: false,
            names: Vec::new(),
            saids: HashSet::new(),
            reason: None,
            held: Vec::new(),
            held_bytes: 0,
            vague: 0,
            unreadable: 0,
        }
    }

    /// Takes the next record and passes on what is vetted.
    pub fn record(&mut self, record: &[u8], out: Records) {
        let element = name(record);
        let is_named = |vetting: &Self| vetting.names.contains(&key(element));
        if is_named(self) {
            let (said, says_more) = glance(&self.rules, record);
            if says_more {
                self.note(said);
                self.pass(record, out);
                return;
            }
        }
        let content = content(&self.rules, record);
        let is_first = self.first.is_none();
        if is_first || !self.is_proven && matches!(content, ElementContent::Recognised) {
            self.first = Some(shown(element));
            self.profile = Some(Profile::of(&self.rules, record));
        }
        match &content {
            ElementContent::Unreadable(reason) => {
                self.reason.get_or_insert_with(|| reason.clone());
            }
            ElementContent::Alone(saids) if saids.len() > 1 => match fault(&self.rules, record) {
                Some(reason) => {
                    self.reason.get_or_insert(reason);
                }
                None => self.is_readable = true,
            },
            _ => self.is_readable = true,
        }
        match content {
            ElementContent::Recognised => {
                self.has_fields = true;
                self.prove(key(element));
                self.settle(out);
                self.note(glance(&self.rules, record).0);
                self.pass(record, out);
            }
            ElementContent::Vague if is_named(self) || self.takes_all() => {
                self.prove(key(element));
                self.note(glance(&self.rules, record).0);
                self.pass(record, out);
            }
            ElementContent::Alone(_) if is_named(self) && self.takes_all() => {
                self.pass(record, out);
            }
            ElementContent::Unreadable(reason) => {
                if self.is_proven || self.held.is_empty() {
                    self.pass(record, out);
                } else {
                    self.hold(record, ElementContent::Unreadable(reason), false, out);
                }
            }
            content => self.hold(record, content, false, out),
        }
    }

    /// Takes what was found beside the records.
    pub fn beside(&mut self, element: &[u8], out: Records) {
        let text = storable(element);
        let built = build(&text, &self.rules).ok();
        let sound = built.filter(|built| built.repairs.is_empty());
        match sound.and_then(|built| identifiers(&self.rules, &built.root)) {
            Some(saids) => self.hold(element, ElementContent::Alone(saids), true, out),
            None => out(element),
        }
    }

    /// Whether the records of the document have no field that is known, so that one that says
    /// less is as good as the others.
    fn takes_all(&self) -> bool {
        self.is_proven && !self.has_fields
    }

    /// A record: it is counted.
    fn pass(&mut self, record: &[u8], out: Records) {
        self.count(record);
        out(record);
    }

    fn count(&mut self, record: &[u8]) {
        self.records += 1;
        self.distinct.insert(xxhash_rust::xxh3::xxh3_64(record));
    }

    fn prove(&mut self, name: u64) {
        self.is_proven = true;
        if self.names.len() < MOST_NAMES && !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// Notes the identifier of a record that says more.
    fn note(&mut self, said: Option<String>) {
        if self.saids.len() < MOST_NOTED {
            self.saids.extend(said.map(|said| hash(&said)));
        }
    }

    fn hold(&mut self, element: &[u8], content: ElementContent, is_beside: bool, out: Records) {
        let limits = &self.rules.limits;
        let (most, most_bytes) = (limits.lookahead_records, limits.lookahead_bytes);
        let most_held = limits.record_bytes;
        self.held_bytes += element.len();
        self.vague += usize::from(matches!(content, ElementContent::Vague));
        self.unreadable += usize::from(matches!(content, ElementContent::Unreadable(_)));
        self.held.push(Held {
            bytes: element.to_owned(),
            name: key(name(element)),
            content,
            is_beside,
        });
        let is_enough = self.vague >= most || self.held_bytes > most_bytes;
        if !self.is_proven && self.vague > 0 && is_enough {
            self.trust(out);
        }
        if self.held_bytes > most_held {
            if self.is_proven {
                self.release(out);
            } else {
                self.pass_all(out);
            }
        }
    }

    /// Takes all that say anything for records: no field that is known stands in any.
    fn trust(&mut self, out: Records) {
        let names = self.held.iter().filter(|one| one.is_vague());
        let names: Vec<u64> = names.map(|one| one.name).collect();
        for name in names {
            self.prove(name);
        }
        self.settle(out);
    }

    /// Passes on what can now be told to be records, and what is unreadable.
    fn settle(&mut self, out: Records) {
        if self.vague + self.unreadable == 0 {
            return;
        }
        (self.vague, self.unreadable) = (0, 0);
        for one in std::mem::take(&mut self.held) {
            match &one.content {
                ElementContent::Unreadable(_) => self.pass(&one.bytes, out),
                ElementContent::Vague if self.names.contains(&one.name) => {
                    self.note(glance(&self.rules, &one.bytes).0);
                    self.pass(&one.bytes, out);
                }
                ElementContent::Alone(_)
                    if !one.is_beside && self.takes_all() && self.names.contains(&one.name) =>
                {
                    self.pass(&one.bytes, out);
                }
                _ => {
                    self.vague += usize::from(one.is_vague());
                    self.held.push(one);
                }
            }
        }
        self.held_bytes = self.held.iter().map(|one| one.bytes.len()).sum();
    }

    /// Passes on all that was held, as records.
    fn pass_all(&mut self, out: Records) {
        (self.held_bytes, self.vague, self.unreadable) = (0, 0, 0);
        for one in std::mem::take(&mut self.held) {
            if one.is_beside {
                out(&one.bytes);
            } else {
                self.pass(&one.bytes, out);
            }
        }
    }

    /// Passes on what was held, where it cannot be waited for the end of the document.
    pub fn release(&mut self, out: Records) {
        if !self.is_proven {
            self.trust(out);
        }
        self.settle(out);
        self.resolve(None, out);
    }

    /// Passes on the elements that name an advisory of which the document has no record, as
    /// what they are. The others say nothing new. `envelope` takes what they say about the
    /// document.
    fn resolve(&mut self, mut envelope: Option<&mut DocumentEnvelope>, out: Records) {
        (self.held_bytes, self.vague, self.unreadable) = (0, 0, 0);
        for one in std::mem::take(&mut self.held) {
            let element = shown(name(&one.bytes));
            let is_doubtful = !self.is_proven && envelope.is_none();
            let is_like_record = self.names.contains(&one.name) || is_doubtful;
            if let Some(envelope) = envelope.as_deref_mut()
                && !is_like_record
                && let Ok(built) = build(&storable(&one.bytes), &self.rules)
            {
                envelope.pointer(&one.bytes, &built.root);
            }
            let is_known = |said: &String| self.saids.contains(&hash(said));
            match &one.content {
                ElementContent::Alone(saids) if saids.iter().all(is_known) => {}
                ElementContent::Vague
                    if is_known(&glance(&self.rules, &one.bytes).0.unwrap_or_default()) => {}
                _ if one.is_beside => out(&one.bytes),
                _ => {
                    let kind = Kind::of(&element, is_like_record);
                    if kind == Kind::Stub {
                        self.count(&one.bytes);
                    }
                    out(&kind.mark(&one.bytes));
                }
            }
        }
    }

    /// Says at the end of the document whether its records are what they were
    /// taken for. Records that say nothing but who they are, where identifiers or
    /// anything else stand beside them, are what advisories say of related ones.
    pub fn finish(
        &mut self,
        envelope: &mut DocumentEnvelope,
        out: Records,
    ) -> Result<(), FeedError> {
        if !self.is_proven && self.vague > 0 {
            self.trust(out);
        }
        let has_more = envelope.has_identifiers || envelope.has_content;
        let has_records = self.held.iter().any(|one| !one.is_beside);
        if !self.is_proven && has_records && envelope.claimed != Some(0) {
            if has_more {
                let beside = self.held.iter().filter(|one| one.is_beside);
                beside.for_each(|one| out(&one.bytes));
                return Err(self.only_identifiers(envelope));
            }
            self.pass_all(out);
        }
        self.settle(out);
        self.resolve(Some(envelope), out);
        if let Some(name) = &envelope.unknown_identifier {
            let record = self.first.as_deref().unwrap_or_default();
            return Err(FeedError::NotRecognised {
                why: format!(
                    "each `{record}` was taken from inside another advisory, whose identifier is `{name}`; add this name to [feeds.aliases] said"
                ),
                identifier: Some(name.clone()),
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

    fn only_identifiers(&self, envelope: &DocumentEnvelope) -> FeedError {
        let record = self.first.as_deref().unwrap_or_default();
        let root = envelope.root.as_deref().unwrap_or_default();
        FeedError::NotRecognised {
            why: format!(
                "each `{record}` in `{root}` contains only an identifier, and there is other content outside of them"
            ),
            identifier: None,
            names: envelope.names.clone(),
        }
    }
}

impl Held {
    fn is_vague(&self) -> bool {
        matches!(self.content, ElementContent::Vague)
    }
}

fn hash(said: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(said.trim().as_bytes())
}
