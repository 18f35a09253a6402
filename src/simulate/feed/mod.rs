//! Feed documents (contract §5) in four profiles, and their possible faults.

mod attributes;
mod cvrf;
mod damage;
mod document;
mod encode;
mod file;
mod names;
mod xml;

pub use damage::{BOMB_BLOCK, Damage, gzip_bomb};
pub use document::SimulatedFeed;
pub use file::{FeedFile, FeedWritten, WriteFeedError, write_feed};
