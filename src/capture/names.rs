//! Replacements of personal values: the same value always gets the same replacement.

use std::collections::BTreeMap;

/// Kind of a value; its replacement looks similar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReplacedKind {
    /// A machine.
    Host,
    /// A mail address.
    Mail,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A telephone number.
    Phone,
    /// A short text: name of a person, a list, a state.
    Name,
    /// A longer text.
    Text,
    /// A secret, or possibly one.
    Secret,
}

/// Replacement of upstream's host.
const UPSTREAM: &str = "upstream.example";

/// All replaced values and their replacements, numbered in the order of first use:
/// equal responses get equal replacements.
#[derive(Debug, Default)]
pub struct Replacements {
    given: BTreeMap<String, String>,
    counts: BTreeMap<ReplacedKind, usize>,
}

impl Replacements {
    /// With upstream's authority (`host:port`) and its host alone.
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

    /// The replacement of `value`.
    pub fn name(&mut self, what: ReplacedKind, value: &str) -> String {
        let key = value.to_lowercase();
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let count = self.counts.entry(what).or_default();
        *count += 1;
        let number = *count;
        let name = match what {
            ReplacedKind::Host => format!("host-{number}.example"),
            ReplacedKind::Mail => format!("mail-{number}@mail.example"),
            // 198.18.0.0/15 and 2001:db8::/32 are reserved (RFC 2544, RFC 3849).
            ReplacedKind::Ip4 => format!("198.18.{}.{}", number / 256 % 256, number % 256),
            ReplacedKind::Ip6 => format!("2001:db8::{number:x}"),
            ReplacedKind::Phone => format!("phone-{number}"),
            ReplacedKind::Name => format!("name-{number}"),
            ReplacedKind::Text => format!("text-{number} ({} characters)", value.chars().count()),
            ReplacedKind::Secret => format!("secret-{number}"),
        };
        self.given.insert(key, name.clone());
        name
    }

    /// The replacement of a known value.
    pub fn known(&mut self, value: &str) -> String {
        self.name(ReplacedKind::Name, value)
    }

    /// Whether it is already a replacement: texts are searched twice.
    pub fn is_ours(host: &str) -> bool {
        host == UPSTREAM || host.ends_with(".example") && host.starts_with("host-")
    }

    /// The replacements of upstream and of the token.
    pub fn fixed(upstream: &url::Url, token: &str) -> Vec<String> {
        Self::new(upstream, token).given.into_keys().collect()
    }
}
