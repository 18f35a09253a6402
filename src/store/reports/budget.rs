//! How the request budgets stand, and who uses them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::instance::ProcessIdentity;

/// The budget of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetReport {
    /// The account, see `http::account`.
    pub account: String,
    /// The database's time.
    pub now: DateTime<Utc>,
    /// Requests allowed in any minute; `None` if nobody has sent any for a while.
    pub per_minute: Option<i64>,
    /// Requests allowed in any 24 hours; `None` without a limit.
    pub per_day: Option<i64>,
    /// End of a pause of all requests, if it is in the future.
    pub paused_until: Option<DateTime<Utc>>,
    /// End of a pause of background requests, if it is in the future.
    pub background_paused_until: Option<DateTime<Utc>>,
    /// Who was asked for the pause.
    pub paused_by: Option<String>,
    /// Requests of the current minute.
    pub this_minute: i64,
    /// Requests of the last 24 hours.
    pub today: i64,
}

/// A process that has used a budget in the last day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetUser {
    /// The account.
    pub account: String,
    /// Name of its machine.
    pub host: String,
    /// Its process; 0 for scripts.
    pub pid: i32,
    /// Whether it is this process.
    pub is_own: bool,
    /// Whether it has certainly ended.
    pub has_ended: bool,
    /// `daemon`, `command` or `script`.
    pub kind: String,
    /// When it sent its first request.
    pub since: DateTime<Utc>,
    /// When it last reserved requests.
    pub seen_at: DateTime<Utc>,
    /// Requests of the current minute.
    pub this_minute: i64,
    /// Requests of the last 24 hours.
    pub today: i64,
    /// Requests that it may still send from its slice.
    pub held: i64,
}

/// All accounts, the one that was used last first.
pub async fn budgets(connection: &mut PgConnection) -> Result<Vec<BudgetReport>, sqlx::Error> {
    sqlx::query_as!(
        BudgetReport,
        r#"select b.account,
                  clock_timestamp() as "now!",
                  (select min(h.per_minute)::bigint from advisoryd.budget_holder h
                   where h.account = b.account
                     and h.seen_at > clock_timestamp() - interval '2 minutes') as per_minute,
                  (select min(nullif(h.per_day, 0))::bigint from advisoryd.budget_holder h
                   where h.account = b.account) as per_day,
                  case when b.paused_until > clock_timestamp() then b.paused_until end as paused_until,
                  case when b.background_paused_until > clock_timestamp() then b.background_paused_until end
                      as background_paused_until,
                  b.paused_by,
                  (select coalesce(sum(u.requests), 0) from advisoryd.budget_use u
                   where u.account = b.account
                     and u.minute >= date_trunc('minute', clock_timestamp())) as "this_minute!",
                  (select coalesce(sum(u.requests), 0) from advisoryd.budget_use u
                   where u.account = b.account
                     and u.minute > clock_timestamp() - interval '24 hours 1 minute') as "today!"
           from advisoryd.budget b
           order by b.next_at desc"#
    )
    .fetch_all(connection)
    .await
}

/// Who has used budgets in the last day, the busiest first.
pub async fn users(connection: &mut PgConnection) -> Result<Vec<BudgetUser>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select h.account, h.kind, h.host, h.pid, h.machine, h.started, h.since, h.seen_at,
                  coalesce(sum(u.requests) filter (
                      where u.minute >= date_trunc('minute', clock_timestamp())), 0) as "this_minute!",
                  coalesce(sum(u.requests) filter (
                      where u.minute > clock_timestamp() - interval '24 hours 1 minute'), 0) as "today!",
                  case when h.slice_until > clock_timestamp() then h.slice_tokens else 0 end::bigint as "held!"
           from advisoryd.budget_holder h
           left join advisoryd.budget_use u on u.holder_id = h.id
           group by h.id
           order by "today!" desc, h.id"#
    )
    .fetch_all(connection)
    .await?;
    let users = rows.into_iter().map(|row| {
        let instance = ProcessIdentity {
            host: row.host,
            pid: row.pid,
            machine: row.machine,
            started: (row.started != 0).then_some(row.started),
        };
        BudgetUser {
            account: row.account,
            pid: instance.pid,
            is_own: instance == *ProcessIdentity::own(),
            has_ended: instance.has_ended(),
            host: instance.host,
            kind: row.kind,
            since: row.since,
            seen_at: row.seen_at,
            this_minute: row.this_minute,
            today: row.today,
            held: row.held,
        }
    });
    Ok(users.collect())
}
