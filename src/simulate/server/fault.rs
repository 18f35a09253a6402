//! Fault injection.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::simulate::feed::Damage;
use crate::simulate::options::ThrottleForm;

use super::lock::locked;

/// Something that goes wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFault {
    /// This status and a short body.
    Status(u16),
    /// 429, "come back in `seconds`" in one of the three forms.
    Throttled {
        /// How it is said.
        form: ThrottleForm,
        /// Until when.
        seconds: u32,
    },
    /// A TCP reset after so many bytes of the body; 0: before anything is answered.
    Reset {
        /// Of the body.
        after_bytes: usize,
    },
    /// Silence after so many bytes of the body, until the client goes away.
    Stall {
        /// Of the body.
        after_bytes: usize,
    },
    /// The body ends too early.
    Truncate {
        /// Of the body.
        after_bytes: usize,
        /// `false`: `Content-Length` promised more. `true`: the answer ends as
        /// an answer should, only its content is cut.
        clean: bool,
    },
    /// A page for people, with status 200.
    Html200,
    /// JSON instead of a feed, plain text instead of JSON.
    WrongType,
    /// The page's `next` says this.
    EvilNext(String),
    /// 302 to this URL.
    RedirectTo(String),
    /// Date filters are not applied.
    IgnoredFilter,
    /// Date filters read their values in milliseconds.
    FilterInMilliseconds,
    /// A small gzip body that unpacks to so many MiB, far more than any feed.
    GzipBomb {
        /// Unpacked.
        mebibytes: u32,
    },
    /// Something is wrong within the feed's document.
    Damaged(Damage),
    /// The body comes slowly.
    Slow {
        /// At most.
        bytes_per_second: u32,
    },
    /// The body stops after so many bytes and goes on when the gate is opened.
    Hold {
        /// Of the body.
        after_bytes: usize,
        /// Name of the gate.
        gate: String,
    },
    /// The `Date` header differs from the clock by so much.
    DateShift {
        /// Added to the time.
        seconds: i64,
    },
    /// The answer comes from a cache: its `Date` says nothing about now.
    Cached,
    /// Right after a page of tickets or advisories is made, its first rows are touched,
    /// and an advisory is published.
    RowsMove {
        /// How many of the page's rows.
        rows: usize,
    },
}

/// When a fault strikes: at the next requests whose path and query contain a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: AnswerFault,
    /// Part of the path and query; empty: every request.
    #[serde(default)]
    pub path_contains: String,
    /// So many matching requests go well first.
    #[serde(default)]
    pub skip: u32,
    /// So many matching requests then go wrong.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

impl FaultRule {
    /// Strikes once, at the next request.
    pub fn new(fault: AnswerFault) -> Self {
        Self {
            fault,
            path_contains: String::new(),
            skip: 0,
            times: 1,
        }
    }

    /// Only at requests whose path and query contain `text`.
    #[must_use]
    pub fn on(mut self, text: &str) -> Self {
        text.clone_into(&mut self.path_contains);
        self
    }

    /// Only after so many matching requests went well.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// So many times instead of once.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// The rules in force. The first that matches strikes.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<FaultRule>>,
}

impl Faults {
    /// Adds a rule behind those in force.
    pub fn inject(&self, rule: FaultRule) {
        locked(&self.rules).push(rule);
    }

    /// Everything goes well again.
    pub fn clear(&self) {
        locked(&self.rules).clear();
    }

    /// How many strikes are still to come.
    pub fn left(&self) -> u64 {
        locked(&self.rules)
            .iter()
            .map(|rule| u64::from(rule.times))
            .sum()
    }

    /// What goes wrong with a request for `target`; used up by asking.
    pub fn strike(&self, target: &str) -> Option<AnswerFault> {
        let mut rules = locked(&self.rules);
        let matching = rules
            .iter()
            .position(|rule| target.contains(&rule.path_contains))?;
        let rule = &mut rules[matching];
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        let fault = rule.fault.clone();
        rule.times = rule.times.saturating_sub(1);
        if rule.times == 0 {
            rules.remove(matching);
        }
        Some(fault)
    }
}
