//! Replaces what was found in a text.

use super::unescape::decoded;

/// The text up to `end`, with `by` in place of the ranges that begin there.
pub(super) fn replaced(text: &str, mut found: Vec<(usize, usize)>, end: usize, by: &str) -> String {
    found.sort_unstable();
    let mut result = String::with_capacity(end);
    let mut done = 0;
    let begins = |(start, _): &(usize, usize)| *start < end;
    let mut ranges = found.into_iter().take_while(begins).peekable();
    while let Some((start, mut last)) = ranges.next() {
        while let Some((_, further)) = ranges.next_if(|(next, _)| *next <= last) {
            last = last.max(further);
        }
        result.push_str(&text[done..start]);
        result.push_str(by);
        done = last;
    }
    result.push_str(text.get(done..end).unwrap_or_default());
    result
}

/// The text with `by` in place of the ranges that `find` finds in it, as it is and with its
/// codes decoded (escapes of JSON, entities of XML, percent-encoding); `None` if there are
/// none. What is decoded may not be UTF-8.
pub fn replace_decoded(
    text: &str,
    by: &str,
    find: impl Fn(&[u8]) -> Vec<(usize, usize)>,
) -> Option<String> {
    let mut found = find(text.as_bytes());
    if let Some(view) = decoded(text) {
        let in_view = find(&view.bytes).into_iter();
        found.extend(in_view.map(|range| view.span(range)));
    }
    (!found.is_empty()).then(|| replaced(text, found, text.len(), by))
}

#[cfg(test)]
mod tests {
    use super::replace_decoded;

    #[test]
    fn what_is_written_with_codes_is_replaced_where_it_stands() {
        let find = |text: &[u8]| {
            let name = "Jane Rö".as_bytes();
            let starts = memchr::memmem::find_iter(text, name);
            starts.map(|start| (start, start + name.len())).collect()
        };
        let replace = |text: &str| replace_decoded(text, "#", find);
        for (text, replaced) in [
            ("a Jane Rö, a Jane Rö", "a #, a #"),
            ("{\"a\": \"\\u004aane\\u0020R\\u00f6\"}", "{\"a\": \"#\"}"),
            ("\\nJane\\nR\\u00F6\\n", "\\n#\\n"),
            ("\\\\u004aane R\\\\u00f6 & Jane Rö", "# & #"),
            ("<a>J&#97;ne R&#xf6;</a>", "<a>#</a>"),
            ("Jane R&ouml; R&uml; &xuml;", "# R&uml; &xuml;"),
            ("J&amp;#97;ne R&amp;#xf6;", "#"),
            ("?name=Jane%20R%C3%B6&x", "?name=#&x"),
            ("%u004aane R%u00f6", "#"),
        ] {
            assert_eq!(replace(text).as_deref(), Some(replaced), "{text}");
        }
        for text in ["Jane Ro", "\\u004aane R\\u006f", "Jane%20", "", "100 %"] {
            assert_eq!(replace(text), None, "{text}");
        }
    }
}
