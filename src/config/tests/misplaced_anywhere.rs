//! A secret in the place of any key, value or name of the configuration is not repeated.

use toml::{Table, Value};

use super::super::Config;
use super::example::complete;
use super::misplaced::{leaves, message_of, with};
use super::variables;

/// Tokens and a password that must not be repeated, whatever they are put in the place of.
const SECRETS: [&str; 4] = [
    "0badcafe0badcafe1badcafe2badcafe3badcafe",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "MfKQ9r8pLWRnRZ1BtF2mV7cJx0aYh3sD",
    "Tr0ub4dor&3xyzzy",
];

/// The configuration with each key, in turn, renamed.
fn renamed(value: &Value, name: &str, found: &mut Vec<Value>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let mut other = table.clone();
                other.remove(key);
                other.insert(name.to_owned(), value.clone());
                found.push(Value::Table(other));
                let mut inner = Vec::new();
                renamed(value, name, &mut inner);
                found.extend(inner.into_iter().map(|inner| {
                    let mut other = table.clone();
                    other.insert(key.clone(), inner);
                    Value::Table(other)
                }));
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                let mut inner = Vec::new();
                renamed(value, name, &mut inner);
                found.extend(inner.into_iter().map(|inner| {
                    let mut other = list.clone();
                    other[at] = inner;
                    Value::Array(other)
                }));
            }
        }
        _ => {}
    }
}

#[test]
fn a_secret_instead_of_any_key_or_value_is_not_repeated() {
    let sinks = "[[alerts.sinks]]\nname = \"am\"\nkind = \"alertmanager\"\n\
        url = \"https://x.example\"\nlabels = { team = \"x\" }\nheaders = { x-a = \"y\" }\n\
        [[alerts.sinks]]\nname = \"sl\"\nkind = \"syslog\"\naddress = \"unix\"\napp_name = \"x\"\n\
        [[alerts.sinks]]\nname = \"hk\"\nkind = \"hook\"\nurl = \"https://x.example\"\n\
        template = \"{{ title }}\"\nsecrets = { tok = \"tok\" }\nvars = { a = \"b\" }\n\
        [[alerts.mute_times]]\nname = \"m\"\ntimes = [\"22:00-06:00\"]\n";
    let root: Table = complete().parse().unwrap();
    let more: Table = sinks.parse().unwrap();
    for root in [Value::Table(root), Value::Table(more)] {
        let mut paths = Vec::new();
        leaves(&root, &[], &mut paths);
        paths.retain(|path| !path.is_empty());
        let Value::Table(table) = &root else {
            unreachable!()
        };
        for secret in SECRETS {
            let mut all = Vec::new();
            renamed(&root, secret, &mut all);
            assert!(all.len() > 15, "{}", all.len());
            let mut texts: Vec<String> = all
                .iter()
                .map(|value| toml::to_string(value).unwrap())
                .collect();
            for path in &paths {
                let text = Value::from(format!("{secret}("));
                texts.push(with(table, path, text.clone()));
                if path.last().is_some_and(|key| key == "sinks" || key == "0") {
                    texts.push(with(table, path, Value::Array(vec![text])));
                }
            }
            for text in texts {
                let message = message_of(&text);
                assert!(!message.contains(&secret[..9]), "{message}\n{text}");
            }
        }
    }
}

#[test]
fn a_secret_in_the_name_of_a_variable_or_file_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    for secret in SECRETS {
        for name in [
            format!("ADVISORYD_{secret}"),
            format!("ADVISORYD_{secret}__X"),
            format!("ADVISORYD_UPSTREAM__{secret}"),
            format!("ADVISORYD_UPSTREAM_{secret}"),
        ] {
            let message = match Config::load(None, variables(&[(&name, "1")])) {
                Ok(config) => config.warnings().join("\n"),
                Err(error) => error.to_string(),
            };
            let part = &secret[..9];
            let is_shown = message.contains(part) || message.contains(&part.to_lowercase());
            assert!(!is_shown && message.contains("ADVISORYD_"), "{message}");
        }
        let file = dir.path().join("c.toml");
        for text in [
            format!("[upstream]\ntoken_file = \"/etc/{secret}\""),
            format!("[upstream]\ntoken_file = \"/{secret}/token\""),
        ] {
            std::fs::write(&file, text).unwrap();
            let config = Config::load(Some(&file), variables(&[])).unwrap();
            let error = config.upstream.token().unwrap_err().to_string();
            let advice = config.upstream.token_sources.advice();
            assert!(
                !error.contains(secret) && !advice.contains(secret),
                "{error}"
            );
        }
        let error = Config::load(Some(&dir.path().join(secret)), variables(&[]));
        assert!(!error.unwrap_err().to_string().contains(secret));
    }
    // Of a file that exists, the name is none.
    let file = dir.path().join(SECRETS[0]);
    std::fs::write(&file, "x =").unwrap();
    let error = Config::load(Some(&file), variables(&[])).unwrap_err();
    assert!(error.to_string().contains(SECRETS[0]), "{error}");
}

#[test]
fn ordinary_names_and_values_are_shown() {
    for (text, shown) in [
        ("[schedule]\nfeeds = \"10 minutes ago\"", "10 minutes ago"),
        ("[schedule]\ntimezone = \"Europe/Berln\"", "Europe/Berln"),
        ("[upstream]\nreadTimeout = 3", "upstream.readTimeout"),
        ("[upstream]\nread_timeout = \"90x\"", "90x"),
        ("[http]\nlisten = \"127.0.0.1\"", "127.0.0.1"),
        (
            "[[alerts.rules]]\nname = \"soc-2\"\nsinks = [\"soc-mail\"]",
            "soc-mail",
        ),
    ] {
        let message = message_of(text);
        assert!(message.contains(shown), "{message}");
    }
}

#[test]
fn a_pipe_is_no_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let error = Config::load(Some(&pipe), variables(&[])).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn what_is_no_name_of_a_group_is_refused_and_not_shown() {
    for group in [
        "postgres://advisoryd:hunter2@db.example.org/advisoryd",
        "u:hunter2",
        "hunter2/x",
        "0badcafe0badcafe1badcafe2badcafe3badcafe",
        &"a hunter2 ".repeat(7),
    ] {
        let message = message_of(&format!("[database]\nshare_with = \"{group}\""));
        assert!(
            message.contains("got `[not shown]`; expected the name of a group"),
            "{message}"
        );
        assert!(
            !message.contains("hunter2") && !message.contains("0badcafe"),
            "{message}"
        );
    }
    for group in [
        "adm",
        "advisoryd-readers",
        "domain users@corp.example.org",
        "CORP\\\\soc_1",
    ] {
        let text = format!("[database]\nshare_with = \"{group}\"");
        Config::from_text("c.toml", &text).unwrap();
    }
}
