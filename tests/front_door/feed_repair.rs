//! Damaged records are repaired, marked and stored; an intact copy replaces them.

use advisoryd::job::feeds::feed::LookBack;

use crate::support::{assert_reads, world_of_documents};

fn of(number: u32, text: &str) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T{number}</title>\
         <criticality>1</criticality><description>{text}</description></advisory>"
    )
}

/// A document with every damage that is repaired, one to a record.
fn damaged() -> Vec<u8> {
    let texts_of = [
        (1, "intact"),
        (2, "tab \u{b} character"),
        (3, "non&nbsp;breaking"),
        (4, "AT&T"),
        (5, "if a < b then"),
        (6, "reference &#11; to one"),
        (7, "unknown &nothing; entity"),
        (8, "<b>bold without end"),
    ];
    let mut document = b"<advisories>".to_vec();
    for (number, text) in texts_of {
        document.extend_from_slice(of(number, text).as_bytes());
    }
    // One byte of Latin-1 in UTF-8.
    let latin = of(9, "caf|");
    let (before, after) = latin.split_once('|').unwrap();
    document.extend_from_slice(before.as_bytes());
    document.push(0xe9);
    document.extend_from_slice(after.as_bytes());
    document.extend_from_slice(b"</advisories>");
    document
}

#[tokio::test]
async fn a_damaged_record_is_stored_marked_and_shown() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, damaged());

    let report = world.pull_one().await;
    assert_eq!((report.outcome.name(), report.tally.added), ("ok", 9));
    let stored = "select said || ' ' || repaired || ' ' || description || ' | ' || coalesce(unrecognised::text, 'nothing')
                  from advisoryd_v1.advisories order by said";
    let stored = world.texts(stored).await.join("\n");
    let raw =
        "select count(*) from advisoryd_v1.advisories where said = 'SA4' and raw like '%AT&T%'";
    assert_eq!(world.count(raw).await, 1, "as received");
    let changed = "select count(*) from advisoryd_v1.changes where what = 'appeared'";
    assert_eq!(
        world.count(changed).await,
        9,
        "alerts are made from changes"
    );
    let page = world.cli(&["show", "SA2"]);
    assert_eq!(page.code, 0);
    assert_reads!(stored, page.stdout);
    // Nothing but the tickets, which were never pulled, is missing.
    let verified = world.cli(&["verify"]).stdout;
    assert_eq!(verified.matches("FAIL").count(), 1, "{verified}");

    // The same again is nothing new, and what comes intact is no longer marked.
    let again = world.pull_one().await;
    assert_eq!((again.tally.added, again.tally.changed), (0, 0));
    documents.set(
        1,
        format!(
            "<advisories>{}</advisories>",
            of(2, "tab character") + &of(4, "AT&amp;T")
        ),
    );
    world.pull_back(LookBack::Full).await;
    let marked = "select said from advisoryd_v1.advisories where repaired order by said";
    assert_eq!(
        world.texts(marked).await.join(" "),
        "SA3 SA5 SA6 SA7 SA8 SA9"
    );
}

/// A list that sends an advisory damaged does not replace what another sends intact.
#[tokio::test]
async fn of_one_revision_the_intact_record_stays() {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(vec![1, 2]);
    let of = |text: &str| {
        format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>{text}</title>\
             <modified_date>2026-01-02T03:04:05Z</modified_date></advisory></advisories>"
        )
    };
    let title = "select title || ' ' || repaired from advisoryd_v1.advisories";
    for order in [[1, 2], [2, 1]] {
        documents.set(order[0], of("caf\u{b}"));
        documents.set(order[1], of("cafe"));
        world.pull_back(LookBack::Full).await;
        assert_eq!(world.texts(title).await, ["cafe false"], "{order:?}");
        world.pull_back(LookBack::Full).await;
        assert_eq!(world.texts(title).await, ["cafe false"], "{order:?}");
    }
}

/// A correction without a new time is not hidden by damage in another field.
#[tokio::test]
async fn what_is_not_damaged_in_a_record_of_the_same_revision_counts() {
    let (world, documents) = world_of_documents().await;
    let of = |criticality: u32, text: &str| {
        format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>T</title>\
             <modified_date>2026-01-02T03:04:05Z</modified_date><criticality>{criticality}</criticality>\
             <description>{text}</description></advisory></advisories>"
        )
    };
    let stored = "select criticality || ' ' || version || ' ' || repaired || ' ' || description
                  from advisoryd_v1.advisories";
    for (criticality, text, wanted) in [
        (2, "R and D", "2 1 false R and D"),
        (2, "R an\u{b} D", "2 1 false R and D"),
        (1, "R&D", "1 2 true R&D"),
        (1, "R&amp;D", "1 2 false R&D"),
        (2, "R&D\u{b}", "2 3 true R&D\u{fffd}"),
    ] {
        documents.set(1, of(criticality, text));
        world.pull_back(LookBack::Full).await;
        assert_eq!(world.texts(stored).await, [wanted]);
    }
    let escalated = "select count(*) from advisoryd_v1.changes where what = 'escalated'";
    assert_eq!(world.count(escalated).await, 1);
}

#[tokio::test]
async fn words_of_a_text_neither_run_together_nor_vanish() {
    let (world, documents) = world_of_documents().await;
    let texts = [
        ("Update to <b>3.0.1</b>", "Update to 3.0.1", false),
        ("Do <b>not</b> <b>disable</b>", "Do not disable", false),
        ("a<b> b </b>c", "a b c", false),
        ("<b>Do</b> not\n  <i>use</i>", "Do not use", false),
        ("un<b>able</b>", "unable", false),
        ("open <b>bold", "open bold", true),
        (
            "use std::vector<int> and <T>",
            "use std::vector<int> and <T>",
            true,
        ),
        ("the <select> element", "the <select> element", true),
    ];
    let mut document = "<advisories>".to_owned();
    for (number, (text, ..)) in (1..).zip(texts) {
        let record =
            of(number, text).replace(&format!("<title>T{number}<"), &format!("<title>{text}<"));
        document.push_str(&record);
    }
    documents.set(1, document + "</advisories>");
    let report = world.pull_one().await;
    assert_eq!(report.outcome.error(), None);
    let wanted = texts.map(|(_, read, repaired)| format!("{read} {repaired}"));
    for stored in [
        "select description || ' ' || repaired from advisoryd_v1.advisories order by said",
        "select title || ' ' || repaired from advisoryd_v1.advisories order by said",
    ] {
        assert_eq!(world.texts(stored).await, wanted);
    }
}
