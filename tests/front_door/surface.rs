//! The SQL that users script against (surface §3): names, comments, rights.

use advisoryd::model::Severity;
use sqlx::Row as _;

use crate::support::database;

/// Every view and the columns that are promised.
const PROMISED: &[(&str, &str)] = &[
    (
        "watch_lists",
        "id name configured advisories last_attempt_at last_success_at data_age last_error state",
    ),
    (
        "advisories",
        "said upstream_id title severity severity_rank criticality released_at modified_at \
         attack_vector solution_status impacts cves cvss2_score cvss2_vector cvss3_score \
         cvss3_vector cvss4_score cvss4_vector threat_score is_zero_day is_rejected description \
         solution watch_list_ids version first_seen_at changed_at",
    ),
    ("advisory_products", "said product_id name is_os cpes"),
    ("advisory_references", "said ordinal url description"),
    (
        "advisory_watch_lists",
        "said watch_list_id first_seen_at last_seen_at",
    ),
    (
        "tickets",
        "id pretty_id title description status_id status priority_id priority queue_id queue \
         assignee_id assignee watch_list_id watch_list said created_at modified_at deleted_at \
         version first_seen_at changed_at raw",
    ),
    (
        "sync_runs",
        "id job mode watch_list_id started_at finished_at outcome window_from window_to requests \
         bytes seen added changed unchanged quarantined error",
    ),
    ("quarantine", "id run_id at source key reason raw"),
    (
        "advisory_history",
        "said version valid_from valid_to source_modified_at run_id",
    ),
    (
        "ticket_history",
        "id version valid_from valid_to source_modified_at run_id",
    ),
    ("field_changes", "key version field old new at"),
    ("changes", "seq at kind key version what run_id"),
    ("coverage", "source watch_list_id covered gaps"),
    (
        "alerts",
        "id rule what kind key version at raised_at state message_id body",
    ),
    (
        "deliveries",
        "id message_id sink state failures due_at settled_at last_error",
    ),
    (
        "delivery_attempts",
        "delivery_id attempt at latency outcome status answer error",
    ),
    (
        "rule_evaluations",
        "seq at kind key version what rule verdict clause",
    ),
    (
        "silences",
        "id matchers reason created_by created_at until alerts",
    ),
    ("acknowledgements", "said by at until note withdrawn_at"),
    (
        "remote_objects",
        "sink rule key id resolved created_at changed_at",
    ),
    (
        "alert_rules",
        "name at after_seq baseline_matches definition",
    ),
    (
        "alert_sinks",
        "name kind configured failures failing_since last_error waiting dead_letters",
    ),
    (
        "conditions",
        "what key holds since over_at occurrence value summary",
    ),
    (
        "watch_list_products",
        "watch_list_id kind upstream_id name first_seen_at left_at",
    ),
    (
        "pending_approvals",
        "upstream_id watch_list_id said first_seen_at left_at",
    ),
    (
        "mirrors",
        "watch_list_id kind last_attempt_at last_success_at refused_since last_error",
    ),
];

#[tokio::test]
async fn every_promised_view_and_column_is_there() {
    let database = database().await;
    for (view, columns) in PROMISED {
        for column in columns.split_whitespace() {
            let found: bool = sqlx::query_scalar(
                "select exists (
                     select
                     from information_schema.columns
                     where table_schema = 'advisoryd_v1'
                       and table_name = $1
                       and column_name = $2)",
            )
            .bind(view)
            .bind(column)
            .fetch_one(&database.pool)
            .await
            .unwrap();
            assert!(found, "{view}.{column} is missing");
        }
    }
}

#[tokio::test]
async fn columns_keep_their_names_types_and_order() {
    let database = database().await;
    let lines: Vec<String> = sqlx::query_scalar(
        "select format('%s.%s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
         from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
         where c.relnamespace = 'advisoryd_v1'::regnamespace
           and c.relkind = 'v'
         order by c.relname collate \"C\", a.attnum",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let functions: Vec<String> = sqlx::query_scalar(
        "select format('%s(%s) %s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid))
         from pg_proc p
         where p.pronamespace = 'advisoryd_v1'::regnamespace
         order by p.proname collate \"C\"",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    // A line may come at the end of a view; no line changes or goes.
    insta::assert_snapshot!([lines, functions].concat().join("\n"));
}

#[tokio::test]
async fn severities_are_the_same_in_sql_and_in_the_model() {
    let database = database().await;
    for is_rejected in [false, true] {
        for code in [None, Some(i32::MIN), Some(i32::MAX)]
            .into_iter()
            .chain((-1..=7).map(Some))
        {
            let severity = if is_rejected {
                Some(Severity::Rejected)
            } else {
                code.and_then(Severity::from_criticality)
            };
            let stored: (Option<i16>, String) = sqlx::query_as(
                "select rank, advisoryd.severity_name(rank)
                 from advisoryd.severity_rank($1, $2) as rank",
            )
            .bind(is_rejected)
            .bind(code)
            .fetch_one(&database.pool)
            .await
            .unwrap();
            let expected = (
                severity.map(Severity::rank),
                severity.map_or("unknown", Severity::name).to_owned(),
            );
            assert_eq!(stored, expected, "{code:?}, rejected: {is_rejected}");
        }
    }
}

#[tokio::test]
async fn every_view_and_column_carries_a_comment() {
    let database = database().await;
    let bare = sqlx::query(
        "select c.relname as view, a.attname as column
         from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         left join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0 and not a.attisdropped
         where n.nspname = 'advisoryd_v1'
           and c.relkind = 'v'
           and (coalesce(obj_description(c.oid, 'pg_class'), '') = ''
                or coalesce(col_description(c.oid, a.attnum), '') = '')",
    )
    .fetch_all(&database.pool)
    .await
    .unwrap();
    let bare: Vec<String> = bare
        .iter()
        .map(|row| format!("{}.{}", row.get::<String, _>(0), row.get::<String, _>(1)))
        .collect();
    assert!(bare.is_empty(), "without comment: {bare:?}");
}

#[tokio::test]
async fn the_reader_reads_the_views_and_nothing_else() {
    let database = database().await;
    let mut connection = database.pool.acquire().await.unwrap();
    sqlx::query("grant advisoryd_reader to current_user")
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::query("set role advisoryd_reader")
        .execute(&mut *connection)
        .await
        .unwrap();
    for (view, _) in PROMISED {
        let sql = format!("select count(v.*) from advisoryd_v1.{view} v");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    }
    let refused = sqlx::query("select * from advisoryd.advisory")
        .fetch_all(&mut *connection)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
}
