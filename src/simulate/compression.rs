//! Compressed bodies (`Content-Encoding`).

use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use futures_util::StreamExt;
use tokio_util::io::{ReaderStream, StreamReader};

use super::server::Pieces;

/// How a body is compressed on its way. Constants instead of an enum: the linker leaves out
/// the encoders that a program does not name, and that of zstd alone has half a megabyte.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    /// As in `Content-Encoding`.
    pub(super) name: &'static str,
    pub(super) pack: fn(Pieces) -> Pieces,
}

impl Compression {
    /// `Content-Encoding: gzip`.
    pub const GZIP: Self = Self {
        name: "gzip",
        pack: |pieces| ReaderStream::new(GzipEncoder::new(StreamReader::new(pieces))).boxed(),
    };
    /// `Content-Encoding: zstd`.
    pub const ZSTD: Self = Self {
        name: "zstd",
        pack: |pieces| ReaderStream::new(ZstdEncoder::new(StreamReader::new(pieces))).boxed(),
    };
}
