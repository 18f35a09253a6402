#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
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
fn where_a_text_is_cut_no_part_of_a_secret_is_left() {
    let mut redaction = Redaction::default();
    redaction.add("hunter2-hunter2");
    let text = "one hunter2-hunter2 two";
    for bytes in 0..=text.len() + 1 {
        let shown = redaction.redact_beginning(text, bytes);
        let whole = "one [redacted] two";
        let expected = match bytes {
            0..=4 => &whole[..bytes],
            5..=19 => &whole[..14],
            _ => &whole[..(bytes - 5).min(whole.len())],
        };
        assert_eq!(shown, expected, "{bytes}");
    }
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
    let kept = format!("got {} and more", &half[..15]);
    assert_eq!(secrets.redact(&kept), kept);
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_part_of_a_token_is_found_and_the_words_of_a_secret_url_are_not() {
    let mut secrets = Redaction::new();
    secrets.add(TOKEN);
    secrets.add("https://hooks.example.org/services/incoming-webhook/T000/Xy12Zz34Xy12Zz34Ab");
    secrets.add("http%3A%2F%2F127.0.0.1%3A41234%2Fhook%2FAb12Zz34Xy12Zz34Xy");
    secrets.add("correct horse battery staple");
    for (text, shown) in [
        (format!("/api/{}/x", &TOKEN[..32]), "/api/[redacted]/x"),
        (format!("/api/{}/x", &TOKEN[11..27]), "/api/[redacted]/x"),
        (
            format!("<{}>", STANDARD.encode(&TOKEN[3..30])),
            "<[redacted]>",
        ),
        (format!("<{}>", hex::encode(&TOKEN[3..30])), "<[redacted]>"),
        ("…/Xy12Zz34Xy12Zz34Ab".to_owned(), "…/[redacted]"),
        ("…/Ab12Zz34Xy12Zz34Xy".to_owned(), "…/[redacted]"),
    ] {
        assert_eq!(secrets.redact(&text), shown);
    }
    for ordinary in [
        "https://hooks.example.org/services/incoming-webhook answered 404",
        "GET http://127.0.0.1:45678/api/tickets/ failed",
        "a horse battery stap",
        "/api/0123456789abcde/x",
    ] {
        assert_eq!(secrets.redact(ordinary), ordinary);
    }
}

#[test]
fn the_time_grows_with_the_text() {
    let mut secrets = Redaction::new();
    secrets.add(TOKEN);
    for part in [
        "%25",
        "&amp;",
        "\\u0026",
        "<a ",
        "\u{1b}]",
        "\u{1b}[1;",
        "<",
        "0123456789abcde",
    ] {
        let text = format!("{} end", part.repeat(50_000 / part.len()));
        let began = Instant::now();
        assert_eq!(secrets.redact(&text).len(), text.len());
        // Not what it takes, but what no quadratic way through it can reach.
        assert!(began.elapsed() < Duration::from_secs(20), "{part}");
    }
}

/// One way to write one character, and what may stand before it.
fn written(letter: char, way: u8, noise: u8) -> String {
    const NOISE: [&str; 13] = [
        "\u{200b}",
        "\u{fe0f}",
        "\u{ad}",
        "\u{34f}",
        "\u{301}",
        " ",
        "\r\n",
        "<wbr>",
        "<b class=\"x\">",
        "\u{1b}[1;31m",
        "\u{9b}0m",
        "\u{1b}]0;x\u{7}",
        "&shy;",
    ];
    let code = u32::from(letter);
    let wide = char::from_u32(code + 0xfee0).unwrap();
    let (upper, lower) = (letter.to_uppercase(), letter.to_lowercase());
    let text = match way % 14 {
        0 => format!("%{code:02x}"),
        1 => format!("%{code:02X}"),
        2 => format!("%25{code:02x}"),
        3 => format!("%2525{code:02X}"),
        4 => format!("\\u{code:04x}"),
        5 => format!("\\\\u{code:04X}"),
        6 => format!("&#{code};"),
        7 => format!("&amp;#x{code:x};"),
        8 => wide.to_string(),
        9 => percent(&wide.to_string(), true),
        10 => format!("\\x{code:02x}"),
        11 => upper.to_string(),
        12 => lower.to_string(),
        _ => letter.to_string(),
    };
    let noise = NOISE.get(usize::from(noise)).copied().unwrap_or("");
    format!("{noise}{text}")
}

/// The secret as a whole, which is then written character by character.
fn carried(secret: &str, carrier: u8, before: usize) -> String {
    let both = format!("{}{secret}", &"user:"[..before]);
    match carrier {
        0 => STANDARD.encode(both),
        1 => URL_SAFE_NO_PAD.encode(both),
        2 => hex::encode(secret),
        3 => hex::encode_upper(secret),
        // A part of it.
        4 => secret[before..before + 16].to_owned(),
        _ => secret.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mixture_of_encodings_carries_a_secret_out(
        secret in "[a-z][0-9][a-zA-Z0-9_.~/+=-]{6}([a-f][0-9]){8,15}",
        carrier in 0..8_u8,
        before in 0..5_usize,
        ways in vec((any::<u8>(), 0..40_u8), 64),
    ) {
        let mut secrets = Redaction::new();
        secrets.add(&secret);
        let carried = carried(&secret, carrier, before);
        let ways = ways.iter().cycle().enumerate();
        let text: String = carried
            .chars()
            .zip(ways)
            .map(|(letter, (at, (way, noise)))| {
                // Where something was left out, a run of Base64 ends.
                let is_plain = at == 0 || carrier < 2;
                written(letter, *way, if is_plain { u8::MAX } else { *noise })
            })
            .collect();
        // Without letters beside it: they could be those beside a part of the secret.
        let shown = secrets.redact(&format!("– ({text}), –"));
        prop_assert_eq!(shown, "– ([redacted]), –", "{}", text);
    }

    #[test]
    fn ordinary_text_stays_as_it_is(
        secret in "[a-zA-Z0-9_.~/+=-]{16,40}",
        words in vec(
            "[a-z]{1,12}|[0-9]{1,8}|[A-F0-9]{1,12}|CVE-[0-9]{4}-[0-9]{4,7}|%[0-9a-f]{2}|&[a-z]{2,4};|\\\\[a-z0-9]{1,5}|</?[a-z]{1,3}>|https://[a-z]{3,9}\\.org/[a-z0-9]{0,9}\\?[a-z]=[0-9]|\\PC{1,6}|\\[[0-9]{1,2}m",
            0..60,
        ),
    ) {
        let mut secrets = Redaction::new();
        secrets.add(&secret);
        let text = words.join(" ");
        prop_assert_eq!(secrets.redact(&text), text);
    }
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

/// Ways to write a token without a code of its own, found by a hostile tester.
#[test]
fn a_token_is_found_in_pieces_as_numbers_backwards_and_encoded_twice() {
    const TOKEN: &str = "5ec2e7a1b9c3d4f60718293a4b5c6d7e8f901234";
    let mut redaction = Redaction::new();
    redaction.add(TOKEN);
    let each = |form: &dyn Fn(u8) -> String, between: &str| {
        TOKEN.bytes().map(form).collect::<Vec<_>>().join(between)
    };
    let pieces = |length: usize, between: &str| {
        let all: Vec<String> = TOKEN
            .as_bytes()
            .chunks(length)
            .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
            .collect();
        all.join(between)
    };
    let raw = hex::decode(TOKEN).unwrap();
    let numbers: Vec<String> = raw.iter().map(u8::to_string).collect();
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let utf16: Vec<u8> = TOKEN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let reversed: String = TOKEN.chars().rev().collect();
    for written in [
        hex::encode(&reversed),
        each(&|byte| format!("={byte:02X}"), ""),
        each(&|byte| format!("\\{byte:03o}"), ""),
        each(&|byte| format!("{byte:03o}"), " "),
        each(&|byte| format!("{byte}"), " "),
        each(&|byte| format!("{byte}"), ","),
        each(&|byte| format!("0x{byte:02x}"), " "),
        each(&|byte| format!("0x{byte:02x}"), ", "),
        each(&|byte| format!("{byte:02x}"), ":"),
        each(&|byte| format!("{byte:02x}"), "-"),
        each(&|byte| char::from(byte).to_string(), "."),
        each(&|byte| char::from(byte).to_string(), "_"),
        each(&|byte| char::from(byte).to_string(), ":"),
        each(&|byte| char::from(byte).to_string(), "\", \""),
        pieces(2, ":"),
        pieces(4, "-"),
        pieces(8, ", "),
        pieces(8, "=\r\n"),
        pieces(8, "\" \""),
        pieces(8, "\"+\""),
        pieces(8, "\\\"+\\\""),
        reversed.clone(),
        base64(TOKEN.as_bytes()).chars().rev().collect(),
        numbers.join(" "),
        base64(&raw),
        base64(&utf16),
        hex::encode(&utf16),
        base64(base64(TOKEN.as_bytes()).as_bytes()),
        hex::encode(base64(TOKEN.as_bytes())),
    ] {
        let text = redaction.redact(&format!("BEGIN {written} END"));
        let is_short = text.len() < "BEGIN ".len() + "[redacted]".len() + 40;
        assert!(text.contains("[redacted]") && is_short, "{written}: {text}");
        assert!(
            text.starts_with("BEGIN ") && text.ends_with(" END"),
            "{text}"
        );
    }
}

#[test]
fn ordinary_numbers_hashes_and_lists_are_not_taken_for_a_token() {
    let mut redaction = Redaction::new();
    redaction.add("5ec2e7a1b9c3d4f60718293a4b5c6d7e8f901234");
    redaction.add("correct horse battery staple 7");
    for ordinary in [
        "f92214a0-0d15-5ea4-b46f-fde81012838f",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "CVE-2026-0001, CVE-2026-0002, CVE-2026-10003, CVE-2025-5678",
        "2026-11-30T01:02:03Z 2026-11-30 03:13:17.123456 20261130",
        "de:ad:be:ef:00:01:de:ad:be:ef:00:02 10 20 30 40 50 60 70 80 90 100 101 102",
        "fe80::5ec2:e7a1:1:2 10.0.0.1 192.168.101.102",
        "a=20 b=35 c=65&d=63 https://example.org/?q=5e&page=2",
        "/usr/lib/x86_64-linux-gnu/libssl.so.3 4.18.0-553.8.1.el8_10.x86_64",
        "\\065 \\101 065 145 143 062",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
        "the correct horse; a battery, staple 8",
    ] {
        assert_eq!(redaction.redact(ordinary), ordinary);
    }
}

#[test]
fn what_is_added_again_stays_however_many_others_come() {
    let mut redaction = Redaction::new();
    let (used, retired) = ("in-use-9f8e", "retired-1a2b");
    redaction.add(retired);
    redaction.add(used);
    // Each of them has several forms.
    for number in 0..4_000 {
        redaction.add(&format!("other-{number:05}-x"));
        if number % 100 == 0 {
            redaction.add(used);
        }
    }
    assert_eq!(redaction.redact(used), "[redacted]");
    assert_eq!(redaction.redact(retired), retired);
}
