//! How many records a source may have that are in no version, so that an upstream which
//! sends other unreadable records at each pull does not fill the disk.

use sqlx::PgConnection;

/// Maximum number of quarantined records of a source.
pub(crate) const MAX_QUARANTINED: i64 = 10_000;
/// Maximum size of their raw texts, in bytes.
pub(crate) const MAX_QUARANTINED_BYTES: i64 = 1 << 30;
/// Maximum number of replaced records of a source.
pub(crate) const MAX_REPLACED: i64 = 100_000;
/// Maximum size of their raw texts, in bytes.
pub(crate) const MAX_REPLACED_BYTES: i64 = 4 << 30;

/// What a source may still keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    records: i64,
    bytes: i64,
}

impl Room {
    /// Room for quarantined records. There is none while there are too many replaced ones:
    /// each quarantined record may become one.
    pub(crate) async fn of(
        connection: &mut PgConnection,
        source_id: i32,
    ) -> Result<Self, sqlx::Error> {
        if Self::of_replaced(connection, source_id).await?.is_full() {
            return Ok(Self {
                records: 0,
                bytes: 0,
            });
        }
        let kept = sqlx::query!(
            r#"select count(*) as "records!", coalesce(sum(octet_length(raw)), 0)::bigint as "bytes!"
               from quarantine
               where source_id = $1"#,
            source_id
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            records: MAX_QUARANTINED - kept.records,
            bytes: MAX_QUARANTINED_BYTES - kept.bytes,
        })
    }

    /// Room for replaced records.
    pub(crate) async fn of_replaced(
        connection: &mut PgConnection,
        source_id: i32,
    ) -> Result<Self, sqlx::Error> {
        let kept = sqlx::query!(
            r#"select count(*) as "records!", coalesce(sum(octet_length(raw)), 0)::bigint as "bytes!"
               from replaced_record
               where source_id = $1"#,
            source_id
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            records: MAX_REPLACED - kept.records,
            bytes: MAX_REPLACED_BYTES - kept.bytes,
        })
    }

    pub(crate) fn is_full(self) -> bool {
        self.records <= 0 || self.bytes <= 0
    }

    /// Whether there is room for a record, which is then taken. The last one may exceed the
    /// size.
    pub(crate) fn take(&mut self, raw: &str) -> bool {
        if self.is_full() {
            return false;
        }
        self.records -= 1;
        self.bytes -= i64::try_from(raw.len()).unwrap_or(i64::MAX);
        true
    }
}

/// Whether a source has no room for records of this run, so that it may not be complete:
/// there are too many replaced records, or there is none left in quarantine and fewer are
/// kept than the run received.
pub(crate) async fn lacked(
    connection: &mut PgConnection,
    (source_id, run_id): (i32, i64),
    received: u64,
) -> Result<bool, sqlx::Error> {
    if Room::of_replaced(connection, source_id).await?.is_full() {
        return Ok(true);
    }
    if received == 0 || !Room::of(connection, source_id).await?.is_full() {
        return Ok(false);
    }
    let kept = sqlx::query_scalar!(
        r#"select count(*) as "count!" from quarantine where source_id = $1 and last_run_id = $2"#,
        source_id,
        run_id
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(kept).unwrap_or(0) < received)
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn what_comes_first_is_kept() {
        let mut room = Room {
            records: 2,
            bytes: 10,
        };
        assert!(room.take("12345") && room.take("12345") && !room.take(""));
        let mut room = Room {
            records: 5,
            bytes: 5,
        };
        assert!(room.take("1234") && room.take("12") && !room.take("1"));
    }
}
