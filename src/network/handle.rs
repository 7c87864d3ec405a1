//! How the node asks the network for something. A handle is cheap to clone, and no call waits for the network.

use std::{sync::Arc, time::Duration};

use async_channel::{Receiver, Sender, TrySendError};
use libp2p::futures::channel::oneshot;

use super::{
    address::{PeerAddress, PeerId},
    counts::{Counted, NetworkCounts},
    error::{Refused, RequestError},
    inbox::{MessageId, RequestId},
    limits::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, MAX_WAITING_COMMANDS},
    offence::Offence,
    rows::PeerChange,
    table::Head,
    topic::Topic,
};

/// What the node thinks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is worth passing on.
    Accept,
    /// It is not, and nobody is to blame: it is late, or cannot be judged yet.
    Ignore,
    /// It breaks a rule that its sender could have checked.
    Reject,
}

/// A connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its name.
    pub id: PeerId,
    /// Where it is connected from, or was dialled at.
    pub address: String,
    /// Whether this node dialled it.
    pub is_outbound: bool,
    /// Whether the operator named it.
    pub is_static: bool,
    /// What its program calls itself; empty until it has said that it is on this chain.
    pub agent: String,
    /// Whether it listens to all topics of this chain.
    pub is_listening: bool,
    /// Zero, or below it for what it did wrong.
    pub score: i64,
    /// Since when, in Unix seconds.
    pub connected_since: u64,
    /// Bytes that came from it, counted at the socket.
    pub received_bytes: u64,
    /// Bytes that it was sent, counted at the socket.
    pub sent_bytes: u64,
    /// Height and hash of its last block, as it told.
    pub head: Option<(u64, [u8; 32])>,
}

/// A peer that is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanInfo {
    /// Who.
    pub id: PeerId,
    /// Until when, in Unix seconds.
    pub until: u64,
    /// Why.
    pub reason: String,
}

/// The network at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSnapshot {
    /// Where this node listens.
    pub listening: Vec<String>,
    /// Who is connected.
    pub peers: Vec<PeerInfo>,
    /// Who is kept out.
    pub bans: Vec<BanInfo>,
    /// How many peers are known, these included.
    pub known: usize,
}

/// What a handle asks for.
pub(super) enum Command {
    Publish(Topic, Vec<u8>),
    Report(MessageId, Verdict),
    Offence(PeerId, Offence),
    Request(PeerId, Vec<u8>, oneshot::Sender<Result<Vec<u8>, RequestError>>),
    Respond(RequestId, Option<Vec<u8>>),
    AddPeer(PeerAddress),
    RemovePeer(PeerId),
    Ban(PeerId, u64, String),
    Pardon(PeerId),
    ToldHead(PeerId, Head),
    Snapshot(oneshot::Sender<NetworkSnapshot>),
    Stop(oneshot::Sender<Vec<PeerChange>>),
}

/// Asks the network for things.
#[derive(Debug, Clone)]
pub struct NetworkHandle {
    id: PeerId,
    commands: Sender<Command>,
    counted: Arc<Counted>,
}

pub(super) fn handle(id: PeerId, counted: Arc<Counted>) -> (NetworkHandle, Receiver<Command>) {
    let (commands, taken) = async_channel::bounded(MAX_WAITING_COMMANDS);
    (NetworkHandle { id, commands, counted }, taken)
}

impl NetworkHandle {
    /// The name of this node.
    pub fn local_id(&self) -> PeerId {
        self.id
    }

    /// How many peers are connected and kept out, answered from memory.
    pub fn counts(&self) -> NetworkCounts {
        self.counted.counts()
    }

    /// Sends a message to all who listen. Nothing is sent again to who comes later: they ask for what they missed.
    ///
    /// # Errors
    /// [`Refused`]; where nobody is connected it is lost without an error.
    pub fn publish(&self, topic: Topic, data: Vec<u8>) -> Result<(), Refused> {
        check_size(data.len(), topic.max_bytes())?;
        self.ask(Command::Publish(topic, data))
    }

    /// Judges a message: accepted it is passed on, rejected it costs who sent it. What is not judged within
    /// [`VALIDATION_TIMEOUT_MS`](super::limits::VALIDATION_TIMEOUT_MS) is ignored.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn report(&self, message: MessageId, verdict: Verdict) -> Result<(), Refused> {
        self.ask(Command::Report(message, verdict))
    }

    /// Charges a peer for something that the node has found out about it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn offence(&self, peer: PeerId, offence: Offence) -> Result<(), Refused> {
        self.ask(Command::Offence(peer, offence))
    }

    /// Asks a peer for something and waits for its response, which has up to
    /// [`MAX_RESPONSE_BYTES`] bytes and comes within [`REQUEST_TIMEOUT_MS`](super::limits::REQUEST_TIMEOUT_MS) or not at all.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn request(&self, peer: PeerId, data: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        check_size(data.len(), MAX_REQUEST_BYTES)?;
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Request(peer, data, answer))?;
        answered.await.unwrap_or(Err(RequestError::Refused(Refused::Stopped)))
    }

    /// Answers a request, or refuses it with `None`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn respond(&self, request: RequestId, data: Option<Vec<u8>>) -> Result<(), Refused> {
        check_size(data.as_ref().map_or(0, Vec::len), MAX_RESPONSE_BYTES)?;
        self.ask(Command::Respond(request, data))
    }

    /// Knows a peer from now on, as one that was in the configuration.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn add_peer(&self, address: PeerAddress) -> Result<(), Refused> {
        self.ask(Command::AddPeer(address))
    }

    /// Hangs up on a peer and dials it no more; it may dial this node.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn remove_peer(&self, peer: PeerId) -> Result<(), Refused> {
        self.ask(Command::RemovePeer(peer))
    }

    /// Keeps a peer out for a time, at most [`MAX_BAN_MS`](super::limits::MAX_BAN_MS), and less where it is static.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn ban(&self, peer: PeerId, time: Duration, reason: String) -> Result<(), Refused> {
        self.ask(Command::Ban(peer, u64::try_from(time.as_millis()).unwrap_or(u64::MAX), reason))
    }

    /// Lets a peer in again and forgets what it did.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn pardon(&self, peer: PeerId) -> Result<(), Refused> {
        self.ask(Command::Pardon(peer))
    }

    /// Notes where a peer's chain ends, as it told in a response.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn told_head(&self, peer: PeerId, height: u64, hash: [u8; 32]) -> Result<(), Refused> {
        self.ask(Command::ToldHead(peer, (height, hash)))
    }

    /// Who is connected, and who is kept out.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn snapshot(&self) -> Result<NetworkSnapshot, Refused> {
        let (answer, answered) = oneshot::channel();
        self.ask(Command::Snapshot(answer))?;
        answered.await.map_err(|_| Refused::Stopped)
    }

    /// Stops the network; what is to be remembered of peers comes back and is to be written.
    ///
    /// # Errors
    /// [`Refused::Stopped`] where it has stopped already. This one waits for its turn.
    pub async fn stop(&self) -> Result<Vec<PeerChange>, Refused> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Stop(answer)).await.map_err(|_| Refused::Stopped)?;
        answered.await.map_err(|_| Refused::Stopped)
    }

    fn ask(&self, command: Command) -> Result<(), Refused> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Closed(_) => Refused::Stopped,
        })
    }
}

fn check_size(bytes: usize, most: usize) -> Result<(), Refused> {
    if bytes > most { Err(Refused::TooLarge { bytes, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_handle() -> (NetworkHandle, Receiver<Command>) {
        handle(PeerId(libp2p::PeerId::random()), Arc::default())
    }

    #[test]
    fn a_network_that_takes_nothing_up_is_busy_and_holds_a_bounded_number_of_wishes() {
        let (handle, _taken) = some_handle();
        let id = MessageId([0; 32]);
        let asked = (0..10_000).filter(|_| handle.clone().report(id, Verdict::Accept).is_ok()).count();
        assert_eq!(asked, MAX_WAITING_COMMANDS);
        assert_eq!(handle.report(id, Verdict::Accept), Err(Refused::Busy));
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_sent() {
        let (handle, _taken) = some_handle();
        for topic in Topic::ALL {
            assert!(handle.publish(topic, vec![0; topic.max_bytes()]).is_ok());
            let (bytes, most) = (topic.max_bytes() + 1, topic.max_bytes());
            assert_eq!(handle.publish(topic, vec![0; bytes]), Err(Refused::TooLarge { bytes, most }));
        }
        let response = Some(vec![0; MAX_RESPONSE_BYTES + 1]);
        assert!(matches!(handle.respond(RequestId(0), response), Err(Refused::TooLarge { .. })));
    }

    #[test]
    fn a_network_that_has_stopped_says_so() {
        let (handle, taken) = some_handle();
        drop(taken);
        assert_eq!(handle.publish(Topic::Votes, Vec::new()), Err(Refused::Stopped));
    }
}
