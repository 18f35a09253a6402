//! Settings of health messages and the heartbeat.

use std::time::Duration;

use super::super::{Allowed, Config};
use super::errors;

const SINKS: &str = "[[alerts.sinks]]\nname = \"soc\"\nkind = \"log\"\n\
                     [[alerts.sinks]]\nname = \"team\"\nkind = \"log\"\n";

#[test]
fn by_default_every_sink_hears_of_health_and_nobody_of_heartbeats() {
    let config = Config::from_text("c.toml", SINKS).unwrap();
    assert!(config.alerts.health.enabled);
    assert_eq!(config.alerts.health.sinks, ["soc", "team"]);
    assert!(config.alerts.heartbeat.is_none());
    assert_eq!(config.freshness.feeds, Allowed::BySchedule);
}

#[test]
fn health_and_heartbeats_go_where_the_operator_says() {
    let text = format!(
        "{SINKS}[alerts.health]\nenabled = false\nsinks = [\"team\", \"team\"]\n\
         [alerts.heartbeat]\nschedule = \"0 0 8 * * *\"\nsinks = [\"soc\"]\n\
         [freshness]\nfeeds = \"2h\"\ntickets = \"off\"\n"
    );
    let config = Config::from_text("c.toml", &text).unwrap();
    assert!(!config.alerts.health.enabled);
    assert_eq!(config.alerts.health.sinks, ["team"]);
    assert_eq!(config.alerts.heartbeat.unwrap().sinks, ["soc"]);
    let two_hours = Allowed::Age(Duration::from_hours(2));
    assert_eq!(config.freshness.feeds, two_hours);
    assert_eq!(config.freshness.tickets, Allowed::Off);
}

#[test]
fn every_mistake_about_health_says_what_to_write_instead() {
    let text = format!(
        "{SINKS}[alerts.health]\nsinks = [\"sok\", \"x\"]\n\
         [alerts.heartbeat]\nschedule = \"0 8 * *\"\n[freshness]\nfeeds = \"never\"\n"
    );
    insta::assert_snapshot!(errors(&text).join("\n"), @r"
    c.toml: `alerts.health.sinks`: got `sok`; unknown sink; did you mean `soc`?
    c.toml: `alerts.health.sinks`: got `x`; unknown sink; expected one of soc, team
    c.toml: `alerts.heartbeat.schedule`: got `0 8 * *`; expected a cron expression with six fields (seconds first) or five, such as `0 */15 * * * *`, or a duration such as `15m` (it has 4 fields)
    c.toml: `freshness.feeds`: got `never`; expected `auto`, `off` or a duration from `1m` to `366d`, such as `2h`
    ");
    let no_schedule = format!("{SINKS}[alerts.heartbeat]\nsinks = [\"soc\"]\n");
    insta::assert_snapshot!(errors(&no_schedule).join("\n"), @r#"c.toml: `alerts.heartbeat.schedule`: missing; add one, such as `schedule = "0 0 8 * * *"`"#);
    let no_sinks = "[alerts.heartbeat]\nschedule = \"0 0 8 * * *\"\n";
    insta::assert_snapshot!(errors(no_sinks).join("\n"), @"c.toml: `alerts.heartbeat.sinks`: missing; add one under [[alerts.sinks]]; a heartbeat needs a receiver");
}
