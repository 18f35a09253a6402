//! Links of a terminal (OSC 8): a text that leads to a page when it is clicked.

use super::colour;

const START: &str = "\u{1b}]8;;";
const END: &str = "\u{1b}\\";
/// Longest address. Terminals ignore what is much longer.
const MAX_BYTES: usize = 2000;

/// `text` as a link to `address`, where stdout is a terminal that may have links.
pub(super) fn hyperlink(text: &str, address: Option<&str>) -> String {
    match address.filter(|address| colour::has_links() && is_safe(address)) {
        Some(address) => format!("{START}{address}{END}{text}{START}{END}"),
        None => text.to_owned(),
    }
}

/// Whether an address can end neither the sequence nor lead to anything but a web page.
fn is_safe(address: &str) -> bool {
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    is_web && address.len() <= MAX_BYTES && address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The text without links, for a pager that does not know them and for its width.
pub(super) fn without_links(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some((before, link)) = rest.split_once(START) {
        plain.push_str(before);
        rest = link.split_once(END).map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::{is_safe, without_links};

    #[test]
    fn only_addresses_of_pages_are_links() {
        assert!(is_safe("https://host.example/SA1?x=%20"));
        for refused in [
            "",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "https://host.example/\u{1b}\\",
            "https://host.example/\u{7}",
            "https://host.example/a b",
            "https://host.example/ä",
        ] {
            assert!(!is_safe(refused), "{refused:?}");
        }
    }

    #[test]
    fn a_link_can_be_taken_off() {
        let text = "\u{1b}]8;;https://a.example/1\u{1b}\\SA1\u{1b}]8;;\u{1b}\\  title";
        assert_eq!(without_links(text), "SA1  title");
        assert_eq!(
            without_links("\u{1b}[31mred\u{1b}[0m"),
            "\u{1b}[31mred\u{1b}[0m"
        );
    }
}
