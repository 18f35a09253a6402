//! What is printed for a command line that cannot be read.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::colour::When;
use super::exit::FAILED;
use super::{help, output, table, wrap};
use crate::config::{Config, process_environment};
use crate::model::outgoing_page;

/// Leaves out the tip to pass an unknown option as a value: it is hardly ever meant, and no
/// other one is given then. How a word is excluded from a search is said in its place.
pub(super) fn with_better_tips(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(mut tips)) = error.remove(ContextKind::Suggested) {
        tips.retain(|tip| !tip.to_string().contains("as a value, use"));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    if let Some(tip) = exclusion_tip(&error) {
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// How a word is excluded from a search, for who has written it like an option.
fn exclusion_tip(error: &clap::Error) -> Option<String> {
    let usage = error.get(ContextKind::Usage)?.to_string();
    let is_search =
        error.kind() == ErrorKind::UnknownArgument && usage.contains("advisoryd advisories");
    let is_word = |argument: &String| {
        let word = argument.strip_prefix('-').unwrap_or_default();
        word.len() > 1 && word.starts_with(char::is_alphabetic)
    };
    let word = std::env::args()
        .skip(1)
        .filter(|_| is_search)
        .find(is_word)?;
    Some(format!(
        "to exclude a word from the search, put it after `--`, for example: advisoryd advisories openssl -- {word}; for options, see --help"
    ))
}

/// Prints help, or what is wrong with the command line. It repeats arguments, and one may
/// be the token: it is read so that it is known.
pub(super) fn wrong_usage(error: &clap::Error) -> ExitCode {
    let status = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILED));
    if error.kind() == ErrorKind::DisplayHelp {
        When::early(std::env::args_os()).begin();
        let page = help::shown(&error.render().ansi().to_string());
        let page = if console::colors_enabled() {
            page
        } else {
            console::strip_ansi_codes(&page).into_owned()
        };
        output::print_data(page.trim_end());
        return status;
    }
    if !error.use_stderr() {
        let _ = error.print();
        return status;
    }
    let mut before = None;
    let mut file = None;
    for argument in std::env::args_os() {
        let text = argument.to_string_lossy();
        if let Some(path) = text.strip_prefix("--config=") {
            file = Some(std::path::PathBuf::from(path));
        } else if before.as_deref() == Some("--config".as_ref()) {
            file = Some(std::path::PathBuf::from(&argument));
        }
        before = Some(argument);
    }
    if let Ok(config) = Config::load(file.as_deref(), process_environment()) {
        config.keep_secrets();
    }
    let page = error.render();
    let plain = page.to_string();
    let safe = outgoing_page(&plain);
    When::early(std::env::args_os()).begin();
    let text = if safe == plain && console::colors_enabled_stderr() {
        page.ansi().to_string()
    } else {
        safe
    };
    let width = table::width_of(&console::Term::stderr());
    let text = wrap::page(&help::copied(&text), width);
    let _ = write!(std::io::stderr(), "{text}");
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(expected) = help::commands_expected()
    {
        let _ = writeln!(std::io::stderr(), "\n{expected}");
    }
    status
}
