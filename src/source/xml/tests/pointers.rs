//! Elements with nothing but an identifier beside records, and records without an end tag.

use super::super::{FeedError, read_record};
use super::{rules, split};

fn whole(number: u32) -> String {
    format!(
        "<adv><said>SA{number}</said><title>T{number}</title><criticality>1</criticality></adv>"
    )
}

/// Identifiers of the records, `?` before those that are refused.
fn read(document: &str) -> (Vec<String>, Option<FeedError>) {
    let (records, end) = split(document.as_bytes());
    let said = |record: &Vec<u8>| match read_record(&rules(), record) {
        Ok(advisory) => advisory.said,
        Err(refused) => format!("?{}", refused.key.unwrap_or_default()),
    };
    (records.iter().map(said).collect(), end.err())
}

/// Elements that say no more than an identifier, `SA0` for it.
const POINTERS: [&str; 14] = [
    "<latest><said>SA0</said></latest>",
    "<latest said='SA0'/>",
    "<latest>SA0</latest>",
    "<meta><said>SA0</said></meta>",
    "<head><advisory_identifier>SA0</advisory_identifier><id>300</id></head>",
    "<summary><said>SA0</said><title/><cves> </cves></summary>",
    "<summary><said>SA0</said><generated>today</generated></summary>",
    "<newest type='advisory'><said>SA0</said><link>https://example.com/SA0</link></newest>",
    "<index><said>SA0</said><said>SA1</said></index>",
    "<index><entry><said>SA0</said></entry><entry><said>SA1</said></entry></index>",
    "<withdrawn><said>SA0</said></withdrawn>",
    "<adv><said>SA0</said></adv>",
    "<list><adv said='SA0'/></list>",
    "<see><also>SA0</also></see>",
];

#[test]
fn an_element_that_only_names_a_record_of_the_document_is_no_record() {
    for pointer in POINTERS {
        let pointer = pointer.replace("SA0", "SA2");
        let (one, two) = (whole(1), whole(2));
        for document in [
            format!("<r>{pointer}{one}{two}</r>"),
            format!("<r>{one}{pointer}{two}</r>"),
            format!("<r>{one}{two}{pointer}</r>"),
            format!("<r><count>2</count>{one}{pointer}{two}</r>"),
        ] {
            let (read, error) = read(&document);
            assert_eq!(
                (read.join(" "), error),
                ("SA1 SA2".to_owned(), None),
                "{document}"
            );
        }
    }
}

#[test]
fn one_that_names_another_advisory_is_refused_and_creates_none() {
    for pointer in POINTERS {
        let (one, two) = (whole(1), whole(2));
        for document in [
            format!("<r>{pointer}{one}{two}</r>"),
            format!("<r>{one}{two}{pointer}</r>"),
            // Without its end, too.
            format!("<r>{pointer}{one}{two}"),
        ] {
            let (mut read, _) = read(&document);
            read.retain(|said| said != "SA1" && said != "SA2");
            assert!(
                !read.is_empty() && read.iter().all(|said| said.starts_with('?')),
                "{document}: {read:?}"
            );
        }
    }
}

#[test]
fn what_such_an_element_says_of_the_document_counts() {
    for (within, what) in [
        (
            "<meta><said>SA1</said><truncated>true</truncated></meta>",
            "not complete",
        ),
        ("<summary><said>SA1</said><count>7</count></summary>", ""),
        ("<error><said>SA1</said></error>", "reports an error"),
    ] {
        let document = format!("<r>{within}{}</r>", whole(1));
        let (records, end) = split(document.as_bytes());
        assert_eq!(records.len(), 1, "{document}");
        let error = match end {
            Err(error) => error.to_string(),
            Ok(document) if what.is_empty() => {
                assert_eq!(document.claimed, Some(7));
                continue;
            }
            Ok(document) => document.check_alone().unwrap_err().to_string(),
        };
        assert!(error.contains(what), "{document}: {error}");
    }
}

#[test]
fn records_that_are_all_identifiers_are_records_unless_the_document_counts_none() {
    assert_eq!(
        read("<r><adv said='SA1'/><adv said='SA2'/></r>").0,
        ["SA1", "SA2"]
    );
    let (records, end) = split(b"<r><count>0</count><latest said='SA1'/></r>");
    assert_eq!(end.unwrap().records, 0);
    assert!(read_record(&rules(), &records[0]).unwrap_err().is_pointer);
}

#[test]
fn a_record_without_an_end_tag_is_read_and_named_and_costs_no_other() {
    let [one, two, three, four] = [1, 2, 3, 4].map(whole);
    let open = |record: &str| record.strip_suffix("</adv>").unwrap().to_owned();
    let related = "<related><adv><said>SA9</said><title>T</title><fix>x</fix></adv><adv said='SA8'/></related></adv>";
    let with_related = |record: &str| record.replace("</adv>", related);
    for (document, place) in [
        (
            format!("<r>\n{one}\n <!--é-->{}\n{three}{four}</r>\n", open(&two)),
            "line 3, column 10, SA2",
        ),
        (
            format!("<r>{}{two}{three}{four}</r>", open(&one)),
            "line 1, column 4, SA1",
        ),
        (
            format!("<r><g>{one}{two}{three}{}</g></r>", open(&four)),
            "SA4",
        ),
        (
            format!("<r>{one}{}{three}{four}</r>", open(&with_related(&two))),
            "SA2",
        ),
        (
            format!("<r>{one}{}{}{four}</r>", open(&two), open(&three)),
            "SA2",
        ),
        (
            format!("<r>{one}{two}{}</advx>{four}</r>", open(&three)),
            "SA3",
        ),
    ] {
        let (mut read, error) = read(&document);
        let error = error.unwrap().to_string();
        assert!(
            error.starts_with("the end tag of `<adv>` (")
                && error.contains(place)
                && error.ends_with(") is missing"),
            "{document}: {error}"
        );
        read.sort();
        assert_eq!(read, ["SA1", "SA2", "SA3", "SA4"], "{document}");
    }
    let (records, _) = split(format!("<r>{}{two}</r>", open(&one)).as_bytes());
    let first = read_record(&rules(), &records[0]).unwrap();
    assert!(first.is_repaired(), "{first:?}");
}

#[test]
fn a_record_of_which_more_is_missing_is_refused_and_costs_no_other() {
    let [one, two, three] = [1, 2, 3].map(whole);
    let hole = &two[..two.find("</criticality>").unwrap()];
    let (read, error) = read(&format!("<r>{one}{hole}{three}</r>"));
    assert_eq!(read, ["SA1", "?SA2", "SA3"]);
    assert!(matches!(error, Some(FeedError::EndTag { .. })), "{error:?}");
}

#[test]
fn what_ends_within_a_record_is_cut_short_and_other_elements_are_named() {
    let [one, two] = [1, 2].map(whole);
    for (document, what) in [
        (
            format!("<r>{one}{}", two.replace("</adv>", "")),
            "cut short",
        ),
        (format!("<r>{one}{}", &two[..20]), "cut short"),
        (
            format!("<r>{one}<note>x{two}</r>"),
            "the end tag of `<note>` (line 1, column 76) is missing",
        ),
        (
            format!("<r>{one}{two}<note>x</r>"),
            "the end tag of `<note>` (line 1, column ",
        ),
        (
            format!("<r>{one}{two}<!-- x </r>"),
            "a comment without an end",
        ),
    ] {
        let error = read(&document).1.unwrap().to_string();
        assert!(error.contains(what), "{document}: {error}");
    }
}

#[test]
fn an_identifier_under_an_unknown_name_is_named() {
    for (document, name) in [
        (
            "<r><item><guid>SA1</guid><title>T</title></item></r>",
            "`guid`",
        ),
        ("<r><item guid='SA1'><title>T</title></item></r>", "`@guid`"),
        (
            "<r><list><x:item><x:ref_no> SA1 </x:ref_no></x:item></list></r>",
            "`x:ref_no`",
        ),
        (
            "<r newest='SA1'><item><guid>SA1</guid></item></r>",
            "`@newest`",
        ),
    ] {
        let error = super::failure(document.as_bytes()).to_string();
        assert!(error.contains(name), "{document}: {error}");
        assert!(error.contains("to `said` in [feeds.aliases]"), "{error}");
    }
}
