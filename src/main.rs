//! The `advisoryd` command.

fn main() {}
