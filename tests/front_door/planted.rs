//! Files, links and directories that another user planted where a command writes: it
//! neither follows nor fills them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use crate::support::{World, assert_reads};

/// A user that is neither root nor us.
const STRANGER: u32 = 65534;
const TEXT: &str = "nobody else may read or write this";

/// Something beside the directories of the test that must stay as it is.
fn victim(world: &World) -> PathBuf {
    let path = world.dir().join("victim");
    fs::write(&path, TEXT).unwrap();
    path
}

fn assert_untouched(victim: &Path) {
    assert_eq!(fs::read_to_string(victim).unwrap(), TEXT);
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_planted_file_gets_no_backup() {
    let world = World::new().await;
    world.pull_one().await;
    let victim = victim(&world);
    let dump = world.dir().join("dump");
    let partial = world.dir().join("dump.partial");
    let refused = |what: &str| {
        let result = world.cli(&["database", "backup", text(&dump)]);
        assert_eq!(result.code, 1, "{what}: {result}");
        assert!(!dump.exists(), "{what}");
        assert_untouched(&victim);
        fs::remove_file(&partial).unwrap();
        result
    };
    fs::hard_link(&victim, &partial).unwrap();
    assert!(refused("a second name").stderr.contains("another name"));
    symlink(&victim, &partial).unwrap();
    refused("a link");
    // A command that opened it for writing would wait for ever.
    mkfifo(&partial, Mode::S_IRWXU).unwrap();
    refused("a FIFO");
    mkfifo(&partial, Mode::S_IRWXU).unwrap();
    let reader = fs::File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&partial)
        .unwrap();
    let result = refused("a FIFO that somebody reads");
    assert_reads!(result.stderr);
    drop(reader);
    if geteuid().is_root() {
        fs::write(&partial, "").unwrap();
        chown(&partial, Some(STRANGER), Some(STRANGER)).unwrap();
        let result = refused("a file of another user");
        assert!(result.stderr.contains("another user"), "{result}");
    }
    // What an attempt of one's own left is used, and nobody else may read it.
    fs::write(&partial, "half").unwrap();
    fs::set_permissions(&partial, Permissions::from_mode(0o644)).unwrap();
    let result = world.cli(&["database", "backup", text(&dump)]);
    assert_eq!(result.code, 0, "{result}");
    let mode = fs::metadata(&dump).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn man_pages_replace_links() {
    let world = World::new().await;
    let victim = victim(&world);
    let out = world.dir().join("man");
    fs::create_dir(&out).unwrap();
    for name in ["advisoryd.1", "advisoryd-sync.1", "advisoryd.toml.5"] {
        symlink(&victim, out.join(name)).unwrap();
    }
    let result = world.cli(&["man", "--out", text(&out)]);
    assert_eq!(result.code, 0, "{result}");
    assert_untouched(&victim);
    let names = fs::read_dir(&out).unwrap().map(|entry| {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_file());
        entry.file_name().into_string().unwrap()
    });
    let names: Vec<String> = names.collect();
    assert!(names.len() > 40, "{names:?}");
    for name in [
        "advisoryd.1",
        "advisoryd-database-backup.1",
        "advisoryd.toml.5",
    ] {
        assert!(names.iter().any(|found| found == name), "{names:?}");
    }
}

#[tokio::test]
async fn man_pages_go_into_no_directory_of_another_user() {
    let world = World::new().await;
    let out = world.dir().join("man");
    fs::create_dir(&out).unwrap();
    let refused = |out: &str, directory: &Path| {
        let result = world.cli(&["man", "--out", out]);
        assert_eq!(result.code, 1, "{out}: {result}");
        assert_eq!(fs::read_dir(directory).unwrap().count(), 0, "{out}");
        result.stderr
    };
    fs::set_permissions(&out, Permissions::from_mode(0o777)).unwrap();
    let mut said = vec![refused(text(&out), &out)];
    fs::set_permissions(&out, Permissions::from_mode(0o755)).unwrap();
    let link = world.dir().join("link");
    symlink(&out, &link).unwrap();
    said.push(refused(text(&link), &out));
    assert_reads!(said.join(""));
    for behind in ["/", "/.", "//"] {
        refused(&format!("{}{behind}", text(&link)), &out);
    }
    if geteuid().is_root() {
        chown(&out, Some(STRANGER), Some(STRANGER)).unwrap();
        let stderr = refused(text(&out), &out);
        assert!(stderr.contains("another user"), "{stderr}");
    }
}

#[tokio::test]
async fn a_directory_in_which_others_may_write_gets_no_bundle() {
    let world = World::new().await;
    let victim = victim(&world);
    let key = world.dir().join("key");
    fs::write(&key, "bm9ib2R5IGd1ZXNzZXMgdGhpcyBrZXkgb2YgYSB0ZXN0").unwrap();
    let out = world.dir().join("bundle");
    let mirror = || world.cli(&["mirror", "--out", text(&out), "--key-file", text(&key)]);
    fs::create_dir(&out).unwrap();
    symlink(&victim, out.join("unfinished.jsonl")).unwrap();
    fs::set_permissions(&out, Permissions::from_mode(0o777)).unwrap();
    let result = mirror();
    assert_eq!(result.code, 1, "{result}");
    assert_reads!(result.stderr);
    if geteuid().is_root() {
        fs::set_permissions(&out, Permissions::from_mode(0o755)).unwrap();
        chown(&out, Some(STRANGER), Some(STRANGER)).unwrap();
        let result = mirror();
        assert_eq!(result.code, 1, "{result}");
        assert!(result.stderr.contains("another user"), "{result}");
    }
    assert_untouched(&victim);
    // A link would lead elsewhere.
    fs::remove_dir_all(&out).unwrap();
    let elsewhere = world.dir().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &out).unwrap();
    assert_eq!(mirror().code, 1);
    let slash = format!("{}/", text(&out));
    let mirrored = world.cli(&["mirror", "--out", &slash, "--key-file", text(&key)]);
    assert_eq!(mirrored.code, 1, "{mirrored}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[tokio::test]
async fn a_state_file_is_no_link_of_another_user() {
    let world = World::new().await;
    world.pull_one().await;
    let number = world.dir().join("number");
    fs::write(&number, "0\n").unwrap();
    let link = world.dir().join("seq");
    symlink(&number, &link).unwrap();
    let changes = || world.cli(&["changes", "--state-file", text(&link)]);
    if geteuid().is_root() {
        nix::unistd::fchownat(
            nix::fcntl::AT_FDCWD,
            &link,
            Some(STRANGER.into()),
            None,
            nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW,
        )
        .unwrap();
        let result = changes();
        assert_eq!(result.code, 1, "{result}");
        assert_reads!(result.stderr);
        assert_eq!(fs::read_to_string(&number).unwrap(), "0\n");
        fs::remove_file(&link).unwrap();
        symlink(&number, &link).unwrap();
    }
    let result = changes();
    assert_eq!(result.code, 0, "{result}");
    assert!(link.is_symlink());
    assert_ne!(fs::read_to_string(&number).unwrap(), "0\n");
}

/// What another user does while a command writes in a directory in which both may write: he
/// exchanges the names that it uses for links, directories and files of his own.
const EXCHANGES: &str = r#"
cd "$1" || exit 1
while :; do
    ln -sfn ../victims/victim NAME.partial; rm -f NAME.partial
    : >NAME.partial; chmod 666 NAME.partial; ln NAME.partial kept.$n 2>/dev/null; rm -f NAME.partial
    ln -sfn ../victims/victim NAME; rm -f NAME
    ln -sfn ../victims NAME; rm -f NAME
    mkdir -m 777 NAME 2>/dev/null && mv NAME taken.$n 2>/dev/null
    mv NAME moved.$n 2>/dev/null && ln -sfn ../victims NAME && rm -f NAME
    n=$((n + 1))
done
"#;

/// Ends the other user's process with the test.
struct Stranger(std::process::Child);

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All files and directories below one, links not followed.
fn below(dir: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let Ok(entries) = fs::read_dir(dir) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(about) = entry.path().symlink_metadata() else {
                continue;
            };
            // Nobody else comes into a directory that is private.
            if about.is_dir() && about.permissions().mode() & 0o077 != 0 {
                waiting.push(entry.path());
            }
            found.push((entry.path(), about));
        }
    }
    found
}

/// Needs root, to be another user too.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_another_user_exchanges_meanwhile_lead_nowhere() {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    const ROUNDS: usize = 8;
    if !geteuid().is_root() {
        return;
    }
    let world = World::new().await;
    world.pull_one().await;
    let key = world.dir().join("key");
    fs::write(&key, "bm9ib2R5IGd1ZXNzZXMgdGhpcyBrZXkgb2YgYSB0ZXN0").unwrap();
    for command in ["backup", "mirror", "capture"] {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        let (shared, victims) = (root.path().join("shared"), root.path().join("victims"));
        for (dir, mode) in [(&shared, 0o777), (&victims, 0o700)] {
            fs::create_dir(dir).unwrap();
            fs::set_permissions(dir, Permissions::from_mode(mode)).unwrap();
        }
        let victim = victims.join("victim");
        fs::write(&victim, TEXT).unwrap();
        let mut shell = std::process::Command::new("sh");
        let script = EXCHANGES.replace("NAME", "out");
        shell.args(["-c", &script, "sh", text(&shared)]);
        // Most of what it tries fails.
        shell.stderr(std::process::Stdio::null());
        shell.uid(STRANGER).gid(STRANGER);
        let stranger = Stranger(shell.spawn().unwrap());
        let out = shared.join("out");
        for _ in 0..ROUNDS {
            let mut arguments = match command {
                "backup" => vec!["database", "backup"],
                "mirror" => vec!["mirror", "--key-file", text(&key), "--out"],
                _ => vec!["capture", "--out"],
            };
            arguments.push(text(&out));
            let result = world.cli(&arguments);
            assert!(result.code <= 1, "{command}: {result}");
        }
        drop(stranger);
        assert_untouched(&victim);
        let about = fs::metadata(&victim).unwrap();
        assert_eq!((about.uid(), about.nlink()), (0, 1), "{command}");
        assert_eq!(fs::metadata(&victims).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&victims).unwrap().count(), 1, "{command}");
        for (path, about) in below(&shared) {
            let path = path.display();
            if about.uid() == STRANGER && about.is_file() {
                assert_eq!(about.len(), 0, "{command}: {path} of another user");
            }
            if about.uid() == 0 && about.is_file() {
                let mode = about.mode() & 0o077;
                assert_eq!(mode, 0, "{command}: others may read {path}");
            }
        }
    }
}
