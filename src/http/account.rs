//! Identifies an account of upstream without its token.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::Url;

use crate::config::ApiToken;

/// Bytes of the hash that are kept: enough to distinguish accounts, too few to find a
/// token by its hash.
const BYTES: usize = 8;

/// A hash of upstream's origin, keyed with the token and cut to 64 bits, in hexadecimal
/// digits. The token cannot be computed from it.
pub fn account(base_url: &Url, token: &ApiToken) -> String {
    let origin = base_url.origin().ascii_serialization();
    let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes()) else {
        return "unknown".to_owned(); // a key of any length will do
    };
    hash.update(b"advisoryd request budget of ");
    hash.update(origin.as_bytes());
    let digest = hash.finalize().into_bytes();
    hex::encode(&digest[..BYTES])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::account;
    use crate::config::ApiToken;

    #[test]
    fn accounts_differ_by_origin_and_token_and_not_by_path() {
        let of = |url: &str, token: &str| {
            account(&url.parse().unwrap(), &ApiToken::parse(token).unwrap())
        };
        let one = of("https://api.test/", "abc");
        assert_eq!(one.len(), 16);
        assert_eq!(of("https://api.test/v2/", "abc"), one);
        assert_ne!(of("https://api.test/", "abd"), one);
        assert_ne!(of("https://other.test/", "abc"), one);
        assert!(!one.contains("abc"));
    }
}
