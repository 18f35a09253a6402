//! Tables: columns that line up, within the width of a terminal.

use chrono::NaiveDate;
use console::{Term, measure_text_width, truncate_str};

use super::colour;
use super::hyperlink::hyperlink;
use super::wrap::wrapped;
use crate::model::{one_line, shortened};

/// Rows under a heading, in columns as wide as their widest cell. On a terminal the last
/// column is cut where the terminal ends.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
    columns(&heading.map(str::to_owned), &rows)
}

/// The same with any number of columns.
pub(crate) fn columns(heading: &[String], rows: &[Vec<String>]) -> String {
    within(heading, rows, &[], width())
}

/// The same, but the last column, a text, goes on in further lines where the terminal ends.
pub(super) fn with_text<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let Some(width) = width() else {
        return table(heading, rows);
    };
    let before = |cells: &[String; N]| cells.iter().take(N - 1).cloned().collect::<Vec<_>>();
    let heading = heading.map(str::to_owned);
    let first: Vec<Vec<String>> = rows.iter().map(before).collect();
    let first = columns(&before(&heading), &first);
    let begin = first.lines().map(measure_text_width).max().unwrap_or(0) + 2;
    let lines = first.lines().zip(std::iter::once(&heading).chain(rows));
    let lines = lines.map(|(line, cells)| {
        let padding = " ".repeat(begin - measure_text_width(line));
        let text = one_line(&cells[N - 1]);
        wrapped(&format!("{line}{padding}{text}"), begin, Some(width))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A table whose first cells lead to pages, where there is one.
pub(super) fn linked<const N: usize>(
    heading: [&str; N],
    rows: &[[String; N]],
    links: &[Option<String>],
) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
    within(&heading.map(str::to_owned), &rows, links, width())
}

/// The width of the terminal, if there is one.
pub(super) fn width() -> Option<usize> {
    width_of(&Term::stdout())
}

/// The width of a terminal; `None` if it is none.
pub(super) fn width_of(terminal: &Term) -> Option<usize> {
    let size = terminal
        .is_term()
        .then(|| terminal.size_checked())
        .flatten();
    size.map(|(_, columns)| usize::from(columns))
}

/// At most so many characters of a text on a terminal. Whatever reads a pipe gets all.
pub(super) fn short(text: &str, most_chars: usize) -> String {
    shortened(text, limit(most_chars))
}

/// How many of a number of items, or characters, are shown: so many on a terminal, all in a
/// pipe.
pub(super) fn limit(most: usize) -> usize {
    if width().is_some() { most } else { usize::MAX }
}

/// A line that is not longer than the terminal is wide.
pub(super) fn cut(line: &str) -> String {
    match width() {
        Some(width) => truncate_str(line, width, "…").into_owned(),
        None => line.to_owned(),
    }
}

/// The same within so many columns, if they keep a readable width.
fn within(
    heading: &[String],
    rows: &[Vec<String>],
    links: &[Option<String>],
    width: Option<usize>,
) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = heading
        .iter()
        .map(|cell| measure_text_width(cell))
        .collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    let numbers: Vec<usize> = (0..heading.len())
        .filter(|index| is_of_numbers(*index, &rows))
        .collect();
    if let Some(width) = width {
        // A column with a time zone has times, and words such as `until withdrawn`. The lists
        // and CVEs of an advisory are what was asked for.
        let row_length = heading.len();
        let is_whole = |index: usize| {
            let heading = &*heading[index];
            heading.ends_with(')')
                || heading == "in KEV"
                || heading == "watch lists" && index + 1 < row_length
        };
        let times =
            (0..heading.len()).filter(|index| is_whole(*index) || is_of_times(*index, &rows));
        let fixed: Vec<usize> = numbers.iter().copied().chain(times).collect();
        fit(&mut widths, &fixed, width);
    }
    let layout = Layout {
        heading,
        widths,
        numbers,
    };
    let mut text = layout.line(heading, None, false);
    for (index, row) in rows.iter().enumerate() {
        let link = links.get(index).and_then(Option::as_deref);
        text.push('\n');
        text.push_str(&layout.line(row, link, true));
    }
    text
}

/// Where cells go.
struct Layout<'a> {
    heading: &'a [String],
    widths: Vec<usize>,
    /// Columns of numbers.
    numbers: Vec<usize>,
}

impl Layout<'_> {
    fn line(&self, cells: &[String], address: Option<&str>, is_row: bool) -> String {
        let mut line = String::new();
        for (index, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            let cell = truncate_str(cell, *width, "…");
            let padding = width - measure_text_width(&cell);
            let padding = std::iter::repeat_n(' ', padding);
            if index > 0 {
                line.push_str("  ");
            }
            let shown = match self.heading.get(index) {
                Some(heading) if is_row => {
                    let address = address.filter(|_| index == 0);
                    let cell = colour::of_cell(heading, &cell).apply_to(&cell).to_string();
                    hyperlink(&cell, address)
                }
                _ => cell.into_owned(),
            };
            if self.numbers.contains(&index) {
                line.extend(padding);
                line.push_str(&shown);
            } else {
                line.push_str(&shown);
                line.extend(padding);
            }
        }
        line.trim_end().to_owned()
    }
}

/// Makes columns narrower until they fit, the last one first while it stays readable, then
/// the widest, and at last the first, by which lines are known. Neither numbers nor times.
/// Where that is not enough, lines break.
fn fit(widths: &mut [usize], fixed: &[usize], width: usize) {
    /// A narrower column says nothing.
    const LEAST: usize = 8;
    /// A narrower severity or solution says nothing.
    const WORD: usize = 10;
    /// A name of so many columns is still known, and keys are shorter.
    const NAME: usize = 24;
    /// A title of so many columns says what it is about.
    const READABLE: usize = 30;
    let taken: usize = widths.iter().map(|width| width + 2).sum();
    let mut excess = taken.saturating_sub(width + 2);
    let mut narrower = widths.to_vec();
    let last = widths.len().saturating_sub(1);
    let mut others: Vec<usize> = (1..last).filter(|index| !fixed.contains(index)).collect();
    others.sort_by_key(|index| std::cmp::Reverse(widths[*index]));
    let is_cut = last > 0 && !fixed.contains(&last);
    let title = |least| is_cut.then_some((last, least));
    let others = others.into_iter().map(|index| (index, WORD));
    for (index, least) in title(READABLE)
        .into_iter()
        .chain(others)
        .chain(title(LEAST))
        .chain([(0, NAME)])
    {
        let cut = excess.min(narrower[index].saturating_sub(least));
        narrower[index] -= cut;
        excess -= cut;
    }
    if excess == 0 {
        widths.copy_from_slice(&narrower);
    }
}

/// Whether all cells of a column that are not empty begin with a date: a part of a time
/// would be taken for another one.
fn is_of_times(index: usize, rows: &[Vec<String>]) -> bool {
    let cells = rows.iter().filter_map(|row| row.get(index));
    let mut cells = cells.filter(|cell| !cell.is_empty()).peekable();
    let is_time = |cell: &String| {
        let date = cell.get(..10);
        date.is_some_and(|date| NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok())
    };
    cells.peek().is_some() && cells.all(is_time)
}

/// Whether all cells of a column that are not empty are numbers: they are aligned on the
/// right.
fn is_of_numbers(index: usize, rows: &[Vec<String>]) -> bool {
    let cells = rows.iter().filter_map(|row| row.get(index));
    let mut cells = cells.filter(|cell| !cell.is_empty()).peekable();
    let is_number = |cell: &String| {
        cell.parse::<f64>().is_ok() && cell.ends_with(|end: char| end.is_ascii_digit())
    };
    cells.peek().is_some() && cells.all(is_number)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn columns_line_up_and_fit() {
        let table = |heading: [&str; 2], rows: &[[String; 2]]| {
            let rows: Vec<Vec<String>> = rows.iter().map(|row| row.to_vec()).collect();
            within(&heading.map(str::to_owned), &rows, &[], Some(20))
        };
        let text = table(["a", "long"], &[["wide cell".into(), "x".into()]]);
        assert_eq!(text, "a          long\nwide cell  x");
        let text = table(["a", "b"], &[["x".into(), "eighteen letters…!".into()]]);
        assert_eq!(text, "a  b\nx  eighteen letters…", "it fits exactly to 20");
        let text = table(["a", "b"], &[["wider than the".into(), "terminal".into()]]);
        assert_eq!(text, "a               b\nwider than the  terminal");
        let of_three = |heading: [&str; 3], row: [&str; 3]| {
            let row = row.map(str::to_owned).to_vec();
            within(&heading.map(str::to_owned), &[row], &[], Some(30))
        };
        let text = of_three(["a", "b", "c"], ["key", "a name that is long", "in 5 min"]);
        assert_eq!(
            text,
            "a    b                c\nkey  a name that is…  in 5 min"
        );
        let text = table(
            ["n", "score"],
            &[["7".into(), "9.8".into()], ["12".into(), String::new()]],
        );
        assert_eq!(text, " n  score\n 7    9.8\n12");
        let text = within(&["a".into()], &[vec!["\u{1b}[2Jb\nc".into()]], &[], None);
        assert_eq!(text, "a\n[2Jb c", "no terminal obeys a title");
    }
}
