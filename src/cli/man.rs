//! Man pages: of the program and of each command from the command line, of the
//! configuration file from the example.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::args::Arguments;
use super::{examples, output};
use crate::files::replace;

/// The mode of the pages, which the umask limits.
const READABLE: u32 = 0o666;

/// All keys with their defaults, and what they mean.
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The main man page on stdout, or all pages as files in a directory.
pub(super) fn run(out: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(examples::add(Arguments::command())).render(&mut page)?;
        output::print_line(String::from_utf8_lossy(&page).trim_end());
        return Ok(());
    };
    let failed = || format!("cannot write the man pages into {}", folder.display());
    let mut command = examples::add(Arguments::command()).disable_help_subcommand(true);
    command.build();
    write_pages(&command, folder).with_context(failed)?;
    let path = folder.join("advisoryd.toml.5");
    replace(&path, configuration().as_bytes(), READABLE).with_context(failed)
}

/// Writes the page of a command, and those of its commands.
fn write_pages(command: &clap::Command, folder: &Path) -> std::io::Result<()> {
    for inner in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        write_pages(inner, folder)?;
    }
    let man = clap_mangen::Man::new(command.clone());
    let mut page = Vec::new();
    man.render(&mut page)?;
    replace(&folder.join(man.get_filename()), &page, READABLE)
}

/// The page of the configuration file: the example, its comments as text and its keys as
/// they are written.
fn configuration() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH advisoryd.toml 5 \"\" \"advisoryd {version}\" \"File formats\"\n\
         .SH NAME\nadvisoryd.toml \\- configuration of advisoryd\n\
         .SH SYNOPSIS\n/etc/advisoryd/config.toml\n.SH DESCRIPTION\n"
    );
    // Writing to a string cannot fail.
    for line in EXAMPLE.lines() {
        let _ = match (line.strip_prefix("# "), line) {
            (_, "" | "#") => writeln!(page, ".PP"),
            (Some(text), _) => writeln!(page, "{}", roff(text)),
            (None, heading) if heading.trim_start_matches('#').starts_with('[') => {
                writeln!(page, ".SH {}", roff(heading.trim_start_matches('#')))
            }
            (None, key) => writeln!(page, ".br\n.B {}\n.br", roff(key)),
        };
    }
    page.push_str(".SH SEE ALSO\n.BR advisoryd (1)\n");
    page
}

/// A line of text that is no request of roff.
fn roff(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('"', "\\(dq");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
