//! Help of every command: `-h` is short, `--help` has examples, and so has its man page.

use std::fs;

use crate::support::{CommandResult, binary};

fn notified(arguments: &[&str]) -> CommandResult {
    let output = binary().args(arguments).output();
    output.expect("the command").into()
}

/// All commands, as the names of their man pages have them.
fn commands(folder: &std::path::Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let pages = entries.map(|entry| entry.path());
    let mut all = Vec::new();
    for path in pages.filter(|path| path.extension().is_some_and(|end| end == "1")) {
        let page = fs::read_to_string(&path).unwrap();
        let page = page.replace("\\*(Aq", "'").replace("\\\\", "\u{1}");
        let page = page.replace('\\', "").replace('\u{1}', "\\");
        let synopsis = page.split_once(".SH SYNOPSIS\n").unwrap().1;
        let words = synopsis.lines().next().unwrap().replace("fB", "");
        let words = words.replace("fR", "");
        let words = words.split(' ').skip(1);
        let words: Vec<&str> = words
            .take_while(|word| word.starts_with(|one: char| one.is_ascii_lowercase()))
            .collect();
        all.push((words.join(" "), page));
    }
    all
}

#[test]
fn every_command_has_a_short_and_a_long_help_and_examples_on_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    assert_eq!(notified(&["man", "--out", out]).code, 0);
    let all = commands(folder.path());
    assert!(all.len() > 50, "{}", all.len());
    for (command, page) in all {
        let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
        let short = notified(&[&words[..], &["-h"]].concat());
        let long = notified(&[&words[..], &["--help"]].concat());
        assert_eq!((short.code, long.code), (0, 0), "{command}");
        let (short, long) = (short.stdout, long.stdout);
        assert!(
            short.lines().count() < long.lines().count(),
            "{command}: {short}"
        );
        assert!(!short.contains("Examples:"), "{command}: {short}");
        assert!(!short.contains("--log-format"), "{command}: {short}");
        let (_, examples) = long.split_once("\nExamples:\n").expect(&command);
        let (_, on_page) = page.split_once(".SH EXAMPLES\n.nf\n").expect(&command);
        let on_page = on_page.split(".fi").next().unwrap();
        let examples = examples.lines().map_while(|line| line.strip_prefix("  "));
        let examples: Vec<&str> = examples.collect();
        assert!(examples.len() > 1, "{command}: {examples:?}");
        assert_eq!(on_page.lines().collect::<Vec<_>>(), examples, "{command}");
        assert!(page.contains(".SH \"SEE ALSO\""), "{command}");
    }
    let main = fs::read_to_string(folder.path().join("advisoryd.1")).unwrap();
    let sections = main.lines().filter_map(|line| line.strip_prefix(".SH "));
    let sections: Vec<&str> = sections.collect();
    let wanted = [
        "\"EXIT STATUS\"",
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
        "\"SEE ALSO\"",
    ];
    let found: Vec<&str> = sections
        .into_iter()
        .filter(|section| wanted.contains(section))
        .collect();
    assert_eq!(found, wanted);
}
