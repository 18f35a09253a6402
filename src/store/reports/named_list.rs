//! The names of watch lists.

use sqlx::PgConnection;

/// A watch list with a name.
#[derive(Debug, Clone)]
pub struct NamedList {
    /// Its id upstream.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// The watch lists that have a name.
pub async fn named_lists(connection: &mut PgConnection) -> Result<Vec<NamedList>, sqlx::Error> {
    sqlx::query_as!(
        NamedList,
        r#"select watch_list_id as "id!", name as "name!"
           from advisoryd.source
           where watch_list_id is not null
             and name is not null
           order by configured desc, watch_list_id"#
    )
    .fetch_all(connection)
    .await
}

/// A watch list that is followed, or was.
#[derive(Debug, Clone)]
pub struct KnownList {
    /// Its id upstream.
    pub id: i64,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether it is followed.
    pub followed: bool,
}

/// All watch lists that are or were followed, those that are first.
pub async fn known_lists(connection: &mut PgConnection) -> Result<Vec<KnownList>, sqlx::Error> {
    sqlx::query_as!(
        KnownList,
        r#"select watch_list_id as "id!", name, configured as followed
           from advisoryd.source
           where watch_list_id is not null
           order by configured desc, watch_list_id"#
    )
    .fetch_all(connection)
    .await
}

/// Whether a ticket is of this watch list: upstream has tickets of lists that are not followed.
pub async fn is_of_tickets(connection: &mut PgConnection, id: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from advisoryd.ticket where watch_list_id = $1) as "is_of_tickets!""#,
        id
    )
    .fetch_one(connection)
    .await
}
