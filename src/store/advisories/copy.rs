//! Encoder for PostgreSQL's binary COPY format, for the types that we need.
//! Source: PostgreSQL documentation, COPY, "Binary Format".

use std::ops::DerefMut;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::postgres::PgCopyIn;

use super::cell::{Bytes, Cell, JsonRow};

/// Rows for one `COPY … FROM STDIN (FORMAT binary)`.
pub(crate) struct CopyRows {
    bytes: Vec<u8>,
}

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// PostgreSQL counts microseconds from 2000-01-01; Unix from 1970-01-01.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
const TEXT_OID: i32 = 25;
/// Chunk size, the same as psql's.
const PIECE_BYTES: usize = 64 * 1024;

impl CopyRows {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut rows = Self {
            bytes: Vec::with_capacity(bytes + 64),
        };
        rows.bytes.extend_from_slice(SIGNATURE);
        rows
    }

    pub(crate) fn row(&mut self, fields: i16) {
        self.bytes.extend_from_slice(&fields.to_be_bytes());
    }

    /// A whole row, in the order of its columns.
    pub(crate) fn put(&mut self, row: JsonRow<'_>) -> Result<(), sqlx::Error> {
        let JsonRow(columns) = row;
        // No table has more columns than fit into an `i16`.
        self.row(i16::try_from(columns.len()).unwrap_or(i16::MAX));
        for (_, cell) in columns {
            match cell {
                Cell::Text(value) => self.text(value),
                Cell::TextArray(values) => self.text_array(values),
                Cell::Bool(value) => self.bool(value),
                Cell::Int4(value) => self.int4(value),
                Cell::Int8(value) => self.int8(value),
                Cell::Float8(value) => self.float8(value),
                Cell::Timestamptz(value) => self.timestamptz(value),
                Cell::Bytea(value) => self.optional(value, |rows, Bytes(value)| rows.raw(&value)),
                Cell::Jsonb(None) => self.null(),
                Cell::Jsonb(Some(value)) => self.jsonb(&value)?,
            }
        }
        Ok(())
    }

    /// Sends all rows and the trailer in chunks: sqlx would copy one large buffer
    /// whole.
    pub(crate) async fn send<C: DerefMut<Target = PgConnection>>(
        mut self,
        copy: &mut PgCopyIn<C>,
    ) -> Result<(), sqlx::Error> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        for piece in self.bytes.chunks(PIECE_BYTES) {
            copy.send(piece).await?;
        }
        Ok(())
    }

    fn null(&mut self) {
        self.length(-1);
    }

    pub(crate) fn raw(&mut self, value: &[u8]) {
        // A field is limited by the record limit, far below 2 GiB.
        self.length(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, value: Option<&str>) {
        self.optional(value, |rows, value| rows.raw(value.as_bytes()));
    }

    fn jsonb(&mut self, value: &impl Serialize) -> Result<(), sqlx::Error> {
        const VERSION: u8 = 1;
        let length_at = self.bytes.len();
        self.length(0);
        self.bytes.push(VERSION);
        serde_json::to_writer(&mut self.bytes, value)
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        self.set_length(length_at);
        Ok(())
    }

    pub(crate) fn bool(&mut self, value: Option<bool>) {
        self.optional(value, |rows, value| rows.raw(&[u8::from(value)]));
    }

    pub(crate) fn int4(&mut self, value: Option<i32>) {
        self.optional(value, |rows, value| rows.raw(&value.to_be_bytes()));
    }

    pub(crate) fn int8(&mut self, value: Option<i64>) {
        self.optional(value, |rows, value| rows.raw(&value.to_be_bytes()));
    }

    fn float8(&mut self, value: Option<f64>) {
        self.optional(value, |rows, value| rows.raw(&value.to_be_bytes()));
    }

    pub(crate) fn timestamptz(&mut self, value: Option<DateTime<Utc>>) {
        self.optional(value, |rows, value| {
            let micros = value.timestamp_micros() - POSTGRES_EPOCH_MICROS;
            rows.raw(&micros.to_be_bytes());
        });
    }

    fn text_array(&mut self, values: &[String]) {
        let length_at = self.bytes.len();
        self.length(0);
        let dimensions = i32::from(!values.is_empty());
        self.length(dimensions);
        self.length(0); // no element is null
        self.length(TEXT_OID);
        if !values.is_empty() {
            self.length(i32::try_from(values.len()).unwrap_or(i32::MAX));
            self.length(1); // lower bound
        }
        for value in values {
            self.raw(value.as_bytes());
        }
        self.set_length(length_at);
    }

    /// Writes the length of the data after `length_at` into the four bytes there.
    fn set_length(&mut self, length_at: usize) {
        let length = i32::try_from(self.bytes.len() - length_at - 4).unwrap_or(i32::MAX);
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn length(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }
}
