//! What stands for what: the same value always becomes the same replacement.

use std::collections::BTreeMap;

/// What a value is, as far as its replacement should look like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A machine.
    Host,
    /// A mail address.
    Mail,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A short text: of a person, a list, a state.
    Name,
    /// A longer text.
    Text,
    /// What opens something, or might.
    Secret,
}

/// Stands for upstream itself.
const UPSTREAM: &str = "upstream.example";

/// Every value that was replaced, and by what. Numbers count in the order in
/// which values were met: equal answers make equal replacements.
#[derive(Debug, Default)]
pub struct Names {
    given: BTreeMap<String, String>,
    counts: BTreeMap<What, usize>,
}

impl Names {
    /// Knows upstream by its authority (`host:port`) and its host alone.
    pub fn new(upstream: &url::Url, token: &str) -> Self {
        let mut names = Self::default();
        let host = upstream.host_str().unwrap_or_default().to_owned();
        let authority = upstream.port().map(|port| format!("{host}:{port}"));
        for known in authority.into_iter().chain([host]) {
            names
                .given
                .insert(known.to_lowercase(), UPSTREAM.to_owned());
        }
        names
            .given
            .insert(token.to_lowercase(), "token-removed".to_owned());
        names
    }

    /// What stands for `value`.
    pub fn name(&mut self, what: What, value: &str) -> String {
        let key = value.to_lowercase();
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let count = self.counts.entry(what).or_default();
        *count += 1;
        let number = *count;
        let name = match what {
            What::Host => format!("host-{number}.example"),
            What::Mail => format!("mail-{number}@mail.example"),
            // 198.18.0.0/15 and 2001:db8::/32 are nobody's (RFC 2544, RFC 3849).
            What::Ip4 => format!("198.18.{}.{}", number / 256 % 256, number % 256),
            What::Ip6 => format!("2001:db8::{number:x}"),
            What::Name => format!("name-{number}"),
            What::Text => format!("text-{number} ({} characters)", value.chars().count()),
            What::Secret => format!("secret-{number}"),
        };
        self.given.insert(key, name.clone());
        name
    }

    /// What stands for a value that is known.
    pub fn known(&mut self, value: &str) -> String {
        self.name(What::Name, value)
    }

    /// Whether it is a replacement already: texts are searched twice.
    pub fn is_ours(host: &str) -> bool {
        host == UPSTREAM || host.ends_with(".example") && host.starts_with("host-")
    }

    /// The texts that stand for upstream and for the token.
    pub fn fixed(upstream: &url::Url, token: &str) -> Vec<String> {
        Self::new(upstream, token).given.into_keys().collect()
    }
}
