#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]
#![expect(clippy::panic, reason = "a test may fail loudly")]

mod around;
mod damage;
mod encodings;
mod growth;
mod leftovers;
mod lossless;
mod markup;
mod mixed_text;
mod pointers;
mod profiles;
mod recognition;
mod refusals;
mod samples;
mod slicing;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FeedError, ParsedDocument, ParserRules, RecordReader, read_record};
use crate::model::Advisory;

pub fn rules() -> Arc<ParserRules> {
    Arc::new(ParserRules::new("SA[0-9]{1,7}", &BTreeMap::new()).unwrap())
}

/// The same rules for a reader that settles on the first candidate: the rest of
/// a small document is then streamed like that of a large one.
pub fn hasty() -> Arc<ParserRules> {
    let mut rules = ParserRules::clone(&rules());
    rules.limits.lookahead_records = 1;
    Arc::new(rules)
}

/// The records of a document pushed in pieces of `piece` bytes, and how it ended.
pub fn split_with(
    rules: &Arc<ParserRules>,
    document: &[u8],
    charset: Option<&str>,
    piece: usize,
) -> (Vec<Vec<u8>>, Result<ParsedDocument, FeedError>) {
    let mut records = Vec::new();
    let mut keep = |record: &[u8]| records.push(record.to_owned());
    let mut reader = RecordReader::new(Arc::clone(rules), charset, None);
    for bytes in document.chunks(piece) {
        if let Err(error) = reader.push(bytes, &mut keep) {
            return (records, Err(error));
        }
    }
    let end = reader.finish(&mut keep);
    (records, end)
}

pub fn split(document: &[u8]) -> (Vec<Vec<u8>>, Result<ParsedDocument, FeedError>) {
    split_with(&rules(), document, None, usize::MAX)
}

/// Identifiers of the records, `?` for one that cannot be read.
pub fn ids(document: &str) -> Vec<String> {
    let (records, end) = split(document.as_bytes());
    end.unwrap();
    let rules = rules();
    let said = |record: &Vec<u8>| match read_record(&rules, record) {
        Ok(advisory) => advisory.said,
        Err(_) => "?".to_owned(),
    };
    records.iter().map(said).collect()
}

pub fn failure(document: &[u8]) -> FeedError {
    split(document).1.unwrap_err()
}

/// The only advisory of a document.
pub fn only(document: &str) -> Advisory {
    let (records, end) = split(document.as_bytes());
    end.unwrap();
    let [record] = records.as_slice() else {
        panic!("{} records in {document}", records.len());
    };
    read_record(&rules(), record).unwrap()
}
