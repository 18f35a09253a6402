//! Watch lists of the account: the lists that upstream was last seen to have, what they
//! contain, and what awaits approval.

pub(crate) mod content;
pub(crate) mod discovery;
pub(crate) mod evidence;
pub(crate) mod listed_name;
pub(crate) mod mirror;
