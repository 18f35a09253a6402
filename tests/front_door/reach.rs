//! A feed that silently goes back less than it was asked to: what it did not send is not
//! covered, and that is told.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::health::check;
use chrono::TimeDelta;

use crate::support::{World, world_of_documents};

/// One record for each of these days ago.
fn document(world: &World, first: usize, days: impl Iterator<Item = i64>) -> String {
    let records = days.enumerate().map(|(number, days)| {
        let at = (world.now() - TimeDelta::days(days)).to_rfc3339();
        let number = first + number;
        format!(
            "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>t</title>\
             <released>{at}</released><modified_date>{at}</modified_date></advisory>"
        )
    });
    let records: Vec<String> = records.collect();
    format!("<advisories>{}</advisories>", records.concat())
}

/// Days since the beginning of what counts as covered.
const COVERED: &str = "select round(extract(epoch from now() - lower(covered)) / 86400)::text
                       from advisoryd.source where watch_list_id = 1";
const CONDITION: &str = "select summary from advisoryd_v1.conditions
                         where what = 'window_not_honoured' and holds";

async fn notified(world: &World) -> Vec<String> {
    check::check_health(&world.context().await).await.unwrap();
    world.texts(CONDITION).await
}

#[tokio::test]
async fn a_first_load_covers_no_more_than_upstream_sent() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, document(&world, 1, 0..=90));
    for look_back in [LookBack::Missing, LookBack::Full] {
        let report = world.pull_back(look_back).await.remove(0);
        assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
        assert_eq!(world.texts(COVERED).await, ["90"]);
        let summary = notified(&world).await;
        let oldest = (world.now() - TimeDelta::days(90)).format("%Y-%m-%d");
        let expected = format!("asked for 365 days and has nothing before {oldest}");
        assert!(summary[0].contains(&expected), "{summary:?}");
    }
    let status = world.cli(&["status"]).stdout;
    assert!(status.contains("window_not_honoured"), "{status}");
    let check = world.cli(&["status", "--check"]);
    assert_eq!(check.code, 1, "{check}");
    // The same numbers again, and older ones: the vendor has mended it.
    let days = (0..=90).chain((91..364).step_by(10));
    documents.set(1, document(&world, 1, days));
    world.pull_back(LookBack::Full).await;
    assert_eq!(notified(&world).await, [""; 0]);
    assert_eq!(world.texts(COVERED).await, ["365"]);
}

#[tokio::test]
async fn a_gap_that_upstream_no_longer_sends_stays_a_gap() {
    let (world, documents) = world_of_documents().await;
    documents.set(1, document(&world, 1, (0..364).step_by(10)));
    world.pull_one().await;
    let gap = "update advisoryd.source
               set covered = tstzmultirange(tstzrange(now() - interval '365 days', now() - interval '300 days'))";
    sqlx::query(gap).execute(world.pool()).await.unwrap();
    documents.set(1, document(&world, 1000, 0..=90));
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    let ranges = "select string_agg(round(extract(epoch from now() - lower(r)) / 86400)::text, ' ' order by r)
                  from advisoryd.source s, unnest(s.covered) r where watch_list_id = 1";
    assert_eq!(world.texts(ranges).await, ["365 90"]);
}

#[tokio::test]
async fn few_records_and_a_feed_whose_neighbours_go_back_further_say_nothing() {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some(vec![1, 2]);
    documents.set(1, document(&world, 1, (0..=90).step_by(6)));
    documents.set(2, document(&world, 1000, (0..364).step_by(10)));
    world.pull_back(LookBack::Full).await;
    assert_eq!(world.texts(COVERED).await, ["365"], "16 records");
    assert_eq!(notified(&world).await, [""; 0]);
    documents.set(1, document(&world, 1, 0..=90));
    world.pull_back(LookBack::Full).await;
    assert_eq!(world.texts(COVERED).await, ["365"]);
    assert_eq!(notified(&world).await, [""; 0]);
}
