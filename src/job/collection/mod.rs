//! Reading a paginated collection until the counts agree.

pub mod count;
pub mod page;
pub mod window;
