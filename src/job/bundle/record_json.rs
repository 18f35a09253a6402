//! Outside: the JSON API's list of advisories, for watch lists that are read from it. Which
//! advisories are in a list, only their details say.

use std::collections::BTreeSet;

use super::record::Recording;
use crate::job::collection::count::{Attempts, ReadAttempt};
use crate::job::collection::page::{PageResult, Pages};
use crate::job::collection::window::{FixedWindow, ReceivedRows};
use crate::job::details::fetch::PATH;
use crate::job::details::window::{ADVISORIES, PAGE_SIZE};
use crate::job::failure::Failure;
use crate::job::lists::exists;
use crate::model::{SourceKey, plain_fingerprint};
use crate::source::detail::read_page;

impl Recording<'_> {
    /// Saves what these lists are read from; returns the advisories whose details are needed.
    pub(super) async fn json_lists(
        &mut self,
        lists: &[SourceKey],
        window: FixedWindow,
    ) -> Result<BTreeSet<String>, Failure> {
        if lists.is_empty() {
            return Ok(BTreeSet::new());
        }
        for list in lists {
            if let SourceKey::WatchList(id) = list {
                self.saved.begin();
                exists::find(self.context, *id, false).await?;
            }
            self.recorded.json_lists += 1;
        }
        let mut attempts = Attempts::at(ADVISORIES);
        loop {
            self.saved.begin();
            let attempt = self.listed(&window).await?;
            if attempt.complete.is_none() {
                self.forget()?;
            }
            if let Some(listed) = attempts.check(attempt)? {
                return Ok(listed);
            }
        }
    }

    /// Reads the window once.
    async fn listed(&self, window: &FixedWindow) -> Result<ReadAttempt<BTreeSet<String>>, Failure> {
        let mut pages = Pages::new(self.context, window.request(PATH, PAGE_SIZE));
        let (mut received, mut listed) = (ReceivedRows::default(), BTreeSet::new());
        while let Some(PageResult { page, repeats, .. }) = pages.next().await? {
            let (elements, unreadable) = read_page(&self.context.rules, page);
            let saids = elements.into_iter().map(|row| row.said);
            let saids: Vec<String> = saids.collect();
            let named = unreadable.iter().filter_map(|row| row.key.clone());
            received.add(
                saids.iter().cloned().chain(named),
                unreadable
                    .iter()
                    .filter(|row| row.key.is_none())
                    .map(|row| plain_fingerprint(row.raw.as_bytes())),
            );
            received.add_repeats(&repeats);
            listed.extend(saids);
        }
        let count = received.received(pages.claimed, ADVISORIES);
        // What has moved between pages is on none of the saved ones.
        let is_complete = count >= pages.claimed && pages.moved == 0;
        Ok(ReadAttempt {
            claimed: pages.claimed,
            received: count,
            complete: is_complete.then_some(listed),
        })
    }
}
