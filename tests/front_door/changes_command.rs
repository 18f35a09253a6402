//! `changes`: what is selected, how it reads, and the file by which a script goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use serde_json::Value;

use crate::support::{
    CommandResult, PATIENCE, Running, World, assert_reads, binary, eventually, on_terminal,
};

async fn filled() -> World {
    let mut world = World::new().await;
    world.settings.feeds.details = Some("never");
    world.pull_one().await;
    world
}

/// Revises an advisory; `worse` makes it more severe if it can be.
async fn revise(world: &World, place: usize, worse: bool) -> String {
    let said = world.simulator.saids(1)[place].clone();
    world.simulator.revise(&said, worse);
    world.pull_back(LookBack::Full).await;
    said
}

/// An advisory that became more severe.
async fn escalated(world: &World) -> String {
    let sql = "select count(*) from advisoryd_v1.changes where what = 'escalated'";
    let before = world.count(sql).await;
    for place in 0..60 {
        let said = revise(world, place, true).await;
        if world.count(sql).await > before {
            return said;
        }
    }
    panic!("no advisory became more severe");
}

async fn newest(world: &World) -> i64 {
    world
        .count("select last from advisoryd.change_counter")
        .await
}

fn changes(world: &World, options: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["changes", "--json"];
    arguments.extend(options);
    let result = world.cli(&arguments);
    assert_eq!((result.code, result.stderr.as_str()), (0, ""), "{result:?}");
    result.json_lines()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_selected_by_event_severity_list_product_and_time() {
    let world = filled().await;
    let said = escalated(&world).await;
    let found = changes(&world, &["--what", "escalated,became_zero_day"]);
    assert!(found.iter().any(|change| change["key"] == said.as_str()));
    assert!(found.iter().all(|change| change["what"] != "appeared"));
    let severe = changes(
        &world,
        &["--severity", "highly_critical+", "--what", "appeared"],
    );
    let rank = world
        .count("select count(*) from advisoryd_v1.advisories where severity_rank >= 4")
        .await;
    assert_eq!(i64::try_from(severe.len()).unwrap(), rank);
    sqlx::query("update advisoryd.source set name = 'Linux servers' where watch_list_id = 1")
        .execute(world.pool())
        .await
        .unwrap();
    let all = changes(&world, &[]).len();
    assert_eq!(
        changes(&world, &["--watch-list", "linux SERVERS"]).len(),
        all
    );
    let of_nobody = world.cli(&["changes", "--watch-list", "77"]);
    assert_eq!(of_nobody.code, 1, "{of_nobody}");
    assert!(of_nobody.stderr.contains("watch list 77"), "{of_nobody}");
    assert_eq!(changes(&world, &["--since", "1h"]).len(), all);
    assert_eq!(changes(&world, &["--since", "2100-01-01"]).len(), 0);
    assert_eq!(changes(&world, &["--product", "no such product"]).len(), 0);
    let product: String = sqlx::query_scalar(
        "select name from advisoryd_v1.advisory_products where said = $1 limit 1",
    )
    .bind(&said)
    .fetch_one(world.pool())
    .await
    .unwrap();
    let of_product = changes(&world, &["--product", &product]);
    assert!(
        of_product
            .iter()
            .any(|change| change["key"] == said.as_str())
    );
    let unknown = world.cli(&["changes", "--watch-list", "Windows"]);
    let event = world.cli(&["changes", "--what", "burnt"]);
    assert_eq!((unknown.code, event.code), (1, 2));
    assert_reads!(unknown, event);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_changed_is_told_as_words_that_went_and_came() {
    let world = filled().await;
    let from = newest(&world).await.to_string();
    let said = escalated(&world).await;
    let options = ["changes", "--what", "revised,escalated", "--since", &from];
    let piped = world.cli(&options);
    assert!(!piped.stdout.contains('\u{1b}'), "{piped:?}");
    let (coloured, code) = on_terminal(world.command(&options), 120);
    assert_eq!(code, 0);
    assert!(coloured.contains("\u{1b}[31m"), "removed words are red");
    let mut plain = world.command(&options);
    plain.env("NO_COLOR", "1");
    let first = |text: &str| text.lines().take(12).collect::<Vec<_>>().join("\n");
    let history = world.cli(&["show", &said, "--history"]).stdout;
    let history = &history[history.find("History").unwrap()..];
    let history = history.split("\n\nDescription").next().unwrap().to_owned();
    assert_reads!(first(&piped.stdout), history);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_some_advisories_and_tickets_and_only_so_many() {
    let world = filled().await;
    world.sync_tickets(TicketSync::Now).await;
    for place in [0, 1, 0] {
        revise(&world, place, false).await;
    }
    let [first, second] = [0, 1].map(|place| world.simulator.saids(1)[place].clone());
    let ticket = "select id from advisoryd.ticket where said is not null order by id limit 1";
    let ticket = world.count(ticket).await.to_string();
    let all = changes(&world, &[]);
    let of = |said: &str| {
        let is_of = |line: &&Value| line["key"] == said;
        all.iter().filter(is_of).cloned().collect::<Vec<Value>>()
    };
    let without_tickets = |found: Vec<Value>| {
        let found = found.into_iter().filter(|line| line["kind"] == "advisory");
        found.collect::<Vec<Value>>()
    };
    assert!(of(&first).len() > of(&second).len());
    let lower = first.to_lowercase();
    assert_eq!(without_tickets(changes(&world, &[&lower])), of(&first));
    assert_eq!(changes(&world, &[&ticket]), of(&ticket));
    let both = changes(&world, &[&first, &ticket]);
    assert!(both.len() >= of(&first).len() + of(&ticket).len());

    let newest = |limit: usize, found: &[Value]| found[found.len() - limit..].to_vec();
    assert_eq!(changes(&world, &["--limit", "3"]), newest(3, &all));
    let revised = changes(&world, &["--what", "revised", "--limit", "2"]);
    assert_eq!(revised, newest(2, &changes(&world, &["--what", "revised"])));
    let many = (all.len() + 1).to_string();
    assert_eq!(changes(&world, &["--limit", &many]), all);
    assert_eq!(changes(&world, &["--since", "0", "--limit", "2"]), all[..2]);

    // A script gets all of them, piece by piece.
    let state = world.dir().join("seq").display().to_string();
    fs::write(&state, "0\n").unwrap();
    let mut pieces: Vec<Value> = Vec::new();
    loop {
        let piece = changes(&world, &["--state-file", &state, "--limit", "100"]);
        assert!(piece.len() <= 100);
        if piece.is_empty() {
            break;
        }
        pieces.extend(piece);
    }
    assert_eq!(pieces, all);

    let unknown = world.cli(&["changes", "SA1"]);
    assert_eq!(unknown.code, 1, "{unknown}");
    assert_reads!(unknown);
    // Following ends with as many as were asked for: these are there already.
    let followed = changes(&world, &["--follow", "--since", "0", "--limit", "2"]);
    assert_eq!(followed, all[..2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn following_ends_with_the_last_change_that_was_asked_for() {
    let world = filled().await;
    let state = world.config_file().with_file_name("few.state");
    let mut command = world.command(&["changes", "--follow", "--json", "--limit", "1"]);
    let mut following = Running::start(command.arg("--state-file").arg(&state));
    eventually("its state", PATIENCE, async || state.exists().then_some(())).await;
    let before = newest(&world).await;
    revise(&world, 2, false).await;
    assert!(following.ended().await.success());
    let printed = following.stdout();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let change: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(change["seq"], before + 1);
    assert_eq!(
        fs::read_to_string(&state).unwrap(),
        format!("{}\n", before + 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn following_begins_at_the_end() {
    let world = filled().await;
    let last = newest(&world).await;
    let state = world.config_file().with_file_name("follow.state");
    let mut command = world.command(&["changes", "--follow", "--json", "--state-file"]);
    let following = Running::start(command.arg(&state));
    let is_ready = async || fs::read_to_string(&state).ok();
    assert_eq!(
        eventually("its state", PATIENCE, is_ready).await,
        format!("{last}\n")
    );
    let said = revise(&world, 2, false).await;
    let newest = format!("{}\n", newest(&world).await);
    eventually("the state moves on", PATIENCE, async || {
        (fs::read_to_string(&state).unwrap() == newest).then_some(())
    })
    .await;
    let first: Value = serde_json::from_str(following.stdout().lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["seq"], &first["key"]),
        (&(last + 1).into(), &said.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_moves_only_with_what_was_written_and_never_lies() {
    let world = filled().await;
    let file = world.config_file().with_file_name("changes.state");
    let path = file.display().to_string();
    let options = [
        "changes",
        "--json",
        "--what",
        "escalated",
        "--state-file",
        &path,
    ];
    let number = || fs::read_to_string(&file).unwrap();
    let run = || {
        let result = world.cli(&options);
        assert_eq!((result.code, result.stderr.as_str()), (0, ""), "{result:?}");
        result.json_lines().len()
    };
    escalated(&world).await;
    assert_eq!(run(), 0, "it begins at the end");
    let begun = number();
    assert_eq!(begun, format!("{}\n", newest(&world).await));
    assert_eq!(
        (run(), number()),
        (0, begun),
        "a quiet run keeps the number"
    );
    revise(&world, 2, false).await;
    assert_eq!(run(), 0);
    let passed = number();
    assert_eq!(
        passed,
        format!("{}\n", newest(&world).await),
        "it was passed over"
    );
    escalated(&world).await;
    let full = fs::File::create("/dev/full").unwrap();
    let status = world
        .command(&options)
        .stdout(full)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    assert_eq!(number(), passed, "what was not written is printed again");
    assert_eq!(run(), 1);
    assert_eq!(run(), 0);
    let target = file.with_file_name("target.state");
    fs::rename(&file, &target).unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    escalated(&world).await;
    assert_eq!(run(), 1);
    assert!(file.is_symlink(), "a link stays one");
    assert_eq!(number(), format!("{}\n", newest(&world).await));
    let left = fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    assert!(
        !left
            .map(|entry| entry.file_name())
            .any(|name| name.to_string_lossy().contains(".new"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_says_nothing_is_refused_and_kept() {
    let world = filled().await;
    let file = world.config_file().with_file_name("changes.state");
    let path = file.display().to_string();
    let options = ["changes", "--json", "--state-file", &path];
    let number = || fs::read_to_string(&file).unwrap();
    let mut refused = Vec::new();
    for text in ["", "12 monkeys\n", "999999\n"] {
        fs::write(&file, text).unwrap();
        let result = world.cli(&options);
        assert_eq!(
            (result.code, result.stdout.as_str(), number()),
            (1, "", text.to_owned()),
            "{result:?}"
        );
        refused.push(result.stderr);
    }
    assert_reads!(refused.join(""));
}

/// The first shell script of a page that contains a text.
fn script(page: &str, part: &str) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut scripts = text.split("```sh\n").skip(1);
    let found = scripts
        .find(|script| script.contains(part))
        .expect("the script");
    found.split("```").next().unwrap().to_owned()
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_of_the_documentation_mails_everything_once_also_after_quiet_runs() {
    let world = filled().await;
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    executable(
        &path("advisoryd-mail"),
        &script("docs/alerts.md", "--state-file"),
    );
    let program = binary().get_program().to_string_lossy().into_owned();
    let config = world.config_file().display().to_string();
    executable(
        &path("advisoryd"),
        &format!("#!/bin/sh\nexec '{program}' --config '{config}' \"$@\"\n"),
    );
    executable(
        &path("mail"),
        "#!/bin/sh\n[ ! -e broken ] || exit 1\ncat >>sent\n",
    );
    let run = || -> CommandResult {
        let search = format!(
            "{}:{}",
            place.path().display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new(path("advisoryd-mail"));
        let output = command.arg(place.path()).env("PATH", search).output();
        output.unwrap().into()
    };
    let sent = || fs::read_to_string(path("sent")).unwrap_or_default();
    let count = || {
        sent()
            .lines()
            .filter(|line| line.contains("escalated "))
            .count()
    };
    for quiet in 0..3 {
        let result = run();
        assert_eq!(
            (result.code, sent().as_str()),
            (0, ""),
            "{quiet}: {result:?}"
        );
    }
    let first = escalated(&world).await;
    fs::write(path("broken"), "").unwrap();
    assert_eq!(run().code, 1, "the mail was refused");
    fs::remove_file(path("broken")).unwrap();
    assert_eq!((run().code, count()), (0, 1));
    assert!(sent().contains(&first), "{}", sent());
    assert_eq!((run().code, count()), (0, 1), "once");
    let second = escalated(&world).await;
    assert_eq!((run().code, count()), (0, 2));
    assert!(sent().contains(&second), "{}", sent());
}

/// The command of the crontab of the documentation, without the schedule and the user.
fn of_crontab() -> String {
    let text = fs::read_to_string("docs/alerts.md").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("*/10 "));
    let line = lines.find(|line| line.contains("--state-file")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        words[5], "root",
        "five fields, the user, the command: {line}"
    );
    words[6..].join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crontab_of_the_documentation_prints_each_change_once_also_after_a_quiet_run() {
    let world = filled().await;
    let place = tempfile::tempdir().unwrap();
    let program = binary().get_program().to_string_lossy().into_owned();
    let config = world.config_file().display().to_string();
    executable(
        &place.path().join("advisoryd"),
        &format!("#!/bin/sh\nexec '{program}' --config '{config}' \"$@\"\n"),
    );
    let directory = place.path().display().to_string();
    let command = of_crontab().replace("/var/lib/advisoryd-changes", &directory);
    let run = || -> String {
        // As cron does.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &command]).env_clear();
        shell.env("PATH", format!("{directory}:/usr/bin:/bin"));
        let result: CommandResult = shell.output().unwrap().into();
        assert_eq!((result.code, result.stderr.as_str()), (0, ""), "{result:?}");
        result.stdout
    };
    let heads = |text: &str| {
        text.lines()
            .filter(|line| line.contains("escalated "))
            .count()
    };
    escalated(&world).await;
    assert_eq!(run(), "", "it begins at the newest change");
    let first = escalated(&world).await;
    let mailed = run();
    assert!(heads(&mailed) == 1 && mailed.contains(&first), "{mailed}");
    assert_eq!(run(), "", "a quiet run");
    let second = escalated(&world).await;
    let mailed = run();
    assert!(heads(&mailed) == 1 && mailed.contains(&second), "{mailed}");
    assert_eq!(run(), "", "once");
}
