//! `-q`: only data and failures are printed.

use advisoryd::simulate::{AnswerFault, FaultRule};

use crate::support::World;

#[tokio::test]
async fn what_went_well_is_not_told_and_what_failed_is() {
    let world = World::new().await;
    for arguments in [
        &["-q", "migrate"][..],
        &["-q", "sync"],
        &["-q", "check"],
        &["verify", "-q"],
    ] {
        let result = world.cli(arguments);
        assert_eq!(
            (result.code, result.stdout.as_str(), result.stderr.as_str()),
            (0, "", ""),
            "{arguments:?}"
        );
    }
    let rule = || {
        FaultRule::new(AnswerFault::Status(400))
            .on("xml-feed")
            .times(9)
    };
    world.simulator.inject(rule());
    let sync = world.cli(&["-q", "sync", "feeds"]);
    assert_eq!((sync.code, sync.stdout.as_str()), (1, ""), "{sync:?}");
    assert_eq!(
        sync.stderr.lines().count(),
        1,
        "one line a failure: {sync:?}"
    );
    assert!(sync.stderr.contains("status 400"), "{sync:?}");
    let check = world.cli(&["-q", "check"]);
    assert_eq!(check.code, 1, "{check:?}");
    assert!(
        check.stdout.lines().all(|line| line.starts_with("FAIL")),
        "{check:?}"
    );
}

#[tokio::test]
async fn data_is_printed_without_hints() {
    let mut world = World::new().await;
    world.settings.feeds.details = Some("never");
    world.pull_one().await;
    let result = world.cli(&["-q", "advisories"]);
    assert_eq!((result.code, result.stderr.as_str()), (0, ""), "{result:?}");
    assert_eq!(result.stdout.lines().count(), 51, "{result:?}");
    let hints = world.cli(&["advisories"]).stderr;
    assert!(hints.contains("--limit N"), "{hints}");
}
