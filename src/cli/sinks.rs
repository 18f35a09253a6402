//! `advisoryd sinks`: the configured sinks, and the presets, to be copied into the configuration.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::list::{Shape, print_all};
use super::output::print_data;
use super::shared::GlobalArgs;
use super::sinks_list;
use super::table::with_text;
use crate::config::{Preset, presets};
use crate::model::filter::nearest;

#[derive(Debug, Args)]
#[command(
    after_long_help = "When a sink is configured, `advisoryd alerts test NAME` sends a test message."
)]
pub(super) struct Sinks {
    #[command(subcommand)]
    what: SinksCommand,
}

#[derive(Debug, Subcommand)]
enum SinksCommand {
    /// List the configured sinks: where they send to, which rules use them, and their queues
    List {
        #[command(flatten)]
        shape: Shape,
    },
    /// List the presets, and what each needs
    Presets {
        #[command(flatten)]
        shape: Shape,
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

/// A preset as it is printed.
#[derive(Debug, Default, Serialize)]
struct PresetLine {
    name: &'static str,
    title: &'static str,
    needs: Vec<&'static str>,
}

impl PresetLine {
    fn of(preset: Preset) -> Self {
        Self {
            name: preset.name,
            title: preset.title(),
            needs: preset.needs().collect(),
        }
    }
}

fn as_table(lines: &[PresetLine]) -> String {
    let row = |line: &PresetLine| {
        let PresetLine { name, title, needs } = line;
        [
            (*name).to_owned(),
            format!("{title}; needs {}", needs.join(", ")),
        ]
    };
    let rows: Vec<[String; 2]> = lines.iter().map(row).collect();
    with_text(["name", "what, and what it needs"], &rows)
}

/// The presets need neither configuration nor database.
pub(super) async fn run(shared: GlobalArgs, wanted: Sinks) -> anyhow::Result<bool> {
    match &wanted.what {
        SinksCommand::List { shape } => return sinks_list::run(shared, shape).await,
        SinksCommand::Presets { shape } => {
            shape.check::<PresetLine>()?;
            let lines: Vec<PresetLine> = presets().map(PresetLine::of).collect();
            print_all(shape, &lines, shared.times(), as_table)?;
        }
        SinksCommand::Preset { preset } => print_data(preset.text.trim_end()),
    }
    Ok(true)
}
