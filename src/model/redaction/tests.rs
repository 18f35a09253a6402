#![expect(clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::form_urlencoded;

use super::Redaction;

const SECRET: &str = "Sup3r!\"\\s3cret/+Mail Pw&ä";

fn secrets() -> Redaction {
    let mut secrets = Redaction::new();
    secrets.add(SECRET);
    secrets
}

/// Every byte percent-encoded, in the case that `{:02x}` or `{:02X}` gives.
fn percent(text: &str, is_upper: bool) -> String {
    let code = hex::encode(text);
    let code = if is_upper { code.to_uppercase() } else { code };
    let pairs = code
        .as_bytes()
        .chunks(2)
        .map(|pair| ["%", std::str::from_utf8(pair).unwrap()]);
    pairs.flatten().collect()
}

#[test]
fn a_secret_is_found_in_each_form_in_which_it_travels() {
    let json = serde_json::to_string(SECRET).unwrap();
    let ascii_json = json.replace('ä', "\\u00e4").replace('/', "\\/");
    let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let html = SECRET.replace('&', "&amp;").replace('"', "&quot;");
    let mut forms = vec![
        SECRET.to_owned(),
        format!("Bearer {SECRET}"),
        json.clone(),
        ascii_json,
        serde_json::to_string(&json).unwrap(),
        format!("{SECRET:?}"),
        html,
        form.clone(),
        percent(SECRET, true),
        percent(SECRET, false),
        percent(&percent(SECRET, true), false),
        SECRET.to_uppercase().replace('Ä', "ä"),
        hex::encode(SECRET),
        hex::encode_upper(SECRET),
        SECRET.replace("s3", "s\u{200b}3"),
        SECRET.replace("s3", "s\n3"),
    ];
    for before in [
        "",
        "advisoryd:",
        "\0advisoryd\0",
        "a\0a\0",
        "Authorization: Token ",
    ] {
        let both = format!("{before}{SECRET}");
        forms.push(STANDARD.encode(&both));
        forms.push(STANDARD.encode(&both).to_lowercase());
        forms.push(URL_SAFE_NO_PAD.encode(format!("{both}\r\n")));
        forms.push(percent(&STANDARD.encode(&both), true));
    }
    for form in forms {
        assert_eq!(
            secrets().redact(&format!("it was <{form}>, sorry")),
            match form.starts_with("Bearer") {
                true => "it was <Bearer [redacted]>, sorry".to_owned(),
                false if form.starts_with('"') => {
                    let quote = if form.starts_with("\"\\") {
                        "\"\\\""
                    } else {
                        "\""
                    };
                    let end = if form.starts_with("\"\\") {
                        "\\\"\""
                    } else {
                        "\""
                    };
                    format!("it was <{quote}[redacted]{end}>, sorry")
                }
                false => "it was <[redacted]>, sorry".to_owned(),
            },
            "{form}"
        );
    }
}

#[test]
fn the_beginning_of_a_secret_is_found_where_the_text_was_cut() {
    let secrets = secrets();
    let half: String = SECRET.chars().take(16).collect();
    assert_eq!(secrets.redact(&format!("got {half}")), "got [redacted]");
    assert_eq!(secrets.redact(&format!("got {half}…)")), "got [redacted]…)");
    assert_eq!(secrets.redact("got Sup3r!"), "got Sup3r!");
    let kept = format!("got {half} and more");
    assert_eq!(secrets.redact(&kept), kept);
}

#[test]
fn short_secrets_and_words_do_not_blank_out_ordinary_text() {
    let mut secrets = Redaction::new();
    for secret in ["root", "2026", "postgresql", "ab", "hunter2", "advisoryd"] {
        secrets.add_login("me", secret);
    }
    let ordinary = "advisoryd: the root of postgresql in 2026-11-29 is ab, hunter2000";
    assert_eq!(secrets.redact(ordinary), ordinary);
    for (text, shown) in [
        ("user hunter2 unknown", "user [redacted] unknown"),
        ("postgres://me:postgresql@db", "postgres://me:[redacted]@db"),
        (
            "PASSWORD \"root\" is wrong",
            "PASSWORD \"[redacted]\" is wrong",
        ),
        ("?pin=2026&x", "?pin=[redacted]&x"),
        ("%3Fpin%3D2026%26", "%3Fpin%3D[redacted]%26"),
        (&STANDARD.encode("me:ab"), "[redacted]"),
        (&STANDARD.encode("\0me\0root"), "[redacted]"),
    ] {
        assert_eq!(secrets.redact(text), shown);
    }
    assert_eq!(format!("{secrets:?}").matches("hunter2").count(), 0);
}
