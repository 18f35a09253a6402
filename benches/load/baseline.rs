//! What the machine could do at best: PostgreSQL's own COPY of the very rows,
//! and the tokenizer alone over the very bytes.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use quick_xml::events::Event;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Result;
use crate::place::{Database, Place};

/// Every table that a first load fills row by row.
const TABLES: [&str; 3] = ["advisory", "sighting", "change"];
/// As large as the pieces that psql sends.
const PIECE_BYTES: usize = 64 * 1024;

/// How long it takes to COPY the stored rows into the same tables, emptied,
/// with the same indexes, in one transaction.
pub async fn copy(place: &Place, database: &Database) -> Result<Duration> {
    let name = format!("{}_copy", database.name);
    let empty = place.database(&name).await?;
    let mut from = connect(database).await?;
    for table in TABLES {
        let mut file = File::create(place.file(table))?;
        let statement = format!("copy {table} to stdout (format binary)");
        let mut rows = from.copy_out_raw(&statement).await?;
        while let Some(piece) = rows.try_next().await? {
            file.write_all(&piece)?;
        }
    }
    from.close().await?;
    place.admin("checkpoint").await?;

    let mut into = connect(&empty).await?;
    let begun = Instant::now();
    sqlx::query("begin").execute(&mut into).await?;
    for table in TABLES {
        copy_in(&mut into, table, &place.file(table)).await?;
    }
    sqlx::query("commit").execute(&mut into).await?;
    let took = begun.elapsed();
    into.close().await?;
    place.drop(empty).await?;
    Ok(took)
}

async fn copy_in(into: &mut PgConnection, table: &str, file: &Path) -> Result<()> {
    use std::io::Read as _;
    let statement = format!("copy {table} from stdin (format binary)");
    let mut copy = into.copy_in_raw(&statement).await?;
    let mut file = File::open(file)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        copy.send(&piece[..length]).await?;
    }
    copy.finish().await?;
    Ok(())
}

async fn connect(database: &Database) -> Result<PgConnection> {
    let pool = advisoryd::store::database::pool(database.options.clone(), 1);
    let mut connection = advisoryd::store::database::connect(&pool).await?;
    sqlx::query(AssertSqlSafe(
        "set client_min_messages = warning".to_owned(),
    ))
    .execute(&mut connection)
    .await?;
    Ok(connection)
}

/// How long quick-xml takes to tokenize the document as a stream.
pub fn tokenize(document: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let mut reader = quick_xml::Reader::from_reader(BufReader::with_capacity(
        PIECE_BYTES,
        File::open(document)?,
    ));
    let (mut buffer, mut events) = (Vec::new(), 0_u64);
    loop {
        match reader.read_event_into(&mut buffer)? {
            Event::Eof => break,
            _ => events += 1,
        }
        buffer.clear();
    }
    std::hint::black_box(events);
    Ok(begun.elapsed())
}
