//! What the fuzz targets call. It is kept beside the tests, since `cargo test` runs the
//! stored corpus through it.

#![expect(clippy::expect_used, reason = "a target says what failed by panicking")]

#[path = "../front_door/fuzzed.rs"]
mod fuzzed;

pub use fuzzed::*;
