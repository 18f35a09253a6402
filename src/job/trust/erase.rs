//! Erasure of people's data: a ticket, a person, tickets that were deleted upstream.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;
use sqlx::PgPool;

use super::erase_lock::{ErasedPart, Locked};
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
use crate::model::replace_decoded;
pub use crate::store::trust::erasure::By;
use crate::store::trust::erasure::{self, ERASED, Erased};
use crate::store::trust::person_texts::{self, Texts};

/// Rows that are written at once. More are written in the next round.
const BATCH: usize = 1000;
/// Attempts to write a batch that others change at the same moment.
const MAX_ATTEMPTS: u32 = 10;
/// SQLSTATE of a row that was changed since it was read.
const SERIALIZATION_FAILURE: &str = "40001";
/// Columns that identify a row in [`Texts`].
const KEYS: [&str; 5] = ["id", "version", "attempt", "name", "column"];
/// Shorter names would match too many words.
pub const MIN_NAME_CHARS: usize = 3;

/// Erases one ticket, all its versions and the alerts about it, while no run reads tickets.
///
/// # Errors
/// [`Failure::Reading`] if such a run does not end within `patience`; the database.
pub async fn ticket(
    pool: &PgPool,
    id: i64,
    by: By<'_>,
    patience: Duration,
) -> Result<Erased, Failure> {
    let locked = Locked::take(pool, ErasedPart::Tickets, patience).await?;
    let done = ticket_locked(locked.guard(), id, by).await;
    locked.release().await;
    done
}

async fn ticket_locked(guard: &Guard, id: i64, by: By<'_>) -> Result<Erased, Failure> {
    let mut transaction = guard.begin().await?;
    let erased = erasure::erase_tickets(&mut transaction, &[id], by.at).await?;
    let (key, detail) = (id.to_string(), erasure::detail(erased, 1));
    erasure::record(&mut transaction, by, "erase_ticket", Some(&key), detail).await?;
    transaction.commit().await?;
    Ok(erased)
}

/// Names of one person, as they may stand in any text.
#[derive(Debug)]
pub struct Person(Regex);

impl Person {
    /// Matches each name as a whole word, in any case, with any white space between its
    /// parts, composed (`ü`) or decomposed (`u` and a mark). Names shorter than [`MIN_NAME_CHARS`] are ignored.
    ///
    /// # Errors
    /// The names together are too long for a regular expression.
    pub fn new(names: &[String]) -> Result<Self, regex::Error> {
        let one = |name: &String| {
            let words: Vec<String> = name.split_whitespace().map(in_each_form).collect();
            words.join(r"\s+")
        };
        let all: Vec<String> = names.iter().map(one).collect();
        let pattern = format!(r"\b{{start-half}}(?:{})\b{{end-half}}", all.join("|"));
        let regex = RegexBuilder::new(&pattern).case_insensitive(true).build()?;
        Ok(Self(regex))
    }

    /// The text without the names, also where their letters are written as codes: a record
    /// in quarantine is stored as received. `None` if there are none.
    fn erased(&self, text: &str) -> Option<String> {
        let find = |text: &[u8]| {
            let found = self.0.find_iter(text);
            found.map(|name| (name.start(), name.end())).collect()
        };
        replace_decoded(text, ERASED, find)
    }

    /// Replaces the names in all strings and keys; whether there were any.
    fn erase(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let erased = self.erased(text);
                let is_changed = erased.is_some();
                *text = erased.unwrap_or_else(|| std::mem::take(text));
                is_changed
            }
            Value::Array(values) => values
                .iter_mut()
                .fold(false, |changed, value| self.erase(value) | changed),
            Value::Object(map) => {
                let renamed = map
                    .keys()
                    .filter_map(|key| Some((key.clone(), self.erased(key)?)));
                let renamed: Vec<(String, String)> = renamed.collect();
                let is_renamed = !renamed.is_empty();
                for (key, erased) in renamed {
                    if let Some(value) = map.remove(&key) {
                        map.insert(erased, value);
                    }
                }
                map.values_mut()
                    .fold(is_renamed, |changed, value| self.erase(value) | changed)
            }
            _ => false,
        }
    }
}

/// A pattern for a word with each letter composed or decomposed, or in between.
fn in_each_form(word: &str) -> String {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let nfd = DecomposingNormalizerBorrowed::new_nfd();
    let one = |letter: char| {
        let parts: Vec<char> = nfd.normalize_iter(std::iter::once(letter)).collect();
        let forms = (1..=parts.len()).map(|length| {
            let (first, rest) = parts.split_at(length);
            let first: String = nfc.normalize_iter(first.iter().copied()).collect();
            regex::escape(&format!("{first}{}", rest.iter().collect::<String>()))
        });
        let forms: Vec<String> = forms.collect();
        format!("(?:{})", forms.join("|"))
    };
    let word = nfc.normalize(word);
    word.chars().map(one).collect()
}

/// Erases the names of a person wherever texts are stored, except advisories, which are
/// published, and the run log, whose rows are chained. Meanwhile no source is read.
///
/// # Errors
/// [`Failure::Reading`] if a run does not end within `patience`; the database.
pub async fn person(
    pool: &PgPool,
    person: &Person,
    by: By<'_>,
    patience: Duration,
) -> Result<Erased, Failure> {
    let locked = Locked::take(pool, ErasedPart::Everything, patience).await?;
    let done = person_locked(locked.guard(), person, by).await;
    locked.release().await;
    done
}

async fn person_locked(guard: &Guard, person: &Person, by: By<'_>) -> Result<Erased, Failure> {
    let mut erased = Erased::default();
    for texts in Texts::ALL {
        loop {
            let rows = batch_again(guard, person, texts, by.at).await?;
            if rows == 0 {
                break;
            }
            erased = erased.plus(texts.count(rows));
        }
    }
    let mut transaction = guard.begin().await?;
    let detail = erasure::detail(erased, 0);
    erasure::record(&mut transaction, by, "erase_person", None, detail).await?;
    transaction.commit().await?;
    Ok(erased)
}

/// Number of runs whose error contains a name.
pub async fn runs_that_mention(pool: &PgPool, person: &Person) -> Result<u64, Failure> {
    let mut connection = pool.acquire().await?;
    let mut errors = std::pin::pin!(person_texts::run_errors(&mut connection));
    let mut runs = 0;
    while let Some(error) = errors.try_next().await? {
        runs += u64::from(person.erased(&error).is_some());
    }
    Ok(runs)
}

/// One batch, repeated if others changed one of its rows meanwhile.
async fn batch_again(
    guard: &Guard,
    person: &Person,
    texts: Texts,
    at: DateTime<Utc>,
) -> Result<u64, Failure> {
    let mut attempt = 1;
    loop {
        match batch(guard, person, texts, at).await {
            Err(error) if is_conflict(&error) && attempt < MAX_ATTEMPTS => attempt += 1,
            done => return done,
        }
    }
}

fn is_conflict(error: &Failure) -> bool {
    let Failure::Store(error) = error else {
        return false;
    };
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some(SERIALIZATION_FAILURE)
}

/// Erases in the texts of a row, but not in its columns' names and not in its key.
fn erase_row(person: &Person, row: &mut Value) -> bool {
    let columns = row.as_object_mut().into_iter().flatten();
    let texts = columns.filter(|(column, _)| !KEYS.contains(&column.as_str()));
    texts.fold(false, |changed, (_, text)| person.erase(text) | changed)
}

async fn batch(
    guard: &Guard,
    person: &Person,
    texts: Texts,
    at: DateTime<Utc>,
) -> Result<u64, Failure> {
    let mut transaction = guard.begin_repeatable().await?;
    let mut changed = Vec::new();
    {
        let mut rows = std::pin::pin!(texts.read(&mut transaction));
        while let Some(mut row) = rows.try_next().await? {
            if erase_row(person, &mut row) {
                changed.push(row);
            }
            if changed.len() == BATCH {
                break;
            }
        }
    }
    let rows = if changed.is_empty() {
        0
    } else {
        texts.write(&mut transaction, &changed, at).await?
    };
    transaction.commit().await?;
    Ok(rows)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Person;

    #[test]
    fn a_name_is_found_in_each_form_in_which_it_is_written() {
        let names = ["J\u{fc}rgen Gr\u{f6}\u{df}e", "Nguy\u{1ec5}n", "jroe"];
        let names = names.map(str::to_owned);
        let person = Person::new(&names).unwrap();
        for (text, erased) in [
            ("J\u{fc}rgen  GR\u{d6}\u{df}e, x", "[erased], x"),
            ("Ju\u{308}rgen Gro\u{308}\u{df}e", "[erased]"),
            ("J\u{fc}rgen\nGro\u{308}\u{df}e", "[erased]"),
            (
                "Nguye\u{302}\u{303}n Nguy\u{ea}\u{303}n",
                "[erased] [erased]",
            ),
            (
                r#"{"a": "J\u00fcrgen\u0020Gr\u00f6\u00dfe"}"#,
                r#"{"a": "[erased]"}"#,
            ),
            (
                r#"{"a": "Ju\u0308rgen\nGro\u0308\u00dfe\njroe"}"#,
                r#"{"a": "[erased]\n[erased]"}"#,
            ),
            (r"\u006aroe and \\u006Aroe", "[erased] and [erased]"),
            (
                "<a by=\"jr&#111;e\">J&#xfc;rgen Gr&#246;&#223;e</a>",
                "<a by=\"[erased]\">[erased]</a>",
            ),
            ("?q=J%C3%BCrgen%20Gr%C3%B6%C3%9Fe", "?q=[erased]"),
        ] {
            assert_eq!(person.erased(text).as_deref(), Some(erased), "{text}");
        }
        for text in ["Jurgen Grosse", "jroe\u{301}", "jroes", "Nguyen"] {
            assert_eq!(person.erased(text), None, "{text}");
        }
    }
}
