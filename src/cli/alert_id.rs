//! Ids of alerts on the command line: whole, or the beginning of one.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::alerts::outcome;

/// Shorter beginnings would often be ambiguous.
const MIN_DIGITS: usize = 4;
/// Hexadecimal digits of an id.
const ALL_DIGITS: usize = 32;

/// The first and the last id that begin like this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertId {
    text: String,
    first: Uuid,
    last: Uuid,
}

impl AlertId {
    /// From the command line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let digits: String = text
            .trim()
            .chars()
            .filter(|letter| *letter != '-')
            .collect();
        let is_id = digits.chars().all(|letter| letter.is_ascii_hexdigit())
            && (MIN_DIGITS..=ALL_DIGITS).contains(&digits.len());
        let padded = |with: &str| {
            let missing = ALL_DIGITS.saturating_sub(digits.len());
            Uuid::parse_str(&format!("{digits}{}", with.repeat(missing))).ok()
        };
        match (is_id, padded("0"), padded("f")) {
            (true, Some(first), Some(last)) => Ok(Self {
                text: text.trim().to_owned(),
                first,
                last,
            }),
            _ => Err("write an id as shown by `advisoryd alerts list`, or at least its first four digits".to_owned()),
        }
    }

    /// The alert that it names.
    pub(super) async fn find(&self, connection: &mut PgConnection) -> anyhow::Result<Uuid> {
        let found = outcome::ids_between(connection, self.first, self.last).await?;
        match found.as_slice() {
            [id] => Ok(*id),
            [] => anyhow::bail!("alert {} not found; see `advisoryd alerts list`", self.text),
            _ => anyhow::bail!("several alerts begin with {}; write more digits", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AlertId;

    #[test]
    fn an_id_may_be_shortened() {
        let id = AlertId::parse("5C2B1E8A-00").ok();
        let ends = id.map(|id| (id.first.to_string(), id.last.to_string()));
        let first = "5c2b1e8a-0000-0000-0000-000000000000".to_owned();
        let last = "5c2b1e8a-00ff-ffff-ffff-ffffffffffff".to_owned();
        assert_eq!(ends, Some((first, last)));
        for wrong in ["", "5c2", "5c2g", &"a".repeat(33), "ä234"] {
            assert!(AlertId::parse(wrong).is_err(), "{wrong}");
        }
    }
}
