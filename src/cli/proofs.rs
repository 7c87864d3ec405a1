use super::{
    session::{NodeArgs, with_hint},
    time::unix_now,
};
use crate::{
    consensus::poot::TaskProof,
    keys::{CONSENSUS_KEY_FILE, read_key_file},
    node::DataDir,
};
use alloy_primitives::{Bytes, hex};
use lucid_rpc::{SlotDocument, TaskProofAcceptedDocument};
use lucid_storage::TaskValue;
use std::path::PathBuf;

/// Task proofs: what a node did in a slot, signed with its consensus key.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Sign a proof of work and hand it to a node, which brings it to the chain.
    Submit {
        /// The folder whose consensus key signs.
        #[arg(long, value_name = "DIR")]
        datadir: PathBuf,
        #[command(flatten)]
        client: NodeArgs,
        /// Slot of the work; the one of now without it. A proof counts for 60 slots.
        #[arg(long, value_name = "SLOT")]
        slot: Option<u64>,
        #[command(subcommand)]
        work: Work,
        /// Print one line of JSON.
        #[arg(long, global = true)]
        json: bool,
    },
}

/// What was done.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
pub(super) enum Work {
    /// Traffic was relayed for sessions.
    Relay {
        /// Bytes relayed in the slot.
        #[arg(long, value_name = "N")]
        bytes: u64,
        /// Sessions relayed in the slot.
        #[arg(long, value_name = "N")]
        sessions: u32,
    },
    /// Chunks are kept.
    Storage {
        /// How many.
        #[arg(long, value_name = "N")]
        chunks: u64,
        /// Their bytes.
        #[arg(long, value_name = "N")]
        bytes: u64,
    },
    /// The node was up.
    Beacon {
        /// Seconds in the span of slots.
        #[arg(long, value_name = "N")]
        seconds: u64,
    },
}

impl From<Work> for TaskValue {
    fn from(work: Work) -> Self {
        match work {
            Work::Relay { bytes, sessions } => Self::Relay { bytes_transferred: bytes, sessions_relayed: sessions },
            Work::Storage { chunks, bytes } => Self::Storage { chunks_stored: chunks, size_bytes: bytes },
            Work::Beacon { seconds } => Self::Uptime { uptime_seconds: seconds },
        }
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Submit { datadir, client, slot, work, json } = command;
    let client = client.client()?;
    let key = read_key_file(&DataDir::at_existing(&datadir)?.keys().join(CONSENSUS_KEY_FILE))?;
    let info = client.chain_info().await.map_err(|error| with_hint(error.into()))?;
    let slot = match slot {
        Some(slot) => slot,
        None => client.request::<SlotDocument>("lucid_slot", ()).await?.slot,
    };
    let proof = TaskProof::sign(&key, info.genesis_hash, slot, work.into(), unix_now());
    let record = Bytes::from(proof.encode().to_vec());
    let taken: TaskProofAcceptedDocument = client.request("lucid_submitTaskProof", (&record,)).await?;
    if json {
        let taken = serde_json::to_value(&taken)?;
        println!("{}", serde_json::json!({ "proof": taken, "record": hex::encode_prefixed(&record) }));
    } else {
        println!("taken: {} of {} in slot {}", taken.kind, taken.node_id, taken.slot);
    }
    Ok(())
}
