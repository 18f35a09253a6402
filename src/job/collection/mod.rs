//! Reading a paginated collection until the counts agree.

pub(crate) mod border;
pub(crate) mod count;
pub(crate) mod filter;
pub(crate) mod links;
pub(crate) mod next_page;
pub(crate) mod outside;
pub(crate) mod page;
pub(crate) mod parts;
pub(crate) mod repeats;
pub(crate) mod unnamed;
pub(crate) mod whole;
pub(crate) mod window;
