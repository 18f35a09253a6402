//! Alert sinks: reading and errors.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{
    Address, Auth, Config, Framing, Method, Per, Sink, SinkKind, SmtpTls, SyslogTransport, presets,
};
use super::{errors, variables};

const EXAMPLE: &str = include_str!("../../../config.example.toml");

fn one(text: &str) -> Sink {
    let text = format!("[[alerts.sinks]]\nname = \"s\"\n{text}");
    let mut config = Config::from_text("c.toml", &text).unwrap();
    config.alerts.sinks.remove(0)
}

/// The error lines for a single sink `s`.
fn wrong(text: &str) -> String {
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
fn assert_advice(cases: &[(&str, &str)]) {
    for (text, advice) in cases {
        let said = wrong(text);
        assert!(said.contains(advice), "{text}\nsays: {said}");
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
            "`alerts.sinks[0].colour`: unknown key",
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
        let said = wrong(text);
        assert!(
            said.contains("belong") && !said.contains("hunter2"),
            "{said}"
        );
    }
}

#[test]
fn a_credential_of_systemd_is_found_where_systemd_puts_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("soc"), "whsec_x\n\nwhsec_y\n").unwrap();
    let file = dir.path().join("c.toml");
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
    let said = wrong(&format!(
        "kind = \"hook\"\nurl = \"https://x.example/\"\ntemplate_file = \"{}\"",
        path.display()
    ));
    assert!(said.contains("invalid template, line 2"), "{said}");
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
        let said = wrong(&format!("kind = \"{kind}\"\nno_such_key_at_all = 1"));
        let known = said.split("expected one of: ").nth(1).unwrap();
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
        let said = wrong(&format!("{webhook}{text}"));
        assert!(said.contains("`[not shown]`; "), "{text}\nsays: {said}");
        assert!(!said.contains("hunter2"), "{text}\nsays: {said}");
    }
}

#[test]
fn each_preset_is_accepted_as_it_is_printed_and_by_its_name() {
    for preset in presets() {
        let name = preset.name;
        let config = Config::from_text("c.toml", preset.text);
        let config = config.unwrap_or_else(|error| panic!("{name}: {error}"));
        let [printed] = config.alerts.sinks.as_slice() else {
            panic!("{name} is one sink");
        };
        assert_eq!(printed.name, name);
        assert!(!preset.title().is_empty() && preset.needs().next().is_some());
        // The same with `kind` and what it needs, which the printed form has.
        let whole: toml::Table = preset.text.parse().unwrap();
        let mut short = toml::Table::new();
        let entry = &whole["alerts"]["sinks"][0];
        for need in preset.needs() {
            match need.split_once('.') {
                Some((table, key)) => {
                    let into = short.entry(table).or_insert(toml::Value::Table(toml::Table::new()));
                    let into = into.as_table_mut().unwrap();
                    into.insert(key.to_owned(), entry[table][key].clone());
                }
                None => {
                    short.insert(need.to_owned(), entry[need].clone());
                }
            }
        }
        let short: Vec<String> = short.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let by_name = one(&format!("kind = \"{name}\"\n{}", short.join("\n")));
        let (SinkKind::Hook(printed), SinkKind::Hook(by_name)) = (&printed.kind, &by_name.kind) else {
            panic!("{name} is a hook");
        };
        assert_eq!(by_name.kind, name);
        let mut by_name = by_name.clone();
        by_name.kind = "hook";
        assert_eq!(&by_name, printed, "{name}");
        // Without what it needs it is refused, and says what that is.
        if preset.needs().any(|need| need.contains("url") || need.contains('.')) {
            let said = wrong(&format!("kind = \"{name}\""));
            assert!(said.contains("has no "), "{name}: {said}");
        }
    }
}

#[test]
fn a_setting_of_ones_own_replaces_that_of_a_preset() {
    let sink = one(
        "kind = \"servicenow\"\nurl = \"https://x.example/\"\nusername = \"a\"\n\
         password_file = \"/p\"\nvars = { table = \"sn_si_incident\" }\n\
         requests_per_minute = 30\nordered = true",
    );
    assert_eq!(sink.requests_per_minute, Some(30));
    assert!(sink.is_ordered);
    let SinkKind::Hook(hook) = sink.kind else {
        panic!("a hook");
    };
    assert_eq!(hook.vars["table"], "sn_si_incident");
    assert_eq!(hook.vars["resolved_state"], "6");
    let update = hook.update.unwrap();
    assert_eq!(update.method, Method::Patch);
}

#[test]
fn every_mistake_in_a_hook_says_what_to_write_instead() {
    let hook = "kind = \"hook\"\nurl = \"https://x.example/\"\ntemplate = \"{}\"\n";
    let cases: &[(&str, &str)] = &[
        ("per = \"each\"", "expected `message` or `alert`"),
        ("method = \"post\"", "expected `GET`, `POST`, `PUT`, `PATCH` or `DELETE`"),
        ("framing = \"xml\"", "expected `json`, `ndjson`, `form` or `text`"),
        ("compress = \"zip\"", "expected `gzip` or `none`"),
        ("path = \"x\"", "expected a path that starts with `/`"),
        ("template_file = \"/t\"", "expected the path of a readable template"),
        ("remember = \"id\"\nper = \"alert\"", "expected a JSON pointer such as"),
        ("remember = \"/id\"", "needs `per = \"alert\"`"),
        ("update = { template = \"{}\" }\nper = \"alert\"", "needs `remember`"),
        ("success = { pointer = \"/ok\" }", "has no equals"),
        ("lookup = { path = \"/x\" }", "has no pointer"),
        ("requests_per_minute = 1", "expected a whole number from 6 to 6000"),
        ("secrets = { \"a b\" = \"x\" }", "expected a name of letters"),
        ("client_cert_file = \"/c\"", "has no client_key_file"),
        ("client_key_file = \"/c\"", "has no client_cert_file"),
        ("oauth2 = { client_id = \"x\" }", "has no token_url"),
        (
            "oauth2 = { token_url = \"http://x.example/\", client_id = \"x\", secret_file = \"s\" }",
            "`allow_private = true`",
        ),
    ];
    for (more, advice) in cases {
        let said = wrong(&format!("{hook}{more}"));
        assert!(said.contains(advice), "{more}\nsays: {said}");
    }
    for (url, advice) in [
        ("https://{{ vars.host }}/x", "templates only in the path"),
        ("https://x.example/{{ secrets.a", "invalid template, line 1"),
    ] {
        let said = wrong(&format!("kind = \"hook\"\nurl = \"{url}\"\ntemplate = \"{{}}\""));
        assert!(said.contains(advice), "{url}\nsays: {said}");
    }
}

#[test]
fn syslog_is_read_with_its_defaults_and_its_mistakes_are_told() {
    let SinkKind::Syslog(syslog) = one("kind = \"syslog\"").kind else {
        panic!("syslog");
    };
    assert_eq!(syslog.transport, SyslogTransport::UnixDatagram("/dev/log".into()));
    assert_eq!((syslog.facility, syslog.max_bytes), (16, 2048));
    let sink = one("kind = \"syslog\"\naddress = \"tls://[2001:db8::1]\"");
    let SinkKind::Syslog(syslog) = sink.kind else {
        panic!("syslog");
    };
    assert_eq!(syslog.transport, SyslogTransport::Tls("2001:db8::1".to_owned(), 6514));
    assert_eq!(syslog.max_bytes, 8192);
    assert_advice(&[
        ("kind = \"syslog\"\naddress = \"siem:514\"", "expected an address such as"),
        ("kind = \"syslog\"\naddress = \"unix://log\"", "expected an address such as"),
        (
            "kind = \"syslog\"\naddress = \"udp://siem.example.org\"",
            "`allow_plaintext = true`",
        ),
        ("kind = \"syslog\"\nfacility = \"kern\"", "expected one of user"),
        ("kind = \"syslog\"\nformat = \"leef\"", "expected `rfc5424` or `cef`"),
        ("kind = \"syslog\"\nca_file = \"/c\"", "needs `address = \"tls://…\"`"),
    ]);
}
