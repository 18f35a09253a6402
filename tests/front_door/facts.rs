//! Each fact of the closed set that `changes` tells, by what makes it.

use advisoryd::model::DetailsMode;
use advisoryd::source::ticket::read;
use advisoryd::store::origin::ChunkOrigin;
use advisoryd::store::tickets::ticket;
use serde_json::{Value, json};

use crate::support::{Documents, World};

/// What was told of a key since `seq`, and the newest number.
async fn notified(world: &World, key: &str, seq: &mut i64) -> Vec<String> {
    let facts: Vec<(i64, String)> = sqlx::query_as(
        "select seq, what from advisoryd_v1.changes where key = $1 and seq > $2 order by seq",
    )
    .bind(key)
    .bind(*seq)
    .fetch_all(world.pool())
    .await
    .unwrap();
    *seq = facts.last().map_or(*seq, |(seq, _)| *seq);
    facts.into_iter().map(|(_, what)| what).collect()
}

#[tokio::test]
async fn every_fact_about_an_advisory_is_told_with_its_version() {
    let steps: &[(&str, &[&str])] = &[
        (
            "<criticality>4</criticality><solution_status>1</solution_status><cve>CVE-2026-1001</cve><zero_day>false</zero_day>",
            &["appeared"],
        ),
        (
            "<criticality>2</criticality><solution_status>1</solution_status><cve>CVE-2026-1001</cve><zero_day>false</zero_day>",
            &["revised", "escalated"],
        ),
        (
            "<criticality>5</criticality><solution_status>2</solution_status><cve>CVE-2026-1001</cve><zero_day>true</zero_day>",
            &[
                "revised",
                "deescalated",
                "became_zero_day",
                "solution_available",
            ],
        ),
        (
            "<criticality>5</criticality><solution_status>3</solution_status><cve>CVE-2026-1001</cve><cve>CVE-2026-1002</cve><zero_day>true</zero_day>",
            &["revised", "cves_added"],
        ),
        (
            "<criticality>5</criticality><solution_status>1</solution_status><cve>CVE-2026-1002</cve><zero_day>false</zero_day>",
            &["revised"],
        ),
        (
            "<criticality>0</criticality><solution_status>1</solution_status><cve>CVE-2026-1002</cve><zero_day>false</zero_day>",
            &["revised", "rejected"],
        ),
        (
            "<criticality>5</criticality><solution_status>1</solution_status><cve>CVE-2026-1002</cve><zero_day>false</zero_day>",
            &["revised", "reinstated"],
        ),
    ];
    let documents = Documents::serve().await;
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    let mut seq = 0;
    for (day, (fields, wanted)) in steps.iter().enumerate() {
        let record = format!(
            "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><modified>2026-03-{:02}T10:00:00Z</modified>{fields}</advisory></advisories>",
            day + 1
        );
        documents.set(1, record);
        world.pull_one().await;
        assert_eq!(notified(&world, "SA1", &mut seq).await, *wanted, "{fields}");
    }
    let last = "select max(version)::bigint from advisoryd_v1.changes";
    assert_eq!(world.count(last).await, 7);
}

#[tokio::test]
async fn every_fact_about_a_ticket_is_told() {
    let world = World::new().await;
    let context = world.context().await;
    let ticket = |status: &str, priority: &str, owner: Value| json!({ "id": 7, "status": status, "priority": priority, "owner": owner });
    let steps = [
        (ticket("Open", "Low", Value::Null), vec!["ticket_opened"]),
        (
            ticket("Closed", "Low", Value::Null),
            vec!["ticket_revised", "ticket_status"],
        ),
        (
            ticket("Closed", "High", json!("ada")),
            vec!["ticket_revised", "ticket_priority", "ticket_assigned"],
        ),
        (Value::Null, vec!["ticket_revised", "ticket_gone"]),
        (
            ticket("Closed", "High", json!("ada")),
            vec!["ticket_revised", "ticket_returned"],
        ),
        (ticket("Closed", "High", json!("ada")), vec![]),
    ];
    let mut seq = 0;
    for (says, wanted) in steps {
        let origin = ChunkOrigin {
            is_live: true,
            source_id: 1,
            run_id: 0,
            at: context.clock.now(),
            settled_before: None,
            details: DetailsMode::Auto,
        };
        let mut transaction = world.pool().begin().await.unwrap();
        if says.is_null() {
            let gone = ticket::mark_gone(&mut transaction, origin, &[7]).await;
            assert_eq!(gone.unwrap(), 1);
        } else {
            let tickets = [read(says).unwrap()];
            ticket::merge(&mut transaction, origin, &tickets)
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        assert_eq!(notified(&world, "7", &mut seq).await, wanted);
    }
}
