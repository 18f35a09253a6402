//! One replay pass over all stored raw texts, batch by batch.

use super::{ReplayReport, ReplayScope};
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::{Advisory, DetailsMode, is_implausible, overlay};
use crate::source::detail as detail_source;
use crate::source::ticket as ticket_source;
use crate::source::xml;
use crate::store::advisories::advisory::{self as advisories, ChunkContext};
use crate::store::advisories::received::ReceivedAdvisory;
use crate::store::change;
use crate::store::origin::ChunkOrigin;
use crate::store::trust::reread::{Versions, advisory, conflicting_copy, detail, ticket};

pub(crate) struct Pass<'a, 'r> {
    pub replay: &'r ReplayScope<'a>,
    pub guard: &'r Guard,
    pub write: bool,
    pub report: ReplayReport,
}

impl Pass<'_, '_> {
    /// Replays versions of advisories, each batch in its own transaction: an interrupted
    /// replay keeps its finished batches, and the next one does the rest.
    pub(crate) async fn advisories(&mut self, versions: Versions) -> Result<(), Failure> {
        let mut after = (String::new(), 0);
        loop {
            let mut transaction = self.guard.begin().await?;
            let since = self.replay.since;
            let texts =
                advisory::texts(&mut transaction, versions, (&after.0, after.1), since).await?;
            let Some(last) = texts.last() else {
                return Ok(());
            };
            after = (last.said.clone(), last.version);
            self.report.advisories += texts.len() as u64;
            let reread: Vec<advisory::Reread> = texts
                .into_iter()
                .filter_map(|text| self.read_advisory(text))
                .collect();
            let differences = advisory::differences(&mut transaction, versions, &reread).await?;
            let keys: Vec<String> = differences.iter().map(|found| found.key.clone()).collect();
            self.report.add("advisory", differences);
            if self.write {
                self.report.rewritten +=
                    advisory::correct(&mut transaction, versions, &reread).await?;
                if versions == Versions::Current {
                    let now = self.replay.clock.now();
                    change::record_corrected(&mut transaction, &keys, &[], now).await?;
                }
                transaction.commit().await?;
            }
        }
    }

    fn read_advisory(&mut self, text: advisory::AdvisoryText) -> Option<advisory::Reread> {
        let what = format!("{} version {}", text.said, text.version);
        let said = text.said.clone();
        let reason = match self.read(text) {
            Ok(reread) if reread.advisory.said == said => return Some(reread),
            Ok(reread) => format!("its raw text now parses as {}", reread.advisory.said),
            Err(reason) => reason,
        };
        self.report.unreadable(&what, &reason);
        None
    }

    /// Parses a version's record and the detail that it was merged with.
    fn read(&self, text: advisory::AdvisoryText) -> Result<advisory::Reread, String> {
        let advisory::AdvisoryText {
            said: _,
            version,
            raw,
            has_record,
            has_detail,
            detail,
            corrected,
            changed_at,
        } = text;
        let rules = self.replay.rules;
        if !has_record {
            return Ok(advisory::Reread {
                version,
                advisory: detail_source::read_again(rules, &raw)?,
                record: None,
                has_detail,
            });
        }
        let record =
            xml::read_record(rules, raw.as_bytes()).map_err(|unreadable| unreadable.reason)?;
        let byte_hash = rules.fingerprint(raw.as_bytes());
        let merged = if has_detail {
            let detail = detail.ok_or("the detail that it was merged with is missing")?;
            overlay(
                &record,
                &detail_source::read_again(rules, &detail)?,
                corrected.as_deref().unwrap_or_default(),
                changed_at,
            )
        } else {
            record.clone()
        };
        Ok(advisory::Reread {
            version,
            advisory: merged,
            record: Some((record, byte_hash)),
            has_detail,
        })
    }

    /// Replays details. They are merged with the records that are read next.
    pub(crate) async fn details(&mut self) -> Result<(), Failure> {
        let mut after = String::new();
        loop {
            let mut transaction = self.guard.begin().await?;
            let texts = detail::texts(&mut transaction, &after).await?;
            let Some(last) = texts.last() else {
                return Ok(());
            };
            after.clone_from(&last.said);
            self.report.details += texts.len() as u64;
            let read =
                |text: &detail::DetailText| detail_source::read_again(self.replay.rules, &text.raw);
            let same = |text: &detail::DetailText, found: Advisory| {
                (found.said == text.said).then_some(found)
            };
            let details: Vec<Advisory> = texts
                .iter()
                .filter_map(|text| same(text, read(text).ok()?))
                .collect();
            if self.write {
                self.report.rewritten += detail::correct(&mut transaction, &details).await?;
                transaction.commit().await?;
            }
        }
    }

    /// Replays conflicting copies. Only their fingerprints are derived from them. A copy
    /// that is newer than the current version by the current parser should have replaced
    /// it, and does so now.
    pub(crate) async fn conflicting_copies(&mut self) -> Result<(), Failure> {
        let mut after = 0;
        loop {
            let mut transaction = self.guard.begin().await?;
            let texts = conflicting_copy::texts(&mut transaction, after).await?;
            let Some(last) = texts.last() else {
                return Ok(());
            };
            after = last.id;
            self.report.dissents += texts.len() as u64;
            let (mut renewed, mut newer) = (Vec::new(), Vec::new());
            for text in &texts {
                let Some(received) = self.read_copy(text) else {
                    continue;
                };
                if self.is_newer(&received.advisory, text) {
                    newer.push((text, received));
                } else {
                    let content_hash = received.advisory.content_hash();
                    renewed.push((text.id, received.byte_hash, content_hash));
                }
            }
            self.report.promoted += newer.len() as u64;
            if self.write {
                self.report.rewritten +=
                    conflicting_copy::correct(&mut transaction, &renewed).await?;
                for (text, received) in newer {
                    let origin = ChunkOrigin {
                        source_id: text.source_id,
                        run_id: text.run_id,
                        at: self.replay.clock.now(),
                        settled_before: None,
                        // Details that the configuration excludes are not fetched later either.
                        details: DetailsMode::Auto,
                        is_live: false,
                    };
                    let document = ChunkContext {
                        is_seen: &|_| false,
                        read: &|raw| xml::read_record(self.replay.rules, raw.as_bytes()).ok(),
                        has_local_times: &|_| false,
                    };
                    advisories::merge(&mut transaction, origin, &[received], document).await?;
                }
                transaction.commit().await?;
            }
        }
    }

    fn read_copy(&self, text: &conflicting_copy::ConflictingCopy) -> Option<ReceivedAdvisory> {
        let record = text.raw.as_bytes();
        let advisory = xml::read_record(self.replay.rules, record).ok()?;
        (advisory.said == text.said).then(|| ReceivedAdvisory {
            byte_hash: self.replay.rules.fingerprint(record),
            raw: text.raw.clone(),
            advisory,
        })
    }

    fn is_newer(&self, advisory: &Advisory, text: &conflicting_copy::ConflictingCopy) -> bool {
        let current = xml::read_record(self.replay.rules, text.current.as_bytes());
        let current = current.ok().and_then(|current| current.modified_at);
        let now = self.replay.clock.now();
        let theirs = advisory.modified_at.filter(|at| !is_implausible(*at, now));
        matches!((theirs, current), (Some(theirs), Some(known)) if theirs > known)
    }

    /// Replays versions of tickets.
    pub(crate) async fn tickets(&mut self, versions: Versions) -> Result<(), Failure> {
        let mut after = (i64::MIN, 0);
        loop {
            let mut transaction = self.guard.begin().await?;
            let texts = ticket::texts(&mut transaction, versions, after, self.replay.since).await?;
            let Some(last) = texts.last() else {
                return Ok(());
            };
            after = (last.id, last.version);
            self.report.tickets += texts.len() as u64;
            let mut reread = Vec::with_capacity(texts.len());
            for text in texts {
                let what = format!("ticket {} version {}", text.id, text.version);
                match ticket_source::read(text.raw) {
                    Ok(ticket) if ticket.id == text.id => reread.push((text.version, ticket)),
                    Ok(ticket) => {
                        let reason = format!("its raw text now parses as ticket {}", ticket.id);
                        self.report.unreadable(&what, &reason);
                    }
                    Err(unreadable) => self.report.unreadable(&what, &unreadable.reason),
                }
            }
            let differences = ticket::differences(&mut transaction, versions, &reread).await?;
            let keys: Vec<i64> = differences
                .iter()
                .filter_map(|found| found.key.parse().ok())
                .collect();
            self.report.add("ticket", differences);
            if self.write {
                self.report.rewritten +=
                    ticket::correct(&mut transaction, versions, &reread).await?;
                if versions == Versions::Current {
                    let now = self.replay.clock.now();
                    change::record_corrected(&mut transaction, &[], &keys, now).await?;
                }
                transaction.commit().await?;
            }
        }
    }
}
