//! Severities, as users write them: `high` for exactly this, `high+` for this or worse.

use std::io::IsTerminal as _;

use super::output::print_note;
use super::table::width;
use crate::model::Severity;
use crate::model::filter::{nearest, severity_from_name};

/// Short names.
const SHORT: [&str; 5] = ["critical", "high", "moderate", "medium", "low"];

/// Severities as they were written, and which are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// The lowest rank.
    pub(super) lowest: i16,
    /// The highest rank.
    pub(super) highest: i16,
    /// Whether `critical` was written, which others use for more than the highest severity.
    pub(super) says_critical: bool,
}

pub(super) fn level(text: &str) -> Result<Level, String> {
    let (name, or_worse) = match text.strip_suffix('+') {
        Some(name) => (name, true),
        None => (text, false),
    };
    // As tables show it.
    let whole = name.trim().replace("crit.", "critical");
    let severity = severity_from_name(&whole).ok_or_else(|| {
        let names = Severity::ALL.map(Severity::name);
        let close = nearest(name, &[&names[..], &SHORT].concat());
        let close = close.map_or_else(String::new, |close| format!("did you mean `{close}`? "));
        let names = names.join(", ");
        format!("{close}expected one of {names}; append + for this or more severe")
    })?;
    let lowest = severity.rank();
    let worst = Severity::ExtremelyCritical.rank();
    Ok(Level {
        lowest,
        highest: if or_worse { worst } else { lowest },
        says_critical: name.trim().eq_ignore_ascii_case("critical"),
    })
}

/// Says on a terminal what `critical` is: who expects what other vendors call so looks at too
/// few advisories.
pub(super) fn print_critical_note() {
    if std::io::stderr().is_terminal() {
        print_note(
            "`critical` means only extremely_critical; to include highly_critical, use `--severity high+`, or `severity >= high` in a filter",
        );
    }
}

/// A severity in a table: on a terminal the short name, which leaves room for titles.
pub(super) fn shown(name: &str) -> String {
    if width().is_some() { short(name) } else { name }.to_owned()
}

/// The names without the word that nearly all of them have.
fn short(name: &str) -> &str {
    match name {
        "extremely_critical" => "extreme",
        "highly_critical" => "high",
        "moderately_critical" => "moderate",
        "less_critical" => "less crit.",
        "not_critical" => "not crit.",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, SHORT, level, short};
    use crate::model::Severity;

    #[test]
    fn what_is_shown_can_be_written() {
        for severity in Severity::ALL {
            let rank = severity.rank();
            let level = level(short(severity.name()));
            assert!(level.is_ok_and(|level| (level.lowest, level.highest) == (rank, rank)));
        }
    }

    #[test]
    fn levels_are_read_or_refused_with_the_way_out() {
        for (text, lowest, highest, says_critical) in [
            ("high+", 4, 5, false),
            ("Less critical", 2, 2, false),
            ("extremely_critical", 5, 5, false),
            ("Critical", 5, 5, true),
            ("critical+", 5, 5, true),
        ] {
            let expected = Level {
                lowest,
                highest,
                says_critical,
            };
            assert_eq!(level(text), Ok(expected), "{text}");
        }
        for short in SHORT {
            assert!(level(short).is_ok(), "{short}");
        }
        assert!(level("critcal").is_err_and(|text| text.contains("`critical`?")));
        assert!(level("bad").is_err_and(|text| text.contains("not_critical")));
    }
}
