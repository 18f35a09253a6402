//! Values that PostgreSQL refuses: they cost no other record.

use std::fmt::Write as _;

use advisoryd::job::feeds::feed::LookBack;

use crate::support::{assert_reads, record, world_of_documents};

const SAIDS: &str = "select said from advisoryd_v1.advisories order by said";
const KEYS: &str =
    "select coalesce(key, '(none)') || ': ' || reason from advisoryd_v1.quarantine order by id";

/// Elements with values that no column, index or type of PostgreSQL can hold.
#[expect(clippy::too_many_lines, reason = "a few lines for each value")]
fn extremes() -> [(&'static str, String); 14] {
    [
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
        (
            "60,000 products",
            format!(
                "<products>{}</products>",
                repeated(60_000, |number| format!(
                    "<product>Product number {number} of many</product>"
                ))
            ),
        ),
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
        (
            "5,000 CVEs",
            format!(
                "<cves>{}</cves>",
                repeated(5_000, |number| format!("CVE-2026-{number:05} "))
            ),
        ),
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
    ]
}

fn repeated(count: usize, each: impl Fn(usize) -> String) -> String {
    (0..count).map(each).collect()
}

#[tokio::test]
async fn a_value_that_postgresql_refuses_stops_no_other_record() {
    let extremes = extremes();
    let (world, documents) = world_of_documents().await;
    let mut document = "<advisories>".to_owned();
    for (index, (_, xml)) in extremes.iter().enumerate() {
        let number = 100 + index;
        document += &record(index + 1);
        let _ = write!(
            document,
            "<advisory><advisory_identifier>SA{number}</advisory_identifier>{xml}</advisory>"
        );
    }
    document += "</advisories>";
    documents.set(1, document);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let held = world.texts("select said from advisoryd_v1.advisories union select key from advisoryd_v1.quarantine")
    .await;
    assert_eq!(held.len(), 2 * extremes.len(), "{held:?}");
    let stored = world.texts(SAIDS).await;
    for number in 1..=extremes.len() {
        assert!(
            stored.contains(&format!("SA{number}")),
            "the neighbour SA{number}"
        );
    }
    let refused = world.texts(KEYS).await;
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
    let (world, documents) = world_of_documents().await;
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
    documents.set(
        1,
        format!(
            "<advisories>{}</advisories>",
            (1..=600).map(record).collect::<String>()
        ),
    );
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    assert_eq!((report.tally.added, report.tally.quarantined), (599, 1));
    assert_reads!(world.texts(KEYS).await.join("\n"));
    let result = world.cli(&["quarantine", "retry"]);
    assert_reads!(result);

    sqlx::raw_sql("drop trigger refuse on advisoryd.advisory")
        .execute(world.pool())
        .await
        .unwrap();
    let report = world.pull_back(LookBack::Full).await.remove(0);
    assert_eq!((report.tally.added, report.tally.quarantined), (1, 0));
    assert!(world.texts(KEYS).await.is_empty(), "released");
}
