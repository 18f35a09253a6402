//! docs/json.md: the keys that it lists are those that the commands print.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::tickets::sync::TicketSync;
use advisoryd::simulate::{AnswerFault, Damage, FaultRule as Broken};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::settings::Rule;
use crate::support::{Receiver, World};

/// The commands of the tables, and their keys.
fn documented() -> Vec<(String, BTreeSet<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let names = |cell: &str| {
            let names = cell.split('`').skip(1).step_by(2);
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        let command = names(cells[0]).remove(0);
        (command, names(cells.last().unwrap()).into_iter().collect())
    };
    rows.map(row).collect()
}

/// All keys of the objects that a command prints.
fn printed(world: &World, command: &str) -> BTreeSet<String> {
    let mut arguments: Vec<&str> = command.split(' ').collect();
    arguments.push("--json");
    let result = world.cli(&arguments);
    let values = serde_json::Deserializer::from_str(&result.stdout).into_iter::<Value>();
    let mut keys = BTreeSet::new();
    for value in values {
        let value = value.unwrap_or_else(|error| panic!("{command}: {error}: {result}"));
        let objects = match value {
            Value::Array(objects) => objects,
            object => vec![object],
        };
        for object in &objects {
            keys.extend(object.as_object().unwrap().keys().cloned());
        }
    }
    assert!(!keys.is_empty(), "{command} printed nothing: {result}");
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_the_documentation_are_those_of_the_commands() {
    let receiver = Receiver::start().await;
    let mut world = World::new().await;
    world.settings.alerts.rules = vec![Rule::to_hook("soc", &["appeared", "revised"])];
    world.add_hook(&receiver);
    world
        .simulator
        .inject(Broken::new(AnswerFault::Damaged(Damage::OneBadRecord)).times(1));
    world.pull_one().await;
    world.sync_tickets(TicketSync::Now).await;
    world.alert().await;
    world.later(TimeDelta::minutes(5));
    let said = world.simulator.saids(1)[0].clone();
    assert!(world.simulator.revise(&said, false));
    world.pull_back(LookBack::Full).await;
    world.alert().await;
    for arguments in [
        &["ack", &said][..],
        &[
            "silence", "add", "rule=soc", "--reason", "x", "--until", "1h",
        ],
    ] {
        let done = world.cli(arguments);
        assert_eq!(done.code, 0, "{done}");
    }
    let folder = world.dir().join("fleet");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("one.toml"), world.toml()).unwrap();
    let tables = documented();
    assert!(tables.len() > 12, "{tables:?}");
    for (command, keys) in tables {
        let command = command.replace("SA87735", &said);
        let command = command.replace("DIR", &folder.display().to_string());
        assert_eq!(printed(&world, &command), keys, "{command}");
    }
}
