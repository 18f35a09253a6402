//! Erasure of people's data: a ticket, a person, tickets that were deleted upstream.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use sqlx::PgPool;

use super::erase_lock::{ErasedPart, Locked};
use crate::job::failure::Failure;
use crate::job::transaction::Guard;
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
const KEYS: [&str; 4] = ["id", "version", "attempt", "name"];
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
    /// parts. Names shorter than [`MIN_NAME_CHARS`] are ignored.
    ///
    /// # Errors
    /// The names together are too long for a regular expression.
    pub fn new(names: &[String]) -> Result<Self, regex::Error> {
        let one = |name: &String| {
            let words: Vec<String> = name.split_whitespace().map(regex::escape).collect();
            words.join(r"\s+")
        };
        let all: Vec<String> = names.iter().map(one).collect();
        let pattern = format!(r"\b{{start-half}}(?:{})\b{{end-half}}", all.join("|"));
        let regex = RegexBuilder::new(&pattern).case_insensitive(true).build()?;
        Ok(Self(regex))
    }

    /// Replaces the names in all strings and keys; whether there were any.
    fn erase(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) if self.0.is_match(text) => {
                *text = self.0.replace_all(text, ERASED).into_owned();
                true
            }
            Value::Array(values) => values
                .iter_mut()
                .fold(false, |changed, value| self.erase(value) | changed),
            Value::Object(map) => {
                let renamed: Vec<String> = map
                    .keys()
                    .filter(|key| self.0.is_match(key))
                    .cloned()
                    .collect();
                for key in &renamed {
                    if let Some(value) = map.remove(key) {
                        map.insert(self.0.replace_all(key, ERASED).into_owned(), value);
                    }
                }
                map.values_mut()
                    .fold(!renamed.is_empty(), |changed, value| {
                        self.erase(value) | changed
                    })
            }
            _ => false,
        }
    }
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

/// Number of runs whose error contains one of these names.
pub async fn runs_that_mention(pool: &PgPool, names: &[String]) -> Result<i64, Failure> {
    let mut connection = pool.acquire().await?;
    let mut runs = 0;
    for name in names {
        runs += person_texts::runs_that_mention(&mut connection, name).await?;
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
