//! How saved documents are understood, told to a person.

use std::path::Path;
use std::process::Command;

use advisoryd::clock::machine_now;
use advisoryd::http::{BodyType, Request};
use advisoryd::simulate::SimulatedProfile;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{World, assert_reads, binary, small};

fn inspected(mut command: Command) -> Value {
    let output = command.output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Fields with the names they came from.
fn origins(result: &Value) -> String {
    let fields = result["first"]["fields"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = fields.map(|field| format!("{}={}", text(&field["field"]), text(&field["name"])));
    pairs.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_unknown_structure_is_told_with_the_lines_that_make_it_readable() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("feed.xml");
    let text = "<bulletins><bulletin><vuln_key>SA7</vuln_key><caption>Something</caption>\
                <changed_on>2026-01-02T03:04:05Z</changed_on></bulletin></bulletins>";
    std::fs::write(&file, text).unwrap();
    let mut command = world.command(&["inspect"]);
    command.arg(&file);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let result = String::from_utf8(output.stdout).unwrap();
    let result = result.split_once(": ").unwrap().1.to_owned();
    insta::assert_snapshot!(result);
    // With these lines it comes in.
    let mut taught = World::new().await;
    taught.settings.feeds.aliases.extend([
        ("said", ["vuln_key"]),
        ("title", ["caption"]),
        ("modified_at", ["changed_on"]),
    ]);
    let mut command = taught.command(&["inspect", "--json"]);
    command.arg(&file);
    let result = inspected(command);
    assert_eq!(result["error"], Value::Null);
    assert_eq!(
        origins(&result),
        "said=vuln_key title=caption modified_at=changed_on"
    );
}

#[tokio::test]
async fn the_captured_json_is_told_field_by_field() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/nvdtools");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let mut command = binary();
    command.args(["inspect", "--json"]);
    command.arg(folder.join("advisory_details_example.json"));
    let result = inspected(command);
    assert_eq!(
        (&result["records"], &result["refused"]),
        (&1.into(), &0.into())
    );
    assert_reads!(origins(&result));
    let mut command = binary();
    command.args(["inspect", "--json"]);
    command.arg(folder.join("advisory_list_example.json"));
    assert_eq!(inspected(command)["records"], 1);
}

#[tokio::test]
async fn every_profile_is_told_with_the_names_its_fields_came_from() {
    let mut all = Vec::new();
    for profile in SimulatedProfile::ALL {
        let mut options = small();
        options.profile = profile;
        let world = World::with(options).await;
        let context = world.context().await;
        let request = Request {
            path: "/api/xml-feed/".to_owned(),
            query: [("feed_type", "all"), ("days", "3650")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            kind: BodyType::Xml,
        };
        let mut answer = context.client.get(&request).await.unwrap();
        let bytes = answer.bytes().await.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let mut command = binary();
        command.args(["inspect", "--json"]).arg(file.path());
        let result = inspected(command);
        assert_eq!(
            (&result["records"], &result["refused"]),
            (&60.into(), &0.into())
        );
        all.push(format!(
            "{}: {}",
            result["first"]["profile"],
            origins(&result)
        ));
    }
    assert_reads!(all.join("\n"));
}

#[test]
fn the_public_cvrf_documents_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/cvrf");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let result = |name: &str| {
        let mut command = binary();
        command.env(
            "ADVISORYD_FEEDS__ID_PATTERN",
            "(cisco-sa-[0-9a-z-]+|RHSA-[0-9]{4}:[0-9]{4})",
        );
        command.args(["inspect", "--json"]).arg(folder.join(name));
        let result = inspected(command);
        assert_eq!(result["error"], Value::Null, "{name}");
        assert_eq!(result["records"], 1, "{name}");
        assert_eq!(result["first"]["profile"], "cvrf", "{name}");
        origins(&result)
    };
    assert_reads!(
        result("rhsa-2012-0465.xml"),
        result("cisco-sa-20180328-smi2.xml")
    );
}

/// What `inspect` says of a document, without the name of its file.
fn in_words(mut command: Command, file: &Path) -> String {
    let output = command.arg(file).output().unwrap();
    let result = String::from_utf8(output.stdout).unwrap();
    let place = format!("{}: ", file.display());
    result.replace(&place, "")
}

#[tokio::test]
async fn every_profile_is_told_in_words_with_samples_and_what_means_nothing() {
    let mut all = String::new();
    let starts_at: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    for profile in SimulatedProfile::ALL {
        let world = World::with(advisoryd::simulate::SimulatorOptions {
            profile,
            advisories: 3,
            starts_at: Some(starts_at),
            ..small()
        })
        .await;
        world.set_our_clock(starts_at - machine_now());
        let context = world.context().await;
        let request = Request::new("/api/xml-feed/", BodyType::Xml)
            .with("feed_type", "all")
            .with("days", "3650");
        let mut answer = context.client.get(&request).await.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), answer.bytes().await.unwrap()).unwrap();
        let mut command = binary();
        command.arg("inspect");
        all.extend([profile.name(), ": ", &in_words(command, file.path()), "\n"]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_public_cvrf_documents_are_told_in_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/cvrf");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let mut all = String::new();
    for name in ["rhsa-2012-0465.xml", "cisco-sa-20180328-smi2.xml"] {
        // As they are, and with the pattern that makes them readable.
        for pattern in [
            "SA[0-9]{1,7}",
            "(cisco-sa-[0-9a-z-]+|RHSA-[0-9]{4}:[0-9]{4})",
        ] {
            let mut command = binary();
            command.env("ADVISORYD_FEEDS__ID_PATTERN", pattern);
            command.arg("inspect");
            let result = in_words(command, &folder.join(name));
            all.extend([name, " by ", pattern, ": ", &result, "\n"]);
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn records_that_would_be_quarantined_are_told_with_the_reason() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "<advisories><advisory><advisory_identifier>SA1</advisory_identifier><title>One</title>\
                <modified_date>someday</modified_date><colour>red</colour></advisory>\
                <advisory><title>Nameless</title></advisory>\
                <advisory><advisory_identifier>SA3</advisory_identifier><title>&nothing;</title></advisory></advisories>";
    std::fs::write(file.path(), text).unwrap();
    let mut command = binary();
    command.arg("inspect");
    insta::assert_snapshot!(in_words(command, file.path()));
    let mut command = binary();
    command.args(["inspect", "--json"]).arg(file.path());
    let result = inspected(command);
    assert_eq!(
        (&result["records"], &result["refused"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        result["first"]["unmapped"][0],
        serde_json::json!(["colour", "red"])
    );
}

#[tokio::test]
async fn a_pipe_is_refused_at_once() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut command = world.command(&["inspect"]);
    command.arg(&pipe);
    let output = command.output().unwrap();
    let result = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{result}");
    assert_reads!(result);
}
