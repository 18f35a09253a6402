//! The forms of a secret that are looked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;

use crate::model::text_view::TextView;
use crate::model::unescape::{Markup, unescaped};

/// Shorter secrets also occur in ordinary text; see `Redaction::add`.
pub(super) const STRONG_BYTES: usize = 8;

/// What a secret is compared as: folded, and folded and decoded. In a form of the Web, a
/// blank is `+`; CSV and SQL double quotes.
pub(super) fn folded_forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for (written, otherwise) in [("", ""), (" ", "+"), ("\"", "\"\""), ("'", "''")] {
        let secret = match written {
            "" => secret.to_owned(),
            _ if secret.contains(written) => secret.replace(written, otherwise),
            _ => continue,
        };
        let view = TextView::of(&secret);
        forms.push(view.compact_lower().bytes);
        for markup in [Markup::Kept, Markup::Removed] {
            let decoded = unescaped(&view, markup);
            forms.extend(decoded.map(|view| view.compact_lower().bytes));
        }
    }
    // One of which little is left would be found in ordinary text.
    let whole = forms.iter().map(Vec::len).max().unwrap_or(0);
    forms.retain(|form| form.len() >= STRONG_BYTES.max(whole / 2));
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// What parts are taken of: the secret, or of a URL or path the words in it. Its host also
/// occurs in ordinary text. One that is encoded, as in a form, is a URL as well.
pub(super) fn runs(secret: &str) -> impl Iterator<Item = &str> {
    let is_url = |bytes: &[u8]| bytes.starts_with(b"/") || memmem::find(bytes, b"://").is_some();
    let forms = folded_forms(secret);
    let is_url = is_url(secret.as_bytes()) || forms.iter().any(|form| is_url(form));
    let is_between = move |letter: char| is_url && "/?&=:@.#;,%\\".contains(letter);
    secret.split(is_between)
}

/// The parts of Base64 that depend on the secret alone, whatever comes before it. In
/// the alphabet for URLs as well.
pub(super) fn base64_cores(secret: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        // A character of Base64 stands for 6 bits.
        let first = (before * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        let core = &encoded[first..end];
        cores.push(core.to_owned());
        cores.push(core.replace('+', "-").replace('/', "_"));
    }
    cores
}
