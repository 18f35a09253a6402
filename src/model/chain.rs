//! Error chains: an error and its causes in one line.

use std::error::Error;

use super::outgoing;

/// Links of the HTTP library that say nothing beside their cause.
const SAY_NOTHING: [&str; 5] = [
    "error sending request",
    "client error (Connect)",
    "tcp connect error",
    "dns error",
    "error resolving DNS",
];

/// An error and its causes in one line that may leave ([`outgoing()`]), without
/// duplicates: some libraries repeat the cause in their own text.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        source = cause.source();
        let says_nothing = source.is_some() && SAY_NOTHING.contains(&more.as_str());
        if !says_nothing && !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
    }
    outgoing(&text)
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        #[source]
        cause: Option<Box<Failed>>,
    }

    fn failed(texts: &[&'static str]) -> Failed {
        let cause = (texts.len() > 1).then(|| Box::new(failed(&texts[1..])));
        Failed {
            text: texts[0],
            cause,
        }
    }

    #[test]
    fn causes_follow_and_none_is_repeated() {
        assert_eq!(chain(&failed(&["a", "b", "c"])), "a: b: c");
        assert_eq!(
            chain(&failed(&["no answer: b", "b", "c"])),
            "no answer: b: c"
        );
        let connect = ["x", "error sending request", "tcp connect error", "refused"];
        assert_eq!(chain(&failed(&connect)), "x: refused");
        assert_eq!(chain(&failed(&connect[..3])), "x: tcp connect error");
    }
}
