//! `[log]`: where traces are sent.

use super::super::Config;
use super::errors;

#[test]
#[cfg(not(feature = "otlp"))]
fn a_build_without_opentelemetry_refuses_its_settings() {
    let lines = errors("[log]\notlp_endpoint = \"x\"\notlp_headers_file = \"y\"\n");
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        assert!(line.contains("--features otlp"), "{line}");
    }
    assert_eq!(Config::from_text("c", "").unwrap().log.otlp, None);
}

#[test]
#[cfg(feature = "otlp")]
fn headers_for_the_collector_are_sent_encrypted_or_to_this_machine() {
    for (endpoint, has_headers, good) in [
        ("http://127.0.0.1:4318", true, true),
        ("http://localhost:4318/", true, true),
        ("http://collector:4318", false, true),
        ("http://collector:4318", true, false),
        ("https://collector.example/otlp", true, true),
        ("https://me:secret@collector.example", false, false),
        ("https://collector.example/?key=secret", false, false),
        ("collector:4318", false, false),
    ] {
        let headers = ["", "otlp_headers_file = \"/etc/advisoryd/otlp-headers\"\n"];
        let headers = headers[usize::from(has_headers)];
        let text = format!("[log]\notlp_endpoint = \"{endpoint}\"\n{headers}");
        match Config::from_text("c", &text) {
            Ok(config) => assert!(good && config.log.otlp.is_some(), "{text}"),
            Err(error) => assert!(!good && !error.to_string().contains("secret"), "{error}"),
        }
    }
    let lines = errors("[log]\notlp_headers_file = \"/etc/advisoryd/otlp-headers\"\n");
    assert!(lines[0].contains("otlp_endpoint"), "{lines:?}");
}
