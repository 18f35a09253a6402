//! The `Link` header (RFC 8288): where a paginated response continues.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// The target of the first link with the relation `next`, resolved against `url`. It is
/// untrusted: check the origin.
pub(super) fn next(headers: &HeaderMap, url: &Url) -> Option<String> {
    let values = headers.get_all(LINK).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .find_map(target)
        .map(|target| url.join(target).map_or(target.to_owned(), Into::into))
}

fn target(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, link) = rest.split_once('<')?;
        let (target, behind) = link.split_once('>')?;
        // A quoted parameter may contain anything, but no second link in front of `<`.
        let parameters = behind.split('<').next().unwrap_or_default();
        if is_next(parameters) {
            return Some(target.trim());
        }
        rest = behind;
    }
}

fn is_next(parameters: &str) -> bool {
    let mut relations = parameters.split([';', ',']).filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("rel")
            .then(|| value.trim().trim_matches(['"', '\'']))
    });
    relations.any(|value| {
        let mut words = value.split_ascii_whitespace();
        words.any(|word| word.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn only_the_relation_next_leads_on() {
        for (header, found) in [
            ("<https://x/2>; rel=\"next\"", Some("https://x/2")),
            ("</2?a=1,2>; title=\"a, b\"; rel=next", Some("/2?a=1,2")),
            (
                "<https://x/0>; rel=prev, <https://x/2>; rel=\"last Next\"",
                Some("https://x/2"),
            ),
            ("<https://x/style.css>; rel=preload; as=style", None),
            ("<https://x/9>; rel=\"last\"", None),
            ("<https://x/9>; title=\"next\"", None),
            ("nonsense", None),
        ] {
            assert_eq!(target(header), found, "{header}");
        }
    }
}
