//! Where things come from: upstream's bytes in, the model out. Reading is pure;
//! only the client behind `http` touches the network.

pub(crate) mod asset_list;
pub(crate) mod detail;
pub(crate) mod json_text;
pub(crate) mod page;
pub(crate) mod path;
pub mod ticket;
pub(crate) mod xml;
