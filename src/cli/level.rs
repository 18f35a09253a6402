//! Severities, as users write them: `high` for exactly this, `high+` for this or worse.

use super::table::width;
use crate::model::Severity;
use crate::model::filter::{nearest, severity_from_name};

/// Short names.
const SHORT: [&str; 5] = ["critical", "high", "moderate", "medium", "low"];

/// The lowest and the highest rank that are meant.
pub(super) fn ranks(text: &str) -> Result<(i16, i16), String> {
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
    let rank = severity.rank();
    let worst = Severity::ExtremelyCritical.rank();
    Ok((rank, if or_worse { worst } else { rank }))
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
    use super::{SHORT, ranks, short};
    use crate::model::Severity;

    #[test]
    fn what_is_shown_can_be_written() {
        for severity in Severity::ALL {
            let rank = severity.rank();
            assert_eq!(ranks(short(severity.name())), Ok((rank, rank)));
        }
    }

    #[test]
    fn levels_are_read_or_refused_with_the_way_out() {
        assert_eq!(ranks("high+"), Ok((4, 5)));
        assert_eq!(ranks("Less critical"), Ok((2, 2)));
        for short in SHORT {
            assert!(ranks(short).is_ok(), "{short}");
        }
        assert!(ranks("critcal").is_err_and(|text| text.contains("`critical`?")));
        assert!(ranks("bad").is_err_and(|text| text.contains("not_critical")));
    }
}
