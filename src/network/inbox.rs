//! What has come in and waits for the node: bounded by topic and by peer, so that no topic and no peer can crowd out
//! another. What does not fit is gone and never waits elsewhere.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use libp2p::futures::task::AtomicWaker;

use super::{
    address::PeerId,
    limits::{MAX_WAITING_EVENTS, PEER_SHARE},
    rows::PeerChange,
    topic::Topic,
};

/// A message's name: BLAKE3 of its topic and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 32]);

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A message that came by gossip. It is passed on to nobody until the node says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What to judge it by.
    pub id: MessageId,
    /// What it is about.
    pub topic: Topic,
    /// Who passed it on to this node, which need not be who made it.
    pub from: PeerId,
    /// Its bytes, as many as the topic allows.
    pub data: Vec<u8>,
}

/// Which request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// A peer asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What to answer it by.
    pub id: RequestId,
    /// Who asks.
    pub from: PeerId,
    /// What for.
    pub data: Vec<u8>,
}

/// What the network tells the node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// Gossip; [`NetworkHandle::report`](super::NetworkHandle::report) judges it.
    Message(Message),
    /// A question; [`NetworkHandle::respond`](super::NetworkHandle::respond) answers it.
    Request(Request),
    /// A peer of this chain is there.
    Connected {
        /// Who.
        peer: PeerId,
    },
    /// A peer of this chain is gone.
    Disconnected {
        /// Who.
        peer: PeerId,
    },
    /// What is remembered of peers has changed and is to be written.
    Rows(Vec<PeerChange>),
    /// The node can be reached here.
    Listening {
        /// A multiaddress with this node's name.
        address: String,
    },
}

/// Messages of one topic that wait.
struct Queue {
    topic: Topic,
    messages: VecDeque<Message>,
    bytes: usize,
    /// Messages and bytes of each peer among them.
    shares: BTreeMap<PeerId, (usize, usize)>,
}

impl Queue {
    fn new(topic: Topic) -> Self {
        Self { topic, messages: VecDeque::new(), bytes: 0, shares: BTreeMap::new() }
    }

    /// Whether there was a place for it.
    fn push(&mut self, message: Message) -> bool {
        let limits = self.topic.limits();
        let bytes = message.data.len();
        let (count, share) = self.shares.get(&message.from).copied().unwrap_or_default();
        let has_room = self.messages.len() < limits.waiting
            && self.bytes + bytes <= limits.waiting_bytes
            && count < limits.waiting / PEER_SHARE
            && share + bytes <= limits.waiting_bytes / PEER_SHARE;
        if !has_room {
            return false;
        }
        self.shares.insert(message.from, (count + 1, share + bytes));
        self.bytes += bytes;
        self.messages.push_back(message);
        true
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        let bytes = message.data.len();
        self.bytes -= bytes;
        if let Some((count, share)) = self.shares.get_mut(&message.from) {
            (*count, *share) = (*count - 1, *share - bytes);
            if *count == 0 {
                self.shares.remove(&message.from);
            }
        }
        Some(message)
    }
}

struct Waiting {
    queues: [Queue; 4],
    /// Bounded by those who put them here: each has an open channel, of which there are so many at most.
    requests: VecDeque<Request>,
    events: VecDeque<NetworkEvent>,
    /// Whose turn it is.
    turn: usize,
    closed: bool,
}

impl Waiting {
    /// The next in turn: who came and went first, then topics and requests by turns, so that none waits for another to be
    /// empty.
    fn pop(&mut self) -> Option<NetworkEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let places = self.queues.len() + 1;
        for step in 1..=places {
            let place = (self.turn + step) % places;
            let next = match self.queues.get_mut(place) {
                Some(queue) => queue.pop().map(NetworkEvent::Message),
                None => self.requests.pop_front().map(NetworkEvent::Request),
            };
            if next.is_some() {
                self.turn = place;
                return next;
            }
        }
        None
    }
}

/// The end that the network fills.
pub(super) struct Inbox(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    node: AtomicWaker,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that the node empties: what the network tells it, in turn.
pub struct NetworkEvents(Arc<Shared>);

/// Both ends.
pub(super) fn inbox() -> (Inbox, NetworkEvents) {
    let waiting = Waiting {
        queues: Topic::ALL.map(Queue::new),
        requests: VecDeque::new(),
        events: VecDeque::new(),
        turn: 0,
        closed: false,
    };
    let shared = Arc::new(Shared { waiting: Mutex::new(waiting), node: AtomicWaker::new() });
    (Inbox(shared.clone()), NetworkEvents(shared))
}

impl Inbox {
    /// Leaves a message for the node, if there is a place for it; whether there was.
    pub(super) fn message(&self, message: Message) -> bool {
        self.put(|waiting| waiting.queues[message.topic.index()].push(message))
    }

    /// Leaves a request for the node.
    pub(super) fn request(&self, request: Request) {
        self.put(|waiting| waiting.requests.push_back(request));
    }

    /// Leaves anything else; where the node has not looked for long, the oldest is lost, and with it that a peer came or went.
    pub(super) fn event(&self, event: NetworkEvent) {
        self.put(|waiting| {
            if waiting.events.len() == MAX_WAITING_EVENTS {
                waiting.events.pop_front();
            }
            waiting.events.push_back(event);
        });
    }

    fn put<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        let result = change(&mut self.0.lock());
        self.0.node.wake();
        result
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.put(|waiting| waiting.closed = true);
    }
}

impl NetworkEvents {
    /// The next event, or `None` once the network has stopped and nothing waits. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<NetworkEvent> {
        poll_fn(|cx| {
            self.0.node.register(cx.waker());
            let mut waiting = self.0.lock();
            match waiting.pop() {
                None if !waiting.closed => Poll::Pending,
                next => Poll::Ready(next),
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::FutureExt;

    use super::*;

    fn message(topic: Topic, from: PeerId, bytes: usize) -> Message {
        Message { id: MessageId([0; 32]), topic, from, data: vec![0; bytes] }
    }

    fn peer() -> PeerId {
        PeerId(libp2p::PeerId::random())
    }

    fn next(events: &mut NetworkEvents) -> Option<NetworkEvent> {
        events.next().now_or_never().flatten()
    }

    #[test]
    fn one_peer_cannot_take_the_places_of_others() {
        for topic in Topic::ALL {
            let (inbox, _events) = inbox();
            let (flood, quiet) = (peer(), peer());
            let taken = (0..10_000).filter(|_| inbox.message(message(topic, flood, 1))).count();
            assert_eq!(taken, topic.limits().waiting / PEER_SHARE, "{topic:?}");
            assert!(inbox.message(message(topic, quiet, 1)));
        }
    }

    #[test]
    fn messages_of_all_peers_together_are_bounded_by_number_and_by_bytes() {
        for topic in Topic::ALL {
            for bytes in [1, topic.max_bytes()] {
                let (inbox, _events) = inbox();
                let taken = (0..10_000).filter(|_| inbox.message(message(topic, peer(), bytes))).count();
                assert_eq!(
                    taken,
                    topic.limits().waiting.min(topic.limits().waiting_bytes / bytes),
                    "{topic:?} {bytes}"
                );
            }
        }
    }

    #[test]
    fn what_the_node_takes_leaves_its_place_to_others() {
        let (inbox, mut events) = inbox();
        let from = peer();
        for _ in 0..100_000 {
            assert!(inbox.message(message(Topic::Bodies, from, Topic::Bodies.max_bytes())));
            assert!(next(&mut events).is_some());
        }
        assert!(inbox.0.lock().queues.iter().all(|queue| queue.bytes == 0 && queue.shares.is_empty()));
    }

    #[test]
    fn a_full_topic_does_not_hold_up_another() {
        let (inbox, mut events) = inbox();
        while inbox.message(message(Topic::Transactions, peer(), 1)) {}
        assert!(inbox.message(message(Topic::Votes, peer(), 1)));
        inbox.request(Request { id: RequestId(1), from: peer(), data: Vec::new() });
        let first: Vec<NetworkEvent> = (0..3).filter_map(|_| next(&mut events)).collect();
        assert!(first.iter().any(|event| matches!(event, NetworkEvent::Message(m) if m.topic == Topic::Votes)));
        assert!(first.iter().any(|event| matches!(event, NetworkEvent::Request(_))));
    }

    #[test]
    fn a_node_that_does_not_look_loses_old_events_and_no_memory() {
        let (inbox, mut events) = inbox();
        for n in 0..10 * MAX_WAITING_EVENTS {
            inbox.event(NetworkEvent::Listening { address: n.to_string() });
        }
        assert_eq!(inbox.0.lock().events.len(), MAX_WAITING_EVENTS);
        let newest = std::iter::from_fn(|| next(&mut events)).last();
        assert_eq!(newest, Some(NetworkEvent::Listening { address: (10 * MAX_WAITING_EVENTS - 1).to_string() }));
    }

    #[test]
    fn the_end_comes_after_what_waits() {
        let (inbox, mut events) = inbox();
        inbox.event(NetworkEvent::Connected { peer: peer() });
        drop(inbox);
        assert!(events.next().now_or_never().unwrap().is_some());
        assert_eq!(events.next().now_or_never().unwrap(), None);
    }
}
