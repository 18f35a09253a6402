//! The XML advisory feed (contract §5). Its structure is not public, so nothing
//! here expects one: [`RecordReader`] finds the repeated element that carries an
//! identifier and slices a document into such records while it streams past;
//! [`read_record`] turns one record into an [`Advisory`](crate::model::Advisory)
//! through a table of aliases.
//!
//! Slicing is several times faster than reading, which is why it is a step of
//! its own: a record whose bytes are known is never read again.

mod alias;
mod alone;
mod around;
mod aside;
mod attributes;
mod build;
mod characters;
mod checks;
mod coded;
mod codes;
mod content;
mod cves;
mod cvrf;
mod document;
mod element;
mod encoding;
mod envelope;
mod error;
mod explain;
mod fields;
mod finder;
mod identity;
mod json;
mod leftover;
mod lists;
mod long_markup;
mod lost_bytes;
mod made_out;
mod map;
mod marks;
mod markup;
mod message;
mod misdeclared;
mod name;
mod nested;
mod oversize;
mod partial;
mod plan;
mod pointing;
mod printable;
mod profile;
mod reader;
mod record;
mod references;
mod repairs;
mod reported;
mod rewrite;
mod rules;
mod saying;
mod scores;
mod search;
mod sketch;
mod splitter;
mod taking;
mod token;
mod tree;
mod trimming;
mod unended;
mod values;
mod vetting;
mod words;

#[cfg(test)]
mod tests;

pub use characters::storable;
pub use document::{ParsedDocument, total};
pub use encoding::encoding_of;
pub use error::{FeedError, Other, UnreadableRecord};
pub use explain::{ExplainedRecord, carriers, explain_json, explain_record};
pub use finder::record_key;
pub use json::read_json;
pub use lost_bytes::kept;
pub(super) use partial::{is_known, is_partial, page_number};
pub use printable::{printable, unprintable};
#[cfg(test)]
pub use profile::Profile;
pub use reader::RecordReader;
pub use record::{has_local_times, read_record, read_records};
pub(super) use reported::{is_error, is_failure, quoted};
pub use rewrite::{cut, rewrite};
pub use rules::ParserRules;
pub(super) use saying::{is_total, words};
pub use sketch::{Sketch, laid_out, sketch};
