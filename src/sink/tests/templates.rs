//! Templates: presets, emails, limits and errors.

use super::super::render::{CompiledTemplate, TemplateFormat};
use super::message;
use crate::config::{Config, SinkKind};

/// The template of a preset.
fn preset(name: &str) -> CompiledTemplate {
    let text =
        format!("[[alerts.sinks]]\nname = \"s\"\nkind = \"{name}\"\nurl = \"https://x.example/\"");
    let config = Config::from_text("c.toml", &text).unwrap();
    let SinkKind::Hook(hook) = &config.alerts.sinks[0].kind else {
        panic!("a hook");
    };
    let body = hook.create.body.as_ref().unwrap();
    CompiledTemplate::compile(&body.name, &body.text, TemplateFormat::Json).unwrap()
}

fn of(name: &str) -> String {
    let text = preset(name).render(&message()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::to_string_pretty(&json).unwrap()
}

#[test]
fn slack_is_sent_without_mentions_and_links_of_strangers() {
    insta::assert_snapshot!(of("slack"));
}

#[test]
fn teams_gets_an_adaptive_card_of_plain_texts() {
    insta::assert_snapshot!(of("teams"));
}

#[test]
fn mattermost_is_sent_without_marks_and_mentions_of_strangers() {
    insta::assert_snapshot!(of("mattermost"));
}

/// All texts within a JSON value.
fn texts(json: &serde_json::Value) -> Vec<&str> {
    match json {
        serde_json::Value::String(text) => vec![text],
        serde_json::Value::Array(list) => list.iter().flat_map(texts).collect(),
        serde_json::Value::Object(object) => object.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is a list")]
fn no_text_of_a_stranger_links_mentions_or_begins_a_line_in_a_chat() {
    let evil = "x\r\nSA9999 forged https://evil.example/a?b www.evil.example mail@evil.example \
                @channel @here <!channel> <@U1> [click](http://evil.example) #general \
                :tada: \u{2028}\u{202e}next";
    let mut message = message();
    message.title = evil.to_owned();
    let alert = &mut message.alerts[0];
    for text in [&mut alert.title, &mut alert.summary, &mut alert.key] {
        evil.clone_into(text);
    }
    alert.solution_status = Some(evil.to_owned());
    alert.ticket_assignee = Some(evil.to_owned());
    for body in ["slack", "teams", "mattermost", "discord", "google-chat"] {
        let template = preset(body);
        let json = template.render(&message).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let texts = texts(&json);
        assert!(texts.iter().any(|text| text.contains("SA9999")), "{body}");
        // The addresses of the configuration are meant to be links.
        let links = ["<https://svr.example.org", "https://svr.example.org"];
        let without = |text: &str| {
            links
                .iter()
                .fold(text.to_owned(), |text, link| text.replace(link, ""))
        };
        let texts: Vec<String> = texts.into_iter().map(without).collect();
        for text in texts.iter().filter(|text| text.contains("evil")) {
            for part in [
                "://",
                "evil.e",
                "www.e",
                "@c",
                "@h",
                "@e",
                "@U",
                "<!",
                "<@",
                "](",
                "#g",
                ":tada:",
                "\u{2028}",
                "\u{202e}",
                "\r",
                "x\nSA9999",
            ] {
                assert!(!text.contains(part), "{body}: {part} in {text}");
            }
        }
    }
    let template = include_str!("../templates/mail.txt.j2");
    let template = CompiledTemplate::compile("mail", template, TemplateFormat::Text).unwrap();
    let mail = template.render(&message).unwrap();
    let is_forged = mail.lines().any(|line| line.starts_with("SA9999"));
    assert!(!is_forged, "{mail}");
    let html = include_str!("../templates/mail.html.j2");
    let html = CompiledTemplate::compile("mail", html, TemplateFormat::Html).unwrap();
    let html = html.render(&message).unwrap();
    let body = html.split("<body").nth(1).unwrap();
    for part in ["://evil", "evil.e", "www.e", "@e"] {
        assert!(!mail.contains(part), "{part} in {mail}");
        assert!(!body.contains(part), "{part} in {body}");
    }
    let ours = "https://svr.example.org/";
    assert!(
        mail.contains(ours) && body.contains(&format!("href=\"{}", ours.replace('/', "&#x2f;"))),
        "{mail}{body}"
    );
}

#[test]
fn a_mail_as_text_says_all_there_is() {
    let template = include_str!("../templates/mail.txt.j2");
    let template = CompiledTemplate::compile("mail", template, TemplateFormat::Text).unwrap();
    insta::assert_snapshot!(template.render(&message()).unwrap());
}

#[test]
fn a_mail_as_html_escapes_everything() {
    let template = include_str!("../templates/mail.html.j2");
    let template = CompiledTemplate::compile("mail", template, TemplateFormat::Html).unwrap();
    let html = template.render(&message()).unwrap();
    assert!(!html.contains("<b>VPN"), "{html}");
    insta::assert_snapshot!(html);
}

#[test]
fn a_digest_of_very_many_stays_small_and_says_what_it_leaves_out() {
    let mut message = message();
    message.alerts = vec![message.alerts[0].clone(); 5000];
    let text = include_str!("../templates/mail.txt.j2");
    let text = CompiledTemplate::compile("mail", text, TemplateFormat::Text).unwrap();
    let text = text.render(&message).unwrap();
    assert!(text.contains("and 4900 more"), "{text}");
    for name in ["slack", "teams"] {
        let body = preset(name).render(&message).unwrap();
        assert!(body.contains("and 4990 more"), "{body}");
        // Teams accepts 28 KB, Slack 50 blocks.
        assert!(body.len() < 28_000, "{}", body.len());
    }
}

#[test]
fn a_template_that_cannot_work_is_refused_before_it_is_needed() {
    for (text, why) in [
        ("{\"text\": {{ titel }}}", "undefined value"),
        ("{\"text\": \"{{ title }}\"}", "does not render valid JSON"),
        ("{{ alerts[0].cves | first }}", "line 1"),
        (
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}1",
            "fuel",
        ),
    ] {
        let error = CompiledTemplate::compile("/t.j2", text, TemplateFormat::Json).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(why) && error.starts_with("/t.j2: "),
            "{error}"
        );
    }
    let good =
        "{\"text\": {{ title }}, \"n\": {{ alerts | length }}, \"a\": {{ alerts | tojson }}}";
    let template = CompiledTemplate::compile("good", good, TemplateFormat::Json).unwrap();
    let body = template.render(&message()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["a"][0]["title"], message().alerts[0].title.as_str());
}

#[test]
fn the_template_of_the_documentation_works() {
    let docs = include_str!("../../../docs/alerts-sinks.md");
    let text = docs.split("```jinja\n").nth(1).unwrap();
    let text = text.split("```").next().unwrap();
    let template = CompiledTemplate::compile("docs", text, TemplateFormat::Json).unwrap();
    let body = template.render(&message()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["lines"].as_array().unwrap().len(), 2);
}
