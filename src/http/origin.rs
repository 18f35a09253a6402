//! Origin check: the token is sent only to the origin of `upstream.base_url`.

use url::Url;

use super::error::ClientError;
use super::quote::{asked, quote};

/// Upstream's origin: the only scheme, host and port that the token is sent to.
#[derive(Debug, Clone)]
pub(super) struct UpstreamOrigin {
    base: Url,
}

impl UpstreamOrigin {
    pub(super) fn new(base: Url) -> Self {
        Self { base }
    }

    /// The URL of a path (`/api/tickets/`) with query parameters.
    pub(super) fn url(&self, path: &str, query: &[(String, String)]) -> Url {
        let mut url = self.base.clone();
        let before = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{before}/{}", path.trim_start_matches('/')));
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Resolves `target` relative to `from`, if the result is on this origin. `next`
    /// and `Location` are untrusted: following them to another origin would leak the
    /// token (contract §4).
    pub(super) fn follow(&self, from: &Url, target: &str) -> Result<Url, ClientError> {
        let elsewhere = || ClientError::Elsewhere {
            url: asked(from),
            target: quote(target),
            origin: self.base.origin().ascii_serialization(),
        };
        let mut url = from.join(target.trim()).map_err(|_| elsewhere())?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        if url.origin() != self.base.origin() || has_user {
            return Err(elsewhere());
        }
        url.set_fragment(None);
        Ok(url)
    }

    /// Resolves a redirect, if its target asks for the same: a feed without the id of its
    /// list would be that of all lists.
    pub(super) fn redirected(&self, from: &Url, target: &str) -> Result<Url, ClientError> {
        let url = self.follow(from, target)?;
        let lost = from
            .query_pairs()
            .find(|asked| url.query_pairs().all(|kept| kept != *asked));
        match lost {
            None => Ok(url),
            Some((name, _)) => Err(ClientError::LostParameter {
                url: asked(from),
                target: quote(target),
                name: quote(&name),
            }),
        }
    }

    /// Resolves a `next` link.
    pub(super) fn next(&self, next: &str) -> Result<Url, ClientError> {
        self.follow(&self.base, next)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::UpstreamOrigin;

    #[test]
    fn only_links_to_the_same_scheme_host_and_port_are_followed() {
        let origin = UpstreamOrigin::new("https://api.example".parse().unwrap());
        for (next, good) in [
            ("https://api.example/api/tickets/?page=2", true),
            ("https://api.example:443/api/v1/tickets/?page=2", true),
            ("https://API.example/api/", true),
            ("/api/v1/tickets/?page=2", true),
            ("?page=2", true),
            ("http://api.example/api/", false),
            ("https://api.example:8443/api/", false),
            ("https://api.example.evil/api/", false),
            ("https://api.example@evil.example/api/", false),
            ("https://me:pw@api.example/api/", false),
            ("//evil.example/api/", false),
            ("\\\\evil.example/api/", false),
            ("https:\\\\evil.example", false),
            ("file:///etc/passwd", false),
            ("data:text/html,x", false),
            ("http://[", false),
        ] {
            assert_eq!(origin.next(next).is_ok(), good, "{next}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_parameters_of_the_request() {
        let origin = UpstreamOrigin::new("https://api.example".parse().unwrap());
        let from = "https://api.example/api/xml-feed?asset_list_id=4&days=2";
        for (target, good) in [
            ("/api/xml-feed/?asset_list_id=4&days=2", true),
            ("/api/v1/xml-feed/?days=2&asset_list_id=4&x=1", true),
            ("/api/xml-feed/", false),
            ("/api/xml-feed/?days=2", false),
            ("/api/xml-feed/?asset_list_id=5&days=2", false),
            (
                "https://other.example/api/xml-feed/?asset_list_id=4&days=2",
                false,
            ),
        ] {
            let redirected = origin.redirected(&from.parse().unwrap(), target);
            assert_eq!(redirected.is_ok(), good, "{target}: {redirected:?}");
        }
    }

    #[test]
    fn paths_go_behind_the_base_and_queries_are_encoded() {
        let query = [("a b".to_owned(), "ü&1".to_owned())];
        for (base, url) in [
            (
                "https://x.example",
                "https://x.example/api/t/?a+b=%C3%BC%261",
            ),
            (
                "https://x.example/svr/",
                "https://x.example/svr/api/t/?a+b=%C3%BC%261",
            ),
        ] {
            let origin = UpstreamOrigin::new(base.parse().unwrap());
            assert_eq!(origin.url("/api/t/", &query).as_str(), url);
        }
    }
}
