//! Published facts about CVEs (`[enrichment]`): read the KEV catalogue and EPSS scores, and
//! record which advisories they concern.

mod applied;
mod apply;
mod epss;
mod failure;
mod file;
pub mod pull;

pub use applied::Applied;
pub use apply::Terms;
pub use failure::NotEnriched;
