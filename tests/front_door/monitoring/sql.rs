//! The panels of the PostgreSQL dashboard, asked as the reader.

use std::time::{Duration, Instant};

use advisoryd::job::tickets::sync::TicketSync;
use chrono::TimeDelta;
use sqlx::AssertSqlSafe;

use super::dashboard::{dashboard, queries};
use crate::support::settings::Rule;
use crate::support::{Receiver, World};

/// What each panel may take with many advisories. The quickest of several times counts:
/// other tests use the machine too.
const QUICK: Duration = Duration::from_millis(200);

/// Grafana's macros expanded to the default time range, and these lists selected.
fn expanded(query: &str, lists: &str) -> String {
    let from = "$__timeFilter(";
    let mut text = query
        .replace("$watch_list", lists)
        .replace("$__timeFrom()", "(now() - interval '30 days')");
    while let Some(begin) = text.find(from) {
        let rest = &text[begin + from.len()..];
        let end = rest.find(')').expect("the end of a macro");
        let filter = format!(
            "{} BETWEEN now() - interval '30 days' AND now() + interval '1 day'",
            &rest[..end]
        );
        text.replace_range(begin..=begin + from.len() + end, &filter);
    }
    assert!(!text.contains('$'), "{text}");
    text
}

/// Title, number of rows and time of each panel, as the reader sees it; at most so many
/// `times` until it was quick.
async fn asked(world: &World, lists: &str, times: u32) -> Vec<(String, i64, Duration)> {
    let mut connection = world.pool().acquire().await.unwrap();
    sqlx::raw_sql(
        "grant advisoryd_reader to current_user; set role advisoryd_reader; set search_path = ''",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let mut results = Vec::new();
    let variable = dashboard("dashboard-postgresql.json")["templating"]["list"][1]["query"]
        .as_str()
        .unwrap()
        .to_owned();
    let variable = ("the variable".to_owned(), variable);
    let mut panels = queries(&dashboard("dashboard-postgresql.json"));
    panels.push(variable);
    for (title, query) in panels {
        let query = expanded(query.trim(), lists);
        let count = format!("select count(*) from ({query}) as panel");
        let (mut rows, mut best) = (0, Duration::MAX);
        for _ in 0..times {
            let began = Instant::now();
            rows = sqlx::query_scalar(AssertSqlSafe(count.clone()))
                .fetch_one(&mut *connection)
                .await
                .unwrap_or_else(|error| panic!("{title}: {error}\n{query}"));
            best = best.min(began.elapsed());
            if best <= QUICK {
                break;
            }
        }
        results.push((title, rows, best));
    }
    sqlx::raw_sql("reset role; reset search_path")
        .execute(&mut *connection)
        .await
        .unwrap();
    results
}

fn silent(results: &[(String, i64, Duration)]) -> Vec<&str> {
    let silent = results.iter().filter(|(_, rows, _)| *rows == 0);
    silent.map(|(title, ..)| title.as_str()).collect()
}

#[tokio::test]
async fn each_panel_is_answered_to_the_reader_on_an_empty_database() {
    let world = World::new().await;
    let results = asked(&world, "'all'", 1).await;
    // Counts are 0, and not missing.
    assert!(results.iter().filter(|(_, rows, _)| *rows == 1).count() >= 6);
    asked(&world, "'1', '2'", 1).await;
}

#[tokio::test]
async fn each_panel_has_rows_where_there_is_something_to_show() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("all", &["appeared"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    world.simulator.publish(5);
    let inject = advisoryd::simulate::FaultRule::new(advisoryd::simulate::AnswerFault::Status(500));
    world.simulator.inject(inject.times(10));
    world.pull_one().await;
    world.simulator.clear_faults();
    world.pull_one().await;
    world.alert().await;
    let results = asked(&world, "'all'", 1).await;
    // Nothing is wrong with what upstream sends.
    let clean = [
        "Active conditions",
        "Coverage gaps",
        "Records in quarantine",
        "Unknown fields",
    ];
    assert_eq!(silent(&results), clean);
    let of_list = asked(&world, "'1'", 1).await;
    assert_eq!(silent(&of_list), clean);
    let none = asked(&world, "'99'", 1).await;
    assert!(
        silent(&none).contains(&"Latest advisories"),
        "another list has none"
    );
}

/// A hundred thousand copies of what is stored, modified over the last ten years; a fifth
/// of them is on list 1.
async fn multiply(world: &World) {
    let columns: String = sqlx::query_scalar(
        "select string_agg(column_name::text, ', ')
         from information_schema.columns
         where table_schema = 'advisoryd' and table_name = 'advisory' and is_generated = 'NEVER'
           and column_name not in ('said', 'released_at', 'modified_at')",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    let copies = format!(
        "with model as (
             select row_number() over (order by said) - 1 as number, a.*
             from advisoryd.advisory a)
         insert into advisoryd.advisory (said, released_at, modified_at, {columns})
         select 'SA' || (1000000 + n), now() - n * interval '52 minutes',
                now() - n * interval '52 minutes', {columns}
         from generate_series(1, 100000) as n
         join model m on m.number = n % (select count(*) from model)"
    );
    let members = "
        insert into advisoryd.sighting (source_id, said, byte_hash, content_hash, first_seen_at, last_seen_at)
        select s.id, a.said, a.byte_hash, a.byte_hash, now(), now()
        from advisoryd.advisory a
        join advisoryd.source s on s.watch_list_id = 1
        where a.said ~ '^SA1.*[05]$'";
    for sql in [&copies, members, "vacuum analyze"] {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(world.pool())
            .await
            .unwrap();
    }
}

#[tokio::test]
#[ignore = "takes a minute: make test-monitoring"]
async fn each_panel_is_quick_with_a_hundred_thousand_advisories() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    multiply(&world).await;
    let stored = "select count(*) from advisoryd_v1.advisory_watch_lists";
    assert!(world.count(stored).await > 20_000);
    let mut slow = asked(&world, "'all'", 20).await;
    slow.extend(asked(&world, "'1'", 20).await);
    slow.retain(|(_, _, took)| *took > QUICK);
    assert!(slow.is_empty(), "{slow:#?}");
}
