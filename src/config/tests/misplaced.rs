//! Secrets in wrong places of the configuration are not repeated.

use toml::{Table, Value};

use super::super::Config;
use super::example::complete;
use super::variables;

/// What people paste, and the part of it that must not be repeated.
const PASTED: [(&str, &str); 6] = [
    (
        "0123456789abcdef0123456789abcdef01234567",
        "0123456789abcdef",
    ),
    (
        "Token 0123456789abcdef0123456789abcdef01234567",
        "0123456789abcdef",
    ),
    ("https://user:hunter2@example.org/", "hunter2"),
    (
        "https://10.0.0.1/services/T000/Xy12Zz34Xy12Zz34?sig=S3cr3t",
        "S3cr3t",
    ),
    ("xoxb-1234-5678-aB3dE6gH9", "aB3dE6gH9"),
    ("password=hunter2", "hunter2"),
];
/// Keys whose value is a secret, or the place of one: not even a short word is repeated.
const SECRET_KEYS: [&str; 9] = [
    "token_file",
    "base_url",
    "proxy",
    "proxy_password_file",
    "password_file",
    "headers_file",
    "bearer_file",
    "url_file",
    "secret_file",
];

/// The paths of all values.
pub(super) fn leaves(value: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    let mut go = |key: String, value| leaves(value, &[path, &[key]].concat(), found);
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| go(key.clone(), value)),
        Value::Array(list) => {
            let values = list.iter().enumerate();
            values.for_each(|(at, value)| go(at.to_string(), value));
            found.push(path.to_vec());
        }
        _ => found.push(path.to_vec()),
    }
}

pub(super) fn with(root: &Table, path: &[String], new: Value) -> String {
    let mut root = Value::Table(root.clone());
    let mut place = &mut root;
    for key in path {
        place = match place {
            Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
            other => other.get_mut(key.as_str()).unwrap(),
        };
    }
    *place = new;
    toml::to_string(&root).unwrap()
}

/// All that is said of a configuration.
pub(super) fn message_of(text: &str) -> String {
    match Config::from_text("c.toml", text) {
        Ok(config) => config.warnings().join("\n"),
        Err(error) => format!("{error}\n{error:?}"),
    }
}

#[test]
fn a_secret_in_any_key_is_not_repeated() {
    let root: Table = complete().parse().unwrap();
    let mut paths = Vec::new();
    leaves(&Value::Table(root.clone()), &[], &mut paths);
    paths.retain(|path| !path.is_empty());
    assert!(paths.len() > 100, "{}", paths.len());
    for path in &paths {
        for (pasted, part) in PASTED {
            let text = Value::from(pasted);
            let table: Table = [(pasted.to_owned(), text.clone())].into_iter().collect();
            for value in [
                text.clone(),
                Value::Array(vec![text]),
                Value::Table(table.clone()),
                Value::Array(vec![Value::Table(table)]),
            ] {
                let message = message_of(&with(&root, path, value));
                assert!(!message.contains(part), "{path:?} = {pasted}: {message}");
            }
        }
        let key = path.last().unwrap().as_str();
        if SECRET_KEYS.contains(&key) || path.iter().any(|key| key == "headers" || key == "query") {
            let message = message_of(&with(&root, path, Value::from("hunter 2,")));
            assert!(!message.contains("hunter 2"), "{path:?}: {message}");
        }
    }
}

#[test]
fn a_password_where_a_number_or_a_word_belongs_is_not_repeated() {
    let list = "[[watch_lists]]\nid = 1\n";
    for (text, key) in [
        ("[database]\nmax_connections = ", "max_connections"),
        ("[upstream]\nread_timeout = ", "read_timeout"),
        ("[upstream]\nmax_body = ", "max_body"),
        ("[feeds]\nsweep = ", "sweep"),
        ("[feeds]\ndetails = ", "details"),
        ("[log]\nformat = ", "format"),
        (&format!("{list}source = "), "source"),
        ("[[alerts.sinks]]\nname = \"x\"\nkind = ", "kind"),
        ("[[alerts.rules]]\nname = \"r\"\nsinks = ", "sinks"),
        (
            "[[alerts.rules]]\nname = \"r\"\nthreat_score = ",
            "threat_score",
        ),
        ("[enrichment]\nepss_threshold = ", "epss_threshold"),
        ("[reconcile]\nshare = ", "share"),
    ] {
        for password in ["S3cr3tPa55w0rd", "hunter2hunter2"] {
            let message = message_of(&format!("{text}\"{password}\""));
            assert!(
                message.contains(key) && !message.contains(password),
                "{message}"
            );
        }
    }
    for text in [
        "[database]\nmax_connections = ",
        "[enrichment]\nepss_threshold = ",
        "[reconcile]\nshare = ",
        "[[alerts.rules]]\nname = \"r\"\nthreat_score = ",
    ] {
        let message = message_of(&format!("{text}\"Hunter2\""));
        assert!(
            message.contains("[not shown]") && !message.contains("Hunter2"),
            "{message}"
        );
    }
}

#[test]
fn a_name_that_contains_a_registered_secret_is_refused() {
    let token = "5ec7e7a0b1c2d3e4f5061728394a5b6c7d8e9f00";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), token).unwrap();
    let upstream = format!("[upstream]\ntoken_file = \"{}\"\n", file.path().display());
    let feed = |name: &str, query: &str| {
        format!("[[extra_feeds]]\nname = \"{name}\"\nquery = {{ k = \"{query}\" }}")
    };
    let sink = |name: &str| format!("[[alerts.sinks]]\nname = \"{name}\"\nkind = \"log\"");
    for (text, key) in [
        (sink(token), "alerts.sinks[1].name"),
        (
            format!("[[alerts.rules]]\nname = \"{token}\""),
            "alerts.rules[1].name",
        ),
        (
            format!("[[watch_lists]]\nid = 4\nname = \"L {token}\""),
            "watch_lists (id 4).name",
        ),
        (
            format!("[[watch_lists]]\nid = 4\nquery = {{ token = \"{token}\" }}"),
            "watch_lists (id 4).query",
        ),
        (feed(token, "x"), "extra_feeds[1].name"),
        (feed("x", token), "extra_feeds[1].query"),
        (
            format!("[feeds]\nid_pattern = \"{token}\""),
            "feeds.id_pattern",
        ),
        (format!("[http]\nhosts = [\"{token}\"]"), "http.hosts"),
    ] {
        let config = Config::from_text("c.toml", &format!("{upstream}{text}")).unwrap();
        config.keep_secrets();
        let error = config.refuse_misplaced_secrets().unwrap_err().to_string();
        assert!(
            error.contains(key) && !error.contains(&token[..8]),
            "{error}"
        );
    }
    // The beginning of one may be a word.
    let config = Config::from_text("c.toml", &format!("{upstream}{}", sink(&token[..12])));
    let config = config.unwrap();
    config.keep_secrets();
    config.refuse_misplaced_secrets().unwrap();
}

#[test]
fn a_secret_in_the_place_of_a_key_or_a_name_is_not_repeated() {
    let token = PASTED[0].0;
    for text in [
        format!("{token} = 1"),
        format!("[{token}]\nx = 1"),
        format!("[upstream]\n{token} = 1"),
        format!("[upstream]\ntoken_file = {token}"),
        format!("[upstream]\ntoken_file = \"{token}"),
        format!("[upstream]\ntoken_file = \"/{token}\"\n{token}"),
        format!("[[alerts.sinks]]\nname = \"{token}\"\nkind = \"log\"\nx = 1"),
        format!("[[alerts.sinks]]\nname = \"a\"\nkind = \"{token}\""),
        format!("[[alerts.rules]]\nname = \"a\"\nsinks = [\"{token}\"]"),
        format!("[database]\nurl = \"postgres:///a?sslmode={token}\""),
        format!("[database]\nurl = \"postgres:///a?{token}\""),
        format!("[database]\nurl = \"postgres://h:{token}/a\""),
        format!("[[watch_lists]]\nid = \"{token}\""),
        format!("[feeds.aliases]\n{token} = [\"x\"]"),
    ] {
        let message = message_of(&text);
        assert!(
            !message.is_empty() && !message.contains(&token[..12]),
            "{text}: {message}"
        );
    }
}

#[test]
fn a_secret_in_any_variable_is_not_repeated() {
    for name in [
        "ADVISORYD_UPSTREAM__TOKEN_FILE",
        "ADVISORYD_UPSTREAM__BASE_URL",
        "ADVISORYD_UPSTREAM__PROXY",
        "ADVISORYD_UPSTREAM__MAX_BODY",
        "ADVISORYD_UPSTREAM",
        "ADVISORYD_DATABASE__URL",
        "ADVISORYD_DATABASE",
        "ADVISORYD_WATCH_LISTS",
        "ADVISORYD_ALERTS__SINKS",
        "ADVISORYD_LOG__FORMAT",
        "ADVISORYD_TOKEN",
        "ADVISORYD_UPSTREAM__TOKEN__X",
    ] {
        for (pasted, part) in PASTED {
            for text in [
                pasted.to_owned(),
                format!("[\"{pasted}\"]"),
                format!("{{x=\"{pasted}\"}}"),
            ] {
                let loaded = Config::load(None, variables(&[(name, &text)]));
                let message = match loaded {
                    Ok(config) => config.warnings().join("\n"),
                    Err(error) => error.to_string(),
                };
                assert!(!message.contains(part), "{name}={text}: {message}");
            }
        }
    }
}

/// A short password looks like the name of a credential, until there is none of that name.
#[test]
fn a_secret_in_the_place_of_its_file_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().to_str().unwrap();
    for variables in [
        variables(&[("CREDENTIALS_DIRECTORY", credentials)]),
        variables(&[]),
    ] {
        let error = |value: &str| {
            let file = dir.path().join("c.toml");
            let text =
                format!("[database]\nurl = \"postgres:///advisoryd\"\npassword_file = \"{value}\"");
            std::fs::write(&file, text).unwrap();
            let config = Config::load(Some(&file), variables.clone()).unwrap();
            let error = config.database.password_file.unwrap().lines();
            format!("{:?} {0}", error.unwrap_err())
        };
        for pasted in [
            "S3cr3tPassw0rd",
            "hunter2",
            "letmein",
            "Tr0ub4dor",
            "/Xy12/Zz34Xy12Zz34AbCd9",
        ] {
            let error = error(pasted);
            assert!(!error.contains(pasted), "{error}");
            assert!(error.contains("expected an absolute path"), "{error}");
        }
        for name in ["database-password", "advisoryd.proxy", "/etc/advisoryd/db"] {
            let error = error(name);
            assert!(error.contains(name), "{error}");
        }
    }
}
