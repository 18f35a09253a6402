//! Rows outside of the requested window. Either upstream ignores the filter, or it goes by
//! another time than the rows show: one in another time zone, or of the last activity.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use tracing::warn;

use super::filter;
use super::window::FixedWindow;
use crate::job::context::Context;
use crate::job::failure::Failure;
use crate::model::counted;

/// The rows outside of the windows of one run.
pub(crate) struct Outside {
    collection: &'static str,
    path: &'static str,
    count: usize,
    undated: usize,
    first: Option<String>,
}

impl Outside {
    /// None yet. `collection` is the name of the rows in messages.
    pub(crate) fn at(collection: &'static str, path: &'static str) -> Self {
        Self {
            collection,
            path,
            count: 0,
            undated: 0,
            first: None,
        }
    }

    /// Takes the keys and times of the rows of a page, which are stored. A time that cannot
    /// be read is none. The filter is tested when the first row is outside.
    ///
    /// # Errors
    /// [`Failure::Outside`] if upstream ignores the filter.
    pub(crate) async fn check<K: Display>(
        &mut self,
        context: &Context,
        window: &FixedWindow,
        rows: impl Iterator<Item = (K, Option<DateTime<Utc>>)>,
    ) -> Result<(), Failure> {
        let mut outside = Vec::new();
        for (key, at) in rows {
            match at {
                None => self.undated += 1,
                Some(at) if !window.contains(at) => outside.push(key.to_string()),
                Some(_) => {}
            }
        }
        let Some(key) = outside.first() else {
            return Ok(());
        };
        if self.first.is_none() && !filter::works(context, self.path, window.stem).await? {
            return Err(Failure::Outside {
                collection: self.collection,
                filter: window.stem,
                key: key.clone(),
            });
        }
        self.first.get_or_insert_with(|| key.clone());
        self.count += outside.len();
        Ok(())
    }

    /// Says once what was outside, and what could not be compared with the window.
    pub(crate) fn warn(&self, stem: &str) {
        let collection = self.collection;
        if self.undated > 0 {
            warn!(
                undated = self.undated,
                "{collection}: {} without a readable time for the filter `{stem}__gte`; they are read as if they had been modified",
                counted(self.undated, "row")
            );
        }
        let Some(first) = &self.first else {
            return;
        };
        warn!(
            outside = self.count,
            "{collection}: {} outside the requested window (first: {first}); the filter `{stem}__gte` works, but uses a timestamp other than the one in the rows; all rows are stored; no action needed",
            counted(self.count, "row")
        );
    }
}
