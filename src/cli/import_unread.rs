//! What `import` says of values that could not be read, and of records that were repaired.

use serde::Serialize;

use super::output::print_done;
use super::table::width;
use super::wrap::wrapped;
use crate::model::{counted, outgoing_within};
use crate::store::reports::unread::{Count, UnrecognisedValues};

/// Names in the line at most; JSON has all.
const MOST: usize = 5;
/// Longest name in the line, in characters.
const NAME_CHARS: usize = 60;

/// The counts, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct UnreadLine {
    repaired: i64,
    unread_values: i64,
    unread_fields: Vec<String>,
    unknown_fields: Vec<String>,
}

impl UnreadLine {
    pub(super) fn of(unread: &UnrecognisedValues) -> Self {
        let name = |one: Count<'_>| one.name.to_owned();
        Self {
            repaired: unread.repaired(),
            unread_values: unread.values().map(|one| one.advisories).sum(),
            unread_fields: unread.values().map(name).collect(),
            unknown_fields: unread.unknown_fields().map(name).collect(),
        }
    }

    /// One line, if there is something to say.
    pub(super) fn print(&self) {
        let Self {
            repaired,
            unread_values,
            unread_fields,
            unknown_fields,
        } = self;
        let mut parts = Vec::new();
        if *repaired > 0 {
            parts.push(format!("{} repaired", counted(*repaired, "damaged record")));
        }
        if *unread_values > 0 {
            let values = counted(*unread_values, "value");
            parts.push(format!("{values} not read ({})", named(unread_fields)));
        }
        if !unknown_fields.is_empty() {
            let fields = counted(unknown_fields.len(), "unknown field");
            parts.push(format!("{fields} ({})", named(unknown_fields)));
        }
        if !parts.is_empty() {
            let line = format!(
                "  {}; `advisoryd show` prints them as unrecognised",
                parts.join("; ")
            );
            print_done(&wrapped(&line, 2, width()));
        }
    }
}

fn named(names: &[String]) -> String {
    let more = if names.len() > MOST { ", …" } else { "" };
    let names = names.iter().take(MOST);
    let names: Vec<String> = names
        .map(|name| outgoing_within(name, NAME_CHARS))
        .collect();
    format!("{}{more}", names.join(", "))
}
