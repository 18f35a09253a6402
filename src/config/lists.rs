use std::collections::{BTreeMap, BTreeSet};

use super::cron::{CronExpression, expression};
use super::section::{Section, said};
use super::values::{boolean, number, query_value, text};

/// More lists than an account has; each is at least one request per tick.
const MAX_LISTS: usize = 1000;
/// Longest name of a list or feed, in characters: names are labels of metrics and columns of tables.
const MAX_NAME_CHARS: usize = 200;
/// More parameters than a feed has.
const MAX_QUERY_PAIRS: usize = 32;

/// `[[watch_lists]]`: one watch list whose feed is pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchList {
    /// Upstream's number for it, positive.
    pub id: i64,
    /// What people call it; left out, its number is its name.
    pub name: Option<String>,
    /// When it is pulled; left out, as `[schedule] feeds` says.
    pub schedule: Option<CronExpression>,
    /// Further query parameters, sorted by name.
    pub query: Vec<(String, String)>,
    /// Where its advisories come from. Default: auto.
    pub source: ListSource,
    /// Found by `[discovery]` and not named by the configuration.
    pub discovered: bool,
}

impl WatchList {
    /// One that the configuration does not name.
    pub(super) fn discovered(id: i64, name: Option<String>) -> Self {
        Self {
            id,
            name,
            schedule: None,
            query: Vec::new(),
            source: ListSource::Auto,
            discovered: true,
        }
    }
}

/// Where the advisories of a watch list come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListSource {
    /// From its feed, and from JSON while the feed is not recognised or refused.
    #[default]
    Auto,
    /// From its feed only.
    Feed,
    /// From JSON only.
    Json,
}

/// `[[extra_feeds]]`: another feed, without membership in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFeed {
    /// What people call it; unique.
    pub name: String,
    /// When it is pulled; left out, as `[schedule] feeds` says.
    pub schedule: Option<CronExpression>,
    /// Query parameters, sorted by name; at least one.
    pub query: Vec<(String, String)>,
}

/// Reads all of `[[watch_lists]]`: those to follow, and the ids of those not to.
pub(super) fn watch_lists(root: &mut Section<'_>) -> (Vec<WatchList>, Vec<i64>) {
    let mut seen = BTreeSet::new();
    let mut unfollowed = Vec::new();
    let lists = root.each("watch_lists", |mut section| {
        let has_id = section.has("id");
        let id = section.optional("id", number(1..=i64::MAX));
        if let Some(id) = id {
            section.call(format!("watch list {id}"));
            if !seen.insert(id) {
                section.wrong("id", &id.to_string(), "write each watch list once");
            }
        } else if !has_id {
            section.missing("id", "write its number in upstream, such as `id = 4`");
        }
        let name = section.optional("name", name);
        let schedule = section.optional("schedule", expression);
        let reserved = ["asset_list_id", "days", "feed_type"];
        let query = query(section.section("query"), &reserved);
        let follow = section.value("follow", true, boolean);
        let source = section.value("source", ListSource::Auto, list_source);
        section.close();
        if !follow {
            unfollowed.extend(id);
            return None;
        }
        Some(WatchList {
            id: id?,
            name,
            schedule,
            query,
            source,
            discovered: false,
        })
    });
    (bounded(root, "watch_lists", lists), unfollowed)
}

/// Reads all of `[[extra_feeds]]`.
pub(super) fn extra_feeds(root: &mut Section<'_>) -> Vec<ExtraFeed> {
    let mut seen = BTreeSet::new();
    let feeds = root.each("extra_feeds", |mut section| {
        let has_name = section.has("name");
        let name = section.optional("name", name);
        if let Some(name) = &name {
            section.call(format!("extra feed `{name}`"));
            if !seen.insert(name.clone()) {
                section.wrong("name", name, "write another name for each");
            }
        } else if !has_name {
            section.missing("name", "write what to call it, such as `name = \"All\"`");
        }
        let schedule = section.optional("schedule", expression);
        let has_query = section.has("query");
        let query = query(section.section("query"), &["days"]);
        if !has_query {
            let advice = "write what to ask for, such as `query = { feed_type = \"…\" }`";
            section.missing("query", advice);
        }
        section.close();
        Some(ExtraFeed {
            name: name?,
            schedule,
            query,
        })
    });
    bounded(root, "extra_feeds", feeds)
}

fn bounded<T>(root: &mut Section<'_>, key: &str, mut entries: Vec<T>) -> Vec<T> {
    if entries.len() > MAX_LISTS {
        let advice = format!("write at most {MAX_LISTS}");
        root.wrong(key, &format!("{} entries", entries.len()), &advice);
        entries.truncate(MAX_LISTS);
    }
    entries
}

fn list_source(node: &super::tree::Node) -> Result<ListSource, String> {
    match text(node).unwrap_or_default().as_str() {
        "auto" => Ok(ListSource::Auto),
        "feed" => Ok(ListSource::Feed),
        "json" => Ok(ListSource::Json),
        _ => Err("write `auto`, `feed` or `json`".into()),
    }
}

pub(super) fn name(node: &super::tree::Node) -> Result<String, String> {
    let name = text(node)?;
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!(
            "write one line of at most {MAX_NAME_CHARS} characters"
        ));
    }
    Ok(name)
}

/// `reserved` parameters are what the program computes itself: replacing them
/// silently would tear holes into what is covered.
fn query(mut section: Section<'_>, reserved: &[&str]) -> Vec<(String, String)> {
    let mut pairs = BTreeMap::new();
    for (key, node) in section.rest() {
        let shown = said(&node);
        if reserved.contains(&key.as_str()) {
            let advice = "leave it out, advisoryd sets it itself";
            section.wrong_at(&node.place, &key, &shown, advice);
            continue;
        }
        match query_value(&node) {
            Ok(value) => {
                pairs.insert(key, value);
            }
            Err(advice) => section.wrong_at(&node.place, &key, &shown, &advice),
        }
    }
    if pairs.len() > MAX_QUERY_PAIRS {
        let advice = format!("write at most {MAX_QUERY_PAIRS} parameters");
        section.wrong("query", &format!("{} parameters", pairs.len()), &advice);
    }
    section.close();
    pairs.into_iter().collect()
}
