//! Elements beside the records that might be records of another kind.

use crate::support::{Documents, World, assert_reads};

#[tokio::test]
async fn what_stands_beside_the_records_is_told() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    documents.set(
        1,
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier></advisory>\
         <bulletin><number>7</number></bulletin></advisories>",
    );
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_reads!(result);
}
