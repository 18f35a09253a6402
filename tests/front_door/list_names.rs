//! Watch lists that the configuration names by id only, that nobody follows, and that were
//! followed once.

use advisoryd::job::lists::mirror;
use advisoryd::simulate::{AnswerFault, FaultRule, SimulatorOptions};
use chrono::TimeDelta;

use crate::support::{World, small};

/// Two lists, of which the configuration has the ids.
async fn by_id() -> World {
    let mut world = World::with(SimulatorOptions {
        watch_lists: 2,
        ..small()
    })
    .await;
    world.settings.schedule.list_contents = Some("0 * * * * *");
    world.settings.feeds.details = Some("never");
    world
}

fn sync(world: &World) {
    let result = world.cli(&["sync", "feeds"]);
    assert_eq!(result.code, 0, "{result}");
}

/// How often upstream was asked for all lists.
fn asked(world: &World) -> usize {
    let requests = world.simulator.requests();
    let paths = requests.iter().map(|one| one.target.split('?').next());
    paths
        .filter(|path| *path == Some("/api/asset-lists/"))
        .count()
}

/// The row of `status` of a list.
fn row(world: &World, options: &[&str], id: i64) -> Option<String> {
    let page = world.cli(&[options, &["status"]].concat()).stdout;
    let begin = format!("watch list {id} ");
    let row = page.lines().find(|line| line.starts_with(&begin));
    row.map(str::to_owned)
}

#[tokio::test]
async fn a_list_without_a_name_in_the_configuration_has_that_of_upstream() {
    let world = by_id().await;
    sync(&world);
    let named = |name: &str| row(&world, &[], 2).is_some_and(|row| row.contains(name));
    assert!(named("Workstations"), "{}", world.cli(&["status"]));
    let found = world.cli(&["advisories", "--list", "workstations", "--limit", "1"]);
    assert_eq!(found.code, 0, "{found}");
    // Names are asked for once a day, with one request.
    let asked = || asked(&world);
    let before = asked();
    assert!(world.simulator.rename_watch_list(2, "Offices"));
    let again = async || {
        mirror::mirror(&world.context().await).await.unwrap();
    };
    again().await;
    assert_eq!(asked(), before);
    assert!(named("Workstations"), "{}", world.cli(&["status"]));
    world.later(TimeDelta::hours(25));
    again().await;
    assert_eq!(asked(), before + 1);
    assert!(named("Offices"), "{}", world.cli(&["status"]));
    // The next start keeps it.
    assert_eq!(world.cli(&["migrate"]).code, 0);
    assert!(named("Offices"), "{}", world.cli(&["status"]));
}

#[tokio::test]
async fn an_account_that_may_not_read_lists_is_asked_for_names_once_a_day() {
    let world = by_id().await;
    let refused = FaultRule::new(AnswerFault::Status(403))
        .on("asset-lists")
        .times(1000);
    world.simulator.inject(refused);
    sync(&world);
    let asked = || asked(&world);
    assert_eq!(asked(), 1);
    mirror::mirror(&world.context().await).await.unwrap();
    assert_eq!(asked(), 1);
    world.later(TimeDelta::hours(25));
    mirror::mirror(&world.context().await).await.unwrap();
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn a_list_that_is_not_followed_is_an_error_and_no_empty_answer() {
    let world = by_id().await;
    sync(&world);
    for arguments in [
        &["advisories", "--watch-list", "99"][..],
        &["products", "--watch-list", "99"],
        &["changes", "--watch-list", "99"],
        &["tickets", "--watch-list", "99"],
        &["advisories", "--where", "list = 99"],
        &["advisories", "--where", "list = Nosuch"],
        &[
            "advisories",
            "--where",
            "severity >= high and not list ~ nosuch",
        ],
    ] {
        let result = world.cli(arguments);
        assert_eq!(result.code, 1, "{arguments:?}: {result}");
        let known = "(followed: 1 \"Linux servers\", 2 \"Workstations\")";
        assert!(result.stderr.contains(known), "{arguments:?}: {result}");
    }
    for filter in ["list = 2", "list = workstations", "list ~ linux"] {
        let result = world.cli(&["advisories", "--where", filter]);
        assert_eq!(result.code, 0, "{filter}: {result}");
    }
}

#[tokio::test]
async fn a_list_that_is_no_longer_followed_is_told_for_a_month_and_kept() {
    let mut world = by_id().await;
    sync(&world);
    let stored = world.count("select count(*) from advisoryd.sighting").await;
    world.lists = Some(vec![1]);
    sync(&world);
    let note = "no longer followed: watch list 2 (Workstations)";
    let has_note = |world: &World| world.cli(&["status"]).stdout.contains(note);
    assert!(has_note(&world), "{}", world.cli(&["status"]));
    assert_eq!(row(&world, &[], 2), None);
    let shown = row(&world, &["-v"], 2);
    assert!(shown.is_some_and(|row| row.contains("off")));
    sqlx::raw_sql(
        "update advisoryd.source
         set last_attempt_at = last_attempt_at - interval '31 days',
             followed_since = followed_since - interval '31 days'
         where watch_list_id = 2",
    )
    .execute(world.pool())
    .await
    .unwrap();
    assert!(!has_note(&world), "{}", world.cli(&["status"]));
    assert!(row(&world, &["-v"], 2).is_some());
    let kept = world.count("select count(*) from advisoryd.sighting").await;
    assert_eq!(kept, stored, "no data is deleted");
}
