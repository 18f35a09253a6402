//! Alert sinks: reading and errors.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Address, Auth, Config, Framing, Per, SinkKind, SinkSettings, SmtpTls};
use super::{errors, variables};

const EXAMPLE: &str = include_str!("../../../config.example.toml");

pub(super) fn one(text: &str) -> SinkSettings {
    let text = format!("[[alerts.sinks]]\nname = \"s\"\n{text}");
    let mut config = Config::from_text("c.toml", &text).unwrap();
    config.alerts.sinks.remove(0)
}

/// The error lines for a single sink `s`.
pub(super) fn wrong(text: &str) -> String {
    errors(&format!("[[alerts.sinks]]\nname = \"s\"\n{text}")).join("\n")
}

#[test]
fn each_kind_is_read_with_its_defaults() {
    let sink = one("kind = \"webhook\"\nurl = \"https://x.example/h\"\nsecret_file = \"/s\"");
    assert_eq!(
        (sink.name.as_str(), sink.timeout),
        ("s", Duration::from_secs(15))
    );
    let SinkKind::Webhook(webhook) = sink.kind else {
        panic!("a webhook");
    };
    assert_eq!(webhook.secret.path, PathBuf::from("/s"));
    assert!(!webhook.target.allow_private && webhook.template.is_none());

    let sink = one(
        "kind = \"alertmanager\"\nurl = \"http://am:9093\"\nallow_private = true\n\
         bearer_file = \"/b\"\nactive_for = \"2h\"\nlabels = { team = \"soc\" }",
    );
    let SinkKind::Alertmanager(alertmanager) = sink.kind else {
        panic!("an alertmanager");
    };
    assert!(matches!(alertmanager.target.auth, Some(Auth::Bearer(_))));
    assert_eq!(alertmanager.active_for, Duration::from_hours(2));
    assert_eq!(alertmanager.labels["team"], "soc");

    let sink = one(
        "kind = \"email\"\nhost = \"m.example\"\nfrom = \"a@b.c\"\nto = [\"SOC <d@e.f>\"]\ntls = \"tls\"",
    );
    let SinkKind::Email(email) = sink.kind else {
        panic!("an email");
    };
    assert_eq!((email.port, email.tls), (465, SmtpTls::Tls));
    assert_eq!(email.to[0].email.to_string(), "d@e.f");

    let sink = one("kind = \"hook\"\nurl_file = \"slack-url\"\npreset = \"slack\"");
    let SinkKind::Hook(hook) = sink.kind else {
        panic!("a hook");
    };
    assert_eq!((hook.framing, hook.per), (Framing::Json, Per::Message));
    assert!(matches!(hook.target.address, Address::File(_)));

    let sink = one("kind = \"command\"\nprogram = [\"/bin/page\", \"x\"]\ntimeout = \"1m\"");
    assert_eq!(
        (sink.kind.name(), sink.timeout),
        ("command", Duration::from_mins(1))
    );
    assert_eq!(one("kind = \"log\"").kind, SinkKind::Log);
}

/// Each text and what its error must contain.
pub(super) fn assert_advice(cases: &[(&str, &str)]) {
    for (text, advice) in cases {
        let message = wrong(text);
        assert!(message.contains(advice), "{text}\nsays: {message}");
    }
}

#[test]
fn every_mistake_in_a_webhook_says_what_to_write_instead() {
    let webhook = "kind = \"webhook\"\nsecret_file = \"/s\"\n";
    assert_advice(&[
        ("", "has no kind; set it to one of webhook, alertmanager"),
        ("kind = \"webhok\"", "did you mean `webhook`?"),
        ("kind = \"pigeon\"\nurl = 1", "expected one of webhook"),
        (
            "kind = \"log\"\ncolour = 1",
            "`alerts.sinks[1].colour`: unknown key",
        ),
        (
            "kind = \"log\"\ntimeout = \"5m\"",
            "expected a duration from `100ms` to `1m`",
        ),
        (webhook, "has no url; add the URL"),
        (
            &format!("{webhook}url = \"ftp://x\""),
            "expected `https://`",
        ),
        (
            &format!("{webhook}url = \"https://u:p@x.example/\""),
            "`password_file`",
        ),
        (
            &format!("{webhook}url = \"http://x.example/\""),
            "`allow_private = true`",
        ),
        (
            &format!("{webhook}url = \"https://10.0.0.1/\""),
            "`allow_private = true`",
        ),
        (
            &format!("{webhook}url = \"https://localhost/\""),
            "`allow_private = true`",
        ),
        (
            &format!("{webhook}url = \"https://x.example/\"\nurl_file = \"/u\""),
            "not both",
        ),
        (
            &format!("{webhook}url = \"https://x.example/\"\nheaders = {{ webhook-id = \"1\" }}"),
            "remove it",
        ),
        (
            &format!(
                "{webhook}url = \"https://x.example/\"\nheaders = {{ authorization = \"1\" }}"
            ),
            "`bearer_file`",
        ),
        (
            &format!("{webhook}url = \"https://x.example/\"\ntemplate_file = \"/no/such\""),
            "expected the path of a readable template",
        ),
        (
            "kind = \"webhook\"\nurl = \"https://x.example/\"",
            "has no secret_file; add the file",
        ),
    ]);
}

#[test]
fn every_mistake_in_other_kinds_says_what_to_write_instead() {
    let email = "kind = \"email\"\nfrom = \"a@b.c\"\nto = [\"d@e.f\"]\nhost = \"m.example\"\n";
    assert_advice(&[
        (
            "kind = \"alertmanager\"\nurl = \"https://x.example\"\nlabels = { severity = \"x\" }",
            "remove it",
        ),
        (
            "kind = \"alertmanager\"\nurl = \"https://x.example\"\nlabels = { a-b = \"x\" }",
            "expected letters, digits and `_`",
        ),
        (
            "kind = \"alertmanager\"\nurl = \"https://x.example\"\nusername = \"x\"",
            "has no password_file",
        ),
        ("kind = \"email\"", "has no host; add the mail server"),
        (
            &format!("{email}tls = \"none\""),
            "`allow_plaintext = true`",
        ),
        (
            &format!("{email}tls = \"ssl\""),
            "expected `starttls`, `tls` or `none`",
        ),
        (
            "kind = \"email\"\nhost = \"h\"\nfrom = \"a\"\nto = []",
            "expected an address such as",
        ),
        (
            "kind = \"hook\"\nurl = \"https://x.example/\"",
            "has no template; add one, or `template_file`, or set `preset`",
        ),
        (
            "kind = \"hook\"\nurl = \"https://x.example/\"\npreset = \"irc\"",
            "expected one of slack, teams",
        ),
        (
            "kind = \"command\"",
            "has no program; add path and arguments",
        ),
        (
            "kind = \"command\"\nprogram = [\"page\"]",
            "starts with an absolute path",
        ),
    ]);
}

#[test]
fn every_sink_has_a_name_of_its_own() {
    let two = "[[alerts.sinks]]\nname = \"s\"\nkind = \"log\"\n".repeat(2);
    assert!(errors(&two)[0].contains("expected a unique name"));
    let nameless = errors("[[alerts.sinks]]\nkind = \"log\"\n");
    assert!(
        nameless[0].contains("entry 1 of sinks has no name"),
        "{nameless:?}"
    );
    let strange = errors("[[alerts.sinks]]\nname = \"a b\"\nkind = \"log\"\n");
    assert!(strange[0].contains("letters, digits"), "{strange:?}");
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for text in [
        "kind = \"webhook\"\nurl = \"https://x.example/\"\nsecret_file = \"whsec_hunter2hunter2\"",
        "kind = \"webhook\"\nurl = \"https://x.example/\"\nsecret = \"hunter2\"",
        "kind = \"hook\"\npreset = \"slack\"\nurl_file = \"https://hooks.example/hunter2\"",
        "kind = \"email\"\nhost = \"h\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\npassword = \"hunter2\"",
        "kind = \"alertmanager\"\nurl = \"https://x.example\"\nbearer = \"hunter2\"",
    ] {
        let message = wrong(text);
        assert!(
            message.contains("belong") && !message.contains("hunter2"),
            "{message}"
        );
    }
}

#[test]
fn a_credential_of_systemd_is_found_where_systemd_puts_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("soc"), "whsec_x\n\nwhsec_y\n").unwrap();
    // Not beside it, where a file of the name would count, too.
    let other = tempfile::tempdir().unwrap();
    let file = other.path().join("c.toml");
    std::fs::write(
        &file,
        "[[alerts.sinks]]\nname = \"s\"\nkind = \"webhook\"\nurl = \"https://x.example/\"\nsecret_file = \"soc\"",
    )
    .unwrap();
    let with = variables(&[("CREDENTIALS_DIRECTORY", dir.path().to_str().unwrap())]);
    for (variables, found) in [(with, true), (Vec::new(), false)] {
        let config = Config::load(Some(&file), variables).unwrap();
        let SinkKind::Webhook(webhook) = &config.alerts.sinks[0].kind else {
            panic!("a webhook");
        };
        let lines = webhook.secret.lines();
        assert_eq!(lines.as_ref().is_ok_and(|lines| lines.len() == 2), found);
        let text = format!("{config:?} {lines:?}");
        assert!(!text.contains("whsec_"), "{text}");
    }
}

#[test]
fn a_template_with_a_mistake_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.j2");
    std::fs::write(&path, "{\n{% if x %}\n}").unwrap();
    let message = wrong(&format!(
        "kind = \"hook\"\nurl = \"https://x.example/\"\ntemplate_file = \"{}\"",
        path.display()
    ));
    assert!(message.contains("invalid template, line 2"), "{message}");
}

/// Every key of each kind must be in the example; the keys are taken from the error for an unknown key.
#[test]
fn the_example_names_every_key_of_every_kind() {
    for kind in [
        "webhook",
        "alertmanager",
        "email",
        "hook",
        "syslog",
        "command",
        "log",
    ] {
        let message = wrong(&format!("kind = \"{kind}\"\nno_such_key_at_all = 1"));
        let known = message.split("expected one of: ").nth(1).unwrap();
        for key in known.lines().next().unwrap().split(", ") {
            assert!(EXAMPLE.contains(&format!("{key} = ")), "{key} of {kind}");
        }
    }
}

#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let webhook = "kind = \"webhook\"\nsecret_file = \"/s\"\n";
    for text in [
        "url = \"https://soc:hunter2@x.example/\"",
        "url = \"https//x.example/hunter2\"",
        "url = \"https://x.example/\"\nheaders = { Authorization = \"Bearer hunter2\" }",
        "url = \"https://x.example/\"\nheaders = { Cookie = \"a=hunter2\" }",
    ] {
        let message = wrong(&format!("{webhook}{text}"));
        assert!(
            message.contains("`[not shown]`; "),
            "{text}\nsays: {message}"
        );
        assert!(!message.contains("hunter2"), "{text}\nsays: {message}");
    }
}
