//! Warnings and errors say their reason in the message: `journalctl` shows no other field.

use std::path::Path;

use regex::Regex;

use crate::support::source::rust_files;

/// The arguments of a macro, from the first one to its closing bracket.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut all = vec![String::new()];
    for letter in text.chars() {
        if quoted {
            quoted = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
        } else {
            match letter {
                '"' => quoted = true,
                '(' | '[' | '{' => depth += 1,
                ')' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    all.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        all.last_mut().unwrap().push(letter);
    }
    all.into_iter().map(|one| one.trim().to_owned()).collect()
}

#[test]
fn the_message_of_a_warning_holds_its_error() {
    let macros = Regex::new(r"\b(?:warn|error)!\(").unwrap();
    let field = Regex::new(r"(?s)^[%?]?error(?:\s*=\s*[%?]?(.*))?$").unwrap();
    let (mut seen, mut hidden) = (0, Vec::new());
    for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for found in macros.find_iter(&text) {
            let all = arguments(&text[found.end()..]);
            let Some(at) = all.iter().position(|one| one.starts_with('"')) else {
                continue;
            };
            let (fields, rest) = all.split_at(at);
            let (message, values) = rest.split_first().unwrap();
            for error in fields.iter().filter_map(|one| field.captures(one)) {
                seen += 1;
                let value = error.get(1).map_or("error", |value| value.as_str());
                let is_shown = message.contains(&format!("{{{value}"))
                    || values.iter().any(|one| one == value);
                if !is_shown {
                    hidden.push(format!("{}: {message}", file.display()));
                }
            }
        }
    }
    assert!(seen > 20, "hardly any message was found");
    assert!(
        hidden.is_empty(),
        "the reason is only in a field:\n{}",
        hidden.join("\n")
    );
}
