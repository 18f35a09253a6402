//! Tokenizer (lexer) for XML markup, over bytes that may end anywhere.

use memchr::{memchr, memchr2, memmem};

/// What a piece of markup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Start,
    /// `<name/>`
    Empty,
    End,
    Comment,
    Cdata,
    Instruction,
    Doctype,
}

/// One piece of markup, as positions in the buffer it was found in.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkupToken {
    pub kind: TokenKind,
    /// Where its `<` is.
    pub start: usize,
    /// Just behind its `>`.
    pub end: usize,
    /// Just behind the name of a tag.
    pub name_end: usize,
}

impl MarkupToken {
    /// The name of a tag, with its namespace prefix.
    pub fn name<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        let start = self.start + 1 + usize::from(self.kind == TokenKind::End);
        &buffer[start..self.name_end]
    }

    /// What stands behind the name of a tag: its attributes.
    pub fn attributes<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        let tail = 1 + usize::from(self.kind == TokenKind::Empty);
        &buffer[self.name_end..(self.end - tail).max(self.name_end)]
    }

    /// What stands inside of a CDATA section.
    pub fn cdata<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        &buffer[self.start + CDATA.len()..self.end - CDATA_END.len()]
    }
}

/// The next piece of markup, or where an incomplete one begins (the end of the
/// buffer when there is only text).
pub(super) enum Next {
    Token(MarkupToken),
    More { from: usize },
}

const CDATA: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";
const COMMENT: &[u8] = b"<!--";
const DOCTYPE: &[u8] = b"<!DOCTYPE";

/// Finds the next piece of markup at or after `from`. A `<` that begins none is
/// text, as sloppy producers write it; so is one that is followed by another
/// before a tag ends.
#[inline]
pub(super) fn next(buffer: &[u8], from: usize) -> Next {
    let mut at = from;
    loop {
        let Some(found) = memchr(b'<', &buffer[at..]) else {
            return Next::More { from: buffer.len() };
        };
        let start = at + found;
        let Some(&second) = buffer.get(start + 1) else {
            return Next::More { from: start };
        };
        let markup = match second {
            b'/' => tag(buffer, start, TokenKind::End),
            b'?' => until(buffer, start, 2, b"?>", TokenKind::Instruction),
            b'!' => declaration(buffer, start),
            character if begins_name(character) => tag(buffer, start, TokenKind::Start),
            _ => Markup::None,
        };
        match markup {
            Markup::Whole(token) => return Next::Token(token),
            Markup::Partly => return Next::More { from: start },
            Markup::None => at = start + 1,
        }
    }
}

/// What a `<` begins.
enum Markup {
    Whole(MarkupToken),
    /// Its end is not in the buffer.
    Partly,
    /// Nothing: it is text.
    None,
}

/// ASCII letters, `_`, `:` and everything outside of ASCII.
fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || byte >= 0x80
}

#[inline]
fn tag(buffer: &[u8], start: usize, kind: TokenKind) -> Markup {
    let mut at = start + 1 + usize::from(kind == TokenKind::End);
    // Names are short: a plain loop beats setting up a vectorised search.
    let name_end = loop {
        match buffer.get(at) {
            Some(b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r' | b'=' | b'"' | b'\'') => break at,
            Some(b'<') => return Markup::None,
            Some(_) => at += 1,
            None => return Markup::Partly,
        }
    };
    // So are the names between values; a search could run far past the tag.
    at = loop {
        match buffer.get(at) {
            Some(b'>') => break at,
            Some(b'<') => return Markup::None,
            Some(b'"' | b'\'') => match quoted(&buffer[at..]) {
                Quoted::Value(length) => at += length,
                Quoted::Unclosed(length) => break at + length,
                Quoted::Partly => return Markup::Partly,
                Quoted::None => return Markup::None,
            },
            Some(_) => at += 1,
            None => return Markup::Partly,
        }
    };
    let empty = kind == TokenKind::Start && buffer[at - 1] == b'/';
    Markup::Whole(MarkupToken {
        kind: if empty { TokenKind::Empty } else { kind },
        start,
        end: at + 1,
        name_end,
    })
}

/// What a quote begins.
enum Quoted {
    /// A value of so many bytes, with its quotes, and something behind it.
    Value(usize),
    /// Nothing: a quote was lost, and the tag ends so many bytes further.
    Unclosed(usize),
    Partly,
    /// Nothing, and no tag ends.
    None,
}

/// Looks for the end of a quoted value. XML allows no `<` in one. Where there is
/// one all the same, and what follows the quote is no tag, a quote was lost: the
/// tag then ends at its next `>`, and does not swallow what comes behind it.
fn quoted(text: &[u8]) -> Quoted {
    /// A longer value with a `<` in it has lost its quote.
    const LONGEST_BYTES: usize = 4096;
    let value = &text[1..];
    let is_lost = match memchr(text[0], value) {
        Some(length) => {
            let Some(behind) = value.get(length + 1) else {
                return Quoted::Partly;
            };
            let ends = behind.is_ascii_whitespace() || matches!(behind, b'>' | b'/');
            let is_short = length <= LONGEST_BYTES;
            if ends && is_short || memchr(b'<', &value[..length]).is_none() {
                return Quoted::Value(length + 2);
            }
            true
        }
        None => value.len() > LONGEST_BYTES && memchr(b'<', value).is_some(),
    };
    match memchr2(b'>', b'<', value) {
        Some(found) if is_lost && value[found] == b'>' => Quoted::Unclosed(found + 1),
        Some(_) if is_lost => Quoted::None,
        _ => Quoted::Partly,
    }
}

fn until(buffer: &[u8], start: usize, skip: usize, end: &[u8], kind: TokenKind) -> Markup {
    let body = buffer.get(start + skip..);
    let Some(found) = body.and_then(|body| memmem::find(body, end)) else {
        return Markup::Partly;
    };
    Markup::Whole(MarkupToken {
        kind,
        start,
        end: start + skip + found + end.len(),
        name_end: start + skip,
    })
}

fn declaration(buffer: &[u8], start: usize) -> Markup {
    let rest = &buffer[start..];
    if rest.starts_with(COMMENT) {
        return until(buffer, start, COMMENT.len(), b"-->", TokenKind::Comment);
    }
    if rest.starts_with(CDATA) {
        return until(buffer, start, CDATA.len(), CDATA_END, TokenKind::Cdata);
    }
    if rest.len() >= DOCTYPE.len() && rest[..DOCTYPE.len()].eq_ignore_ascii_case(DOCTYPE) {
        return doctype(buffer, start).map_or(Markup::Partly, Markup::Whole);
    }
    let partly =
        |whole: &[u8]| rest.len() < whole.len() && whole[..rest.len()].eq_ignore_ascii_case(rest);
    if partly(COMMENT) || partly(CDATA) || partly(DOCTYPE) {
        return Markup::Partly;
    }
    Markup::None
}

/// A document type ends at the first `>` outside of quotes and brackets.
fn doctype(buffer: &[u8], start: usize) -> Option<MarkupToken> {
    let mut at = start + DOCTYPE.len();
    let mut brackets = 0_usize;
    loop {
        match *buffer.get(at)? {
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            b'>' if brackets == 0 => break,
            b'<' if buffer[at..].starts_with(COMMENT) => {
                let body = at + COMMENT.len();
                at = body + memmem::find(buffer.get(body..)?, b"-->")? + 2;
            }
            quote @ (b'"' | b'\'') => at += memchr(quote, buffer.get(at + 1..)?)? + 1,
            _ => {}
        }
        at += 1;
    }
    Some(MarkupToken {
        kind: TokenKind::Doctype,
        start,
        end: at + 1,
        name_end: start + DOCTYPE.len(),
    })
}
