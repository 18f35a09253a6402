//! Response bodies: streaming decompression with a size limit and a read timeout.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use super::decoder::{decoder, encoding, packed};
use super::error::ClientError;
use super::json_rows::{PageRows, RowHashes, TooMuch};
use super::json_values::{JsonValues, MOST_VALUES};
use super::usage::Meter;

/// Size of the chunks: large enough to be efficient, small enough to need little memory.
const CHUNK_BYTES: usize = 64 * 1024;
/// Number of leading bytes that identify the compression of a file.
const MAGIC_BYTES: usize = 4;
/// Maximum size of a page of JSON as it is received, in bytes: rows that are too large are read
/// to their end.
const MAX_PAGE_BYTES: u64 = 512 << 20;
/// How much is kept of JSON that is too large, in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// A body being received: decompressed in chunks, counted after decompression, and
/// stopped at the limit. Memory use does not depend on its size.
pub struct ResponseBody {
    url: String,
    encoding: String,
    /// Data that was read ahead and not yet returned.
    ahead: BytesMut,
    /// Why there is no more than that, if its beginning is all that came.
    failed: Option<ClientError>,
    source: Box<dyn AsyncRead + Send + Unpin>,
    limit_bytes: u64,
    read_bytes: u64,
    silence: Duration,
    total: Duration,
    /// Time that was spent waiting for data.
    waited: Duration,
    /// Counts the values of JSON.
    values: Option<JsonValues>,
    /// A page of JSON of which a part was read, and what was read ahead of its next part.
    page: Option<Box<(PageRows, BytesMut)>>,
    meter: Meter,
}

/// Settings of a body.
pub(super) struct BodyLimits {
    /// For error messages.
    pub(super) url: String,
    /// Maximum size in bytes, after decompression.
    pub(super) limit_bytes: u64,
    /// The read timeout, for error messages.
    pub(super) silence: Duration,
    /// Longest time that is spent waiting for data, in total. Time in which nobody reads
    /// does not count.
    pub(super) total: Duration,
    pub(super) meter: Meter,
}

impl ResponseBody {
    pub(super) fn new(response: reqwest::Response, frame: BodyLimits) -> Result<Self, ClientError> {
        let BodyLimits {
            url,
            limit_bytes,
            silence,
            total,
            meter,
        } = frame;
        let encoding = encoding(&response);
        let count = meter.clone();
        let stream = response
            .bytes_stream()
            .inspect_ok(move |chunk| count.wire_bytes(chunk.len()))
            .map_err(io::Error::other);
        let Some(source) = decoder(&encoding, StreamReader::new(Box::pin(stream))) else {
            return Err(ClientError::UnknownEncoding { url, encoding });
        };
        Ok(Self {
            url,
            encoding,
            ahead: BytesMut::new(),
            failed: None,
            source,
            limit_bytes,
            read_bytes: 0,
            silence,
            total,
            waited: Duration::ZERO,
            values: None,
            page: None,
            meter,
        })
    }

    /// The body of a published file. The file itself may be compressed, whatever the
    /// response says.
    pub(super) async fn of_file(
        response: reqwest::Response,
        frame: BodyLimits,
    ) -> Result<Self, ClientError> {
        let encoding = encoding(&response);
        let stream = response.bytes_stream().map_err(io::Error::other);
        match decoder(&encoding, StreamReader::new(Box::pin(stream))) {
            Some(source) => Self::saved(source, frame).await,
            None => Err(ClientError::UnknownEncoding {
                url: frame.url,
                encoding,
            }),
        }
    }

    /// A saved body: the compression is detected from its first bytes.
    pub(super) async fn saved<R>(reader: R, frame: BodyLimits) -> Result<Self, ClientError>
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let BodyLimits {
            url,
            limit_bytes,
            silence,
            total,
            meter,
        } = frame;
        let mut reader = BufReader::new(reader);
        let mut start = Vec::with_capacity(MAGIC_BYTES);
        let mut first = (&mut reader).take(MAGIC_BYTES as u64);
        let read = first.read_to_end(&mut start).await;
        let encoding = packed(&start);
        let whole = std::io::Cursor::new(start).chain(reader);
        let source = decoder(encoding, whole).unwrap_or_else(|| Box::new(tokio::io::empty()));
        let body = Self {
            url,
            encoding: encoding.to_owned(),
            ahead: BytesMut::new(),
            failed: None,
            source,
            limit_bytes,
            read_bytes: 0,
            silence,
            total,
            waited: Duration::ZERO,
            values: None,
            page: None,
            meter,
        };
        match read {
            Ok(_) => Ok(body),
            Err(error) => Err(body.broken(error)),
        }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// [`ClientError`]: timeout, broken connection, size limit exceeded, or decompression failed.
    /// After an error there are no more chunks.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        if !self.ahead.is_empty() {
            return Ok(Some(self.ahead.split().freeze()));
        }
        self.check_beginning()?;
        Ok(self.read().await?.then(|| self.ahead.split().freeze()))
    }

    /// The whole body, if it is at most `limit_bytes` long, or the part of it that was read.
    ///
    /// # Errors
    /// Same as [`ResponseBody::chunk`].
    pub async fn bytes(&mut self, limit_bytes: u64) -> Result<Bytes, ClientError> {
        if self.page.is_none() {
            self.read_whole(limit_bytes, Duration::MAX).await?;
        }
        Ok(self.ahead.split().freeze())
    }

    /// Reads ahead until `length` bytes are buffered or the body ends; returns the buffer. If
    /// the body breaks before, what came of it can be used: the error is that of a later read.
    pub(super) async fn peek(&mut self, length: usize) -> Result<&[u8], ClientError> {
        while self.ahead.len() < length && self.failed.is_none() {
            match self.read().await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if self.ahead.is_empty() => return Err(error),
                Err(error) => self.failed = Some(error),
            }
        }
        Ok(&self.ahead)
    }

    /// Decompresses a body that is compressed although no header says so, from its beginning.
    pub(super) fn unpack(&mut self) {
        let name = packed(&self.ahead);
        if self.encoding != "identity" || name == "identity" || self.failed.is_some() {
            return;
        }
        let begun = std::io::Cursor::new(self.ahead.split().freeze());
        let rest = std::mem::replace(&mut self.source, Box::new(tokio::io::empty()));
        if let Some(source) = decoder(name, BufReader::new(begun.chain(rest))) {
            (self.source, self.read_bytes) = (source, 0);
            name.clone_into(&mut self.encoding);
        }
    }

    fn check_beginning(&mut self) -> Result<(), ClientError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Counts the values of a JSON body from here on, and limits their number.
    pub(super) fn count_values(&mut self) -> Result<(), ClientError> {
        let mut values = JsonValues::default();
        let is_within = values.add(&self.ahead);
        self.values = Some(values);
        self.check_values(is_within)
    }

    fn check_values(&self, is_within: bool) -> Result<(), ClientError> {
        (is_within.then_some(())).ok_or_else(|| self.too_many_values())
    }

    fn too_many_values(&self) -> ClientError {
        ClientError::TooManyValues {
            url: self.url.clone(),
            limit: MOST_VALUES,
            head: self.head(),
        }
    }

    fn too_large(&self) -> ClientError {
        ClientError::TooLarge {
            url: self.url.clone(),
            limit_bytes: self.limit_bytes,
            head: self.head(),
        }
    }

    /// The beginning of a body of JSON that is read as a whole.
    fn head(&self) -> Vec<u8> {
        let length = if self.values.is_some() { HEAD_BYTES } else { 0 };
        self.ahead[..self.ahead.len().min(length)].to_vec()
    }

    /// Reads a page of JSON into the buffer, or the first part of it.
    pub(super) async fn read_page(
        &mut self,
        page: PageRows,
        total: Duration,
    ) -> Result<RowHashes, ClientError> {
        self.total = self.total.min(total);
        self.limit_bytes = self.limit_bytes.min(MAX_PAGE_BYTES);
        self.check_beginning()?;
        self.read_part(page).await
    }

    /// Reads the next part of a page, if there is one.
    pub(super) async fn next_part(&mut self) -> Result<RowHashes, ClientError> {
        let Some((page, ahead)) = self.page.take().map(|page| *page) else {
            return Ok(RowHashes::default());
        };
        self.ahead = ahead;
        self.read_part(page).await
    }

    async fn read_part(&mut self, mut page: PageRows) -> Result<RowHashes, ClientError> {
        loop {
            let mut piece = self.ahead.split();
            let taken = match page.add(&piece) {
                Ok(taken) => taken,
                Err(TooMuch::Bytes) => {
                    self.limit_bytes = page.most_bytes();
                    return Err(self.too_large());
                }
                Err(TooMuch::Values) => return Err(self.too_many_values()),
            };
            if let Some((text, rows)) = page.part() {
                self.ahead = text;
                self.page = Some(Box::new((page, piece.split_off(taken))));
                return Ok(rows);
            }
            drop(piece);
            if !self.read().await? {
                break;
            }
        }
        let rows = page.end();
        self.read_bytes = page.text.len() as u64;
        self.limit_bytes = u64::MAX;
        self.ahead = page.text;
        Ok(rows)
    }

    /// Reads the whole body into the buffer, within `total` if that is shorter.
    pub(super) async fn read_whole(
        &mut self,
        limit_bytes: u64,
        total: Duration,
    ) -> Result<(), ClientError> {
        self.total = self.total.min(total);
        self.limit_bytes = self.limit_bytes.min(limit_bytes);
        self.check_beginning()?;
        self.check_limit()?;
        while self.read().await? {}
        Ok(())
    }

    /// Reads one more chunk; returns whether there was one.
    async fn read(&mut self) -> Result<bool, ClientError> {
        self.ahead.reserve(CHUNK_BYTES);
        let left = self.total.saturating_sub(self.waited);
        let began = Instant::now();
        let read = timeout(left, self.source.read_buf(&mut self.ahead)).await;
        self.waited += began.elapsed();
        let length = match read {
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return Err(self.broken(error)),
            Err(_) => return Err(self.too_slow()),
        };
        self.read_bytes += length as u64;
        self.meter.bytes(length);
        self.check_limit()?;
        let new = &self.ahead[self.ahead.len() - length..];
        let values = self.values.as_mut();
        let is_within = values.is_none_or(|values| values.add(new));
        self.check_values(is_within)?;
        Ok(length > 0)
    }

    fn too_slow(&self) -> ClientError {
        ClientError::TooSlow {
            url: self.url.clone(),
            limit: self.total,
            received_bytes: self.read_bytes,
        }
    }

    fn check_limit(&self) -> Result<(), ClientError> {
        if self.read_bytes > self.limit_bytes {
            return Err(self.too_large());
        }
        Ok(())
    }

    fn broken(&self, source: io::Error) -> ClientError {
        let url = self.url.clone();
        let received_bytes = self.read_bytes;
        let network = source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<reqwest::Error>());
        match network {
            Some(error) if error.is_timeout() => ClientError::Timeout {
                url,
                silence: self.silence,
            },
            None if source.kind() != io::ErrorKind::UnexpectedEof => ClientError::Undecodable {
                url,
                encoding: self.encoding.clone(),
                received_bytes,
                source,
            },
            _ => ClientError::CutShort {
                url,
                received_bytes,
                source,
            },
        }
    }
}

/// A saved document, plain or compressed, of at most `limit_bytes`.
///
/// # Errors
/// Same as [`ResponseBody::chunk`].
pub async fn saved<R>(name: &str, reader: R, limit_bytes: u64) -> Result<ResponseBody, ClientError>
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let frame = BodyLimits {
        url: name.to_owned(),
        limit_bytes,
        silence: Duration::ZERO,
        total: Duration::MAX,
        meter: Meter::default(),
    };
    ResponseBody::saved(reader, frame).await
}

impl std::fmt::Debug for ResponseBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Body")
            .field("url", &self.url)
            .field("encoding", &self.encoding)
            .field("read_bytes", &self.read_bytes)
            .finish_non_exhaustive()
    }
}
