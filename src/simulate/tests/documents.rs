use chrono::{DateTime, TimeDelta};
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::simulate::{FeedFile, SimulatedProfile, SimulatorOptions, write_feed};

/// Counts the records of a document; every token of it must be well formed.
pub fn records(profile: SimulatedProfile, document: &[u8]) -> usize {
    let name = match profile {
        SimulatedProfile::JsonNames | SimulatedProfile::Attributes => "advisory",
        SimulatedProfile::Drf => "list-item",
        SimulatedProfile::Cvrf => "cvrf:cvrfdoc",
    };
    let (text, broken) = match profile {
        SimulatedProfile::Attributes => {
            encoding_rs::WINDOWS_1252.decode_without_bom_handling(document)
        }
        _ => encoding_rs::UTF_8.decode_without_bom_handling(document),
    };
    assert!(!broken);
    let mut reader = Reader::from_str(&text);
    let (mut depth, mut records, mut buffer) = (0, 0, Vec::new());
    loop {
        match reader.read_event_into(&mut buffer).unwrap() {
            Event::Start(start) => {
                depth += 1;
                records += usize::from(depth == 2 && start.name().as_ref() == name);
                assert!(start.attributes().all(|attribute| attribute.is_ok()));
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    assert_eq!(depth, 0, "every element is closed");
    records
}

fn options(advisories: usize) -> SimulatorOptions {
    SimulatorOptions {
        advisories,
        starts_at: Some(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)),
        ..SimulatorOptions::default()
    }
}

fn document(options: &SimulatorOptions, file: FeedFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write_feed(options, file, &mut bytes).unwrap();
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(written.records, records(options.profile, &bytes));
    bytes
}

#[test]
fn the_same_seed_makes_the_same_document_and_another_seed_another_one() {
    for profile in SimulatedProfile::ALL {
        let first = SimulatorOptions {
            profile,
            ..options(40)
        };
        let other = SimulatorOptions {
            seed: 2,
            ..first.clone()
        };
        let document = |options| document(options, FeedFile::default());
        assert!(document(&first) == document(&first), "{}", profile.name());
        assert!(document(&first) != document(&other), "{}", profile.name());
    }
}

#[test]
fn a_record_has_about_five_kilobytes() {
    let bytes = document(&options(1000), FeedFile::default()).len();
    assert!(
        (4500..5600).contains(&(bytes / 1000)),
        "{} bytes each",
        bytes / 1000
    );
}

#[test]
fn one_percent_changed_is_one_percent_of_the_records() {
    let options = options(2000);
    let lines = |file| {
        let text = String::from_utf8(document(&options, file)).unwrap();
        text.split("</advisory>\n")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let before = lines(FeedFile::default());
    let file = FeedFile {
        changed_per_mille: 10,
        revisions: 1,
        ..FeedFile::default()
    };
    let after = lines(file);
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .count();
    assert!((10..30).contains(&changed), "{changed} of 2000");
    let again = lines(FeedFile {
        revisions: 2,
        ..file
    });
    let moved = after
        .iter()
        .zip(&again)
        .filter(|(after, again)| after != again)
        .count();
    assert_eq!(moved, changed, "always the same ones");
}

#[test]
fn texts_contain_what_is_known_to_bite() {
    let text = String::from_utf8(document(&options(300), FeedFile::default())).unwrap();
    for bite in [
        "\r\n",
        "&lt;",
        "&amp;",
        "å",
        "東",
        "** RESERVED **",
        "http://localhost:8000/",
        "cvss4_vector",
    ] {
        assert!(text.contains(bite), "{bite:?}");
    }
    assert!(text.contains("<cvss3_vector/>"), "a blank vector");
    assert!(
        text.matches("<cvss3_score>").count() < 300,
        "missing scores"
    );
    assert!(text.contains("<is_zero_day>true</is_zero_day>"));
    assert!(text.contains("<criticality>0</criticality>"));
}

#[test]
fn severity_is_mostly_in_the_milder_half() {
    let text = String::from_utf8(document(&options(1000), FeedFile::default())).unwrap();
    let count = |code: u8| {
        text.matches(&format!("<criticality>{code}</criticality>"))
            .count()
    };
    assert!(count(3) + count(4) > 600 && count(1) + count(2) < 200 && count(1) > 0);
}
