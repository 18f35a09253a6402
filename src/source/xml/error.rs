//! Errors of feed documents, records and rules.

use thiserror::Error;

use crate::config::AliasField;

/// Why a document cannot be read to its end. Records handed out before it stay
/// valid: each is whole in itself. Positions count bytes of the document's text
/// in UTF-8, after a byte order mark.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FeedError {
    /// Nothing but white space or comments came.
    #[error("the document is empty")]
    Empty,
    /// A login, error or proxy page.
    #[error("received an HTML page instead of an XML document")]
    Html,
    /// Well formed, but no element is a record (contract §5).
    #[error("structure not recognised: {why}; {}", seen(names))]
    NotRecognised {
        /// What is missing.
        why: String,
        /// The name under which the identifiers stand, if that is all that is unknown; `why`
        /// says what to do.
        identifier: Option<String>,
        /// Names of elements, the first few.
        names: Vec<String>,
    },
    /// Records were found, and none could be read.
    #[error("none of the {records} records can be read: {reason}")]
    Unreadable {
        /// How many there are.
        records: u64,
        /// What is wrong with the first one.
        reason: String,
    },
    /// The document itself says that something failed upstream.
    #[error("the document reports an error: {text}")]
    Reported {
        /// In its words.
        text: String,
    },
    /// The document itself says that something is missing in it.
    #[error("the document says that it is not complete: `{text}`")]
    Partial {
        /// Where it says so.
        text: String,
    },
    /// A cache or server mixed up two requests.
    #[error("the document is of another watch list than {list}: it says `{text}`")]
    OtherList {
        /// The list that was requested.
        list: i64,
        /// Where it says so.
        text: String,
    },
    /// The document's own count of records is none.
    #[error("the document's count of records is not a number: `{text}`")]
    Count {
        /// As it stands there.
        text: String,
    },
    /// A saved document is one page of several.
    #[error("the document is one page of several (its `next` is `{next}`)")]
    OnePage {
        /// The link.
        next: String,
    },
    /// Text where only records belong: something broke while it was written.
    #[error("text outside of the records at byte {at}: `{text}`")]
    Text {
        /// Where.
        at: u64,
        /// What it says.
        text: String,
    },
    /// Compressed in a way that is not read, or twice, or in UTF-32.
    #[error(
        "the document is {format}; expected XML in UTF-8, UTF-16 or a declared encoding, uncompressed or compressed once with gzip or zstd"
    )]
    Format {
        /// What it looks like.
        format: &'static str,
    },
    /// The document ends before its root element does.
    #[error("the document is cut short after {at} bytes")]
    Truncated {
        /// How much came.
        at: u64,
    },
    /// An element is not ended, in a document that is.
    #[error("the end tag of `<{name}>` ({}) is missing", place(*line, *column, key.as_deref()))]
    EndTag {
        /// The element.
        name: String,
        /// Line of its start tag, from 1.
        line: u64,
        /// Column of its start tag, in characters, from 1.
        column: u64,
        /// The identifier in it, if it has one.
        key: Option<String>,
    },
    /// Something outside of records is no XML.
    #[error("the document is not well formed at byte {at}: {what}")]
    IllFormed {
        /// Where.
        at: u64,
        /// What is wrong there.
        what: String,
    },
    /// A document type with entities of its own, such as an entity bomb.
    #[error("entity declarations are refused (byte {at})")]
    EntityDeclaration {
        /// Where the document type declaration begins.
        at: u64,
    },
    /// A document type that points outside of the document.
    #[error("external document types and entities are refused (byte {at})")]
    External {
        /// Where the document type declaration begins.
        at: u64,
    },
    /// Wrappers inside wrappers.
    #[error("elements are nested deeper than {limit} at byte {at}")]
    TooDeep {
        /// The limit, in elements.
        limit: usize,
        /// Where.
        at: u64,
    },
    /// One record, or one piece of markup between records, is too large.
    #[error("`{name}` at byte {at} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The element, or what kind of markup it is.
        name: String,
        /// The limit, in bytes.
        limit_bytes: usize,
        /// Where it begins.
        at: u64,
    },
    /// Elements, comments or instructions without end in place of records.
    #[error(
        "more than {limit} tags, comments and other elements in a row without a record, up to byte {at}"
    )]
    NoRecords {
        /// The limit, in pieces of markup.
        limit: usize,
        /// Where.
        at: u64,
    },
    /// The declared character encoding is not one we know.
    #[error("character encoding `{label}` is not known")]
    Encoding {
        /// As it was declared.
        label: String,
    },
}

fn place(line: u64, column: u64, key: Option<&str>) -> String {
    let key = key.map_or_else(String::new, |key| format!(", {key}"));
    format!("line {line}, column {column}{key}")
}

fn seen(names: &[String]) -> String {
    match names {
        [] => "it contains no other element".to_owned(),
        _ => format!("elements seen: {}", names.join(", ")),
    }
}

/// Why one record could not be read. It goes to quarantine; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct UnreadableRecord {
    /// The identifier, where it is certainly its own.
    pub key: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// Identifiers in it that may be its own or those of other advisories: their details are
    /// worth a request.
    pub hints: Vec<String>,
    /// Further advisories that it may hold, where it is not certain where one
    /// ends and another begins.
    pub others: Vec<Other>,
    /// Whether only its beginning was kept, because it is too large.
    pub is_beginning: bool,
    /// Whether it only names an advisory: if that is stored, nothing is missing.
    pub is_pointer: bool,
}

/// A further advisory that a record holds, or that an unreadable one may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// Its identifier.
    pub key: String,
    /// The text around it.
    pub raw: String,
}

impl UnreadableRecord {
    /// About no advisory that could be made out.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            key: None,
            reason: reason.into(),
            hints: Vec::new(),
            others: Vec::new(),
            is_beginning: false,
            is_pointer: false,
        }
    }
}

/// Why the configured rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RulesError {
    /// The pattern is no regular expression.
    #[error("id pattern `{pattern}` is not a regular expression: {why}")]
    Pattern {
        /// As configured.
        pattern: String,
        /// What the parser of expressions says.
        why: String,
    },
    /// The pattern would take any blank element for an identifier.
    #[error(
        "id pattern `{pattern}` matches an empty text; write one that names the identifier, such as `SA[0-9]{{1,7}}`"
    )]
    EmptyMatch {
        /// As configured.
        pattern: String,
    },
    /// An alias for something that advisories do not have.
    #[error("`{field}` is not a field of advisories; write one of {}", AliasField::NAMES.join(", "))]
    UnknownField {
        /// As configured.
        field: String,
    },
    /// An alias that is no path.
    #[error(
        "alias `{alias}` of `{field}` is not a path; write names separated by `/`, an attribute as `@name` at the end"
    )]
    Path {
        /// The field.
        field: String,
        /// As configured.
        alias: String,
    },
}
