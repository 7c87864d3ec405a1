//! `--status`: what waits and why, what was refused and why. It anchors nothing and writes nothing.

use super::{
    super::client::with_hint,
    finished::{DONE, State, state},
    look::is_recording,
    read::named_session,
    recheck::difference,
    work::Settings,
};
use crate::{
    anchoring::ChunkFolder,
    cli::{
        app::{printable, with_causes},
        exit_codes::{DATA, coded},
    },
};
use alloy_primitives::B256;
use anyhow::Context;
use lucid_rpc::{ChainInfoDocument, Client, ClientError};
use serde::Serialize;
use std::{ffi::OsStr, fs, io, path::Path, time::SystemTime};

/// How a recording stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    Unfinished,
    Waits,
    Refused,
    Changed,
    OtherChain,
}

impl Stands {
    const fn text(self) -> &'static str {
        match self {
            Self::Unfinished => "not finished",
            Self::Waits => "waits",
            Self::Refused => "not anchored",
            Self::Changed => "changed",
            Self::OtherChain => "on another chain",
        }
    }
}

/// A recording that is not simply anchored.
#[derive(Debug, Serialize)]
struct Line {
    folder: String,
    state: Stands,
    reason: String,
}

/// How many stand how.
#[derive(Debug, Default, Serialize)]
struct Counts {
    anchored: u64,
    unfinished: u64,
    waits: u64,
    refused: u64,
    changed: u64,
    other_chain: u64,
}

/// What the node said, once for all recordings.
struct Node {
    /// Hash of its genesis block, where it answers.
    genesis_hash: Option<B256>,
    /// Whom to ask for more; or why nothing can be anchored, or becomes final.
    asks: Result<Client, String>,
}

/// Writes to standard output how each recording stands that is not anchored, and how many are.
pub(super) async fn report(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let node = ask(settings).await;
    let mut counts = Counts::default();
    let failed = || format!("cannot read {}", settings.dir.display());
    for entry in fs::read_dir(&settings.dir).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        if !is_recording(&entry).with_context(failed)? {
            continue;
        }
        let name = entry.file_name();
        let Some((state, reason)) = judge(settings, &node, &name, &entry.path()).await else {
            counts.anchored += 1;
            continue;
        };
        *counts.of(state) += 1;
        let line = Line { folder: name.to_string_lossy().into_owned(), state, reason };
        if json {
            println!("{}", serde_json::to_string(&line)?);
        } else {
            println!("{}", printable(&format!("{}: {}: {}", line.folder, state.text(), line.reason)));
        }
    }
    if json {
        println!("{}", serde_json::to_string(&counts)?);
    } else {
        let Counts { anchored, unfinished, waits, refused, changed, other_chain } = counts;
        println!(
            "{anchored} anchored, {waits} waiting, {unfinished} not finished, {refused} not to be anchored, \
             {changed} changed since, {other_chain} on another chain"
        );
    }
    match counts.refused + counts.changed {
        0 => Ok(()),
        count => Err(coded(DATA, format!("somebody has to look at {count} of the recordings"))),
    }
}

impl Counts {
    const fn of(&mut self, state: Stands) -> &mut u64 {
        match state {
            Stands::Unfinished => &mut self.unfinished,
            Stands::Waits => &mut self.waits,
            Stands::Refused => &mut self.refused,
            Stands::Changed => &mut self.changed,
            Stands::OtherChain => &mut self.other_chain,
        }
    }
}

async fn ask(settings: &Settings) -> Node {
    let asked = async {
        let client = settings.node.client()?;
        let info = client.chain_info().await?;
        anyhow::Ok((client, info))
    };
    let hinders = |reason, genesis_hash| Node { genesis_hash, asks: Err(reason) };
    match asked.await {
        Ok((client, ChainInfoDocument { sealing_stop: None, genesis_hash, .. })) => {
            Node { genesis_hash: Some(genesis_hash), asks: Ok(client) }
        }
        Ok((_, ChainInfoDocument { sealing_stop: Some(stop), genesis_hash, .. })) => {
            hinders(format!("the node makes no blocks: {stop}"), Some(genesis_hash))
        }
        Err(error) => hinders(with_causes(&with_hint(error)).replace('\n', " "), None),
    }
}

/// How a recording stands, and why; none for one that is anchored and as it was.
async fn judge(settings: &Settings, node: &Node, name: &OsStr, folder: &Path) -> Option<(Stands, String)> {
    if settings.notes.has_anchored(folder)
        && let Some((note, is_touched)) = settings.notes.anchored(folder)
    {
        let session_id = note.session_id;
        if is_touched && difference(folder, &note).is_some() {
            let text = format!("it was anchored as session {session_id}, and what changed since is not");
            return Some((Stands::Changed, text));
        }
        let is_other = node.genesis_hash.is_some_and(|genesis_hash| genesis_hash != note.genesis_hash);
        let note = settings.notes.anchored_path(folder);
        let text = || format!("it was anchored there as session {session_id}; its note is {}", note.display());
        return is_other.then(|| (Stands::OtherChain, text()));
    }
    match state(folder, settings.quiet, SystemTime::now()) {
        Ok(State::Finished) => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Some((Stands::Refused, error.to_string())),
        Ok(unfinished) => return Some((Stands::Unfinished, reason(unfinished))),
        Err(_) => return Some((Stands::Unfinished, "it is gone".to_owned())),
    }
    let chunks = match ChunkFolder::open(folder) {
        Ok(chunks) => chunks,
        Err(error) => return Some((Stands::Refused, error.to_string())),
    };
    if let Some(note) = settings.notes.refused(folder).filter(|note| note.stamp_hash == chunks.stamp_hash()) {
        return Some((Stands::Refused, note.reason));
    }
    let reason = match &node.asks {
        Err(reason) => reason.clone(),
        Ok(client) => under_way(client, name).await.unwrap_or_else(|error| error.to_string()),
    };
    Some((Stands::Waits, reason))
}

fn reason(state: State) -> String {
    match state {
        State::NotDone => format!("there is no {DONE} in it"),
        State::Empty => "there is no chunk in it yet".to_owned(),
        State::ChangedBefore(secs) => format!("it changed {secs} s ago"),
        State::FromTheFuture => {
            format!("by the clock it changed in time to come; a file {DONE} says that it is finished")
        }
        State::Finished => String::new(),
    }
}

/// What the node knows of a recording whose name is its session.
async fn under_way(client: &Client, name: &OsStr) -> Result<String, ClientError> {
    let known = match named_session(name) {
        Some(id) => client.anchoring(id, None).await?,
        None => None,
    };
    Ok(match known {
        Some(job) => format!("the node has it; it is {}", job.status.as_str()),
        None => "it is finished, and will be anchored when its turn comes".to_owned(),
    })
}
