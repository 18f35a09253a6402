//! What changed from an old value to a new one: `old → new` for short values, the words
//! that were removed and added for texts, as `git diff --word-diff` shows them.

use std::collections::BTreeSet;

use console::style;
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use super::output::plain;
use super::table::limit;
use super::times::Times;
use crate::model::{Severity, is_documented, legible, one_line};
use crate::store::reports::question::FieldChange;

/// Longer values are compared word by word.
const SHORT: usize = 60;
/// Unchanged letters that are kept before and after a change.
const AROUND: usize = 40;
/// Items of a list that are named; more are only counted.
const MANY: usize = 12;

/// The changed fields of one version, as lines. What another field says in words is left
/// out: the ids beside names, and the vendor's inverted severity.
pub(super) fn page<'a>(
    changes: impl Iterator<Item = &'a FieldChange>,
    times: Times,
) -> Vec<String> {
    let changes: Vec<&FieldChange> = changes.collect();
    let has = |field: &str| changes.iter().any(|change| change.field == field);
    let is_implied = |change: &&&FieldChange| match change.field.as_str() {
        "criticality" => has("severity_rank"),
        field => field.strip_suffix("_id").is_some_and(has),
    };
    let shown = changes.iter().filter(|change| !is_implied(change));
    shown.flat_map(|change| lines(change, times)).collect()
}

/// For the field with the rank of the severity, the same with the names that everything else
/// has.
pub(super) fn severity_of(change: &FieldChange) -> Option<FieldChange> {
    (change.field == "severity_rank").then(|| FieldChange {
        field: "severity".to_owned(),
        old: severity(change.old.as_ref()),
        new: severity(change.new.as_ref()),
        ..*change
    })
}

/// A rank by its name.
fn severity(rank: Option<&Value>) -> Option<Value> {
    let rank = i16::try_from(rank?.as_i64()?).ok()?;
    Some(Severity::from_rank(rank)?.name().into())
}

/// A changed field, as lines without a line break at the end. Colours are only on a
/// terminal; everything else is legible already.
fn lines(change: &FieldChange, times: Times) -> Vec<String> {
    let FieldChange {
        field, old, new, ..
    } = change;
    if let Some(named) = severity_of(change) {
        return lines(&named, times);
    }
    if field == "unrecognised" {
        return of_paths(change, times);
    }
    let (old, new) = (old.as_ref(), new.as_ref());
    let field = legible(field);
    if old.is_some_and(Value::is_array) || new.is_some_and(Value::is_array) {
        let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
        return of_lists(
            &field,
            &items(old).unwrap_or_default(),
            &items(new).unwrap_or_default(),
        );
    }
    let text =
        |value: Option<&Value>| legible(&times.in_zone(value.map(plain).unwrap_or_default()));
    let (old, new) = (text(old), text(new));
    let is_short = |text: &str| text.chars().count() <= SHORT && !text.contains('\n');
    if is_short(&old) && is_short(&new) {
        let named = |text: &str| match text {
            "" => "nothing".to_owned(),
            text => text.to_owned(),
        };
        let (old, new) = (style(named(&old)).red(), style(named(&new)).green());
        return vec![format!("{field}: {old} → {new}")];
    }
    let mut lines = vec![format!("{field}:")];
    lines.extend(of_texts(&old, &new).lines().map(|line| format!("  {line}")));
    lines
}

/// Of values that no column holds, those that changed, by their paths.
fn of_paths(change: &FieldChange, times: Times) -> Vec<String> {
    let of = |value: &Option<Value>, path: &str| value.as_ref()?.get(path).cloned();
    let sides = [&change.old, &change.new].into_iter().flatten();
    // What upstream documents and no column is read from is in the JSON output only.
    let paths: BTreeSet<&String> = sides
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
        .filter(|path| !is_documented(path))
        .collect();
    let changes = paths.into_iter().map(|path| FieldChange {
        field: path.clone(),
        old: of(&change.old, path),
        new: of(&change.new, path),
        ..*change
    });
    let differing: Vec<FieldChange> = changes.filter(|one| one.old != one.new).collect();
    if differing.is_empty() {
        return Vec::new();
    }
    let more = differing.len().saturating_sub(limit(MANY));
    let mut all = vec!["unrecognised:".to_owned()];
    for one in differing.iter().take(limit(MANY)) {
        all.extend(lines(one, times).iter().map(|line| format!("  {line}")));
    }
    if more > 0 {
        all.push(format!("  and {more} more"));
    }
    all
}

/// Items that only one of the lists has.
fn of_lists(field: &str, old: &[Value], new: &[Value]) -> Vec<String> {
    let set = |items: &[Value]| items.iter().map(item).collect::<BTreeSet<String>>();
    let (old, new) = (set(old), set(new));
    let gone = old.difference(&new).map(|item| removed(item, "- "));
    let come = new.difference(&old).map(|item| added(item, "+ "));
    let mut items: Vec<String> = gone.chain(come).collect();
    if items.is_empty() {
        return vec![format!("{field}: in another order")];
    }
    let more = items.len().saturating_sub(limit(MANY));
    items.truncate(limit(MANY));
    let mut lines = vec![format!("{field}:")];
    lines.extend(items.into_iter().map(|item| format!("  {item}")));
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

/// An item of a list in one line; of a document the values, the name first.
fn item(value: &Value) -> String {
    let Value::Object(fields) = value else {
        return one_line(&legible(&plain(value)));
    };
    let named = ["name", "url", "description"];
    let first = named.into_iter().filter_map(|name| fields.get(name));
    let others = fields
        .iter()
        .filter(|(name, _)| !named.contains(&name.as_str()))
        .map(|(_, value)| value)
        .filter(|value| !value.is_boolean());
    let values = first.chain(others).map(plain);
    let values: Vec<String> = values.filter(|text| !text.is_empty()).collect();
    one_line(&legible(&values.join("  ")))
}

fn removed(text: &str, mark: &str) -> String {
    style(format!("{mark}{text}")).red().to_string()
}

fn added(text: &str, mark: &str) -> String {
    style(format!("{mark}{text}")).green().to_string()
}

/// The lines with removed and added words; unchanged lines are left out, and so are the
/// parts of long lines that are far from a change.
fn of_texts(old: &str, new: &str) -> String {
    let diff = TextDiff::from_words(old, new);
    let mut runs: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match runs.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => runs.push((change.tag(), change.value().to_owned())),
        }
    }
    let last = runs.len().saturating_sub(1);
    let mut text = String::new();
    for (index, (tag, run)) in runs.iter().enumerate() {
        match tag {
            ChangeTag::Delete => text.push_str(&marked(run, ("[-", "-]"), removed)),
            ChangeTag::Insert => text.push_str(&marked(run, ("{+", "+}"), added)),
            ChangeTag::Equal => text.push_str(&near(run, index > 0, index < last)),
        }
    }
    text
}

/// A run in brackets, on a terminal also in its colour: colours alone are lost in a copied
/// text, and not everybody can distinguish them. Each line is marked: pagers end a colour with
/// the line.
fn marked(run: &str, (open, close): (&str, &str), colour: fn(&str, &str) -> String) -> String {
    let lines = run.split('\n').map(|line| match line {
        "" => String::new(),
        line => colour(&format!("{open}{line}{close}"), ""),
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// The parts of an unchanged run that are near a change before or after it.
fn near(run: &str, is_after_change: bool, is_before_change: bool) -> String {
    let first = run.split('\n').next().unwrap_or_default();
    let last = run.rsplit('\n').next().unwrap_or_default();
    let has_lines = run.contains('\n');
    match (is_after_change, is_before_change) {
        (true, true) if has_lines => format!("{}\n{}", head(first), tail(last)),
        (true, true) if run.chars().count() > 2 * AROUND => {
            format!("{}{}", head(run), tail(run).trim_start_matches('…'))
        }
        (true, true) => run.to_owned(),
        (true, false) => head(first),
        (false, _) => tail(last),
    }
}

fn head(text: &str) -> String {
    match text.char_indices().nth(AROUND) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn tail(text: &str) -> String {
    let begin = text.chars().count().saturating_sub(AROUND);
    match text.char_indices().nth(begin) {
        Some((start, _)) if begin > 0 => format!("…{}", &text[start..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};

    use super::page;
    use crate::cli::times::Times;
    use crate::store::reports::question::FieldChange;

    fn change(field: &str, old: Value, new: Value) -> FieldChange {
        FieldChange {
            version: 2,
            at: DateTime::UNIX_EPOCH,
            field: field.to_owned(),
            old: Some(old).filter(|value| !value.is_null()),
            new: Some(new).filter(|value| !value.is_null()),
        }
    }

    fn diff(old: Value, new: Value) -> String {
        let change = change("field", old, new);
        console::set_colors_enabled(false);
        page([&change].into_iter(), Times::new(true)).join("\n")
    }

    #[test]
    fn of_values_without_a_column_those_that_changed_are_shown() {
        let change = change(
            "unrecognised",
            json!({"advisory/same": "x", "advisory/number": "1.0", "cves": "CVE"}),
            json!({"advisory/same": "x", "advisory/number": "1.0; 2.0"}),
        );
        console::set_colors_enabled(false);
        assert_eq!(
            page([&change].into_iter(), Times::new(true)),
            [
                "unrecognised:",
                "  advisory/number: 1.0 → 1.0; 2.0",
                "  cves: CVE → nothing"
            ]
        );
    }

    #[test]
    fn short_values_are_old_and_new() {
        assert_eq!(diff(json!(3.5), json!(9.8)), "field: 3.5 → 9.8");
        assert_eq!(diff(Value::Null, json!("x")), "field: nothing → x");
        assert_eq!(
            diff(json!("a\u{1b}[2J"), json!("b")),
            "field: a\u{fffd}[2J → b"
        );
    }

    #[test]
    fn of_texts_only_the_words_that_changed_are_shown_with_what_is_around() {
        let long = "Weaknesses have been reported in a library, which can be exploited by people to cause a denial of service.";
        let fixed = long.replace("denial of service", "crash of the system");
        assert_eq!(
            diff(json!(long), json!(fixed)),
            "field:\n  …h can be exploited by people to cause a [-denial-]{+crash+} of [-service.-]{+the system.+}"
        );
        let lines = "The first line.\nThe second line.\nThe third line.\nThe last line.";
        let other = lines.replace("second", "other");
        assert_eq!(
            diff(json!(lines), json!(other)),
            "field:\n  The [-second-]{+other+} line."
        );
    }

    #[test]
    fn a_change_is_readable_without_its_colours() {
        let (old, new) = (
            "CVSS:4.0/AV:N/VC:L".repeat(4),
            "CVSS:4.0/AV:N/VC:H".repeat(4),
        );
        let coloured = super::marked(&old, ("[-", "-]"), super::removed)
            + &super::marked(&new, ("{+", "+}"), super::added);
        let plain = console::strip_ansi_codes(&coloured);
        assert_eq!(plain, format!("[-{old}-]{{+{new}+}}"));
    }

    #[test]
    fn names_stand_for_numbers() {
        console::set_colors_enabled(false);
        let changes = [
            change("criticality", json!(3), json!(2)),
            change("severity_rank", json!(3), json!(4)),
            change("status", json!("Open"), json!("Handled")),
            change("status_id", json!(1), json!(5)),
        ];
        assert_eq!(
            page(changes.iter(), Times::new(true)),
            [
                "severity: moderately_critical → highly_critical",
                "status: Open → Handled"
            ]
        );
    }

    #[test]
    fn of_lists_only_what_came_and_went_is_shown() {
        assert_eq!(
            diff(json!(["CVE-1", "CVE-2"]), json!(["CVE-2", "CVE-3"])),
            "field:\n  - CVE-1\n  + CVE-3"
        );
        assert_eq!(
            diff(json!([{"product_id": 7, "name": "A"}]), json!([])),
            "field:\n  - A 7"
        );
        assert_eq!(
            diff(json!(["a", "b"]), json!(["b", "a"])),
            "field: in another order"
        );
    }
}
