//! Nothing grows faster than what it is asked to do: the same work at one size and at
//! four times this size. `ADVISORYD_TEST_SCALE` is the number of advisories of the larger
//! one, see docs/performance.md.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use advisoryd::job::alerts::evaluate::{RuleSet, evaluate};
use sqlx::AssertSqlSafe;

use crate::support::settings::{Retention, Rule};
use crate::support::{Documents, World, world_of_documents};

/// Advisories of the larger size, unless the environment says otherwise.
const DEFAULT: usize = 8_000;
const TIMES: usize = 4;
/// Advisories for each watch list: 300 lists for 150,000.
const PER_LIST: usize = 500;
/// Each list but the first contains so many.
const IN_LIST: usize = 1_000;
const ROUNDS: usize = 3;
/// How much more than the growth of its input work may grow on a machine that is busy with
/// other tests.
const NOISE: f64 = 2.5;

/// So many tickets, each opened once, from one that was read.
const TICKETS: &str = "
    with new as (
        insert into advisoryd.ticket
        select (jsonb_populate_record(t, jsonb_build_object('id', t.id + n))).*
        from advisoryd.ticket t, generate_series(1, $1) as n
        where t.id = (select max(id) from advisoryd.ticket)
        returning id, run_id, first_seen_at),
    base as (
        update advisoryd.change_counter set last = last + $1 returning last - $1 as base)
    insert into advisoryd.change (seq, at, kind, key, version, what, run_id)
    select base.base + row_number() over (order by new.id), new.first_seen_at, 'ticket',
           new.id::text, 1, 'ticket_opened', new.run_id
    from new, base";
/// A version of each advisory that was replaced long ago.
const VERSIONS: &str = "
    insert into advisoryd.advisory_version
    select now() - interval '100 days', a.* from advisoryd.advisory a;
    update advisoryd.advisory set version = version + 1, changed_at = now() - interval '100 days';
    update advisoryd.evaluation set at = at - interval '400 days';
    update advisoryd.alert set raised_at = raised_at - interval '400 days'";
/// All that is stored is evaluated again, as if it had come when the rules were there.
const AGAIN: &str = "
    truncate advisoryd.alert, advisoryd.evaluation, advisoryd.judged_value, advisoryd.message, advisoryd.delivery,
             advisoryd.delivery_attempt, advisoryd.passed_over;
    update advisoryd.alerting set evaluated_seq = 0;
    update advisoryd.rule set after_seq = 0, baseline_matches = 0;
    update advisoryd.source set baseline_seq = 0";

fn record(number: usize, title: &str) -> String {
    format!(
        "<advisory><advisory_identifier>SA{number}</advisory_identifier><title>{title} {number}</title>\
         <criticality>{}</criticality><modified_date>2026-03-01T13:35:05Z</modified_date>\
         <released>2026-03-01T13:35:05Z</released><description>{}</description>\
         <solution>Update to version {number}.</solution></advisory>",
        number % 5 + 1,
        format!(
            "A problem of component {} allows a remote attack. ",
            number % 997
        )
        .repeat(12),
    )
}

/// The document of a list with these advisories; of each `every`, the title differs.
fn document(numbers: impl Iterator<Item = usize>, every: usize) -> String {
    let mut document = String::from("<advisories>");
    for number in numbers {
        let is_changed = every > 0 && number.is_multiple_of(every);
        let title = if is_changed { "Another title" } else { "Title" };
        document.push_str(&record(number, title));
    }
    document.push_str("</advisories>");
    document
}

struct Size {
    world: World,
    documents: Documents,
    advisories: usize,
    times: Vec<(&'static str, Duration)>,
}

impl Size {
    async fn of(advisories: usize) -> Self {
        let (mut world, documents) = world_of_documents().await;
        let lists = i64::try_from((advisories / PER_LIST).max(2)).unwrap();
        world.lists = Some((1..=lists).collect());
        documents.set(1, document(0..advisories, 0));
        for list in 2..=lists {
            let first = usize::try_from(list).unwrap() * PER_LIST;
            let numbers = (first..first + IN_LIST).map(|number| number % advisories);
            documents.set(list, document(numbers, 0));
        }
        world.settings.tickets.enabled = Some(false);
        world.settings.retention = Retention {
            versions: Some("30d"),
            ..Retention::default()
        };
        world.settings.alerts.rules = (0..20).map(rule).collect();
        Self {
            world,
            documents,
            advisories,
            times: Vec::new(),
        }
    }

    /// Runs a command, and keeps the time of the quickest.
    fn time(&mut self, name: &'static str, rounds: usize, arguments: &[&str]) {
        let mut quickest = Duration::MAX;
        for _ in 0..rounds {
            let begun = Instant::now();
            let result = self.world.cli(arguments);
            quickest = quickest.min(begun.elapsed());
            assert!(result.code <= 1, "{arguments:?}: {result}");
        }
        self.times.push((name, quickest));
    }

    async fn sql(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(self.world.pool())
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn evaluation(&mut self) {
        self.world.context().await;
        self.sql(AGAIN).await;
        let context = self.world.context().await;
        let begun = Instant::now();
        let done = evaluate(&context, &RuleSet::of(&context, false))
            .await
            .unwrap();
        self.times.push(("evaluation", begun.elapsed()));
        assert!(done.raised > 0, "{done:?}");
    }

    async fn measure(&mut self) {
        let pull = &["-q", "sync", "feeds", "--full"];
        self.time("first load", 1, pull);
        let mut tickets = World::new().await;
        std::mem::swap(&mut tickets.database, &mut self.world.database);
        tickets
            .sync_tickets(advisoryd::job::tickets::sync::TicketSync::Now)
            .await;
        std::mem::swap(&mut tickets.database, &mut self.world.database);
        let more = i64::try_from(self.advisories * 20 / 3).unwrap();
        let filled = sqlx::query(TICKETS)
            .bind(more)
            .execute(self.world.pool())
            .await;
        filled.unwrap();
        self.sql("vacuum analyze").await;
        self.time("no change", ROUNDS, pull);
        self.documents.set(1, document(0..self.advisories, 100));
        self.time("1 % changed", 1, pull);
        self.time("status", ROUNDS, &["status"]);
        self.time("verify", ROUNDS, &["verify"]);
        self.time(
            "advisories --search",
            ROUNDS,
            &["advisories", "--search", "\"component 17\""],
        );
        self.evaluation().await;
        self.sql(VERSIONS).await;
        self.sql("vacuum analyze").await;
        self.time("retention", 1, &["-q", "maintain"]);
        let left = "select count(*) from advisoryd.advisory_version
            where replaced_at < now() - interval '40 days'";
        assert_eq!(self.world.count(left).await, 0);
    }

    async fn rows(&self) -> String {
        let mut rows = String::new();
        for table in [
            "advisory", "sighting", "change", "ticket", "source", "alert",
        ] {
            let count = AssertSqlSafe(format!("select count(*) from advisoryd.{table}"));
            let count = sqlx::query_scalar(count).fetch_one(self.world.pool()).await;
            let count: i64 = count.unwrap();
            let _ = write!(rows, "{table} {count}, ");
        }
        rows
    }
}

/// Some look at severity, some at texts; few match much.
fn rule(number: usize) -> Rule {
    let clauses = match number % 3 {
        0 => toml::toml! { severity = "extremely_critical" title = "(?i)title 1[0-9]*7$" },
        1 => toml::toml! { title = "(?i)another" },
        _ => toml::toml! { cve = ["CVE-*-1"] missing = "skip" },
    };
    Rule {
        clauses,
        sinks: &[],
        shadow: Some(true),
        ..Rule::to_hook(&format!("r{number}"), &["appeared", "revised"])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows_faster_than_what_it_is_asked_to_do() {
    let large = std::env::var("ADVISORYD_TEST_SCALE").map_or(DEFAULT, |size| size.parse().unwrap());
    let mut small = Size::of(large / TIMES).await;
    small.measure().await;
    let mut large = Size::of(large).await;
    large.measure().await;
    eprintln!("{}and {}", small.rows().await, large.rows().await);
    let mut too_fast = Vec::new();
    for ((name, few), (_, many)) in small.times.iter().zip(&large.times) {
        let growth = many.as_secs_f64() / few.as_secs_f64();
        eprintln!("{name}: {few:.2?}, {many:.2?}, {growth:.1} times for {TIMES} times as much");
        let bound = few.as_secs_f64().max(0.3) * f64::from(u8::try_from(TIMES).unwrap()) * NOISE;
        if many.as_secs_f64() > bound {
            too_fast.push(format!("{name}: {few:?}, {many:?}"));
        }
    }
    assert!(too_fast.is_empty(), "{too_fast:?}");
}
