//! The manifest of a bundle: what is in it, the SHA-256 of each file, and the signature.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::error::NotABundle;
use crate::config::{Secret, SecretFile, open_regular};
use crate::http::SavedResponse;
use crate::job::collection::window::FixedWindow;

/// Version of the format.
pub(super) const FORMAT: u32 = 1;
/// Name of the manifest.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of its signature: HMAC-SHA256 of the manifest, in hexadecimal.
pub(super) const SIGNATURE: &str = "manifest.hmac-sha256";
/// Maximum size of a manifest, in bytes: a hundred thousand details have 40 MB.
const MAX_MANIFEST_BYTES: u64 = 256 << 20;
/// Minimum length of a key, in characters: 24 random bytes in Base64.
const MIN_KEY_CHARS: usize = 32;
/// How much the clocks outside and inside may differ.
const MAX_AHEAD: TimeDelta = TimeDelta::days(1);
/// Files are hashed in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;

/// The key that signs bundles: the same outside and inside.
#[derive(Debug)]
pub struct Key(Secret);

/// A file beside the responses: the KEV catalogue or EPSS scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishedFile {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) program: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) finished_at: DateTime<Utc>,
    pub(super) base_url: String,
    pub(super) days: u32,
    pub(super) responses: Vec<SavedResponse>,
    pub(super) published: Vec<PublishedFile>,
}

/// A bundle whose signature and files were verified.
#[derive(Debug)]
pub struct VerifiedBundle {
    /// Where it is.
    pub directory: PathBuf,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// What it was made from.
    pub base_url: Url,
    /// How far back its feeds go, in days.
    pub days: u32,
    /// Its responses.
    pub responses: Vec<SavedResponse>,
    /// Its KEV catalogue and EPSS scores.
    pub published: Vec<PathBuf>,
    /// SHA-256 of its manifest.
    pub digest: [u8; 32],
}

/// The time for which a bundle has the JSON API's list of advisories: the same outside and
/// inside, so that the same responses are asked for.
pub(super) fn window(created_at: DateTime<Utc>, days: u32) -> FixedWindow {
    // Requests name whole seconds.
    let created_at = created_at.trunc_subsecs(0);
    let from = created_at - TimeDelta::days(i64::from(days));
    FixedWindow::new("modified", from, created_at)
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// [`NotABundle`]: it cannot be read, or is too short.
    pub fn read(path: &Path) -> Result<Self, NotABundle> {
        let key = SecretFile::at(path).line()?;
        if key.expose().len() < MIN_KEY_CHARS {
            return Err(NotABundle::ShortKey {
                least: MIN_KEY_CHARS,
            });
        }
        Ok(Self(key))
    }

    fn hmac(&self, bytes: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes keys of any length.
        let mut hmac = Hmac::<Sha256>::new_from_slice(self.0.expose().as_bytes()).ok()?;
        hmac.update(bytes);
        Some(hmac)
    }

    /// The signature of these bytes, in hexadecimal.
    pub(super) fn sign(&self, bytes: &[u8]) -> String {
        let signed = self.hmac(bytes);
        signed.map_or_else(String::new, |hmac| {
            hex::encode(hmac.finalize().into_bytes())
        })
    }

    fn verify(&self, bytes: &[u8], signature: &str) -> bool {
        let signature = hex::decode(signature.trim()).unwrap_or_default();
        let hmac = self.hmac(bytes);
        // In constant time.
        hmac.is_some_and(|hmac| hmac.verify_slice(&signature).is_ok())
    }
}

/// Opens a bundle and verifies its signature, then all of its files.
///
/// # Errors
/// [`NotABundle`]
pub fn open(directory: &Path, key: &Key, now: DateTime<Utc>) -> Result<VerifiedBundle, NotABundle> {
    let path = directory.join(MANIFEST);
    let bytes = match read_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(NotABundle::Incomplete {
                directory: directory.to_owned(),
            });
        }
        read => read.map_err(failed(&path))?,
    };
    let signature = directory.join(SIGNATURE);
    let signature = match read_file(&signature) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(NotABundle::Missing { path: signature });
        }
        read => read.map_err(failed(&signature))?,
    };
    if !key.verify(&bytes, &String::from_utf8_lossy(&signature)) {
        return Err(NotABundle::WrongSignature { path });
    }
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .and_then(known_format)
        .map_err(|source| NotABundle::Manifest { path, source })?;
    let base_url = base_url(&manifest).map_err(|source| NotABundle::Manifest {
        path: directory.join(MANIFEST),
        source,
    })?;
    if manifest.created_at > now + MAX_AHEAD {
        return Err(NotABundle::Future {
            created_at: manifest.created_at,
            now,
        });
    }
    let responses = manifest.responses.iter();
    let all = responses.map(|one| (&one.file, one.bytes, &one.sha256));
    let published = manifest.published.iter();
    for (file, bytes, sha256) in all.chain(published.map(|one| (&one.file, one.bytes, &one.sha256)))
    {
        verify_file(&directory.join(file), bytes, sha256)?;
    }
    let published = manifest.published.iter();
    let published = published.map(|one| directory.join(&one.file)).collect();
    Ok(VerifiedBundle {
        directory: directory.to_owned(),
        created_at: manifest.created_at,
        base_url,
        days: manifest.days,
        responses: manifest.responses,
        published,
        digest: Sha256::digest(&bytes).into(),
    })
}

/// Refuses a format that this version does not know, and names that lead elsewhere.
fn known_format(manifest: Manifest) -> Result<Manifest, serde_json::Error> {
    use serde::de::Error as _;
    if manifest.format != FORMAT {
        let format = manifest.format;
        return Err(serde_json::Error::custom(format!(
            "its format is {format}, expected {FORMAT}"
        )));
    }
    let responses = manifest.responses.iter().map(|one| &one.file);
    let published = manifest.published.iter().map(|one| &one.file);
    let is_plain = |name: &str| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
        !name.starts_with('.') && name.chars().all(letters)
    };
    match responses.chain(published).find(|name| !is_plain(name)) {
        Some(name) => Err(serde_json::Error::custom(format!("invalid name `{name}`"))),
        None => Ok(manifest),
    }
}

fn base_url(manifest: &Manifest) -> Result<Url, serde_json::Error> {
    use serde::de::Error as _;
    let url = manifest.base_url.parse();
    url.map_err(|error| serde_json::Error::custom(format!("invalid `base_url`: {error}")))
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open_regular(path)?;
    file.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_MANIFEST_BYTES) {
        return Err(io::Error::other("it is too large"));
    }
    Ok(bytes)
}

fn verify_file(path: &Path, bytes: u64, sha256: &str) -> Result<(), NotABundle> {
    match hash_file(path) {
        Ok(found) if found == (bytes, sha256.to_owned()) => Ok(()),
        Ok(_) => Err(NotABundle::Damaged {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NotABundle::Missing {
            path: path.to_owned(),
        }),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Size and SHA-256 of a file.
pub(super) fn hash_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = open_regular(path)?;
    let (mut digest, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok((bytes, hex::encode(digest.finalize())));
        }
        digest.update(&piece[..length]);
        bytes += length as u64;
    }
}

pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> NotABundle {
    let path = path.to_owned();
    move |source| NotABundle::Io {
        path: path.clone(),
        source,
    }
}
