//! Published files: what is read, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use chrono::DateTime;
use serde_json::json;

use super::{EpssReader, NotPublished, kev_catalogue, recognise};
use crate::model::{Catalogue, CveNumber, EpssScores};

const EPSS: &str = "#model_version:v2025.03.14,score_date:2026-11-01T12:55:00Z\n\
    cve,epss,percentile\nCVE-1999-0001,0.01129,0.78\r\nCVE-2026-1234,0.97,1\n";

fn epss(text: &str, piece: usize) -> Result<EpssScores, NotPublished> {
    let mut reader = EpssReader::default();
    for piece in text.as_bytes().chunks(piece) {
        reader.push(piece)?;
    }
    reader.finish()
}

#[test]
fn scores_are_read_from_pieces_of_any_size() {
    let whole = epss(EPSS, EPSS.len()).unwrap();
    assert_eq!(whole.release.as_deref(), Some("v2025.03.14"));
    let at = DateTime::parse_from_rfc3339("2026-11-01T12:55:00Z").unwrap();
    assert_eq!(whole.released_at, at);
    let cve = |text| CveNumber::parse(text).unwrap();
    let scores = [
        (cve("CVE-1999-0001"), 0.01129),
        (cve("CVE-2026-1234"), 0.97),
    ];
    assert_eq!(whole.scores, scores);
    for piece in 1..20 {
        assert_eq!(epss(EPSS, piece).unwrap(), whole, "{piece}");
    }
    let old = EPSS.replace("2026-11-01T12:55:00Z", "2022-01-01T00:00:00+0000");
    assert!(epss(&old, 99).is_ok());
}

#[test]
fn a_damaged_file_of_scores_is_refused_with_its_line() {
    let long = format!("{EPSS}{}", "x".repeat(300));
    for (text, why) in [
        ("cve,epss,percentile\nCVE-2026-1234,0.1,0.1\n", "score_date"),
        ("#score_date:2026-11-01\ncve,epss,percentile\n", "no scores"),
        ("#score_date:soon\n", "no time (line 1)"),
        ("#score_date:2026-11-01\nCVE-2026-1234,0.1,0.1\n", "heading"),
        (&EPSS.replace("0.97", "1.97"), "(line 4)"),
        (&EPSS.replace("0.97", "NaN"), "(line 4)"),
        (EPSS.trim_end_matches(",1\n"), "(line 4)"),
        (&long, "too long (line 5)"),
    ] {
        let error = epss(text, 7).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn a_catalogue_is_read_whole_or_refused() {
    let entry = json!({"cveID": "cve-2026-1234", "vendorProject": "Example", "dateAdded": "2026-10-30",
        "dueDate": "2026-11-20", "knownRansomwareCampaignUse": "Known"});
    let of = |entries: &[serde_json::Value], count: usize| {
        let file = json!({"title": "…", "catalogVersion": "2026.10.30", "count": count,
            "dateReleased": "2026-10-30T15:00:00.1234Z", "vulnerabilities": entries});
        kev_catalogue(file.to_string().as_bytes())
    };
    let catalogue = of(std::slice::from_ref(&entry), 1).unwrap();
    assert_eq!(catalogue.entries[0].cve, "CVE-2026-1234");
    assert!(catalogue.entries[0].is_ransomware);
    let due = catalogue.entries[0].due_on.unwrap();
    assert_eq!(due.to_string(), "2026-11-20");
    let mut plain = entry.clone();
    plain["knownRansomwareCampaignUse"] = "Unknown".into();
    plain.as_object_mut().unwrap().remove("dueDate");
    let catalogue = of(&[plain], 1).unwrap();
    let entry_of = &catalogue.entries[0];
    assert_eq!((entry_of.is_ransomware, entry_of.due_on), (false, None));

    for (field, value) in [
        ("cveID", "x"),
        ("cveID", "CVE-1\n"),
        ("cveID", "CVE-2026-1 or"),
        ("dateAdded", "today"),
        ("dueDate", "2026-13-01"),
    ] {
        let mut wrong = entry.clone();
        wrong[field] = value.into();
        let error = of(&[entry.clone(), wrong], 2);
        assert_eq!(error.is_err(), value != "CVE-1\n", "{field} {value}");
    }
    assert!(of(&[], 0).is_err());
    assert!(
        of(&[entry], 2)
            .unwrap_err()
            .to_string()
            .contains("says that it has 2")
    );
    assert!(kev_catalogue(b"{\"vulnerabilities\": [").is_err());
}

#[test]
fn a_file_is_recognised_by_its_beginning() {
    assert_eq!(recognise(EPSS.as_bytes()), Some(Catalogue::Epss));
    assert_eq!(recognise(b"cve,epss,percentile"), Some(Catalogue::Epss));
    assert_eq!(recognise(b"\xef\xbb\xbf {\n"), Some(Catalogue::Kev));
    assert_eq!(recognise(b"<html>"), None);
    assert_eq!(recognise(b""), None);
}
