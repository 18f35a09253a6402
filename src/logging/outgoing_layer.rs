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
        if let Some(place) = self.0.get_mut(field.index()) {
            *place = Some(value);
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
