//! Where things come from: upstream's bytes in, the model out. Reading is pure;
//! only the client behind `http` touches the network.

pub mod detail;
pub mod page;
pub mod ticket;
pub mod xml;
