//! advisoryd
fn main() {}
