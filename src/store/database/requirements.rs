//! What advisoryd needs of a PostgreSQL server, for `advisoryd check`.

use sqlx::PgConnection;

/// The oldest version that is supported.
const OLDEST: i32 = 140_000;

/// Something that the server or the role lacks; its text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Requirement {
    /// The server is too old.
    #[error("the server is PostgreSQL {found}; expected version 14 or later: upgrade it")]
    Version {
        /// Its version.
        found: String,
    },
    /// The database cannot store every character.
    #[error(
        "the encoding of the database is {found}; expected UTF8: create it with `createdb --encoding UTF8 --template template0`"
    )]
    Encoding {
        /// Its encoding.
        found: String,
    },
    /// The role may not create the schemas.
    #[error(
        "role `{role}` may not create schemas in database `{database}`; as a superuser or the owner: grant create on database {database} to {role}"
    )]
    Create {
        /// The role.
        role: String,
        /// The database.
        database: String,
    },
    /// The schema belongs to a role that this one is no member of.
    #[error(
        "schema `{schema}` belongs to role `{owner}`, and migrations need its owner; as a superuser: alter schema {schema} owner to {role}, and the same for its tables, or connect as `{owner}`"
    )]
    Owner {
        /// The schema.
        schema: String,
        /// Its owner.
        owner: String,
        /// The role.
        role: String,
    },
    /// There is no role for readers.
    #[error(
        "role `advisoryd_reader` does not exist, as `{role}` may not create roles; it is needed only for others to read the views. As a superuser, in this database: create role advisoryd_reader nologin; grant usage on schema advisoryd_v1 to advisoryd_reader; grant select on all tables in schema advisoryd_v1 to advisoryd_reader; alter default privileges for role {role} in schema advisoryd_v1 grant select on tables to advisoryd_reader;"
    )]
    Reader {
        /// The role.
        role: String,
    },
}

impl Requirement {
    /// Whether advisoryd works without it.
    pub fn is_optional(&self) -> bool {
        matches!(self, Self::Reader { .. })
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    version: i32,
    version_text: String,
    encoding: String,
    role: String,
    database: String,
    may_create: bool,
    has_schema: bool,
    foreign_schema: Option<String>,
    foreign_owner: Option<String>,
    has_reader: bool,
}

/// What is missing. The role for readers is created by migrations if it can be, so that it
/// is missed only in a database that has the schema.
pub async fn requirements(connection: &mut PgConnection) -> Result<Vec<Requirement>, sqlx::Error> {
    let Found {
        version,
        version_text,
        encoding,
        role,
        database,
        may_create,
        has_schema,
        foreign_schema,
        foreign_owner,
        has_reader,
    } = found(connection).await?;
    let mut missing = Vec::new();
    if version < OLDEST {
        missing.push(Requirement::Version {
            found: version_text,
        });
    }
    if encoding != "UTF8" {
        missing.push(Requirement::Encoding { found: encoding });
    }
    if !has_schema && !may_create {
        missing.push(Requirement::Create {
            role: role.clone(),
            database,
        });
    }
    if let (Some(schema), Some(owner)) = (foreign_schema, foreign_owner) {
        missing.push(Requirement::Owner {
            schema,
            owner,
            role: role.clone(),
        });
    }
    if has_schema && !has_reader {
        missing.push(Requirement::Reader { role });
    }
    Ok(missing)
}

async fn found(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    sqlx::query_as(
        "select current_setting('server_version_num')::int as version,
                current_setting('server_version') as version_text,
                current_setting('server_encoding') as encoding,
                quote_ident(current_user) as role,
                quote_ident(current_database()) as database,
                has_database_privilege(current_database(), 'create') as may_create,
                to_regnamespace('advisoryd_v1') is not null as has_schema,
                other.nspname::text as foreign_schema,
                other.owner as foreign_owner,
                exists (select from pg_roles where rolname = 'advisoryd_reader') as has_reader
         from (select) as one
         left join lateral (
             select n.nspname, pg_get_userbyid(n.nspowner)::text as owner
             from pg_namespace n
             where n.nspname in ('advisoryd', 'advisoryd_v1')
               and not pg_has_role(n.nspowner, 'usage')
             order by n.nspname
             limit 1) as other on true",
    )
    .fetch_one(connection)
    .await
}

/// How many connections this role may have in this database, whatever others use.
pub async fn max_connections(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select least(
             current_setting('max_connections')::bigint
                 - current_setting('superuser_reserved_connections')::bigint
                 - coalesce(current_setting('reserved_connections', true)::bigint, 0),
             (select nullif(datconnlimit, -1) from pg_database where datname = current_database()),
             (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user))",
    )
    .fetch_one(connection)
    .await
}

/// Whether a role that may read the views, and is neither this one nor a superuser, may take
/// advisory locks. Everybody may by default.
pub async fn readers_take_advisory_locks(
    connection: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (
             select from pg_auth_members m
             join pg_roles reader on reader.oid = m.roleid
             join pg_roles member on member.oid = m.member
             join pg_proc p on p.pronamespace = 'pg_catalog'::regnamespace
                           and p.proname ~ '^pg_(try_)?advisory_(xact_)?lock'
             where reader.rolname = 'advisoryd_reader'
               and member.rolname <> current_user
               and not member.rolsuper
               and has_function_privilege(member.oid, p.oid, 'execute'))",
    )
    .fetch_one(connection)
    .await
}

/// Why the server refuses `LISTEN`; `None` if it does not.
pub async fn refuses_listen(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let listening = "listen advisoryd_check; unlisten advisoryd_check";
    match sqlx::raw_sql(listening).execute(connection).await {
        Ok(_) => Ok(None),
        Err(sqlx::Error::Database(error)) => Ok(Some(error.message().to_owned())),
        Err(error) => Err(error),
    }
}
