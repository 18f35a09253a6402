//! Merge plan: what a chunk of records changes in the stored advisories.

use std::borrow::Cow;
use std::collections::HashMap;

use super::damage::mended;
use super::facts;
use super::news::{New, News};
use super::row::{DetailPart, KnownDetail, RecordPart, StoredAdvisory, Version};
use super::same_time::is_settled;
use super::sighting::{NewSighting, Sighted, SightingState};
use crate::model::{
    AdvisoryContent, Fingerprint, corrected_fields, is_later, is_same_revision, overlay,
};
use crate::store::advisories::received::ReceivedAdvisory;
use crate::store::change::Fact;
use crate::store::origin::ChunkOrigin;
use crate::store::wanted::queue::{QueueEntry, Reason};

/// Effect of a record on the stored advisory.
#[derive(Clone, Copy)]
enum Verdict {
    /// The advisory is new.
    New,
    /// The record replaces the stored one. Whether that creates a version depends on
    /// the details.
    Newer,
    /// The same content in different bytes, from the source of the current version, or
    /// intact where the stored record is damaged.
    Reworded,
    /// The same bytes, or no effect on the current version; `kept` if its bytes are
    /// stored nowhere else.
    Aside { kept: bool },
    /// Its source takes back the modification time of the current version. It is not
    /// stored yet: a server that is behind may have sent it.
    TakenBack,
    /// It was imported, and differs from what upstream sent with the same modification time:
    /// which is newer is seen when upstream sends one of them again.
    Undecided,
    /// Its source sends it in turn with the current version, with the same modification time.
    Alternating,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is stored, or need not be.
    Settled,
    /// Its source takes back the modification time of the current version.
    TakenBack,
}

fn judge(
    record: &ReceivedAdvisory,
    content_hash: &Fingerprint,
    (stored, sighted): (Option<&StoredAdvisory>, Option<&Sighted>),
    origin: ChunkOrigin,
) -> Verdict {
    let Some(stored) = stored else {
        return Verdict::New;
    };
    let Some(stored_bytes) = &stored.byte_hash else {
        // Only known from JSON so far.
        return Verdict::Newer;
    };
    let ours = stored.source_id == origin.source_id || !stored.source_configured;
    let same_bytes = *stored_bytes == record.byte_hash;
    let is_intact = !record.advisory.is_repaired();
    if stored.says(content_hash) {
        return if (ours || stored.is_repaired && is_intact) && !same_bytes {
            Verdict::Reworded
        } else {
            Verdict::Aside { kept: !same_bytes }
        };
    }
    if stored.is_put_forward {
        return Verdict::Aside { kept: false };
    }
    match (record.advisory.modified_at, stored.record_modified_at) {
        (Some(theirs), Some(known)) if theirs > known && !origin.precedes(theirs) => Verdict::Newer,
        // A stored time in the future is an error, which its own source corrects. Other
        // sources wait, or two that disagree would make versions in turn.
        (Some(_), Some(known)) if ours && origin.precedes(known) => Verdict::Newer,
        (Some(theirs), Some(known)) if theirs < known => {
            let is_own = stored.source_id == origin.source_id && origin.is_live;
            let repeats = sighted.is_some_and(|known| known.taken_back == Some(*content_hash));
            match (is_own, repeats) {
                (false, _) => Verdict::Aside { kept: true },
                (true, false) => Verdict::TakenBack,
                (true, true) => Verdict::Newer,
            }
        }
        // Of one revision an intact record replaces a damaged one, from any source, and not
        // the other way round, unless what is not damaged in it says something else.
        (Some(_), Some(_)) if stored.is_repaired && is_intact => Verdict::Newer,
        (Some(_), Some(_))
            if !stored.is_repaired && !is_intact && !stored.differs_beyond_damage =>
        {
            Verdict::Aside { kept: true }
        }
        _ if ours && stored.same_time.is_pulled() => Verdict::Undecided,
        _ if ours
            && stored.same_time.returns_to(content_hash)
            && !is_settled(sighted, content_hash, origin) =>
        {
            Verdict::Alternating
        }
        _ if ours => Verdict::Newer,
        _ => Verdict::Aside { kept: true },
    }
}

/// The rows to write for one chunk.
pub(crate) struct WritePlan<'a> {
    origin: ChunkOrigin,
    pub new: Vec<Version<'a>>,
    pub changed: Vec<Version<'a>>,
    pub same_content: Vec<Version<'a>>,
    pub sightings: Vec<NewSighting<'a>>,
    pub wanted: Vec<QueueEntry>,
}

impl<'a> WritePlan<'a> {
    pub(crate) fn of(origin: ChunkOrigin) -> Self {
        Self {
            origin,
            new: Vec::new(),
            changed: Vec::new(),
            same_content: Vec::new(),
            sightings: Vec::new(),
            wanted: Vec::new(),
        }
    }

    /// The known advisories that the source sends for the first time.
    pub(crate) fn first_sent(
        &self,
        stored: &HashMap<String, StoredAdvisory>,
        sighted: &HashMap<String, Sighted>,
    ) -> Vec<String> {
        let all = self.sightings.iter().map(|seen| seen.said);
        let first = all.filter(|said| stored.contains_key(*said) && !sighted.contains_key(*said));
        first.map(str::to_owned).collect()
    }

    /// The changes, in the order of identifiers; `former` is what the changed ones
    /// are compared with.
    pub(crate) fn facts(
        &self,
        stored: &HashMap<String, StoredAdvisory>,
        sighted: &HashMap<String, Sighted>,
        former: &HashMap<String, Vec<AdvisoryContent>>,
        news: &News,
    ) -> Vec<Fact> {
        let changed: HashMap<&str, i32> = self
            .changed
            .iter()
            .map(|version| (version.whole.said.as_str(), version.number))
            .collect();
        let mut all = Vec::new();
        for seen in &self.sightings {
            if let Some(stored) = stored.get(seen.said)
                && sighted.get(seen.said).is_none_or(|known| known.has_left)
            {
                let version = changed.get(seen.said).copied().unwrap_or(stored.version);
                let new = news.known.get(seen.said).copied();
                all.push(facts::joined(seen.said, version, new == Some(New::InList)));
                if new == Some(New::AtLast) {
                    all.push(facts::appeared_at_last(seen.said, version));
                }
            }
        }
        for version in &self.new {
            all.extend(facts::appeared(version, self.origin, news.is_loaded));
        }
        for version in &self.changed {
            let former = former
                .get(&version.whole.said)
                .map_or(&[][..], Vec::as_slice);
            all.extend(facts::replaced(version, former, self.origin));
        }
        all.sort_by(|one, other| one.key.cmp(&other.key));
        all
    }

    pub(crate) fn add(
        &mut self,
        record: &'a ReceivedAdvisory,
        content_hash: Fingerprint,
        (stored, sighted): (Option<&StoredAdvisory>, Option<&Sighted>),
        detail: Option<&KnownDetail>,
    ) -> Added {
        let verdict = judge(record, &content_hash, (stored, sighted), self.origin);
        let mut dissent = None;
        let mut state = SightingState::Settled;
        match verdict {
            Verdict::Aside { kept } => dissent = kept.then_some(record.raw.as_str()),
            Verdict::Undecided => {
                dissent = Some(record.raw.as_str());
                state = SightingState::Undecided;
            }
            // A former version has this content.
            Verdict::Alternating => state = SightingState::Alternating,
            Verdict::TakenBack => {
                dissent = Some(record.raw.as_str());
                state = SightingState::TakenBack;
                // The details may have been corrected too.
                self.want_again(record, detail);
            }
            Verdict::New | Verdict::Newer | Verdict::Reworded => {
                let number = stored.map_or(0, |stored| stored.version) + 1;
                let version = self.version(record, content_hash, (stored, detail), number);
                let is_correction = stored.is_some_and(|stored| {
                    stored.is_corrected_by(record, &content_hash, self.origin)
                });
                self.want(record, &version, detail, is_correction);
                if sighted.is_some_and(|known| known.taken_back.is_some()) {
                    self.want_again(record, detail);
                }
                self.sort_in(version, stored);
            }
        }
        self.sightings.push(NewSighting {
            said: &record.advisory.said,
            byte_hash: record.byte_hash,
            content_hash,
            dissent,
            state,
        });
        match state {
            SightingState::TakenBack => Added::TakenBack,
            SightingState::Settled | SightingState::Undecided | SightingState::Alternating => {
                Added::Settled
            }
        }
    }

    fn version(
        &self,
        record: &'a ReceivedAdvisory,
        content_hash: Fingerprint,
        (stored, detail): (Option<&StoredAdvisory>, Option<&KnownDetail>),
        number: i32,
    ) -> Version<'a> {
        let corrected = match (stored, detail) {
            (Some(stored), Some(known)) => self.corrected(record, &content_hash, stored, known),
            _ => Vec::new(),
        };
        let whole = detail.map_or(Cow::Borrowed(&record.advisory), |known| {
            let (record, at) = (&record.advisory, self.origin.at);
            Cow::Owned(overlay(record, &known.advisory, &corrected, at))
        });
        let detail = detail.map(|known| DetailPart {
            byte_hash: known.byte_hash.clone(),
            whole_hash: whole.content_hash(),
            corrected,
        });
        Version {
            whole,
            raw: &record.raw,
            record: Some(RecordPart {
                byte_hash: record.byte_hash,
                content_hash,
                modified_at: record.advisory.modified_at,
            }),
            detail,
            source_id: self.origin.source_id,
            number,
            completes: false,
        }
    }

    /// The fields that the feed has changed since it received the details: those of this
    /// record, and of earlier ones of the same source and revision.
    fn corrected(
        &self,
        record: &ReceivedAdvisory,
        content_hash: &Fingerprint,
        stored: &StoredAdvisory,
        detail: &KnownDetail,
    ) -> Vec<String> {
        if stored.says(content_hash) {
            return stored.corrected.clone();
        }
        if !stored.is_corrected_by(record, content_hash, self.origin) {
            return Vec::new();
        }
        let mut all = stored.corrected.clone();
        let is_same_revision = is_same_revision(&record.advisory, &detail.advisory, self.origin.at);
        if let Some(replaced) = detail.replaced_record.as_ref().filter(|_| is_same_revision) {
            let advisory = if record.advisory.is_repaired() {
                &mended(&record.advisory, replaced)
            } else {
                &record.advisory
            };
            all.extend(corrected_fields(replaced, advisory));
        }
        all.sort();
        all.dedup();
        all
    }

    /// Only a change of the merged content creates a version: a record with content
    /// that is already known from the details creates none.
    fn sort_in(&mut self, mut version: Version<'a>, stored: Option<&StoredAdvisory>) {
        let Some(stored) = stored else {
            self.new.push(version);
            return;
        };
        let whole_hash = match (&version.detail, &version.record) {
            (Some(detail), _) => detail.whole_hash.to_vec(),
            (None, Some(record)) => record.content_hash.to_vec(),
            (None, None) => Vec::new(),
        };
        if stored.whole_hash == whole_hash {
            self.same_content.push(version);
            return;
        }
        let is_first_word = stored.content_hash.is_none()
            || is_later(stored.modified_at, stored.record_modified_at);
        version.completes = is_first_word
            && version.detail.is_some()
            && version.whole.modified_at == stored.modified_at;
        self.changed.push(version);
    }

    /// Queues details that are newer than the record, which may be wrong.
    fn want_again(&mut self, record: &ReceivedAdvisory, detail: Option<&KnownDetail>) {
        let modified_at = record.advisory.modified_at;
        let is_newer =
            detail.is_some_and(|known| is_later(known.advisory.modified_at, modified_at));
        if is_newer && self.origin.details != crate::model::DetailsMode::Never {
            self.wanted.push(QueueEntry {
                said: record.advisory.said.clone(),
                reason: Reason::Older,
                modified_at,
            });
        }
    }

    /// Queues details that are missing, or older than the record. After a correction without
    /// a new modification time nobody knows whether they are older: they are requested again.
    fn want(
        &mut self,
        record: &ReceivedAdvisory,
        version: &Version<'_>,
        detail: Option<&KnownDetail>,
        is_correction: bool,
    ) {
        let details = self.origin.details;
        let modified_at = self.origin.plausible(record.advisory.modified_at);
        let known_at = detail.map(|known| self.origin.plausible(known.advisory.modified_at));
        let reason = match known_at {
            Some(known_at) if is_later(modified_at, known_at) || is_correction => Reason::Older,
            Some(_) => return,
            None => Reason::Lacks,
        };
        let wants = details.wants(&version.whole)
            || (reason == Reason::Older && details != crate::model::DetailsMode::Never);
        if wants {
            let is_always = details == crate::model::DetailsMode::Always && reason == Reason::Lacks;
            self.wanted.push(QueueEntry {
                said: record.advisory.said.clone(),
                reason: if is_always { Reason::Always } else { reason },
                modified_at,
            });
        }
    }
}
