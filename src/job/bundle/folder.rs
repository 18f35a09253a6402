//! The directory of a bundle while it is made. Each complete file has a line in the journal,
//! so that an interrupted `mirror` does not request it again.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::NotABundle;
use super::manifest::{
    FORMAT, Key, MANIFEST, Manifest, PublishedFile, SIGNATURE, failed, hash_file, window,
};
use crate::files::{OwnDirectory, replace};
use crate::http::{SavedResponse, SavedResponses, open_journal};
use crate::job::collection::window::FixedWindow;
use crate::model::counted;

/// The journal.
const JOURNAL: &str = "unfinished.jsonl";
/// An older unfinished bundle is not continued: its parts would not belong together.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);
/// Accessible only to its owner.
const PRIVATE: u32 = 0o700;

/// First line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    format: u32,
    created_at: DateTime<Utc>,
    base_url: String,
    days: u32,
}

/// A bundle that is being made.
#[derive(Debug)]
pub struct Unfinished {
    /// Where it is.
    pub directory: PathBuf,
    /// Saves responses in it.
    pub saved: Arc<SavedResponses>,
    /// How many responses an earlier run saved.
    pub resumed: usize,
    head: Head,
    own: OwnDirectory,
}

impl Unfinished {
    /// The same directory, whatever becomes of its name.
    pub fn own_path(&self) -> PathBuf {
        self.own.path()
    }
}

impl Unfinished {
    /// The time for which the JSON API's list of advisories is read, where lists need it.
    pub(super) fn window(&self) -> FixedWindow {
        window(self.head.created_at, self.head.days)
    }
}

/// Begins a bundle, or continues one that was interrupted.
///
/// # Errors
/// [`NotABundle`]: the directory has something else, or the bundle is complete or too old.
pub fn resume(
    directory: &Path,
    (base_url, days): (&Url, u32),
    now: DateTime<Utc>,
) -> Result<Unfinished, NotABundle> {
    match DirBuilder::new().mode(PRIVATE).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed(directory)(error));
        }
        _ => {}
    }
    let own = OwnDirectory::open(directory).map_err(failed(directory))?;
    let own_path = own.path();
    let path = own_path.join(JOURNAL);
    let failed = |source| failed(&directory.join(JOURNAL))(source);
    if own_path.join(MANIFEST).exists() {
        return Err(NotABundle::Complete {
            directory: directory.to_owned(),
        });
    }
    let mut entries = std::fs::read_dir(&own_path).map_err(failed)?;
    if !path.exists() && entries.next().is_some() {
        return Err(NotABundle::NotEmpty {
            directory: directory.to_owned(),
        });
    }
    let mut journal = open_journal(&path).map_err(failed)?;
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let new = Head {
        format: FORMAT,
        // As PostgreSQL stores it: two bundles of the same second have an order, too.
        created_at: now.trunc_subsecs(6),
        base_url: base_url.to_string(),
        days,
    };
    let (head, responses) = read(&own_path, &text).unwrap_or_else(|| (new.clone(), Vec::new()));
    check(directory, &head, &new)?;
    // Also without the half of a line that a crash left.
    let first = line(&head).map_err(failed)?;
    let mut all = first.clone();
    for response in &responses {
        all.push_str(&line(response).map_err(failed)?);
    }
    journal.set_len(0).map_err(failed)?;
    journal.write_all(all.as_bytes()).map_err(failed)?;
    journal.sync_all().map_err(failed)?;
    let resumed = responses.len();
    let saved = SavedResponses::recording((&own_path, directory), responses, (journal, first));
    Ok(Unfinished {
        directory: directory.to_owned(),
        saved: Arc::new(saved),
        resumed,
        head,
        own,
    })
}

/// Reads the journal: its head, and the responses whose files are complete.
fn read(directory: &Path, text: &str) -> Option<(Head, Vec<SavedResponse>)> {
    let mut lines = text.lines();
    let head = serde_json::from_str(lines.next()?).ok()?;
    let responses = lines.map_while(|line| serde_json::from_str::<SavedResponse>(line).ok());
    let is_whole = |one: &SavedResponse| {
        let found = hash_file(&directory.join(&one.file)).ok();
        found == Some((one.bytes, one.sha256.clone()))
    };
    Some((head, responses.filter(is_whole).collect()))
}

fn check(directory: &Path, head: &Head, new: &Head) -> Result<(), NotABundle> {
    let stale = |why: String| {
        Err(NotABundle::Stale {
            directory: directory.to_owned(),
            why,
        })
    };
    if head.format != new.format {
        return stale("of another version of advisoryd".to_owned());
    }
    if head.base_url != new.base_url {
        return stale(format!("of {}", head.base_url));
    }
    if head.days != new.days {
        return stale(format!("of {}", counted(head.days, "day")));
    }
    if (new.created_at - head.created_at).abs() > MAX_AGE {
        let at = head.created_at.format("%Y-%m-%d %H:%M UTC");
        return stale(format!(
            "of {at}, more than a day old: its parts would not belong together"
        ));
    }
    Ok(())
}

/// Ends a bundle: writes its signature, then its manifest, and removes the journal.
///
/// # Errors
/// [`NotABundle`]
pub fn finish(
    unfinished: &Unfinished,
    published: &[String],
    key: &Key,
    now: DateTime<Utc>,
) -> Result<usize, NotABundle> {
    let Unfinished {
        directory,
        saved,
        head,
        own,
        ..
    } = unfinished;
    let own_path = own.path();
    let mut files = Vec::new();
    for file in published {
        let hashed = hash_file(&own_path.join(file));
        let (bytes, sha256) = hashed.map_err(failed(&directory.join(file)))?;
        files.push(PublishedFile {
            file: file.clone(),
            bytes,
            sha256,
        });
    }
    let responses = saved.responses();
    let count = responses.len() + files.len();
    let manifest = Manifest {
        format: FORMAT,
        program: concat!("advisoryd ", env!("CARGO_PKG_VERSION")).to_owned(),
        created_at: head.created_at,
        finished_at: now.trunc_subsecs(0),
        base_url: head.base_url.clone(),
        days: head.days,
        responses,
        published: files,
    };
    let path = directory.join(MANIFEST);
    let text =
        serde_json::to_string_pretty(&manifest).map_err(|error| failed(&path)(error.into()))?;
    let text = format!("{text}\n");
    let signature = format!("{}\n", key.sign(text.as_bytes()));
    for (name, text) in [(SIGNATURE, &signature), (MANIFEST, &text)] {
        let written = replace(&own_path.join(name), text.as_bytes(), 0o666);
        written.map_err(failed(&directory.join(name)))?;
    }
    let removed = std::fs::remove_file(own_path.join(JOURNAL));
    removed.map_err(failed(&directory.join(JOURNAL)))?;
    remove_leftovers(&own_path, &manifest);
    Ok(count)
}

/// Removes files of attempts that were not complete.
fn remove_leftovers(directory: &Path, manifest: &Manifest) {
    let responses = manifest.responses.iter().map(|one| one.file.as_str());
    let published = manifest.published.iter().map(|one| one.file.as_str());
    let mut kept: Vec<&str> = responses.chain(published).collect();
    kept.extend([MANIFEST, SIGNATURE]);
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !kept.iter().any(|kept| name == *kept) {
            // A file too many does no harm: the manifest does not name it.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn line(value: &impl Serialize) -> io::Result<String> {
    Ok(format!("{}\n", serde_json::to_string(value)?))
}
