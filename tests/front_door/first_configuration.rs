//! The first configuration: an example to begin with, errors in the order in which they are
//! corrected, files beside it, and options as other tools have them.

use std::fs;

use advisoryd::job::tickets::sync::TicketSync;

use crate::support::settings::Sink;
use crate::support::{CommandResult, Receiver, World, binary};

/// What a command says with this configuration.
fn with_file(world: &World, text: &str, arguments: &[&str]) -> CommandResult {
    let file = world.dir().join("other.toml");
    fs::write(&file, text).unwrap();
    let output = binary().arg("--config").arg(file).args(arguments).output();
    output.unwrap().into()
}

#[tokio::test]
async fn the_example_is_printed_and_is_a_configuration() {
    let world = World::new().await;
    let example = world.cli(&["config", "example"]);
    assert_eq!(
        (example.code, example.stderr.as_str()),
        (0, ""),
        "{example}"
    );
    assert!(example.stdout.contains("[[watch_lists]]"), "{example}");
    assert!(
        example.stdout.contains("#requests_per_minute = "),
        "{example}"
    );
    let filled = format!("{}\n[[watch_lists]]\nid = 4\n", example.stdout);
    let checked = with_file(&world, &filled, &["config", "show", "watch_lists"]);
    assert_eq!(checked.code, 0, "{checked}");
    assert!(checked.stdout.contains("watch_lists[1].id"), "{checked}");
    // It needs no configuration that can be read.
    let broken = with_file(&world, "[upstream", &["config", "example"]);
    assert_eq!(broken.code, 0, "{broken}");
}

#[tokio::test]
async fn errors_are_in_the_order_of_their_lines_and_show_addresses_without_a_secret() {
    let world = World::new().await;
    let text = "[http]\nlisten = \"localhost\"\n[[watch_lists]]\nid = \"x\"\n\
        [upstream]\nbase_url = \"htps://api.app.secunia.com/x\"\n\
        [database]\nurl = \"mysql://me:hunter2@db/x\"\n\
        [log]\nformat = \"xml\"\n";
    let result = with_file(&world, text, &["check", "--offline"]);
    assert_eq!(result.code, 78, "{result}");
    let line = |text: &str| -> u32 {
        let rest = text.split("other.toml:").nth(1).unwrap();
        rest.split(':').next().unwrap().parse().unwrap()
    };
    let lines: Vec<u32> = result.stderr.lines().map(line).collect();
    assert_eq!(lines, [2, 4, 6, 8, 10], "{result}");
    assert!(
        result.stderr.contains("got `htps://api.app.secunia.com/…`"),
        "{result}"
    );
    assert!(
        result.stderr.contains("`database.url`: got `[not shown]`"),
        "{result}"
    );
    assert!(!result.stderr.contains("hunter2"), "{result}");
}

#[tokio::test]
async fn a_named_secret_may_be_beside_the_configuration_and_a_test_names_sink_and_line() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.sinks.push(Sink {
        name: "soc".to_owned(),
        kind: "webhook",
        url: Some(receiver.url.clone()),
        secret_file: Some("first-minute-secret".to_owned()),
        allow_private: Some(true),
        ..Sink::default()
    });
    let missing = world.cli(&["alerts", "test", "soc"]);
    assert_eq!(missing.code, 1, "{missing}");
    let said = missing.stderr.as_str();
    assert!(said.contains("sink `soc` cannot be used: "), "{missing}");
    let place = format!("{}:", world.dir().join("config.toml").display());
    assert_eq!(
        said.matches(&place).count(),
        2,
        "the sink and the file: {missing}"
    );
    assert!(said.contains("beside the configuration file"), "{missing}");
    let beside = world.dir().join("first-minute-secret");
    fs::write(&beside, "short").unwrap();
    let refused = world.cli(&["alerts", "test", "soc"]);
    assert!(refused.stderr.contains("does not contain"), "{refused}");
    assert!(refused.stderr.contains(&place), "{refused}");
    fs::write(&beside, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let sent = world.cli(&["alerts", "test", "soc"]);
    assert_eq!(sent.code, 0, "{sent}");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn settings_in_a_pipe_are_not_padded_to_the_longest() {
    let mut world = World::new().await;
    world.settings.upstream.advisory_url = Some("https://svr.example.org/a/{said}?id={id}");
    let result = world.cli(&["config", "show"]);
    assert_eq!(result.code, 0, "{result}");
    let lines: Vec<&str> = result.stdout.lines().collect();
    let begin = lines[0].find("value").unwrap();
    for line in &lines {
        let value = &line[begin..];
        assert!(
            !value.starts_with(' ') && line[..begin].ends_with("  "),
            "{line}"
        );
        assert!(!value.contains("   "), "{line}");
    }
    let short = lines
        .iter()
        .find(|line| line.starts_with("upstream.allow_http "));
    assert!(short.unwrap().ends_with("  false  default"), "{result}");
}

#[tokio::test]
async fn options_are_taken_as_other_tools_have_them() {
    let world = World::new().await;
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    let same = |one: &[&str], other: &[&str]| {
        let (one, other) = (world.cli(one), world.cli(other));
        assert_eq!((one.code, other.code), (0, 0), "{one} {other}");
        assert_eq!(one.stdout, other.stdout);
        one.stdout
    };
    let cvss = |value| ["advisories", "--json", "--cvss", value];
    assert!(!same(&cvss("7+"), &cvss("7")).is_empty());
    let tickets = |option| ["tickets", "--json", option, "1"];
    assert!(!same(&tickets("--list"), &tickets("--watch-list")).is_empty());
    let changes = |option| ["changes", "--json", option, "1"];
    same(&changes("--list"), &changes("--watch-list"));

    let said = &world.simulator.saids(1)[0];
    let ack = world.cli(&["ack", said, "--for", "30d", "--note", "next window"]);
    assert_eq!(ack.code, 0, "{ack}");
    let ends = "select count(*) from advisoryd_v1.acknowledgements
                where until between now() + interval '29 days' and now() + interval '31 days'";
    assert_eq!(world.count(ends).await, 1);
    let silence = [
        "silence",
        "add",
        "severity=low",
        "--for",
        "8h",
        "--reason",
        "moving",
    ];
    let silence = world.cli(&silence);
    assert_eq!(silence.code, 0, "{silence}");

    for (heading, column) in [
        ("advisory", "said"),
        ("cvss", "cvss_score"),
        ("released", "released_at"),
    ] {
        let refused = world.cli(&["advisories", "--columns", heading]);
        assert_eq!(refused.code, 2, "{refused}");
        let hint = format!("did you mean `{column}`?");
        assert!(refused.stderr.contains(&hint), "{refused}");
        assert!(
            refused.stderr.contains("quarantined_since"),
            "it lists all: {refused}"
        );
    }
}
