//! Every damage of one place in a document of each profile: a reading that ends
//! complete holds every advisory, read or refused under its identifier.

mod edits;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use self::edits::{
    EditKind, damaged_names, deleted_bytes, inserted_bytes, removed_doubled_and_cut_tags,
    replaced_bytes, swapped_tags,
};
use super::super::{ParserRules, Profile, RecordReader, read_record};
use super::rules;

const RECORDS: u32 = 8;

/// A document of eight records, and how each says who it is.
struct Seed {
    profile: Profile,
    document: String,
    identity: fn(u32) -> String,
}

fn seed(
    profile: Profile,
    (head, tail): (&str, &str),
    record: fn(u32) -> String,
    identity: fn(u32) -> String,
) -> Seed {
    let records: String = (1..=RECORDS).map(record).collect();
    Seed {
        profile,
        document: format!("{head}{records}{tail}"),
        identity,
    }
}

fn json_names() -> Seed {
    let record = |n: u32| {
        format!(
            "<advisory><id>30000{n}</id><advisory_identifier>SA9000{n}</advisory_identifier><title>T{n} &lt;</title>\
             <products><product><name>P{n}</name></product></products><fix>It's \"so\"</fix>\
             <related><advisory><said>SA8000{n}</said></advisory></related></advisory>\n"
        )
    };
    let around = ("<?xml version=\"1.0\"?>\n<advisories>\n", "</advisories>\n");
    seed(Profile::JsonNames, around, record, by_element)
}

fn drf() -> Seed {
    let record = |n: u32| {
        format!(
            "<list-item><advisory_identifier>SA9000{n}</advisory_identifier><title>T{n}</title>\
             <products><list-item><name>P{n}</name></list-item></products><poc></poc></list-item>"
        )
    };
    let around = (
        "<root><count>8</count><next/><results>",
        "</results></root>",
    );
    seed(Profile::Drf, around, record, by_element)
}

fn attributes() -> Seed {
    let record = |n: u32| {
        format!(
            "<advisory said=\"SA9000{n}\" criticality='3'>\n<title>T{n}</title><description><![CDATA[It's 5\" < 6\r\n]]>\
             </description><product id='7' name=\"P{n}\"/></advisory>\n"
        )
    };
    let around = (
        "<feed xmlns=\"urn:x\" version=\"2\">\n<!-- new -->",
        "</feed>",
    );
    seed(Profile::Attributes, around, record, by_attribute)
}

fn attributes_alone() -> Seed {
    let record = |n: u32| format!("<a said=\"SA9000{n}\" title='T{n}'/>\n");
    seed(
        Profile::Attributes,
        ("<feed>\n", "</feed>"),
        record,
        by_attribute,
    )
}

fn cvrf() -> Seed {
    let record = |n: u32| {
        format!(
            "<c:doc xmlns:c=\"urn:c\"><c:DocumentTitle>T{n}</c:DocumentTitle><c:DocumentTracking><c:Identification>\
             <c:ID>SA9000{n}</c:ID></c:Identification></c:DocumentTracking>\
             <v:Vulnerability Ordinal=\"1\"><v:CVE>CVE-2026-000{n}</v:CVE></v:Vulnerability></c:doc>\n"
        )
    };
    let by_path = |n: u32| format!("<c:ID>SA9000{n}</c:ID></c:Identification>");
    seed(
        Profile::Cvrf,
        ("<cvrfdocs>\n", "</cvrfdocs>"),
        record,
        by_path,
    )
}

fn by_element(n: u32) -> String {
    format!("<advisory_identifier>SA9000{n}</advisory_identifier>")
}

fn by_attribute(n: u32) -> String {
    format!(" said=\"SA9000{n}\"")
}

/// What a reading of a damaged document came to.
#[derive(Default)]
struct Reading {
    is_complete: bool,
    stored: Vec<String>,
    refused: Vec<Option<String>>,
    /// The texts of refused records, which the quarantine keeps.
    kept: Vec<u8>,
}

fn read(rules: &Arc<ParserRules>, document: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut take = |record: &[u8]| match read_record(rules, record) {
        Ok(advisory) => reading.stored.push(advisory.said),
        Err(unreadable) => {
            reading.kept.extend_from_slice(record);
            reading.refused.push(unreadable.key);
            let others = unreadable.others.into_iter().map(|other| Some(other.key));
            reading.refused.extend(others);
        }
    };
    let mut reader = RecordReader::new(Arc::clone(rules), None, None);
    let ended = reader
        .push(document, &mut take)
        .and_then(|()| reader.finish(&mut take));
    reading.is_complete = ended.is_ok();
    reading
}

/// How many damages of one kind ended how.
#[derive(Default)]
struct Counts {
    failed: usize,
    whole: usize,
    refused: usize,
    lost: Vec<String>,
}

impl Counts {
    /// A reading that is complete holds as many advisories as there are, and each
    /// whose identifier the damage has spared by that name.
    fn judge(
        &mut self,
        seed: &Seed,
        rules: &Arc<ParserRules>,
        document: &[u8],
        what: &dyn Fn() -> String,
    ) {
        let reading = read(rules, document);
        if !reading.is_complete {
            self.failed += 1;
            return;
        }
        let is_there = |n: u32| {
            let said = format!("SA9000{n}");
            reading.stored.contains(&said) || reading.refused.contains(&Some(said))
        };
        let spared = |n: &u32| {
            let identity = (seed.identity)(*n);
            memchr::memmem::find(document, identity.as_bytes()).is_some()
        };
        let missing: Vec<u32> = (1..=RECORDS)
            .filter(spared)
            .filter(|n| !is_there(*n))
            .collect();
        let all: BTreeSet<&String> = reading.stored.iter().collect();
        let held = all.len() + reading.refused.len();
        if !missing.is_empty() || held < RECORDS as usize {
            self.lost
                .push(format!("{}: {held} held, missing {missing:?}", what()));
        } else if reading.refused.is_empty() {
            self.whole += 1;
        } else {
            self.refused += 1;
        }
    }
}

/// Damages a document everywhere; what was counted, as rows of a table.
fn assert_nothing_is_lost(seed: &Seed) {
    let kinds: [(&str, EditKind); 6] = [
        ("one byte deleted", deleted_bytes),
        ("one byte replaced", replaced_bytes),
        ("one byte inserted", inserted_bytes),
        ("two neighbouring tags swapped", swapped_tags),
        ("a tag's name damaged", damaged_names),
        (
            "a tag removed, doubled or cut",
            removed_doubled_and_cut_tags,
        ),
    ];
    let rules = rules();
    let whole = read(&rules, seed.document.as_bytes());
    assert_eq!(whole.stored.len(), RECORDS as usize, "{}", seed.document);
    assert!(whole.is_complete && whole.refused.is_empty());
    let mut table = String::new();
    let mut lost = Vec::new();
    for (kind, edit) in kinds {
        let mut counts = Counts::default();
        edit(&seed.document, &mut |damaged, what| {
            counts.judge(seed, &rules, damaged, what);
        });
        let all = counts.failed + counts.whole + counts.refused + counts.lost.len();
        let Counts {
            failed,
            whole,
            refused,
            ..
        } = counts;
        let _ = writeln!(
            table,
            "| {} | {kind} | {all} | {failed} | {whole} | {refused} | {} |",
            seed.profile.name(),
            counts.lost.len()
        );
        lost.append(&mut counts.lost);
    }
    // `--nocapture` shows what docs/trust.md publishes.
    eprint!("{table}");
    lost.truncate(20);
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

#[test]
fn no_damage_of_one_place_loses_an_advisory_of_json_names() {
    assert_nothing_is_lost(&json_names());
}

#[test]
fn no_damage_of_one_place_loses_an_advisory_of_drf() {
    assert_nothing_is_lost(&drf());
}

#[test]
fn no_damage_of_one_place_loses_an_advisory_of_attributes() {
    assert_nothing_is_lost(&attributes());
    assert_nothing_is_lost(&attributes_alone());
}

#[test]
fn no_damage_of_one_place_loses_an_advisory_of_cvrf() {
    assert_nothing_is_lost(&cvrf());
}

/// What is missing in the middle of a document, as when a part of a transfer is lost: each
/// identifier that is left is that of an advisory that is read, or stands in a refused record.
#[test]
fn a_hole_loses_no_advisory_whose_identifier_is_left() {
    const LENGTHS: [usize; 9] = [2, 3, 5, 8, 21, 55, 89, 144, 233];
    let rules = rules();
    let (mut lost, mut holes, mut failed) = (Vec::new(), 0, 0);
    for seed in [
        json_names(),
        drf(),
        attributes(),
        attributes_alone(),
        cvrf(),
    ] {
        let document = seed.document.as_bytes();
        // The first records suffice: what is behind them is like them.
        for (at, length) in
            (0..document.len() / 3).flat_map(|at| LENGTHS.map(|length| (at, length)))
        {
            let behind = document.get(at + length..).unwrap_or_default();
            let damaged = [&document[..at], behind].concat();
            let reading = read(&rules, &damaged);
            holes += 1;
            if !reading.is_complete {
                failed += 1;
                continue;
            }
            let is_in =
                |text: &[u8], said: &str| memchr::memmem::find(text, said.as_bytes()).is_some();
            let is_there =
                |said: &String| reading.stored.contains(said) || is_in(&reading.kept, said);
            let is_left = |said: &String| is_in(&damaged, said);
            let saids = (1..=RECORDS).map(|n| format!("SA9000{n}"));
            let missing: Vec<String> = saids
                .filter(|said| is_left(said) && !is_there(said))
                .collect();
            if !missing.is_empty() {
                let name = seed.profile.name();
                let around = &document[at.saturating_sub(20)..at];
                let rest = &behind[..behind.len().min(40)];
                lost.push(format!(
                    "{name}: {at}+{length}: {missing:?} in …{}|{}…",
                    String::from_utf8_lossy(around),
                    String::from_utf8_lossy(rest)
                ));
            }
        }
    }
    eprintln!("{holes} holes, {failed} failed, {} lost", lost.len());
    lost.truncate(30);
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}
