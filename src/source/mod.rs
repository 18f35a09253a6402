//! Where things come from: upstream's bytes in, the model out. Reading is pure;
//! only the client behind `http` touches the network.

pub mod approval;
pub mod asset_list;
mod damaged_json;
pub mod detail;
pub mod enrichment;
pub(crate) mod json_text;
pub mod list_item;
pub mod page;
mod page_claims;
pub(crate) mod path;
pub mod ticket;
pub mod xml;
