//! Examples in the long help (`--help`) and the man page of each command.

use clap::Command;

/// Commands, the program itself first, and below each the lines that can be typed as they are
/// written.
const EXAMPLES: &str = include_str!("examples.txt");

/// The command line with its examples.
pub(super) fn add(command: Command) -> Command {
    let mut lines = EXAMPLES.lines().peekable();
    let mut command = command;
    while let Some(name) = lines.next() {
        let mut examples = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
            examples.push('\n');
            examples.push_str(line);
        }
        let path: Vec<&'static str> = name.split(' ').collect();
        let path = if name == command.get_name() {
            &[][..]
        } else {
            &path
        };
        command = of(command, path, &examples);
    }
    command
}

fn of(command: Command, path: &[&'static str], examples: &str) -> Command {
    match path {
        [] => {
            let notes = command.get_after_long_help().map(ToString::to_string);
            let notes = notes.map_or_else(String::new, |notes| format!("{notes}\n\n"));
            command.after_long_help(format!("{notes}Examples:{examples}"))
        }
        [name, rest @ ..] => command.mut_subcommand(*name, |command| of(command, rest, examples)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

    use clap::{Command, CommandFactory as _};

    use super::add;
    use crate::cli::args::Arguments;

    /// The words of a line up to what the shell does with it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for character in line.chars() {
            match (character, quote) {
                ('|' | '>' | '<' | '&' | '(', None) => break,
                (' ', None) => words.push(std::mem::take(&mut word)),
                ('\'' | '"', None) => quote = Some(character),
                (character, Some(open)) if character == open => quote = None,
                (character, _) => word.push(character),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    /// The pages of a command, and of those in it.
    fn each(command: &mut Command, path: &str, lines: &mut Vec<String>) {
        let short = command.render_help().to_string();
        let long = command.render_long_help().to_string();
        assert!(!short.contains("Examples:"), "{path}: {short}");
        assert!(
            short.lines().count() < long.lines().count(),
            "{path}: {short}\n{long}"
        );
        let (_, examples) = long
            .split_once("\nExamples:\n")
            .unwrap_or_else(|| panic!("{path} has no examples"));
        let examples: Vec<&str> = examples
            .lines()
            .map_while(|line| line.strip_prefix("  "))
            .collect();
        let examples = examples.iter().filter(|line| !line.starts_with(' '));
        let examples: Vec<String> = examples.map(|line| (*line).to_owned()).collect();
        assert!((2..=4).contains(&examples.len()), "{path}: {examples:?}");
        lines.extend(examples);
        for inner in command.get_subcommands_mut() {
            if inner.get_name() != "help" {
                each(inner, &format!("{path} {}", inner.get_name()), lines);
            }
        }
    }

    #[test]
    fn every_command_has_examples_that_are_understood_and_a_short_help() {
        let mut command = add(Arguments::command());
        command.build();
        let mut lines = Vec::new();
        each(&mut command, "advisoryd", &mut lines);
        assert!(lines.len() > 120, "{lines:?}");
        for line in lines {
            assert!(line.starts_with("advisoryd "), "{line}");
            let parsed = command.clone().try_get_matches_from(words(&line));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
        }
    }
}
