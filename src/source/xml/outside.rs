use super::characters::is_forbidden;
use super::error::FeedError;
use super::name::key;
use super::printable::printable;
use super::token::{Kind, Next, next};

/// How many element names are remembered for messages.
const MOST_NAMES: usize = 32;
/// A longer name is cut in messages.
const LONGEST_NAME_BYTES: usize = 64;
/// The longest envelope value that is kept: a URL of a next page.
const LONGEST_TEXT_BYTES: usize = 8 * 1024;
/// Root elements that are known to wrap records: DRF's, common ones and CVRF's.
const ROOTS: [&str; 14] = [
    "root",
    "advisories",
    "advisory_list",
    "advisorylist",
    "feed",
    "xml_feed",
    "response",
    "results",
    "list",
    "vulnerabilities",
    "cvrfdocs",
    "cvrf",
    "documents",
    "items",
];
/// What DRF puts around the records of a collection (contract §4).
const ENVELOPE: [&str; 4] = ["count", "next", "previous", "results"];

/// What stands around the records.
#[derive(Default)]
pub(super) struct Envelope {
    pub root: Option<String>,
    pub claimed: Option<u64>,
    pub next: Option<String>,
    /// Names of the elements around records.
    pub names: Vec<String>,
    /// Names of elements beside records that are neither record nor envelope.
    pub ignored: Vec<String>,
    /// Something that an empty feed would not have.
    strange: bool,
    /// Text of the innermost open element, while it has no children.
    leaf: Option<Vec<u8>>,
}

impl Envelope {
    /// An element around records begins, `depth` elements below the document.
    pub fn begin(&mut self, name: &[u8], depth: usize) {
        let before = self.leaf.replace(Vec::new()).unwrap_or_default();
        self.strange |= !before.trim_ascii().is_empty();
        if depth > 0 {
            remember(&mut self.names, name);
            self.strange |= !is_one_of(name, &ENVELOPE) && !is_one_of(name, &ROOTS);
        }
    }

    /// An element at the depth of the records begins.
    pub fn begin_child(&mut self) {
        self.leaf = None;
    }

    /// Text inside of an element around records.
    pub fn text(&mut self, text: &[u8]) {
        if let Some(leaf) = &mut self.leaf {
            let room = LONGEST_TEXT_BYTES - leaf.len().min(LONGEST_TEXT_BYTES);
            leaf.extend_from_slice(&text[..text.len().min(room)]);
        } else {
            self.strange |= !text.trim_ascii().is_empty();
        }
    }

    /// The innermost open element around records ends.
    pub fn end(&mut self, name: &[u8]) {
        if let Some(leaf) = self.leaf.take() {
            self.value(name, &leaf);
        }
    }

    /// An element beside records that is none itself.
    pub fn element(&mut self, name: &[u8], element: &[u8]) {
        if !is_one_of(name, &ENVELOPE) {
            remember(&mut self.ignored, name);
        } else if let Some(text) = leaf_text(element) {
            self.value(name, &text);
        }
    }

    fn value(&mut self, name: &[u8], text: &[u8]) {
        let text = String::from_utf8_lossy(text.trim_ascii());
        if text.is_empty() {
            return;
        }
        let name = key(name);
        if name == key(b"count") {
            self.claimed = text.parse().ok();
            self.strange |= self.claimed != Some(0);
        } else if name == key(b"next") {
            let url = text.replace("&amp;", "&");
            self.next = (url != "None" && url != "null").then_some(url);
        } else if name != key(b"previous") {
            self.strange = true;
        }
    }

    /// Whether this is what a feed without records looks like.
    pub fn is_empty_feed(&self, known_root: Option<&str>) -> bool {
        let Some(root) = &self.root else {
            return false;
        };
        let known = is_one_of(root.as_bytes(), &ROOTS)
            || known_root.is_some_and(|known| key(known.as_bytes()) == key(root.as_bytes()));
        known && !self.strange && self.next.is_none()
    }
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    let name = key(name);
    names.iter().any(|known| key(known.as_bytes()) == name)
}

/// A name from outside, fit for messages and logs.
pub(super) fn shown(name: &[u8]) -> String {
    printable(&name[..name.len().min(LONGEST_NAME_BYTES)])
}

fn remember(names: &mut Vec<String>, name: &[u8]) {
    if names.len() < MOST_NAMES {
        let name = shown(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// The text of an element without children.
fn leaf_text(element: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut at = 0;
    let mut begun = false;
    while let Next::Token(token) = next(element, at) {
        text.extend_from_slice(&element[at..token.start]);
        at = token.end;
        match token.kind {
            Kind::Start if !begun => begun = true,
            Kind::End => return Some(text),
            Kind::Cdata => text.extend_from_slice(token.cdata(element)),
            Kind::Comment | Kind::Instruction => {}
            _ => return None,
        }
    }
    None
}

/// Checks text outside of records; returns how much of it is whole characters,
/// which is less than all only when the text is `open`: more may follow.
pub(super) fn check_text(text: &[u8], open: bool) -> Result<usize, (usize, String)> {
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => {
            let at = error.valid_up_to();
            if error.error_len().is_some() || !open {
                return Err((
                    at,
                    "bytes that are no text in the document's encoding".to_owned(),
                ));
            }
            std::str::from_utf8(&text[..at]).unwrap_or_default()
        }
    };
    if let Some((at, found)) = valid
        .char_indices()
        .find(|(_, letter)| is_forbidden(*letter))
    {
        return Err((at, format!("control character U+{:04X}", u32::from(found))));
    }
    if let Some(at) = valid.find('<') {
        return Err((at, "`<` that begins no markup".to_owned()));
    }
    Ok(valid.len())
}

/// What text outside of the root element is.
pub(super) fn stray(text: &[u8], behind: bool) -> &'static str {
    match text.first() {
        _ if behind => "text behind the end of the root element",
        Some(b'{' | b'[') => "text before the root element (it looks like JSON)",
        _ => "text before the root element",
    }
}

/// Refuses document types that declare entities or point outside, and HTML's.
pub(super) fn check_doctype(doctype: &[u8], at: u64) -> Result<(), FeedError> {
    let text = doctype.to_ascii_lowercase();
    let body = text["<!doctype".len()..].trim_ascii();
    let (head, subset) = match memchr::memchr(b'[', body) {
        Some(bracket) => body.split_at(bracket),
        None => (body, &[][..]),
    };
    let mut words = head
        .split(|byte| byte.is_ascii_whitespace() || *byte == b'>')
        .filter(|word| !word.is_empty());
    if words.next() == Some(b"html") {
        return Err(FeedError::Html);
    }
    if memchr::memmem::find(subset, b"<!entity").is_some() {
        return Err(FeedError::EntityDeclaration { at });
    }
    if words.any(|word| word == b"system" || word == b"public") || subset.contains(&b'%') {
        return Err(FeedError::External { at });
    }
    Ok(())
}
