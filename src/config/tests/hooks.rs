//! Hooks, presets and syslog: reading and errors.

use super::super::{Config, Method, SinkKind, SyslogTransport, presets};
use super::sinks::{assert_advice, one, wrong};

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
        // Without it, Jira's issues are not reopened: `reopen` is left out.
        let optional = (name == "jira").then_some("vars.reopen_transition");
        for need in preset.needs().chain(optional) {
            match need.split_once('.') {
                Some((table, key)) => {
                    let into = short
                        .entry(table)
                        .or_insert(toml::Value::Table(toml::Table::new()));
                    let into = into.as_table_mut().unwrap();
                    into.insert(key.to_owned(), entry[table][key].clone());
                }
                None => {
                    short.insert(need.to_owned(), entry[need].clone());
                }
            }
        }
        let short: Vec<String> = short
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        let by_name = one(&format!("kind = \"{name}\"\n{}", short.join("\n")));
        let (SinkKind::Hook(printed), SinkKind::Hook(by_name)) = (&printed.kind, &by_name.kind)
        else {
            panic!("{name} is a hook");
        };
        assert_eq!(by_name.kind, name);
        let mut by_name = by_name.clone();
        by_name.kind = "hook";
        assert_eq!(&by_name, printed, "{name}");
        // Without what it needs it is refused, and says what that is.
        if preset
            .needs()
            .any(|need| need.contains("url") || need.contains('.'))
        {
            let message = wrong(&format!("kind = \"{name}\""));
            assert!(message.contains("has no "), "{name}: {message}");
        }
    }
}

#[test]
fn jira_reopens_nothing_without_the_id_of_a_transition_for_it() {
    let common =
        "kind = \"jira\"\nurl = \"https://x.example/\"\nusername = \"a\"\npassword_file = \"/p\"\n";
    let of = |vars: &str| {
        let vars =
            format!("vars = {{ project = \"S\", issue_type = \"T\", transition = \"31\"{vars} }}");
        let sink = one(&format!("{common}{vars}"));
        let SinkKind::Hook(hook) = &sink.kind else {
            panic!("a hook");
        };
        hook.reopen.is_some()
    };
    assert!(!of(""));
    assert!(of(", reopen_transition = \"11\""));
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
        (
            "method = \"post\"",
            "expected `GET`, `POST`, `PUT`, `PATCH` or `DELETE`",
        ),
        (
            "framing = \"xml\"",
            "expected `json`, `ndjson`, `form` or `text`",
        ),
        ("compress = \"zip\"", "expected `gzip` or `none`"),
        ("path = \"x\"", "expected a path that starts with `/`"),
        (
            "template_file = \"/t\"",
            "expected the path of a readable template",
        ),
        (
            "remember = \"id\"\nper = \"alert\"",
            "expected a JSON pointer such as",
        ),
        ("remember = \"/id\"", "needs `per = \"alert\"`"),
        (
            "update = { template = \"{}\" }\nper = \"alert\"",
            "needs `remember`",
        ),
        ("success = { pointer = \"/ok\" }", "has no equals"),
        ("lookup = { path = \"/x\" }", "has no pointer"),
        (
            "requests_per_minute = 1",
            "expected a whole number from 6 to 6000",
        ),
        (
            "secrets = { \"a b\" = \"x\" }",
            "expected a name of letters",
        ),
        ("client_cert_file = \"/c\"", "has no client_key_file"),
        ("client_key_file = \"/c\"", "has no client_cert_file"),
        ("oauth2 = { client_id = \"x\" }", "has no token_url"),
        (
            "oauth2 = { token_url = \"http://x.example/\", client_id = \"x\", secret_file = \"s\" }",
            "`allow_private = true`",
        ),
    ];
    for (more, advice) in cases {
        let message = wrong(&format!("{hook}{more}"));
        assert!(message.contains(advice), "{more}\nsays: {message}");
    }
    for (url, advice) in [
        ("https://{{ vars.host }}/x", "templates only in the path"),
        ("https://x.example/{{ secrets.a", "invalid template, line 1"),
    ] {
        let message = wrong(&format!(
            "kind = \"hook\"\nurl = \"{url}\"\ntemplate = \"{{}}\""
        ));
        assert!(message.contains(advice), "{url}\nsays: {message}");
    }
}

#[test]
fn syslog_is_read_with_its_defaults_and_its_mistakes_are_reported() {
    let SinkKind::Syslog(syslog) = one("kind = \"syslog\"").kind else {
        panic!("syslog");
    };
    assert_eq!(
        syslog.transport,
        SyslogTransport::UnixDatagram("/dev/log".into())
    );
    assert_eq!((syslog.facility, syslog.max_bytes), (16, 2048));
    let sink = one("kind = \"syslog\"\naddress = \"tls://[2001:db8::1]\"");
    let SinkKind::Syslog(syslog) = sink.kind else {
        panic!("syslog");
    };
    assert_eq!(
        syslog.transport,
        SyslogTransport::Tls("2001:db8::1".to_owned(), 6514)
    );
    assert_eq!(syslog.max_bytes, 8192);
    assert_advice(&[
        (
            "kind = \"syslog\"\naddress = \"siem:514\"",
            "expected an address such as",
        ),
        (
            "kind = \"syslog\"\naddress = \"unix://log\"",
            "expected an address such as",
        ),
        (
            "kind = \"syslog\"\naddress = \"udp://siem.example.org\"",
            "`allow_plaintext = true`",
        ),
        (
            "kind = \"syslog\"\nfacility = \"kern\"",
            "expected one of user",
        ),
        (
            "kind = \"syslog\"\nformat = \"leef\"",
            "expected `rfc5424` or `cef`",
        ),
        (
            "kind = \"syslog\"\nca_file = \"/c\"",
            "needs `address = \"tls://…\"`",
        ),
    ]);
}
