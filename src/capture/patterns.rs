//! Patterns of personal data in text: URLs, mail addresses, hosts, IP addresses, tokens.

use std::net::{Ipv4Addr, Ipv6Addr};

use regex::{Captures, Regex, RegexBuilder};

use super::names::{ReplacedKind, Replacements};

/// Addresses with a scheme, home directories, mail addresses, shares, IP addresses,
/// international telephone numbers, host names and long hexadecimal numbers (tokens,
/// sessions), in the order in which they are tried.
const PATTERN: &str = concat!(
    r"(?<scheme>(?-u:\b)[A-Za-z][A-Za-z0-9+.-]{1,12}://)(?<authority>\[[0-9A-Fa-f:.]+\][^ \t\r\n/?#\x22'<>]*|[^ \t\r\n/?#\x22'<>()\[\]]+)",
    r"|(?<before>(?-u:\b)[A-Za-z]:[\\/](?i-u:users|documents and settings)[\\/]|/(?:home|Users)/)(?<user>[^\\/:*?\x22'<>|\r\n\t ]+)",
    r"|(?<mail>[A-Za-z0-9\x{80}-\x{10ffff}._%+-]+@[A-Za-z0-9\x{80}-\x{10ffff}-]+(?:\.[A-Za-z0-9\x{80}-\x{10ffff}-]+)*)",
    r"|(?<share>\\\\[A-Za-z0-9\x{80}-\x{10ffff}._-]+)",
    r"|(?<four>(?-u:\b)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?-u:\b))",
    r"|(?<six>(?-u:\b)[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}|::[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*)",
    r"|(?<phone>\+[1-9][0-9]{0,2}(?:[ ./-]?\(?[0-9]{1,6}\)?){2,6}(?-u:\b))",
    r"|(?<host>(?-u:\b)(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?-u:\b))",
    r"|(?<hex>(?-u:\b)[0-9A-Fa-f]{32,}(?-u:\b))",
);
/// Minimum number of digits of a telephone number with its country code.
const MIN_PHONE_DIGITS: usize = 8;
/// Size limit of the regular expression for the account's names, which are
/// searched for in every text; enough for thousands of names.
const MAX_PATTERN_BYTES: usize = 64 << 20;

/// Replaces personal data in text.
#[derive(Debug)]
pub struct Patterns {
    general: Regex,
    /// Replaced everywhere.
    fixed: Regex,
    /// Replaced as whole words.
    known: Option<Regex>,
}

impl Patterns {
    /// `fixed` must never be written, not even as part of something longer; `known`
    /// are names.
    pub fn new(fixed: &[String], known: &[String]) -> Result<Self, regex::Error> {
        Ok(Self {
            general: Regex::new(PATTERN)?,
            fixed: one_of(fixed)?,
            known: (!known.is_empty()).then(|| one_of(known)).transpose()?,
        })
    }

    /// The text with replacements; `None` if nothing was replaced.
    pub fn replace(&self, text: &str, names: &mut Replacements) -> Option<String> {
        let mut out = self.replace_fixed(text, names);
        if let Some(known) = &self.known {
            out = replace_words(known, &out, |word| names.known(word));
        }
        let replaced = self
            .general
            .replace_all(&out, |found: &Captures<'_>| general(found, names));
        let out = replaced.into_owned();
        (out != text).then_some(out)
    }

    /// The text without what must never be written.
    pub fn replace_fixed(&self, text: &str, names: &mut Replacements) -> String {
        self.fixed
            .replace_all(text, |found: &Captures<'_>| names.known(&found[0]))
            .into_owned()
    }

    /// Whether a value consists of exactly one address.
    pub fn is_address(&self, value: &str) -> bool {
        let found = self.general.captures(value);
        found.is_some_and(|found| found[0].len() == value.len() && found.name("scheme").is_none())
    }
}

fn one_of(texts: &[String]) -> Result<Regex, regex::Error> {
    let mut texts: Vec<&String> = texts.iter().collect();
    // Longest first: of two names with the same beginning, the longer one matches.
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let escaped: Vec<String> = texts.iter().map(|text| any_case(text)).collect();
    RegexBuilder::new(&format!("(?:{})", escaped.join("|")))
        .size_limit(MAX_PATTERN_BYTES)
        .build()
}

/// A pattern in which ASCII letters match case-insensitively and all other
/// characters exactly.
fn any_case(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphabetic() {
            let (small, large) = (letter.to_ascii_lowercase(), letter.to_ascii_uppercase());
            pattern.extend(['[', small, large, ']']);
        } else {
            pattern.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
        }
    }
    pattern
}

/// Replaces whole words only: not parts of a longer word or of an address, which
/// is replaced as a whole.
fn replace_words(known: &Regex, text: &str, mut name: impl FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut from) = (0, 0);
    while let Some(found) = known.find_at(text, from) {
        let goes_on = |letters: &mut dyn Iterator<Item = char>| match letters.next() {
            Some('.') => letters.next().is_some_and(char::is_alphanumeric),
            Some(letter) => letter.is_alphanumeric() || matches!(letter, '@' | '-' | '_'),
            None => false,
        };
        let before = goes_on(&mut text[..found.start()].chars().rev());
        if before || goes_on(&mut text[found.end()..].chars()) {
            let step = text[found.start()..]
                .chars()
                .next()
                .map_or(1, char::len_utf8);
            from = found.start() + step;
            continue;
        }
        out.push_str(&text[copied..found.start()]);
        out.push_str(&name(found.as_str()));
        copied = found.end();
        from = found.end();
    }
    out.push_str(&text[copied..]);
    out
}

fn general(found: &Captures<'_>, names: &mut Replacements) -> String {
    let part = |name: &str| found.name(name).map(|part| part.as_str());
    if let (Some(scheme), Some(authority)) = (part("scheme"), part("authority")) {
        return format!("{scheme}{}", self::authority(authority, names));
    }
    if let (Some(before), Some(user)) = (part("before"), part("user")) {
        return format!("{before}{}", names.known(user));
    }
    if let Some(phone) = part("phone") {
        return telephone(phone, names);
    }
    if let Some(mail) = part("mail") {
        return names.name(ReplacedKind::Mail, mail);
    }
    if let Some(share) = part("share") {
        return format!(r"\\{}", machine(share.trim_start_matches('\\'), names));
    }
    match part("four").or(part("six")).or(part("host")) {
        Some(machine) => self::machine(machine, names),
        None => names.name(ReplacedKind::Secret, &found[0]),
    }
}

/// A telephone number. Offsets of time zones and versions have fewer digits.
fn telephone(text: &str, names: &mut Replacements) -> String {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits < MIN_PHONE_DIGITS {
        return text.to_owned();
    }
    names.name(ReplacedKind::Phone, text)
}

/// The part between `//` and the path: users and passwords are removed, the port stays.
fn authority(authority: &str, names: &mut Replacements) -> String {
    let bare = authority.rsplit('@').next().unwrap_or_default();
    let host = bare.trim_end_matches(['.', ',', ';']);
    let rest = &bare[host.len()..];
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (host, format!(":{port}"))
        }
        _ => (host, String::new()),
    };
    let is_v6 = host.starts_with('[');
    let name = machine(host.trim_matches(['[', ']']), names);
    if is_v6 {
        format!("[{name}]{port}{rest}")
    } else {
        format!("{name}{port}{rest}")
    }
}

/// A host name or an IP address. Times and version numbers may look similar.
fn machine(text: &str, names: &mut Replacements) -> String {
    if Replacements::is_ours(text) {
        return text.to_owned();
    }
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match (text.parse::<Ipv4Addr>(), text.parse::<Ipv6Addr>()) {
        (Ok(_), _) => names.name(ReplacedKind::Ip4, text),
        (_, Ok(_)) if text.len() > 2 => names.name(ReplacedKind::Ip6, text),
        _ if digits || text.contains(':') => text.to_owned(),
        _ => names.name(ReplacedKind::Host, text),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Patterns;
    use crate::capture::names::Replacements;

    #[test]
    fn addresses_go_the_same_way_everywhere_and_other_texts_stay() {
        let upstream = "https://api.corp.test:8443/x".parse().unwrap();
        let token = "0123456789abcdef";
        let known = ["ada lovelace".to_owned(), "ada".to_owned()];
        let patterns = Patterns::new(&Replacements::fixed(&upstream, token), &known).unwrap();
        let mut names = Replacements::new(&upstream, token);
        let mut after = |text: &str| {
            let after = patterns.replace(text, &mut names);
            after.unwrap_or_else(|| "same".to_owned())
        };
        for (text, wanted) in [
            (
                "mail ada@files.corp.test, please",
                "mail mail-1@mail.example, please",
            ),
            (
                "on files.corp.test (10.1.2.3).",
                "on host-1.example (198.18.0.1).",
            ),
            (
                "see http://me:pw@files.corp.test:80/a?b and https://10.1.2.3/.",
                "see http://host-1.example:80/a?b and https://198.18.0.1/.",
            ),
            (
                r"copy \\files.corp.test\share",
                r"copy \\host-1.example\share",
            ),
            ("http://intranet/x", "http://host-2.example/x"),
            (
                "fe80::1 and [2001:db8:7::2]",
                "2001:db8::1 and [2001:db8::2]",
            ),
            (
                "https://api.corp.test:8443/api/v1/?page=2",
                "https://upstream.example/api/v1/?page=2",
            ),
            ("x-0123456789ABCDEF-x", "x-token-removed-x"),
            ("Ada Lovelace and Ada.", "name-1 and name-2."),
            ("d41d8cd98f00b204e9800998ecf8427e", "secret-1"),
            (
                "adapt Canada to ada-core at 13:35:05 in 1.0.2k or 4.0.30319.1",
                "same",
            ),
            (
                "2019-03-01T13:35:05Z AV:N/AC:L/Au:N e.g. CVE-2019-1234 x::y",
                "same",
            ),
        ] {
            assert_eq!(after(text), wanted, "{text}");
        }
    }
}
