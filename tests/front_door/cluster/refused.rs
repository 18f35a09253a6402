//! What cannot work is refused with the way out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use advisoryd::cluster::{Cluster, ClusterError, Role};

use super::{give_to_server_user, is_root, open, options};
use crate::support::{assert_reads, state_dir, without};

#[tokio::test]
async fn a_missing_server_is_explained_with_the_install_command() {
    let state = state_dir();
    let mut options = options(Role::Daemon);
    options.search.path = state.path().into();
    options.search.versions = state.path().join("none");
    let refused = Cluster::open(state.path(), options).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::NoServer { .. }),
        "{refused}"
    );
    assert_reads!(refused);
}

#[tokio::test]
async fn data_of_another_major_version_are_refused_by_name() {
    let state = state_dir();
    let data = state.path().join("postgresql/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    give_to_server_user(&state.path().join("postgresql"));
    let refused = open(state.path(), Role::Daemon).await.unwrap_err();
    assert!(
        matches!(&refused, ClusterError::OtherMajor { data_version, .. } if data_version == "9"),
        "{refused}"
    );
    assert_reads!(refused);
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).unwrap(), "9\n");
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_reached_is_refused_with_the_reason() {
    let state = state_dir();
    let closed = state.path().join("closed");
    fs::create_dir(&closed).unwrap();
    let is_root = is_root();
    let mode = if is_root { 0o700 } else { 0o000 };
    fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
    let refused = open(&closed.join("state"), Role::Daemon).await.unwrap_err();
    if is_root {
        assert!(
            matches!(&refused, ClusterError::Unreachable { blocked, .. } if *blocked == closed),
            "{refused}"
        );
    } else {
        assert!(
            matches!(refused, ClusterError::PermissionDenied { .. }),
            "{refused}"
        );
    }
    if is_root {
        assert_reads!(refused);
    }
}

#[tokio::test]
async fn a_short_socket_directory_of_somebody_else_is_not_used() {
    let state = state_dir();
    let long = state.path().join("x".repeat(100));
    let mut options = options(Role::Daemon);
    options.short_directories = vec![state.path().to_owned()];
    let cluster = Cluster::open(&long, options.clone()).await.unwrap();
    cluster.stop().await.unwrap();
    let short = fs::read_dir(state.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .find(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("advisoryd-")
        })
        .expect("the short directory")
        .path();
    fs::set_permissions(&short, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = Cluster::open(&long, options).await.unwrap_err();
    assert!(
        matches!(refused, ClusterError::SocketPathTooLong { .. }),
        "{refused}"
    );
    assert_reads!(without(
        &refused,
        r"advisoryd-[0-9a-f]{16}",
        "advisoryd-[hash]"
    ));
}
