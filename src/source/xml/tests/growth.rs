//! Time grows with the input, whatever is in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{ParserRules, RecordReader, read_record};
use super::rules;

/// What a document may begin with: outside of records, in one, in a group.
const BEGINNINGS: [&str; 10] = [
    "",
    "<r>",
    "<r><adv>",
    "<r><adv><said>SA1</said><t>x</t></adv>",
    "<r><adv><said>SA1</said><t>x</t></adv><g>",
    "<r><adv><said>SA1</said><description>",
    "<r><adv><said>SA1</said><products>",
    "<r><adv><said>SA1</said><cve>",
    "<r><adv said='SA1' ",
    "<r><x>",
];
/// Blanks of one more beginning, in a text in place of the first record.
const BLANKS: usize = 16 * 1024;
/// What it may go on with, again and again.
const UNITS: [&str; 38] = [
    "<",
    "<a",
    "<a ",
    "<a b='",
    "<a b=\"x",
    "<a \"'",
    "<x '\"> ",
    "</a>",
    "<a>",
    "<b/>",
    "<!--",
    "-->",
    "<!-- <![CDATA[",
    "<?",
    "<!DOCTYPE r [",
    "]>",
    "&",
    "&amp;",
    "&nbsp;",
    "\u{1}",
    "é",
    "\r",
    "\r\n x",
    "SA1 ",
    "<said>SA1</said>",
    "<said>SA1",
    "CVE-2026-0001 <",
    "2026-0001,",
    "<adv>",
    "</adv>",
    "<note>SA7</note>",
    "<g><adv><said>SA9</said><t>x</t></adv></g>",
    "<product>a</product>",
    "<a>x</b>",
    "<t>x<b>y",
    " = '' ",
    " ",
    "        y",
];
const ENDS: [&str; 4] = [
    "",
    "</r>",
    "</description></adv></r>",
    "y<adv><said>SA1</said><t>x</t></adv></r>",
];
const SMALL_BYTES: usize = 32 * 1024;
/// So much longer is the long document than the short one.
const FACTOR: usize = 8;
/// What takes no longer than this is not worth a judgement: the machine may have
/// done something else meanwhile.
const NOTHING: Duration = Duration::from_millis(150);

/// How long a document takes to split and to read.
fn time(rules: &Arc<ParserRules>, document: &[u8], piece: usize) -> Duration {
    let began = Instant::now();
    let mut reader = RecordReader::new(Arc::clone(rules), None, None);
    let mut read = |record: &[u8]| {
        let _ = read_record(rules, record);
    };
    let mut pieces = document.chunks(piece);
    if pieces.all(|bytes| reader.push(bytes, &mut read).is_ok()) {
        let _ = reader.finish(&mut read);
    }
    began.elapsed()
}

/// Twice what grows with the input, and no more.
fn is_linear(rules: &Arc<ParserRules>, document: &dyn Fn(usize) -> String, piece: usize) -> bool {
    let (short, long) = (document(SMALL_BYTES), document(SMALL_BYTES * FACTOR));
    // Whatever else runs on the machine may slow one of them down once.
    (0..4).any(|_| {
        let long = time(rules, long.as_bytes(), piece);
        let short = time(rules, short.as_bytes(), piece);
        let most = u32::try_from(2 * FACTOR).unwrap_or(u32::MAX);
        long < NOTHING || long < short * most
    })
}

#[test]
fn no_repetition_takes_time_by_the_square() {
    let rules = rules();
    let mut slow = Vec::new();
    let blanks = format!("<r><x>{}y", " ".repeat(BLANKS));
    let beginnings = [&BEGINNINGS[..], &[&blanks]].concat();
    for (index, unit) in UNITS.iter().enumerate() {
        for (at, beginning) in beginnings.iter().enumerate() {
            let end = ENDS[(index + at) % ENDS.len()];
            let piece = [4096, usize::MAX][(index + at) % 2];
            let document = |bytes: usize| {
                let times = bytes / unit.len() + 1;
                format!("{beginning}{}{end}", unit.repeat(times))
            };
            if !is_linear(&rules, &document, piece) {
                let beginning = beginning.replace("  ", "");
                slow.push(format!("`{beginning}`, then `{unit}`, then `{end}`"));
            }
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

#[test]
fn many_notes_of_cvrf_are_read_in_time() {
    let rules = rules();
    let document = |bytes: usize| {
        let notes = (0..bytes / 32).map(|number| format!("<Note Type='x'>text {number}</Note>"));
        format!(
            "<r><doc><DocumentTracking><Identification><ID>SA1</ID></Identification></DocumentTracking>\
             <DocumentNotes>{}</DocumentNotes></doc></r>",
            notes.collect::<String>()
        )
    };
    assert!(is_linear(&rules, &document, usize::MAX));
}
