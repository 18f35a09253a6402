use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::{ParserRules, Profile, read_record};
use super::split_with;
use crate::model::Advisory;

const PATTERN: &str = "(cisco-sa-[0-9a-z-]+|RHSA-[0-9]{4}:[0-9]{4})";

/// A public CVRF document, where this machine has it.
fn sample(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/samples/cvrf")
        .join(name);
    let text = std::fs::read_to_string(&path);
    if text.is_err() {
        eprintln!("skipped: {} is not here", path.display());
    }
    text.ok()
}

fn read(document: &str) -> Vec<Advisory> {
    let rules = Arc::new(ParserRules::new(PATTERN, &BTreeMap::new()).unwrap());
    let (records, end) = split_with(&rules, document.as_bytes(), None, 1000);
    assert_eq!(end.unwrap().profile, Profile::Cvrf);
    let read = |record: &Vec<u8>| read_record(&rules, record).unwrap();
    records.iter().map(read).collect()
}

#[test]
fn the_two_public_cvrf_documents_come_in_whole() {
    let names = ["cisco-sa-20180328-smi2.xml", "rhsa-2012-0465.xml"];
    let (Some(cisco), Some(red_hat)) = (sample(names[0]), sample(names[1])) else {
        return;
    };
    let body = |text: &str| text[text.find("?>").map_or(0, |end| end + 2)..].to_owned();
    let wrapped = format!("<docs>{}{}</docs>", body(&cisco), body(&red_hat));
    let both = read(&wrapped);
    assert_eq!(both.len(), 2);
    assert_eq!(read(&cisco)[0], both[0]);
    assert_eq!(read(&red_hat)[0], both[1]);

    assert_cisco(&both[0], &cisco);
    assert_red_hat(&both[1], &red_hat);
}

fn assert_cisco(cisco_read: &Advisory, cisco: &str) {
    assert_eq!(cisco_read.said, "cisco-sa-20180328-smi2");
    assert!(
        cisco_read
            .title
            .as_deref()
            .unwrap()
            .starts_with("Cisco IOS and IOS XE")
    );
    assert_eq!(cisco_read.cves, ["CVE-2018-0171"]);
    assert_eq!(cisco_read.cvss3.score, Some(9.8));
    assert_eq!(
        cisco_read.products.len(),
        cisco.matches("<FullProductName ").count()
    );
    assert_eq!(cisco_read.references.len(), 3);
    assert_eq!(
        cisco_read.released_at.unwrap().to_rfc3339(),
        "2018-03-28T16:00:00+00:00"
    );
    assert_eq!(
        cisco_read.modified_at.unwrap().to_rfc3339(),
        "2018-05-03T19:35:38+00:00"
    );
    let description = cisco_read.description.as_deref().unwrap();
    assert!(description.contains("via GeekPwn") && description.contains("“plug-and-play”"));
    assert!(!description.contains("AS IS"));
    assert!(
        cisco_read
            .solution
            .as_deref()
            .unwrap()
            .contains("no vstack command")
    );
}

fn assert_red_hat(red_hat_read: &Advisory, red_hat: &str) {
    assert_eq!(red_hat_read.said, "RHSA-2012:0465");
    assert_eq!(red_hat_read.cves, ["CVE-2012-1182"]);
    assert_eq!(red_hat_read.cvss2.score, Some(8.3));
    assert_eq!(
        red_hat_read.cvss2.vector.as_deref(),
        Some("AV:A/AC:L/Au:N/C:C/I:C/A:C")
    );
    assert_eq!(
        red_hat_read.products.len(),
        red_hat.matches("<FullProductName ").count()
    );
    assert_eq!(red_hat_read.references.len(), 5);
    assert_eq!(red_hat_read.unrecognised["criticality"], "Critical");
    assert!(
        red_hat_read
            .description
            .as_deref()
            .unwrap()
            .contains("Samba is an open-source")
    );
    assert!(
        red_hat_read
            .solution
            .as_deref()
            .unwrap()
            .contains("articles/11258")
    );
    assert!(red_hat_read.released_at.is_some() && red_hat_read.modified_at.is_some());
}
