//! The log as people read it: a message, and behind it the fields that it does not say
//! already.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{self, Debug};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Between the fields of a span: no value contains it, since values are in one line.
const SEPARATOR: char = '\u{1f}';

/// Lines of the log.
pub(super) struct PrettyLines;

/// Fields of spans, as [`PrettyLines`] reads them.
pub(super) struct SpanFields;

/// The message and the other fields.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(String, String)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string());
    }
}

impl<'writer> FormatFields<'writer> for SpanFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut said = Said::default();
        fields.record(&mut said);
        for (name, value) in said.fields {
            write!(writer, "{name}={value}{SEPARATOR}")?;
        }
        Ok(())
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &tracing::span::Record<'_>,
    ) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

impl<S, N> FormatEvent<S, N> for PrettyLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let spans = context.event_scope().into_iter().flatten();
        for span in spans {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<N>>() else {
                continue;
            };
            let fields = fields.fields.split(SEPARATOR);
            let fields = fields.filter_map(|field| field.split_once('='));
            said.fields
                .extend(fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        SystemTime.format_time(&mut writer)?;
        write_level(&mut writer, *event.metadata().level())?;
        write!(writer, " {}", said.message)?;
        let mut written = BTreeSet::new();
        for (name, value) in &said.fields {
            if !says(&said.message, value) && written.insert((name, value)) {
                write!(writer, " {name}={value}")?;
            }
        }
        writeln!(writer)
    }
}

fn write_level(writer: &mut Writer<'_>, level: Level) -> fmt::Result {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    if writer.has_ansi_escapes() {
        write!(writer, " \u{1b}[{colour}m{level:>5}\u{1b}[0m")
    } else {
        write!(writer, " {level:>5}")
    }
}

/// Whether a message has a value as a whole word or number: 7 is not said by 17.
fn says(message: &str, value: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    value.is_empty()
        || message.match_indices(value).any(|(at, _)| {
            let before = message[..at].chars().next_back();
            let behind = message[at + value.len()..].chars().next();
            !is_part(before) && !is_part(behind)
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::{fmt, registry};

    use super::{PrettyLines, SpanFields, says};

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

    #[test]
    fn a_line_says_each_thing_once() {
        let buffer = Written::default();
        let layer = fmt::layer()
            .with_ansi(false)
            .fmt_fields(SpanFields)
            .event_format(PrettyLines)
            .with_writer({
                let buffer = buffer.clone();
                move || buffer.clone()
            });
        with_default(registry().with(layer), || {
            let empty = tracing::field::Empty;
            let span = tracing::info_span!("pull", source = "tickets", run.id = 12, later = empty);
            let _entered = span.enter();
            span.record("later", true);
            let error = "status 500";
            tracing::warn!(
                source = "tickets",
                error,
                requests = 7,
                "tickets: failed after 17 requests: {error}"
            );
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let (time, line) = text.split_once(' ').unwrap();
        assert!(time.ends_with('Z'), "{text}");
        assert_eq!(
            line,
            " WARN tickets: failed after 17 requests: status 500 requests=7 run.id=12 later=true\n"
        );
    }

    #[test]
    fn a_number_is_no_part_of_another() {
        assert!(says("17 requests, 3 new", "3"));
        assert!(!says("17 requests", "7"));
        assert!(says("sink `soc`: failed", "soc"));
        assert!(says("anything", ""));
    }
}
