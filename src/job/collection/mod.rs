//! Reading a paginated collection until the counts agree.

pub mod page;
pub mod window;
