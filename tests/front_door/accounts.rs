//! Another token, or another upstream: the cursors of one account say nothing about another.

use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};

use crate::support::{CommandResult, World, assert_reads, small};

const TOKEN: &str = "abcdabcdabcdabcdabcdabcdabcdabcdabcdabcd";
const COVERED: &str = "select count(*) from advisoryd.source
                       where configured and kind in ('watch_list', 'tickets') and not isempty(covered)";

fn sync(world: &World) -> CommandResult {
    world.cli(&["sync", "--json"])
}

/// Source and mode of the runs that a command made.
fn modes(result: &CommandResult) -> Vec<String> {
    let runs = result
        .json_lines()
        .into_iter()
        .filter(|run| run["mode"].is_string());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    runs.map(|run| format!("{} {}", text(&run["source"]), text(&run["mode"])))
        .collect()
}

const INCREMENTAL: [&str; 2] = ["watch list 1 window", "tickets incremental"];

/// A new token of the same account: everything is read again once, and nothing changes.
#[tokio::test]
async fn another_token_means_reading_all_again_once() {
    let world = World::new().await;
    assert_eq!(sync(&world).code, 0);
    assert_eq!(modes(&sync(&world)), INCREMENTAL);
    let changes = "select count(*) from advisoryd_v1.changes";
    let before = (world.count(changes).await, world.versions().await);

    std::fs::write(world.token_file(), TOKEN).unwrap();
    world.simulator.set_token(TOKEN);
    world.simulator.inject(
        FaultRule::new(AnswerFault::Status(403))
            .on("/api/tickets/")
            .times(1000),
    );
    let result = sync(&world);
    assert_eq!(result.code, 1, "{result}");
    assert_eq!(
        world.count(COVERED).await,
        1,
        "of the tickets nothing is covered"
    );
    let status = world.cli(&["status"]);
    assert_eq!(world.cli(&["status", "--check"]).code, 1);
    let verify = world.cli(&["verify"]);
    assert_eq!(verify.code, 1, "{verify}");
    let lines = status.stdout.lines();
    let of_the_token = lines.filter(|line| line.contains("token"));
    let of_the_token = of_the_token.collect::<Vec<_>>().join("\n");
    let unread = verify.stdout.lines().find(|line| line.contains("token"));
    assert_reads!(result.stderr, of_the_token, unread.expect("it is told"));

    world.simulator.clear_faults();
    let result = sync(&world);
    assert_eq!(result.code, 0, "{result}");
    assert_eq!(
        modes(&result),
        ["watch list 1 window", "tickets full", "tickets incremental"]
    );
    let status = world.cli(&["status"]);
    assert!(!status.stdout.contains("another account"), "{status}");
    assert_eq!(world.cli(&["verify"]).code, 0);
    assert_eq!(modes(&sync(&world)), INCREMENTAL);
    assert_eq!((world.count(changes).await, world.versions().await), before);
}

/// What only the other account has is read at once.
#[tokio::test]
async fn another_upstream_is_read_from_the_beginning() {
    let mut world = World::new().await;
    assert_eq!(sync(&world).code, 0);
    let other = World::with(SimulatorOptions {
        advisories: 90,
        tickets: 40,
        ..small()
    })
    .await;
    world.settings.upstream.base_url = Some(other.simulator.base_url());
    let result = sync(&world);
    assert!(
        result.to_string().contains(&other.simulator.base_url()),
        "{result}"
    );
    let ids = world
        .texts("select id::text from advisoryd_v1.tickets")
        .await;
    for id in other.simulator.ticket_ids() {
        assert!(ids.contains(&id.to_string()), "{id} {result}");
    }
    let versions = world.versions().await;
    for said in other.simulator.saids(1) {
        assert!(versions.contains_key(&said), "{said} {result}");
    }
}

/// Two daemons of one account may have a token each: they do not read all in turn.
#[tokio::test]
async fn tokens_that_are_used_at_the_same_time_take_no_turns() {
    let world = World::new().await;
    let first = world.token_file();
    assert_eq!(sync(&world).code, 0);
    let token = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, TOKEN).unwrap();
    world.simulator.set_token(TOKEN);
    assert_eq!(sync(&world).code, 0);
    // A daemon with the second token runs while the first one comes back.
    sqlx::query(
        "insert into advisoryd.daemon (host, pid, version, started_at, seen_at, account)
         select 'elsewhere', 1, 'x', clock_timestamp(), clock_timestamp(), account
         from advisoryd.upstream_account order by bound_at desc limit 1",
    )
    .execute(world.pool())
    .await
    .unwrap();
    std::fs::write(&first, token.clone()).unwrap();
    world.simulator.set_token(&token);
    assert_eq!(modes(&sync(&world)), INCREMENTAL);
    // Once it has stopped, that is a change of accounts like any other.
    sqlx::query("update advisoryd.daemon set stopped_at = clock_timestamp()")
        .execute(world.pool())
        .await
        .unwrap();
    let result = sync(&world);
    assert_eq!(
        modes(&result),
        ["watch list 1 window", "tickets full", "tickets incremental"],
        "{result}"
    );
}
