//! Elements beside the records that might be records of another kind.

use crate::support::{Documents, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_the_records_is_told() {
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.base_url = Some(documents.base_url.clone());
    documents.set(
        1,
        "<advisories><advisory><advisory_identifier>SA1</advisory_identifier></advisory>\
         <bulletin><number>7</number></bulletin></advisories>",
    );
    let output = world.command(&["sync", "feeds"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(
        stderr.contains("elements that are not advisories") && stderr.contains("bulletin"),
        "{stderr}"
    );
}
