//! The text of a document, changed value by value or cut; its structure stays.

use std::collections::BTreeMap;
use std::ops::Range;

use quick_xml::escape::{escape, unescape};

use super::token::{MarkupToken, Next, TokenKind, next};
use crate::source::path::{ValueChange, ValuePath};

/// How deep a repeated element may lie to count as the record.
const RECORD_DEPTH: usize = 4;

/// Copies a document with other texts, attribute values and names in it. Comments and
/// processing instructions are for people and are left out.
pub fn rewrite(text: &str, change: ValueChange<'_>) -> String {
    let mut writer = Writer {
        out: String::with_capacity(text.len()),
        names: Vec::new(),
        change,
    };
    let mut at = 0;
    while let Next::Token(token) = next(text.as_bytes(), at) {
        writer.text(&text[at..token.start]);
        writer.markup(text, token);
        at = token.end;
    }
    writer.text(&text[at..]);
    writer.out
}

struct Writer<'c> {
    out: String,
    names: Vec<String>,
    change: ValueChange<'c>,
}

impl Writer<'_> {
    fn changed(&mut self, attribute: Option<&str>, value: &str) -> Option<String> {
        let path = ValuePath {
            names: &self.names,
            attribute,
            is_key: false,
        };
        (self.change)(path, value)
    }

    /// Markup other than values: a name, or what stands between two values. Upstream
    /// chooses it, too.
    fn markup_text(&mut self, raw: &str) {
        let path = ValuePath {
            names: &self.names,
            attribute: None,
            is_key: true,
        };
        let has_text = raw.contains(char::is_alphanumeric);
        let other = has_text.then(|| (self.change)(path, raw)).flatten();
        self.out += other.as_deref().unwrap_or(raw);
    }

    fn text(&mut self, raw: &str) {
        let inner = raw.trim();
        let value = unescape(inner).unwrap_or(inner.into());
        let other = (!inner.is_empty()).then(|| self.changed(None, &value));
        match other.flatten() {
            Some(other) => self.out += &raw.replacen(inner, &escape(other.as_str()), 1),
            None => self.out += raw,
        }
    }

    fn markup(&mut self, text: &str, token: MarkupToken) {
        let raw = &text[token.start..token.end];
        match token.kind {
            TokenKind::Start | TokenKind::Empty => {
                self.names.push(name(text, token));
                self.markup_text(&text[token.start..token.name_end]);
                let tail = if token.kind == TokenKind::Empty { 2 } else { 1 };
                let tail = (token.end - tail).max(token.name_end);
                self.attributes(&text[token.name_end..tail]);
                self.out += &text[tail..token.end];
                if token.kind == TokenKind::Empty {
                    self.names.pop();
                }
            }
            TokenKind::End => {
                let name = name(text, token);
                if let Some(at) = self.names.iter().rposition(|open| *open == name) {
                    self.names.truncate(at);
                }
                self.markup_text(raw);
            }
            TokenKind::Cdata => {
                let value = raw.trim_start_matches("<![CDATA[").trim_end_matches("]]>");
                match self.changed(None, value) {
                    Some(other) => self.out.extend(["<![CDATA[", &other, "]]>"]),
                    None => self.out += raw,
                }
            }
            TokenKind::Instruction if raw.starts_with("<?xml ") => self.markup_text(raw),
            TokenKind::Instruction | TokenKind::Comment => {}
            TokenKind::Doctype => match self.changed(None, raw) {
                Some(other) => self.out += &other,
                None => self.out += raw,
            },
        }
    }

    fn attributes(&mut self, raw: &str) {
        let mut at = 0;
        while let Some((name, value)) = attribute(raw, at) {
            self.markup_text(&raw[at..value.start]);
            let inner = &raw[value.clone()];
            let visited = unescape(inner).unwrap_or(inner.into());
            match self.changed(Some(&raw[name]), &visited) {
                Some(other) => self.out += &escape(other.as_str()),
                None => self.out += inner,
            }
            at = value.end;
        }
        self.markup_text(&raw[at..]);
    }
}

fn name(text: &str, token: MarkupToken) -> String {
    String::from_utf8_lossy(token.name(text.as_bytes())).into_owned()
}

/// Where the next attribute at or after `from` has its name and its value.
fn attribute(raw: &str, from: usize) -> Option<(Range<usize>, Range<usize>)> {
    let equals = from + raw[from..].find('=')?;
    let name_end = from + raw[from..equals].trim_end().len();
    let blank = |character: char| character.is_whitespace() || matches!(character, '"' | '\'');
    let name_start = raw[from..name_end]
        .rfind(blank)
        .map_or(from, |at| from + at + 1);
    let open = equals + 1 + raw[equals + 1..].find(['"', '\''])?;
    let quote = char::from(raw.as_bytes()[open]);
    let end = open + 1 + raw[open + 1..].find(quote)?;
    Some((name_start..name_end, open + 1..end))
}

/// Cuts a document that is not complete behind its last complete record, and
/// closes what is open; nothing where it has no complete element.
pub fn cut(text: &str) -> Option<String> {
    let mut open: Vec<String> = Vec::new();
    // By depth and name: how many have ended, where the last one did, in what.
    let mut ended: BTreeMap<(usize, String), (usize, usize, Vec<String>)> = BTreeMap::new();
    let mut at = 0;
    while let Next::Token(token) = next(text.as_bytes(), at) {
        at = token.end;
        match token.kind {
            TokenKind::Start => open.push(name(text, token)),
            TokenKind::End => {
                let Some(name) = open.pop() else {
                    break;
                };
                if (1..RECORD_DEPTH).contains(&open.len()) {
                    let seen = ended
                        .entry((open.len(), name))
                        .or_insert_with(|| (0, 0, open.clone()));
                    seen.0 += 1;
                    seen.1 = token.end;
                }
            }
            _ => {}
        }
    }
    let repeated = ended.iter().find(|(_, (count, _, _))| *count > 1);
    let (_, (_, end, around)) = repeated.or_else(|| ended.iter().next())?;
    let mut closed = format!("{}<!-- cut here -->", &text[..*end]);
    for name in around.iter().rev() {
        closed.extend(["</", name, ">"]);
    }
    Some(closed)
}

#[cfg(test)]
mod tests {
    use super::{cut, rewrite};

    #[test]
    fn every_text_and_attribute_is_reported_with_its_place_and_the_structure_stays() {
        let text = "<?xml version=\"1.0\"?><!-- for ada --><a x='1 &amp; 2'\n y = \"\"><b>\r\n t &lt; u </b><c z=\"3\"/><![CDATA[<raw>]]></a>";
        let mut visited = Vec::new();
        let same = rewrite(text, &mut |path, value| {
            if path.is_key {
                return None;
            }
            let at = path.attribute.map(|name| format!("@{name}"));
            visited.push(format!(
                "{}{}={value}",
                path.names.join("/"),
                at.unwrap_or_default()
            ));
            None
        });
        assert_eq!(same, text.replace("<!-- for ada -->", ""));
        assert_eq!(
            visited,
            ["a@x=1 & 2", "a@y=", "a/b=t < u", "a/c@z=3", "a=<raw>"]
        );
        let other = rewrite(text, &mut |path, _| {
            (!path.is_key).then(|| "\"<&'".to_owned())
        });
        assert!(
            other.contains("<b>\r\n &quot;&lt;&amp;&apos; </b>"),
            "{other}"
        );
        assert!(other.contains("x='&quot;&lt;&amp;&apos;'"), "{other}");
    }

    #[test]
    fn every_name_is_reported_and_changed_at_both_ends() {
        let text = "<?xml version='1.0' encoding='ada'?><adas><x ada='1' ada><ada/></x ada></adas>";
        let other = rewrite(text, &mut |path, value| {
            path.is_key.then(|| value.replace("ada", "n-1"))
        });
        assert_eq!(other, text.replace("ada", "n-1"));
    }

    #[test]
    fn a_document_cut_anywhere_is_closed_behind_its_last_whole_record() {
        let text = "<f n='1'><meta><v>1</v></meta><rs><r><t>one</t><t>two</t></r><r><t>></t></r><r/></rs></f>";
        for end in text.find("</r>").map_or(0, |at| at + 4)..text.len() {
            let cut = cut(&text[..end]).unwrap_or_default();
            let mut reader = quick_xml::Reader::from_str(&cut);
            loop {
                match reader.read_event() {
                    Ok(quick_xml::events::Event::Eof) => break,
                    Ok(_) => {}
                    Err(error) => panic!("{end}: {error}: {cut}"),
                }
            }
        }
        let two = &text[..text.find("<r/>").map_or(0, |at| at + 2)];
        let cut = cut(two).unwrap_or_default();
        assert!(
            cut.ends_with("<r><t>></t></r><!-- cut here --></rs></f>"),
            "{cut}"
        );
    }
}
