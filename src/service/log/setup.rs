use super::{
    format::{Format, Style},
    limit::Limiter,
    record::FlightLog,
};
use std::{
    env, fs,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For the journal where standard error goes there, for people elsewhere.
    #[default]
    Auto,
    /// For people, whoever reads.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the log is like.
#[derive(Debug, Default)]
pub struct LogOptions {
    /// How lines are written.
    pub format: LogFormat,
    /// What is written where `RUST_LOG` says nothing, in its language.
    pub filter: &'static str,
    /// Whether a place that writes too often is cut short: for a node that runs for years.
    pub limited: bool,
    /// Where warnings go too.
    pub flight_log: FlightLog,
}

/// Sets the log up for the whole process; a second call changes nothing.
pub fn init_log(options: LogOptions) {
    let style = match options.format {
        LogFormat::Json => Style::Json,
        LogFormat::Auto if is_journal() => Style::Journal,
        LogFormat::Auto | LogFormat::Text => Style::Text { colours: io::stderr().is_terminal() },
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(options.filter));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(matches!(style, Style::Text { colours: true }))
        .with_writer(io::stderr)
        .event_format(Format::new(style, options.limited.then(Limiter::default)));
    let ready = tracing_subscriber::registry().with(lines.with_filter(filter)).with(options.flight_log);
    // There is one already where a test has called twice, and it stays.
    let _ = ready.try_init();
}

/// Whether standard error is the journal's: `systemd.exec(5)`, JOURNAL_STREAM.
fn is_journal() -> bool {
    let Some(stream) = env::var("JOURNAL_STREAM").ok() else { return false };
    // What the magic link leads to is the open file itself.
    fs::metadata("/proc/self/fd/2").is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}
