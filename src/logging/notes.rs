//! Warnings of a command as lines of its own output: without time, level and fields, and
//! each only once.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Texts that are remembered; a command that says more says some of them twice.
const MAX_REMEMBERED: usize = 1000;

/// Passes each message on.
pub(super) struct Notes {
    print: fn(&str),
    printed: Mutex<BTreeSet<String>>,
}

impl Notes {
    pub(super) fn new(print: fn(&str)) -> Self {
        Self {
            print,
            printed: Mutex::default(),
        }
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let Message(text) = message;
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_remembered = printed.contains(&text);
        if !is_remembered && printed.len() < MAX_REMEMBERED {
            printed.insert(text.clone());
        }
        drop(printed);
        if !is_remembered && !text.is_empty() {
            (self.print)(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::Mutex;

    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::registry;

    use super::Notes;

    static PRINTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn a_message_is_passed_on_once_without_its_fields() {
        let print = |text: &str| PRINTED.lock().unwrap().push(text.to_owned());
        with_default(registry().with(Notes::new(print)), || {
            for page in [1, 2] {
                tracing::warn!(page, "a page was repaired");
            }
            tracing::warn!(page = 3, "another one");
        });
        let printed = PRINTED.lock().unwrap();
        assert_eq!(*printed, ["a page was repaired", "another one"]);
    }
}
