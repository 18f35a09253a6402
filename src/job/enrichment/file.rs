//! Reading a published file: from a body or from a saved file.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio::fs::File;

use super::failure::NotEnriched;
use crate::config::open_regular;
use crate::http::{ResponseBody, Seal, saved};
use crate::model::Catalogue;
use crate::source::enrichment::{EnrichmentFile, EpssReader, kev_catalogue, recognise};

/// Maximum size of the KEV catalogue, which is kept in memory: twenty times that of 2026.
const MAX_KEV_BYTES: usize = 32 << 20;
/// Maximum size of a file after decompression: twenty times the scores of 2026.
pub(super) const MAX_FILE_BYTES: u64 = 256 << 20;
/// So many bytes show what a file is.
const BEGINNING_BYTES: usize = 64;

/// A file that was read to its end.
pub(super) struct ReadFile {
    pub(super) published: EnrichmentFile,
    pub(super) digest: [u8; 32],
    pub(super) seal: Seal,
}

/// Opens a file that is given or configured.
pub(super) fn open_file(path: &Path) -> Result<File, NotEnriched> {
    let opened = if path.is_dir() {
        Err(std::io::ErrorKind::IsADirectory.into())
    } else {
        open_regular(path)
    };
    opened.map(File::from_std).map_err(NotEnriched::File)
}

/// Reads a saved file.
pub(super) async fn read_file(
    path: &Path,
    expected: Option<Catalogue>,
) -> Result<ReadFile, NotEnriched> {
    let file = open_file(path)?;
    let body = saved(&path.display().to_string(), file, MAX_FILE_BYTES).await?;
    read(body, expected, Seal::default()).await
}

/// Reads a body to its end. Scores are parsed as they come; the catalogue is kept whole.
pub(super) async fn read(
    mut body: ResponseBody,
    expected: Option<Catalogue>,
    seal: Seal,
) -> Result<ReadFile, NotEnriched> {
    let mut digest = Sha256::new();
    let mut kept = Vec::new();
    let mut scores = None;
    let mut is_known = false;
    while let Some(chunk) = body.chunk().await? {
        digest.update(&chunk);
        if scores.is_none() {
            kept.extend_from_slice(&chunk);
        }
        if !is_known && kept.len() >= BEGINNING_BYTES {
            is_known = true;
            scores = begin(&kept, expected)?;
            if let Some(scores) = &mut scores {
                scores.push(&std::mem::take(&mut kept))?;
            }
        } else if let Some(scores) = &mut scores {
            scores.push(&chunk)?;
        }
        if kept.len() > MAX_KEV_BYTES {
            let limit_bytes = MAX_KEV_BYTES as u64;
            return Err(NotEnriched::TooLarge { limit_bytes });
        }
    }
    if !is_known {
        scores = begin(&kept, expected)?;
        if let Some(scores) = &mut scores {
            scores.push(&kept)?;
        }
    }
    let published = match scores {
        Some(scores) => EnrichmentFile::Epss(scores.finish()?),
        None => EnrichmentFile::Kev(kev_catalogue(&kept)?),
    };
    Ok(ReadFile {
        published,
        digest: digest.finalize().into(),
        seal,
    })
}

/// The reader for scores; `None` for the catalogue.
fn begin(beginning: &[u8], expected: Option<Catalogue>) -> Result<Option<EpssReader>, NotEnriched> {
    let found = recognise(beginning).ok_or(NotEnriched::Unknown)?;
    match expected.filter(|expected| *expected != found) {
        Some(expected) => Err(NotEnriched::Other { found, expected }),
        None if found == Catalogue::Epss => Ok(Some(EpssReader::default())),
        None => Ok(None),
    }
}
