//! Outside: requests everything once, while the client saves each response.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tracing::warn;

use super::error::NotABundle;
use super::folder::Unfinished;
use super::manifest::failed;
use crate::config::{Config, FileLocation, ListSource};
use crate::http::{Answer, BodyType, ClientError, Request, SavedResponses};
use crate::job::collection::count::{Attempts, ReadAttempt};
use crate::job::collection::links::VisitedPages;
use crate::job::collection::next_page::{next_document, require_same_feed};
use crate::job::collection::page::Pages;
use crate::job::collection::repeats::Repeats;
use crate::job::collection::unnamed::Unnamed;
use crate::job::context::{Context, OUTCOME};
use crate::job::details::fetch;
use crate::job::details::identifier::is_plain;
use crate::job::enrichment::{NotEnriched, pull};
use crate::job::failure::Failure;
use crate::job::feeds::fallback::reason_to_fall_back;
use crate::job::feeds::feed::{Feed, feeds};
use crate::job::feeds::pull::PATH as FEED;
use crate::job::feeds::stream::check_count;
use crate::job::lists::{discover, mirror};
use crate::job::tickets::page::{PATH as TICKETS_PATH, TICKETS, parse};
use crate::model::{Catalogue, MirrorKey, MirrorKind, chain};
use crate::source::xml::{ParsedDocument, RecordReader, read_record};

/// How often a document or collection is requested that is not complete.
const MAX_ATTEMPTS: u32 = 3;
/// Maximum number of documents of a feed, should feeds be paginated.
const MAX_DOCUMENTS: u32 = 1000;

/// What was saved.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Feeds.
    pub feeds: usize,
    /// Watch lists that are read from the JSON API.
    pub json_lists: usize,
    /// Details of advisories.
    pub details: usize,
    /// Names of the files of the KEV catalogue and EPSS scores.
    pub published: Vec<String>,
    /// What upstream refuses, or does not have: in words.
    pub without: Vec<String>,
}

/// Requests and saves what a configuration follows. What an earlier attempt saved is not
/// requested again.
///
/// # Errors
/// [`Failure`]: something is missing that the bundle needs. What was saved stays.
pub async fn record(
    context: &Context,
    unfinished: &Unfinished,
    days: u32,
) -> Result<Recorded, Failure> {
    let mut recording = Recording {
        context,
        saved: &unfinished.saved,
        recorded: Recorded::default(),
    };
    let config = recording.lists().await?;
    recording.contents(&config).await?;
    let mut wanted = BTreeSet::new();
    let mut by_json = Vec::new();
    for (feed, _) in feeds(&config) {
        if feed.source == ListSource::Json {
            by_json.push(feed.key);
            continue;
        }
        match recording.feed(&feed, days).await {
            Ok(needed) => {
                wanted.extend(needed);
                recording.recorded.feeds += 1;
            }
            // As inside, where the feed is not in the bundle.
            Err(failure) if reason_to_fall_back(&feed, &failure).is_some() => {
                by_json.push(feed.key);
            }
            Err(failure) => return Err(failure),
        }
    }
    wanted.extend(recording.json_lists(&by_json, unfinished.window()).await?);
    recording.details(wanted).await?;
    if config.tickets.enabled {
        recording.tickets().await?;
    }
    Ok(recording.recorded)
}

/// Saves the configured KEV catalogue and EPSS scores; returns the names of the files.
///
/// # Errors
/// [`NotABundle`] if a file cannot be written. One that cannot be read is named in
/// `without`.
pub async fn published(
    context: &Context,
    unfinished: &Unfinished,
    recorded: &mut Recorded,
) -> Result<(), NotABundle> {
    for catalogue in Catalogue::ALL {
        let Some(location) = context.config.enrichment.location(catalogue) else {
            continue;
        };
        let name = format!("{}.published", catalogue.name());
        let path = unfinished.own_path().join(&name);
        match save(context, catalogue, location, &path).await {
            Ok(()) => recorded.published.push(name),
            Err(NotEnriched::File(error)) => {
                return Err(failed(&unfinished.directory.join(&name))(error));
            }
            Err(error) => {
                let why = format!("{}: {}", catalogue.label(), chain(&error));
                recorded.without.push(why);
            }
        }
    }
    Ok(())
}

/// Saves one file, if it is what it should be.
async fn save(
    context: &Context,
    catalogue: Catalogue,
    location: &FileLocation,
    path: &Path,
) -> Result<(), NotEnriched> {
    let mut body = pull::body(context, location).await?;
    let mut file = tokio::fs::File::create(path)
        .await
        .map_err(NotEnriched::File)?;
    while let Some(chunk) = body.chunk().await? {
        file.write_all(&chunk).await.map_err(NotEnriched::File)?;
    }
    file.sync_all().await.map_err(NotEnriched::File)?;
    pull::check_file(path, catalogue).await
}

pub(super) struct Recording<'c> {
    pub(super) context: &'c Context,
    pub(super) saved: &'c SavedResponses,
    pub(super) recorded: Recorded,
}

impl Recording<'_> {
    fn without(&mut self, what: &str, why: &str) {
        self.recorded.without.push(format!("{what}: {why}"));
    }

    /// Forgets what was used for something that is not complete, so that it is requested
    /// again.
    pub(super) fn forget(&self) -> Result<(), Failure> {
        self.saved
            .forget()
            .map_err(|error| Failure::Broken(format!("the journal cannot be written: {error}")))
    }

    /// The configuration, with the watch lists of the account if they are discovered.
    async fn lists(&self) -> Result<Config, Failure> {
        let config = &self.context.config;
        if !config.discovery.watch_lists {
            return Ok(config.with_discovered(&[]));
        }
        self.saved.begin();
        let listing = match discover::ask(self.context).await {
            Err(failure @ Failure::Disagree { .. }) => {
                self.forget()?;
                return Err(failure);
            }
            listing => listing?,
        };
        Ok(config.with_discovered(&discover::enabled(&listing.lists)))
    }

    /// What lists contain, and pending approvals, as far as upstream does not refuse it.
    async fn contents(&mut self, config: &Config) -> Result<(), Failure> {
        let lists = config.watch_lists.iter().flat_map(|list| {
            MirrorKind::OF_LIST.iter().map(|kind| MirrorKey {
                watch_list_id: list.id,
                kind: *kind,
            })
        });
        for key in [MirrorKey::APPROVALS].into_iter().chain(lists) {
            self.saved.begin();
            match mirror::read(self.context, key).await {
                Ok(_) => {}
                Err(Failure::Upstream(
                    error @ (ClientError::Forbidden { .. } | ClientError::NotFound { .. }),
                )) => {
                    self.without(&key.to_string(), &chain(&error));
                }
                Err(failure @ (Failure::Disagree { .. } | Failure::TooManyPages { .. })) => {
                    self.forget()?;
                    self.without(&key.to_string(), &failure.chain());
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Saves a feed; returns the advisories whose details are needed.
    async fn feed(&self, feed: &Feed, days: u32) -> Result<BTreeSet<String>, Failure> {
        let mut attempts = 1;
        loop {
            self.saved.begin();
            match self.documents(feed, days).await {
                // The document is not complete, or not a feed.
                Err(Failure::Feed(error)) if attempts < MAX_ATTEMPTS => {
                    self.forget()?;
                    attempts += 1;
                    let error = chain(&error);
                    warn!(target: OUTCOME, source = %feed.key, error, "{}: requested again: {error}", feed.key);
                }
                Err(failure @ (Failure::Feed(_) | Failure::Disagree { .. })) => {
                    self.forget()?;
                    return Err(failure);
                }
                wanted => return wanted,
            }
        }
    }

    async fn documents(&self, feed: &Feed, days: u32) -> Result<BTreeSet<String>, Failure> {
        let context = self.context;
        let mut request = Request::new(FEED, BodyType::Xml);
        request.query.clone_from(&feed.query);
        let request = request.with("days", days.to_string());
        let mut response = context.or_stopped(context.client.get(&request)).await??;
        let mut wanted = BTreeSet::new();
        let (mut before, mut links) = (None::<ParsedDocument>, VisitedPages::default());
        for page in 1..=MAX_DOCUMENTS {
            let (url, linked) = (response.url.clone(), response.next.take());
            let root = before.as_ref().map(|before| before.root.as_str());
            let mut document = self.document(response, root, &mut wanted).await?;
            if let Some(before) = before.take() {
                document.inherit(before);
            }
            let next = next_document(&url, &document, linked.as_ref())?;
            document.check_parts(u64::from(page), next.is_some())?;
            let Some(next) = next else {
                check_count(&document)?;
                return Ok(wanted);
            };
            links.read(document.records, document.claimed)?;
            require_same_feed(&next, &feed.query)?;
            links.follow(&next)?;
            before = Some(document);
            let next = context.client.get_url(&next, BodyType::Xml);
            response = context.or_stopped(next).await??;
        }
        Err(Failure::TooManyPages {
            pages: MAX_DOCUMENTS,
        })
    }

    async fn document(
        &self,
        mut response: Answer,
        root: Option<&str>,
        wanted: &mut BTreeSet<String>,
    ) -> Result<ParsedDocument, Failure> {
        let rules = Arc::clone(&self.context.rules);
        let details = self.context.config.feeds.details;
        let mut reader = RecordReader::new(Arc::clone(&rules), response.charset.as_deref(), root);
        let mut take = |record: &[u8]| {
            // A record that cannot be parsed is put into quarantine inside.
            if let Ok(advisory) = read_record(&rules, record)
                && details.wants(&advisory)
            {
                wanted.insert(advisory.said);
            }
        };
        while let Some(piece) = self.context.or_stopped(response.body.chunk()).await?? {
            reader.push(&piece, &mut take)?;
        }
        Ok(reader.finish(&mut take)?)
    }

    /// Saves the details that the feeds lack.
    async fn details(&mut self, wanted: BTreeSet<String>) -> Result<(), Failure> {
        let context = self.context;
        for said in wanted.into_iter().filter(|said| is_plain(said)) {
            self.saved.begin();
            let request = Request::new(format!("{}{said}/", fetch::PATH), BodyType::JsonObject);
            match context
                .or_stopped(context.client.get_whole(&request))
                .await?
            {
                Ok(_) => self.recorded.details += 1,
                // It is saved all the same, and quarantined by the import.
                Err(error) if error.is_too_large() => self.recorded.details += 1,
                Err(error @ ClientError::NotFound { .. }) => {
                    self.without(&format!("details of {said}"), &chain(&error));
                }
                Err(error @ ClientError::Forbidden { .. }) => {
                    self.without("details", &chain(&error));
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Saves all tickets: again until the pages have as many as upstream reports.
    async fn tickets(&self) -> Result<(), Failure> {
        let mut attempts = Attempts::at(TICKETS);
        loop {
            self.saved.begin();
            let attempt = self.ticket_pages().await?;
            if attempt.complete.is_none() {
                self.forget()?;
            }
            if attempts.check(attempt)?.is_some() {
                return Ok(());
            }
        }
    }

    async fn ticket_pages(&self) -> Result<ReadAttempt<()>, Failure> {
        let page_size = self.context.config.tickets.page_size.to_string();
        let first = Request::new(TICKETS_PATH, BodyType::Json).with("page_size", page_size);
        let mut pages = Pages::new(self.context, first);
        let (mut ids, mut without_id) = (HashSet::new(), Unnamed::default());
        let mut repeats = Repeats::default();
        while let Some(received) = pages.next().await? {
            let page = parse(self.context, received);
            ids.extend(page.ids());
            without_id.add_page(page.without_id());
            repeats.add_page(&page.repeats);
        }
        let different = ids.len() as u64 + without_id.count();
        let received = repeats.received(different, pages.claimed, TICKETS);
        // What has moved between pages is on none of the saved ones.
        let is_complete = received >= pages.claimed && pages.moved == 0;
        Ok(ReadAttempt {
            claimed: pages.claimed,
            received,
            complete: is_complete.then_some(()),
        })
    }
}
