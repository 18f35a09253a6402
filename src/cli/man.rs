//! Man pages: of the program and of each command from the command line, of the
//! configuration file from the example.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::{help, output};
use crate::files::{OwnDirectory, replace};

/// The mode of the pages, which the umask limits.
const READABLE: u32 = 0o666;

/// All keys with their defaults, and what they mean.
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The main man page on stdout, or all pages as files in a directory.
pub(super) fn run(out: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(help::documented()).render(&mut page)?;
        output::print_line(in_sections(&String::from_utf8_lossy(&page), true).trim_end());
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
    let directory = OwnDirectory::open(folder).with_context(failed)?;
    let folder = directory.path();
    write_pages(&command, &folder).with_context(failed)?;
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
    let is_main = command.get_name() == "advisoryd";
    let page = in_sections(&String::from_utf8_lossy(&page), is_main);
    replace(&folder.join(man.get_filename()), page.as_bytes(), READABLE)
}

/// Sections of the main page behind EXIT STATUS.
const ENVIRONMENT: &str = r#".SH ENVIRONMENT
.TP
.B ADVISORYD_CONFIG
The configuration file, unless \fB\-\-config\fR names one.
.TP
.BI ADVISORYD_ SECTION __ KEY
A key of the configuration; it overrides the file. Example: ADVISORYD_LOG__FILTER=debug.
.TP
.B ADVISORYD_UPSTREAM__TOKEN
The token of the API, if there is neither a credential nor a file.
.TP
.B CREDENTIALS_DIRECTORY
Set by systemd: the directory with the credentials of the unit. The token is its file upstream\-token.
.TP
.BR ADVISORYD_PAGER ", " PAGER
The pager of long output on a terminal. If empty or \fBcat\fR, there is none.
.TP
.BR NO_COLOR ", " CLICOLOR_FORCE ", " TERM
Whether output has colours, unless \fB\-\-color\fR is given.
.TP
.B TZ
The time zone in which times are read and printed, unless \fB\-\-utc\fR is given.
.SH FILES
.TP
.I /etc/advisoryd/config.toml
The configuration, see
.BR advisoryd.toml (5).
Of the instance NAME (advisoryd@NAME.service): \fI/etc/advisoryd/NAME.toml\fR.
.TP
.I /etc/advisoryd/token
The token of the API, unless the configuration names another file.
.TP
.I /var/lib/advisoryd
The state directory, with the private PostgreSQL if \fB[database] url\fR is not set.
"#;

/// A page with the usual sections, in their usual order, instead of what the library calls
/// EXTRA.
fn in_sections(page: &str, is_main: bool) -> String {
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
        if line.starts_with("Examples:") {
            is_example = true;
        } else if let Some(example) = line.strip_prefix("  ").filter(|_| is_example) {
            examples.push(example);
        } else if let Some(text) = line.strip_prefix(EXIT) {
            exit.push(text.trim_start_matches([':', ',', ' ']));
        } else if !line.starts_with(".ie") && !line.starts_with(".el") {
            is_example = false;
            notes.push(line);
        }
    }
    let mut sections = String::new();
    let exit = if exit.is_empty() {
        "0 success; 1 failure (see stderr); 2 usage error; 77 permission denied (see stderr); 78 invalid or missing configuration or token.".to_owned()
    } else {
        exit.join("\n")
    };
    // Writing to a string cannot fail.
    let _ = write!(sections, ".SH \"EXIT STATUS\"\n{exit}\n");
    if is_main {
        sections.push_str(ENVIRONMENT);
    }
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
    sections.push_str(if is_main {
        ".SH \"SEE ALSO\"\n.BR psql (1),\n.BR systemd (1),\n.BR advisoryd.toml (5)\n"
    } else {
        ".SH \"SEE ALSO\"\n.BR advisoryd (1),\n.BR advisoryd.toml (5)\n"
    });
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
        let sections = in_sections(page, false);
        assert_eq!(
            sections,
            ".SH NAME\nx\n.SH \"EXIT STATUS\"\n0 success; 1 failure (see stderr); 2 usage error; 77 permission denied (see stderr); 78 invalid or missing configuration or token.\n.SH NOTES\nAll match.\n.SH EXAMPLES\n.nf\nx \\-a\nx \\-b\n.fi\n.SH \"SEE ALSO\"\n.BR advisoryd (1),\n.BR advisoryd.toml (5)\n.SH VERSION\nv1\n"
        );
        assert_eq!(in_sections(&sections, false), sections, "twice is once");
        let own = in_sections(".SH NAME\nx\n.SH EXTRA\nExit status: 0 good.\n", false);
        assert!(own.contains(".SH \"EXIT STATUS\"\n0 good.\n"), "{own}");
    }
}
