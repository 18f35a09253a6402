//! What can be reported of a record that cannot be parsed, for a person who has to find out
//! which advisory it is: a few of its fields, and its text with one element per line.

use super::build::build;
use super::rules::ParserRules;
use super::token::{Next, TokenKind, next};
use super::tree::NamedValue;
use crate::config::AliasField;
use crate::model::{one_line, shortened};

/// The longest value that is shown, in characters.
const MOST_CHARS: usize = 200;

/// Fields of a record, as they stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Its title.
    pub title: Option<String>,
    /// Upstream's number of the advisory.
    pub upstream_id: Option<String>,
    /// When upstream modified it.
    pub modified: Option<String>,
}

/// Reads what can be read of a record. Its identifier need not be there.
pub fn sketch(rules: &ParserRules, record: &str) -> Sketch {
    let Ok(built) = build(record, rules) else {
        return Sketch::default();
    };
    let field = |field| {
        let found = rules.aliases.all(&built.root, field).into_iter();
        let texts = found.map(NamedValue::text).map(str::trim);
        let mut texts = texts.filter(|text| !text.is_empty());
        texts
            .next()
            .map(|text| shortened(&one_line(text), MOST_CHARS))
    };
    Sketch {
        title: field(AliasField::Title),
        upstream_id: field(AliasField::UpstreamId),
        modified: field(AliasField::ModifiedAt),
    }
}

/// A record with a line for each element that holds others, indented by depth. Texts stay as
/// they are.
pub fn laid_out(record: &str) -> String {
    /// Deeper elements are not indented further.
    const DEEPEST: usize = 12;
    let bytes = record.as_bytes();
    let (mut page, mut at, mut depth, mut is_after_end) = (String::new(), 0, 0_usize, false);
    while let Next::Token(token) = next(bytes, at) {
        let between = &record[at..token.start];
        let is_end = token.kind == TokenKind::End;
        if is_end {
            depth = depth.saturating_sub(1);
        }
        page.push_str(between);
        // An element without others in it stays in one line.
        let breaks = between.trim().is_empty() && (!is_end || is_after_end);
        if breaks && !page.is_empty() {
            page.truncate(page.trim_end().len());
            page.push('\n');
            page.extend(std::iter::repeat_n("  ", depth.min(DEEPEST)));
        }
        page.push_str(&record[token.start..token.end]);
        if token.kind == TokenKind::Start {
            depth += 1;
        }
        is_after_end = token.kind != TokenKind::Start;
        at = token.end;
    }
    page.push_str(&record[at..]);
    page
}

#[cfg(test)]
mod tests {
    use super::laid_out;

    #[test]
    fn each_element_has_a_line_and_texts_stay() {
        assert_eq!(
            laid_out("<a><b>one\ntwo</b><c/><d><e></e></d></a>"),
            "<a>\n  <b>one\ntwo</b>\n  <c/>\n  <d>\n    <e></e>\n  </d>\n</a>"
        );
        assert_eq!(laid_out("no markup < here"), "no markup < here");
        assert_eq!(laid_out("<a><b>cut"), "<a>\n  <b>cut");
    }
}
