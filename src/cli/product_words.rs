//! Words of product names that were asked for and that no product has: hardly ever is nothing
//! known about a product, and more often its name is misspelled.

use sqlx::PgConnection;

use super::output::print_note;
use crate::clock::Clock;
use crate::model::DetailsMode;
use crate::model::filter::{Field, ListField, StringComparison, comparison, misspelled};
use crate::store::reports::products;
use crate::store::reports::question::{self, AdvisoryQuestion, Sort};

/// A sentence for each word that is in no name and no CPE of a stored product.
pub(super) async fn unknown(
    connection: &mut PgConnection,
    words: &[String],
) -> anyhow::Result<Vec<String>> {
    let mut sentences = Vec::new();
    for word in words {
        if is_known(connection, word).await? {
            continue;
        }
        let known = products::words_like(connection, word).await?;
        let close = misspelled(word, known.iter().map(String::as_str));
        let close = close.map_or_else(String::new, |close| format!("did you mean `{close}`? "));
        sentences.push(format!(
            "no stored product has `{word}` in its name or CPE; {close}`advisoryd products WORDS` searches products"
        ));
    }
    Ok(sentences)
}

/// Prints these sentences.
pub(super) fn print(sentences: &[String]) {
    for sentence in sentences {
        print_note(sentence);
    }
}

/// Whether an advisory names such a product.
async fn is_known(connection: &mut PgConnection, word: &str) -> anyhow::Result<bool> {
    let field = Field::List(ListField::Product);
    let filter = comparison(field, StringComparison::Contains, word).map_err(anyhow::Error::msg)?;
    let question = AdvisoryQuestion {
        filter,
        now: Clock::system().now(),
        changed_since: None,
        changed_until: None,
        sort: Sort::default(),
        is_reversed: false,
        limit: 1,
    };
    let found = question::advisories(connection, &question, DetailsMode::default()).await?;
    Ok(!found.is_empty())
}
