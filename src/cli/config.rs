//! `advisoryd config`: which settings are in effect, and where each comes from; the example.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::exit::WrongUsage;
use super::list::{Shape, print_all};
use super::output::{print_data, print_note, table};
use super::shared::GlobalArgs;
use super::table::width;
use crate::config::{Config, EffectiveSetting, SettingSource, process_environment, shown_path};
use crate::model::filter::{says_critical, severity_from_name};
use crate::model::{Severity, contains_secret, legible, one_line, without_secrets};

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    what: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show the settings in effect, and where each comes from: default, file or variable
    Show {
        /// Only this section or key, such as upstream or schedule.feeds
        #[arg(value_name = "KEY")]
        key: Option<String>,
        /// Only what is set, without defaults
        #[arg(long)]
        set: bool,
        #[command(flatten)]
        shape: Shape,
    },
    /// Print an example of the configuration file: every setting with its default, commented
    Example,
}

pub(super) fn run(shared: &GlobalArgs, wanted: ConfigArgs) -> anyhow::Result<bool> {
    let (key, set, shape) = match wanted.what {
        ConfigCommand::Show { key, set, shape } => (key, set, shape),
        ConfigCommand::Example => {
            print_data(Config::EXAMPLE.trim_end());
            return Ok(true);
        }
    };
    shape.check::<EffectiveSetting>()?;
    let config = shared.load_or_default()?;
    shared.note(&config)?;
    let mut settings = config.effective(process_environment())?;
    settings.iter_mut().for_each(redact);
    if let Some(key) = key.as_deref() {
        settings.retain(|setting| is_in(&setting.key, key));
        if settings.is_empty() {
            let message = format!(
                "nothing is set or has a default below `{key}`; `advisoryd config show` lists all settings"
            );
            return Err(WrongUsage(message).into());
        }
    }
    if set {
        settings.retain(|setting| setting.origin.is_some());
    }
    let file = config.file.as_deref().map(shown_path);
    print_all(&shape, &settings, shared.times(), |settings| {
        as_table(settings, file.as_deref())
    })?;
    if file.is_none() && !shape.is_for_programs() {
        print_note("no configuration file is used; --config FILE names one");
    }
    Ok(true)
}

/// Removes configured secrets, as pages for people do: a secret may be part of a value that is
/// none, such as a host.
fn redact(setting: &mut EffectiveSetting) {
    let EffectiveSetting {
        key,
        value,
        source: _,
        origin,
    } = setting;
    *key = without_secrets(key);
    *origin = origin.as_deref().map(without_secrets);
    redact_value(value);
}

fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_secrets(text),
        Value::Array(items) => items.iter_mut().for_each(redact_value),
        Value::Object(fields) => fields.values_mut().for_each(redact_value),
        // A number of many digits could be one.
        Value::Number(number) if contains_secret(&number.to_string()) => *value = Value::Null,
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a key is another one, or below it.
fn is_in(key: &str, wanted: &str) -> bool {
    let wanted = wanted.trim().trim_matches(['[', ']']);
    let rest = key.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The table. On a terminal the file is named once, and of its settings only the line.
fn as_table(settings: &[EffectiveSetting], file: Option<&str>) -> String {
    let file = file.filter(|_| width().is_some());
    let place = |origin: &str| {
        let rest = origin.strip_prefix(file?)?.strip_prefix(':')?;
        let line = rest.split(':').next()?;
        Some(format!("line {line}"))
    };
    let row = |setting: &EffectiveSetting| {
        let EffectiveSetting {
            key,
            value,
            source,
            origin,
        } = setting;
        let value = match (value, source) {
            (Value::Null, SettingSource::Default) => "(not set)".to_owned(),
            (Value::Null, _) => "(not shown)".to_owned(),
            (value, _) => value.to_string() + &meaning(key, value),
        };
        let origin = origin.as_deref().unwrap_or("default");
        let origin = place(origin).unwrap_or_else(|| origin.to_owned());
        [key.clone(), value, origin]
    };
    let rows: Vec<[String; 3]> = settings.iter().map(row).collect();
    if width().is_none() {
        return in_pipe(&rows);
    }
    let rows = table(["setting", "value", "from"], &rows);
    match file {
        Some(file) => format!("file: {}\n{rows}", legible(file)),
        None => rows,
    }
}

/// The table in a pipe: values are whole, and a long one, such as a template, does not move
/// the last column of all others.
fn in_pipe(rows: &[[String; 3]]) -> String {
    let key_width = rows.iter().map(|[key, ..]| key.chars().count()).max();
    let key_width = key_width.unwrap_or_default();
    let lines = rows.iter().map(|[key, value, origin]| {
        let (value, origin) = (one_line(value), one_line(origin));
        format!("{key:<key_width$}  {value}  {origin}")
    });
    let heading = format!("{:<key_width$}  value  from", "setting");
    let lines: Vec<String> = std::iter::once(heading).chain(lines).collect();
    lines.join("\n")
}

/// What a severity of a rule means, where that is easily mistaken.
fn meaning(key: &str, value: &Value) -> String {
    let text = value.as_str().filter(|_| key.starts_with("alerts.rules"));
    let Some(text) = text else {
        return String::new();
    };
    match key.rsplit('.').next() {
        Some("severity") => {
            let name = severity_from_name(text).map(Severity::name);
            let name = name.filter(|name| *name != text);
            name.map_or_else(String::new, |name| format!(" ({name})"))
        }
        Some("where") if says_critical(text) => {
            format!(" (`critical` is {})", Severity::ExtremelyCritical.name())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_in;

    #[test]
    fn a_section_has_its_keys_and_no_others() {
        for (key, wanted) in [
            ("upstream.base_url", "upstream"),
            ("upstream.base_url", "[upstream]"),
            ("upstream.base_url", "upstream.base_url"),
            ("alerts.sinks[1].url", "alerts.sinks"),
        ] {
            assert!(is_in(key, wanted), "{key} {wanted}");
        }
        assert!(!is_in("feeds.max_days", "feed"));
    }
}
