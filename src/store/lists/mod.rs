//! Watch-list discovery: the lists that upstream was last seen to have.

pub(crate) mod discovery;
