//! Text and long comments around the records.

use std::sync::Arc;

use super::super::{FeedError, ParserRules, RecordReader, read_record};
use super::{hasty, rules, split_with};

/// How large the pieces are in which a document arrives.
const PIECES: [usize; 5] = [1, 7, 100, 8192, usize::MAX];

fn saids(
    rules: &Arc<ParserRules>,
    document: &str,
    piece: usize,
) -> (Vec<String>, Option<FeedError>) {
    let (records, end) = split_with(rules, document.as_bytes(), None, piece);
    let said = |record: &Vec<u8>| match read_record(rules, record) {
        Ok(advisory) => advisory.said,
        Err(refused) => format!("refused {}", refused.key.unwrap_or_default()),
    };
    (records.iter().map(said).collect(), end.err())
}

fn record(number: u32) -> String {
    format!("<adv><said>SA{number}</said><t>T{number}</t></adv>")
}

#[test]
fn the_records_behind_a_text_are_read_and_the_document_fails_with_the_first_text() {
    let (one, two, three) = (record(1), record(2), record(3));
    let document = format!("<r>{one} Down for\n a while {two}still down{three}</r>");
    for piece in PIECES {
        for rules in [rules(), hasty()] {
            let (read, error) = saids(&rules, &document, piece);
            assert_eq!(read, ["SA1", "SA2", "SA3"], "pieces of {piece}");
            let Some(FeedError::Text { at, text }) = error else {
                panic!("{error:?}");
            };
            assert_eq!(at, 4 + one.len() as u64);
            assert!("Down for a while".starts_with(&*text) && !text.is_empty());
        }
    }
}

#[test]
fn the_text_is_reported_although_more_is_wrong_behind_it() {
    for behind in ["", "</x>", "<adv><said>SA2"] {
        let document = format!("<r>{}Down{behind}", record(1));
        let (read, error) = saids(&rules(), &document, usize::MAX);
        assert_eq!(read, ["SA1"]);
        assert!(matches!(error, Some(FeedError::Text { .. })), "{error:?}");
    }
}

/// A record that says more than a reference would.
fn whole(number: u32) -> String {
    format!("<adv><said>SA{number}</said><title>T</title><criticality>1</criticality></adv>")
}

#[test]
fn what_follows_a_tag_that_is_damaged_is_not_taken_for_records_unless_it_is_whole() {
    // Else what the second says of another would be an advisory that says nothing.
    let document = format!(
        "<r>{}adv><said>SA2</said><adv><said>SA9</said></adv><of><adv said=\"SA8\"/></of></adv>{}</r>",
        whole(1),
        whole(3)
    );
    for piece in PIECES {
        let (read, error) = saids(&hasty(), &document, piece);
        assert!(matches!(error, Some(FeedError::Text { .. })), "{error:?}");
        assert_eq!(read, ["SA1", "SA3"], "pieces of {piece}");
    }
}

#[test]
fn text_that_is_no_markup_does_not_hide_the_records_behind_it() {
    let texts = [
        "a < b",
        "a > b",
        "->",
        "<",
        ">",
        "<<>>",
        "< x",
        "<1>",
        "</ >",
        "<b ",
        "a <b",
        "<!",
        "<!x",
        "x\u{0}y",
        "\u{b}",
        "&",
        "]]>",
        "<adv",
        "adv>",
        "/>",
        "\"",
        "<adv a=\"",
        "</adv>x",
    ];
    for text in texts {
        let document = format!("<r>{}{text}{}{}</r>", whole(1), whole(2), whole(3));
        for piece in PIECES {
            let (read, error) = saids(&hasty(), &document, piece);
            assert!(error.is_some(), "{text}");
            let is_tag = ["<adv a=\"", "</adv>x", "</ >"].contains(&text);
            let expected: &[&str] = if is_tag {
                &["SA1"]
            } else {
                &["SA1", "SA2", "SA3"]
            };
            assert!(
                read.starts_with(&["SA1".to_owned()]) && (is_tag || read == expected),
                "{text:?}: {read:?}"
            );
        }
    }
}

#[test]
fn bytes_of_another_encoding_beside_records_do_not_hide_the_records_behind_them() {
    let mut document = format!("<r>{}", whole(1)).into_bytes();
    document.extend_from_slice(b"\xff\xfe caf\xe9");
    document.extend_from_slice(format!("{}</r>", whole(2)).as_bytes());
    for piece in PIECES {
        let (records, end) = split_with(&hasty(), &document, None, piece);
        assert!(end.is_err());
        assert_eq!(records.len(), 2, "pieces of {piece}");
    }
}

/// Rules by which a comment of more than 10,000 bytes is long.
fn small() -> Arc<ParserRules> {
    let mut small = ParserRules::clone(&hasty());
    small.limits.markup_bytes = 10_000;
    Arc::new(small)
}

#[test]
fn a_long_comment_or_instruction_is_passed_over() {
    let long = "- > SA7 <x> ".repeat(5000);
    for comment in [
        format!("<!--{long}-->"),
        format!("<!--> {long}--->"),
        format!("<?x {long}?>"),
    ] {
        let document = format!(
            "{comment}<r>{comment}{}{comment}{}</r>{comment}",
            record(1),
            record(2)
        );
        for piece in PIECES {
            let (read, error) = saids(&small(), &document, piece);
            assert_eq!(
                (read.join(" "), error),
                ("SA1 SA2".to_owned(), None),
                "{piece}"
            );
        }
    }
}

/// A record may have all its values in the attributes of its tag.
#[test]
fn a_record_that_is_one_long_tag_is_read() {
    let long = "x".repeat(30_000);
    let document = format!(
        "<r>{}<a said=\"SA2\" t=\"{long}\"/><b c='{long}'/></r>",
        record(1)
    );
    let mut smaller = ParserRules::clone(&small());
    smaller.limits.lookahead_bytes = 10_000;
    for rules in [small(), Arc::new(smaller)] {
        for piece in PIECES {
            let (read, error) = saids(&rules, &document, piece);
            assert_eq!((read.join(" "), error), ("SA1 SA2".to_owned(), None));
        }
    }
}

#[test]
fn a_long_comment_that_hides_records_or_never_ends_fails_the_document() {
    let long = "x".repeat(30_000);
    let hides = format!(
        "<r>{}<!--{long}{}{long}-->{}</r>",
        record(1),
        record(2),
        record(3)
    );
    let endless = format!("<r>{}<!--{long}{long}", record(1));
    for piece in PIECES {
        let (read, error) = saids(&small(), &hides, piece);
        assert!(
            matches!(error, Some(FeedError::TooLarge { .. })),
            "{error:?}"
        );
        assert_eq!(read, ["SA1"]);
        let (read, error) = saids(&small(), &endless, piece);
        assert!(
            matches!(error, Some(FeedError::Truncated { .. })),
            "{error:?}"
        );
        assert_eq!(read, ["SA1"]);
    }
}

#[test]
fn a_long_comment_needs_no_memory() {
    let mut reader = RecordReader::new(small(), None, None);
    let mut count = 0;
    let mut keep = |_: &[u8]| count += 1;
    reader
        .push(format!("<r>{}<!--", record(1)).as_bytes(), &mut keep)
        .unwrap();
    for _ in 0..500 {
        reader
            .push("x - ".repeat(10_000).as_bytes(), &mut keep)
            .unwrap();
    }
    reader.push(b"--></r>", &mut keep).unwrap();
    assert_eq!(
        reader.finish(&mut keep).map(|document| document.records),
        Ok(1)
    );
    assert_eq!(count, 1);
}

/// What is wrong between two records or behind the last one.
const FAULTS: [&str; 14] = [
    "</r>",
    "</r></r>",
    "</g>",
    "</x>",
    "</adv>",
    "</title></adv>",
    "<!DOCTYPE r>",
    "</r><!DOCTYPE r><r>",
    "</r><?xml version='1.0'?>\n<r>",
    "</r>text<r a=1>",
    "<g>",
    "<adv>",
    "<!-- ",
    "<![CDATA[",
];

#[test]
fn no_fault_between_records_hides_one_before_or_behind_it() {
    const RECORDS: u32 = 4;
    let all: Vec<String> = (1..=RECORDS).map(|number| format!("SA{number}")).collect();
    for fault in FAULTS {
        for position in 0..=RECORDS {
            let before: String = (1..=position).map(whole).collect();
            let behind: String = (position + 1..=RECORDS).map(whole).collect();
            for (start, end) in [("<r>", "</r>"), ("<r><g>", "</g></r>")] {
                let document = format!("{start}{before}{fault}{behind}{end}");
                for piece in PIECES {
                    for rules in [rules(), hasty()] {
                        let (mut read, error) = saids(&rules, &document, piece);
                        let count = read.len();
                        // What surrounds the records may be quarantined as a whole besides.
                        read.retain(|said| !said.starts_with("refused"));
                        let is_reported = error.is_some() || read.len() < count;
                        assert!(is_reported, "{document}: {read:?}");
                        assert_eq!(read, all, "{document}, pieces of {piece}: {error:?}");
                    }
                }
            }
        }
    }
}
