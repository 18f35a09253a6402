//! Statements of a document that it is partial: page numbers, links to a next page
//! (pagination), flags such as `truncated`, and messages. Only what stands around and
//! beside the records counts, never what a record says.

use super::error::FeedError;
use super::message::{is_failed, is_left_out};
use super::name::{key, keys};
use super::reported::{is_failure, quoted};
use super::saying::{is_lack, is_more};
use super::tree::XmlNode;

/// How many pages there are.
const PAGES: &[u64] = keys![
    "pages",
    "total_pages",
    "page_count",
    "num_pages",
    "number_of_pages",
    "last_page",
];
/// Which page it is.
const PAGE: &[u64] = keys!["page", "current_page", "page_number"];
/// Where the next page is, or what to ask it by.
const NEXT: &[u64] = keys![
    "next",
    "next_page",
    "next_url",
    "next_link",
    "next_page_url",
    "next_token",
    "next_page_token",
    "next_cursor",
    "continuation",
    "continuation_token",
    "resumption_token",
    "after_token",
    "scroll_id",
];
/// Where the target of a link stands.
const TARGETS: &[u64] = keys!["href", "url", "uri", "link"];
/// Flags that say that more follows.
const MORE: &[u64] = keys![
    "more",
    "has_more",
    "more_available",
    "more_results",
    "more_records",
    "remaining",
    "has_next",
    "has_next_page",
];
/// Flags that say that something was left out.
const CUT: &[u64] = keys![
    "partial",
    "is_partial",
    "truncated",
    "is_truncated",
    "incomplete",
    "is_incomplete",
    "limited",
    "omitted",
    "overflow",
    "limit_reached",
    "limit_exceeded",
];
/// Flags that say that nothing was left out.
const WHOLE: &[u64] = keys!["complete", "is_complete", "finished", "eof", "is_last"];
/// What says how it went, in words.
const MESSAGES: &[u64] = keys![
    "status", "state", "message", "detail", "reason", "note", "notice", "warning", "info",
];
/// Elements that hold nothing but values about the document. Only in these are values
/// looked for that do not stand directly beside the records.
const ABOUT: &[u64] = keys![
    "pagination",
    "paging",
    "pager",
    "page_info",
    "page",
    "links",
    "footer",
    "trailer",
    "summary",
    "totals",
    "statistics",
    "stats",
    "diagnostics",
    "shards",
    "execution",
    "meta",
    "metadata",
    "header",
    "info",
    "result",
    "result_info",
    "results",
    "response",
    "response_info",
    "query",
];
/// Values of a flag by which it says nothing.
const NO: [&str; 8] = ["", "0", "false", "no", "n", "none", "null", "n/a"];
/// Values of a status that say that something was left out.
const CUT_VALUES: [&str; 4] = ["partial", "truncated", "incomplete", "partial content"];

/// What a document says about parts of it that it does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Partial {
    /// A count that is no number: quoted.
    no_number: Option<String>,
    /// Something was left out: quoted.
    cut: Option<String>,
    /// More follows, but not where: quoted.
    more: Option<String>,
    /// How many pages there are, or which one it is: quoted.
    pages: Option<(u64, String)>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
pub(super) enum ValuePosition {
    Attribute,
    Element,
    /// A key of a JSON object.
    Key,
    /// A header of the response, without `x-`.
    Header,
}

impl ValuePosition {
    /// Whether a value of an unknown name says that something is missing. Headers have many
    /// other purposes.
    fn lacks(self, name: &[u8], value: &str) -> bool {
        let is_key = match self {
            Self::Header => return false,
            Self::Key => true,
            Self::Attribute | Self::Element => false,
        };
        is_lack(&String::from_utf8_lossy(name), value, is_key)
    }

    /// Whether a flag of an unknown name says that more follows.
    fn follows(self, name: &[u8], value: &str) -> bool {
        !matches!(self, Self::Header) && is_more(&String::from_utf8_lossy(name), value)
    }

    /// A named value as it stands in the document, for messages.
    pub fn quote(self, name: &[u8], value: &str) -> String {
        let name = String::from_utf8_lossy(name);
        quoted(&match self {
            Self::Attribute => format!("{name}=\"{value}\""),
            Self::Element if value.is_empty() => format!("<{name}/>"),
            Self::Element => format!("<{name}>{value}</{name}>"),
            Self::Key => format!("\"{name}\": {value}"),
            Self::Header => format!("{name}: {value} (header)"),
        })
    }
}

/// What a named value is.
pub(super) enum NamedPart {
    /// Nothing about other parts.
    Nothing,
    /// A value about parts: taken.
    Taken,
    /// Where the next page is.
    Next(String),
}

impl Partial {
    /// Takes a named value around or beside records.
    pub fn value(&mut self, name: &[u8], value: &str, form: ValuePosition) -> NamedPart {
        let (name_key, value) = (key(name), value.trim());
        let is = |names: &[u64]| names.contains(&name_key);
        let is_no = is_one_of(value, &NO);
        let quote = || form.quote(name, value);
        if is(NEXT) {
            if is_no {
                return NamedPart::Taken;
            }
            if is_url(value) {
                return NamedPart::Next(value.to_owned());
            }
            self.more.get_or_insert_with(quote);
        } else if is(MORE) {
            if !is_no {
                self.more.get_or_insert_with(quote);
            }
        } else if is(CUT) {
            let is_bare = value.is_empty() && matches!(form, ValuePosition::Element);
            if !is_no || is_bare {
                self.cut.get_or_insert_with(quote);
            }
        } else if is(WHOLE) {
            if is_no && !value.is_empty() {
                self.cut.get_or_insert_with(quote);
            }
        } else if is(PAGES) || is(PAGE) {
            let Some(number) = pages(value) else {
                return NamedPart::Nothing;
            };
            self.count(number, quote);
        } else {
            let is_message = is(MESSAGES)
                && (is_one_of(value, &CUT_VALUES)
                    || is_failure(&String::from_utf8_lossy(name), value)
                    || is_failed(value));
            if is_message || is_left_out(value) || form.lacks(name, value) {
                self.cut.get_or_insert_with(quote);
            } else if form.follows(name, value) {
                self.more.get_or_insert_with(quote);
            }
            return NamedPart::Nothing;
        }
        NamedPart::Taken
    }

    /// Takes a comment.
    pub fn comment(&mut self, text: &str) {
        if is_left_out(text) {
            self.cut.get_or_insert_with(|| quoted(text));
        }
    }

    /// A count that is no number.
    pub fn no_number(&mut self, quote: String) {
        self.no_number.get_or_insert(quote);
    }

    /// A group of records that holds fewer than it counts.
    pub fn cut(&mut self, quote: String) {
        self.cut.get_or_insert(quote);
    }

    fn count(&mut self, number: u64, quote: impl Fn() -> String) {
        if self.pages.as_ref().is_none_or(|(known, _)| number > *known) {
            self.pages = Some((number, quote()));
        }
    }

    /// Adds what another part of the document says, or a page before this one.
    pub fn merge(&mut self, other: &Self) {
        let Self {
            no_number,
            cut,
            more,
            pages,
        } = other;
        self.no_number = self.no_number.take().or_else(|| no_number.clone());
        self.cut = self.cut.take().or_else(|| cut.clone());
        self.more = self.more.take().or_else(|| more.clone());
        if let Some((number, quote)) = pages {
            self.count(*number, || quote.clone());
        }
    }

    /// How many pages there are, which a page before this one said.
    pub fn inherit(&mut self, before: &Self) {
        let pages = before.pages.clone();
        self.merge(&Self {
            pages,
            ..Self::default()
        });
    }

    /// Fails if something is missing when `pages` documents were read, and the last one
    /// `is_linked` to another one.
    pub fn check(&self, pages: u64, is_linked: bool) -> Result<(), FeedError> {
        if let Some(text) = &self.no_number {
            return Err(FeedError::Count { text: text.clone() });
        }
        let more = self.more.as_ref().filter(|_| !is_linked);
        let unread = self.pages.as_ref().filter(|(number, _)| *number > pages);
        let unread = unread.filter(|_| !is_linked).map(|(_, quote)| quote);
        match self.cut.as_ref().or(more).or(unread) {
            Some(text) => Err(FeedError::Partial { text: text.clone() }),
            None => Ok(()),
        }
    }
}

/// Whether a key beside the rows of a JSON page says that something is missing in it. Where
/// the page `is_linked` to the next one, that more follows says nothing.
pub(in crate::source) fn is_partial(name: &str, value: &str, is_linked: bool) -> bool {
    let mut partial = Partial::default();
    let part = partial.value(name.as_bytes(), value, ValuePosition::Key);
    let is_more = matches!(part, NamedPart::Next(_)) && !is_linked;
    is_more || partial.check(u64::MAX, is_linked).is_err()
}

/// Whether a key beside the rows is known to say how much there is.
pub(in crate::source) fn is_known(name: &str) -> bool {
    let name = key(name.as_bytes());
    let known = [PAGES, PAGE, NEXT, MORE, CUT, WHOLE, MESSAGES, ABOUT];
    known.iter().any(|names| names.contains(&name))
}

/// How many pages there are, or which one this is, if a key beside the rows says that.
pub(in crate::source) fn page_number(name: &str, value: &str) -> Option<u64> {
    let name = key(name.as_bytes());
    let is_about = PAGES.contains(&name) || PAGE.contains(&name);
    is_about.then(|| pages(value)).flatten()
}

/// Whether values in an element beside records are about the document.
pub(super) fn is_about(node: &XmlNode<'_>) -> bool {
    ABOUT.contains(&node.key)
}

/// The target of `<link rel="next" href="…"/>`, `<next href="…"/>` and `<next><url>…`.
pub(super) fn link(node: &XmlNode<'_>) -> Option<String> {
    if NEXT.contains(&node.key) {
        let is_target = |name: u64| TARGETS.contains(&name);
        let mut attributes = node.attributes.iter().filter(|one| is_target(one.key));
        let mut children = node.children.iter().filter(|one| is_target(one.key));
        let target = attributes.next().map(|one| &*one.value);
        return target
            .or_else(|| children.next().map(|one| &*one.text))
            .filter(|target| is_url(target))
            .map(str::to_owned);
    }
    let attribute = |name: &[u8]| {
        let mut found = node.attributes.iter().filter(|one| one.key == key(name));
        found.next().map(|one| &*one.value)
    };
    let is_link = node.key == key(b"link") || node.key == key(b"a");
    let mut relations = attribute(b"rel").unwrap_or_default().split_whitespace();
    let is_next = relations.any(|one| one.eq_ignore_ascii_case("next"));
    let target = attribute(b"href").unwrap_or(&node.text);
    (is_link && is_next && !target.is_empty()).then(|| target.to_owned())
}

/// A number of pages: `3`, or `1 of 3`.
fn pages(value: &str) -> Option<u64> {
    let of = value.rsplit_once("of").or_else(|| value.rsplit_once('/'));
    let last = of.map_or(value, |(_, last)| last);
    last.trim().parse().ok()
}

fn is_url(value: &str) -> bool {
    let starts = ["http://", "https://", "/", "?"];
    starts.iter().any(|start| value.starts_with(start))
}

fn is_one_of(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::{Partial, ValuePosition};

    #[test]
    fn a_single_page_is_whole_and_one_of_several_is_not() {
        let check = |values: &[(&str, &str)]| {
            let mut partial = Partial::default();
            for (name, value) in values {
                partial.value(name.as_bytes(), value, ValuePosition::Attribute);
            }
            partial.check(1, false).is_ok()
        };
        for whole in [
            &[("page", "1"), ("pages", "1")][..],
            &[("page", "0"), ("totalPages", "0")],
            &[("page", "1 of 1")],
            &[("more", "false"), ("has_next", "0"), ("next", "")],
            &[("truncated", "no"), ("partial", "")],
            &[("complete", "true"), ("status", "complete")],
            &[("remaining", "0"), ("status", "200"), ("message", "Done")],
        ] {
            assert!(check(whole), "{whole:?}");
        }
        for partial in [
            &[("page", "1"), ("pages", "3")][..],
            &[("page", "2")],
            &[("page", "1 of 3")],
            &[("page", "1/3")],
            &[("hasMore", "true")],
            &[("next", "2")],
            &[("truncated", "1")],
            &[("complete", "false")],
            &[("status", "partial")],
            &[("message", "Result truncated")],
            &[("message", "An internal error occurred")],
            &[("warning", "timeout while reading advisories")],
            &[("status", "500")],
            &[("remaining", "4")],
        ] {
            assert!(!check(partial), "{partial:?}");
        }
    }
}
