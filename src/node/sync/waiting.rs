//! Transactions that waited while nodes did not hear each other. Gossip says each once, to whoever is there: two nodes that
//! meet ask each other what waits, and what waits on after that is said again.

use super::wire::{Question, decode_waiting};
use crate::{
    mempool::SubmitError,
    network::{NetworkHandle, Offence, PeerId, Topic, limits::GOSSIP_MEMORY_MS},
    node::{error::NodeError, state::Node},
};
use lucid_types::TransactionRefusal;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::spawn_blocking};
use tracing::debug;

/// How long no block may come while something waits before it is said again: gossip takes the same in again by then.
const REPEAT_INTERVAL: Duration = Duration::from_millis(GOSSIP_MEMORY_MS + 10_000);

/// How often a peer is asked what waits, and how much longer is waited each time before.
const ATTEMPTS: u32 = 4;
const ATTEMPT_PAUSE: Duration = Duration::from_secs(2);

/// Bytes that are said again at most.
const REPEATED_BYTES: usize = 64 << 10;

/// Asks a peer that has just come what waits with it, and takes that into the pool.
///
/// # Errors
/// The state cannot be read.
pub(in crate::node) async fn ask_what_waits(
    node: Arc<Node>,
    network: NetworkHandle,
    peer: PeerId,
) -> Result<(), NodeError> {
    let Some(answer) = ask(&network, peer).await else { return Ok(()) };
    let Some(raws) = decode_waiting(&answer) else {
        let _ = network.offence(peer, Offence::BadResponse);
        return Ok(());
    };
    let taken = spawn_blocking(move || -> Result<bool, NodeError> {
        for raw in raws {
            match node.submit(&raw) {
                Err(SubmitError::State(error)) => return Err(error.into()),
                Err(SubmitError::Refused(
                    TransactionRefusal::InvalidSender | TransactionRefusal::WrongChain { .. },
                )) => {
                    return Ok(false);
                }
                // Known, overtaken, or not for this pool.
                Ok(_) | Err(SubmitError::Refused(_)) => {}
            }
        }
        Ok(true)
    });
    if !taken.await.map_err(|error| NodeError::Task(error.to_string()))?? {
        debug!(%peer, "transactions that no pool takes");
        let _ = network.offence(peer, Offence::BadResponse);
    }
    Ok(())
}

/// Asks until there is an answer, or it is no use: a peer that is busy refuses, and one that is gone is asked again when it
/// comes.
async fn ask(network: &NetworkHandle, peer: PeerId) -> Option<Vec<u8>> {
    for attempt in 0..ATTEMPTS {
        tokio::time::sleep(ATTEMPT_PAUSE * attempt).await;
        if let Ok(answer) = network.request(peer, Question::Waiting.encode()).await {
            return Some(answer);
        }
    }
    None
}

/// Says what waits again where it has not come into a block for a while, until the node stops.
///
/// # Errors
/// None.
pub(in crate::node) async fn repeat_what_waits(
    node: Arc<Node>,
    network: NetworkHandle,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let mut head = node.head().header.number;
    loop {
        tokio::select! {
            () = tokio::time::sleep(REPEAT_INTERVAL) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        if std::mem::replace(&mut head, node.head().header.number) == head && node.has_ready() {
            for raw in node.raw_waiting(REPEATED_BYTES) {
                let _ = network.publish(Topic::Transactions, raw.into());
            }
        }
    }
}
