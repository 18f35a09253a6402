//! New in a list that was read before: late lists, records that could not be read, rules about
//! one list.

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::model::SourceKey;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule as Trouble};
use chrono::TimeDelta;

use crate::alert_first_loads::{
    THROUGH_ONE, follow, list_one, notified, once, publish, pull, read, settle,
};
use crate::support::settings::Rule;

const ONE: SourceKey = SourceKey::WatchList(1);
const TWO: SourceKey = SourceKey::WatchList(2);

#[tokio::test]
async fn a_list_that_lacks_it_for_less_than_an_hour_is_late_and_a_window_says_nothing_of_old_ones()
{
    let (mut world, receiver) = list_one("feed").await;
    let late = publish(&world, &[2]);
    let outside = |list: i64| {
        let others = world.simulator.saids(1);
        let mut saids = world.simulator.saids(list);
        saids.retain(|said| !others.contains(said));
        saids
    };
    let old = outside(2).remove(0);
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    world.later(TimeDelta::minutes(10));
    read(&world, 1).await;
    world.simulator.join(&late, 1);
    world.simulator.join(&old, 1);
    world.later(TimeDelta::hours(2));
    // The pull before came within the hour.
    pull(&world, &ONE, LookBack::Full).await;
    for said in [late, old] {
        let all = settle(&world, &receiver, &said).await;
        assert_eq!(all, once(THROUGH_ONE), "{said}");
    }
}

#[tokio::test]
async fn a_rule_about_one_list_is_told_of_what_another_list_brings_first() {
    let (mut world, receiver) = list_one("feed").await;
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    world.later(TimeDelta::hours(10));
    for hours in [0, 5] {
        let said = publish(&world, &[1, 2]);
        read(&world, 2).await;
        world.alert().await;
        world.later(TimeDelta::hours(hours));
        read(&world, 1).await;
        let mut all = settle(&world, &receiver, &said).await;
        let joined = all.remove("joined").unwrap();
        // An hour later, joining is an event of its own for whoever asks for it.
        let expected = ["appeared", "joined_watch_list"];
        assert_eq!(joined, expected[..=usize::from(hours > 0)]);
        let each = ["any", "one", "two"].map(|rule| (rule, "appeared"));
        assert_eq!(all, once(each));
        world.later(TimeDelta::hours(10));
    }
}

#[tokio::test]
async fn whoever_wants_first_loads_too_is_told_once_as_well() {
    let (mut world, receiver) = list_one("feed").await;
    let said = publish(&world, &[1, 2]);
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    world.alert_with(true).await;
    read(&world, 1).await;
    world.alert_with(true).await;
    let all = notified(&receiver, &said);
    let each = ["any", "one", "two", "joined"].map(|rule| (rule, "appeared"));
    assert_eq!(all, once(each));
}

#[tokio::test]
async fn a_record_that_could_not_be_read_is_new_when_it_can() {
    let (mut world, receiver) = list_one("feed").await;
    let said = publish(&world, &[1, 2]);
    follow(&mut world, 2, "feed");
    read(&world, 2).await;
    let bad = Trouble::new(AnswerFault::Damaged(Damage::TooDeep)).on("asset_list_id=1");
    world.simulator.inject(bad.times(2));
    for _ in 0..2 {
        world.later(TimeDelta::hours(2));
        read(&world, 1).await;
    }
    let kept = world.texts("select key from advisoryd_v1.quarantine").await;
    assert_eq!(kept, std::slice::from_ref(&said));
    world.later(TimeDelta::hours(2));
    read(&world, 1).await;
    let all = settle(&world, &receiver, &said).await;
    assert_eq!(all, once(THROUGH_ONE));
}

#[tokio::test]
async fn what_is_older_than_a_full_pull_reaches_only_joins_after_one() {
    let (mut world, receiver) = list_one("feed").await;
    let month_ago = world.simulator.now() - TimeDelta::days(60);
    let members = world.simulator.saids(1);
    let mut old = world.simulator.saids(2);
    old.retain(|said| {
        let dated = world.simulator.expected(said).unwrap().modified_at;
        !members.contains(said) && dated < Some(month_ago)
    });
    let said = old.remove(0);
    world.settings.feeds.first_days = Some(30);
    follow(&mut world, 2, "feed");
    pull(&world, &TWO, LookBack::Days(400)).await;
    world.later(TimeDelta::hours(2));
    pull(&world, &ONE, LookBack::Full).await;
    world.simulator.join(&said, 1);
    pull(&world, &ONE, LookBack::Days(400)).await;
    let all = settle(&world, &receiver, &said).await;
    assert_eq!(all, once([("joined", "joined_watch_list")]));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story")]
async fn a_filter_compares_the_same_lists_as_the_clause() {
    let (mut world, receiver) = list_one("feed").await;
    let rule = |name: String, clauses| Rule {
        clauses,
        ..Rule::to_hook(
            &name,
            &[
                "appeared",
                "joined_watch_list",
                "left_watch_list",
                "revised",
            ],
        )
    };
    let filters = |id: i64, name: &str| {
        let clause = toml::Table::from_iter([("watch_lists".to_owned(), vec![id].into())]);
        let filter = |text: String| toml::Table::from_iter([("where".to_owned(), text.into())]);
        [
            rule(format!("clause {id}"), clause),
            rule(format!("id {id}"), filter(format!("list = {id}"))),
            rule(format!("name {id}"), filter(format!("list = \"{name}\""))),
            rule(format!("not {id}"), filter(format!("not list != {id}"))),
        ]
    };
    world.settings.alerts.rules = [filters(1, "First"), filters(2, "Second")].concat();
    follow(&mut world, 2, "feed");
    for (list, name) in world
        .settings
        .watch_lists
        .iter_mut()
        .zip(["First", "Second"])
    {
        list.name = Some(name);
    }
    read(&world, 2).await;
    world.alert().await;
    world.later(TimeDelta::hours(10));
    // In the one list only; joins the other hours later; leaves it; and is revised.
    let said = publish(&world, &[2]);
    let mut seen = std::collections::BTreeSet::new();
    for step in 0..4 {
        match step {
            1 => assert!(world.simulator.join(&said, 1)),
            2 => assert!(world.simulator.leave(&said, 2)),
            3 => assert!(world.simulator.revise(&said, false)),
            _ => {}
        }
        world.later(TimeDelta::minutes(1));
        pull(&world, &ONE, LookBack::Full).await;
        pull(&world, &TWO, LookBack::Full).await;
        world.alert().await;
        let all = notified(&receiver, &said);
        for id in [1, 2] {
            let of = |name: &str| {
                all.get(&format!("{name} {id}"))
                    .cloned()
                    .unwrap_or_default()
            };
            for name in ["id", "name", "not"] {
                assert_eq!(of(name), of("clause"), "step {step}: {name} {id}");
            }
            seen.insert((id, of("clause")));
        }
        world.later(TimeDelta::hours(10));
    }
    // They differ: of what joined list 1, nobody is told who asked for list 2.
    let joined = |id: i64| {
        let all = &notified(&receiver, &said)[&format!("clause {id}")];
        all.iter()
            .filter(|what| *what == "joined_watch_list")
            .count()
    };
    assert_eq!((joined(1), joined(2)), (1, 0));
    assert!(seen.len() > 4, "{seen:?}");
}
