//! The same content that comes in other bytes: times without a time zone after upstream's
//! clocks were changed, and letters with marks in one character or in two. Neither is a version.

use serde_json::json;

use crate::support::{Documents, Paged, World, world_of_documents};

const VERSIONS: &str = "select said || ' ' || version from advisoryd_v1.advisories order by said";
const CHANGES: &str = "select count(*) from advisoryd_v1.changes";
const ASIDE: &str = "select (select count(*) from advisoryd.quarantine)
    + (select count(*) from advisoryd_v1.conflicting_copies)
    + (select count(*) from advisoryd_v1.replaced_records)";

fn record(number: usize, title: &str, (released, modified): (&str, &str)) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>{title}</title>\
         <criticality>2</criticality><released>{released}</released>\
         <modified_date>{modified}</modified_date></advisory>"
    )
}

/// Two advisories, by clocks that show this hour, in this zone.
fn by_clock(hour: u32, zone: &str, title: &str) -> String {
    let day = |day: usize| format!("2026-03-{day:02}T{hour:02}:30:00{zone}");
    let records = [1, 2].map(|number| record(number, title, (&day(1), &day(number + 1))));
    format!("<advisories>{}</advisories>", records.concat())
}

async fn pulled(world: &World, documents: &Documents, document: String) -> Vec<String> {
    documents.set(1, document);
    let report = world.pull_one().await;
    assert_eq!(report.outcome.name(), "ok", "{:?}", report.outcome);
    world.texts(VERSIONS).await
}

#[tokio::test]
async fn clocks_that_are_put_forward_and_back_make_no_versions_of_local_times() {
    let (world, documents) = world_of_documents().await;
    let send =
        async |hour, title: &str| pulled(&world, &documents, by_clock(hour, "", title)).await;
    let first = ["SA1 1", "SA2 1"];
    assert_eq!(send(10, "one").await, first);
    let changes = world.count(CHANGES).await;
    for hour in [11, 11, 10, 10, 9, 10] {
        assert_eq!(send(hour, "one").await, first, "{hour}");
        assert_eq!(world.count(ASIDE).await, 0, "{hour}");
    }
    assert_eq!(world.count(CHANGES).await, changes);
    // What is new is a version as ever, and so is what moves by more than clocks do.
    assert_eq!(send(11, "other").await, ["SA1 2", "SA2 2"]);
    assert_eq!(send(13, "other").await, ["SA1 3", "SA2 3"]);
}

#[tokio::test]
async fn times_with_a_zone_and_a_modification_alone_that_move_are_versions() {
    let (world, documents) = world_of_documents().await;
    let send = async |document| pulled(&world, &documents, document).await;
    send(by_clock(10, "Z", "one")).await;
    assert_eq!(send(by_clock(11, "Z", "one")).await, ["SA1 2", "SA2 2"]);
    let (world, documents) = world_of_documents().await;
    let send = async |modified: &str| {
        let record = record(1, "one", ("2026-03-01T10:30:00", modified));
        pulled(
            &world,
            &documents,
            format!("<advisories>{record}</advisories>"),
        )
        .await
    };
    send("2026-03-01T10:30:00").await;
    assert_eq!(send("2026-03-01T11:30:00").await, ["SA1 2"]);
}

#[tokio::test]
async fn a_letter_of_two_characters_is_no_other_letter() {
    let (world, documents) = world_of_documents().await;
    let time = "2026-03-01T10:30:00Z";
    let send = async |title: &str| {
        let record = record(1, title, (time, time));
        pulled(
            &world,
            &documents,
            format!("<advisories>{record}</advisories>"),
        )
        .await
    };
    for title in ["Z\u{fc}rich", "Zu\u{308}rich", "Z\u{fc}rich"] {
        assert_eq!(send(title).await, ["SA1 1"], "{title}");
    }
    assert_eq!(send("Zurich").await, ["SA1 2"]);
    let title = "select title from advisoryd_v1.advisories";
    assert_eq!(world.texts(title).await, ["Zurich"]);
}

#[tokio::test]
async fn a_letter_of_two_characters_is_no_change_of_a_ticket() {
    let paged = Paged::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(paged.base_url.clone());
    let full = advisoryd::job::tickets::sync::TicketSync::Full {
        accept_removals: false,
    };
    for title in ["Z\u{fc}rich", "Zu\u{308}rich", "Z\u{fc}rich"] {
        let row = json!({"id": 1, "title": title, "created": "2026-01-01T10:00:00Z",
            "modified": "2026-03-01T10:00:00Z"});
        paged.set("/api/tickets/", vec![row]);
        let report = world.sync_tickets(full).await.remove(0);
        assert_eq!(report.outcome.name(), "ok", "{report:?}");
        let version = "select version::text from advisoryd_v1.tickets";
        assert_eq!(world.texts(version).await, ["1"], "{title}");
    }
}
