//! OAuth 2.0 client credentials of a hook (RFC 6749, 4.4).

use url::Url;

use super::super::super::environment::Environment;
use super::super::super::secret_file::{SecretFile, secret_file};
use super::super::super::section::Section;
use super::super::super::setting_error::NOT_SHOWN;
use super::super::super::tree::SettingNode;
use super::super::super::values::text;
use super::super::target::{needs_permission, parse_url};
use crate::config::advice::Advice;

/// `oauth2`: an access token for this client is requested, used until it expires, and
/// requested again when it is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oauth2 {
    /// Where tokens are requested.
    pub token_url: Url,
    /// The client.
    pub client_id: String,
    /// The file that contains the client's secret.
    pub secret: SecretFile,
    /// `scope`; if omitted, none is requested.
    pub scope: Option<String>,
    /// How the client authenticates itself. Default: in the body.
    pub login: Oauth2Login,
}

/// Where the client's id and secret stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oauth2Login {
    /// `client_id` and `client_secret` in the form.
    Body,
    /// `Authorization: Basic`.
    Basic,
}

impl Oauth2 {
    pub(super) fn read(
        section: &mut Section<'_>,
        env: &Environment,
        allows_private: bool,
    ) -> Option<Self> {
        section.has("oauth2").then_some(())?;
        let mut section = section.section("oauth2");
        section.refuse(
            "client_secret",
            "the secret does not belong here; store it in a file and set `secret_file`",
        );
        for (key, advice) in [
            ("token_url", "add the URL where tokens are requested"),
            ("client_id", "add the client's id"),
            (
                "secret_file",
                "add the file that contains the client's secret",
            ),
        ] {
            if !section.has(key) {
                section.missing(key, advice);
            }
        }
        let token_url = section.secret("token_url", |node| Ok(parse_url(&text(node)?)?));
        let oauth2 = (
            section.secret("client_id", text),
            section.secret("secret_file", secret_file(env)),
            section.optional("scope", text),
            section.value("login", Oauth2Login::Body, login),
        );
        if let Some(url) = &token_url
            && !allows_private
            && let Some(advice) = needs_permission(url)
        {
            section.wrong("token_url", NOT_SHOWN, advice);
        }
        section.close();
        let (client_id, secret, scope, login) = oauth2;
        Some(Self {
            token_url: token_url?,
            client_id: client_id?,
            secret: secret?,
            scope,
            login,
        })
    }
}

fn login(node: &SettingNode) -> Result<Oauth2Login, Advice> {
    match text(node)?.as_str() {
        "body" => Ok(Oauth2Login::Body),
        "basic" => Ok(Oauth2Login::Basic),
        other => Err(Advice::one_of(other, &["body", "basic"])),
    }
}
