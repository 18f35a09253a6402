//! EPSS scores as FIRST publishes them: `epss_scores-YYYY-MM-DD.csv`, read in pieces.

use chrono::{DateTime, Utc};

use super::error::NotPublished;
use crate::model::{CveNumber, EpssScores, outgoing_within, parse_time};

/// Longest line: three times the longest that is published.
const MAX_LINE_BYTES: usize = 256;
/// Maximum number of scores: ten times the CVEs of 2026.
const MAX_SCORES: usize = 3_000_000;
/// Longest part of a line in an error, in characters.
const MAX_CHARS: usize = 60;

/// Reads a file of scores from pieces of any size. Needs 16 bytes for each score.
#[derive(Debug, Default)]
pub struct EpssReader {
    line: Vec<u8>,
    lines: u64,
    release: Option<String>,
    released_at: Option<DateTime<Utc>>,
    has_heading: bool,
    scores: Vec<(CveNumber, f64)>,
}

impl EpssReader {
    /// Reads a piece.
    ///
    /// # Errors
    /// [`NotPublished`]: a line is not as expected.
    pub fn push(&mut self, mut piece: &[u8]) -> Result<(), NotPublished> {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, rest) = piece.split_at(end);
            self.keep(line)?;
            self.end_line()?;
            piece = rest.get(1..).unwrap_or_default();
        }
        self.keep(piece)
    }

    /// The scores, after the last piece.
    ///
    /// # Errors
    /// [`NotPublished`]: the last line is cut off, or there is no date or no score.
    pub fn finish(mut self) -> Result<EpssScores, NotPublished> {
        self.end_line()?;
        let released_at = self.released_at.ok_or_else(|| {
            NotPublished(
                "this is not a file of EPSS scores: the first line `#model_version:…,score_date:…` is missing"
                    .to_owned(),
            )
        })?;
        if self.scores.is_empty() {
            return Err(NotPublished(
                "the file of EPSS scores has no scores".to_owned(),
            ));
        }
        // Of a CVE that is there twice, the highest score counts.
        self.scores
            .sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)));
        self.scores.dedup_by_key(|(cve, _)| *cve);
        Ok(EpssScores {
            release: self.release,
            released_at,
            scores: self.scores,
        })
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), NotPublished> {
        if self.line.len() + part.len() > MAX_LINE_BYTES {
            self.lines += 1;
            return Err(self.wrong("a line that is too long"));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), NotPublished> {
        self.lines += 1;
        let line = std::mem::take(&mut self.line);
        let text = std::str::from_utf8(&line).map_err(|_| self.wrong("a line that is no text"))?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Ok(());
        }
        if let Some(facts) = text.strip_prefix('#') {
            return self.comment(facts);
        }
        if !self.has_heading {
            self.has_heading = text == "cve,epss,percentile";
            return if self.has_heading {
                Ok(())
            } else {
                Err(self.wrong("no heading `cve,epss,percentile`"))
            };
        }
        self.score(text)
    }

    /// `model_version:v2025.03.14,score_date:2026-11-01T12:55:00Z`
    fn comment(&mut self, facts: &str) -> Result<(), NotPublished> {
        for (name, value) in facts.split(',').filter_map(|fact| fact.split_once(':')) {
            match name.trim() {
                "model_version" => self.release = Some(outgoing_within(value, MAX_CHARS)),
                "score_date" => {
                    let date = parse_time(value);
                    let date = date.ok_or_else(|| self.wrong("a `score_date` that is no time"))?;
                    self.released_at = Some(date);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn score(&mut self, text: &str) -> Result<(), NotPublished> {
        let mut cells = text.split(',');
        let (cve, score, percentile) = (cells.next(), cells.next(), cells.next());
        let number = |cell: Option<&str>| {
            let number: f64 = cell?.trim().parse().ok()?;
            (0.0..=1.0).contains(&number).then_some(number)
        };
        let (Some(cve), Some(score), Some(_), None) =
            (cve, number(score), number(percentile), cells.next())
        else {
            let text = outgoing_within(text, MAX_CHARS);
            return Err(self.wrong(&format!("a line that is no score: `{text}`")));
        };
        if self.scores.len() >= MAX_SCORES {
            return Err(self.wrong(&format!("more than {MAX_SCORES} scores")));
        }
        // An identifier of another kind is not in any advisory either.
        self.scores
            .extend(CveNumber::parse(cve.trim()).map(|cve| (cve, score)));
        Ok(())
    }

    fn wrong(&self, what: &str) -> NotPublished {
        let lines = self.lines.max(1);
        NotPublished(format!(
            "the file of EPSS scores has {what} (line {lines}); it is damaged or cut off"
        ))
    }
}
