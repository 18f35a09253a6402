//! Damaged, odd and wrong documents: a run that is complete has every advisory of its
//! document, stored or in quarantine; otherwise it fails and the cursor stays.

use std::fmt::Write as _;

use advisoryd::job::feeds::feed::LookBack;
use serde_json::Value;

use crate::support::{Documents, World, assert_reads};

/// A record with identifier, title and criticality.
fn record(number: u32) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T{number}</title>\
         <criticality>1</criticality></advisory>"
    )
}

/// The records of one to `count`.
fn records(count: u32) -> String {
    (1..=count).map(record).collect()
}

async fn world() -> (World, Documents) {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    (world, documents)
}

async fn texts(world: &World, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql)
        .fetch_all(world.pool())
        .await
        .unwrap()
}

const SAIDS: &str = "select said from advisoryd_v1.advisories order by said";
const KEYS: &str =
    "select coalesce(key, '(none)') || ': ' || reason from advisoryd_v1.quarantine order by id";
const IS_COVERED: &str =
    "select count(*) from advisoryd_v1.coverage where watch_list_id = 1 and not isempty(covered)";

/// Pulls and imports one document, each into a database of its own, and returns what a
/// person needs to know of both.
async fn taken(document: &str) -> (String, i64) {
    let (world, documents) = world().await;
    documents.set(1, document);
    let report = world.pull_one().await;
    let saids = texts(&world, SAIDS).await;
    let keys = texts(&world, KEYS).await;
    let covered = world.count(IS_COVERED).await;
    let outcome = report.outcome.error().unwrap_or("ok").to_owned();
    let is_complete = report.outcome.name() == "ok";
    assert_eq!(
        covered == 1,
        is_complete,
        "the cursor moves with a complete run only"
    );

    // `import` says the same.
    let other = World::new().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document).unwrap();
    let mut command = other.command(&["import", "--watch-list", "1", "--json"]);
    let output = command.arg(file.path()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(texts(&other, SAIDS).await, saids, "{document}");
    assert_eq!(texts(&other, KEYS).await, keys, "{document}");
    assert_eq!(
        report["outcome"] == "ok",
        is_complete,
        "{document}: {report}"
    );

    let mut told = format!("{outcome}; stored: {}", saids.join(" "));
    for key in keys {
        let _ = write!(told, "; in quarantine: {key}");
    }
    (told, covered)
}

/// What becomes of each document, below its name.
async fn all_taken(documents: &[(&str, String)], is_complete: bool) -> String {
    let mut all = String::new();
    for (name, document) in documents {
        let (told, covered) = taken(document).await;
        assert_eq!(covered == 1, is_complete, "{name}: {told}");
        let _ = writeln!(all, "{name}\n    {told}");
    }
    all
}

#[tokio::test]
async fn a_damaged_document_is_a_failed_run_and_what_was_whole_is_stored() {
    let documents = [
        (
            "the first record lost its `<`",
            format!(
                "<advisories>advisory>{}</advisories>",
                &records(3)["<advisory>".len()..]
            ),
        ),
        (
            "two end tags swapped",
            format!(
                "<feed><pages><page>{}</pages></page><page>{}</page></pages></feed>",
                record(1),
                record(2)
            ),
        ),
        (
            "an end tag that closes the list early, in a record",
            "<feed><list><advisory><said>SA1</said><description><ul><li>x</list></description>\
             <title>T1</title></advisory>"
                .to_owned()
                + &record(2)
                + &record(3)
                + "</list></feed>",
        ),
        (
            "the end tag of the list too early",
            format!(
                "<feed><list>{}</list>{}</list></feed>",
                record(1),
                record(2)
            ),
        ),
        (
            "text beside records",
            format!(
                "<advisories>{}Internal server error</advisories>",
                record(1)
            ),
        ),
        (
            "an element that reports an error",
            format!(
                "<advisories>{}<error>Internal server error, output stopped</error></advisories>",
                record(1)
            ),
        ),
        (
            "a root that reports an error",
            "<response status=\"error\" code=\"500\" message=\"backend timeout\"/>".to_owned(),
        ),
        (
            "a start tag that lost its `<`",
            "<all><a said=\"SA1\"/>a said=\"SA2\"/><a said=\"SA3\"/></all>".to_owned(),
        ),
        (
            "cut within a record",
            format!(
                "<advisories>{}<advisory><advisory_identifier>SA2",
                record(1)
            ),
        ),
        (
            "fewer records than it counts",
            format!(
                "<root><count>3</count><next/><results>{}</results></root>",
                record(1)
            ),
        ),
    ];
    insta::assert_snapshot!(all_taken(&documents, false).await);
}

#[tokio::test]
async fn related_advisories_are_not_taken_for_the_feed() {
    let related = |number: u32| {
        format!(
            "<advisory><vuln_key>SA{number}</vuln_key><title>T{number}</title>\
             <related_advisories><advisory id=\"SA{}\"/></related_advisories></advisory>",
            500 + number
        )
    };
    let documents = [(
        "identifiers under an unknown name",
        format!("<advisories>{}{}</advisories>", related(1), related(2)),
    )];
    insta::assert_snapshot!(all_taken(&documents, false).await);
}

#[tokio::test]
async fn nothing_beside_records_is_dropped() {
    let documents = [
        (
            "a second group",
            format!(
                "<advisories>{}<rejected>{}</rejected></advisories>",
                record(1),
                record(2)
            ),
        ),
        (
            "a group first",
            format!(
                "<advisories><group>{}</group>{}</advisories>",
                record(2),
                record(1)
            ),
        ),
        (
            "a second list, deeper",
            format!(
                "<feed><advisories>{}</advisories><withdrawn><list>{}</list></withdrawn></feed>",
                record(1),
                record(3)
            ),
        ),
        (
            "a damaged element with an identifier",
            format!(
                "<advisories>{}<note>open {} <x></note>{}</advisories>",
                record(1),
                record(2),
                record(3)
            ),
        ),
        (
            "a wrong end tag before a related advisory",
            format!(
                "<feed><page>{}</page><page><advisory><said>SA2</said><description>x</feed>\
                 <related><advisory><said>SA9</said></advisory></related></advisory></page></feed>",
                record(1)
            ),
        ),
        (
            "a commented-out record",
            format!(
                "<advisories>{}<!-- {} --></advisories>",
                record(1),
                record(2)
            ),
        ),
    ];
    insta::assert_snapshot!(all_taken(&documents, true).await);
}

#[tokio::test]
async fn a_damaged_record_is_stored_marked_and_shown() {
    let (world, documents) = world().await;
    let of = |number: u32, text: &str| {
        format!(
            "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>T{number}</title>\
             <criticality>1</criticality><description>{text}</description></advisory>"
        )
    };
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
    documents.set(1, document);

    let report = world.pull_one().await;
    assert_eq!((report.outcome.name(), report.tally.added), ("ok", 9));
    let stored = "select said || ' ' || repaired || ' ' || description || ' | ' || coalesce(unrecognised::text, 'nothing')
                  from advisoryd_v1.advisories order by said";
    let stored = texts(&world, stored).await.join("\n");
    let raw =
        "select count(*) from advisoryd_v1.advisories where said = 'SA4' and raw like '%AT&T%'";
    assert_eq!(world.count(raw).await, 1, "as received");
    let changed = "select count(*) from advisoryd_v1.changes where what = 'appeared'";
    assert_eq!(
        world.count(changed).await,
        9,
        "alerts are made from changes"
    );
    let page = world.told(&["show", "SA2"]);
    assert_eq!(page.code, 0);
    assert_reads!(stored, page.stdout);
    // Nothing but the tickets, which were never pulled, is missing.
    let verified = world.told(&["verify"]).stdout;
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
        texts(&world, marked).await.join(" "),
        "SA3 SA5 SA6 SA7 SA8 SA9"
    );
}

/// A list that sends an advisory damaged does not replace what another sends intact.
#[tokio::test]
async fn of_one_revision_the_intact_record_stays() {
    let (mut world, documents) = world().await;
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
        assert_eq!(texts(&world, title).await, ["cafe false"], "{order:?}");
        world.pull_back(LookBack::Full).await;
        assert_eq!(texts(&world, title).await, ["cafe false"], "{order:?}");
    }
}

#[tokio::test]
async fn a_value_that_postgresql_refuses_stops_no_other_record() {
    let extremes = [
        (
            "a year before all",
            "<released>0000-01-01T00:00:00Z</released>".to_owned(),
        ),
        (
            "a year after all",
            "<released>999999-01-01T00:00:00Z</released>".to_owned(),
        ),
        (
            "a CVE of 20,000 digits",
            format!("<cves>CVE-2026-{}</cves>", "7".repeat(20_000)),
        ),
        ("60,000 products", {
            let products: String = (0..60_000)
                .map(|number| format!("<product>Product number {number} of many</product>"))
                .collect();
            format!("<products>{products}</products>")
        }),
        (
            "a name of 3 MB",
            format!("<product>{}</product>", words(3_000_000)),
        ),
        (
            "a title of 3 MB",
            format!("<title>{}</title>", words(3_000_000)),
        ),
        (
            "a description of 3 MB",
            format!("<description>{}</description>", words(3_000_000)),
        ),
        (
            "a status of 9 kB",
            format!("<solution_status>{}</solution_status>", words(9_000)),
        ),
        (
            "an impact of 9 kB",
            format!("<impact>{}</impact>", words(9_000)),
        ),
        ("5,000 CVEs", {
            let all: String = (0..5_000)
                .map(|number| format!("CVE-2026-{number:05} "))
                .collect();
            format!("<cves>{all}</cves>")
        }),
        (
            "a url of 1 MB",
            format!(
                "<references><reference><url>http://x/{}</url></reference></references>",
                "y".repeat(1_000_000)
            ),
        ),
        (
            "a number of 40 digits",
            format!("<id>{}</id>", "9".repeat(40)),
        ),
        (
            "a score of 400 digits",
            format!("<cvss3_score>{}</cvss3_score>", "9".repeat(400)),
        ),
        (
            "an unknown element of 1 MB",
            format!("<odd>{}</odd>", words(1_000_000)),
        ),
    ];
    let (world, documents) = world().await;
    let mut document = "<advisories>".to_owned();
    for (index, (_, xml)) in extremes.iter().enumerate() {
        let number = 100 + index;
        document += &record(u32::try_from(index).unwrap() + 1);
        let _ = write!(
            document,
            "<advisory><advisory_identifier>SA{number}</advisory_identifier>{xml}</advisory>"
        );
    }
    document += "</advisories>";
    documents.set(1, document);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let held = texts(
        &world,
        "select said from advisoryd_v1.advisories union select key from advisoryd_v1.quarantine",
    )
    .await;
    assert_eq!(held.len(), 2 * extremes.len(), "{held:?}");
    let stored = texts(&world, SAIDS).await;
    for number in 1..=extremes.len() {
        assert!(
            stored.contains(&format!("SA{number}")),
            "the neighbour SA{number}"
        );
    }
    let refused = texts(&world, KEYS).await;
    assert!(refused.is_empty(), "bounded where it is read: {refused:?}");
}

/// Words that are all different, `length` bytes of them.
fn words(length: usize) -> String {
    let mut text = String::with_capacity(length + 10);
    for number in 0.. {
        let _ = write!(text, "w{number:x} ");
        if text.len() >= length {
            break;
        }
    }
    text
}

/// Whatever bound is missing where values are read: the database refuses one record, and
/// that record alone is quarantined with what the database says.
#[tokio::test]
async fn a_record_that_the_database_refuses_is_quarantined_alone() {
    let (world, documents) = world().await;
    // The first pull makes the schema.
    documents.set(1, "<advisories/>");
    world.pull_one().await;
    let refuse = "create function advisoryd.refuse() returns trigger language plpgsql as $$
                  begin
                      if new.said = 'SA250' then
                          raise exception 'value too large for index' using errcode = '54000';
                      end if;
                      return new;
                  end $$;
                  create trigger refuse before insert on advisoryd.advisory
                  for each row execute function advisoryd.refuse()";
    sqlx::raw_sql(refuse).execute(world.pool()).await.unwrap();
    documents.set(1, format!("<advisories>{}</advisories>", records(600)));
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    assert_eq!((report.tally.added, report.tally.quarantined), (599, 1));
    assert_reads!(texts(&world, KEYS).await.join("\n"));
    let told = world.told(&["quarantine", "retry"]);
    assert_reads!(told);

    sqlx::raw_sql("drop trigger refuse on advisoryd.advisory")
        .execute(world.pool())
        .await
        .unwrap();
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!((report.tally.added, report.tally.quarantined), (1, 0));
    assert!(texts(&world, KEYS).await.is_empty(), "released");
}
