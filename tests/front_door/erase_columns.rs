//! `advisoryd erase person` erases in every column of the schema that is not excused here.

use sqlx::AssertSqlSafe;

use crate::support::{World, small};

const NAME: &str = "Jane Q. Roe";

/// Columns in which nothing is erased (`table.column`, or `table.*` for all of a table), and
/// why. A new column is erased, or is added here with a reason.
const EXCUSED: [(&str, &[&str]); 7] = [
    (
        "published: advisories, CVEs, vendors and products",
        &[
            "advisory.*",
            "advisory_version.*",
            "detail.*",
            "epss_crossing.*",
            "epss_score.*",
            "feed_days.*",
            "former_detail.*",
            "known_exploited.*",
            "list_content.*",
            "sighting.*",
            "wanted_detail.listed",
        ],
    ),
    (
        "identifiers of advisories, tickets and other objects",
        &[
            "acknowledgement.said",
            "alert.key",
            "assignment.said",
            "change.key",
            "clock_alert.key",
            "clock_baseline.key",
            "pending_approval.said",
            "pending_approval.upstream_id",
            "quarantine.mentioned",
            "remote_object.id",
            "remote_object.key",
            "ticket.said",
            "ticket_version.said",
            "ticket_walk.resume_url",
            "wanted_detail.said",
        ],
    ),
    (
        "words of advisoryd itself: kinds, states, outcomes",
        &[
            "_sqlx_migrations.*",
            "alert.kind",
            "alert.what",
            "change.kind",
            "change.what",
            "clock_alert.kind",
            "clock_baseline.kind",
            "condition.what",
            "delivery.state",
            "delivery_attempt.outcome",
            "enrichment.kind",
            "message.purpose",
            "mirror.kind",
            "passed_over.reason",
            "quarantine.kind",
            "source.kind",
            "source.last_failure",
            "source.served_by",
            "sync_run.job",
            "sync_run.mode",
            "sync_run.outcome",
            "ticket_reading.filter",
            "verdict.*",
            "wanted_detail.reason",
        ],
    ),
    (
        "of the configuration, or names of watch lists: rename them there or upstream",
        &[
            "alert.rule",
            "clock_alert.rule",
            "clock_baseline.rule",
            "clock_rule.rule",
            "condition.key",
            "delivery.sink",
            "discovered_list.name",
            "enrichment.origin",
            "message.held_by",
            "message.rule",
            "remote_object.rule",
            "remote_object.sink",
            "rule.*",
            "sink.kind",
            "sink.name",
            "source.extra_feed",
            "source.listed_name",
            "source.name",
        ],
    ),
    (
        "machines, processes and accounts of upstream; what files were read",
        &[
            "budget.*",
            "budget_holder.*",
            "budget_use.*",
            "daemon.account",
            "daemon.configuration",
            "daemon.host",
            "daemon.machine",
            "daemon.version",
            "enrichment.entity_tag",
            "enrichment.last_modified",
            "enrichment.release",
            "lease.*",
            "source.root_element",
            "upstream_account.*",
        ],
    ),
    (
        "who did what is the purpose of the audit log; it contains nothing of what was erased",
        &["audit.*"],
    ),
    (
        "chained by digests: `erase person` counts the errors with a name",
        &["sync_run.error"],
    ),
];

/// All columns of texts and JSON in our tables, with their types.
async fn columns(world: &World) -> Vec<(String, String, String)> {
    sqlx::query_as(
        "select c.relname::text, a.attname::text, format_type(a.atttypid, null)
         from pg_attribute a
         join pg_class c on c.oid = a.attrelid
         where c.relnamespace = 'advisoryd'::regnamespace
           and c.relkind in ('r', 'p')
           and a.attnum > 0
           and not a.attisdropped
           and a.attgenerated = ''
           and format_type(a.atttypid, null) ~ '^(text|character|json|name|xml|citext)'
         order by 1, 2",
    )
    .fetch_all(world.pool())
    .await
    .unwrap()
}

/// Makes any row possible in any table, and puts one into each empty one.
async fn fill(world: &World) {
    let sql = "
        do $$
        declare
            one record;
            is_empty boolean;
            names text;
            texts text;
        begin
            for one in
                select conrelid::regclass as of, conname
                from pg_constraint
                where connamespace = 'advisoryd'::regnamespace
                  and contype in ('c', 'f')
                  and conparentid = 0
            loop
                execute format('alter table %s drop constraint %I', one.of, one.conname);
                -- Others write meanwhile: no two locks are held.
                commit;
            end loop;
            for one in
                select oid::regclass as of, oid
                from pg_class
                where relnamespace = 'advisoryd'::regnamespace
                  and relkind = 'r'
            loop
                execute format('select not exists (select from %s)', one.of) into is_empty;
                continue when not is_empty;
                select string_agg(quote_ident(attname), ', '),
                       string_agg(format('%L::%s', case
                               when typcategory = 'A' or typname ~ '^json|multirange' then '{}'
                               when typcategory = 'R' then 'empty'
                               when typcategory = 'B' then 'true'
                               when typcategory = 'D' then 'now'
                               when typcategory = 'T' then '1 day'
                               when typname = 'bytea' then 'x'
                               when typname = 'uuid' then '00000000-0000-0000-0000-000000000001'
                               else '1'
                           end, format_type(atttypid, atttypmod)), ', ')
                into names, texts
                from pg_attribute
                join pg_type on pg_type.oid = atttypid
                where attrelid = one.oid
                  and attnum > 0
                  and not attisdropped
                  and attnotnull
                  and attidentity = ''
                  and attgenerated = '';
                execute format('insert into %s %s', one.of, case
                    when names is null then 'default values'
                    else format('(%s) values (%s)', names, texts)
                end);
                commit;
            end loop;
        end $$";
    sqlx::raw_sql(sql).execute(world.pool()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_erased_or_excused() {
    let world = World::with(small()).await;
    world.pull_one().await;
    let excused: Vec<String> = EXCUSED
        .iter()
        .flat_map(|(_, columns)| columns.iter().map(ToString::to_string))
        .collect();
    let all = columns(&world).await;
    for excuse in &excused {
        let is_one = |(table, column, _): &(String, String, String)| {
            *excuse == format!("{table}.{column}") || *excuse == format!("{table}.*")
        };
        assert!(all.iter().any(is_one), "there is no column {excuse}");
    }
    let is_excused = |table: &str, column: &str| {
        excused.contains(&format!("{table}.*")) || excused.contains(&format!("{table}.{column}"))
    };
    let others: Vec<_> = all
        .into_iter()
        .filter(|(table, column, _)| !is_excused(table, column))
        .collect();
    assert!(others.len() > 40, "{others:?}");
    fill(&world).await;
    for (table, column, kind) in &others {
        let value = match kind.as_str() {
            "json" | "jsonb" => format!("{{\"by {NAME}\": [\"{NAME}\"]}}"),
            array if array.ends_with("[]") => format!("{{{NAME}}}"),
            // As in a record that was received as JSON.
            _ => format!("{NAME}, \\u004aane\\u0020Q. Roe, Jane\u{a0}Q.\\nRoe"),
        };
        let sql = format!(
            "update advisoryd.{table} set {column} = $1::text::{kind}
             where ctid = (select ctid from advisoryd.{table} limit 1)"
        );
        let done = sqlx::query(AssertSqlSafe(sql)).bind(value);
        let done = done.execute(world.pool()).await;
        let done = done.unwrap_or_else(|error| panic!("{table}.{column}: {error}"));
        assert_eq!(done.rows_affected(), 1, "{table}.{column}");
    }
    let result = world.cli(&["erase", "person", NAME, "--yes"]);
    assert_eq!(result.code, 0, "{result}");
    let mut left = Vec::new();
    for (table, column, _) in &others {
        let sql = format!(
            "select count(*) from advisoryd.{table} where {column}::text ~* '(j|4a)ane.*Roe'"
        );
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(world.pool())
            .await
            .unwrap();
        if rows > 0 {
            left.push(format!("{table}.{column}"));
        }
    }
    assert_eq!(
        left,
        Vec::<String>::new(),
        "erase them, or excuse them with a reason"
    );
}
