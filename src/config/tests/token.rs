//! Reading the token: formats, sources and errors.

use std::fs;

use secrecy::SecretString;

use super::super::{ApiToken, Config, SecretFile, TokenError, TokenSources};
use super::variables;
use crate::model::chain;

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_token_is_accepted_in_every_form_people_paste() {
    for text in [
        TOKEN.to_owned(),
        format!("Token {TOKEN}"),
        format!("token  {TOKEN}\n"),
        format!("\u{feff}  {TOKEN}\r\n\r\n"),
        format!("\nToken {TOKEN}\n"),
    ] {
        let token = ApiToken::parse(&text).unwrap();
        assert_eq!(token.expose(), TOKEN, "{text:?}");
        assert!(token.has_usual_form());
        assert_eq!(format!("{token:?}"), "[redacted]");
    }
    assert!(!ApiToken::parse("sesame").unwrap().has_usual_form());
}

#[test]
fn what_is_no_token_is_refused_without_being_shown() {
    for (text, why) in [
        ("", "empty"),
        (" \n ", "empty"),
        ("Token", "nothing follows"),
        ("hunter2\nhunter3", "several lines"),
        ("hunter2 hunter3", "several words"),
        ("hun\u{1}ter2", "characters"),
        ("hünter2", "characters"),
    ] {
        let message = ApiToken::parse(text).unwrap_err();
        assert!(
            message.contains(why) && !message.contains("hunter"),
            "{message}"
        );
    }
}

#[test]
fn the_token_comes_from_the_first_source_that_has_one_and_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("named");
    fs::write(&file, "from-file\n").unwrap();
    fs::write(dir.path().join("upstream-token"), "from-credential").unwrap();
    let mut sources = TokenSources {
        file: Some(file.clone()),
        credentials_dir: Some(dir.path().to_owned()),
        variable: Some(SecretString::from("from-variable")),
        ..TokenSources::default()
    };
    assert_eq!(sources.read().unwrap().expose(), "from-file");
    fs::write(&file, "renewed").unwrap();
    assert_eq!(sources.read().unwrap().expose(), "renewed");
    sources.file = None;
    assert_eq!(sources.read().unwrap().expose(), "from-credential");
    fs::remove_file(dir.path().join("upstream-token")).unwrap();
    assert_eq!(sources.read().unwrap().expose(), "from-variable");
    sources.variable = None;
    sources.fallback = Some(file.clone());
    assert_eq!(sources.read().unwrap().expose(), "renewed");
    sources.fallback = None;
    assert!(matches!(sources.read(), Err(TokenError::Missing { .. })));
    fs::remove_file(&file).unwrap();
    sources.file = Some(file);
    sources.variable = Some(SecretString::from("from-variable"));
    assert!(matches!(sources.read(), Err(TokenError::Unreadable { .. })));
}

#[test]
fn a_command_beside_the_service_takes_the_credential_of_the_unit_last() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("advisoryd.service");
    let mut sources = TokenSources {
        fallback: Some(dir.path().join("token")),
        unit_credentials: Some(unit.clone()),
        ..TokenSources::default()
    };
    let error = sources.read().unwrap_err().to_string();
    assert!(error.contains("token.cred advisoryd"), "{error}");
    fs::create_dir(&unit).unwrap();
    fs::write(unit.join("upstream-token"), "of-the-unit").unwrap();
    assert_eq!(sources.read().unwrap().expose(), "of-the-unit");
    fs::write(dir.path().join("token"), "of-the-file").unwrap();
    assert_eq!(sources.read().unwrap().expose(), "of-the-file");
    // The service itself has what systemd has passed, and nothing else.
    sources.fallback = None;
    sources.credentials_dir = Some(dir.path().join("passed"));
    assert!(matches!(sources.read(), Err(TokenError::Missing { .. })));
}

#[test]
fn a_pipe_as_a_secret_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for path in [pipe.as_path(), "/dev/null".as_ref()] {
        let text = format!("[upstream]\ntoken_file = \"{}\"", path.display());
        let config = Config::from_text("c.toml", &text).unwrap();
        config.keep_secrets();
        let error = config.upstream.token().unwrap_err();
        assert!(
            chain(&error).ends_with("it is not a regular file"),
            "{error}"
        );
        let error = SecretFile::at(path).lines().unwrap_err();
        assert!(
            chain(&error).ends_with("it is not a regular file"),
            "{error}"
        );
    }
}

#[test]
fn a_configuration_loads_without_a_token_and_never_prints_one() {
    let config = Config::load(None, variables(&[("ADVISORYD_UPSTREAM__TOKEN", TOKEN)])).unwrap();
    assert_eq!(config.upstream.token().unwrap().expose(), TOKEN);
    assert!(!format!("{config:?}").contains(TOKEN));
    let env = variables(&[("ADVISORYD_UPSTREAM__TOKEN_FILE", "/nonexistent/token")]);
    let config = Config::load(None, env).unwrap();
    let error = config.upstream.token().unwrap_err().to_string();
    assert_eq!(error, "cannot read the token from /nonexistent/token");
}
