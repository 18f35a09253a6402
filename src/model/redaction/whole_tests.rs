//! Long secrets in pieces and backwards, of whatever characters they consist.

use super::Redaction;

/// A token without digits, a number, a password of an application, one of few letters and
/// digits, one with quotes, a token whose end has no digit, and a passphrase.
const SECRETS: [&str; 7] = [
    "QwErTyUiOpAsDfGhJkLzXcVb",
    "482915730264915837462915",
    "abcdefghijklmnop",
    "Pg-pw%Zq8$kLm2+xT/9=",
    "Bas1c-p\"ss%wo\\rd<&>x",
    "7261:AAHk-zXcV_bNmAsDfGhJkLqWeRtY",
    "correct horse battery staple",
];

fn pieces(text: &str, length: usize, between: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(length).map(|piece| piece.iter().collect());
    pieces.collect::<Vec<String>>().join(between)
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// Nothing is left of it but punctuation.
fn assert_gone(secret: &str, written: &str) {
    let mut secrets = Redaction::new();
    secrets.add(secret);
    let shown = secrets.redact(&format!("– {written} –"));
    let mut left = shown.replace("[redacted]", "");
    left.retain(char::is_alphanumeric);
    assert_eq!(left, "", "{written}: {shown}");
}

#[test]
fn a_long_secret_is_found_in_pieces_and_backwards_whatever_it_consists_of() {
    for secret in SECRETS {
        for between in [
            "-", " ", ".", "_", ", ", "\", \"", "\" + \"", "=\r\n", "\\r\\n",
        ] {
            for length in 1..=5 {
                assert_gone(secret, &pieces(secret, length, between));
                assert_gone(secret, &pieces(&backwards(secret), length, between));
            }
        }
        assert_gone(secret, &backwards(secret));
        assert_gone(secret, &format!("\"{}\"", secret.replace('"', "\"\"")));
    }
}

#[test]
fn a_long_secret_is_found_in_quoted_printable() {
    for secret in SECRETS {
        let codes = secret.bytes().map(|byte| format!("={byte:02X}"));
        let all = codes.collect::<Vec<_>>().concat();
        for between in ["=\r\n", "=\n", "= \t\r\n", "=\\r\\n", "=0D=0A"] {
            assert_gone(secret, &pieces(&all, 9, between));
            let letters = pieces(&secret.replace('=', "\u{1}"), 5, between);
            assert_gone(secret, &letters.replace('\u{1}', "=3D"));
        }
    }
}

#[test]
fn a_short_secret_with_quotes_is_found_where_they_are_doubled() {
    assert_gone("p\"ssw0rd", "a,\"p\"\"ssw0rd\"".trim_start_matches("a,"));
    assert_gone("p'ssw0rd", "'p''ssw0rd'");
}

#[test]
fn what_is_beside_a_part_of_a_secret_is_found_too() {
    let secret = "7261:AAHk-zXcV_bNmAsDfGhJkLqWeRtY";
    // Only its beginning has digits.
    for part in [&secret[2..], &secret[..30]] {
        assert_gone(secret, part);
        assert_gone(secret, &backwards(part));
        assert_gone(secret, &pieces(part, 1, "-"));
        assert_gone(secret, &pieces(&backwards(part), 3, ", "));
    }
}

#[test]
fn escapes_of_javascript_and_python_are_decoded() {
    for secret in SECRETS {
        let each = |form: &dyn Fn(u32) -> String| -> String {
            secret.chars().map(u32::from).map(form).collect()
        };
        assert_gone(secret, &each(&|code| format!("%u{code:04x}")));
        assert_gone(secret, &each(&|code| format!("%25U{code:04X}")));
        assert_gone(secret, &each(&|code| format!("\\U{code:08x}")));
        assert_gone(secret, &each(&|code| format!("\\\\U{code:08X}")));
    }
}

#[test]
fn parts_of_words_and_numbers_are_ordinary_text() {
    let mut secrets = Redaction::new();
    for secret in SECRETS {
        secrets.add(secret);
    }
    secrets.add("https://hooks.example.org/services/incoming-webhook/T000/Xy12Zz34Xy12Zz34Ab");
    for ordinary in [
        "a correct-horse, a battery",
        "qwertyuiopasdfghjkl",
        "4829 1573 0264 9158",
        "abcdefghijklmno",
        "passwords: 8, kilometres: 2",
        "https://hooks.example.org/services/incoming-webhook answered 404",
        "koohbew-gnimocni",
        "a= b, a = b, =2",
    ] {
        let ordinary = format!("{ordinary} and more");
        assert_eq!(secrets.redact(&ordinary), ordinary);
    }
}
