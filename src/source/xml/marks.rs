//! Marks of our own in records.

/// Stands before an end tag that was added to a record. It has no digits, which could be an
/// identifier.
pub(super) const END_TAG: &str = "<?advisoryd end-tag-was-missing?>";
