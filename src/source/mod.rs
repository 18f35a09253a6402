//! Where things come from: upstream's bytes in, the model out. Reading is pure;
//! only the client behind `http` touches the network.

pub mod approval;
pub mod asset_list;
mod broken_page;
mod damaged_json;
pub mod detail;
mod detail_text;
pub mod enrichment;
mod half_characters;
pub(crate) mod json_text;
pub mod large;
pub(crate) mod list_item;
pub mod page;
mod page_claims;
mod page_envelope;
mod page_rows;
pub(crate) mod path;
mod readable_part;
pub(crate) mod repaired_row;
mod repeated_keys;
mod storable;
pub mod ticket;
pub(crate) mod ticket_values;
mod unreadable;
pub mod xml;
