//! Documents as servers, proxies and scripts in between break them: each ends as a failed
//! run, or each of its records is stored or quarantined.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{World, record, world_of_documents};

/// Records per document.
const RECORDS: usize = 3;
/// The identifiers of a document begin with those of the next hundred.
const STEP: usize = 100;

/// Documents as text; `{1}` to `{3}` stand for the records and `#1` to `#3` for their
/// identifiers.
const TEXTS: [(&str, &str); 63] = [
    (
        "a byte order mark between records",
        "<a>{1}\u{feff}{2}{3}</a>",
    ),
    (
        "a byte order mark in an identifier",
        "<a>{1}<advisory><said>\u{feff}#2</said><title>T</title></advisory>{3}</a>",
    ),
    ("two documents", "<a>{1}</a><a>{2}{3}</a>"),
    (
        "two documents with declarations",
        "<?xml version=\"1.0\"?><a>{1}</a>\n<?xml version=\"1.0\"?><a>{2}{3}</a>",
    ),
    (
        "a page for people behind the first record",
        "<a>{1}<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>",
    ),
    (
        "a page for people without a document type",
        "<a>{1}<html><body><p>Bad gateway<br></p></body></html>{2}{3}</a>",
    ),
    (
        "a page for people behind the root",
        "<a>{1}{2}{3}</a><html></html>",
    ),
    (
        "JSON in place of XML",
        "{\"count\": 3, \"results\": [{\"advisory_identifier\": \"#1\"}, {\"advisory_identifier\": \"#2\"}]}",
    ),
    ("JSON between records", "<a>{1}{\"detail\": \"#2\"}{3}</a>"),
    (
        "a document in a string of JSON",
        "{\"xml\": \"<a>{1}{2}{3}</a>\"}",
    ),
    (
        "a CDATA section in another",
        "<a>{1}<advisory><said>#2</said><title><![CDATA[a <![CDATA[b]]> c]]></title></advisory>{3}</a>",
    ),
    ("records in a CDATA section", "<a>{1}<![CDATA[{2}]]>{3}</a>"),
    (
        "a CDATA section without an end",
        "<a>{1}<![CDATA[{2}{3}</a>",
    ),
    (
        "a CDATA section without an end in a record",
        "<a>{1}<advisory><said>#2</said><title><![CDATA[T</title></advisory>{3}</a>",
    ),
    (
        "the document in a CDATA section",
        "<a><![CDATA[<a>{1}{2}{3}</a>]]></a>",
    ),
    (
        "the document escaped",
        "<string>&lt;a&gt;&lt;said&gt;#1&lt;/said&gt;&lt;/a&gt;</string>",
    ),
    (
        "an entity bomb",
        "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;\">]><a>{1}{2}<advisory><said>#3</said><title>&c;</title></advisory></a>",
    ),
    (
        "an identifier that is an entity",
        "<!DOCTYPE a [<!ENTITY two \"#2\">]><a>{1}<advisory><said>&two;</said><title>T</title></advisory>{3}</a>",
    ),
    (
        "an identifier that is an entity nobody declares",
        "<a>{1}<advisory><said>&two;</said><title>#2</title></advisory>{3}</a>",
    ),
    (
        "a document type without entities",
        "<!DOCTYPE a [<!ELEMENT a ANY><!ATTLIST advisory x CDATA \"y\">]><a>{1}{2}{3}</a>",
    ),
    (
        "another encoding than is declared",
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>{1}{2}{3}</a>",
    ),
    (
        "an attribute twice",
        "<a>{1}<advisory id=\"#2\" id=\"#2\"><title>T</title></advisory>{3}</a>",
    ),
    (
        "an attribute twice, and two identifiers",
        "<a>{1}<advisory id=\"#2\" id=\"#3\"><title>T</title></advisory></a>",
    ),
    (
        "a wrapper with an attribute twice",
        "<a b=\"1\" b=\"2\">{1}{2}{3}</a>",
    ),
    (
        "prefixes of some records",
        "<a xmlns:v=\"urn:v\">{1}<v:advisory><v:said>#2</v:said><v:title>T</v:title></v:advisory>{3}</a>",
    ),
    (
        "a prefix nobody declares",
        "<a>{1}<q:advisory><q:said>#2</q:said><q:title>T</q:title></q:advisory>{3}</a>",
    ),
    (
        "a namespace of its own for each record",
        "<a>{1}<advisory xmlns=\"urn:b\"><said>#2</said><title>T</title></advisory>{3}</a>",
    ),
    (
        "records without content",
        "<a><advisory/>{1}<advisory/>{2}<advisory></advisory>{3}</a>",
    ),
    (
        "blank records",
        "<a><advisory> </advisory>{1}{2}<advisory>\n</advisory>{3}</a>",
    ),
    ("a record in a comment", "<a>{1}<!-- {2} -->{3}</a>"),
    ("a comment without an end", "<a>{1}<!-- {2}{3}</a>"),
    (
        "a comment within a comment",
        "<a>{1}<!-- <!-- {2} --> -->{3}</a>",
    ),
    (
        "an inclusion",
        "<a xmlns:xi=\"http://www.w3.org/2001/XInclude\">{1}<xi:include href=\"http://127.0.0.1:1/#2\"/>{3}</a>",
    ),
    (
        "a processing instruction with a record",
        "<a>{1}<?more {2}?>{3}</a>",
    ),
    (
        "a processing instruction without an end",
        "<a>{1}<?more {2}{3}</a>",
    ),
    (
        "a declaration before each record",
        "<a>{1}<?xml version=\"1.0\"?>{2}<?xml version=\"1.0\"?>{3}</a>",
    ),
    ("null bytes between records", "<a>{1}\0\0{2}\0{3}</a>"),
    (
        "a null byte in a tag",
        "<a>{1}<advi\0sory><said>#2</said><title>T</title></advisory>{3}</a>",
    ),
    (
        "null bytes after each character",
        "<a>{1}<advisory><said>#\x00002</said><title>#2</title></advisory>{3}</a>",
    ),
    (
        "half a surrogate",
        "<a>{1}<advisory><said>#2</said><title>x&#xD800;y</title></advisory>{3}</a>",
    ),
    (
        "half a surrogate in an identifier",
        "<a>{1}<advisory><said>#2&#xDC00;</said><title>T</title></advisory>{3}</a>",
    ),
    (
        "references to no character",
        "<a>{1}<advisory><said>#2</said><title>&#0;&#x110000;&#99999999999;&#;&#x;</title></advisory>{3}</a>",
    ),
    (
        "XML 1.1 and its line ends",
        "<?xml version=\"1.1\"?><a>\u{85}{1}\u{2028}{2}\u{85}{3}</a>",
    ),
    (
        "other letters in an end tag",
        "<a>{1}<Advisory><said>#2</said><title>T</title></advisory>{3}</a>",
    ),
    ("an end of CDATA", "<a>{1}]]>{2}{3}</a>"),
    (
        "an attribute without quotes",
        "<a>{1}<advisory id=#2><title>T</title></advisory>{3}</a>",
    ),
    (
        "an attribute without a value",
        "<a>{1}<advisory new><said>#2</said><title>T</title></advisory>{3}</a>",
    ),
    (
        "an end tag with an attribute",
        "<a>{1}<advisory><said>#2</said><title>T</title></advisory x=\"1\">{3}</a>",
    ),
    (
        "a blank in a start tag",
        "<a>{1}< advisory><said>#2</said><title>T</title></advisory>{3}</a>",
    ),
    (
        "a warning of a script before the root",
        "<br />\n<b>Warning</b>: x in <b>/y.php</b> on line <b>3</b><br /><a>{1}{2}{3}</a>",
    ),
    (
        "a warning of a script between records",
        "<a>{1}<br />\n<b>Warning</b>: x in <b>/y.php</b> on line <b>3</b><br />\n{2}{3}</a>",
    ),
    (
        "lengths of chunks",
        "<a>{1}\r\n1000\r\n{2}\r\n0\r\n\r\n{3}</a>",
    ),
    (
        "a header in the body",
        "<a>{1}HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n{2}{3}</a>",
    ),
    (
        "a comparison between records",
        "<a>{1} 2 < 3 {2} 3 > 2 {3}</a>",
    ),
    ("the root ends early", "<a>{1}</a>{2}{3}"),
    (
        "a record with two identifiers",
        "<a>{1}<advisory><said>#2</said><title>T</title><said>#3</said></advisory></a>",
    ),
    ("an end tag too many", "<a>{1}</advisory>{2}{3}</a>"),
    ("the root ends twice", "<a>{1}</a>{2}{3}</a>"),
    (
        "the end of an element around records is lost",
        "<a>{1}<b>{2}{3}</a>",
    ),
    ("a comment without an end", "<a>{1}<!-- {2}{3}</a>"),
    ("a start tag too many", "<a>{1}<advisory>{2}{3}</a>"),
    ("the root without quotes", "<a count=3>{1}{2}{3}</a>"),
    (
        "an error between records",
        "<a>{1}<error>out of memory</error>{2}{3}</a>",
    ),
];

fn identifier(document: usize, number: usize) -> usize {
    (document + 1) * STEP + number
}

/// A document with the records and identifiers of its number.
fn filled(document: usize, text: &str) -> String {
    (1..=RECORDS).fold(text.to_owned(), |text, number| {
        let said = identifier(document, number);
        text.replace(&format!("{{{number}}}"), &record(said))
            .replace(&format!("#{number}"), &format!("SA{said}"))
            .replace(&format!("#\0{number:03}"), &format!("SA\0{said}"))
    })
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Documents as bytes, from a whole one.
fn bytes(whole: &str) -> Vec<(&'static str, Vec<u8>)> {
    let zipped = packed(whole);
    let (head, tail) = whole.split_at(whole.len() / 2);
    let joined = |parts: &[&[u8]]| parts.concat();
    let cut = zipped[..zipped.len() - 12].to_vec();
    let latin = whole.replace("<title>T", "<title>caf\u{e9} ");
    let latin = latin.chars().map(|one| u8::try_from(one).unwrap());
    vec![
        ("gzip, cut", cut),
        ("gzip without its header", zipped.clone()),
        (
            "gzip without its checksum",
            zipped[..zipped.len() - 8].to_vec(),
        ),
        ("gzip and something behind", joined(&[&zipped, b"more"])),
        ("gzip in two parts", joined(&[&packed(head), &packed(tail)])),
        ("gzip in gzip", {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&zipped).unwrap();
            encoder.finish().unwrap()
        }),
        ("gzip with a wrong byte", {
            let mut wrong = zipped.clone();
            let middle = wrong.len() / 2;
            wrong[middle] ^= 0x55;
            wrong
        }),
        (
            "text and then gzip",
            joined(&[head.as_bytes(), &packed(tail)]),
        ),
        ("UTF-16 without a byte order mark", utf16(whole)),
        (
            "UTF-16 and then UTF-8",
            joined(&[b"\xff\xfe", &utf16(head), tail.as_bytes()]),
        ),
        (
            "UTF-8 and then UTF-16",
            joined(&[head.as_bytes(), &utf16(tail)]),
        ),
        ("UTF-16 that lost a byte", {
            let mut odd = joined(&[b"\xff\xfe", &utf16(whole)]);
            odd.remove(odd.len() / 2);
            odd
        }),
        ("Latin-1 that says nothing", latin.collect()),
        (
            "null bytes behind the root",
            joined(&[whole.as_bytes(), &[0; 512]]),
        ),
    ]
}

/// What became of the records of a document: stored, quarantined or neither.
async fn found(world: &World, document: usize) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for number in 1..=RECORDS {
        let said = format!("SA{}", identifier(document, number));
        let is_stored = "select count(*) from advisoryd_v1.advisories where said = '{}'";
        let is_kept =
            "select count(*) from advisoryd_v1.quarantine where key = '{}' or raw like '%{}%'";
        let count = async |sql: &str| -> i64 {
            let sql = sqlx::AssertSqlSafe(sql.replace("{}", &said));
            sqlx::query_scalar(sql)
                .fetch_one(world.pool())
                .await
                .unwrap()
        };
        let what = match (count(is_stored).await, count(is_kept).await) {
            (0, 0) => "-",
            (0, _) => "quarantined",
            (_, 0) => "stored",
            _ => "stored, quarantined",
        };
        found.push((number, what));
    }
    found
}

#[tokio::test]
async fn no_document_that_servers_break_is_believed_without_all_of_its_records() {
    let (world, documents) = world_of_documents().await;
    let texts = TEXTS.iter().enumerate();
    let mut all: Vec<(&str, Vec<u8>)> = texts
        .map(|(place, (name, text))| (*name, filled(place, text).into_bytes()))
        .collect();
    let whole = |place| filled(place, "<?xml version=\"1.0\"?><a>{1}{2}{3}</a>");
    for place in 0..bytes(&whole(0)).len() {
        let document = bytes(&whole(TEXTS.len() + place)).swap_remove(place);
        all.push(document);
    }
    // From then on each pull is a window, which says nothing about what is gone.
    documents.set(1, whole(all.len()));
    assert_eq!(world.pull_one().await.outcome.name(), "ok");
    let (mut result, mut lost) = (String::new(), Vec::new());
    for (place, (name, document)) in all.into_iter().enumerate() {
        let text = String::from_utf8_lossy(&document).into_owned();
        documents.set(1, document);
        let report = world.pull_one().await;
        let found = found(&world, place).await;
        let outcome = report.outcome.error().unwrap_or("ok").to_owned();
        let _ = writeln!(result, "{name}\n    {outcome}");
        for (number, what) in &found {
            let _ = writeln!(result, "    {number}: {what}");
        }
        // What the document does not name cannot be asked for.
        let is_named = |number: usize| text.contains(&format!("SA{}", identifier(place, number)));
        let is_missing = found
            .iter()
            .any(|(number, what)| *what == "-" && (place >= TEXTS.len() || is_named(*number)));
        if report.outcome.name() == "ok" && is_missing {
            lost.push(name);
        }
    }
    assert!(lost.is_empty(), "{lost:?}\n{result}");
    eprintln!("{result}");
}
