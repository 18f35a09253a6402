//! `advisoryd erase` and `[retention] gone_tickets`: people's data is removed for good,
//! and everything still fits together.

use advisoryd::config::Config;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::job::trust::retention::maintain;
use advisoryd::job::trust::verify::verify;
use advisoryd::simulate::{AnswerFault, FaultRule as Fired, Note, SimulatorOptions};
use chrono::TimeDelta;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use crate::support::settings::Rule;
use crate::support::{Receiver, Running, World, assert_reads, small};

const NAME: &str = "Jane Q. Roe";
const NOTE: &str = "Ask JANE Q.  ROE (jane.roe@corp.test), not Janet";
const FULL: TicketSync = TicketSync::Full {
    accept_removals: false,
};

/// Tickets and ticket alerts that name a person everywhere, former versions, a silence.
async fn naming() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let note = Note {
        text: NOTE.to_owned(),
        author: NAME.to_owned(),
    };
    let mut world = World::with(SimulatorOptions {
        note: Some(note),
        ..small()
    })
    .await;
    world.add_hook(&receiver);
    let rule = Rule::to_hook(
        "tickets",
        &["ticket_opened", "ticket_status", "ticket_gone"],
    );
    world.settings.alerts.rules.push(rule);
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert_with(true).await;
    for id in world.simulator.ticket_ids() {
        world.simulator.touch_ticket(id);
    }
    world.sync_tickets(FULL).await;
    world.alert_with(true).await;
    let result = world.cli(&[
        "silence",
        "add",
        "title=*Jane Q. Roe*",
        "--reason",
        "Jane Q. Roe asked for it",
        "--until",
        "8h",
    ]);
    assert_eq!(result.code, 0, "{result}");
    (world, receiver)
}

/// Tables in which a row contains the text, in any case; of all tables but those of
/// advisories, which are published.
async fn tables_with(world: &World, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables
         where schemaname = 'advisoryd'
           and tablename !~ '^(advisory|detail|former_detail|sighting)'
         order by 1",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    let mut with = Vec::new();
    for table in tables {
        let sql = format!("select count(*) from advisoryd.{table} t where t::text ~* $1");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(text)
            .fetch_one(world.pool())
            .await
            .unwrap();
        if rows > 0 {
            with.push(table);
        }
    }
    with
}

async fn assert_sound(world: &World) {
    let proof = verify(world.pool(), None, world.now()).await.unwrap();
    assert!(proof.proven, "{:?}", proof.problems);
    let result = world.cli(&["replay", "--dry-run"]);
    assert_eq!(result.code, 0, "{result}");
    assert!(!result.stdout.contains("content_hash"), "{result}");
    let report = world.sync_tickets(FULL).await;
    assert_eq!((report[0].tally.added, report[0].tally.changed), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_from_every_table() {
    let (world, _receiver) = naming().await;
    let said = &world.simulator.saids(1)[0];
    let result = world.cli(&["ack", said, "--note", "Jane Q. Roe patches it"]);
    assert_eq!(result.code, 0, "{result}");
    let pattern = r"jane q\.\s+roe";
    let before = tables_with(&world, pattern).await;
    for table in ["ticket", "ticket_version", "silence", "acknowledgement"] {
        assert!(before.contains(&table.to_owned()), "{before:?}");
    }
    let result = world.cli(&["erase", "person", NAME, "jane.roe@corp.test"]);
    assert_eq!(result.code, 1, "it asks, and nobody answers: {result}");
    assert_eq!(tables_with(&world, pattern).await, before);
    let result = world.cli(&["erase", "person", NAME, "jane.roe@corp.test", "--yes"]);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(tables_with(&world, pattern).await, Vec::<String>::new());
    assert_eq!(tables_with(&world, "jane.roe@").await, Vec::<String>::new());
    // Whole words only.
    assert!(
        tables_with(&world, "Janet")
            .await
            .contains(&"ticket".to_owned())
    );
    let audit = world
        .texts("select what || ' ' || coalesce(key, '-') || ' ' || (detail ->> 'versions') from advisoryd_v1.audit where what like 'erase%'")
        .await;
    assert_eq!(audit, ["erase_person - 50"]);
    assert_sound(&world).await;
    // What upstream changes afterwards is stored as it sends it.
    let id = world.simulator.ticket_ids()[0];
    world.simulator.touch_ticket(id);
    let report = world.sync_tickets(FULL).await;
    assert_eq!(report[0].tally.changed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_erased_in_all_versions_and_alerts() {
    let (world, receiver) = naming().await;
    let id = world.simulator.ticket_ids()[2];
    let number = world.simulator.ticket(id).unwrap()["pretty_id"].clone();
    assert!(!receiver.received().is_empty(), "alerts were sent");
    let result = world.cli(&["erase", "ticket", &number.to_string(), "--yes", "--json"]);
    assert_eq!(result.code, 0, "{result}");
    let erased: serde_json::Value = serde_json::from_str(&result.stdout).unwrap();
    assert_eq!(erased["versions"], 2);
    let left = world
        .texts(
            "select 'version' from advisoryd.ticket where raw::text ~ 'description|title'
               and id = (select id from advisoryd.ticket where erased_at is not null)
             union all
             select 'alert' from advisoryd.alert a join advisoryd.ticket t on t.id::text = a.key
             where t.erased_at is not null and a.body ->> 'title' <> '[erased]'
             union all
             select 'former' from advisoryd.ticket_version v join advisoryd.ticket t using (id)
             where t.erased_at is not null and (v.title <> '[erased]' or v.raw::text ~* 'jane')",
        )
        .await;
    assert_eq!(left, Vec::<String>::new());
    let row = world
        .texts("select concat_ws('|', title, description, assignee, status is not null, pretty_id is not null) from advisoryd_v1.tickets where title = '[erased]'")
        .await;
    assert_eq!(row, ["[erased]|[erased]|[erased]|t|t"]);
    assert_eq!(
        world
            .texts("select what || ' ' || key from advisoryd_v1.audit")
            .await,
        [format!("erase_ticket {id}")]
    );
    assert_sound(&world).await;
    let result = world.cli(&["erase", "ticket", "999999", "--yes"]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_are_gone_are_erased_when_retention_says_so() {
    let (world, _receiver) = naming().await;
    let gone = world.simulator.ticket_ids()[1];
    world.simulator.remove_ticket(gone);
    world.sync_tickets(FULL).await;
    let never = CancellationToken::new();
    let kept = |text: &str| Config::from_text("test", text).unwrap().retention;
    let later = world.now() + TimeDelta::days(31);
    let dropped = maintain(world.pool(), &kept(""), later, &never)
        .await
        .unwrap();
    assert_eq!(dropped.erased_tickets, 0, "for ever by default");
    let kept = kept("[retention]\ngone_tickets = \"30d\"");
    let soon = world.now() + TimeDelta::days(29);
    let dropped = maintain(world.pool(), &kept, soon, &never).await.unwrap();
    assert_eq!(dropped.erased_tickets, 0);
    for erased in [1, 0] {
        let dropped = maintain(world.pool(), &kept, later, &never).await.unwrap();
        assert_eq!(dropped.erased_tickets, erased);
    }
    let result = world.cli(&["show", &gone.to_string()]);
    assert!(result.stdout.contains("[erased]"), "{result}");
    let audit = world
        .texts("select who || ' ' || what || ' ' || (detail ->> 'tickets') from advisoryd_v1.audit")
        .await;
    assert_eq!(audit, ["advisoryd erase_gone_tickets 1"]);
    assert_sound(&world).await;
}

/// The names of columns are ours, whatever a person is called.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_be_called_as_a_column_is() {
    let (world, _receiver) = naming().await;
    for name in ["Title", "raw", "description"] {
        let result = world.cli(&["erase", "person", name, "--yes"]);
        assert_eq!(result.code, 0, "{name}: {result}");
    }
    let emptied =
        "select count(*) from advisoryd.ticket where title is null or description is null";
    assert_eq!(world.count(emptied).await, 0);
    let result = world.cli(&["erase", "person", "Erased", "--yes"]);
    assert_eq!(result.code, 2, "{result}");
}

/// A run that is under way has read texts that it has not stored yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_does_not_bring_an_erased_text_back() {
    let (world, _receiver) = naming().await;
    let id = world.simulator.ticket_ids()[0];
    for (gate, erase) in [
        ("one", &["erase", "ticket", &id.to_string(), "--yes"][..]),
        (
            "all",
            &["erase", "person", NAME, "jane.roe@corp.test", "--yes"],
        ),
    ] {
        // Newer upstream than here: the run stores its texts again.
        world.simulator.touch_ticket(id);
        let hold = AnswerFault::Hold {
            after_bytes: 100,
            gate: gate.to_owned(),
        };
        world.simulator.inject(Fired::new(hold).on("tickets"));
        let mut sync = Running::start(&mut world.command(&["sync", "tickets", "--full"]));
        world.reached(gate).await;
        let mut erase = Running::start(&mut world.command(erase));
        // It names the run that it waits for.
        erase.line(&format!("process {} on", sync.pid())).await;
        world.simulator.open(gate);
        assert!(sync.ended().await.success(), "{}", sync.stderr());
        assert!(erase.ended().await.success(), "{}", erase.stderr());
        let named = "select id::text from advisoryd.ticket where raw::text ~* 'jane q' order by id";
        let named = world.texts(named).await;
        assert!(!named.contains(&id.to_string()), "{gate}: {named:?}");
        assert!(gate == "one" || named.is_empty(), "{named:?}");
    }
}
