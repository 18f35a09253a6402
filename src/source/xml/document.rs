//! What a feed document turned out to be once it was read to its end.

use super::profile::Profile;

/// What a document that was read to its end turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Records handed out.
    pub records: u64,
    /// Name of the root element, as written.
    pub root: String,
    /// Name of the first record's element, as written.
    pub record: Option<String>,
    /// The shape that the first record has.
    pub profile: Profile,
    /// How many records the envelope claims there are (`count`), perhaps on all pages together.
    pub claimed: Option<u64>,
    /// Where the envelope says that more follows. From outside: check the origin.
    pub next: Option<String>,
    /// Elements that are neither records nor known envelope, the first few names.
    pub ignored: Vec<String>,
}
