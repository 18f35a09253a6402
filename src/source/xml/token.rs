use memchr::{memchr, memchr3, memmem};

/// What a piece of markup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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
pub(super) struct Token {
    pub kind: Kind,
    /// Where its `<` is.
    pub start: usize,
    /// Just behind its `>`.
    pub end: usize,
    /// Just behind the name of a tag.
    pub name_end: usize,
}

impl Token {
    /// The name of a tag, with its namespace prefix.
    pub fn name<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        let start = self.start + 1 + usize::from(self.kind == Kind::End);
        &buffer[start..self.name_end]
    }

    /// What stands behind the name of a tag: its attributes.
    pub fn attributes<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        let tail = 1 + usize::from(self.kind == Kind::Empty);
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
    Token(Token),
    More { from: usize },
}

const CDATA: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";
const COMMENT: &[u8] = b"<!--";
const DOCTYPE: &[u8] = b"<!DOCTYPE";

/// Finds the next piece of markup at or after `from`. A `<` that begins none is
/// text, as sloppy producers write it.
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
        let token = match second {
            b'/' => tag(buffer, start, Kind::End),
            b'?' => until(buffer, start, 2, b"?>", Kind::Instruction),
            b'!' => match declaration(buffer, start) {
                Declaration::Known(token) => token,
                Declaration::Text => {
                    at = start + 2;
                    continue;
                }
            },
            letter if begins_name(letter) => tag(buffer, start, Kind::Start),
            _ => {
                at = start + 1;
                continue;
            }
        };
        return token.map_or(Next::More { from: start }, Next::Token);
    }
}

/// Letters, `_`, `:` and everything outside of ASCII.
fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte == b':' || byte >= 0x80
}

#[inline]
fn tag(buffer: &[u8], start: usize, kind: Kind) -> Option<Token> {
    let mut at = start + 1 + usize::from(kind == Kind::End);
    // Names are short: a plain loop beats setting up a vectorised search.
    let name_end = loop {
        match *buffer.get(at)? {
            b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r' => break at,
            _ => at += 1,
        }
    };
    while buffer.get(at).copied() != Some(b'>') {
        at += memchr3(b'>', b'"', b'\'', buffer.get(at..)?)?;
        let quote = buffer[at];
        if quote != b'>' {
            at += 1;
            at += memchr(quote, buffer.get(at..)?)? + 1;
        }
    }
    let empty = kind == Kind::Start && buffer[at - 1] == b'/';
    Some(Token {
        kind: if empty { Kind::Empty } else { kind },
        start,
        end: at + 1,
        name_end,
    })
}

fn until(buffer: &[u8], start: usize, skip: usize, end: &[u8], kind: Kind) -> Option<Token> {
    let found = memmem::find(buffer.get(start + skip..)?, end)?;
    let end = start + skip + found + end.len();
    Some(Token {
        kind,
        start,
        end,
        name_end: start + skip,
    })
}

enum Declaration {
    Known(Option<Token>),
    Text,
}

fn declaration(buffer: &[u8], start: usize) -> Declaration {
    let rest = &buffer[start..];
    if rest.starts_with(COMMENT) {
        return Declaration::Known(until(buffer, start, COMMENT.len(), b"-->", Kind::Comment));
    }
    if rest.starts_with(CDATA) {
        return Declaration::Known(until(buffer, start, CDATA.len(), CDATA_END, Kind::Cdata));
    }
    if rest.len() >= DOCTYPE.len() && rest[..DOCTYPE.len()].eq_ignore_ascii_case(DOCTYPE) {
        return Declaration::Known(doctype(buffer, start));
    }
    let partly =
        |whole: &[u8]| rest.len() < whole.len() && whole[..rest.len()].eq_ignore_ascii_case(rest);
    if partly(COMMENT) || partly(CDATA) || partly(DOCTYPE) {
        return Declaration::Known(None);
    }
    Declaration::Text
}

/// A document type ends at the first `>` outside of quotes and brackets.
fn doctype(buffer: &[u8], start: usize) -> Option<Token> {
    let mut at = start + DOCTYPE.len();
    let mut brackets = 0_usize;
    loop {
        match *buffer.get(at)? {
            b'[' => brackets += 1,
            b']' => brackets = brackets.saturating_sub(1),
            b'>' if brackets == 0 => break,
            b'<' if buffer[at..].starts_with(COMMENT) => {
                at = until(buffer, at, COMMENT.len(), b"-->", Kind::Comment)?.end - 1;
            }
            quote @ (b'"' | b'\'') => at += memchr(quote, buffer.get(at + 1..)?)? + 1,
            _ => {}
        }
        at += 1;
    }
    Some(Token {
        kind: Kind::Doctype,
        start,
        end: at + 1,
        name_end: start + DOCTYPE.len(),
    })
}
