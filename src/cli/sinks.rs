//! `advisoryd sinks`: the presets of sinks, to be copied into the configuration.

use clap::{Args, Subcommand};

use super::output::{print_json, print_line, print_styled, table};
use crate::config::{Preset, presets};
use crate::model::filter::nearest;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  advisoryd sinks presets
  advisoryd sinks preset jira
  advisoryd sinks preset pagerduty >>/etc/advisoryd/config.toml

Afterwards, `advisoryd alerts test NAME` sends a test message.")]
pub(super) struct Sinks {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the presets, and what each needs
    Presets {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Print a preset as TOML, to append to the configuration and edit
    Preset {
        /// Name, as shown by `presets`
        #[arg(value_name = "NAME", value_parser = preset)]
        preset: Preset,
    },
}

fn preset(name: &str) -> Result<Preset, String> {
    let names: Vec<&str> = presets().map(|preset| preset.name).collect();
    presets().find(|preset| preset.name == name).ok_or_else(|| {
        let close = nearest(name, &names);
        let close = close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
        format!("expected one of {}{close}", names.join(", "))
    })
}

/// Needs neither configuration nor database.
pub(super) fn run(wanted: &Sinks) -> anyhow::Result<bool> {
    match wanted.what {
        What::Presets { json: true } => {
            for preset in presets() {
                let needs: Vec<&str> = preset.needs().collect();
                print_json(&serde_json::json!({
                    "name": preset.name,
                    "title": preset.title(),
                    "needs": needs,
                }))?;
            }
        }
        What::Presets { json: false } => {
            let rows: Vec<[String; 3]> = presets()
                .map(|preset| {
                    let needs: Vec<&str> = preset.needs().collect();
                    [
                        preset.name.to_owned(),
                        needs.join(", "),
                        preset.title().to_owned(),
                    ]
                })
                .collect();
            print_styled(table(["name", "needs", "what"], &rows).trim_end());
        }
        What::Preset { preset } => print_line(preset.text.trim_end()),
    }
    Ok(true)
}
