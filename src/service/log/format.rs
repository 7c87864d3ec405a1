//! How one line is written.

use super::{limit::Limiter, record::Text};
use serde_json::{Map, Value};
use std::{fmt, time::Instant};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A person.
    Text {
        /// Who sees colours.
        colours: bool,
    },
    /// journald, which has its own clock and takes the priority from the head of the line (`sd-daemon(3)`).
    Journal,
    /// A program.
    Json,
}

#[derive(Debug)]
pub(super) struct Format {
    style: Style,
    limiter: Option<Limiter>,
    text: format::Format<format::Full, SystemTime>,
}

impl Format {
    pub(super) fn new(style: Style, limiter: Option<Limiter>) -> Self {
        let text = format::format().with_target(false);
        let text = if let Style::Text { colours } = style { text.with_ansi(colours) } else { text };
        Self { style, limiter, text }
    }
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let left_out = match &self.limiter {
            Some(limiter) => match limiter.take(event.metadata().callsite(), Instant::now()) {
                Some(left_out) => left_out,
                None => return Ok(()),
            },
            None => 0,
        };
        match self.style {
            Style::Text { .. } => {
                if left_out > 0 {
                    writeln!(to, "({left_out} lines like the next one were left out)")?;
                }
                self.text.format_event(context, to, event)
            }
            Style::Journal => {
                let mut text = Text::default();
                event.record(&mut text);
                let priority = priority(*event.metadata().level());
                if left_out > 0 {
                    writeln!(to, "<{priority}>({left_out} lines like the next one were left out)")?;
                }
                writeln!(to, "<{priority}>{}", text.finish())
            }
            Style::Json => {
                let mut fields = Fields(Map::new());
                event.record(&mut fields);
                if left_out > 0 {
                    fields.0.insert("left_out".to_owned(), left_out.into());
                }
                let mut time = String::new();
                SystemTime.format_time(&mut Writer::new(&mut time))?;
                let level = event.metadata().level().as_str();
                let line = serde_json::to_string(&json(time, level, fields.0)).map_err(|_| fmt::Error)?;
                writeln!(to, "{line}")
            }
        }
    }
}

fn json(time: String, level: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let mut line = Map::from_iter([("time".to_owned(), time.into()), ("level".to_owned(), level.into())]);
    line.extend(fields);
    line
}

/// The priority of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Fields as JSON.
#[derive(Debug)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(style: Style, limited: bool, write: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let format = Format::new(style, limited.then(Limiter::default));
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).event_format(format);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), write);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_journal_gets_the_priority_and_no_second_time() {
        let text = logged(Style::Journal, false, || {
            tracing::info!(height = 7, hash = %"0xab", "block");
            tracing::warn!("clock\nstale");
            tracing::error!("gone");
        });
        assert_eq!(text, "<6>block height=7 hash=0xab\n<4>clock stale\n<3>gone\n");
    }

    #[test]
    fn a_program_gets_one_object_a_line() {
        let text = logged(Style::Json, false, || tracing::warn!(free_mib = 3_u64, ok = false, path = "a\"b", "full"));
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "full");
        assert_eq!((&line["free_mib"], &line["ok"], &line["path"]), (&3.into(), &false.into(), &"a\"b".into()));
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }

    #[test]
    fn a_person_sees_time_level_and_fields() {
        let text = logged(Style::Text { colours: false }, false, || tracing::info!(height = 7, "block"));
        assert!(text.ends_with("INFO block height=7\n"), "{text}");
    }

    #[test]
    fn a_loop_that_warns_does_not_fill_the_card() {
        let text = logged(Style::Journal, true, || (0..10_000).for_each(|_| tracing::warn!("again")));
        assert_eq!(text.lines().count(), 50);
    }
}
