//! What runs stored of advisories that was repaired or could not be read.

use sqlx::PgConnection;

use crate::model::Advisory;

/// Keys of `unrecognised`, and how many advisories have each.
#[derive(Debug, Clone, Copy)]
pub struct Count<'a> {
    /// The field, or the path in the record.
    pub name: &'a str,
    /// Number of advisories.
    pub advisories: i64,
}

/// What the current versions that these runs brought hold in `unrecognised`.
#[derive(Debug, Default)]
pub struct UnrecognisedValues(Vec<(String, i64)>);

impl UnrecognisedValues {
    /// Number of advisories whose records were repaired.
    pub fn repaired(&self) -> i64 {
        let mut all = self.0.iter();
        all.find(|(name, _)| name == Advisory::REPAIRED)
            .map_or(0, |(_, count)| *count)
    }

    /// Values of fields that could not be read.
    pub fn values(&self) -> impl Iterator<Item = Count<'_>> {
        self.counts()
            .filter(|one| !one.name.contains('/') && one.name != Advisory::REPAIRED)
    }

    /// Fields that no column is read from and nothing documents.
    pub fn unknown_fields(&self) -> impl Iterator<Item = Count<'_>> {
        self.counts().filter(|one| Advisory::is_unknown(one.name))
    }

    fn counts(&self) -> impl Iterator<Item = Count<'_>> {
        let counts = self.0.iter();
        counts.map(|(name, advisories)| Count {
            name,
            advisories: *advisories,
        })
    }
}

/// What these runs brought.
pub async fn unread(
    connection: &mut PgConnection,
    runs: &[i64],
) -> Result<UnrecognisedValues, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select k.name as "name!", count(*) as "advisories!"
           from advisory a
           cross join lateral jsonb_object_keys(a.unrecognised) as k (name)
           where a.run_id = any($1)
             and jsonb_typeof(a.unrecognised) = 'object'
           group by k.name
           order by k.name"#,
        runs
    )
    .fetch_all(connection)
    .await?;
    let counts = rows.into_iter().map(|row| (row.name, row.advisories));
    Ok(UnrecognisedValues(counts.collect()))
}
