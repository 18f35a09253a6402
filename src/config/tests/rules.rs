use super::super::Config;
use super::mistakes;

/// The lines of what is wrong with the one rule `r`.
fn wrong(text: &str) -> String {
    mistakes(&format!("[[alerts.rules]]\nname = \"r\"\n{text}")).join("\n")
}

#[test]
fn a_clause_that_could_mean_all_or_nothing_is_refused() {
    for clause in [
        "watch_lists",
        "cve",
        "product",
        "attack_vector",
        "solution_status",
    ] {
        let said = wrong(&format!("{clause} = []"));
        let advice = format!("rule `r` has {clause} `[…]`; write at least one, or leave it out");
        assert!(said.contains(&advice), "{clause} says: {said}");
    }
    for not in ["{}", "[{}]", "[{ title = \"x\" }, {}]"] {
        let said = wrong(&format!("not = {not}"));
        let advice = "rule `r` has a not that is empty and would exclude everything; write";
        assert!(said.contains(advice), "{not} says: {said}");
    }
    assert!(wrong("on = []").contains("write at least one of appeared, "));
}

#[test]
fn a_title_that_is_no_regular_expression_says_so() {
    let said = wrong("title = \"(\"");
    let advice = "`alerts.rules[0].title`: rule `r` has a title that cannot be used; \
                  write a regular expression such as `(?i)vpn` (unclosed group)";
    assert!(said.contains(advice), "{said}");
}

#[test]
fn a_rule_that_can_tell_nobody_is_a_warning() {
    let warned = |text: &str| Config::from_text("c", text).unwrap().warnings().join("\n");
    let lists = "[[watch_lists]]\nid = 4\n[[alerts.rules]]\nname = \"r\"\n";
    let said = warned(lists);
    assert!(said.contains("rule `r` names no sink"), "{said}");
    let said = warned(&format!("{lists}shadow = true\nwatch_lists = [4, 9]"));
    assert!(
        said.starts_with("rule `r` asks for watch list 9, which is not followed"),
        "{said}"
    );
    let found = "[discovery]\nwatch_lists = true\n[[alerts.rules]]\nname = \"r\"\n";
    assert_eq!(
        warned(&format!("{found}shadow = true\nwatch_lists = [9]")),
        ""
    );
}
