//! Severities, as users write them: `high` for exactly this, `high+` for this or worse.

use crate::model::Severity;
use crate::model::filter::severity_from_name;

/// The lowest and the highest rank that are meant.
pub(super) fn ranks(text: &str) -> Result<(i16, i16), String> {
    let (name, or_worse) = match text.strip_suffix('+') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let severity = severity_from_name(name).ok_or_else(|| {
        let names = Severity::ALL.map(Severity::name).join(", ");
        format!("expected one of {names}; append + for this or more severe")
    })?;
    let rank = severity.rank();
    let worst = Severity::ExtremelyCritical.rank();
    Ok((rank, if or_worse { worst } else { rank }))
}

#[cfg(test)]
mod tests {
    use super::ranks;

    #[test]
    fn levels_are_read_or_refused_with_the_way_out() {
        assert_eq!(ranks("high+"), Ok((4, 5)));
        assert_eq!(ranks("Less critical"), Ok((2, 2)));
        assert!(ranks("bad").is_err_and(|text| text.contains("not_critical")));
    }
}
