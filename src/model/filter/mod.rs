//! The filter language for advisories (docs/filter.md): parsed once, evaluated here for
//! rules and translated to SQL for searches (`store/reports/filter.rs`). Both use the
//! same three-valued logic: a comparison with a value that upstream did not send is
//! unknown, neither true nor false.

mod error;
mod evaluate;
mod field;
mod lexer;
mod moment;
mod operator;
mod parse;
mod text;
mod times;
mod tree;
mod value;

pub use error::{FilterError, misspelled, nearest};
pub use evaluate::{evaluate, explained, unknown_fields};
pub use field::{Field, FlagField, ListField, NumberField, TextField, TimeField};
pub use moment::FilterTime;
pub use parse::{parse_filter, says_critical};
pub use tree::{Filter, OrderComparison, StringComparison, Test, WatchListTest};
pub use value::{comparison, is_cve, severity_from_name, vector_from_name};

#[cfg(test)]
mod tests;
