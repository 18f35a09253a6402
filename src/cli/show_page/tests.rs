//! Pages of advisories and tickets.

use serde_json::json;

use super::page;
use crate::cli::times::Times;
use crate::model::{RecordKind, RecordReceipt};

#[test]
fn a_column_that_the_page_does_not_know_is_shown_behind_the_facts() {
    let document = json!({"said": "SA1", "title": "x", "version": 2, "criticality": 3,
        "exploit_count": 7, "description": "text"});
    let receipt = RecordReceipt {
        is_stored: true,
        ..RecordReceipt::default()
    };
    assert_eq!(
        page(
            RecordKind::Advisory,
            &document,
            (&receipt, Times::new(true)),
            None,
            None
        ),
        "SA1  x\n──────\nversion           2\nexploit count     7\n\nDescription\n  text"
    );
}

#[test]
fn what_is_documented_hides_nothing_odd() {
    let page = |unrecognised: serde_json::Value| {
        let document = json!({"said": "SA1", "title": "x", "unrecognised": unrecognised});
        let receipt = RecordReceipt {
            is_stored: true,
            ..RecordReceipt::default()
        };
        page(
            RecordKind::Advisory,
            &document,
            (&receipt, Times::new(true)),
            None,
            None,
        )
    };
    let revision = "advisory/revisions/list-item/number";
    assert!(!page(json!({revision: "1.0"})).contains("unrecognised"));
    let both = page(json!({revision: "1.0", "advisory/colour": "red"}));
    assert!(
        both.contains("unrecognised      {\"advisory/colour\":\"red\"}"),
        "{both}"
    );
}

/// Texts from upstream in every field, and each line of the page that may begin.
#[test]
fn no_field_forges_a_line() {
    const FORGED: &str = "x\nseverity          extremely_critical\rFORGED\u{2028}FORGED";
    for (kind, layout) in [
        (RecordKind::Advisory, &super::ADVISORY),
        (RecordKind::Ticket, &super::TICKET),
    ] {
        let fields = layout.facts.iter().chain(layout.others);
        let fields = fields.copied().chain(["of_upstream", "forged\nseverity"]);
        for field in fields {
            let item = json!({"id": FORGED, "status": FORGED, "name": FORGED,
                "product_id": FORGED, "url": FORGED, "description": FORGED,
                "watch_list_id": FORGED, "left_at": FORGED});
            for value in [json!(FORGED), json!([FORGED]), json!([item]), item.clone()] {
                let mut document = json!({"said": "SA1", "id": 1, "title": "t"});
                document[field] = value;
                let receipt = RecordReceipt {
                    is_stored: true,
                    ..RecordReceipt::default()
                };
                let page = page(
                    kind,
                    &document,
                    (&receipt, Times::new(true)),
                    None,
                    Some(80),
                );
                for line in page.split(['\n', '\r', '\u{2028}']) {
                    let is_forged = line.starts_with("severity  ") && field != "severity";
                    assert!(!is_forged && !line.starts_with("FORGED"), "{field}: {page}");
                }
            }
        }
    }
}
