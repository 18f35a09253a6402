//! `advisoryd advisories --count-by`: how many advisories there are of each kind.

use std::fmt;

use super::exit::WrongUsage;
use super::list::{ListFormat, print};
use super::times::Times;
use crate::model::filter::nearest;
use crate::store::reports::counts::{AdvisoryCount, CountKey};

/// More columns are for a spreadsheet.
const MAX_KEYS: usize = 2;

/// What advisories are counted by.
#[derive(Debug, Clone, Default)]
pub(super) struct CountBy(Vec<CountKey>);

impl CountBy {
    /// Reads `severity` or `severity,month`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let names = CountKey::ALL.map(CountKey::name);
        let key = |name: &str| {
            let name = name.trim().replace('-', "_");
            CountKey::from_name(&name).ok_or_else(|| {
                let close = nearest(&name, &names);
                let close =
                    close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
                format!("expected one or two of {}{close}", names.join(", "))
            })
        };
        let keys = text.split(',').map(key).collect::<Result<Vec<_>, _>>()?;
        let is_twice = keys.first() == keys.get(1);
        if keys.len() > MAX_KEYS || is_twice {
            return Err(format!("expected one or two of {}", names.join(", ")));
        }
        Ok(Self(keys))
    }

    pub(super) fn keys(&self) -> &[CountKey] {
        &self.0
    }
}

impl fmt::Display for CountBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|key| key.name()).collect();
        f.write_str(&names.join(","))
    }
}

/// Prints the counts with the columns that they have.
pub(super) fn print_counts(
    form: ListFormat,
    by: &CountBy,
    counts: Vec<AdvisoryCount>,
    times: Times,
) -> anyhow::Result<()> {
    if form.has_columns() {
        let message = format!("--columns cannot be used with --count-by {by}");
        return Err(WrongUsage(message).into());
    }
    let names = by.0.iter().map(|key| key.name());
    let form = form.with_columns(names.chain(["advisories"]));
    print(&form, counts, times, |_| String::new())
}

#[cfg(test)]
mod tests {
    use super::CountBy;

    #[test]
    fn one_or_two_keys_are_read() {
        for text in ["severity", "month,severity", "watch-list, product"] {
            assert!(CountBy::parse(text).is_ok(), "{text}");
        }
        for text in ["", "month,month", "severity,month,product", "severity,"] {
            assert!(CountBy::parse(text).is_err(), "{text}");
        }
        let error = CountBy::parse("sevrity").err().unwrap_or_default();
        assert_eq!(
            error,
            "expected one or two of severity, month, product, watch_list; did you mean `severity`?"
        );
    }
}
