//! What others tell the thread that drives consensus. What does not fit is refused, and whoever told it goes on.

use crate::{
    consensus::bft::Message,
    network::{MessageId, PeerId, RequestId},
    node::sync::CertifiedBlock,
};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tokio::sync::oneshot;

/// What waits for the thread at most: the votes of some rounds of the largest chain, while it runs a block.
const MAX_WAITING: usize = 4_096;

/// Something that happened.
#[derive(Debug)]
pub(in crate::node) enum Told {
    /// A peer passed a message on; gossip is judged by its id.
    Message { from: PeerId, gossip: Option<MessageId>, message: Box<Message> },
    /// A peer asks for something and waits for the answer.
    Asked { from: PeerId, request: RequestId, message: Box<Message> },
    /// A peer is there.
    Connected(PeerId),
    /// A peer is gone.
    Disconnected(PeerId),
    /// Something waits that a block could take.
    Waiting,
    /// Final blocks in a row, and whom to tell the height that the node has then.
    Blocks(Vec<CertifiedBlock>, oneshot::Sender<u64>),
    /// No peer has more blocks of that kind.
    CaughtUp,
    /// The node stops.
    Stop,
}

/// Where to tell it.
#[derive(Debug, Clone)]
pub(in crate::node) struct Inbox(SyncSender<Told>);

impl Inbox {
    /// Says whether there was room, or anybody to listen.
    pub(in crate::node) fn tell(&self, told: Told) -> bool {
        self.0.try_send(told).is_ok()
    }

    /// Tells it whatever else waits; for what must not be lost.
    pub(in crate::node) fn tell_surely(&self, told: Told) {
        // Without a listener nobody needs it any more.
        let _ = self.0.send(told);
    }
}

/// An inbox and what comes out of it.
pub(in crate::node) fn inbox() -> (Inbox, Receiver<Told>) {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    (Inbox(sender), receiver)
}
