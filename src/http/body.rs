//! Response bodies: streaming decompression with a size limit and a read timeout.

use std::io;
use std::time::{Duration, Instant};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, BufReader};
use tokio::time::timeout;
use tokio_util::io::StreamReader;

use super::error::ClientError;
use super::json_values::{JsonValues, MOST_VALUES};
use super::usage::Meter;
use crate::model::outgoing_within;

/// Size of the chunks: large enough to be efficient, small enough to need little memory.
const CHUNK_BYTES: usize = 64 * 1024;
/// Maximum Zstandard window: 8 MiB, as in browsers; a larger one would only cost memory.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Number of leading bytes that identify the compression of a file.
const MAGIC_BYTES: usize = 4;
/// Maximum length of the name of an encoding in an error, in characters.
const MAX_ENCODING_CHARS: usize = 60;

/// A body being received: decompressed in chunks, counted after decompression, and
/// stopped at the limit. Memory use does not depend on its size.
pub struct Body {
    url: String,
    encoding: String,
    /// Data that was read ahead and not yet returned.
    ahead: BytesMut,
    source: Box<dyn AsyncRead + Send + Unpin>,
    limit_bytes: u64,
    read_bytes: u64,
    silence: Duration,
    total: Duration,
    /// Time that was spent waiting for data.
    waited: Duration,
    /// Counts the values of JSON.
    values: Option<JsonValues>,
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

impl Body {
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
            source,
            limit_bytes,
            read_bytes: 0,
            silence,
            total,
            waited: Duration::ZERO,
            values: None,
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
        let encoding = match &start[..] {
            [0x1f, 0x8b, ..] => "gzip",
            [0x28, 0xb5, 0x2f, 0xfd] => "zstd",
            _ => "identity",
        };
        let whole = std::io::Cursor::new(start).chain(reader);
        let source = decoder(encoding, whole).unwrap_or_else(|| Box::new(tokio::io::empty()));
        let body = Self {
            url,
            encoding: encoding.to_owned(),
            ahead: BytesMut::new(),
            source,
            limit_bytes,
            read_bytes: 0,
            silence,
            total,
            waited: Duration::ZERO,
            values: None,
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
        Ok(self.read().await?.then(|| self.ahead.split().freeze()))
    }

    /// The whole body, if it is at most `limit_bytes` long.
    ///
    /// # Errors
    /// Same as [`Body::chunk`].
    pub async fn bytes(&mut self, limit_bytes: u64) -> Result<Bytes, ClientError> {
        self.read_whole(limit_bytes, Duration::MAX).await?;
        Ok(self.ahead.split().freeze())
    }

    /// Reads ahead until `length` bytes are buffered or the body ends; returns the buffer.
    pub(super) async fn peek(&mut self, length: usize) -> Result<&[u8], ClientError> {
        while self.ahead.len() < length && self.read().await? {}
        Ok(&self.ahead)
    }

    /// Counts the values of a JSON body from here on, and limits their number.
    pub(super) fn count_values(&mut self) -> Result<(), ClientError> {
        let mut values = JsonValues::default();
        let is_within = values.add(&self.ahead);
        self.values = Some(values);
        self.check_values(is_within)
    }

    fn check_values(&self, is_within: bool) -> Result<(), ClientError> {
        if is_within {
            return Ok(());
        }
        Err(ClientError::TooManyValues {
            url: self.url.clone(),
            limit: MOST_VALUES,
        })
    }

    /// Reads the whole body into the buffer, within `total` if that is shorter.
    pub(super) async fn read_whole(
        &mut self,
        limit_bytes: u64,
        total: Duration,
    ) -> Result<(), ClientError> {
        self.total = self.total.min(total);
        self.limit_bytes = self.limit_bytes.min(limit_bytes);
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
            return Err(ClientError::TooLarge {
                url: self.url.clone(),
                limit_bytes: self.limit_bytes,
            });
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
/// Same as [`Body::chunk`].
pub async fn saved<R>(name: &str, reader: R, limit_bytes: u64) -> Result<Body, ClientError>
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
    Body::saved(reader, frame).await
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Body")
            .field("url", &self.url)
            .field("encoding", &self.encoding)
            .field("read_bytes", &self.read_bytes)
            .finish_non_exhaustive()
    }
}

/// The `Content-Encoding` of the response, in lower case; `identity` if there is none.
fn encoding(response: &reqwest::Response) -> String {
    let names: Vec<String> = response
        .headers()
        .get_all(reqwest::header::CONTENT_ENCODING)
        .iter()
        .map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase()
        })
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    if names.is_empty() {
        return "identity".into();
    }
    outgoing_within(&names.join(", "), MAX_ENCODING_CHARS)
}

/// A gzip body may have several members (RFC 1952); all of them are read.
fn decoder<R>(encoding: &str, reader: R) -> Option<Box<dyn AsyncRead + Send + Unpin>>
where
    R: AsyncBufRead + Send + Unpin + 'static,
{
    match encoding {
        "identity" => Some(Box::new(reader)),
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(reader);
            decoder.multiple_members(true);
            Some(Box::new(decoder))
        }
        "br" => Some(Box::new(BrotliDecoder::new(reader))),
        "zstd" => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
            let mut decoder = ZstdDecoder::with_params(reader, &[window]);
            decoder.multiple_members(true);
            Some(Box::new(decoder))
        }
        _ => None,
    }
}
