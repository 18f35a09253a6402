//! Words and data for people and programs.

use std::io::Write as _;

use serde::Serialize;

/// Data for stdout. A reader that went away is no failure of ours.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A failure for stderr.
pub(crate) fn complain(text: &str) {
    let mut stderr = std::io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(stderr, "advisoryd: {line}");
    }
}

/// Data as one line of JSON.
pub(crate) fn tell_json(value: &impl Serialize) -> anyhow::Result<()> {
    tell(&serde_json::to_string(value)?);
    Ok(())
}

/// Rows under a heading, in columns as wide as their widest cell.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            line.push_str(cell);
            let padding = width + 2 - cell.chars().count();
            line.extend(std::iter::repeat_n(' ', padding));
        }
        line.trim_end().to_owned()
    };
    let mut text = line(heading);
    for row in rows {
        text.push('\n');
        text.push_str(&line(row.each_ref().map(String::as_str)));
    }
    text
}

/// A length of time as people say it: `3 h`, `12 min`.
pub(crate) fn rough(time: chrono::TimeDelta) -> String {
    let seconds = time.num_seconds();
    match seconds.abs() {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::{rough, table};

    #[test]
    fn tables_line_up_and_times_are_rough() {
        let text = table(["a", "long"], &[["wide cell".into(), "x".into()]]);
        assert_eq!(text, "a          long\nwide cell  x");
        assert_eq!(rough(chrono::TimeDelta::seconds(90)), "90 s");
        assert_eq!(rough(chrono::TimeDelta::minutes(90)), "90 min");
        assert_eq!(rough(chrono::TimeDelta::hours(90)), "3 days");
    }
}
