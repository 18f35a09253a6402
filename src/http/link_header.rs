//! The `Link` header (RFC 8288): where a paginated response continues.

use reqwest::header::{HeaderMap, LINK};
use url::{ParseError, Url};

/// The target of the first link with the relation `next`, resolved against `url`. It is
/// untrusted: check the origin.
pub(super) fn next(headers: &HeaderMap, url: &Url) -> Option<String> {
    let values = headers.get_all(LINK).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .find_map(target)
        .map(|target| url.join(target).map_or(target.to_owned(), Into::into))
}

/// Resolves a link that is relative to the page on which it stands. One from the root of the
/// server, or with a scheme, stays as it is.
pub fn resolved(page: &Url, link: &str) -> String {
    let link = link.trim();
    let is_relative = Url::parse(link) == Err(ParseError::RelativeUrlWithoutBase)
        && !link.starts_with(['/', '\\']);
    let url = page.join(link).ok().filter(|_| is_relative);
    url.map_or_else(|| link.to_owned(), Into::into)
}

/// Whether two links lead to the same page, in whatever form and from whatever server.
pub fn is_same_page(page: &Url, one: &str, other: &str) -> bool {
    let place = |link: &str| {
        let url = page.join(link.trim()).ok()?;
        let mut query: Vec<_> = url.query_pairs().into_owned().collect();
        query.sort_unstable();
        // Upstream writes the same path in both ways (contract §1).
        let path = url.path().replace("/api/v1/", "/api/");
        Some((path.trim_end_matches('/').to_owned(), query))
    };
    one.trim() == other.trim() || place(one).is_some_and(|one| place(other) == Some(one))
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
    use super::{is_same_page, resolved, target};

    #[test]
    fn a_relative_link_is_resolved_against_its_page() {
        let page = "https://x.example/svr/api/tickets/?page=1&page_size=2".parse();
        let Ok(page) = page else {
            panic!("a URL");
        };
        for (link, wanted) in [
            ("?page=2", "https://x.example/svr/api/tickets/?page=2"),
            (" next/ ", "https://x.example/svr/api/tickets/next/"),
            ("/api/tickets/?page=2", "/api/tickets/?page=2"),
            ("//evil.example/", "//evil.example/"),
            ("\\\\evil.example/", "\\\\evil.example/"),
            ("http://x.example/?page=2", "http://x.example/?page=2"),
            ("data:text/html,x", "data:text/html,x"),
        ] {
            assert_eq!(resolved(&page, link), wanted, "{link}");
        }
        let next = "/svr/api/tickets/?page=2&page_size=2";
        for (other, is_same) in [
            ("?page_size=2&page=2", true),
            (
                "http://internal:8000/svr/api/tickets?page=2&page_size=2",
                true,
            ),
            ("?page=3&page_size=2", false),
            ("?page=2", false),
        ] {
            assert_eq!(is_same_page(&page, next, other), is_same, "{other}");
        }
    }

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
