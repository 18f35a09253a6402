//! The last line of defence of the log: every text in an event or span, of our own and of
//! libraries, passes the door for outgoing text before a layer writes it.

use std::error::Error;
use std::fmt::Debug;

use tracing::field::{DisplayValue, Field, FieldSet, Value, Visit, display};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::model::outgoing;

/// A layer that gets only what may leave.
pub(super) struct OutgoingLayer<L>(pub(super) L);

/// A value of a field, owned.
enum Owned {
    Text(String),
    /// What was formatted by `Display` or `Debug`: written without quotes.
    Shown(DisplayValue<String>),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Truth(bool),
}

impl Owned {
    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Text(text) => text,
            Self::Shown(text) => text,
            Self::Signed(number) => number,
            Self::Unsigned(number) => number,
            Self::Float(number) => number,
            Self::Truth(truth) => truth,
        }
    }
}

/// The values of an event or span, by the index of their field.
struct Values(Vec<Option<Owned>>);

impl Values {
    fn of(fields: &FieldSet, record: impl FnOnce(&mut Self)) -> Self {
        let mut values = Self(fields.iter().map(|_| None).collect());
        record(&mut values);
        values
    }

    fn put(&mut self, field: &Field, value: Owned) {
        if let Some(slot) = self.0.get_mut(field.index()) {
            *slot = Some(value);
        }
    }

    fn as_values(&self) -> Vec<Option<&dyn Value>> {
        let values = self.0.iter();
        values
            .map(|value| value.as_ref().map(Owned::as_value))
            .collect()
    }
}

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(
            field,
            Owned::Shown(display(outgoing(&format!("{value:?}")))),
        );
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Owned::Text(outgoing(value)));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, Owned::Shown(display(outgoing(&value.to_string()))));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Owned::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Owned::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Owned::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Owned::Truth(value));
    }
}

impl<S, L> Layer<S> for OutgoingLayer<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let fields = event.metadata().fields();
        let values = Values::of(fields, |values| event.record(values));
        let values = values.as_values();
        let values = fields.value_set_all(&values);
        let event = match event.parent() {
            Some(parent) => Event::new_child_of(parent.clone(), event.metadata(), &values),
            None => Event::new(event.metadata(), &values),
        };
        self.0.on_event(&event, context);
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let fields = attributes.fields();
        let values = Values::of(fields, |values| attributes.record(values));
        let values = values.as_values();
        let values = fields.value_set_all(&values);
        let metadata = attributes.metadata();
        let attributes = match attributes.parent() {
            Some(parent) => Attributes::child_of(parent.clone(), metadata, &values),
            None if attributes.is_root() => Attributes::new_root(metadata, &values),
            None => Attributes::new(metadata, &values),
        };
        self.0.on_new_span(&attributes, id, context);
    }

    fn on_record(&self, span: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(metadata) = context.metadata(span) else {
            return;
        };
        let fields = metadata.fields();
        let values = Values::of(fields, |values| record.record(values));
        let values = values.as_values();
        self.0
            .on_record(span, &Record::new(&fields.value_set_all(&values)), context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.0.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{Layer, Registry, fmt, registry};

    use super::OutgoingLayer;
    use crate::model::keep_secret;

    const SECRET: &str = "l0g-5ecret-of-a-layer-9f8e7d";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(layer: impl FnOnce(Written) -> Box<dyn Layer<Registry> + Send + Sync>) -> String {
        let written = Written::default();
        let subscriber = registry().with(OutgoingLayer(layer(written.clone())));
        with_default(subscriber, || {
            let error = io::Error::other(format!("no\r\n2026-01-01 INFO forged \u{9b}2J {SECRET}"));
            let span = tracing::info_span!("span", who = SECRET, later = tracing::field::Empty);
            let _entered = span.enter();
            span.record("later", SECRET);
            tracing::info!(
                number = 7, is = true, text = SECRET, error = &error as &dyn std::error::Error,
                shown = %error, debugged = ?SECRET, "message {SECRET}\nforged"
            );
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_libraries_log_passes_the_door() {
        keep_secret(SECRET);
        let pretty = |written: Written| {
            let writer = move || written.clone();
            fmt::layer().with_ansi(false).with_writer(writer).boxed()
        };
        let json = |written: Written| {
            let writer = move || written.clone();
            fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(writer)
                .boxed()
        };
        for text in [logged(pretty), logged(json)] {
            assert!(!text.contains("5ecret"), "{text}");
            assert_eq!(text.trim_end().lines().count(), 1, "{text}");
            assert!(!text.trim_end().contains(char::is_control), "{text}");
            assert!(text.contains("message [redacted] forged"), "{text}");
            assert!(text.contains('7') && text.contains("true"), "{text}");
        }
        let json: serde_json::Value = serde_json::from_str(&logged(json)).unwrap();
        assert_eq!(json["number"], 7);
        assert_eq!(json["text"], "[redacted]");
        assert_eq!(json["shown"], "no 2026-01-01 INFO forged 2J [redacted]");
    }
}
