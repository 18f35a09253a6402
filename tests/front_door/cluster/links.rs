//! What the server's user can plant leads root nowhere.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use advisoryd::cluster::{Cluster, ClusterError, Role};
use tokio::time::timeout;

use super::{fake_initdb, give_to_server_user, is_root, open, options, program, seeded_state_dir};
use crate::support::{PATIENCE, Running, assert_reads, state_dir};

/// What only root may read.
const SECRET: &str = "root:$6$secret-shadow-line:19000:0:99999:7:::\n";

/// The user `nobody`, who runs no server here.
const NOBODY: u32 = 65534;

/// The user `daemon`, neither.
const DAEMON: u32 = 1;

/// Root's own file and directory, which nothing may touch.
struct Roots {
    directory: PathBuf,
}

impl Roots {
    fn make(parent: &Path) -> Self {
        let directory = parent.join("roots");
        fs::create_dir_all(directory.join("data.new")).unwrap();
        for name in ["file", "data.new/file", "PG_VERSION", "postmaster.pid"] {
            fs::write(directory.join(name), SECRET).unwrap();
            let closed = fs::Permissions::from_mode(0o600);
            fs::set_permissions(directory.join(name), closed).unwrap();
        }
        Self { directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.join("file")
    }

    /// Everything that can be seen of it.
    fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        let mut waiting = vec![self.directory.clone()];
        while let Some(path) = waiting.pop() {
            let found = fs::symlink_metadata(&path).unwrap();
            let content = fs::read_to_string(&path).unwrap_or_default();
            let (user, mode) = (found.uid(), found.mode());
            state.push(format!("{} {user} {mode:o} {content}", path.display()));
            if found.is_dir() {
                let entries = fs::read_dir(&path).unwrap();
                waiting.extend(entries.map(|entry| entry.unwrap().path()));
            }
        }
        state.sort();
        state
    }
}

fn skipped() -> bool {
    if !is_root() {
        eprintln!("skipped: only root can be led astray");
    }
    !is_root()
}

#[tokio::test]
async fn a_link_in_new_data_does_not_make_root_write_elsewhere() {
    if skipped() {
        return;
    }
    let state = state_dir();
    let roots = Roots::make(state.path());
    let before = roots.state();
    let programs = state.path().join("programs");
    // What a process of the server's user can do in the same moment.
    let script = format!(
        r#""$REAL/initdb" "$@" || exit 1
        for file in postgresql.conf pg_hba.conf; do ln -sf '{}' "$PWD/data.new/$file"; done"#,
        roots.file().display()
    );
    fake_initdb(&programs, &script);
    let mut options = options(Role::Client);
    options.search.path = programs.into();
    let state_dir = state.path().join("state");
    let refused = Cluster::open(&state_dir, options).await.unwrap_err();
    assert_eq!(roots.state(), before, "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}

#[tokio::test]
async fn a_link_in_place_of_a_small_file_shows_nothing_of_roots() {
    if skipped() {
        return;
    }
    let state = seeded_state_dir();
    let roots = Roots::make(state.path());
    let version = state.path().join("postgresql/data/PG_VERSION");
    fs::remove_file(&version).unwrap();
    symlink(roots.file(), &version).unwrap();
    let mut status = Running::start(&mut program(state.path(), &["status"]));
    assert!(!status.ended().await.success());
    let output = status.stdout() + &status.stderr();
    assert!(output.contains("PG_VERSION"), "{output}");
    assert!(!output.contains("secret"), "{output}");
}

#[tokio::test]
async fn a_link_in_place_of_the_directory_is_refused_and_followed_nowhere() {
    if skipped() {
        return;
    }
    let state = state_dir();
    let roots = Roots::make(state.path());
    let before = roots.state();
    // As the unit's own user leaves it.
    let services = state.path().join("service");
    fs::create_dir(&services).unwrap();
    chown(&services, Some(NOBODY), Some(NOBODY)).unwrap();
    symlink(&roots.directory, services.join("postgresql")).unwrap();
    let mut migrate = Running::start(&mut program(&services, &["migrate"]));
    assert!(!migrate.ended().await.success());
    assert_eq!(roots.state(), before);
    let output = migrate.stderr();
    assert_reads!(output.lines().last().unwrap());
}

#[tokio::test]
async fn all_in_the_state_directory_of_a_user_is_made_by_that_user() {
    if skipped() {
        return;
    }
    let state = state_dir();
    let services = state.path().join("service");
    fs::create_dir(&services).unwrap();
    chown(&services, Some(NOBODY), Some(NOBODY)).unwrap();
    let cluster = open(&services.join("made/too"), Role::Client)
        .await
        .unwrap();
    cluster.stop().await.unwrap();
    let mut waiting = vec![services];
    while let Some(path) = waiting.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(found.uid(), NOBODY, "{}", path.display());
        if found.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
}

/// A directory of somebody else, or one that others can change, is not trusted.
#[tokio::test]
async fn a_directory_with_another_owner_or_open_mode_is_refused() {
    if skipped() {
        return;
    }
    let state = seeded_state_dir();
    // In a directory of root's, whoever owns the server's is the server's user.
    chown(state.path(), Some(DAEMON), Some(DAEMON)).unwrap();
    for (name, owner, mode) in [
        ("postgresql", Some(NOBODY), 0o700),
        ("postgresql", None, 0o777),
        ("postgresql/data", Some(0), 0o700),
        ("postgresql/data", None, 0o770),
        ("postgresql/socket", Some(NOBODY), 0o700),
        ("postgresql/socket", None, 0o755),
    ] {
        let path = state.path().join(name);
        let before = fs::metadata(&path).unwrap();
        chown(&path, owner, owner).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = open(state.path(), Role::Client).await.unwrap_err();
        assert!(
            matches!(&refused, ClusterError::Unsafe { path: found, .. } if *found == path),
            "{name} {owner:?} {mode:o}: {refused}"
        );
        chown(&path, Some(before.uid()), Some(before.gid())).unwrap();
        fs::set_permissions(&path, before.permissions()).unwrap();
    }
}

/// What can be planted in place of each directory and file that root comes by.
const PLANTS: &[(&str, &[&str])] = &[
    ("", DIRECTORY_PLANTS),
    ("socket", DIRECTORY_PLANTS),
    ("data", DIRECTORY_PLANTS),
    ("data.new", DIRECTORY_PLANTS),
    ("holder", FILE_PLANTS),
    ("data/PG_VERSION", FILE_PLANTS),
    ("data/postmaster.pid", FILE_PLANTS),
    ("socket/.s.PGSQL.5432", FILE_PLANTS),
    ("socket/.s.PGSQL.5432.lock", FILE_PLANTS),
    // A server that reads a pipe harms nobody but its own user.
    ("data/postgresql.conf", &["link to a file", "hard link"]),
    ("data/pg_hba.conf", &["link to a file", "hard link"]),
];

const DIRECTORY_PLANTS: &[&str] = &["link to a directory", "pipe"];

const FILE_PLANTS: &[&str] = &["link to a file", "hard link", "pipe"];

#[tokio::test]
async fn whatever_is_planted_root_touches_and_shows_nothing_of_its_own() {
    if skipped() {
        return;
    }
    let state = seeded_state_dir();
    let roots = Roots::make(state.path());
    for (name, plants) in PLANTS {
        for plant in *plants {
            let directory = state.path().join("postgresql");
            let path = match *name {
                "" => directory.clone(),
                name => directory.join(name),
            };
            let mut aside = vec![Aside::put(&path)];
            if *name == "data.new" {
                // Else nobody looks there.
                aside.push(Aside::put(&directory.join("data")));
            }
            put(plant, &path, &roots);
            let before = roots.state();
            let mut options = options(Role::Client);
            options.ready_within = Duration::from_secs(2);
            let opened = timeout(PATIENCE * 2, Cluster::open(state.path(), options))
                .await
                .unwrap_or_else(|_| panic!("{plant} at `{name}`: root waits"));
            match opened {
                Ok(cluster) => cluster.stop().await.unwrap(),
                Err(error) => {
                    let text = format!("{error:?} {error}");
                    assert!(!text.contains("secret"), "{plant} at `{name}`: {text}");
                }
            }
            assert_eq!(roots.state(), before, "{plant} at `{name}`");
            drop(aside);
        }
    }
    let cluster = open(state.path(), Role::Client).await.unwrap();
    cluster.stop().await.unwrap();
}

fn put(plant: &str, path: &Path, roots: &Roots) {
    match plant {
        "link to a file" => symlink(roots.file(), path).unwrap(),
        "link to a directory" => symlink(&roots.directory, path).unwrap(),
        "hard link" => fs::hard_link(roots.file(), path).unwrap(),
        _ => {
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            give_to_server_user(path);
        }
    }
}

/// Something that was put aside, and comes back in place of what is there then.
struct Aside {
    path: PathBuf,
    kept: PathBuf,
}

impl Aside {
    fn put(path: &Path) -> Self {
        let name = path.file_name().unwrap().to_str().unwrap();
        let state_dir = path.ancestors().find(|step| step.join("roots").is_dir());
        let kept = state_dir.unwrap().join(format!("aside-{name}"));
        if path.symlink_metadata().is_ok() {
            fs::rename(path, &kept).unwrap();
        }
        Self {
            path: path.to_owned(),
            kept,
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&self.path).unwrap(),
            Ok(_) => fs::remove_file(&self.path).unwrap(),
            Err(_) => {}
        }
        if self.kept.symlink_metadata().is_ok() {
            fs::rename(&self.kept, &self.path).unwrap();
        }
    }
}
