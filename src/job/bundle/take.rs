//! Inside: the jobs that read upstream read the bundle.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::warn;

use super::error::NotABundle;
use super::manifest::{VerifiedBundle, window};
use crate::clock::Clock;
use crate::config::ListSource;
use crate::http::SavedResponses;
use crate::job::collection::window::FixedWindow;
use crate::job::context::Context;
use crate::job::details::fetch;
use crate::job::details::window::PAGE_SIZE;
use crate::job::enrichment::{Applied, NotEnriched, Terms, pull as enrichment};
use crate::job::failure::Failure;
use crate::job::feeds::feed::{Feed, LookBack, feeds};
use crate::job::feeds::pull::{PATH as FEED, pull};
use crate::job::lists::discover::{self, Discovered};
use crate::job::lists::mirror::{self, Mirrored};
use crate::job::run::Ran;
use crate::job::tickets::{page::PATH as TICKETS, sync};
use crate::model::{LeaseHolder, SourceKey, chain};
use crate::store::bundle as store;
use crate::store::database;

/// One thing that was imported, or why it was not.
#[derive(Debug)]
pub enum ImportedItem {
    /// The watch lists of the account.
    Lists(Result<Discovered, LeaseHolder>),
    /// What lists contain.
    Contents(Mirrored),
    /// A run.
    Run(SourceKey, Result<Ran, Failure>),
    /// The KEV catalogue or EPSS scores.
    Published(Applied),
    /// Something that is not in the bundle, or was not accepted.
    Missing(String),
}

impl VerifiedBundle {
    /// Its responses, in place of upstream.
    pub fn saved(&self) -> Arc<SavedResponses> {
        let responses = self.responses.clone();
        Arc::new(SavedResponses::read_only(&self.directory, responses))
    }

    fn has(&self, path: &str) -> bool {
        let is_path = |request: &str| request.split('?').next() == Some(path);
        self.responses.iter().any(|one| is_path(&one.request))
    }

    fn has_feed(&self, feed: &Feed) -> bool {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&feed.query);
        let request = format!("{FEED}?{}&days={}", query.finish(), self.days);
        let mut responses = self.responses.iter();
        responses.any(|one| one.request.ends_with(&request))
    }

    /// Whether it has the JSON API's list of advisories, for lists that are read from that.
    fn has_json_list(&self, feed: &Feed) -> bool {
        let is_list = matches!(feed.key, SourceKey::WatchList(_));
        let request = self.window().request(fetch::PATH, PAGE_SIZE);
        let query = request.query.iter().filter(|(name, _)| name != "page_size");
        let query = query.map(|(name, value)| format!("{name}={value}"));
        let query = query.collect::<Vec<_>>().join("&");
        let mut responses = self.responses.iter();
        is_list
            && feed.source != ListSource::Feed
            && responses.any(|one| one.request.ends_with(&format!("{}?{query}", fetch::PATH)))
    }

    /// The time for which it has that list.
    fn window(&self) -> FixedWindow {
        window(self.created_at, self.days)
    }

    /// The advisories whose details it has.
    fn details(&self) -> Vec<String> {
        let said = |request: &str| {
            let (_, said) = request.split_once(fetch::PATH)?;
            // The list of advisories has a query.
            let said = said
                .strip_suffix('/')
                .filter(|said| !said.starts_with('?'))?;
            (!said.is_empty()).then(|| said.to_owned())
        };
        let all = self.responses.iter();
        all.filter_map(|one| said(&one.request)).collect()
    }
}

/// Refuses a bundle that is older than one whose import has begun; then records that the
/// import of this one begins.
async fn begin(
    context: &Context,
    bundle: &VerifiedBundle,
    clock: &Clock,
) -> Result<Result<(), NotABundle>, Failure> {
    let mut transaction = database::begin(&context.pool).await?;
    let newest = store::newest(&mut transaction).await?;
    if let Some(newest) = newest.filter(|newest| *newest > bundle.created_at) {
        return Ok(Err(NotABundle::Older {
            created_at: bundle.created_at,
            newest,
        }));
    }
    let which = (bundle.created_at, &bundle.digest[..]);
    store::begin(&mut transaction, which, clock.now()).await?;
    transaction.commit().await?;
    Ok(Ok(()))
}

/// Imports all of a bundle, with a context whose client answers from it. `on_item` is called
/// for each part. A part that fails does not keep the others; `accept_removals` is that of
/// a full pull.
pub async fn take(
    context: &Context,
    bundle: &VerifiedBundle,
    accept_removals: bool,
    on_item: &mut dyn FnMut(ImportedItem),
) -> Result<Result<(), NotABundle>, Failure> {
    if let Err(refused) = begin(context, bundle, &context.clock).await? {
        return Ok(Err(refused));
    }
    let mut context = lists(context, bundle, on_item).await?;
    let window = bundle.window();
    context.bundled = Some((window.from, window.to));
    let context = &context;
    if let Some(mirrored) = mirror::mirror(context).await? {
        on_item(ImportedItem::Contents(mirrored));
    }
    let look_back = match (
        accept_removals,
        bundle.days == context.config.feeds.first_days,
    ) {
        (true, true) => LookBack::FullAccepted,
        (false, true) => LookBack::Full,
        (_, false) => LookBack::Days(bundle.days),
    };
    for (feed, _) in feeds(&context.config) {
        if bundle.has_feed(&feed) || bundle.has_json_list(&feed) {
            let ran = pull(context, &feed, look_back).await;
            on_item(ImportedItem::Run(feed.key, ran));
        } else {
            let key = feed.key.label();
            on_item(ImportedItem::Missing(format!(
                "{key}: its feed is not in the bundle"
            )));
        }
    }
    let details = bundle.details();
    for ran in fetch::fetch_these(context, details).await? {
        on_item(ImportedItem::Run(SourceKey::Details, Ok(ran)));
    }
    published(context, bundle, accept_removals, on_item).await?;
    if context.config.tickets.enabled {
        if bundle.has(TICKETS) {
            let ran = sync::take(context, accept_removals).await;
            on_item(ImportedItem::Run(SourceKey::Tickets, ran));
        } else {
            on_item(ImportedItem::Missing(
                "tickets: not in the bundle".to_owned(),
            ));
        }
    }
    Ok(Ok(()))
}

/// Records that all of a bundle was imported.
pub async fn complete(context: &Context, bundle: &VerifiedBundle) -> Result<(), Failure> {
    let mut transaction = database::begin(&context.pool).await?;
    let now = context.clock.now();
    store::complete(&mut transaction, bundle.created_at, now).await?;
    Ok(transaction.commit().await?)
}

/// The context with the watch lists of the bundle, where they are discovered.
async fn lists(
    context: &Context,
    bundle: &VerifiedBundle,
    on_item: &mut dyn FnMut(ImportedItem),
) -> Result<Context, Failure> {
    let mut context = context.clone();
    if context.config.discovery.watch_lists {
        on_item(ImportedItem::Lists(discover::discover(&context).await?));
        let mut connection = context.pool.acquire().await?;
        let followed = discover::followed(&mut connection, &context.config).await?;
        context.config = Arc::new(followed);
    }
    let followed: HashSet<String> = context
        .config
        .watch_lists
        .iter()
        .map(|list| list.id.to_string())
        .collect();
    for response in &bundle.responses {
        let (_, query) = response.request.split_once('?').unwrap_or_default();
        let list = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "asset_list_id")
            .map(|(_, id)| id.into_owned());
        if let Some(id) = list.filter(|id| !followed.contains(id)) {
            warn!("watch list {id} is in the bundle, but not in [[watch_lists]]");
        }
    }
    Ok(context)
}

async fn published(
    context: &Context,
    bundle: &VerifiedBundle,
    accept_removals: bool,
    on_item: &mut dyn FnMut(ImportedItem),
) -> Result<(), Failure> {
    let terms = Terms {
        threshold: context.config.enrichment.epss_threshold,
        accept_removals,
        read_at: Some(bundle.created_at),
    };
    for path in &bundle.published {
        let now = context.clock.now();
        match enrichment::enrich_file(&context.pool, path, terms, now).await {
            Ok(applied) => on_item(ImportedItem::Published(applied)),
            Err(NotEnriched::Store(error)) => return Err(error.into()),
            Err(error) => on_item(ImportedItem::Missing(format!(
                "{}: {}",
                path.display(),
                chain(&error)
            ))),
        }
    }
    Ok(())
}
