//! Memory: what is small on the wire and large in memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt as _;

use crate::support::settings::Schedule;
use crate::support::{PATIENCE, Running, World, eventually, world_of_documents};

/// Unpacked size of a bomb, in bytes.
const UNPACKED: usize = 60 << 20;
/// As many details as are requested at once.
const AT_ONCE: i64 = 4;
/// Peak memory of the daemon, in kB.
const LIMIT_KB: u64 = 128 << 10;
/// The same while a row of almost 16 MiB is kept whole although it cannot be repaired.
const CONTROLS_LIMIT_KB: u64 = 224 << 10;

/// What a body consists of, between its beginning and its end.
#[derive(Debug, Clone, Copy)]
enum Filling {
    /// Millions of values.
    Zeros,
    /// One long string: few values, many bytes.
    Letters,
    /// Control characters as they are, which become six times as long when they are repaired.
    Controls,
    /// This many small objects within each other, each far larger in memory than on the wire.
    Objects(usize),
    /// A flat array of so many empty strings, just below the limit of values.
    Strings(usize),
    /// The same of numbers.
    Numbers(usize),
    /// The same of empty objects, each of which counts as several values.
    Empty(usize),
    /// An object with so many keys.
    Pairs(usize),
    /// So many keys of the row itself.
    Fields(usize),
}

/// What can be read: just below the limit of values.
const FLAT: [Filling; 5] = [
    Filling::Strings(199_900),
    Filling::Numbers(199_900),
    Filling::Empty(22_200),
    Filling::Pairs(66_600),
    Filling::Fields(66_600),
];

impl Filling {
    fn text(self) -> Vec<u8> {
        match self {
            Self::Zeros => b"0,".repeat(UNPACKED / 2),
            Self::Letters => [b"\"", "x".repeat(UNPACKED).as_bytes(), b"\","].concat(),
            Self::Controls => [b"{\"x\":\"", &*vec![1; 15 << 20], b"\"},"].concat(),
            Self::Objects(count) => b"{\"a\":{\"b\":{\"c\":0}}},".repeat(count),
            Self::Strings(count) => array("\"\"", count),
            Self::Numbers(count) => array("7", count),
            Self::Empty(count) => array("{}", count),
            Self::Pairs(count) => format!("\"zz\":{{{}}}", fields(count)).into_bytes(),
            Self::Fields(count) => fields(count).into_bytes(),
        }
    }

    /// Whether it is a part of a row that can be read.
    fn is_readable(self) -> bool {
        matches!(
            self,
            Self::Strings(_) | Self::Numbers(_) | Self::Empty(_) | Self::Pairs(_) | Self::Fields(_)
        )
    }

    /// A detail of this advisory, compressed.
    async fn detail(self, said: &str) -> Bytes {
        let start = format!("{{\"advisory_identifier\":\"{said}\",\"title\":\"T\",");
        if self.is_readable() {
            return self.packed(&start, "}").await;
        }
        self.packed(&format!("{start}\"zz\":["), "0]}").await
    }

    /// A page of tickets, compressed.
    async fn page(self) -> Bytes {
        let start = "{\"count\":1,\"next\":null,\"results\":[";
        if self.is_readable() {
            return self.packed(&format!("{start}{{\"id\":1,"), "}]}").await;
        }
        self.packed(start, "0]}").await
    }

    async fn packed(self, start: &str, end: &str) -> Bytes {
        let text = [start.as_bytes(), &self.text(), end.as_bytes()].concat();
        let mut packed = GzipEncoder::new(Vec::new());
        packed.write_all(&text).await.unwrap();
        packed.shutdown().await.unwrap();
        Bytes::from(packed.into_inner())
    }
}

/// A field with an array of this value so many times.
fn array(value: &str, count: usize) -> Vec<u8> {
    let values = format!("{value},").repeat(count - 1);
    format!("\"zz\":[{values}{value}]").into_bytes()
}

fn fields(count: usize) -> String {
    let fields = (0..count).map(|number| format!("\"k{number}\":{number}"));
    fields.collect::<Vec<_>>().join(",")
}

struct Upstream {
    simulator: String,
    filling: Filling,
    /// A detail that cannot be read, of whatever advisory.
    detail: Bytes,
    tickets: Bytes,
}

/// The simulator, but details and tickets are bombs.
async fn answer(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_detail = path.starts_with("/api/advisories/SA");
    if is_detail || path.starts_with("/api/tickets/") {
        let said = path.trim_end_matches('/').rsplit('/').next().unwrap();
        let body = match (is_detail, upstream.filling.is_readable()) {
            (true, true) => upstream.filling.detail(said).await,
            (true, false) => upstream.detail.clone(),
            (false, _) => upstream.tickets.clone(),
        };
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CONTENT_ENCODING, "gzip"),
        ];
        return (headers, body).into_response();
    }
    let url = format!("{}{}", upstream.simulator, request.uri());
    let token = request.headers()["authorization"].clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "it stands between two parts of the test"
    )]
    let client = reqwest::Client::new();
    let answer = client
        .get(url)
        .header("authorization", token)
        .send()
        .await
        .unwrap();
    let date = answer.headers()["date"].clone();
    let kind = answer.headers()[CONTENT_TYPE.as_str()].clone();
    (
        [("date", date), ("content-type", kind)],
        answer.bytes().await.unwrap(),
    )
        .into_response()
}

async fn upstream(world: &World, filling: Filling) -> SocketAddr {
    // Fails only if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let upstream = Arc::new(Upstream {
        simulator: world.simulator.base_url(),
        filling,
        detail: filling.detail("SA1").await,
        tickets: filling.page().await,
    });
    assert!(upstream.detail.len() < 1 << 20, "{}", upstream.detail.len());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(upstream);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A line of the state of the daemon's process, in kB: `VmHWM:` is the peak of its memory.
fn memory_kb(daemon: &Running, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_that_unpacks_to_60_mb_keeps_the_daemon_small() {
    for filling in [
        Filling::Zeros,
        Filling::Letters,
        Filling::Controls,
        Filling::Objects(45_000),
        // Just below the limit.
        Filling::Objects(7_900),
    ]
    .into_iter()
    .chain(FLAT)
    {
        let peak = peak_of(filling).await;
        eprintln!("peak memory with {AT_ONCE} bombs of {filling:?} at once: {peak} kB");
        let limit = match filling {
            Filling::Controls => CONTROLS_LIMIT_KB,
            _ => LIMIT_KB,
        };
        assert!(peak < limit, "{filling:?}: {peak} kB");
    }
}

/// Peak memory of a daemon that reads such details and tickets, in kB.
async fn peak_of(filling: Filling) -> u64 {
    let mut world = World::new().await;
    world.settings.schedule = Schedule::never();
    world.settings.feeds.details = Some("always");
    let address = upstream(&world, filling).await;
    world.settings.upstream.base_url = Some(format!("http://{address}"));
    let mut daemon = Running::start(&mut world.command(&["run"]));
    eventually("details and tickets that were not read", PATIENCE, async || {
        let details = world
            .count("select (select coalesce(sum(attempts), 0)::bigint from advisoryd.wanted_detail) + (select count(*) from advisoryd.detail)")
            .await;
        // A row that is too large is quarantined; too many rows fail the run.
        let tickets = world
            .count("select count(*) from advisoryd_v1.sync_runs where job = 'tickets' and (outcome = 'failed' or quarantined > 0 or added > 0)")
            .await;
        (details >= AT_ONCE && tickets > 0).then_some(())
    })
    .await;
    let peak = memory_kb(&daemon, "VmHWM:");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    peak
}

/// Half of the largest record that is read.
const LARGE_RECORD: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn large_records_of_many_lists_take_turns() {
    let one = peak_with_lists(1).await;
    let six = peak_with_lists(6).await;
    eprintln!("peak memory with a large record in one list {one} kB, in each of six {six} kB");
    // Each connection to the database keeps a buffer. Without turns it is more than twice
    // as much, and grows with the number of lists.
    assert!(six < 2 * one, "{six} kB, and {one} kB with one list");
}

/// A document with one record that has so many bytes.
fn of_one_record(number: i64, bytes: usize) -> String {
    let filling = "<a/>".repeat(bytes / 4);
    format!(
        "<advisories><advisory><advisory_identifier>SA{number}</advisory_identifier>\
         <title>T</title><criticality>1</criticality>{filling}</advisory></advisories>"
    )
}

/// Peak memory of a daemon that reads so many lists of one large record each, in kB.
async fn peak_with_lists(lists: i64) -> u64 {
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some((1..=lists).collect());
    world.settings.tickets.enabled = Some(false);
    world.settings.schedule = Schedule::never();
    for list in 1..=lists {
        documents.set(list, of_one_record(list, LARGE_RECORD));
    }
    let mut daemon = Running::start(&mut world.command(&["run"]));
    eventually("all records", PATIENCE, async || {
        let received = world
            .count("select (select count(*) from advisoryd_v1.advisories) + (select count(*) from advisoryd_v1.quarantine)")
            .await;
        (received >= lists).then_some(())
    })
    .await;
    let peak = memory_kb(&daemon, "VmHWM:");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    peak
}

/// Almost the largest record that is read.
const LARGEST_RECORD: usize = 15 << 20;
/// Peak memory of a daemon that pulls six lists with such a record again and again, in kB. It has
/// too many elements, so that it is parsed, and put into quarantine, each time.
/// It was 320 MB while the connections kept their buffers, and the heap what was freed.
const LARGEST_LIMIT_KB: u64 = 192 << 10;
/// Its memory between two of these records, in kB.
const GIVEN_BACK_KB: u64 = 112 << 10;
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_gives_back_the_memory_of_large_records() {
    const LISTS: i64 = 6;
    let (mut world, documents) = world_of_documents().await;
    world.lists = Some((1..=LISTS).collect());
    world.settings.tickets.enabled = Some(false);
    world.settings.schedule = Schedule::never();
    world.settings.schedule.feeds = Some("*/2 * * * * *");
    for list in 1..=LISTS {
        documents.set(list, of_one_record(list, LARGEST_RECORD));
    }
    let mut daemon = Running::start(&mut world.command(&["run"]));
    eventually("two pulls of each list", PATIENCE, async || {
        let pulled = world
            .count("select count(*) from (select from advisoryd_v1.sync_runs where job = 'feed' and finished_at is not null group by watch_list_id having count(*) >= 2) as list")
            .await;
        (pulled == LISTS).then_some(())
    })
    .await;
    let peak = memory_kb(&daemon, "VmHWM:");
    let mut lowest = u64::MAX;
    eventually("memory that is given back", GIVEN_BACK_WITHIN, async || {
        lowest = lowest.min(memory_kb(&daemon, "VmRSS:"));
        (lowest < GIVEN_BACK_KB).then_some(())
    })
    .await;
    eprintln!("peak memory {peak} kB, then {lowest} kB");
    assert!(peak < LARGEST_LIMIT_KB, "{peak} kB");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}

/// A page of tickets that is sent whole, whatever page size is asked for: so many rows of so
/// many bytes.
#[derive(Clone, Copy)]
struct Page {
    rows: usize,
    bytes: usize,
}

/// The page, row by row, and how often it was asked for.
async fn page(State((page, asked)): State<(Page, Arc<AtomicUsize>)>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let json = [(CONTENT_TYPE, "application/json")];
    if request.uri().path() != "/api/tickets/" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if query.contains("page_size=1&") || query.ends_with("page_size=1") || query.contains("__") {
        let none = "{\"count\":0,\"next\":null,\"results\":[]}";
        return (json, none).into_response();
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let start = format!("{{\"count\":{},\"next\":null,\"results\":[", page.rows);
    let rows = (0..page.rows).map(move |id| {
        let comma = if id > 0 { "," } else { "" };
        let text = match page.bytes {
            0 => String::new(),
            bytes => format!(",\"title\":\"{}\"", "x".repeat(bytes)),
        };
        format!("{comma}{{\"id\":{id}{text}}}")
    });
    let pieces = std::iter::once(start)
        .chain(rows)
        .chain([String::from("]}")]);
    let pieces = pieces.map(Ok::<_, std::convert::Infallible>);
    (json, Body::from_stream(futures_util::stream::iter(pieces))).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_far_too_large_is_stored_in_parts_as_it_arrives() {
    for (rows, bytes) in [(50_000, 0), (100, 1 << 20)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = (Page { rows, bytes }, Arc::clone(&asked));
        let router = Router::new().fallback(page).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let mut world = World::new().await;
        world.settings.schedule = Schedule::never();
        world.settings.upstream.base_url = Some(format!("http://{address}"));
        let mut daemon = Running::start(&mut world.command(&["run"]));
        eventually("the end of a scan", 3 * PATIENCE, async || {
            let ended = "select count(*) from advisoryd_v1.sync_runs where job = 'tickets' and outcome <> 'running'";
            (world.count(ended).await > 0).then_some(())
        })
        .await;
        let peak = memory_kb(&daemon, "VmHWM:");
        daemon.signal(Signal::SIGTERM);
        assert!(daemon.ended().await.success());
        let stored = world
            .count("select count(*) from advisoryd_v1.tickets")
            .await;
        assert_eq!(usize::try_from(stored), Ok(rows));
        eprintln!("peak memory with {rows} rows of {bytes} bytes on a page: {peak} kB");
        assert!(peak < LIMIT_KB, "{rows} rows of {bytes} bytes: {peak} kB");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
