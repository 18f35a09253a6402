//! Asking before something that cannot be undone.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::output;

/// Whether to go on: `yes` was said on the command line, or is typed now. Where
/// nobody can be asked, it is refused with what to write.
pub(super) fn confirm(yes: bool, question: &str) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        anyhow::bail!("nothing was done; use --yes to continue");
    }
    output::finish();
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question} [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}
