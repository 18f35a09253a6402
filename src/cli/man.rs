//! Man pages: of the program and of each command from the command line, of the
//! configuration file from the example.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::{help, output};
use crate::files::replace;

/// The mode of the pages, which the umask limits.
const READABLE: u32 = 0o666;

/// All keys with their defaults, and what they mean.
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The main man page on stdout, or all pages as files in a directory.
pub(super) fn run(out: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(help::documented()).render(&mut page)?;
        output::print_line(in_sections(&String::from_utf8_lossy(&page)).trim_end());
        return Ok(());
    };
    let failed = || {
        let advice = if folder.is_dir() {
            ""
        } else {
            ", which is not a directory; create it first"
        };
        format!(
            "cannot write the man pages into {}{advice}",
            folder.display()
        )
    };
    let mut command = help::documented().disable_help_subcommand(true);
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
    let page = in_sections(&String::from_utf8_lossy(&page));
    replace(&folder.join(man.get_filename()), page.as_bytes(), READABLE)
}

/// A page with the usual sections instead of what the library calls EXTRA: EXAMPLES, line by
/// line, and EXIT STATUS, NOTES for the rest.
fn in_sections(page: &str) -> String {
    const EXTRA: &str = ".SH EXTRA\n";
    const EXIT: &str = "Exit status";
    if page.contains("EXIT STATUS") {
        return page.to_owned();
    }
    let (before, rest) = page.split_once(EXTRA).unwrap_or((page, ""));
    let end = rest.find("\n.SH ").map_or(rest.len(), |at| at + 1);
    let (extra, behind) = rest.split_at(end);
    let (mut examples, mut notes, mut exit) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_example = false;
    for line in extra.lines().filter(|line| !line.is_empty()) {
        if line.starts_with("Example") {
            is_example = true;
        } else if let Some(example) = line.strip_prefix("  ").filter(|_| is_example) {
            examples.push(example);
        } else if line.starts_with(EXIT) {
            exit.push(line);
        } else if !line.starts_with(".ie") && !line.starts_with(".el") {
            is_example = false;
            notes.push(line);
        }
    }
    let mut sections = String::new();
    // Writing to a string cannot fail.
    if !notes.is_empty() {
        let _ = write!(sections, ".SH NOTES\n{}\n", notes.join("\n"));
    }
    if !examples.is_empty() {
        let _ = write!(
            sections,
            ".SH EXAMPLES\n.nf\n{}\n.fi\n",
            examples.join("\n")
        );
    }
    let exit = if exit.is_empty() {
        "0 success; 1 failure (see stderr); 2 usage error; 78 invalid or missing configuration or token.".to_owned()
    } else {
        exit.join("\n")
    };
    let _ = write!(sections, ".SH \"EXIT STATUS\"\n{exit}\n");
    // VERSION and AUTHORS come last.
    match before.rfind("\n.SH VERSION").filter(|_| behind.is_empty()) {
        Some(at) => format!("{}{sections}{}", &before[..=at], &before[at + 1..]),
        None => format!("{}\n{sections}{behind}", before.trim_end()),
    }
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

#[cfg(test)]
mod tests {
    use super::in_sections;

    #[test]
    fn examples_and_the_exit_status_have_sections_of_their_own() {
        let page = ".SH NAME\nx\n.SH EXTRA\nAll match.\n\nExamples:\n  x \\-a\n  x \\-b\n.SH VERSION\nv1\n";
        let sections = in_sections(page);
        assert_eq!(
            sections,
            ".SH NAME\nx\n.SH NOTES\nAll match.\n.SH EXAMPLES\n.nf\nx \\-a\nx \\-b\n.fi\n.SH \"EXIT STATUS\"\n0 success; 1 failure (see stderr); 2 usage error; 78 invalid or missing configuration or token.\n.SH VERSION\nv1\n"
        );
        assert_eq!(in_sections(&sections), sections, "twice is once");
        let own = in_sections(".SH NAME\nx\n.SH EXTRA\nExit status: 0 good.\n");
        assert!(
            own.ends_with(".SH \"EXIT STATUS\"\nExit status: 0 good.\n"),
            "{own}"
        );
    }
}
