//! Bundles for air-gapped sites: `mirror` saves upstream's responses in a directory,
//! `import` reads them in place of upstream.

mod error;
mod folder;
mod manifest;
mod record;
mod record_json;
mod take;

pub use error::NotABundle;
pub use folder::{Unfinished, finish, resume};
pub use manifest::{Key, VerifiedBundle, open};
pub use record::{Recorded, published, record};
pub use take::{ImportedItem, complete, take};
