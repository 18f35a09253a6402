//! The program's promises, tested through its front door: a real PostgreSQL,
//! the built binary, and where upstream is needed, a server that plays it.
//!
//! One test binary, so that one cluster serves all.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what failed by panicking"
)]

mod acknowledgements;
mod alert_clocks;
mod alert_commands;
mod alert_contents;
mod alert_crashes;
mod alert_daemons;
mod alert_property;
mod alert_queue;
mod alert_receivers;
mod alert_rules;
mod alerts;
mod bombs;
mod capture;
mod clocks;
mod cluster;
mod commands;
mod crash_points;
mod cut_short;
mod daemon;
mod damaged_pages;
mod databases;
mod details;
mod discovery;
mod docs_sql;
mod encodings;
mod endless;
mod erase;
mod explain;
mod facts;
mod failover;
mod feed_crashes;
mod feed_damage;
mod feed_faults;
mod feed_property;
mod feed_quarantine;
mod feed_refused;
mod feed_repair;
mod feed_siblings;
mod feed_unchanged;
mod feed_versions;
mod feed_windows;
mod feeds;
mod filter;
mod filter_property;
mod following;
mod fuzz_corpus;
mod fuzzed;
mod health;
mod heartbeat;
mod history;
mod history_property;
mod http_port;
mod import;
mod inspect;
mod json_lists;
mod layers;
mod leases;
mod list_contents;
mod list_grows;
mod list_members;
mod list_quiet;
mod migrations;
mod missing_lists;
mod monitoring;
mod notices;
mod outages;
mod outgoing;
mod poolers;
mod promises;
mod prove;
mod quarantine;
mod questions;
mod receipts;
mod reconcile;
mod refused_values;
mod repeated_rows;
mod replay;
mod retention;
mod samples;
mod schedules;
mod search_path;
mod seen_by_users;
mod service;
mod sinks;
mod sinks_alertmanager;
mod sinks_command;
mod sinks_email;
mod sinks_webhook;
mod support;
mod support_itself;
mod surface;
mod sweep;
mod tickets;
mod tls;
mod transfer;
mod unknown_fields;
