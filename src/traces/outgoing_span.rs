//! Spans pass the door for outgoing text before they are sent.

use std::borrow::Cow;

use opentelemetry::trace::Status;
use opentelemetry::{Array, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::model::outgoing;

/// A span of which every text may leave.
pub(super) fn outgoing_span(mut span: SpanData) -> SpanData {
    span.name = text(&span.name);
    pairs(&mut span.attributes);
    for event in &mut span.events.events {
        event.name = text(&event.name);
        pairs(&mut event.attributes);
    }
    for link in &mut span.links.links {
        pairs(&mut link.attributes);
    }
    if let Status::Error { description } = &mut span.status {
        *description = text(description);
    }
    span
}

/// What is said of the program, from the environment too.
pub(super) fn outgoing_resource(resource: &Resource) -> Resource {
    let pairs = resource.iter().map(|(key, value)| {
        let key = Key::from(outgoing(key.as_str()));
        KeyValue::new(key, outgoing_value(value))
    });
    Resource::builder_empty().with_attributes(pairs).build()
}

fn text(text: &str) -> Cow<'static, str> {
    outgoing(text).into()
}

fn pairs(pairs: &mut [KeyValue]) {
    for pair in pairs {
        pair.key = Key::from(outgoing(pair.key.as_str()));
        pair.value = outgoing_value(&pair.value);
    }
}

fn outgoing_value(value: &Value) -> Value {
    match value {
        Value::String(text) => outgoing(text.as_str()).into(),
        Value::Array(Array::String(texts)) => {
            let texts = texts.iter().map(|text| outgoing(text.as_str()).into());
            Value::Array(Array::String(texts.collect::<Vec<StringValue>>()))
        }
        // Numbers, and what a later version may add: as a text.
        Value::Bool(_) | Value::I64(_) | Value::F64(_) => value.clone(),
        other => outgoing(&other.as_str()).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
    use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

    use super::{outgoing_resource, outgoing_span};
    use crate::model::keep_secret;

    const SECRET: &str = "sp4n-5ecret-of-a-trace-9f8e7d";

    fn pairs() -> Vec<KeyValue> {
        let list = Value::Array(Array::String(vec![SECRET.into()]));
        vec![
            KeyValue::new(SECRET, 7),
            KeyValue::new("text", format!("a\n{SECRET}")),
            KeyValue::new("list", list),
        ]
    }

    #[test]
    fn no_text_of_a_span_or_resource_contains_a_secret() {
        keep_secret(SECRET);
        let mut events = SpanEvents::default();
        let event = Event::new(SECRET, SystemTime::UNIX_EPOCH, pairs(), 0);
        events.events.push(event);
        let mut links = SpanLinks::default();
        let link = Link::new(SpanContext::empty_context(), pairs(), 0);
        links.links.push(link);
        let span = outgoing_span(SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: SECRET.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: pairs(),
            dropped_attributes_count: 0,
            events,
            links,
            status: Status::error(SECRET),
            instrumentation_scope: InstrumentationScope::default(),
        });
        let resource = Resource::builder_empty().with_attributes(pairs()).build();
        let resource = outgoing_resource(&resource);
        for (all, least) in [(format!("{span:?}"), 12), (format!("{resource:?}"), 3)] {
            assert!(!all.contains("5ecret") && !all.contains("a\\n"), "{all}");
            assert_eq!(all.matches("[redacted]").count(), least, "{all}");
        }
        assert!(span.attributes.contains(&KeyValue::new("[redacted]", 7)));
    }
}
