//! Somebody takes care of an advisory: who, until when, and what rules do about it.

use advisoryd::job::feeds::feed::LookBack;
use chrono::TimeDelta;

use crate::support::settings::Rule;
use crate::support::{Receiver, World, assert_reads};

/// A rule for what is open, and one for everything.
async fn watched() -> (World, Receiver) {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    let mut open = Rule::to_hook("open", &["revised"]);
    open.clauses.insert("state".to_owned(), "open".into());
    world.settings.alerts.rules = vec![open, Rule::to_hook("all", &["revised"])];
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    (world, receiver)
}

/// The rules that tell of a new revision.
async fn told_of_a_revision(world: &World, receiver: &Receiver, said: &str) -> Vec<String> {
    let before = receiver.received().len();
    world.later(TimeDelta::minutes(5));
    assert!(world.simulator.revise(said, false));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    let mut rules: Vec<String> = receiver.received()[before..]
        .iter()
        .map(|message| message.body["rule"].as_str().unwrap().to_owned())
        .collect();
    rules.sort();
    rules
}

#[tokio::test]
async fn rules_for_open_advisories_are_quiet_while_one_is_acknowledged() {
    let (world, receiver) = watched().await;
    let said = world.simulator.saids(1)[0].clone();
    assert_eq!(
        told_of_a_revision(&world, &receiver, &said).await,
        ["all", "open"]
    );

    // Another advisory would show that only this one is meant.
    let note = "with the next\nwindow";
    let small = said.to_lowercase();
    let done = world.cli(&["ack", &small, "--until", "30d", "--note", note]);
    assert_eq!(done.code, 0, "{done}");
    assert_eq!(told_of_a_revision(&world, &receiver, &said).await, ["all"]);
    let other = world.simulator.saids(1)[1].clone();
    assert_eq!(
        told_of_a_revision(&world, &receiver, &other).await,
        ["all", "open"]
    );
    let explained = world.cli(&["explain", &said, "--rule", "open"]);
    let shown = world.cli(&["show", &said]).stdout;
    let line = shown.lines().find(|line| line.contains("acknowledged"));
    let line = line.expect("it is shown").to_owned();
    let shown = world.cli(&["show", &said, "--json"]).json();
    assert_eq!(shown["acknowledged"]["note"], "with the next window");

    let withdrawn = world.cli(&["ack", &said, "--withdraw"]);
    assert_eq!(withdrawn.code, 0, "{withdrawn}");
    assert_eq!(
        told_of_a_revision(&world, &receiver, &said).await,
        ["all", "open"]
    );
    let twice = world.cli(&["ack", &said, "--withdraw"]);
    assert_eq!(twice.code, 1);
    assert_reads!(done, explained, line, withdrawn, twice);
}

#[tokio::test]
async fn acknowledgements_stay_with_a_trace_and_one_is_in_force() {
    let (world, _receiver) = watched().await;
    let said = world.simulator.saids(1)[0].clone();
    for arguments in [
        ["ack", &said, "--note", "first"].as_slice(),
        &["ack", &said, "--until", "1h", "--note", "second"],
        &["ack", &said, "--withdraw"],
    ] {
        let done = world.cli(arguments);
        assert_eq!(done.code, 0, "{done}");
    }
    let rows = "select concat_ws(' ', note, withdrawn_at is not null, until is not null,
                                 by = (select max(who) from advisoryd_v1.audit), by <> '')
                from advisoryd_v1.acknowledgements order by at";
    assert_eq!(
        world.texts(rows).await,
        ["first t f t t", "second t t t t"],
        "the second one replaced the first, then it was withdrawn"
    );
    let audit = "select what || ' ' || key || ' ' || (detail ->> 'note' is null)
                 from advisoryd_v1.audit order by at";
    let expected = ["acknowledge", "acknowledge", "withdraw_acknowledgement"]
        .map(|what| format!("{what} {said} true"));
    assert_eq!(world.texts(audit).await, expected);

    let unknown = world.cli(&["ack", "SA1"]);
    assert_eq!(unknown.code, 1);
    let past = world.cli(&["ack", &said, "--until", "2020-01-01"]);
    assert_eq!(past.code, 1, "{past}");
    assert_reads!(unknown, past);
}

#[tokio::test]
async fn acknowledgements_are_listed_the_active_ones_and_with_all_the_others() {
    let (world, _receiver) = watched().await;
    let saids: Vec<String> = world.simulator.saids(1)[..3].to_vec();
    for arguments in [
        ["ack", &saids[0], "--note", "=cmd, first"].as_slice(),
        &["ack", &saids[1], "--until", "30d"],
        &["ack", &saids[2]],
        &["ack", &saids[2], "--withdraw"],
    ] {
        let done = world.cli(arguments);
        assert_eq!(done.code, 0, "{done}");
    }
    sqlx::query(
        "insert into advisoryd.acknowledgement (said, created_by, at, until)
         values ($1, 'jane', now() - interval '2 days', now() - interval '1 day')",
    )
    .bind(&saids[2])
    .execute(world.pool())
    .await
    .unwrap();
    let listed = |options: &[&str]| {
        let mut arguments = vec!["ack", "--list", "--json"];
        arguments.extend(options);
        let lines = world.cli(&arguments).json_lines().into_iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let lines = lines.map(|line| (text(&line["said"]), text(&line["state"])));
        lines.collect::<Vec<_>>()
    };
    let state = |place: usize, state: &str| (saids[place].clone(), state.to_owned());
    assert_eq!(listed(&[]), [state(1, "active"), state(0, "active")]);
    let all = ["withdrawn", "expired"].map(|one| state(2, one));
    assert_eq!(listed(&["--all", &saids[2].to_lowercase()]), all);
    assert_eq!(listed(&["--all"]).len(), 4);
    assert_eq!(listed(&["--limit", "1"]), [state(1, "active")]);

    let csv = world.cli(&["ack", "--list", "--csv"]).stdout;
    assert!(
        csv.starts_with("said,state,by,at,until,withdrawn_at,note,title,assigned_to\n"),
        "{csv}"
    );
    assert!(csv.contains("\"'=cmd, first\""), "{csv}");
    let table = world.cli(&["ack", "--list"]).stdout;
    assert!(
        table.contains("=cmd, first") && !table.contains(&saids[2]),
        "{table}"
    );
    let none = world.cli(&["ack", "--list", "SA1"]);
    assert_eq!(
        (none.code, none.stdout.as_str()),
        (0, "no active acknowledgements or assignments\n"),
        "{none}"
    );
    let wrong = world.cli(&["ack", &saids[0], "--json"]);
    assert_eq!(wrong.code, 2, "{wrong}");
}

#[tokio::test]
async fn an_advisory_is_assigned_without_being_acknowledged_and_that_ends_with_a_trace() {
    let (world, receiver) = watched().await;
    let said = world.simulator.saids(1)[0].clone();
    let done = world.cli(&["ack", &said.to_lowercase(), "--assign", "mia"]);
    assert_eq!(done.code, 0, "{done}");
    assert!(done.stdout.contains("assigned to mia"), "{done}");
    // Who is assigned has not looked at it yet.
    assert_eq!(
        told_of_a_revision(&world, &receiver, &said).await,
        ["all", "open"]
    );
    let shown = world.cli(&["show", &said]);
    assert!(shown.stdout.contains("mia by "), "{shown}");
    let shown = world.cli(&["show", &said, "--json"]).json();
    assert_eq!(shown["assigned"]["to"], "mia");
    assert_eq!(shown["assigned_to"], "mia");
    let explained = world.cli(&["explain", &said]);
    assert!(
        explained.stdout.contains("assigned to mia by "),
        "{explained}"
    );

    // Another one, with an acknowledgement.
    let done = world.cli(&["ack", &said, "--assign", "Tom Ray", "--until", "30d"]);
    assert_eq!(done.code, 0, "{done}");
    let listed = world.cli(&["ack", "--list", "--json"]).json_lines();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["state"], "active");
    assert_eq!(listed[0]["assigned_to"], "Tom Ray");
    let done = world.cli(&["ack", &said, "--withdraw"]);
    assert_eq!(done.code, 0, "{done}");
    let listed = world.cli(&["ack", "--list", "--json"]).json_lines();
    assert_eq!(listed[0]["state"], "assigned", "{listed:?}");
    let mine = |filter: &str| {
        let result = world.cli(&["advisories", "--where", filter, "--json"]);
        result.json_lines().len()
    };
    assert_eq!(mine("assigned_to = \"tom ray\""), 1);
    assert_eq!(mine("assigned and assigned_to ~ ray"), 1);
    assert_eq!(mine("assigned_to = mia"), 0);
    let column = "select assigned_to from advisoryd_v1.advisories where assigned_to is not null";
    assert_eq!(world.texts(column).await, ["Tom Ray"]);

    let done = world.cli(&["ack", &said, "--assign", ""]);
    assert_eq!(done.code, 0, "{done}");
    assert!(done.stdout.contains("ended"), "{done}");
    let twice = world.cli(&["ack", &said, "--unassign"]);
    assert_eq!(twice.code, 1, "{twice}");
    assert!(twice.stderr.contains("is not assigned"), "{twice}");
    assert_eq!(mine("assigned"), 0);
    let rows = "select concat_ws(' ', assignee, by <> '', ended_at is not null)
                from advisoryd_v1.assignments order by at";
    assert_eq!(world.texts(rows).await, ["mia t t", "Tom Ray t t"]);
    let audit = "select what from advisoryd_v1.audit order by at, what = 'assign'";
    let audit = world.texts(audit).await;
    assert_eq!(
        audit,
        [
            "assign",
            "acknowledge",
            "assign",
            "withdraw_acknowledgement",
            "unassign"
        ]
    );
}

#[tokio::test]
async fn rules_select_by_assignee() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    let mut rules = Vec::new();
    for (name, filter) in [("mine", "assigned_to = mia"), ("nobody", "not assigned")] {
        let mut rule = Rule::to_hook(name, &["revised"]);
        rule.clauses.insert("where".to_owned(), filter.into());
        rules.push(rule);
    }
    world.settings.alerts.rules = rules;
    world.add_hook(&receiver);
    world.pull_one().await;
    world.alert().await;
    let said = world.simulator.saids(1)[0].clone();
    assert_eq!(
        told_of_a_revision(&world, &receiver, &said).await,
        ["nobody"]
    );
    assert_eq!(world.cli(&["ack", &said, "--assign", "Mia"]).code, 0);
    assert_eq!(told_of_a_revision(&world, &receiver, &said).await, ["mine"]);
}

#[tokio::test]
async fn upstream_is_told_nothing_of_an_acknowledgement() {
    let world = World::new().await;
    world.pull_one().await;
    let said = world.simulator.saids(1)[0].clone();
    world.simulator.forget_requests();
    for more in [
        &["--note", "mine", "--until", "1d"][..],
        &["--assign", "mia"],
        &["--withdraw"],
        &["--unassign"],
    ] {
        let result = world.cli(&[&["ack", &said][..], more].concat());
        assert_eq!(result.code, 0, "{result}");
    }
    assert!(world.simulator.requests().is_empty());
    assert_eq!(world.cli(&["sync"]).code, 0);
    let requests = world.simulator.requests();
    let mut methods = requests.iter().map(|one| one.method.as_str());
    assert!(methods.all(|method| method == "GET"), "{requests:?}");
}
