//! Reading a paginated collection until the counts agree.

pub(crate) mod count;
pub(crate) mod links;
pub(crate) mod page;
pub(crate) mod parts;
pub(crate) mod whole;
pub(crate) mod window;
