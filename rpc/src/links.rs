//! The open connections, and which of them has to go when there is no place for a new one.

use crate::limits::{
    LARGE_REQUEST_TURN_MS, MAX_CONNECTIONS, MAX_LARGE_REQUESTS, MAX_UNREAD_ANSWER_BYTES, MAX_WEBSOCKETS,
};
use std::{
    collections::BTreeMap,
    net::Shutdown,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// What of the node's memory is for requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShare {
    /// Bytes of answers that clients have not read, over all connections; at most [`MAX_UNREAD_ANSWER_BYTES`].
    pub unread_answer_bytes: usize,
    /// Large requests that are taken in at once, over all connections; at most [`MAX_LARGE_REQUESTS`].
    pub large_requests: usize,
}

impl Default for MemoryShare {
    fn default() -> Self {
        Self { unread_answer_bytes: MAX_UNREAD_ANSWER_BYTES, large_requests: MAX_LARGE_REQUESTS }
    }
}

/// The connections that are open, at most [`MAX_CONNECTIONS`].
#[derive(Debug)]
pub(crate) struct Links {
    open: Mutex<BTreeMap<u64, Arc<Link>>>,
    places: Arc<Semaphore>,
    large: Arc<Semaphore>,
    unread_answer_bytes: usize,
    /// Bytes of the answers of batches of which others are still to come.
    gathered_bytes: AtomicUsize,
}

/// Bytes that a batch has gathered; they are let go of with it.
pub(crate) struct Gathered<'a> {
    links: &'a Links,
    bytes: usize,
}

impl Gathered<'_> {
    /// Takes so many more, if there is room for them beside what all others have gathered. One batch alone has room.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let all = self.links.gathered_bytes.fetch_add(bytes, Relaxed) + bytes;
        self.bytes += bytes;
        all <= self.links.unread_answer_bytes || all == self.bytes
    }
}

impl Drop for Gathered<'_> {
    fn drop(&mut self) {
        self.links.gathered_bytes.fetch_sub(self.bytes, Relaxed);
    }
}

impl Links {
    pub(crate) fn new(memory: MemoryShare) -> Self {
        Self {
            open: Mutex::default(),
            places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            large: Arc::new(Semaphore::new(memory.large_requests.clamp(1, MAX_LARGE_REQUESTS))),
            unread_answer_bytes: memory.unread_answer_bytes.min(MAX_UNREAD_ANSWER_BYTES),
            gathered_bytes: AtomicUsize::new(0),
        }
    }

    /// Begins to gather the answers of a batch. All that are gathered at once have as much room as answers that are not read.
    pub(crate) fn gather(&self) -> Gathered<'_> {
        Gathered { links: self, bytes: 0 }
    }

    /// The places, of which each connection holds one.
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.places
    }

    /// Waits for the turn of a large request that is coming in on a connection. Whenever that takes too long, the one
    /// that has been coming in longest is given up for it.
    pub(crate) async fn large_turn(&self, link: &Arc<Link>) -> Large {
        let turn = Arc::clone(&self.large).acquire_owned();
        tokio::pin!(turn);
        loop {
            if let Ok(turn) = timeout(Duration::from_millis(LARGE_REQUEST_TURN_MS), &mut turn).await {
                link.state().coming = Some(Instant::now());
                // The turns are never closed.
                return Large { link: Arc::clone(link), _turn: turn.ok() };
            }
            self.close_first(|state| state.coming);
        }
    }

    /// Connections that are open.
    pub(crate) fn len(&self) -> usize {
        MAX_CONNECTIONS - self.places.available_permits()
    }

    /// Enters a connection. `socket` is a second handle of it.
    pub(crate) fn add(&self, socket: std::net::TcpStream) -> Arc<Link> {
        let mut open = self.open();
        let id = open.last_key_value().map_or(0, |(last, _)| last + 1);
        let link = Arc::new(Link::new(id, socket));
        open.insert(id, Arc::clone(&link));
        link
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&self, link: &Link) {
        self.open().remove(&link.id);
    }

    /// Closes the connection that has waited longest for its client, so that silent ones never keep others out. One
    /// that is being answered or has subscriptions stays. Whether there was one to close.
    pub(crate) fn make_room(&self) -> bool {
        self.close_first(|state| state.waits().then_some(state.since))
    }

    /// Notes an answer that has to be written to a connection, and makes those hang up who do not read theirs where
    /// there is too much of that.
    pub(crate) fn note_answer(&self, link: &Link, bytes: usize) {
        link.state().unread += bytes;
        let unread = || self.open().values().map(|link| link.state().unread).sum::<usize>();
        while unread() > self.unread_answer_bytes {
            if !self.close_first(|state| (state.unread > 0 && state.stalled).then_some(state.since)) {
                return;
            }
        }
    }

    /// Makes a connection a WebSocket. Where there are as many as may be, the one that has waited longest for its
    /// client goes for it; false where none can.
    pub(crate) fn upgrade(&self, link: &Link) -> bool {
        let is_one = |link: &&Arc<Link>| Some(link.state()).is_some_and(|state| state.websocket && !state.closed);
        let count = self.open().values().filter(is_one).count();
        if count >= MAX_WEBSOCKETS
            && !self.close_first(|state| (state.waits() && state.websocket).then_some(state.since))
        {
            return false;
        }
        link.state().websocket = true;
        true
    }

    /// Closes the connection for which `since` gives the earliest time; false where it gives none.
    fn close_first(&self, since: impl Fn(&State) -> Option<Instant>) -> bool {
        let open = self.open();
        let these = open.values().filter_map(|link| {
            let state = link.state();
            Some((since(&state).filter(|_| !state.closed)?, link))
        });
        let Some((since, link)) = these.min_by_key(|(since, _)| *since) else { return false };
        tracing::debug!(since_ms = since.elapsed().as_millis() as u64, "a connection is closed for the sake of others");
        link.close();
        true
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Link>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Link {
    id: u64,
    socket: std::net::TcpStream,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the client last completed a request or was answered.
    since: Instant,
    /// Messages that are being answered.
    running: usize,
    subscriptions: usize,
    websocket: bool,
    closed: bool,
    /// Bytes of answers that are not written yet.
    unread: usize,
    /// Whether the client does not take what is written to it.
    stalled: bool,
    /// Since when a large request is coming in that has its turn.
    coming: Option<Instant>,
}

impl Link {
    fn new(id: u64, socket: std::net::TcpStream) -> Self {
        let state = State {
            since: Instant::now(),
            running: 0,
            subscriptions: 0,
            websocket: false,
            closed: false,
            unread: 0,
            stalled: false,
            coming: None,
        };
        Self { id, socket, state: Mutex::new(state) }
    }

    /// Its number among the connections that are open.
    pub(crate) const fn id(&self) -> usize {
        self.id as usize
    }

    /// Ends the connection, whatever it is at: whoever reads sees its end, whoever writes an error.
    pub(crate) fn close(&self) {
        {
            let mut state = self.state();
            state.closed = true;
            state.unread = 0;
        }
        // One that has ended already cannot be shut down, and need not.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Counts a message that is being answered for as long as the answer is kept.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        self.state().running += 1;
        Running(Arc::clone(self))
    }

    /// Counts a subscription for as long as the answer is kept.
    pub(crate) fn subscribed(self: &Arc<Self>) -> Subscribed {
        self.state().subscriptions += 1;
        Subscribed(Arc::clone(self))
    }

    /// Notes that the client took something that was written to it.
    pub(crate) fn note_written(&self, bytes: usize) {
        let mut state = self.state();
        state.unread = state.unread.saturating_sub(bytes);
        state.stalled = false;
    }

    /// Notes that the client does not take what is written to it.
    pub(crate) fn note_stalled(&self) {
        self.state().stalled = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the connection waits for its client and owes it nothing.
    const fn waits(&self) -> bool {
        self.running == 0 && self.subscriptions == 0
    }
}

/// The turn of a large request, until it is answered.
#[derive(Debug)]
pub(crate) struct Large {
    link: Arc<Link>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Large {
    /// Notes that the request is there as a whole: it is not given up any more.
    pub(crate) fn has_come(&self) {
        self.link.state().coming = None;
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.has_come();
    }
}

/// A message that is being answered.
#[derive(Debug)]
pub(crate) struct Running(Arc<Link>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running -= 1;
        state.since = Instant::now();
    }
}

/// A subscription that is served.
#[derive(Debug)]
pub(crate) struct Subscribed(Arc<Link>);

impl Drop for Subscribed {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.subscriptions -= 1;
        state.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_share_one_bound_and_a_single_one_has_room() {
        let links = Links::new(MemoryShare { unread_answer_bytes: 100, ..MemoryShare::default() });
        let mut one = links.gather();
        assert!(one.take(70) && one.take(60), "nobody else has anything");
        let mut other = links.gather();
        assert!(!other.take(1));
        drop(one);
        assert!(other.take(50));
        let mut third = links.gather();
        assert!(third.take(49) && !third.take(1));
        drop((other, third));
        assert_eq!(links.gathered_bytes.load(Relaxed), 0);
    }
}
