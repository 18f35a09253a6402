//! Faults in the content of feed documents.

use async_compression::tokio::write::GzipEncoder;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;

use crate::simulate::record::SimulatedAdvisory;

/// What is wrong with a feed document that is otherwise whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// The character U+0001 in one record, which makes the document ill-formed.
    ControlCharacters,
    /// Well formed, but a structure that nobody has seen.
    NotRecognised,
    /// The wrapper without any record.
    Empty,
    /// One record without an identifier.
    OneBadRecord,
    /// Entities that expand to some gigabytes.
    EntityBomb,
    /// An entity that wants a file of the reader's machine.
    ExternalEntity,
    /// 100,000 elements within each other in one record.
    TooDeep,
}

/// Deeper than any parser's stack of calls.
const DEPTH: usize = 100_000;

const BOMB: &str = "<!DOCTYPE bomb [<!ENTITY a0 \"boom\">\
    <!ENTITY a1 \"&a0;&a0;&a0;&a0;&a0;&a0;&a0;&a0;&a0;&a0;\"><!ENTITY a2 \"&a1;&a1;&a1;&a1;&a1;&a1;&a1;&a1;&a1;&a1;\">\
    <!ENTITY a3 \"&a2;&a2;&a2;&a2;&a2;&a2;&a2;&a2;&a2;&a2;\"><!ENTITY a4 \"&a3;&a3;&a3;&a3;&a3;&a3;&a3;&a3;&a3;&a3;\">\
    <!ENTITY a5 \"&a4;&a4;&a4;&a4;&a4;&a4;&a4;&a4;&a4;&a4;\"><!ENTITY a6 \"&a5;&a5;&a5;&a5;&a5;&a5;&a5;&a5;&a5;&a5;\">\
    <!ENTITY a7 \"&a6;&a6;&a6;&a6;&a6;&a6;&a6;&a6;&a6;&a6;\"><!ENTITY a8 \"&a7;&a7;&a7;&a7;&a7;&a7;&a7;&a7;&a7;&a7;\">\
    <!ENTITY a9 \"&a8;&a8;&a8;&a8;&a8;&a8;&a8;&a8;&a8;&a8;\">]>\n";
const EXTERNAL: &str = "<!DOCTYPE feed [<!ENTITY stolen SYSTEM \"file:///etc/passwd\">]>\n";

impl Damage {
    /// What stands before the root element.
    pub fn doctype(self) -> &'static str {
        match self {
            Self::EntityBomb => BOMB,
            Self::ExternalEntity => EXTERNAL,
            _ => "",
        }
    }

    /// The record's XML with the damage done.
    pub fn apply(self, xml: &str, record: &SimulatedAdvisory) -> String {
        match self {
            Self::ControlCharacters => insert(xml, "<note>\u{1}</note>"),
            Self::NotRecognised => format!("<entry><code>X-{}</code></entry>", record.entry.index),
            Self::Empty => String::new(),
            Self::OneBadRecord => xml.replace(&record.said(), ""),
            Self::EntityBomb => insert(xml, "<note>&a9;</note>"),
            Self::ExternalEntity => insert(xml, "<note>&stolen;</note>"),
            Self::TooDeep => {
                let deep = format!("{}{}", "<a>".repeat(DEPTH), "</a>".repeat(DEPTH));
                insert(xml, &deep)
            }
        }
    }
}

/// Puts `piece` before the last closing tag.
fn insert(xml: &str, piece: &str) -> String {
    let (before, after) = xml.split_at(xml.rfind("</").unwrap_or(xml.len()));
    format!("{before}{piece}{after}")
}

/// A gzip stream of a feed whose one text grows and grows: the beginning, and a
/// piece to be repeated, each time worth [`BOMB_BLOCK`] bytes.
pub async fn gzip_bomb() -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    let block = vec![b'A'; BOMB_BLOCK];
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder
        .write_all(b"<?xml version=\"1.0\"?><advisories><advisory><advisory_identifier>SA1</advisory_identifier><description>")
        .await?;
    encoder.write_all(&block).await?;
    encoder.flush().await?;
    let head = encoder.get_ref().len();
    // From here on each block is the same after the same: its compressed form
    // can be repeated as it is. Only the checksum at the end would show it.
    encoder.write_all(&block).await?;
    encoder.flush().await?;
    let bytes = encoder.get_ref();
    Ok((bytes[..head].to_vec(), bytes[head..].to_vec()))
}

/// What each repetition of a bomb's piece expands to.
pub const BOMB_BLOCK: usize = 1024 * 1024;
