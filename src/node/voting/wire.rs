//! How messages leave: gossip to all, questions and answers to one. Nothing here waits for the network.

use super::inbox::{Inbox, Told};
use crate::{
    consensus::bft::{Fault, Message, WireError},
    network::{MessageId, NetworkHandle, Offence, PeerId, RequestId, Topic, Verdict},
    node::clock::unix_now,
};
use tokio::runtime::Handle;
use tracing::debug;

/// Bytes behind a message in gossip: the second in which it was said. Gossip takes the same bytes in once, and what is said
/// again is meant for who was not there the first time.
const SAID_AT_BYTES: usize = 4;

/// A message as gossip has it, said at a time in Unix seconds.
fn to_gossip(message: &Message, now: u64) -> Vec<u8> {
    let mut bytes = message.encode();
    // It only has to be another number than before.
    bytes.extend_from_slice(&(now as u32).to_be_bytes());
    bytes
}

/// The message in gossip.
pub(super) fn from_gossip(bytes: &[u8]) -> Result<Message, WireError> {
    let (message, _) = bytes.split_at(bytes.len().saturating_sub(SAID_AT_BYTES));
    Message::decode(message)
}

/// The network as consensus uses it.
#[derive(Debug, Clone)]
pub(in crate::node) struct Wire {
    network: NetworkHandle,
    runtime: Handle,
    inbox: Inbox,
}

impl Wire {
    pub(in crate::node) fn new(network: NetworkHandle, runtime: Handle, inbox: Inbox) -> Self {
        Self { network, runtime, inbox }
    }

    /// Tells all. What is lost on the way is said again while nothing moves.
    pub(super) fn publish(&self, message: &Message) {
        let topic = if matches!(message, Message::Body(_)) { Topic::Bodies } else { Topic::Votes };
        if let Err(refused) = self.network.publish(topic, to_gossip(message, unix_now())) {
            debug!(%refused, "a message of consensus was not sent");
        }
    }

    /// Asks one peer; what it answers comes in as a message of his.
    pub(super) fn ask(&self, peer: PeerId, message: &Message) {
        let (network, inbox, question) = (self.network.clone(), self.inbox.clone(), message.encode());
        self.runtime.spawn(async move {
            let Ok(answer): Result<Vec<u8>, _> = network.request(peer, question).await else { return };
            match Message::decode(&answer) {
                Ok(message) => {
                    inbox.tell(Told::Message { from: peer, gossip: None, message: Box::new(message) });
                }
                // It has nothing to say.
                Err(_) if answer.is_empty() => {}
                Err(error) => {
                    debug!(%peer, %error, "an answer that is none");
                    let _ = network.offence(peer, Offence::BadResponse);
                }
            }
        });
    }

    /// Answers a question; with nothing where there is no answer.
    pub(super) fn answer(&self, request: RequestId, message: Option<&Message>) {
        let _ = self.network.respond(request, Some(message.map(Message::encode).unwrap_or_default()));
    }

    /// Says of gossip whether it is worth passing on.
    pub(super) fn report(&self, id: MessageId, verdict: Verdict) {
        let _ = self.network.report(id, verdict);
    }

    /// Charges a peer.
    pub(super) fn charge(&self, peer: PeerId, fault: Fault) {
        let offence = match fault {
            Fault::NotAMember | Fault::BadSignature | Fault::WrongLeader => Offence::InvalidMessage,
            Fault::Malformed => Offence::Malformed,
            Fault::BadCertificate => Offence::Forgery,
            Fault::UnfitBody => Offence::InvalidMessage,
        };
        debug!(%peer, ?fault, "a peer did what an honest one does not");
        let _ = self.network.offence(peer, offence);
    }

    /// Notes how far a peer says that it is.
    pub(super) fn told_head(&self, peer: PeerId, height: u64, hash: [u8; 32]) {
        let _ = self.network.told_head(peer, height, hash);
    }
}
