//! What upstream corrects without a new modification time: in the feed, in the details, in one
//! of two lists. What changed last wins, and nothing makes versions in turn.

use advisoryd::job::feeds::feed::LookBack;
use serde_json::json;

use crate::support::settings::WatchList;
use crate::support::{Documents, World, world_of_documents};

const MODIFIED: &str = "2026-01-02T00:00:00Z";

/// What upstream says, in the feed or in the details.
#[derive(Clone, Copy)]
struct Said {
    title: &'static str,
    criticality: i32,
    is_zero_day: bool,
}

const BEFORE: Said = Said {
    title: "before",
    criticality: 4,
    is_zero_day: false,
};
const AFTER: Said = Said {
    title: "after",
    criticality: 1,
    is_zero_day: true,
};

fn feed(said: Said) -> String {
    let Said {
        title,
        criticality,
        is_zero_day,
    } = said;
    format!(
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier>\
         <title>{title}</title><criticality>{criticality}</criticality>\
         <is_zero_day>{is_zero_day}</is_zero_day>\
         <modified_date>{MODIFIED}</modified_date></advisory></advisories>"
    )
}

fn details(documents: &Documents, said: Said) {
    let Said {
        title,
        criticality,
        is_zero_day,
    } = said;
    let detail = json!({
        "advisory_identifier": "SA1", "title": title, "modified_date": MODIFIED,
        "criticality": criticality, "is_zero_day": is_zero_day,
        "description": "from the details", "solution": "s",
    });
    documents.set_json("/api/advisories/SA1/", &detail);
}

/// SA1 is stored with its details, as version 2.
async fn completed() -> (World, Documents) {
    let (mut world, documents) = world_of_documents().await;
    world.settings.feeds.details = None;
    documents.set(1, feed(BEFORE));
    details(&documents, BEFORE);
    world.pull_one().await;
    assert_eq!(world.fetch_details().await.len(), 1);
    assert_eq!(
        stored(&world).await,
        (2, "before less_critical false".to_owned())
    );
    (world, documents)
}

async fn stored(world: &World) -> (i32, String) {
    let sql = "select version, concat_ws(' ', title, severity, is_zero_day::text)
               from advisoryd_v1.advisories
               where said = 'SA1'";
    sqlx::query_as(sql).fetch_one(world.pool()).await.unwrap()
}

/// Requests the details whether or not they are pending.
async fn fetch_again(world: &World) {
    let queue = "insert into advisoryd.wanted_detail (said, wanted_since, reason, next_at)
                 values ('SA1', now(), 'always', now()) on conflict do nothing";
    sqlx::query(queue).execute(world.pool()).await.unwrap();
    assert_eq!(world.fetch_details().await.len(), 1);
}

/// Reading feed and details again, and parsing the stored texts again, changes nothing.
async fn assert_stays(world: &World, expected: (i32, &str)) {
    for _ in 0..2 {
        world.pull_back(LookBack::Full).await;
        fetch_again(world).await;
        let (version, content) = stored(world).await;
        assert_eq!((version, &*content), expected);
    }
    let result = world.cli(&["replay", "--yes"]);
    assert_eq!(result.code, 0, "{result}");
    let (version, content) = stored(world).await;
    assert_eq!((version, &*content), expected, "{result}");
    let corrected = "select count(*) from advisoryd_v1.changes where what = 'corrected'";
    assert_eq!(world.count(corrected).await, 0, "{result}");
}

const PENDING: &str = "select count(*) from advisoryd.wanted_detail";
const RAW: &str = "select concat_ws(' ', version, title, substring(raw from '<title>(.*)</title>'))
                   from advisoryd_v1.advisory_history
                   where said = 'SA1'
                   order by version";

#[tokio::test]
async fn a_correction_in_feed_and_details_is_a_version_and_its_events() {
    let (world, documents) = completed().await;
    documents.set(1, feed(AFTER));
    details(&documents, AFTER);
    assert_eq!(world.pull_one().await.tally.changed, 1);
    let after = (3, "after extremely_critical true");
    assert_eq!(stored(&world).await, (after.0, after.1.to_owned()));
    let what = "select what from advisoryd_v1.changes where version = 3 order by what";
    assert_eq!(
        world.texts(what).await,
        ["became_zero_day", "escalated", "revised"]
    );
    let fields = "select field from advisoryd_v1.field_changes
                  where key = 'SA1' and version = 3
                    and field in ('title', 'severity_rank', 'is_zero_day', 'description')
                  order by field";
    assert_eq!(
        world.texts(fields).await,
        ["is_zero_day", "severity_rank", "title"],
        "what only the details contain stays"
    );
    assert_eq!(
        world.texts(RAW).await,
        ["1 before before", "2 before before", "3 after after"]
    );
    assert_eq!(
        world.count(PENDING).await,
        1,
        "the details are requested again"
    );
    world.fetch_details().await;
    assert_eq!(world.count(PENDING).await, 0);
    assert_stays(&world, after).await;
}

#[tokio::test]
async fn a_correction_in_the_feed_alone_stays_until_the_details_change() {
    let (world, documents) = completed().await;
    documents.set(1, feed(AFTER));
    world.pull_one().await;
    let after = (3, "after extremely_critical true");
    assert_eq!(stored(&world).await, (after.0, after.1.to_owned()));
    assert_stays(&world, after).await;
    // The details now say something of the title, and nothing new of the rest.
    details(
        &documents,
        Said {
            title: "later",
            ..BEFORE
        },
    );
    fetch_again(&world).await;
    let later = (4, "later extremely_critical true");
    assert_eq!(stored(&world).await, (later.0, later.1.to_owned()));
    assert_stays(&world, later).await;
    // And the feed takes it back.
    documents.set(1, feed(BEFORE));
    world.pull_one().await;
    assert_stays(&world, (5, "before less_critical false")).await;
}

#[tokio::test]
async fn a_correction_in_the_details_alone_stays() {
    let (world, documents) = completed().await;
    details(&documents, AFTER);
    fetch_again(&world).await;
    assert_stays(&world, (3, "after extremely_critical true")).await;
}

/// Two lists that have SA1, of which no details are fetched.
async fn two_lists(one: Said, other: Said) -> (World, Documents) {
    let (mut world, documents) = world_of_documents().await;
    world.settings.watch_lists.push(WatchList {
        id: 2,
        source: Some("feed"),
        ..WatchList::default()
    });
    documents.set(1, feed(one));
    documents.set(2, feed(other));
    world.pull().await;
    (world, documents)
}

#[tokio::test]
async fn of_two_lists_a_correction_makes_one_version() {
    let (mut world, documents) = two_lists(BEFORE, BEFORE).await;
    world.settings.feeds.details = None;
    details(&documents, BEFORE);
    fetch_again(&world).await;
    documents.set(1, feed(AFTER));
    world.pull().await;
    let after = (3, "after extremely_critical true");
    assert_eq!(stored(&world).await, (after.0, after.1.to_owned()));
    documents.set(2, feed(AFTER));
    world.pull().await;
    assert_stays(&world, after).await;
}

#[tokio::test]
async fn a_conflicting_copy_is_compared_again_when_the_other_list_is_not_followed_any_more() {
    let (mut world, _documents) = two_lists(BEFORE, AFTER).await;
    assert_eq!(
        stored(&world).await,
        (1, "before less_critical false".to_owned())
    );
    let copies = "select count(*) from advisoryd_v1.conflicting_copies";
    assert_eq!(world.count(copies).await, 1);
    world.pull_back(LookBack::Full).await;
    assert_eq!(
        world.count(copies).await,
        1,
        "two followed lists take no turns"
    );
    world.lists = Some(Vec::new());
    let result = world.cli(&["sync", "feeds", "--json"]);
    assert_eq!(result.code, 0, "{result}");
    let run = result
        .json_lines()
        .into_iter()
        .find(|run| run["source"] == "watch list 2");
    let run = run.unwrap_or_else(|| panic!("{result}"));
    assert_eq!(run["mode"], "full", "{result}");
    assert_eq!(
        stored(&world).await,
        (2, "after extremely_critical true".to_owned())
    );
    assert_eq!(world.count(copies).await, 0);
    let kept = "select count(*) from advisoryd_v1.replaced_records";
    assert_eq!(world.count(kept).await, 0, "it is the current version now");
    let again = world.cli(&["sync", "feeds", "--json"]);
    let again = again.json_lines();
    let run = again.iter().find(|run| run["source"] == "watch list 2");
    assert_eq!(run.unwrap()["mode"], "window", "{again:?}");
}
