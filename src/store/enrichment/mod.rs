//! Published facts about CVEs: the KEV catalogue and EPSS scores, and how far they are read.

pub(crate) mod epss;
pub(crate) mod kev;
pub(crate) mod state;
