//! Watch-list discovery: the lists that upstream was last seen to have.

pub mod discovery;
