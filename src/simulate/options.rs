//! Options of the simulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::compression::Compression;

/// What the simulated upstream plays. Everything follows from these values:
/// the same options (with `starts_at` set) make the same documents, byte for byte.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How many advisories there are at the start.
    pub advisories: usize,
    /// How many tickets there are at the start.
    pub tickets: usize,
    /// How many watch lists there are at the start, numbered from 1; at most [`MAX_WATCH_LISTS`].
    pub watch_lists: usize,
    /// The structure of the feed (contract §5).
    pub profile: SimulatedProfile,
    /// Everything invented follows from it.
    pub seed: u64,
    /// The one token that is accepted, 40 hexadecimal digits.
    pub token: String,
    /// How many days back the first advisory was released.
    pub history_days: u32,
    /// Whether as many advisories are rejected, extremely critical and zero-day as in the
    /// vendor's review of 2024: 23.35 %, 0.4 % and 0.7 %. Otherwise there are few rejected
    /// ones, and more of the others, so that small worlds have some.
    pub in_proportion: bool,
    /// What the simulator's clock says at the start; `None` takes this machine's.
    pub starts_at: Option<DateTime<Utc>>,
    /// What the feed does where the contract leaves it open.
    pub feed: FeedOptions,
    /// What the tickets do where the contract leaves it open.
    pub ticket: TicketOptions,
    /// The account's limits (contract §3).
    pub limits: LimitOptions,
    /// Stands in every advisory and ticket, and who wrote it: for tests of what must
    /// not leave an account.
    pub note: Option<Note>,
    /// Rows a page at most; more is silently cut down to this (contract §4).
    pub max_page_size: usize,
    /// Status for a wrong token: 401 or 403, as the contract allows both (§2).
    pub refusal_status: u16,
    /// Whether the advisories are among them that the documentation's examples ask for.
    pub has_examples: bool,
    /// Whether `POST /_control/…` is served: faults and mutations from another process.
    pub control: bool,
}

/// The set of watch lists an advisory is in is one 64-bit mask.
pub const MAX_WATCH_LISTS: usize = 64;

/// Token that the simulator accepts unless configured otherwise. It opens nothing else.
pub const DEFAULT_TOKEN: &str = "51a7e0f0ca11ab1e0000feed0000cafe00005afe";

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advisories: 1000,
            tickets: 200,
            watch_lists: 4,
            profile: SimulatedProfile::JsonNames,
            seed: 1,
            token: DEFAULT_TOKEN.to_owned(),
            history_days: 300,
            in_proportion: false,
            starts_at: None,
            feed: FeedOptions::default(),
            ticket: TicketOptions::default(),
            limits: LimitOptions::default(),
            note: None,
            max_page_size: 100,
            refusal_status: 401,
            has_examples: false,
            control: false,
        }
    }
}

/// Names of the demo's watch lists, which the documentation uses.
pub const DEMO_LISTS: [&str; 3] = ["Linux servers", "Office clients", "Network equipment"];

impl SimulatorOptions {
    /// The world of the demo, in which the documentation's examples find something: large
    /// enough to look real, small enough to be there in seconds.
    pub fn of_demo() -> Self {
        Self {
            advisories: 3000,
            tickets: 400,
            watch_lists: DEMO_LISTS.len(),
            has_examples: true,
            // The demo asks far more often than anyone would ask the vendor.
            limits: LimitOptions {
                per_minute: 0,
                ..LimitOptions::default()
            },
            ..Self::default()
        }
    }
}

/// The four structures that a feed may have (contract §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedProfile {
    /// Elements named like the JSON keys.
    JsonNames,
    /// `<root><list-item>…`, as Django REST framework's renderer writes.
    Drf,
    /// Values in attributes, a default namespace, CDATA, ISO-8859-1.
    Attributes,
    /// One CVRF 1.2 document an advisory.
    Cvrf,
}

impl SimulatedProfile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::JsonNames, Self::Drf, Self::Attributes, Self::Cvrf];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonNames => "json-names",
            Self::Drf => "drf",
            Self::Attributes => "attributes",
            Self::Cvrf => "cvrf",
        }
    }
}

/// A profile that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("profile `{name}` does not exist; write json-names, drf, attributes or cvrf")]
pub struct UnknownProfile {
    /// What was written.
    pub name: String,
}

impl FromStr for SimulatedProfile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile {
                name: name.to_owned(),
            })
    }
}

/// A note with its author.
#[derive(Debug, Clone)]
pub struct Note {
    /// What it says.
    pub text: String,
    /// Whose it is.
    pub author: String,
}

/// What the feed does where the contract says unknown (§5).
#[derive(Debug, Clone, Default)]
pub struct FeedOptions {
    /// What `days` counts.
    pub counts: FeedCounts,
    /// `None`: UTF-8, and ISO-8859-1 for [`SimulatedProfile::Attributes`].
    pub encoding: Option<Encoding>,
    /// Used when the client accepts it.
    pub compression: Option<Compression>,
    /// Whether an advisory in two lists has a different title in each, with one modified date.
    pub lists_disagree: bool,
    /// Whether its records leave out products, CVEs and description, as the JSON of
    /// the collection does.
    pub is_sparse: bool,
}

/// What the feed's `days` counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FeedCounts {
    /// Days since the advisory was first released.
    Released,
    /// Days since the advisory was last modified.
    #[default]
    Modified,
}

/// How a feed's characters become bytes. What an encoding lacks becomes `&#…;`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As nearly everybody does.
    Utf8,
    /// With a byte-order mark.
    Utf8Bom,
    /// Little endian with a byte-order mark.
    Utf16Le,
    /// Big endian with a byte-order mark.
    Utf16Be,
    /// Latin 1.
    Iso8859_1,
    /// Latin 1 as Windows has it.
    Windows1252,
}

/// What the tickets do where the contract says unknown (§6).
#[derive(Debug, Clone, Copy, Default)]
pub struct TicketOptions {
    /// Which date filters work.
    pub filters: TicketFilters,
    /// In which order collections are listed.
    pub order: ListOrder,
    /// How the values of a ticket that name something else look.
    pub shape: TicketShape,
}

/// Which of the tickets' date filters work. One that does not is ignored, and everything is returned.
#[derive(Debug, Clone, Copy)]
pub struct TicketFilters {
    /// `modified__gte` and `modified__lt`.
    pub modified: bool,
    /// `created__gte` and `created__lt`.
    pub created: bool,
}

impl Default for TicketFilters {
    fn default() -> Self {
        Self {
            modified: true,
            created: true,
        }
    }
}

/// In which order tickets and advisories are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// The oldest first: what is added comes at the end.
    #[default]
    IdAscending,
    /// The newest first: what is added moves every row by one.
    IdDescending,
    /// The last changed first: what is touched jumps to the front.
    ModifiedDescending,
}

/// How a ticket's status, priority, queue, assignee, list and advisory look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TicketShape {
    /// The working assumption of the contract.
    #[default]
    Objects,
    /// Bare numbers.
    Ids,
    /// Bare names.
    Names,
    /// Only null.
    Nulls,
    /// Each value of each ticket in a shape of its own.
    Mixed,
}

/// The account's limits (contract §3).
#[derive(Debug, Clone, Copy)]
pub struct LimitOptions {
    /// Calls a minute; 0 = no limit. Paid accounts have 250, trial accounts 60.
    pub per_minute: u32,
    /// Calls a day; 0 = no limit. Trial accounts have 1000.
    pub per_day: u32,
    /// Whole advisories a day; 0 = no limit. Trial accounts have 30. Other calls are
    /// not counted.
    pub advisories_per_day: u32,
    /// How the client learns when to come back.
    pub form: ThrottleForm,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            per_minute: 250,
            per_day: 0,
            advisories_per_day: 0,
            form: ThrottleForm::Seconds,
        }
    }
}

/// The three forms in which 429 says when to come back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleForm {
    /// `Retry-After: 37`, and the sentence in `detail`.
    #[default]
    Seconds,
    /// `Retry-After` with an HTTP date by the simulator's clock, and no digits in `detail`.
    Date,
    /// No header, only the sentence in `detail`.
    Detail,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::SimulatedProfile;

    #[test]
    fn a_profile_is_read_by_the_name_it_is_written_with() {
        for profile in SimulatedProfile::ALL {
            assert_eq!(profile.name().parse::<SimulatedProfile>().unwrap(), profile);
        }
        let error = "xml".parse::<SimulatedProfile>().unwrap_err().to_string();
        assert!(error.contains("`xml`") && error.contains("cvrf"), "{error}");
    }
}
