//! `[database] share_with`: members of a group read the private PostgreSQL, and nothing else.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::Group;

use super::group::{NOBODY, skipped};
use super::{program_with, seeded_state_dir, server_of, start_daemon_as};
use crate::support::{Daemon, PATIENCE, assert_reads, eventually};

/// A group of every system.
const GROUP: &str = "games";

/// A daemon that shares its database, and the directory that it made for that.
struct Service {
    state: tempfile::TempDir,
    daemon: Daemon,
}

impl Service {
    async fn start() -> Self {
        let state = seeded_state_dir();
        let mut command = told_to_share(state.path(), GROUP, &["run"]);
        let (daemon, _) = start_daemon_as(state.path(), &mut command).await;
        Self { state, daemon }
    }

    fn sockets(&self) -> PathBuf {
        runtime_directory(self.state.path())
    }

    /// A command of somebody with this group.
    fn command_of(&self, group: u32, arguments: &[&str]) -> Output {
        let command = told_to_share(self.state.path(), GROUP, arguments);
        of_group(command, group)
    }

    /// SQL of a member, as this role, who first undoes what only keeps people from mistakes.
    fn sql(&self, role: &str, sql: &str) -> (bool, String) {
        let mut command = Command::new("psql");
        command
            .args([
                "-qXAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                "advisoryd",
                "-U",
                role,
            ])
            .arg("-h")
            .arg(self.sockets())
            .args(["-c", "set default_transaction_read_only = off", "-c", sql]);
        said(&of_group(command, members()))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.daemon.kill9();
        let _ = fs::remove_dir_all(self.sockets());
    }
}

fn told_to_share(state_dir: &Path, group: &str, arguments: &[&str]) -> Command {
    let share = format!("[database]\nshare_with = \"{group}\"\n");
    program_with(state_dir, &share, arguments)
}

fn runtime_directory(state_dir: &Path) -> PathBuf {
    Path::new("/run").join(state_dir.file_name().unwrap())
}

fn members() -> u32 {
    Group::from_name(GROUP).unwrap().unwrap().gid.as_raw()
}

fn of_group(mut command: Command, group: u32) -> Output {
    command.uid(NOBODY).gid(group).current_dir("/");
    command.output().unwrap()
}

fn said(output: &Output) -> (bool, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (output.status.success(), text)
}

#[tokio::test]
async fn members_of_the_group_read_with_psql_and_cannot_do_more() {
    if skipped() {
        return;
    }
    let service = Service::start().await;
    // The line that `status` prints is what they use.
    let (good, page) = said(&service.command_of(members(), &["status"]));
    assert!(good, "{page}");
    let line = page.lines().find(|line| line.contains("psql '")).unwrap();
    let psql = &line[line.find("psql '").unwrap()..];
    assert!(psql.contains("user=advisoryd_group"), "{line}");
    let mut shell = Command::new("sh");
    let query = "select count(*) from advisoryd_v1.advisories";
    shell.args(["-c", &format!("{psql} -XAt -c '{query}'")]);
    assert_eq!(said(&of_group(shell, members())), (true, "0".to_owned()));

    let refused = |role: &str, sql: &str, why: &[&str]| {
        let (good, text) = service.sql(role, sql);
        let is_expected = why.iter().any(|why| text.contains(why));
        assert!(!good && is_expected, "{role}: {sql}: {text}");
    };
    let rights = ["permission denied", "must be superuser"];
    for sql in [
        "create table public.planted ()",
        "create temporary table planted ()",
        "create schema planted",
        "create role planted",
        "update advisoryd.source set name = 'x'",
        "delete from advisoryd.advisory",
        "copy (select 1) to program 'cat >/dev/null'",
        "copy (select 1) to '/tmp/planted'",
        "select pg_read_file('/etc/passwd')",
        "alter role advisoryd_group superuser",
        "set role advisoryd",
        "set session authorization postgres",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'planted')",
        "set temp_file_limit = -1",
        "select pg_try_advisory_lock(i) from generate_series(1, 20000) i",
        "select pg_advisory_xact_lock_shared(1, 2)",
        "\\connect postgres",
        "\\connect template1",
    ] {
        for role in ["advisoryd_group", "advisoryd_commands"] {
            refused(role, sql, &rights);
        }
    }
    refused(
        "advisoryd_group",
        "select 1 from advisoryd.advisory",
        &rights,
    );
    for role in ["advisoryd", "postgres", "advisoryd_reader"] {
        refused(role, "select 1", &["eer authentication failed"]);
    }
    let room = service.sql("advisoryd_group", "show max_locks_per_transaction");
    assert_eq!(room, (true, "256".to_owned()));
    let roles = "select string_agg(granted.rolname, ' ') from pg_auth_members m
                 join pg_roles granted on granted.oid = m.roleid
                 where m.member = 'advisoryd_group'::regrole";
    let granted = service.sql("advisoryd_group", roles);
    assert_eq!(granted, (true, "advisoryd_reader".to_owned()));
}

#[tokio::test]
async fn what_a_member_sets_for_the_role_of_all_ends_with_the_next_start() {
    if skipped() {
        return;
    }
    let mut service = Service::start().await;
    for role in ["advisoryd_group", "advisoryd_commands"] {
        for on in ["", "in database advisoryd"] {
            let sql = format!("alter role {role} {on} set statement_timeout = '6s'");
            assert_eq!(service.sql(role, &sql), (true, String::new()));
        }
        let (_, timeout) = service.sql(role, "show statement_timeout");
        assert_eq!(timeout, "6s");
    }
    service.daemon.kill9();
    let mut command = told_to_share(service.state.path(), GROUP, &["run"]);
    service.daemon = Daemon::start(&mut command).await;
    for role in ["advisoryd_group", "advisoryd_commands"] {
        eventually("the role is as it was", PATIENCE, async || {
            let shown = service.sql(role, "show statement_timeout");
            (shown == (true, "0".to_owned())).then_some(())
        })
        .await;
        let shown = service.sql(role, "show temp_file_limit");
        assert_eq!(shown, (true, "1GB".to_owned()));
    }
}

#[tokio::test]
async fn commands_of_members_read_and_others_say_who_may_run_them() {
    if skipped() {
        return;
    }
    let service = Service::start().await;
    for arguments in [
        &["status"][..],
        &["status", "--check"],
        &["advisories"],
        &["tickets"],
        &["changes"],
        &["ack", "--list"],
        &["alerts", "list"],
        &["rules", "list"],
        &["rules", "test"],
        &["silence", "list"],
        &["quarantine", "list"],
        &["budget"],
    ] {
        let (_, text) = said(&service.command_of(members(), arguments));
        assert!(!text.contains("denied"), "{arguments:?}: {text}");
        assert!(!text.contains("may only"), "{arguments:?}: {text}");
    }
    let mut refused = Vec::new();
    for arguments in [
        &[
            "silence", "add", "key=SA1", "--reason", "x", "--until", "1h",
        ][..],
        &["maintain"],
    ] {
        let output = service.command_of(members(), arguments);
        let (_, text) = said(&output);
        assert_eq!(output.status.code(), Some(77), "{arguments:?}: {text}");
        refused.push(text);
    }
    let stranger = service.command_of(NOBODY, &["status"]);
    let (_, text) = said(&stranger);
    assert_eq!(stranger.status.code(), Some(77), "{text}");
    refused.push(text);
    let checked = service.command_of(NOBODY, &["status", "--check", "--json"]);
    let (_, text) = said(&checked);
    assert_eq!(checked.status.code(), Some(3), "{text}");
    refused.push(text);
    assert_reads!(refused.join("\n"));

    // Root is told what to give to the members.
    let root = told_to_share(service.state.path(), GROUP, &["status"]);
    let (good, text) = said(&{ root }.output().unwrap());
    let line = "Members of the group games connect: psql 'postgres:///advisoryd?host=/run/";
    assert!(good && text.contains(line), "{text}");
}

#[tokio::test]
async fn the_group_still_reads_after_the_server_was_killed() {
    if skipped() {
        return;
    }
    let service = Service::start().await;
    let before = server_of(service.state.path()).unwrap();
    let killed = Command::new("kill")
        .args(["-KILL", &before.to_string()])
        .status();
    assert!(killed.unwrap().success());
    eventually("a member is answered", PATIENCE, async || {
        let is_new = server_of(service.state.path()).is_some_and(|pid| pid != before);
        (is_new && service.sql("advisoryd_group", "select 1").0).then_some(())
    })
    .await;
    let (_, text) = service.sql("postgres", "select 1");
    assert!(text.contains("authentication failed"), "{text}");
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_a_warning() {
    if skipped() {
        return;
    }
    let state = seeded_state_dir();
    let mut command = told_to_share(state.path(), "nobodys-group", &["run"]);
    let (mut daemon, _) = start_daemon_as(state.path(), &mut command).await;
    let check = ["check", "--offline"];
    let mut check = told_to_share(state.path(), "nobodys-group", &check);
    let (_, text) = said(&check.output().unwrap());
    let line = text.lines().find(|line| line.contains("nobodys-group"));
    assert_reads!(line.expect("the group is named"));
    assert!(!runtime_directory(state.path()).exists());
    daemon
        .event("a warning", |event| {
            let message = event["message"].as_str().unwrap_or_default();
            event["level"] == "WARN" && message.contains("nobodys-group")
        })
        .await;
    daemon.kill9();
}
