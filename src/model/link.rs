//! Links of alerts: templates of the configuration, filled with identifiers.

use std::fmt::Write as _;

use url::Url;

/// Longest template, in bytes.
const MAX_TEMPLATE_BYTES: usize = 1000;

/// An address with placeholders such as `{said}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(String),
}

/// The templates for the links of alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkTemplates {
    /// The page of an advisory: `{said}`, `{id}`.
    pub advisory: Option<LinkTemplate>,
    /// The page of a ticket: `{number}`, `{id}`, `{said}`.
    pub ticket: Option<LinkTemplate>,
}

impl LinkTemplate {
    /// Reads a template: `https://` or `http://`, a host, and at least one of the
    /// placeholders behind it.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn new(text: &str, placeholders: &[&str]) -> Result<Self, String> {
        let known: Vec<String> = placeholders
            .iter()
            .map(|name| format!("`{{{name}}}`"))
            .collect();
        let known = known.join(", ");
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(format!("expected at most {MAX_TEMPLATE_BYTES} bytes"));
        }
        let parts = parts(text, placeholders)
            .ok_or_else(|| format!("expected no braces other than {known}"))?;
        let template = Self(parts);
        if !template.is_link() {
            return Err(format!(
                "expected `https://`, a host, and behind it at least one of {known}, such as \
                 `https://host.example/{{{}}}`",
                placeholders.first().unwrap_or(&"said")
            ));
        }
        Ok(template)
    }

    /// Whether it leads to the same host whatever the placeholders stand for.
    fn is_link(&self) -> bool {
        let [Part::Text(first), _, ..] = self.0.as_slice() else {
            return false;
        };
        let host = first
            .strip_prefix("https://")
            .or_else(|| first.strip_prefix("http://"));
        let is_whole = host.is_some_and(|host| host.contains('/'));
        let is_visible = |part: &Part| match part {
            Part::Text(text) => text.chars().all(is_of_address),
            Part::Placeholder(_) => true,
        };
        is_whole
            && self.0.iter().all(is_visible)
            && Url::parse(first).is_ok_and(|url| {
                url.has_host() && url.username().is_empty() && url.password().is_none()
            })
    }

    /// The address for these values, percent-encoded; `None` if one is not known.
    pub fn fill(&self, values: &[(&str, Option<String>)]) -> Option<String> {
        let mut address = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => address.push_str(text),
                Part::Placeholder(name) => {
                    let (_, value) = values.iter().find(|(known, _)| known == name)?;
                    encode(value.as_deref()?, &mut address);
                }
            }
        }
        Some(address)
    }
}

/// Texts and placeholders in turn; `None` for an unknown placeholder.
fn parts(text: &str, placeholders: &[&str]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if before.contains('}') || !placeholders.contains(&name) {
            return None;
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Placeholder(name.to_owned()));
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Some(parts)
}

/// Whether an address may contain this character (RFC 3986).
fn is_of_address(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(letter)
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encode(value: &str, address: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::LinkTemplate;

    #[test]
    fn values_are_percent_encoded_and_lead_nowhere_else() {
        let template = LinkTemplate::new("https://h.example/a/{said}?t={id}", &["said", "id"]);
        let template = template.unwrap();
        let said = Some("../SA 1/ä?&<>|".to_owned());
        let link = template.fill(&[("said", said), ("id", Some("7".into()))]);
        let wanted = "https://h.example/a/..%2FSA%201%2F%C3%A4%3F%26%3C%3E%7C?t=7";
        assert_eq!(link.as_deref(), Some(wanted));
        assert_eq!(template.fill(&[("said", Some("SA1".into()))]), None);
    }

    #[test]
    fn what_is_no_link_is_refused() {
        for wrong in [
            "https://h.example/",
            "ftp://h.example/{said}",
            "javascript://h.example/{said}",
            "https://{said}.example/",
            "https://h.example{said}",
            "https://me:pw@h.example/{said}",
            "https://h.example/{name}",
            "https://h.example/{said",
            "https://h.example/said}{said}",
            "https://h.example/<{said}>",
            "https://h.example/a b/{said}",
            "/{said}",
            "",
        ] {
            assert!(LinkTemplate::new(wrong, &["said"]).is_err(), "{wrong}");
        }
    }
}
