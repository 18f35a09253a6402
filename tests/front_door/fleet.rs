//! `fleet status`: a folder of configurations, a line each.

use std::path::Path;

use serde_json::Value;

use crate::support::{CommandResult, World, assert_reads, binary};

fn fleet(folder: &Path, options: &[&str]) -> CommandResult {
    let mut command = binary();
    command.args(["fleet", "status"]).arg(folder).args(options);
    command.output().expect("the command").into()
}

fn of<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["instance"] == name);
    found.unwrap_or_else(|| panic!("no line for {name}: {lines:?}"))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one folder, one state after the other"
)]
async fn each_instance_is_a_line_and_the_worst_is_the_exit_status() {
    let mut world = World::new().await;
    world.settings.tickets.enabled = Some(false);
    let folder = world.dir().join("fleet");
    std::fs::create_dir(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let empty = fleet(&folder, &[]);
    assert_eq!(empty.code, 1, "{empty:?}");
    assert_reads!(empty);

    assert_eq!(world.cli(&["sync", "feeds"]).code, 0);
    write("alpha.toml", &world.toml());
    write("notes.txt", "no configuration");
    let fresh = fleet(&folder, &["--json"]);
    assert_eq!(fresh.code, 0, "{fresh:?}");
    let alpha = fresh.json();
    assert_eq!(alpha["state"], "ok", "{alpha}");
    assert_eq!(alpha["daemon"], "unknown", "there was none");
    assert!(alpha["oldest_data_seconds"].is_i64() && alpha["next_run_at"].is_string());

    write("beta.toml", &world.toml());
    let mut daemon = world.run().await;
    let running = fleet(&folder, &["--json"]);
    assert_eq!(running.code, 0, "{running:?}");
    assert_eq!(of(&running.json_lines(), "beta")["daemon"], "running");
    daemon.kill9();
    let stopped = fleet(&folder, &["--json"]);
    assert_eq!(stopped.code, 1, "{stopped:?}");
    let beta = stopped.json_lines();
    assert_eq!(of(&beta, "beta")["worst"], "the daemon does not run");
    assert_eq!(of(&beta, "beta")["daemon"], "not running");

    sqlx::query("update advisoryd.source set covered = tstzmultirange(tstzrange(now() - interval '20 days', now() - interval '9 days')), followed_since = now() - interval '20 days'")
        .execute(world.pool())
        .await
        .unwrap();
    write(
        "broken.toml",
        "[upsteam]\nbase_url = \"http://localhost\"\n",
    );
    let broken = fleet(&folder, &["--json"]);
    assert_eq!(broken.code, 2, "{broken:?}");
    let lines = broken.json_lines();
    assert_eq!(lines.len(), 3);
    assert!(
        of(&lines, "broken")["worst"]
            .as_str()
            .unwrap()
            .contains("upsteam"),
        "{lines:?}"
    );
    assert!(
        of(&lines, "alpha")["worst"]
            .as_str()
            .unwrap()
            .contains("old"),
        "{lines:?}"
    );

    world.settings.database.url = Some("postgres://127.0.0.1:1/nothing".to_owned());
    write("gamma.toml", &world.toml());
    let unknown = fleet(&folder, &["--parallel", "2"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
    let (table, problems) = unknown.stdout.split_once("\n\n").unwrap();
    assert_eq!(table.lines().count(), 5, "{unknown:?}");
    assert!(problems.starts_with("4 problems:\n"), "{problems}");
    assert!(
        problems.contains("\n  gamma: "),
        "whole, in a line of its own: {problems}"
    );
    for name in ["alpha", "beta", "broken", "gamma"] {
        assert!(
            table.lines().any(|line| line.starts_with(name)),
            "{unknown:?}"
        );
    }
}
