//! What others tell the thread that drives consensus. What does not fit is refused, and whoever told it goes on.
//!
//! Who comes and who goes is never refused: it lies beside the queue, by peer, as what is the case now. A peer that came
//! while the queue was full would never hear where this node's chain ends, for nobody says it a second time.

use crate::{
    consensus::bft::Message,
    network::{MessageId, PeerId, RequestId},
    node::sync::CertifiedBlock,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};
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

/// What lies in the queue.
#[derive(Debug)]
enum Queued {
    Told(Told),
    /// Peers came or went: the thread is to look.
    PeersChanged,
}

/// Who came and who went since the thread looked. There are never more entries than peers that are connected and peers that
/// the thread takes for connected, however often they come and go.
#[derive(Debug, Default)]
struct PeerChanges {
    /// Whether a peer is there now.
    waiting: BTreeMap<PeerId, bool>,
    /// Whom the thread takes for connected.
    told: BTreeSet<PeerId>,
    /// Whether the queue has a [`Queued::PeersChanged`]: more than one would only take places.
    is_queued: bool,
}

impl PeerChanges {
    fn note(&mut self, peer: PeerId, is_there: bool) {
        // One that came and went unseen is no news.
        if is_there || self.told.contains(&peer) {
            self.waiting.insert(peer, is_there);
        } else {
            self.waiting.remove(&peer);
        }
    }

    fn take(&mut self) -> Option<Told> {
        let (peer, is_there) = self.waiting.pop_first()?;
        Some(if is_there {
            self.told.insert(peer);
            Told::Connected(peer)
        } else {
            self.told.remove(&peer);
            Told::Disconnected(peer)
        })
    }
}

/// Where to tell it.
#[derive(Debug, Clone)]
pub(in crate::node) struct Inbox {
    queue: SyncSender<Queued>,
    peers: Arc<Mutex<PeerChanges>>,
}

impl Inbox {
    /// Says whether there was room, or anybody to listen. For who comes and who goes there always is.
    pub(in crate::node) fn tell(&self, told: Told) -> bool {
        match told {
            Told::Connected(peer) => self.note_peer(peer, true),
            Told::Disconnected(peer) => self.note_peer(peer, false),
            told => self.queue.try_send(Queued::Told(told)).is_ok(),
        }
    }

    fn note_peer(&self, peer: PeerId, is_there: bool) -> bool {
        let mut peers = lock(&self.peers);
        peers.note(peer, is_there);
        // Where the queue is full the thread looks before it takes the next from it.
        peers.is_queued = peers.is_queued || self.queue.try_send(Queued::PeersChanged).is_ok();
        true
    }

    /// Tells it whatever else waits; for what must not be lost.
    pub(in crate::node) fn tell_surely(&self, told: Told) {
        // Without a listener nobody needs it any more.
        let _ = self.queue.send(Queued::Told(told));
    }
}

/// What comes out of an inbox.
#[derive(Debug)]
pub(in crate::node) struct Outbox {
    queue: Receiver<Queued>,
    peers: Arc<Mutex<PeerChanges>>,
}

impl Outbox {
    /// The next that was told, who came and who went before all else.
    ///
    /// # Errors
    /// Nothing was told within `wait`, or nobody is left to tell anything.
    pub(super) fn next(&self, wait: Duration) -> Result<Told, RecvTimeoutError> {
        let until = Instant::now() + wait;
        loop {
            if let Some(change) = lock(&self.peers).take() {
                return Ok(change);
            }
            match self.queue.recv_timeout(until.saturating_duration_since(Instant::now()))? {
                Queued::Told(told) => return Ok(told),
                Queued::PeersChanged => lock(&self.peers).is_queued = false,
            }
        }
    }

    /// Waits and lets go of what comes meanwhile, of which peers say again what matters. Who came and who went is kept.
    /// Whether the node goes on.
    pub(super) fn pass_over(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            match self.queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Queued::Told(Told::Stop)) | Err(RecvTimeoutError::Disconnected) => return false,
                Ok(Queued::PeersChanged) => lock(&self.peers).is_queued = false,
                Ok(Queued::Told(_)) => {}
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
    }
}

fn lock(peers: &Mutex<PeerChanges>) -> MutexGuard<'_, PeerChanges> {
    peers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An inbox and what comes out of it.
pub(in crate::node) fn inbox() -> (Inbox, Outbox) {
    let ((sender, receiver), peers) = (sync_channel(MAX_WAITING), Arc::<Mutex<PeerChanges>>::default());
    (Inbox { queue: sender, peers: Arc::clone(&peers) }, Outbox { queue: receiver, peers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;

    const NO_TIME: Duration = Duration::ZERO;

    fn peer(seed: u8) -> PeerId {
        Network::id_of(&[seed; 32]).unwrap()
    }

    fn is_connected(told: &Told, of: PeerId) -> bool {
        matches!(told, Told::Connected(peer) if *peer == of)
    }

    fn is_disconnected(told: &Told, of: PeerId) -> bool {
        matches!(told, Told::Disconnected(peer) if *peer == of)
    }

    fn fill(inbox: &Inbox) {
        while inbox.tell(Told::Waiting) {}
    }

    /// The thread runs a block while votes come in, and a peer comes in the midst of them.
    #[test]
    fn who_comes_and_goes_while_the_queue_is_full_is_told_all_the_same() {
        let (inbox, outbox) = inbox();
        assert!(inbox.tell(Told::Connected(peer(1))));
        assert!(is_connected(&outbox.next(NO_TIME).unwrap(), peer(1)));
        fill(&inbox);
        inbox.tell(Told::Disconnected(peer(1)));
        inbox.tell(Told::Connected(peer(2)));
        let told = [outbox.next(NO_TIME).unwrap(), outbox.next(NO_TIME).unwrap()];
        assert!(told.iter().any(|told| is_disconnected(told, peer(1))), "{told:?}");
        assert!(told.iter().any(|told| is_connected(told, peer(2))), "{told:?}");
        assert!(matches!(outbox.next(NO_TIME), Ok(Told::Waiting)), "what was queued is still there");
    }

    #[test]
    fn of_a_peer_that_comes_and_goes_the_last_is_told_and_nothing_piles_up() {
        let (inbox, outbox) = inbox();
        inbox.tell(Told::Connected(peer(1)));
        outbox.next(NO_TIME).unwrap();
        let flaps = |seed| {
            inbox.tell(Told::Connected(peer(seed)));
            inbox.tell(Told::Disconnected(peer(seed)));
        };
        (2..200).for_each(flaps);
        let free = (0..MAX_WAITING).filter(|_| inbox.tell(Told::Waiting)).count();
        assert_eq!(free, MAX_WAITING - 1, "they take one place of the queue");
        (2..200).for_each(flaps);
        assert!(lock(&inbox.peers).waiting.is_empty(), "nobody needs to hear of those");
        for _ in 0..100 {
            inbox.tell(Told::Disconnected(peer(1)));
            inbox.tell(Told::Connected(peer(1)));
        }
        assert_eq!(lock(&inbox.peers).waiting.len(), 1);
        // It came anew, so it is to hear again where this node's chain ends.
        assert!(is_connected(&outbox.next(NO_TIME).unwrap(), peer(1)));
        assert!(matches!(outbox.next(NO_TIME), Ok(Told::Waiting)));
    }

    #[test]
    fn a_thread_that_waits_is_woken_by_who_comes() {
        let (inbox, outbox) = inbox();
        let teller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            inbox.tell(Told::Connected(peer(1)));
            inbox
        });
        let told = outbox.next(Duration::from_secs(60)).unwrap();
        assert!(is_connected(&told, peer(1)), "{told:?}");
        drop(teller.join().unwrap());
        assert!(matches!(outbox.next(Duration::from_secs(60)), Err(RecvTimeoutError::Disconnected)));
    }

    #[test]
    fn while_there_is_no_room_to_write_who_comes_is_kept_and_a_stop_is_heard() {
        let (inbox, outbox) = inbox();
        fill(&inbox);
        inbox.tell(Told::Connected(peer(1)));
        assert!(outbox.pass_over(Duration::from_millis(20)));
        assert!(inbox.tell(Told::Stop), "what was queued is gone");
        assert!(!outbox.pass_over(Duration::from_secs(60)));
        assert!(is_connected(&outbox.next(NO_TIME).unwrap(), peer(1)));
    }
}
