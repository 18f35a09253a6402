//! Redaction: finds secrets in a text in every form in which they travel.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;

use self::base64_run::runs_of_base64;
use self::forms::{STRONG_BYTES, base64_cores, folded_forms, runs};
use super::replaced::replaced;
use super::secret_parts::{PART_BYTES, SecretParts};
use super::spelled::{bare, quoted_printable, spelled};
use super::text_view::TextView;
use super::unescape::{Markup, unescaped};

/// Replacement text for a secret.
const REDACTED: &str = "[redacted]";
/// How long a secret can be in the longest form, in bytes. Of longer ones parts are found.
pub(super) const LONGEST_FORM_BYTES: usize = 4096;
/// Secrets of lower-case letters only are strong from this length: shorter ones are
/// words such as `postgresql`. A long secret is looked for without what is between its
/// letters and digits if it has so many of them.
const STRONG_LETTERS: usize = 12;
/// The minimum length of a secret that is looked for as it is.
const MIN_BYTES: usize = 4;
/// The minimum length of the beginning of a secret at the end of a text that was cut.
const MIN_HEAD_BYTES: usize = 8;
/// Maximum number of forms that are kept, about ten for each secret. Those that were added
/// longest ago are dropped: a reload adds what is in use again.
const MAX_FORMS: usize = 16_384;
/// Words that announce a secret.
const ANNOUNCEMENTS: [&[u8]; 9] = [
    b"password",
    b"passwd",
    b"pass",
    b"pwd",
    b"token",
    b"secret",
    b"bearer",
    b"basic",
    b"key",
];

/// How a form is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// Anywhere, in upper or lower case, with blanks in between.
    Anywhere,
    /// Anywhere, with anything between letters and digits.
    Bare,
    /// As a whole word that is not an ordinary one.
    Word,
    /// Anywhere in Base64, in upper or lower case; the whole run of Base64 is replaced.
    Base64,
}

#[derive(PartialEq, Eq)]
struct Form {
    bytes: Vec<u8>,
    search: Search,
}

/// Secrets that are removed from texts. Printing it prints only their number.
#[derive(Default)]
pub struct Redaction {
    forms: Vec<Form>,
    /// Parts of secrets.
    parts: SecretParts,
    /// Parts of the letters and digits of secrets, also backwards and in hexadecimal.
    bare_parts: SecretParts,
    /// Parts of secrets in Base64.
    base64_parts: SecretParts,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} forms of secrets", self.forms.len())
    }
}

impl Redaction {
    /// Without secrets.
    pub const fn new() -> Self {
        Self {
            forms: Vec::new(),
            parts: SecretParts::new(),
            bare_parts: SecretParts::new(),
            base64_parts: SecretParts::new(),
        }
    }

    /// Adds a secret: as it is, in hexadecimal, and in Base64 as any part of what was
    /// encoded; and parts of a long one. How the characters of each are written does not
    /// matter: see [`redact`](Self::redact).
    ///
    /// A secret that is shorter than 8 characters, or a word of lower-case letters
    /// shorter than 12, also occurs in ordinary text. It is looked for as a whole word
    /// only, and a word of letters or a number only where a credential is expected, such
    /// as `password=…` or `user:…`. One shorter than 4 characters is only found as part
    /// of [`add_login`](Self::add_login).
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        let bytes = secret.as_bytes();
        if bytes.len() < MIN_BYTES {
            return;
        }
        let is_word = bytes.iter().all(u8::is_ascii_lowercase) && bytes.len() < STRONG_LETTERS;
        if bytes.len() < STRONG_BYTES || is_word {
            let view = TextView::of(secret);
            if let Some(decoded) = unescaped(&view, Markup::Kept) {
                self.push(decoded.bytes, Search::Word);
            }
            self.push(view.bytes, Search::Word);
            self.push(STANDARD_NO_PAD.encode(bytes).into(), Search::Base64);
        } else {
            for form in folded_forms(secret) {
                self.push(form, Search::Anywhere);
            }
        }
        if secret.chars().count() >= PART_BYTES {
            self.add_whole(secret);
        }
        self.push(hex::encode(bytes).into(), Search::Anywhere);
        if bytes.len() >= STRONG_BYTES {
            for core in base64_cores(bytes) {
                self.push(core.into(), Search::Base64);
            }
        }
        for run in runs(secret).filter(|run| run.len() >= PART_BYTES) {
            let has = |is_one: fn(&u8) -> bool| run.bytes().any(|byte| is_one(&byte));
            if has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) {
                self.add_whole(run);
            }
            for mut form in folded_forms(run) {
                self.parts.add_mixed(&form);
                form.retain(u8::is_ascii_alphanumeric);
                self.bare_parts.add_mixed(&form);
                form.reverse();
                self.bare_parts.add_mixed(&form);
            }
            self.add_encodings(run);
        }
    }

    /// Adds the whole of a long secret, backwards, and its letters and digits alone in both
    /// directions. Unlike a part, it is no ordinary text, of whatever it consists.
    fn add_whole(&mut self, secret: &str) {
        for mut form in folded_forms(secret) {
            let backwards = String::from_utf8_lossy(&form)
                .chars()
                .rev()
                .collect::<String>();
            self.push(backwards.into(), Search::Anywhere);
            form.retain(u8::is_ascii_alphanumeric);
            if form.len() >= STRONG_LETTERS {
                self.push(form.iter().rev().copied().collect(), Search::Bare);
                self.push(form, Search::Bare);
            }
        }
    }

    /// Adds the parts of a long secret in hexadecimal (also backwards), in Base64, in one after the other,
    /// backwards, and of its text in UTF-16.
    fn add_encodings(&mut self, run: &str) {
        let units = || run.encode_utf16();
        let utf16 = [
            units().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
            units().flat_map(u16::to_be_bytes).collect(),
        ];
        let backwards: Vec<u8> = run.bytes().rev().collect();
        let texts = [run.as_bytes(), &backwards];
        for text in utf16.iter().map(Vec::as_slice).chain(texts) {
            self.bare_parts.add_encoded(&hex::encode(text));
        }
        let bytes = hex::decode(run).ok();
        let texts = utf16.iter().map(Vec::as_slice).chain(bytes.as_deref());
        for core in texts.flat_map(base64_cores) {
            self.base64_parts.add_encoded(&core);
        }
        for core in base64_cores(run.as_bytes()) {
            self.base64_parts.add_encoded(&core);
            self.base64_parts
                .add_encoded(&core.chars().rev().collect::<String>());
            self.bare_parts.add_encoded(&hex::encode(&core));
            for again in base64_cores(core.as_bytes()) {
                self.base64_parts.add_encoded(&again);
            }
        }
    }

    /// Adds a password, and its forms with a user name: Basic authentication, SASL
    /// `PLAIN` and `LOGIN`.
    pub fn add_login(&mut self, user: &str, password: &str) {
        self.add(password);
        if password.is_empty() {
            return;
        }
        for both in [
            format!("{user}:{password}"),
            format!("\0{user}\0{password}"),
            format!("{user}\0{user}\0{password}"),
        ] {
            self.push(STANDARD_NO_PAD.encode(&both).into(), Search::Base64);
        }
    }

    fn push(&mut self, mut bytes: Vec<u8>, search: Search) {
        // Names such as that of an encoding are put in lower case, whatever they are.
        if search != Search::Word {
            bytes.make_ascii_lowercase();
        }
        let form = Form { bytes, search };
        if form.bytes.len() < MIN_BYTES {
            return;
        }
        if let Some(known) = self.forms.iter().position(|known| *known == form) {
            self.forms.remove(known);
        } else if self.forms.len() >= MAX_FORMS {
            self.forms.remove(0);
        }
        self.forms.push(form);
    }

    /// The text with `[redacted]` in place of every secret, and of every part of one of at
    /// least 16 characters. The beginning of a secret (at least a quarter, and 8
    /// characters) is replaced as well where the text was cut.
    ///
    /// The text is compared as its readers may see it: with codes (percent-encoding, the
    /// escapes of JSON and Rust, HTML entities) decoded to any depth, without invisible
    /// characters, marks, HTML tags and control sequences, and without regard to case,
    /// width and style of letters and digits. Also with quoted-printable decoded, with
    /// numbers taken as the codes of characters, and, for secrets of at least 16 characters,
    /// backwards and without anything between letters and digits.
    pub fn redact(&self, text: &str) -> String {
        self.redact_beginning(text, text.len())
    }

    /// The same for the beginning of a text, at most so many bytes: no more of it is searched
    /// than the secrets need that begin there.
    pub fn redact_beginning(&self, text: &str, bytes: usize) -> String {
        let end = text.floor_char_boundary(bytes);
        if self.forms.is_empty() {
            return text[..end].to_owned();
        }
        let text = &text[..text.floor_char_boundary(end.saturating_add(LONGEST_FORM_BYTES))];
        let mut found = Vec::new();
        let view = TextView::of(text);
        self.search(text, &view, &mut found);
        let decoded = [Markup::Kept, Markup::Removed].map(|markup| unescaped(&view, markup));
        for view in decoded.iter().flatten() {
            self.search(text, view, &mut found);
        }
        let most_decoded = decoded[1].as_ref().unwrap_or(&view);
        for view in [Some(&view), decoded[1].as_ref()].into_iter().flatten() {
            if let Some(view) = quoted_printable(view) {
                self.search(text, &view, &mut found);
            }
        }
        for view in spelled(most_decoded) {
            self.search(text, &view, &mut found);
        }
        replaced(text, found, end, REDACTED)
    }

    fn search(&self, text: &str, view: &TextView, found: &mut Vec<(usize, usize)>) {
        let lower = view.compact_lower();
        let bare = bare(&lower);
        for form in &self.forms {
            let bytes = &form.bytes;
            match form.search {
                Search::Word => words(bytes, view, found),
                Search::Anywhere => {
                    found.extend(anywhere(bytes, text, &lower).map(|range| lower.span(range)));
                }
                Search::Bare => {
                    found.extend(anywhere(bytes, text, &bare).map(|range| bare.span(range)));
                }
                Search::Base64 => {
                    found.extend(runs_of_base64(&lower, anywhere(bytes, text, &lower)));
                }
            }
        }
        found.extend(self.parts.find(&lower.bytes).map(|range| lower.span(range)));
        let in_bare = self.bare_parts.find(&bare.bytes);
        found.extend(in_bare.map(|range| bare.span(range)));
        let in_base64 = self.base64_parts.find(&lower.bytes);
        found.extend(runs_of_base64(&lower, in_base64));
    }
}

/// The places in the view where the form is, or its beginning where the text was cut.
fn anywhere<'a>(
    form: &'a [u8],
    text: &'a str,
    view: &'a TextView,
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let head = &form[..form.len().min(MIN_HEAD_BYTES)];
    memmem::find_iter(&view.bytes, head).filter_map(move |at| {
        let same = form.iter().zip(&view.bytes[at..]);
        let length = same.take_while(|(a, b)| a == b).count();
        let end = at + length;
        let is_cut = || {
            let rest = &text[view.spans[end - 1].1..];
            rest.is_empty() || rest.starts_with('…') || rest.starts_with("...")
        };
        let is_much = length >= MIN_HEAD_BYTES.max(form.len().div_ceil(4));
        (length == form.len() || (is_much && is_cut())).then_some((at, end))
    })
}

fn words(form: &[u8], view: &TextView, found: &mut Vec<(usize, usize)>) {
    let is_in_word = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
    };
    let letters = form
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let is_ordinary = letters == form.len() || form.iter().all(u8::is_ascii_digit);
    for at in memmem::find_iter(&view.bytes, form) {
        let (before, after) = (&view.bytes[..at], view.bytes.get(at + form.len()));
        if is_in_word(before.last()) || is_in_word(after) {
            continue;
        }
        if !is_ordinary || is_announced(before) {
            found.push((view.spans[at].0, view.spans[at + form.len() - 1].1));
        }
    }
}

/// Whether a credential is expected after this text.
fn is_announced(before: &[u8]) -> bool {
    if matches!(before.last(), Some(b'=' | b':')) {
        return true;
    }
    let is_between = |byte: &u8| matches!(byte, b' ' | b'=' | b':' | b'"' | b'\'' | b'`');
    let end = before.iter().rposition(|byte| !is_between(byte));
    let before = &before[..end.map_or(0, |end| end + 1)];
    ANNOUNCEMENTS.iter().any(|word| {
        let start = before.len().checked_sub(word.len());
        start.is_some_and(|start| before[start..].eq_ignore_ascii_case(word))
    })
}

mod base64_run;
mod forms;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod time_tests;
#[cfg(test)]
mod whole_tests;
