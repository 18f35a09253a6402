//! `advisoryd quarantine`: what could not be understood, told, read again, dropped.

use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule};
use advisoryd::store::ledger::lock::SourceLock;
use serde_json::Value;

use crate::support::{Documents, World, assert_reads};

const KEPT: &str = "select count(*) from advisoryd_v1.quarantine";

fn feed(records: &[&str]) -> String {
    let records = records.join("</advisory><advisory>");
    format!("<advisories><advisory>{records}</advisory></advisories>")
}

const GOOD: &str = "<advisory_identifier>SA1</advisory_identifier><title>good</title>";

/// A world whose list 1 has sent a record that only an alias explains, and
/// whose list 2 has sent `other`.
async fn odd(record: &str, other: &str) -> (World, Documents) {
    let documents = Documents::serve().await;
    documents.set(1, feed(&[GOOD, record]));
    documents.set(2, feed(&[GOOD, other]));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.lists = Some(vec![1, 2]);
    world.pull().await;
    assert_eq!(world.count(KEPT).await, 1);
    world.settings.feeds.aliases.insert("said", ["serial"]);
    (world, documents)
}

async fn id(world: &World) -> String {
    world
        .count("select id from advisoryd_v1.quarantine")
        .await
        .to_string()
}

async fn title(world: &World, said: &str) -> (String, i32) {
    sqlx::query_as("select title, version from advisoryd_v1.advisories where said = $1")
        .bind(said)
        .fetch_one(world.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn records_are_listed_and_shown_with_their_raw_text() {
    let mut world = World::new().await;
    let documents = Documents::serve().await;
    documents.set(1, feed(&[GOOD, "<note>\u{1}</note>"]));
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.pull_one().await;
    let list = world.cli(&["quarantine", "list"]);
    assert_eq!(list.code, 0, "{list:?}");
    let id = id(&world).await;
    let value = world.cli(&["quarantine", "list", "--json"]).json();
    assert_eq!(value["id"].to_string(), id);
    let shown = world.cli(&["quarantine", "show", &id]);
    let value = world.cli(&["quarantine", "show", &id, "--json"]).json();
    let raw = value["raw"].as_str().unwrap();
    assert!(raw.contains("<note>\\x01</note>"), "{raw}");
    let none = world.cli(&["quarantine", "show", "999"]);
    assert_eq!(none.code, 1);
    let heading = shown.stdout.split("<advisory>").next().unwrap();
    assert_reads!(list, heading, none);
}

#[tokio::test]
async fn what_still_cannot_be_read_stays_with_its_reason() {
    let world = World::new().await;
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Damaged(Damage::TooDeep)));
    world.pull_one().await;
    let result = world.cli(&["quarantine", "retry"]);
    assert_eq!(result.code, 1, "not all is done");
    assert_reads!(result);
    assert_eq!(world.count(KEPT).await, 1);
}

#[tokio::test]
async fn what_an_alias_explains_is_stored_and_leaves() {
    let record = "<serial>SA2</serial><title>odd \\ title \\x41</title>";
    let (world, _documents) = odd(record, GOOD).await;
    let result = world.cli(&["quarantine", "retry"]);
    assert_eq!(result.code, 0, "{result:?}");
    assert_reads!(result);
    assert_eq!(world.count(KEPT).await, 0);
    assert_eq!(
        title(&world, "SA2").await,
        ("odd \\ title \\x41".to_owned(), 1)
    );
    let raw: String =
        sqlx::query_scalar("select raw from advisoryd_v1.advisories where said = 'SA2'")
            .fetch_one(world.pool())
            .await
            .unwrap();
    assert_eq!(
        raw,
        format!("<advisory>{record}</advisory>"),
        "byte for byte"
    );
    let appeared = "select count(*) from advisoryd_v1.changes where key = 'SA2' and what = 'appeared' and watch_list_id = 1";
    assert_eq!(world.count(appeared).await, 1);
    let report = world.pull().await.remove(0);
    assert_eq!((report.tally.added, report.tally.changed), (0, 0));
    let proof = world.cli(&["prove", "--since", "300d"]);
    assert!(
        !proof.stdout.contains("SA2"),
        "retrying leaves nothing to complain of: {proof:?}"
    );
}

#[tokio::test]
async fn what_is_stored_already_leaves_and_what_contradicts_it_stays() {
    let record = "<serial>SA2</serial><title>odd</title>";
    let same = "<advisory_identifier>SA2</advisory_identifier><title>odd</title>";
    let (world, _documents) = odd(record, same).await;
    let known = world.cli(&["quarantine", "retry", &id(&world).await]);
    assert_eq!(known.code, 0);
    assert_eq!(world.count(KEPT).await, 0);

    let other = "<advisory_identifier>SA2</advisory_identifier><title>other</title>";
    let (world, _documents) = odd(record, other).await;
    let result = world.cli(&["quarantine", "retry"]);
    assert_eq!(result.code, 1);
    assert_eq!(title(&world, "SA2").await, ("other".to_owned(), 1));
    assert_reads!(known, result, world.cli(&["quarantine", "list"]));
}

#[tokio::test]
async fn what_upstream_made_later_becomes_the_next_version() {
    let dated = |key: &str, title: &str, day: u32| {
        format!(
            "<{key}>SA2</{key}><title>{title}</title><modified_date>2026-03-{day:02}T10:00:00Z</modified_date>"
        )
    };
    let stored = dated("advisory_identifier", "stored", 10);
    let (world, _documents) = odd(&dated("serial", "later", 11), &stored).await;
    let result = world.cli(&["quarantine", "retry"]);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(title(&world, "SA2").await, ("later".to_owned(), 2));

    let (world, _documents) = odd(&dated("serial", "earlier", 9), &stored).await;
    assert_eq!(world.cli(&["quarantine", "retry"]).code, 1);
    assert_eq!(title(&world, "SA2").await, ("stored".to_owned(), 1));
}

#[tokio::test]
async fn a_record_that_stood_twice_is_kept_so_that_it_can_be_read_again() {
    let documents = Documents::serve().await;
    let twin = "<advisory_identifier>SA1</advisory_identifier><title>C:\\x41 twin</title>";
    documents.set(1, feed(&[GOOD, twin]));
    let mut world = World::new().await;
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.pull().await;
    assert_eq!(world.cli(&["quarantine", "retry"]).code, 1);
    sqlx::raw_sql("delete from advisoryd.advisory; delete from advisoryd.sighting")
        .execute(world.pool())
        .await
        .unwrap();
    // As it was written down before it was made printable.
    for raw in ["raw", "replace(raw, '\\\\', '\\')"] {
        let sql = format!("update advisoryd.quarantine set raw = {raw}");
        let mut transaction = world.pool().begin().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        sqlx::raw_sql(
            "create table if not exists public.kept as select * from advisoryd.quarantine",
        )
        .execute(world.pool())
        .await
        .unwrap();
        assert_eq!(world.cli(&["quarantine", "retry"]).code, 0);
        assert_eq!(title(&world, "SA1").await.0, "C:\\x41 twin");
        sqlx::raw_sql(
            "delete from advisoryd.advisory; delete from advisoryd.sighting;
             insert into advisoryd.quarantine overriding system value select * from public.kept",
        )
        .execute(world.pool())
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_ticket_that_reads_well_by_now_is_stored() {
    let world = World::new().await;
    world.sync_tickets(TicketSync::Now).await;
    let known = world.simulator.ticket_ids()[0];
    let insert = format!(
        "insert into advisoryd.quarantine (run_id, last_run_id, source_id, at, key, reason, byte_hash, raw, kind)
         select 1, 1, s.id, now(), null, 'the rules of then', convert_to(n.raw, 'UTF8'), n.raw, 'json'
         from advisoryd.source s
         cross join (values
             ('{{\"id\": 990001, \"title\": \"late\"}}'),
             ((select raw::text from advisoryd.ticket where id = {known})),
             ('{{\"id\": {known}, \"title\": \"another\"}}')) as n (raw)
         where s.kind = 'tickets'"
    );
    sqlx::query(sqlx::AssertSqlSafe(insert))
        .execute(world.pool())
        .await
        .unwrap();
    let result = world.cli(&["quarantine", "retry", "--json"]);
    let lines = result.json_lines().into_iter();
    let fates: Vec<Value> = lines.map(|line| line["fate"].clone()).collect();
    assert_eq!(fates, ["stored", "known", "stays"], "{result:?}");
    let late = "select count(*) from advisoryd_v1.tickets where id = 990001 and title = 'late'";
    assert_eq!(world.count(late).await, 1);
    assert_eq!(world.count(KEPT).await, 1);
}

/// What is in quarantine from before the kind of a record was stored.
#[tokio::test]
async fn the_kind_of_older_records_is_told_by_the_migration() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    sqlx::raw_sql(
        "alter table advisoryd.quarantine drop column kind;
         insert into advisoryd.quarantine (run_id, last_run_id, source_id, at, key, reason, byte_hash, raw)
         select 1, 1, s.id, now(), n.kind, n.reason, convert_to(n.kind, 'UTF8'), n.raw
         from advisoryd.source s
         join (values
             ('watch_list', 'feed_record', 'no identifier', '<a/>'),
             ('watch_list', 'feed_record_beginning', 'no identifier; only its beginning is kept: refused', '<a>'),
             ('watch_list', 'json', 'no identifier', '{}'),
             ('tickets', 'json_beginning', 'too large to be read: 9 bytes', '{\"id'),
             ('tickets', 'part_of_ticket', 'only a part of the ticket: it lacks title', '{}'))
             as n (source, kind, reason, raw) on n.source = s.kind;
         delete from advisoryd._sqlx_migrations where version = 59",
    )
    .execute(world.pool())
    .await
    .unwrap();
    let result = world.cli(&["migrate"]);
    assert_eq!(result.code, 0, "{result}");
    let different = "select count(*) from advisoryd.quarantine where kind is distinct from key";
    assert_eq!(world.count(different).await, 0);
    let kinds = "select count(distinct kind) from advisoryd.quarantine";
    assert_eq!(world.count(kinds).await, 5);
}

#[tokio::test]
async fn dropping_names_what_is_lost_and_asks() {
    let (world, _documents) = odd("<serial>SA2</serial><title>odd</title>", GOOD).await;
    let id = id(&world).await;
    let asked = world.cli(&["quarantine", "drop", &id]);
    assert_eq!(asked.code, 1);
    assert_eq!(world.count(KEPT).await, 1);
    assert_eq!(
        world.cli(&["quarantine", "drop", &id, "999", "--yes"]).code,
        1
    );
    assert_eq!(world.count(KEPT).await, 1, "all or nothing");
    let dropped = world.cli(&["quarantine", "drop", &id, "--yes"]);
    assert_eq!(dropped.code, 0);
    assert_reads!(asked, dropped);
    assert_eq!(world.count(KEPT).await, 0);
    assert_eq!(world.cli(&["quarantine", "drop"]).code, 2);
}

#[tokio::test]
async fn a_source_that_a_run_reads_is_left_alone() {
    let (world, _documents) = odd("<serial>SA2</serial><title>odd</title>", GOOD).await;
    let source = world
        .count("select id::bigint from advisoryd.source where watch_list_id = 1")
        .await;
    let hold = SourceLock::take(world.pool(), i32::try_from(source).unwrap())
        .await
        .unwrap()
        .unwrap();
    let result = world.cli(&["quarantine", "retry"]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
    hold.release().await;
    assert_eq!(world.cli(&["quarantine", "retry"]).code, 0);
}

/// A record whose own identifier is missing, and which refers to another advisory.
#[tokio::test]
async fn the_advisory_that_a_record_refers_to_does_not_replace_it() {
    let lost = "<advisory_identifier></advisory_identifier><id>299998</id><title>new record</title>\
        <references><reference><description>SA2</description></reference></references>";
    let other = "<advisory_identifier>SA2</advisory_identifier><title>another one</title>";
    let mut world = World::new().await;
    let documents = Documents::serve().await;
    documents.set(1, feed(&[GOOD, lost]));
    world.settings.upstream.base_url = Some(documents.base_url.clone());
    world.pull_one().await;
    let is_missing = |proof: &crate::support::CommandResult| {
        proof.code == 1 && proof.stdout.contains("no later version has replaced it")
    };
    assert!(is_missing(&world.cli(&["verify"])));
    documents.set(1, feed(&[GOOD, lost, other]));
    world.pull_one().await;
    assert_eq!(title(&world, "SA2").await.0, "another one");
    let proof = world.cli(&["verify"]);
    assert!(is_missing(&proof), "it is stored nowhere: {proof:?}");
    let shown = world.cli(&["quarantine", "show", &id(&world).await]);
    let all = world.cli(&["quarantine", "list"]);
    assert_reads!(shown, all);
}
