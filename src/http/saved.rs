//! Responses in a directory: `mirror` saves them as they are received, `import` reads them in
//! place of upstream. Each is complete, or it is not there.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::answer::Answer;
use super::body::{BodyLimits, ResponseBody};
use super::error::ClientError;
use super::quote::asked;
use crate::config::open_regular;

/// A parameter that does not change what is returned, only in how many pages.
const PAGE_SIZE: &str = "page_size";

/// A saved response with status 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedResponse {
    /// What was requested: path and query, without `page_size`.
    pub request: String,
    /// Name of the file in the directory.
    pub file: String,
    /// Size of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Time of the response by upstream's clock (`Date`).
    pub date: Option<DateTime<Utc>>,
    /// Media type without parameters.
    pub content_type: Option<String>,
    /// Parameter `charset` of the media type.
    pub charset: Option<String>,
    /// Where the next page is, by a `Link` header.
    pub next: Option<String>,
}

/// Saved responses, and where new ones are saved.
#[derive(Debug)]
pub struct SavedResponses {
    directory: PathBuf,
    /// Its name in messages.
    shown: PathBuf,
    state: Mutex<State>,
    /// Whether what is missing is requested and saved.
    is_recording: bool,
}

#[derive(Debug, Default)]
struct State {
    responses: BTreeMap<String, SavedResponse>,
    /// Requests since [`SavedResponses::begin`].
    used: Vec<String>,
    /// A line for each saved response; the next run continues after it.
    journal: Option<File>,
    /// Lines of the journal that are no responses.
    head: String,
    last_number: u64,
}

impl SavedResponses {
    /// Responses that are only read.
    pub fn read_only(directory: &Path, responses: Vec<SavedResponse>) -> Self {
        Self {
            directory: directory.to_owned(),
            shown: directory.to_owned(),
            state: Mutex::new(State::of(responses)),
            is_recording: false,
        }
    }

    /// Responses that are saved before. What is missing is requested and saved, and
    /// written to `journal`, which already has `head` and a line for each response. The
    /// directory has another name in messages.
    pub fn recording(
        (directory, shown): (&Path, &Path),
        responses: Vec<SavedResponse>,
        (journal, head): (File, String),
    ) -> Self {
        let mut state = State::of(responses);
        (state.journal, state.head) = (Some(journal), head);
        Self {
            directory: directory.to_owned(),
            shown: shown.to_owned(),
            state: Mutex::new(state),
            is_recording: true,
        }
    }

    /// All responses, by request.
    pub fn responses(&self) -> Vec<SavedResponse> {
        self.state().responses.values().cloned().collect()
    }

    /// Begins a document or a collection that is complete only as a whole.
    pub fn begin(&self) {
        self.state().used.clear();
    }

    /// Forgets all that was used since [`SavedResponses::begin`]: it is not complete, or its
    /// pages do not belong together.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn forget(&self) -> io::Result<()> {
        let mut state = self.state();
        for request in std::mem::take(&mut state.used) {
            state.responses.remove(&request);
        }
        state.rewrite()
    }

    pub(super) fn is_recording(&self) -> bool {
        self.is_recording
    }

    /// The saved response of this request, if there is one.
    pub(super) async fn answer(
        &self,
        url: &Url,
        frame: BodyLimits,
    ) -> Result<Option<Answer>, ClientError> {
        let request = request_of(url);
        let found = {
            let mut state = self.state();
            state.used.push(request.clone());
            state.responses.get(&request).cloned()
        };
        let Some(saved) = found else {
            return Ok(None);
        };
        let opened = open_regular(&self.directory.join(&saved.file));
        let file = opened
            .map(tokio::fs::File::from_std)
            .map_err(|source| ClientError::File {
                path: self.shown.join(&saved.file),
                source,
            })?;
        let body = ResponseBody::saved(file, frame).await?;
        let mut answer = Answer::saved(url.clone(), body);
        answer.date = saved.date;
        answer.content_type = saved.content_type;
        answer.charset = saved.charset;
        answer.content_length = Some(saved.bytes);
        answer.next = saved.next;
        Ok(Some(answer))
    }

    /// Saves a response that was just received, to its end.
    pub(super) async fn save(&self, url: &Url, mut answer: Answer) -> Result<(), ClientError> {
        let suffix = match answer.content_type.as_deref() {
            Some(name) if name.ends_with("json") => "json",
            _ if url.path().contains("xml") => "xml",
            _ => "json",
        };
        let number = {
            let mut state = self.state();
            state.last_number += 1;
            state.last_number
        };
        let file = format!("{number:06}.{suffix}");
        let path = self.directory.join(&file);
        let unfinished = self.directory.join(format!("{file}.part"));
        let shown = self.shown.join(&file);
        let failed = |source| ClientError::File {
            path: shown.clone(),
            source,
        };
        let mut open = tokio::fs::File::create(&unfinished).await.map_err(failed)?;
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        while let Some(chunk) = answer.body.chunk().await? {
            digest.update(&chunk);
            bytes += chunk.len() as u64;
            open.write_all(&chunk).await.map_err(failed)?;
        }
        open.sync_all().await.map_err(failed)?;
        std::fs::rename(&unfinished, &path).map_err(failed)?;
        let response = SavedResponse {
            request: request_of(url),
            file,
            bytes,
            sha256: hex::encode(digest.finalize()),
            date: answer.date,
            content_type: answer.content_type,
            charset: answer.charset,
            next: answer.next,
        };
        self.state().add(response).map_err(failed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of it is complete whenever its lock is free.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(responses: Vec<SavedResponse>) -> Self {
        let number = |one: &SavedResponse| one.file.split('.').next()?.parse().ok();
        let last_number = responses.iter().filter_map(number).max().unwrap_or(0);
        let responses = responses.into_iter();
        Self {
            responses: responses.map(|one| (one.request.clone(), one)).collect(),
            last_number,
            ..Self::default()
        }
    }

    fn add(&mut self, response: SavedResponse) -> io::Result<()> {
        if let Some(journal) = &mut self.journal {
            let line = serde_json::to_string(&response)?;
            writeln!(journal, "{line}")?;
            journal.sync_data()?;
        }
        self.responses.insert(response.request.clone(), response);
        Ok(())
    }

    /// Writes the journal again. It is locked by this process, so that it stays the same file.
    fn rewrite(&mut self) -> io::Result<()> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let mut text = self.head.clone();
        for response in self.responses.values() {
            text.push_str(&serde_json::to_string(response)?);
            text.push('\n');
        }
        journal.set_len(0)?;
        journal.write_all(text.as_bytes())?;
        journal.sync_data()
    }
}

/// Opens the journal of a directory, to append to it.
///
/// # Errors
/// It cannot be opened, or another process has it.
pub fn open_journal(path: &Path) -> io::Result<File> {
    let journal = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(path)?;
    journal.try_lock().map_err(io::Error::from)?;
    Ok(journal)
}

/// Path and query of a request, as a directory knows it.
fn request_of(url: &Url) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(url.query_pairs().filter(|(name, _)| name != PAGE_SIZE));
    let query = query.finish();
    if query.is_empty() {
        return url.path().to_owned();
    }
    format!("{}?{query}", url.path())
}

/// The name of a request in messages.
pub(super) fn not_saved(url: &Url) -> ClientError {
    ClientError::NotFound {
        url: asked(url),
        detail: "it is not in the bundle".to_owned(),
        is_copy: false,
    }
}
