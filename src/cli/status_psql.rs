//! `advisoryd status`: how to connect with psql, in lines that can be copied from a terminal.

use console::measure_text_width;
use url::Url;

/// Before a line that goes on in the next one, for the shell.
const GOES_ON: &str = " \\";
const INDENT: &str = "  ";

/// What is said of the command, and the command. Where both do not fit a line, the command has
/// its own; where that does not either, it ends between words, as the shell allows.
pub(super) fn connect(head: &str, psql: &str, width: Option<usize>) -> String {
    let line = format!("{head}: {psql}");
    let Some(width) = width.filter(|width| measure_text_width(&line) > *width) else {
        return line;
    };
    if INDENT.len() + measure_text_width(psql) <= width {
        return format!("{head}:\n{INDENT}{psql}");
    }
    match words(psql) {
        Some(words) => format!("{head}:\n{}", broken(&words, width)),
        None => format!("{head}:\n{INDENT}{psql}"),
    }
}

/// The command with options in place of an address without blanks, for the private server.
fn words(psql: &str) -> Option<Vec<String>> {
    let (program, address) = psql.split_once(" '")?;
    let address: Url = address.strip_suffix('\'')?.parse().ok()?;
    let mut words = vec![program.to_owned()];
    for (key, value) in address.query_pairs() {
        let option = match &*key {
            "host" => "-h",
            "user" => "-U",
            _ => return None,
        };
        words.push(format!("{option} {value}"));
    }
    let is_local = address.host_str().is_none_or(str::is_empty);
    words.push(format!("-d {}", address.path().strip_prefix('/')?));
    let is_plain = |letter: char| letter.is_alphanumeric() || "/_.- ".contains(letter);
    let is_plain = words
        .iter()
        .all(|word| word.chars().all(is_plain) && word.matches(' ').count() <= 1);
    (is_local && is_plain).then_some(words)
}

fn broken(words: &[String], width: usize) -> String {
    let mut lines = vec![INDENT.to_owned()];
    for word in words {
        let Some(line) = lines.last_mut() else {
            continue;
        };
        let is_begun = !line.trim().is_empty();
        let needed = measure_text_width(word) + 1 + GOES_ON.len();
        if is_begun && measure_text_width(line) + needed > width {
            line.push_str(GOES_ON);
            lines.push(format!("{INDENT}{INDENT}{word}"));
        } else {
            line.push_str(if is_begun { " " } else { "" });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::connect;

    #[test]
    fn a_command_ends_where_a_shell_allows() {
        let psql =
            "psql 'postgres:///advisoryd?host=/var/lib/advisoryd/postgresql/socket&user=advisoryd'";
        let shown = |width| connect("Connect", psql, width);
        assert_eq!(shown(None), format!("Connect: {psql}"));
        assert_eq!(shown(Some(120)), format!("Connect: {psql}"));
        assert_eq!(shown(Some(90)), format!("Connect:\n  {psql}"));
        assert_eq!(
            shown(Some(80)),
            "Connect:\n  psql -h /var/lib/advisoryd/postgresql/socket -U advisoryd -d advisoryd"
        );
        assert_eq!(
            shown(Some(60)),
            "Connect:\n  psql -h /var/lib/advisoryd/postgresql/socket \\\n    -U advisoryd -d advisoryd"
        );
        let other = "psql 'postgres://me@db.example.org:5432/advisoryd?sslmode=verify-full'";
        assert_eq!(
            connect("Connect", other, Some(40)),
            format!("Connect:\n  {other}"),
            "an address of another server has no short form"
        );
    }
}
