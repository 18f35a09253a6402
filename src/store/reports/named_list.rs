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
