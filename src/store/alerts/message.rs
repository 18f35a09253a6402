//! Messages: group the alerts of a rule that are sent together.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::MessagePurpose;
use crate::store::alerts::raised::Raised;

/// Maximum of alerts per message; more alerts open the next one. Longer mails are not read.
const MESSAGE_ALERTS: i32 = 100;
/// The same for digests, and after mute times: one message reports everything since.
const HELD_ALERTS: i32 = 1000;

/// A message that alerts are added to in this transaction.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Carrier {
    id: Uuid,
    rule: String,
    purpose: MessagePurpose,
    alerts: i32,
    has_ends: bool,
    is_new: bool,
    is_sealed: bool,
    is_held: bool,
    held_by: Option<String>,
    closes_at: DateTime<Utc>,
    sinks: Vec<String>,
}

/// The messages of one transaction.
#[derive(Default)]
pub(crate) struct Gathering {
    /// Rules whose open message was looked up. A full message is still open in the
    /// database until everything is written.
    read_rules: HashSet<String>,
    open: BTreeMap<String, Carrier>,
    full: Vec<Carrier>,
}

impl Gathering {
    /// The message for this alert: the rule's open one, or a new one with an id that
    /// is derived from this alert.
    pub(crate) async fn carrier(
        &mut self,
        connection: &mut PgConnection,
        raised: &Raised,
        now: DateTime<Utc>,
    ) -> Result<Uuid, sqlx::Error> {
        if raised.group <= TimeDelta::zero() {
            let carrier = Carrier::new(raised, now, true);
            let id = carrier.id;
            self.full.push(carrier);
            return Ok(id);
        }
        if self.read_rules.insert(raised.rule.clone())
            && let Some(found) = find_open(connection, raised, now).await?
        {
            self.open.insert(raised.rule.clone(), found);
        }
        let carrier = self
            .open
            .entry(raised.rule.clone())
            .and_modify(|carrier| {
                carrier.alerts += 1;
                carrier.has_ends |= raised.alert.resolved;
            })
            .or_insert_with(|| Carrier::new(raised, now, false));
        let id = carrier.id;
        let most = if carrier.is_held {
            HELD_ALERTS
        } else {
            MESSAGE_ALERTS
        };
        if carrier.alerts >= most
            && let Some(mut carrier) = self.open.remove(&raised.rule)
        {
            carrier.is_sealed = true;
            self.full.push(carrier);
        }
        Ok(id)
    }

    /// Writes all messages, and the deliveries of new ones.
    pub(crate) async fn write(
        self,
        connection: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        // Full ones first: a rule can have only one open message.
        let all: Vec<Carrier> = self
            .full
            .into_iter()
            .chain(self.open.into_values())
            .collect();
        let (new, known): (Vec<Carrier>, Vec<Carrier>) =
            all.into_iter().partition(|carrier| carrier.is_new);
        update(connection, &known, now).await?;
        create(connection, &new, now).await
    }
}

impl Carrier {
    fn new(raised: &Raised, now: DateTime<Utc>, is_sealed: bool) -> Self {
        Self {
            id: raised.id,
            rule: raised.rule.clone(),
            purpose: raised.purpose,
            alerts: 1,
            has_ends: raised.alert.resolved,
            is_new: true,
            is_sealed,
            is_held: raised.held_by.is_some(),
            held_by: raised.held_by.clone(),
            closes_at: now + raised.group,
            sinks: raised.sinks.clone(),
        }
    }
}

/// The open message of the rule. If its grouping time has ended, it takes no more
/// alerts and is sealed here, unless the delivery has sealed it already.
async fn find_open(
    connection: &mut PgConnection,
    raised: &Raised,
    now: DateTime<Utc>,
) -> Result<Option<Carrier>, sqlx::Error> {
    sqlx::query!(
        "update message
         set sealed_at = $2
         where rule = $1
           and sealed_at is null
           and closes_at <= $2",
        raised.rule,
        now
    )
    .execute(&mut *connection)
    .await?;
    let found = sqlx::query!(
        "select id, alerts, has_ends, is_held, held_by, closes_at
         from message
         where rule = $1
           and sealed_at is null
         for update",
        raised.rule
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|row| Carrier {
        id: row.id,
        rule: raised.rule.clone(),
        purpose: raised.purpose,
        alerts: row.alerts,
        has_ends: row.has_ends,
        is_new: false,
        is_sealed: false,
        is_held: row.is_held,
        held_by: row.held_by,
        closes_at: row.closes_at,
        sinks: Vec::new(),
    }))
}

async fn update(
    connection: &mut PgConnection,
    carriers: &[Carrier],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for carrier in carriers {
        sqlx::query!(
            "update message
             set alerts = $2,
                 has_ends = $5,
                 sealed_at = case when $3 then $4::timestamptz end
             where id = $1",
            carrier.id,
            carrier.alerts,
            carrier.is_sealed,
            if carrier.is_held {
                carrier.closes_at
            } else {
                now
            },
            carrier.has_ends
        )
        .execute(&mut *connection)
        .await?;
    }
    let full = carriers
        .iter()
        .filter(|carrier| carrier.is_sealed && !carrier.is_held);
    let full: Vec<Uuid> = full.map(|carrier| carrier.id).collect();
    if !full.is_empty() {
        sqlx::query!(
            "update delivery
             set due_at = least(due_at, $2)
             where message_id = any($1)
               and failures = 0",
            &full,
            now
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

#[expect(clippy::too_many_lines, reason = "two SQL statements")]
async fn create(
    connection: &mut PgConnection,
    carriers: &[Carrier],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = carriers.iter().map(|carrier| carrier.id).collect();
    let rules: Vec<String> = carriers
        .iter()
        .map(|carrier| carrier.rule.clone())
        .collect();
    let purposes: Vec<String> = carriers
        .iter()
        .map(|carrier| carrier.purpose.name().to_owned())
        .collect();
    let alerts: Vec<i32> = carriers.iter().map(|carrier| carrier.alerts).collect();
    let close: Vec<DateTime<Utc>> = carriers.iter().map(|carrier| carrier.closes_at).collect();
    let sealed: Vec<bool> = carriers.iter().map(|carrier| carrier.is_sealed).collect();
    let held: Vec<bool> = carriers.iter().map(|carrier| carrier.is_held).collect();
    let held_by: Vec<Option<String>> = carriers.iter().map(|one| one.held_by.clone()).collect();
    let ends: Vec<bool> = carriers.iter().map(|carrier| carrier.has_ends).collect();
    sqlx::query!(
        "insert into message (id, rule, purpose, alerts, opened_at, closes_at, sealed_at, has_ends, is_held, held_by)
         select n.id, n.rule, n.purpose, n.alerts, $7, n.closes_at,
                case when n.is_sealed then greatest($7, case when n.is_held then n.closes_at end) end, n.has_ends, n.is_held, n.held_by
         from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::boolean[], $8::boolean[], $9::boolean[], $10::text[])
             as n (id, rule, purpose, alerts, closes_at, is_sealed, has_ends, is_held, held_by)",
        &ids,
        &rules,
        &purposes,
        &alerts,
        &close,
        &sealed,
        now,
        &ends,
        &held,
        &held_by as &[Option<String>]
    )
    .execute(&mut *connection)
    .await?;
    let duties = carriers.iter().flat_map(|carrier| {
        // A full one that is held waits for its time as well.
        let due_at = if carrier.is_sealed && !carrier.is_held {
            now
        } else {
            carrier.closes_at
        };
        let sinks = carrier.sinks.iter().cloned();
        sinks.map(move |sink| (carrier.id, sink, due_at))
    });
    let (mut messages, mut sinks, mut due) = (Vec::new(), Vec::new(), Vec::new());
    for (message, sink, due_at) in duties {
        messages.push(message);
        sinks.push(sink);
        due.push(due_at);
    }
    sqlx::query!(
        "insert into delivery (message_id, sink, due_at)
         select n.message_id, n.sink, n.due_at
         from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as n (message_id, sink, due_at)
         on conflict (message_id, sink) do nothing",
        &messages,
        &sinks,
        &due
    )
    .execute(connection)
    .await?;
    Ok(())
}
