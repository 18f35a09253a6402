//! SSRF guard: resolves names and lets only public addresses through.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::is_public;

/// DNS resolver that returns only public addresses. The connection uses exactly the
/// addresses that were checked, so a name cannot resolve to another address between
/// check and use (DNS rebinding).
#[derive(Debug)]
pub(super) struct SsrfGuard;

impl Resolve for SsrfGuard {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (public, private): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.partition(|address| is_public(address.ip()));
            if let (true, Some(address)) = (public.is_empty(), private.first()) {
                let text = format!(
                    "{} is {}, which is not a public address; set `allow_private = true` \
                     if this is intended",
                    name.as_str(),
                    address.ip()
                );
                return Err(io::Error::other(text).into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}
