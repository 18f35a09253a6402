//! `[[watch_lists]]` and `[[extra_feeds]]`: the feeds that are synced.

use std::collections::{BTreeMap, BTreeSet};

use super::cron::{CronExpression, expression};
use super::section::{Section, configured_value};
use super::setting_error::{NOT_SHOWN, quoted};
use super::values::{any_text, boolean, number, query_value, text};
use crate::config::advice::Advice;

/// More lists than any account has; each needs at least one request per sync.
const MAX_LISTS: usize = 1000;
/// Maximum length of the name of a list or feed, in characters: names become metric labels and table columns.
const MAX_NAME_CHARS: usize = 200;
/// More query parameters than any feed accepts.
const MAX_QUERY_PAIRS: usize = 32;

/// `[[watch_lists]]`: one watch list whose feed is synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchList {
    /// The ID that upstream uses for it, positive.
    pub id: i64,
    /// Display name; if omitted, the ID is shown.
    pub name: Option<String>,
    /// When it is synced; default: `[schedule] feeds`.
    pub schedule: Option<CronExpression>,
    /// Additional query parameters, sorted by name.
    pub query: Vec<(String, String)>,
    /// Source of its advisories. Default: auto.
    pub source: ListSource,
    /// Found by `[discovery]` and not named in the configuration.
    pub discovered: bool,
}

impl WatchList {
    /// A list that the configuration does not name.
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

/// Source of the advisories of a watch list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListSource {
    /// The feed; the JSON API while the feed is not recognised or the request is rejected.
    #[default]
    Auto,
    /// Only the feed.
    Feed,
    /// Only the JSON API.
    Json,
}

/// `[[extra_feeds]]`: an additional feed that belongs to no watch list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFeed {
    /// Display name; unique.
    pub name: String,
    /// When it is synced; default: `[schedule] feeds`.
    pub schedule: Option<CronExpression>,
    /// Query parameters, sorted by name; at least one.
    pub query: Vec<(String, String)>,
}

/// Reads `[[watch_lists]]`: the lists to follow, and the IDs of those with `follow = false`.
pub(super) fn watch_lists(root: &mut Section<'_>) -> (Vec<WatchList>, Vec<i64>) {
    let mut seen = Seen::default();
    let mut unfollowed = Vec::new();
    let lists = root.each("watch_lists", |mut section| {
        let has_id = section.has("id");
        let id = section.optional("id", list_id);
        if let Some(id) = id {
            section.call(format!("watch list {id}"));
        } else if !has_id {
            section.missing(
                "id",
                "add its ID, the number in its address in SVR, such as `id = 4`",
            );
        }
        let name = section.optional("name", name);
        seen.add(&mut section, id, name.as_deref());
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

/// The id of a list. People know its name, so a name is what some write.
fn list_id(node: &super::tree::SettingNode) -> Result<i64, Advice> {
    number(1..=i64::MAX)(node).map_err(|_| {
        let text = any_text(node).unwrap_or_default();
        let is_name = text.contains(char::is_alphabetic);
        let name = if is_name {
            "; a name belongs in `name`"
        } else {
            ""
        };
        Advice::bare(format!(
            "expected the number of the list, such as `id = 4`{name}"
        ))
    })
}

/// Warns of lists with the same name: neither can be chosen by it.
pub(super) fn same_names(lists: &[WatchList]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let named = lists.iter().filter_map(|list| list.name.as_deref());
    let again = named.filter(|name| !seen.insert(name.to_lowercase()));
    let warnings = again.map(|name| {
        format!(
            "several watch lists have the name `{}`; give each its own",
            quoted(name)
        )
    });
    warnings.collect()
}

/// The watch lists that were read before.
#[derive(Default)]
struct Seen {
    entries: Vec<(Option<i64>, Option<String>)>,
}

impl Seen {
    /// Reports an id that another entry has, too.
    fn add(&mut self, section: &mut Section<'_>, id: Option<i64>, name: Option<&str>) {
        let number = self.entries.len() + 1;
        let called = |name: Option<&str>| match name {
            Some(name) => format!(" (`{}`)", quoted(name)),
            None => String::new(),
        };
        for (at, (other_id, other)) in self.entries.iter().enumerate() {
            let (at, other) = (at + 1, other.as_deref());
            if let Some(id) = id.filter(|id| Some(*id) == *other_id) {
                let (one, two) = (called(other), called(name));
                let text = format!("entries {at}{one} and {number}{two} have the same id {id}");
                section.say("id", text);
            } else {
                continue;
            }
            break;
        }
        self.entries.push((id, name.map(str::to_owned)));
    }
}

/// Reads `[[extra_feeds]]`.
pub(super) fn extra_feeds(root: &mut Section<'_>) -> Vec<ExtraFeed> {
    let mut seen = BTreeSet::new();
    let feeds = root.each("extra_feeds", |mut section| {
        let has_name = section.has("name");
        let name = section.optional("name", name);
        if let Some(name) = &name {
            section.call(format!("extra feed `{name}`"));
            if !seen.insert(name.clone()) {
                section.wrong("name", name, "expected a unique name");
            }
        } else if !has_name {
            section.missing("name", "add one, such as `name = \"All\"`");
        }
        let schedule = section.optional("schedule", expression);
        let has_query = section.has("query");
        let query = query(section.section("query"), &["days"]);
        if !has_query {
            let advice = "add the query parameters, such as `query = { feed_type = \"…\" }`";
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
        let advice = format!("expected at most {MAX_LISTS}");
        root.wrong(key, &format!("{} entries", entries.len()), &advice);
        entries.truncate(MAX_LISTS);
    }
    entries
}

fn list_source(node: &super::tree::SettingNode) -> Result<ListSource, Advice> {
    match text(node).unwrap_or_default().as_str() {
        "auto" => Ok(ListSource::Auto),
        "feed" => Ok(ListSource::Feed),
        "json" => Ok(ListSource::Json),
        other => Err(Advice::one_of(other, &["auto", "feed", "json"])),
    }
}

pub(super) fn name(node: &super::tree::SettingNode) -> Result<String, Advice> {
    let name = text(node)?;
    if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!("expected one line of at most {MAX_NAME_CHARS} characters").into());
    }
    Ok(name)
}

/// `reserved` parameters are computed by advisoryd: overriding them would
/// silently create gaps in the coverage.
fn query(mut section: Section<'_>, reserved: &[&str]) -> Vec<(String, String)> {
    let mut pairs = BTreeMap::new();
    for (key, node) in section.rest() {
        if reserved.contains(&key.as_str()) {
            let advice = "remove it; advisoryd sets it";
            section.wrong_at(&node.origin, &key, &configured_value(&node), &advice.into());
            continue;
        }
        match query_value(&node) {
            Ok(value) => {
                pairs.insert(key, value);
            }
            Err(advice) => section.wrong_at(&node.origin, &key, NOT_SHOWN, &advice),
        }
    }
    if pairs.len() > MAX_QUERY_PAIRS {
        let advice = format!("expected at most {MAX_QUERY_PAIRS} parameters");
        section.wrong("query", &format!("{} parameters", pairs.len()), &advice);
    }
    section.close();
    pairs.into_iter().collect()
}
