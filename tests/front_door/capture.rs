//! What upstream really sends, taken for somebody else to see.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use advisoryd::simulate::{
    AnswerFault, DEFAULT_TOKEN, Encoding, FaultRule, FeedCounts, Note, SimulatedProfile,
    SimulatorOptions, ThrottleForm, TicketShape,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::settings::WatchList;
use crate::support::{CommandResult, World, assert_reads, small};

/// What must never be seen, and stands in every advisory and ticket.
const NOTE: &str = "Ask jane.roe@corp-mail.test or Jane Roe on fileserver7.corp.test (10.20.30.40, fd00:1:2::3), \
                    \\\\fileserver7\\share, http://jroe:hunter2@intranet7:8080/x, \
                    C:\\Users\\jdoe\\list.txt, /home/jdoe/list.txt, +49 30 901820-17";
const SECRETS: [&str; 17] = [
    "jdoe",
    "901820",
    "jane",
    "roe",
    "corp-mail",
    "fileserver7",
    "10.20.30.40",
    "fd00:1:2",
    "intranet7",
    "hunter2",
    "printers of",
    "web-7",
    "not-for-scripts",
    "127.0.0.1",
    "ada",
    "chiara",
    "dmitri",
];

/// A world whose data give people and machines away.
async fn telling(change: impl FnOnce(&mut SimulatorOptions)) -> World {
    let mut options = SimulatorOptions {
        watch_lists: 2,
        // No advisory lies just at the edge of a day.
        history_days: 299,
        note: Some(Note {
            text: NOTE.to_owned(),
            author: "Jane Roe".to_owned(),
        }),
        ..small()
    };
    change(&mut options);
    let world = World::with(options).await;
    world.simulator.rename_watch_list(1, "Printers of Jane Roe");
    world
}

fn capture(world: &World, out: &Path, more: &[&str]) -> CommandResult {
    let mut arguments = vec!["capture", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    world.cli(&arguments)
}

/// Every file of a folder, by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Words of a text, in small letters, that nobody may see.
fn seen_secrets(text: &str) -> Vec<&'static str> {
    let is_word = |at: usize, secret: &str| {
        let before = text[..at].chars().next_back();
        let after = text[at + secret.len()..].chars().next();
        !before.into_iter().chain(after).any(char::is_alphanumeric)
    };
    let is_seen = |secret: &&&str| {
        text.match_indices(**secret)
            .any(|(at, _)| is_word(at, secret))
    };
    SECRETS.iter().filter(is_seen).copied().collect()
}

/// What a file's name says that it is.
fn kind(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

fn assert_well_formed(name: &str, bytes: &[u8]) {
    if kind(name) == "json" {
        serde_json::from_slice::<Value>(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    } else if kind(name) == "xml" {
        let (text, ..) = encoding_rs::Encoding::for_bom(bytes)
            .map_or(encoding_rs::UTF_8, |(encoding, _)| encoding)
            .decode(bytes);
        let mut reader = quick_xml::Reader::from_str(&text);
        while !matches!(
            reader
                .read_event()
                .unwrap_or_else(|error| panic!("{name}: {error}")),
            quick_xml::events::Event::Eof
        ) {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_and_nobodys_address_or_name_is_in_any_file() {
    for profile in SimulatedProfile::ALL {
        let world = telling(|options| options.profile = profile).await;
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new");
        let result = capture(&world, &out, &[]);
        assert_eq!(result.code, 0, "{result:?}");
        let token = DEFAULT_TOKEN.to_lowercase();
        for (name, bytes) in files(&out) {
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            assert_eq!(seen_secrets(&text), Vec::<&str>::new(), "{name}: {text}");
            assert!(!text.contains(&token), "{name}");
            assert_well_formed(&name, &bytes);
            let mode = std::fs::metadata(out.join(&name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let mode = std::fs::metadata(&out).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_is_private_and_of_ones_own() {
    let world = telling(|_| {}).await;
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&open, &link).unwrap();
    let result = capture(&world, &link, &[]);
    assert_eq!(result.code, 1, "a symbolic link: {result:?}");
    assert!(files(&open).is_empty());
    let result = capture(&world, &open, &[]);
    assert_eq!(result.code, 0, "{result:?}");
    let mode = std::fs::metadata(&open).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // Needs root, who alone can give a directory away.
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    if std::os::unix::fs::chown(&foreign, Some(65534), None).is_ok() {
        let result = capture(&world, &foreign, &[]);
        assert_eq!(result.code, 1, "{result:?}");
        assert!(
            result
                .stderr
                .contains("belongs to another user (uid 65534)"),
            "{result:?}"
        );
        assert!(files(&foreign).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_sees_get_and_options_as_often_as_was_said_and_one_wrong_token() {
    let world = telling(|_| {}).await;
    let dir = tempfile::tempdir().unwrap();
    let result = capture(&world, dir.path(), &[]);
    assert_reads!(result);
    let seen = world.simulator.requests();
    let methods: BTreeSet<String> = seen.iter().map(|request| request.method.clone()).collect();
    assert_eq!(methods.into_iter().collect::<Vec<_>>(), ["GET", "OPTIONS"]);
    assert!(seen.len() <= 19, "{}", seen.len());
    let wrong = |request: &&_| {
        let request: &&advisoryd::simulate::SeenRequest = request;
        request.authorization != Some(format!("Token {DEFAULT_TOKEN}"))
    };
    let wrong: Vec<_> = seen.iter().filter(wrong).collect();
    assert_eq!(wrong.len(), 1);
    assert!([401, 403].contains(&wrong[0].status));
    assert!(seen.iter().all(|request| request.cookie.is_none()));
    // Nothing was written down anywhere else.
    assert_eq!(
        world
            .count("select count(*) from pg_tables where tablename = 'nothing'")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_answers_make_equal_replacements_and_structure_survives() {
    let world = telling(|options| options.ticket.shape = TicketShape::Objects).await;
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a"), dir.path().join("b"));
    assert_eq!(capture(&world, &first, &[]).code, 0);
    assert_eq!(capture(&world, &second, &[]).code, 0);
    let bodies = |folder: &Path| {
        let mut all = files(folder);
        // Those say when they were asked.
        all.retain(|name, _| {
            !name.contains("answer.json")
                && !name.contains("report")
                && !name.contains("advisories")
        });
        all
    };
    assert_eq!(bodies(&first), bodies(&second));
    let all = files(&first);
    let json = |part: &str| -> Value {
        let (_, bytes) = all.iter().find(|(name, _)| name.ends_with(part)).unwrap();
        serde_json::from_slice(bytes).unwrap()
    };
    let (page, ticket) = (json("-tickets.json"), json("-ticket.json"));
    assert_eq!(page["results"][0], ticket, "the same everywhere");
    assert!(ticket["id"].is_i64() && ticket["created"].as_str().unwrap().ends_with('Z'));
    let list = json("-asset-list.json")["name"].clone();
    assert!(list.as_str().unwrap().starts_with("name-"), "{list}");
    let lists: Vec<Value> = page["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["asset_list"].clone())
        .collect();
    let same = lists.iter().filter(|found| found["id"] == 1);
    assert!(
        same.map(|found| &found["name"]).all(|name| *name == list),
        "{lists:?}"
    );
    let next = page["next"].as_str().unwrap();
    assert!(
        next.starts_with("http://upstream.example/api/v1/tickets/?"),
        "{next}"
    );
    // What was taken can be read like what was sent.
    let feed = all
        .keys()
        .find(|name| name.contains("feed-1") && kind(name) == "xml")
        .unwrap();
    let inspect = world.cli(&["inspect", "--json", first.join(feed).to_str().unwrap()]);
    let inspected: Value = serde_json::from_str(&inspect.stdout).unwrap();
    assert_eq!(inspected["first"]["profile"], "json-names", "{inspected}");
    let description = first.join(feed);
    let description = std::fs::read_to_string(description).unwrap();
    assert!(
        description.contains("Ask mail-1@mail.example or"),
        "{description}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_is_as_it_came() {
    let world = telling(|options| options.feed.encoding = Some(Encoding::Utf16Le)).await;
    let dir = tempfile::tempdir().unwrap();
    let result = capture(&world, dir.path(), &["--raw"]);
    assert_reads!(result);
    let all = files(dir.path());
    let (_, feed) = all
        .iter()
        .find(|(name, _)| name.ends_with("days-1.xml") || name.ends_with("days-365.xml"))
        .unwrap();
    assert_eq!(&feed[..2], b"\xff\xfe");
    let (_, ticket) = all
        .iter()
        .find(|(name, _)| name.ends_with("-ticket.json"))
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(ticket).unwrap(),
        world.simulator.ticket(1).unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_cut_where_a_record_ends() {
    for profile in SimulatedProfile::ALL {
        let world = telling(|options| {
            options.profile = profile;
            options.advisories = 200;
            options.history_days = 1;
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let result = capture(
            &world,
            dir.path(),
            &["--max-body", "40KiB", "--watch-list", "1"],
        );
        assert_eq!(result.code, 0, "{result:?}");
        let all = files(dir.path());
        let (name, feed) = all
            .iter()
            .find(|(name, _)| name.ends_with("feed-1-days-1.xml"))
            .unwrap();
        assert!(
            feed.len() < 60 * 1024 && feed.len() > 10 * 1024,
            "{}",
            feed.len()
        );
        if profile != SimulatedProfile::Attributes {
            assert_well_formed(name, feed);
        }
        let report: Value = serde_json::from_slice(&all["report.json"]).unwrap();
        let calls = report["calls"].as_array().unwrap();
        assert_eq!(calls.last().unwrap()["cut"], true, "{calls:?}");
        let inspect = world.cli(&["inspect", "--json", dir.path().join(name).to_str().unwrap()]);
        let inspected: Value = serde_json::from_str(&inspect.stdout).unwrap();
        assert!(inspected["records"].as_u64().unwrap() > 3, "{inspected}");
        assert_eq!(inspected["refused"], 0, "{inspected}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_something_in_it_is_left_alone() {
    let world = telling(|_| {}).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), "mine").unwrap();
    let result = capture(&world, dir.path(), &[]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
    assert!(world.simulator.requests().is_empty(), "nothing was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_ends_it_at_once_and_redirects_elsewhere_are_not_followed() {
    let world = telling(|_| {}).await;
    world.simulator.set_token("another");
    let dir = tempfile::tempdir().unwrap();
    let result = capture(&world, &dir.path().join("a"), &[]);
    assert_eq!(result.code, 1);
    assert_eq!(world.simulator.requests().len(), 1);
    world.simulator.set_token(DEFAULT_TOKEN);
    let away = AnswerFault::RedirectTo("https://elsewhere.corp.test/login".to_owned());
    world
        .simulator
        .inject(FaultRule::new(away).on("OPTIONS").times(1));
    let away = AnswerFault::RedirectTo("https://elsewhere.corp.test/login".to_owned());
    world
        .simulator
        .inject(FaultRule::new(away).on("modified__gte=4102444800"));
    let result = capture(&world, &dir.path().join("b"), &[]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_says_which_statements_held() {
    let world = telling(|options| {
        options.feed.counts = FeedCounts::Modified;
        options.advisories = 300;
    })
    .await;
    let throttled = AnswerFault::Throttled {
        form: ThrottleForm::Seconds,
        seconds: 1,
    };
    world
        .simulator
        .inject(FaultRule::new(throttled).on("days=1").times(1));
    let old = world.simulator.saids(1).remove(0);
    world.simulator.set_clock(chrono::TimeDelta::minutes(-1));
    world.simulator.revise(&old, false);
    world.simulator.set_clock(chrono::TimeDelta::zero());
    let dir = tempfile::tempdir().unwrap();
    let result = capture(&world, dir.path(), &["--yes"]);
    assert_eq!(result.code, 0, "{result:?}");
    let report = std::fs::read_to_string(dir.path().join("report.md")).unwrap();
    assert_reads!(report);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_from_the_contract_is_seen() {
    let world = telling(|options| {
        options.ticket.filters.modified = false;
        options.max_page_size = 3;
        options.profile = SimulatedProfile::Attributes;
    })
    .await;
    world
        .simulator
        .inject(FaultRule::new(AnswerFault::Html200).on("asset_list_id=2"));
    let dir = tempfile::tempdir().unwrap();
    capture(&world, dir.path(), &["--yes"]);
    let report: Value = serde_json::from_slice(&files(dir.path())["report.json"]).unwrap();
    let claims = report["claims"].as_array().unwrap();
    let not_held: Vec<&str> = claims
        .iter()
        .filter(|claim| claim["verdict"] == "not_held")
        .map(|claim| claim["statement"].as_str().unwrap())
        .collect();
    assert_reads!(not_held.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn advisories_that_are_used_up_for_today_hold_up_nothing_else() {
    let world = telling(|options| options.limits.advisories_per_day = 1).await;
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let began = std::time::Instant::now();
        capture(&world, &dir.path().join(name), &["--yes"]);
        assert!(began.elapsed().as_secs() < 60, "it waited for tomorrow");
    }
    let asked = world.simulator.requests();
    let refused = asked.iter().filter(|seen| seen.status == 429);
    assert_eq!(refused.count(), 1);
    let last = asked.last().unwrap();
    assert!(last.target.contains("/xml-feed/") && last.status == 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_chosen_by_the_name_that_the_configuration_or_the_database_knows() {
    let mut world = telling(|_| {}).await;
    let named = |id, name| WatchList {
        id,
        name: Some(name),
        ..WatchList::default()
    };
    let lists = vec![named(1, "Linux servers"), named(2, "Office clients")];
    world.lists = Some(Vec::new());
    world.settings.watch_lists = lists;
    world.pull().await;
    // The second one is known by the database alone.
    world.settings.watch_lists.truncate(1);
    let dir = tempfile::tempdir().unwrap();
    for (number, (wanted, ids)) in [
        (&["linux SERVERS"][..], &["1"][..]),
        (&["Office clients"], &["2"]),
        (&["Linux servers", "2"], &["1", "2"]),
    ]
    .into_iter()
    .enumerate()
    {
        world.simulator.forget_requests();
        let out = dir.path().join(number.to_string());
        let lists: Vec<&str> = wanted
            .iter()
            .flat_map(|one| ["--watch-list", one])
            .collect();
        let result = capture(&world, &out, &lists);
        assert_eq!(result.code, 0, "{result}");
        let feeds: BTreeSet<String> = world
            .simulator
            .requests()
            .iter()
            .filter_map(|seen| {
                let (_, rest) = seen.target.split_once("asset_list_id=")?;
                Some(rest.split('&').next()?.to_owned())
            })
            .collect();
        assert_eq!(
            feeds,
            ids.iter().map(|id| (*id).to_owned()).collect(),
            "{wanted:?}"
        );
    }
    world.simulator.forget_requests();
    let out = dir.path().join("wrong");
    let result = capture(&world, &out, &["--watch-list", "Ofice client"]);
    assert_eq!(result.code, 1);
    assert_reads!(result);
    assert!(world.simulator.requests().is_empty() && !out.exists());
}

/// An upstream with the token in the names of headers, elements, attributes and keys, and in
/// what stands between them.
async fn naming_upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (token, other) = (DEFAULT_TOKEN, DEFAULT_TOKEN.to_uppercase());
    let (head, tail) = token.split_at(token.len() / 2);
    let feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone='{token}'?>\
         <advisories x{token}=\"1\" {token}><k{token}>v</k{token} {token}><{other}/>\
         <t>{head}<!-- -->{tail}</t><u.corp-mail.test>a</u.corp-mail.test></advisories>"
    );
    let json = format!("{{\"count\":0,\"next\":null,\"k{token}\":1,\"results\":[]}}");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 8192];
            let length = client.read(&mut request).await.unwrap_or(0);
            let is_feed = String::from_utf8_lossy(&request[..length]).contains("xml-feed");
            let (kind, body) = if is_feed {
                ("xml", &feed)
            } else {
                ("json", &json)
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nX-{DEFAULT_TOKEN}: v\r\nContent-Type: application/{kind}\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_that_upstream_chose_holds_the_token() {
    let mut world = telling(|_| {}).await;
    let port = naming_upstream().await;
    world.settings.upstream.base_url = Some(format!("http://127.0.0.1:{port}"));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new");
    let result = capture(&world, &out, &[]);
    let token = DEFAULT_TOKEN.to_lowercase();
    let mut named = BTreeSet::new();
    for (name, bytes) in files(&out) {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains(&token), "{name}: {text}");
        assert!(!text.contains("corp-mail"), "{name}: {text}");
        for part in [
            "x-token-removed",
            "<ktoken-removed>",
            "xtoken-removed=",
            "\"ktoken-removed\"",
        ] {
            if text.contains(part) {
                named.insert(part);
            }
        }
    }
    assert_eq!(named.len(), 4, "{named:?} {result:?}");
}
