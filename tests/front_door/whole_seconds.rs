//! Times of one revision that the feed writes with a fraction of a second and the JSON API
//! without, or the other way round: they are one time.

use serde_json::json;

use crate::support::world_of_documents;

const QUEUE: &str = "select count(*) from advisoryd.wanted_detail";

#[tokio::test]
async fn details_are_not_requested_again_for_a_fraction_of_a_second() {
    for (in_feed, in_json) in [
        ("2026-03-01T10:00:00.700Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00.700Z"),
    ] {
        let (mut world, documents) = world_of_documents().await;
        world.settings.feeds.details = Some("always");
        let feed = |title: &str, modified: &str| {
            format!(
                "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>{title}</title>\
                 <criticality>1</criticality><modified_date>{modified}</modified_date></advisory></advisories>"
            )
        };
        let detail = |title: &str, modified: &str| {
            json!({"advisory_identifier": "SA1", "title": title, "criticality": 1,
                "description": "D", "modified_date": modified,
                "custom_info": {"affected_asset_lists": [{"asset_list_id": 1}]}})
        };
        documents.set(1, feed("T", in_feed));
        documents.set_json("/api/advisories/SA1/", &detail("T", in_json));
        world.pull().await;
        world.fetch_details().await;
        assert_eq!(world.count(QUEUE).await, 0, "{in_feed}");
        let version = "select version::bigint from advisoryd_v1.advisories";
        let before = world.count(version).await;
        for _ in 0..3 {
            world.pull().await;
            assert!(world.fetch_details().await.is_empty(), "{in_feed}");
        }
        assert_eq!(world.count(version).await, before);
        // A second later is another revision.
        documents.set(1, feed("U", &in_feed.replace("10:00:00", "10:00:01")));
        world.pull().await;
        assert_eq!(world.count(QUEUE).await, 1, "{in_feed}");
        let later = detail("U", &in_json.replace("10:00:00", "10:00:01"));
        documents.set_json("/api/advisories/SA1/", &later);
        world.fetch_details().await;
        assert_eq!(world.count(QUEUE).await, 0, "{in_feed}");
    }
}
