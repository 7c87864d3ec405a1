use super::{
    life::{Pulse, show_life},
    notes::Notes,
    report::report,
    tell::Teller,
    work::{Settings, Watch},
};
use crate::{
    cli::{
        exit_codes::{INTERRUPTED, NO_INPUT, UNAVAILABLE, USAGE, coded},
        session::client::NodeArgs,
        signals::StopSignals,
    },
    service::Notifier,
};
use anyhow::{Context, ensure};
use clap::builder::TypedValueParser;
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tracing::debug;

/// Anchor each recording in a folder once it is finished, for as long as this runs.
///
/// Every folder in DIR is a recording, and the files in it are its encrypted chunks. It is finished when a file `.done` lies
/// in it, or when nothing in it has changed for a while. A folder that is named by a UUID is that session. What was anchored
/// is noted in the recording's folder, and never anchored twice.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    /// A recording without `.done` is finished when nothing in it has changed for so long; 0: only `.done` counts.
    #[arg(long, value_name = "SECS", default_value_t = 300)]
    quiet_secs: u64,
    /// How often the folder is looked through.
    #[arg(long, value_name = "SECS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    interval_secs: u64,
    /// Keep what was done in this folder, and write nothing into the recordings.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Anchor what is finished now, and end: with 65 where a recording cannot be anchored as it is.
    #[arg(long)]
    once: bool,
    /// Show what waits and why, and what cannot be anchored and why; anchor nothing.
    #[arg(long, conflicts_with = "once")]
    status: bool,
    /// Write what happens as one JSON object a line.
    #[arg(long)]
    json: bool,
    /// The folder that holds a folder for each recording.
    #[arg(value_name = "DIR", value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    dir: PathBuf,
}

pub(in crate::cli::session) async fn run(args: Args) -> anyhow::Result<()> {
    if args.dir.as_os_str().is_empty() {
        let text = "no folder of recordings is named; lucid-node-watch.service takes it from RECORDINGS, which a drop-in sets \
                    (/usr/share/doc/lucid-node/examples/watch.conf has one)";
        return Err(coded(USAGE, text));
    }
    let missing =
        || coded(NO_INPUT, format!("{} is no folder; name the one that holds the recordings", args.dir.display()));
    ensure!(args.dir.is_dir(), missing());
    let settings = Settings {
        notes: Notes::open(&args.dir, args.state_dir.as_deref())?,
        quiet: (args.quiet_secs > 0).then(|| Duration::from_secs(args.quiet_secs)),
        interval: Duration::from_secs(args.interval_secs),
        once: args.once,
        node: args.node,
        dir: args.dir,
    };
    if args.status {
        return report(&settings, args.json).await;
    }
    if let Some(state_dir) = &args.state_dir {
        fs::create_dir_all(state_dir).with_context(|| format!("cannot make {}", state_dir.display()))?;
    }
    let _lock = lock(args.state_dir.as_deref().unwrap_or(&settings.dir))?;
    work(settings, Teller::new(args.json)).await
}

/// Works until it is asked to stop. What it is reading then is read anew the next time.
async fn work(settings: Settings, teller: Teller) -> anyhow::Result<()> {
    let mut stop = StopSignals::listen().context("cannot wait for signals")?;
    let (once, shown) = (settings.once, settings.dir.display().to_string());
    let (pulse, notifier) = (Pulse::default(), Arc::new(Notifier::from_env()));
    let watch = Watch::new(settings, teller.clone(), pulse.clone(), Arc::clone(&notifier))?;
    notifier.ready();
    if !once {
        teller.say(&format!("watching {shown}"));
    }
    tokio::select! {
        ended = watch.run() => {
            teller.show(None);
            if ended.is_ok() {
                teller.say("nothing that is finished is left to anchor");
            }
            ended
        }
        never = show_life(&notifier, &pulse) => match never {},
        () = stop.received() => {
            notifier.stopping();
            teller.show(None);
            if once {
                return Err(coded(INTERRUPTED, "stopped; what the node has it sees through"));
            }
            teller.say(&format!("stopped watching {shown}"));
            Ok(())
        }
    }
}

/// Keeps a second watch from the same folder: the node would not anchor twice, but all would be read twice.
fn lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let file = File::open(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(coded(UNAVAILABLE, format!("another watch is at work on {}", folder.display())))
        }
        Err(TryLockError::Error(error)) => {
            debug!(%error, "the folder cannot be locked");
            Ok(None)
        }
    }
}
