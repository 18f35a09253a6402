//! Decompression of response bodies by their `Content-Encoding`.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use tokio::io::{AsyncBufRead, AsyncRead};

use crate::model::outgoing_within;

/// Maximum Zstandard window: 8 MiB, as in browsers; a larger one would only cost memory.
const ZSTD_WINDOW_LOG: u32 = 23;
/// Maximum length of the name of an encoding in an error, in characters.
const MAX_ENCODING_CHARS: usize = 60;

/// The `Content-Encoding` of the response, in lower case; `identity` if there is none.
pub(super) fn encoding(response: &reqwest::Response) -> String {
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
pub(super) fn decoder<R>(encoding: &str, reader: R) -> Option<Box<dyn AsyncRead + Send + Unpin>>
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

/// The compression of a body, by its first bytes.
pub(super) fn packed(start: &[u8]) -> &'static str {
    match start {
        [0x1f, 0x8b, ..] => "gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        _ => "identity",
    }
}
