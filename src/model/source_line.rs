//! Errors of PostgreSQL without the line of its source code, which the driver appends: a reader
//! takes it for a line of a query or of a file.

use std::borrow::Cow;

/// How the driver begins the text of an error of the server.
const BEGIN: &str = "error returned from database: ";
/// What it appends, before a number.
const APPENDED: &str = " at line ";

/// The text without ` at line 768` at the end of an error of the server.
pub(super) fn without_source_line(text: &str) -> Cow<'_, str> {
    let Some((before, error)) = text.split_once(BEGIN) else {
        return Cow::Borrowed(text);
    };
    let mut clean = format!("{before}{BEGIN}");
    let mut rest = error;
    while let Some((said, number)) = rest.split_once(APPENDED) {
        clean.push_str(said);
        let after = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
        // `at line 1 column 20` is a place in a document.
        let is_source = after.len() < number.len()
            && after
                .chars()
                .next()
                .is_none_or(|next| matches!(next, ':' | ';' | ',' | '.' | ')' | '\n'));
        if is_source {
            rest = after;
        } else {
            clean.push_str(APPENDED);
            rest = number;
        }
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::without_source_line;

    #[test]
    fn the_line_of_the_source_code_goes_and_places_in_documents_stay() {
        let of = |text: &str| without_source_line(text).into_owned();
        let clean = "cannot connect: error returned from database: role \"a\" does not exist";
        assert_eq!(of(&format!("{clean} at line 768")), clean);
        assert_eq!(
            of(&format!("{clean} at line 768; check the url")),
            format!("{clean}; check the url")
        );
        for kept in [
            "key must be a string at line 3",
            "error returned from database: invalid JSON at line 3 column 7",
            "error returned from database: it is at line x",
        ] {
            assert_eq!(of(kept), kept);
        }
    }
}
