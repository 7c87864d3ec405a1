use super::{
    config,
    exit_codes::{CONFIG, UNAVAILABLE, coded},
    time::utc,
};
use lucid_rpc::{CatchingUpDocument, ConsensusUseDocument, StatusDocument, StatusError, StoreUseDocument, read_status};
use std::path::PathBuf;

/// Where a node that came with a package listens.
pub(super) const INSTALLED_SOCKET: &str = "/run/lucid-node/lucid-node.sock";

/// Show how the running node is, on one screen. Ends with code 1 where it cannot do its work.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The node's status socket, if it is not the one that the package's service has.
    #[arg(long, value_name = "PATH", conflicts_with = "datadir")]
    socket: Option<PathBuf>,
    /// The node's folder, whose configuration names the socket.
    #[arg(long, value_name = "DIR")]
    datadir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    fn place(&self) -> anyhow::Result<PathBuf> {
        let Some(datadir) = &self.datadir else {
            return Ok(self.socket.clone().unwrap_or_else(|| PathBuf::from(INSTALLED_SOCKET)));
        };
        let config = config::load_for(datadir, None)?;
        config
            .status_socket()
            .map(PathBuf::from)
            .ok_or_else(|| coded(CONFIG, format!("the configuration of {} names no status.socket", datadir.display())))
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let status = read_status(&args.place()?).map_err(with_advice)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", screen(&status));
    }
    let unwell = status.stuck.as_deref().or(status.sealing_stop.as_deref()).or(without_others(&status));
    match unwell {
        Some(reason) if !args.json => anyhow::bail!("the node makes no blocks: {reason}"),
        Some(_) => Err(coded(super::exit_codes::FAILED, "the node makes no blocks")),
        None => Ok(()),
    }
}

/// What keeps a node among others from its work.
fn without_others(status: &StatusDocument) -> Option<&'static str> {
    let consensus = status.consensus.as_ref()?;
    if status.peers == 0 && consensus.needs_others() {
        Some("no peer is connected")
    } else {
        consensus.lacks_voters.then_some("too few validators vote")
    }
}

/// What to do about it, where that is known.
pub(super) fn with_advice(error: StatusError) -> anyhow::Error {
    match &error {
        StatusError::NotRunning(_) => {
            let advice = "is it started (`systemctl status lucid-node`), and is status.socket set? `sudo lucid-node why` says \
                          how it ended";
            coded(UNAVAILABLE, format!("{error}; {advice}"))
        }
        StatusError::NotAllowed(_) => {
            let advice = "run this with sudo, or join the group: `sudo usermod -aG lucid-node NAME` with your user's name, then \
                          log in again";
            coded(super::exit_codes::NO_PERMISSION, format!("{error}; {advice}"))
        }
        _ => error.into(),
    }
}

/// What is said of a chain whose last block is of a slot to come.
fn ahead_of_clock(ahead: u64, height: u64) -> String {
    let advice = match height {
        0 => "; if this clock is right, make the chain anew while nothing is in it (operate.md)",
        _ => "",
    };
    format!("AHEAD OF THE CLOCK: the slot of the last block begins in {}{advice}", span(ahead))
}

/// All of it for a person.
fn screen(status: &StatusDocument) -> String {
    let state = match (&status.stuck, &status.sealing_stop) {
        (Some(reason), _) => format!("STUCK: {reason}"),
        (None, Some(reason)) => format!("MAKES NO BLOCKS: {reason}"),
        (None, None) if without_others(status).is_some() => {
            format!("MAKES NO BLOCKS: {}", without_others(status).unwrap_or_default())
        }
        (None, None) => match status.head_ahead_secs {
            Some(ahead) => ahead_of_clock(ahead, status.head.number),
            None => "well".to_owned(),
        },
    };
    let pool = match (status.pool.pending, status.pool.queued) {
        (0, 0) => "none".to_owned(),
        (pending, 0) => format!("{pending} for the next blocks"),
        (pending, queued) => format!("{pending} for the next blocks, {queued} behind a missing nonce"),
    };
    let anchorings = match status.anchorings {
        0 => "none on the way".to_owned(),
        count => format!("{count} on the way"),
    };
    let store = &status.store;
    let free = store.disk_free_bytes.map(|free| format!(", {} free on its disk", size(free))).unwrap_or_default();
    let before = status.run_before.as_deref().map(|name| format!(", the run before: {}", name.replace('_', " ")));
    let calls: u64 = status.calls.values().map(|calls| calls.answered + calls.failed).sum();
    let lines = [
        ("State", state),
        ("Chain", format!("{}, genesis {}", status.chain_id, status.genesis_hash)),
        (
            "Last block",
            format!(
                "{}, of the slot that began at {}, {} ago",
                status.head.number,
                utc(status.head.timestamp),
                span(status.finality_age_secs)
            ),
        ),
        ("Consensus", consensus(status)),
        ("Waiting", pool),
        ("Anchorings", anchorings),
        ("Store", format!("{}{free}", store_size(store))),
        ("Written", written(store)),
        ("Memory", size(status.resident_bytes)),
        ("JSON-RPC", format!("http://{}, {calls} calls since the start", status.rpc_addr)),
        ("Running", format!("{}{}", span(status.uptime_secs), before.unwrap_or_default())),
        ("Version", format!("{}, process {}", status.version, status.pid)),
    ];
    let lines = lines
        .into_iter()
        .chain(status.catching_up.map(|noted| ("Catching up", catching_up(status.head.number, noted))));
    lines.map(|(name, value)| format!("{name:<11} {value}\n")).collect()
}

/// How far the node has come where it is far behind.
fn catching_up(number: u64, noted: CatchingUpDocument) -> String {
    let CatchingUpDocument { highest_block, blocks_per_sec, left_secs, .. } = noted;
    let percent = u128::from(number) * 100 / u128::from(highest_block.max(1));
    let rate = blocks_per_sec.zip(left_secs);
    let rate = rate.map(|(rate, left)| format!(", {rate} blocks a second, some {} left", span(left)));
    format!("block {number} of {highest_block} ({percent} %){}", rate.unwrap_or_default())
}

/// How the node takes part in consensus.
fn consensus(status: &StatusDocument) -> String {
    let Some(consensus) = &status.consensus else { return "this node decides alone".to_owned() };
    let ConsensusUseDocument { height, is_open, round, is_validator, may_sign, lacks_voters, banned_peers, .. } =
        *consensus;
    let mut text = if status.peers == 1 { "1 peer".to_owned() } else { format!("{} peers", status.peers) };
    if banned_peers > 0 {
        text += &format!(" and {banned_peers} kept out");
    }
    text += &match is_open {
        true => format!(", block {height} is in round {round}"),
        false => format!(", nobody votes on block {height} yet"),
    };
    if lacks_voters {
        text += "; TOO FEW VALIDATORS VOTE";
    }
    if !is_validator {
        text += "; this node follows";
    } else if !may_sign {
        text += "; this node may not sign yet";
    }
    text
}

/// How large the store is, and, where it is bounded, how much of that it takes.
fn store_size(store: &StoreUseDocument) -> String {
    let length = size(store.file_bytes);
    let (Some(taken), Some(max)) = (store.taken_bytes, store.max_bytes) else { return length };
    let nearly = if taken >= max / 10 * 9 { "NEARLY FULL: " } else { "" };
    format!("{length}, {nearly}takes {} of the {} that it may", size(taken), size(max))
}

/// What went to the file since the start, and what the last block took of it.
fn written(store: &StoreUseDocument) -> String {
    let total = format!("{} in {} syncs since the start", size(store.bytes_written), store.syncs);
    let last = store.writes_for.last_block;
    match last.commits {
        0 => total,
        _ => format!("{total}, {} in {} for the last block", size(last.bytes_written), last.syncs),
    }
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1024 => return format!("{bytes} B"),
        1024..1_048_576 => (1 << 10, "KiB"),
        1_048_576..1_073_741_824 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    // In tenths, without a float.
    let tenths = u128::from(bytes) * 10 / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// Seconds as people read them.
fn span(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7_200 => format!("{} min", secs / 60),
        7_200..172_800 => format!("{} h", secs / 3_600),
        _ => format!("{} days", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_far_behind_is_told_how_far_and_for_how_long() {
        let catching_up = |blocks_per_sec, left_secs| {
            let (starting_block, highest_block) = (0, 20_000);
            catching_up(5_000, CatchingUpDocument { starting_block, highest_block, blocks_per_sec, left_secs })
        };
        assert_eq!(catching_up(None, None), "block 5000 of 20000 (25 %)");
        assert_eq!(catching_up(Some(300), Some(50)), "block 5000 of 20000 (25 %), 300 blocks a second, some 50 s left");
    }

    #[test]
    fn a_chain_that_begins_in_the_future_is_not_well() {
        let said = ahead_of_clock(36_000, 0);
        assert!(said.contains("begins in 10 h") && said.contains("make the chain anew"), "{said}");
        assert!(!ahead_of_clock(36_000, 7).contains("anew"));
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!([0, 1023, 1024, 1536, 1 << 30].map(size), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 GiB"]);
        assert_eq!(size(u64::MAX), "17179869183.9 GiB");
        assert_eq!([0, 119, 120, 7_200, 172_800].map(span), ["0 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
