//! `advisoryd status`: the errors of sources, those of one cause as one problem.

use super::status_source::named;
use crate::model::counted;
use crate::store::reports::report::SourceReport;

/// Sources that fail alike.
pub(super) struct Alike<'s> {
    pub(super) sources: Vec<&'s SourceReport>,
    /// Their error, without the addresses of requests.
    pub(super) cause: String,
}

impl Alike<'_> {
    /// One line: `5 of 5 sources cannot be read: upstream does not answer: … (watch list 1, …)`.
    pub(super) fn line(&self, followed: usize) -> String {
        let Self { sources, cause } = self;
        if let [only] = sources[..] {
            return format!("last error ({}): {cause}", named(only));
        }
        let names: Vec<String> = sources.iter().map(|one| one.key.label()).collect();
        format!(
            "{} of {} cannot be read: {cause} ({})",
            sources.len(),
            counted(followed, "source"),
            names.join(", ")
        )
    }
}

/// The sources whose last run failed, by cause.
pub(super) fn by_cause<'s>(sources: impl Iterator<Item = &'s SourceReport>) -> Vec<Alike<'s>> {
    let mut all: Vec<Alike> = Vec::new();
    for source in sources {
        let Some(error) = source.last_error.as_deref() else {
            continue;
        };
        let cause = cause(error);
        match all.iter_mut().find(|one| one.cause == cause) {
            Some(found) => found.sources.push(source),
            None => all.push(Alike {
                sources: vec![source],
                cause,
            }),
        }
    }
    all
}

/// An error without the addresses of requests, which differ for every source.
pub(super) fn cause(error: &str) -> String {
    let words: Vec<&str> = error.split(' ').collect();
    let mut kept: Vec<&str> = Vec::new();
    for word in words {
        if word.starts_with("http://") || word.starts_with("https://") {
            // `GET https://…` and what ends it.
            if kept.last().is_some_and(|before| *before == "GET") {
                kept.pop();
            }
            if !word.ends_with(':') {
                kept.push("upstream");
            }
            continue;
        }
        kept.push(word);
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn the_cause_of_an_error_has_no_address() {
        assert_eq!(
            cause(
                "GET http://127.0.0.1:1/api/x/?a=1: upstream does not answer: Connection refused"
            ),
            "upstream does not answer: Connection refused"
        );
        assert_eq!(
            cause("GET https://x/api/?page=2 returned status 503: a web page"),
            "upstream returned status 503: a web page"
        );
        assert_eq!(cause("the disk is full"), "the disk is full");
    }
}
