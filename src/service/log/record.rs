//! Warnings of the log on their way to the flight recorder, on a thread of their own: a sync on a slow card must not
//! hold up who warns.

use super::super::recorder::Recorder;
use std::{
    fmt::{self, Write},
    sync::{
        Arc, OnceLock,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Warnings that may wait for the card; further ones are only in the log.
const MAX_WAITING_WARNINGS: usize = 32;

/// The way from the log to the recorder, closed until there is one.
#[derive(Debug, Clone, Default)]
pub struct FlightLog {
    to: Arc<OnceLock<SyncSender<(String, u64)>>>,
}

impl FlightLog {
    /// From now on warnings are noted by this recorder.
    ///
    /// # Errors
    ///
    /// No thread can be had.
    pub fn open(&self, recorder: Arc<Recorder>) -> std::io::Result<()> {
        let (to, from) = sync_channel::<(String, u64)>(MAX_WAITING_WARNINGS);
        thread::Builder::new().name("flight-recorder".to_owned()).spawn(move || {
            for (text, at) in from {
                recorder.warning(&text, at);
            }
        })?;
        // Who opens it twice keeps the first.
        let _ = self.to.set(to);
        Ok(())
    }
}

impl<S: Subscriber> Layer<S> for FlightLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // What libraries warn of is for whoever reads the log; here there is room for a few lines in an hour.
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || !metadata.target().starts_with("lucid") {
            return;
        }
        let Some(to) = self.to.get() else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        // Full: the log has it.
        let _ = to.try_send((text.finish(), now));
    }
}

/// An event as one line: its message, then its fields.
#[derive(Debug, Default)]
pub(super) struct Text {
    message: String,
    fields: String,
}

impl Text {
    pub(super) fn finish(self) -> String {
        (self.message + &self.fields).replace('\n', " ")
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A string takes whatever is written to it.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::recorder::Flight, *};
    use std::time::{Duration, Instant};
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn warnings_reach_the_recorder_and_what_is_less_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::start(folder.path(), "0.1.0", "a", 1).unwrap());
        let log = FlightLog::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log.clone()), || {
            tracing::warn!("before there is a recorder");
            log.open(recorder).unwrap();
            tracing::info!("a block");
            tracing::warn!(free_mib = 3, reason = %"card\nfull", "nothing is written");
        });
        let began = Instant::now();
        let texts = loop {
            let entries = Flight::read(folder.path()).unwrap().entries;
            if entries.len() > 1 || began.elapsed() > Duration::from_secs(20) {
                break entries;
            }
            thread::sleep(Duration::from_millis(10));
        };
        let text = serde_json::to_string(&texts[1..]).unwrap();
        assert!(text.contains(r#""text":"nothing is written free_mib=3 reason=card full"#), "{text}");
        assert_eq!(texts.len(), 2, "{texts:?}");
    }
}
