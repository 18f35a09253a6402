//! Every small text with elements of HTML in it: what is stored are the words that a browser
//! would show, none run together and none apart that were one.

use super::super::read_record;
use super::rules;

/// How many pieces the texts have, at most.
const LONGEST: u32 = 6;

/// A piece of a text, and what a browser makes of it.
type Piece = (&'static str, &'static str);

const WORD: Piece = ("w", "w");
const BLANK: Piece = (" ", " ");
const INDENT: Piece = ("\n    ", " ");
const REFERENCE: Piece = ("&#32;", " ");
const COMMENT: Piece = ("<!-- x -->", "");
const BOLD: Piece = ("<b>", "");
const BOLD_END: Piece = ("</b>", "");
const CODE: Piece = ("<code>", "");
const CODE_END: Piece = ("</code>", "");
const BLOCK: Piece = ("<p>", " ");
const BLOCK_END: Piece = ("</p>", " ");

/// All texts of up to [`LONGEST`] of `pieces`, read as a solution and, without blocks, as a
/// title; returns how many there were.
fn enumerate(pieces: &[Piece]) -> usize {
    let rules = rules();
    let mut texts = 0;
    for length in 1..=LONGEST {
        for mut number in 0..pieces.len().pow(length) {
            let (mut written, mut shown) = (String::new(), String::new());
            let mut open = Vec::new();
            let mut is_nested = true;
            for _ in 0..length {
                let (text, seen) = pieces[number % pieces.len()];
                number /= pieces.len();
                written.push_str(text);
                shown.push_str(seen);
                match text.strip_prefix("</") {
                    Some(name) => is_nested &= open.pop() == Some(name),
                    None => open.extend(text.strip_prefix('<')),
                }
            }
            // Where tags of a block do not match, browsers repair the whole document.
            if pieces.contains(&BLOCK) && !(is_nested && open.is_empty()) {
                continue;
            }
            let record = format!(
                "<adv><said>SA1</said><title>{written}</title><fix>\n  {written}\n</fix></adv>"
            );
            let advisory = read_record(&rules, record.as_bytes()).unwrap();
            let words = |text: Option<String>| {
                let text = text.unwrap_or_default();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            };
            let wanted = words(Some(shown));
            if !pieces.contains(&BLOCK) {
                assert_eq!(words(advisory.title), wanted, "title {written:?}");
            }
            assert_eq!(words(advisory.solution), wanted, "solution {written:?}");
            texts += 1;
        }
    }
    texts
}

#[test]
fn blanks_stand_where_a_browser_shows_them() {
    let inline = [WORD, BLANK, BOLD, BOLD_END];
    assert_eq!(enumerate(&inline), 5460);
    enumerate(&[WORD, INDENT, BOLD, BOLD_END, CODE, CODE_END]);
    enumerate(&[WORD, REFERENCE, COMMENT, BOLD, BOLD_END]);
    enumerate(&[WORD, BLANK, BOLD, BOLD_END, BLOCK, BLOCK_END]);
}

#[test]
fn indentation_of_a_wrapper_is_no_text() {
    let record = "<adv>\n  <said>SA1</said>\n  <title>\n    <b>Foo</b>\n    <i>2</i>\n  </title>\n  \
        <impacts>\n    <impact>\n      DoS\n    </impact>\n  </impacts>\n  \
        <products>\n    <product>\n      <name>\n Foo\n </name>\n    </product>\n  </products>\n</adv>";
    let advisory = read_record(&rules(), record.as_bytes()).unwrap();
    assert_eq!(advisory.title.as_deref(), Some("Foo 2"));
    assert_eq!(advisory.impacts, ["DoS"]);
    let names: Vec<_> = advisory.products.iter().map(|one| &one.name).collect();
    assert_eq!(names, ["Foo"]);
    assert!(advisory.unrecognised.is_empty());
}
