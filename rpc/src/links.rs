//! The open connections, and which of them has to go when there is no place for a new one.

use crate::limits::{
    LARGE_REQUEST_BYTES, MAX_CALLS_PER_CONNECTION, MAX_CONNECTIONS, MAX_LARGE_REQUESTS, MAX_UNREAD_ANSWER_BYTES,
    MAX_WEBSOCKETS,
};
use std::{
    collections::BTreeMap,
    net::Shutdown,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Instant,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The connections that are open, at most [`MAX_CONNECTIONS`].
#[derive(Debug)]
pub(crate) struct Links {
    open: Mutex<BTreeMap<u64, Arc<Link>>>,
    places: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Links {
    pub(crate) fn new() -> Self {
        Self {
            open: Mutex::default(),
            places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            large: Arc::new(Semaphore::new(MAX_LARGE_REQUESTS)),
        }
    }

    /// The places, of which each connection holds one.
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.places
    }

    /// The turns to take in a large request.
    pub(crate) fn large(&self) -> &Arc<Semaphore> {
        &self.large
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
        self.close_first(|_, state| state.waits())
    }

    /// Closes the connection whose large request has been coming in longest, and is not answered yet.
    pub(crate) fn give_up_large(&self) {
        self.close_first(|_, state| state.waits() && state.turn.is_some());
    }

    /// Notes an answer that has to be written to a connection, and makes those hang up who do not read theirs where
    /// there is too much of that.
    pub(crate) fn note_answer(&self, link: &Link, bytes: usize) {
        link.state().unread += bytes;
        let unread = || self.open().values().map(|link| link.state().unread).sum::<usize>();
        while unread() > MAX_UNREAD_ANSWER_BYTES {
            if !self.close_first(|link, state| state.unread > 0 && *link.stalled.borrow()) {
                return;
            }
        }
    }

    /// Makes a connection a WebSocket. Where there are as many as may be, the one that has waited longest for its
    /// client goes for it; false where none can.
    pub(crate) fn upgrade(&self, link: &Link) -> bool {
        let is_one = |link: &&Arc<Link>| Some(link.state()).is_some_and(|state| state.websocket && !state.closed);
        let count = self.open().values().filter(is_one).count();
        if count >= MAX_WEBSOCKETS && !self.close_first(|_, state| state.waits() && state.websocket) {
            return false;
        }
        link.state().websocket = true;
        true
    }

    /// Closes the one of these that was answered longest ago; false where there is none.
    fn close_first(&self, among: impl Fn(&Link, &State) -> bool) -> bool {
        let open = self.open();
        let these = open.values().filter_map(|link| {
            let state = link.state();
            (!state.closed && among(link, &state)).then_some((state.since, link))
        });
        let Some((since, link)) = these.min_by_key(|(since, _)| *since) else { return false };
        tracing::debug!(idle_ms = since.elapsed().as_millis() as u64, "a connection is closed for the sake of others");
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
    calls: Arc<Semaphore>,
    /// Whether the client does not take what is written to it.
    stalled: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    /// When the client last completed a request or was answered.
    since: Instant,
    running: usize,
    subscriptions: usize,
    websocket: bool,
    closed: bool,
    /// Bytes of answers that are not written yet.
    unread: usize,
    /// Bytes that came since all that came before was answered.
    unanswered: usize,
    /// The turn of the large request that is coming in or being answered.
    turn: Option<OwnedSemaphorePermit>,
    /// Who reads from the connection once there is room for what comes.
    reader: Option<Waker>,
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
            unanswered: 0,
            turn: None,
            reader: None,
        };
        Self {
            id,
            socket,
            state: Mutex::new(state),
            calls: Arc::new(Semaphore::new(MAX_CALLS_PER_CONNECTION)),
            stalled: watch::Sender::new(false),
        }
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
        self.wake();
    }

    /// Waits for a call's turn: few run at once, and none while the client does not read its answers.
    pub(crate) async fn begin_call(self: &Arc<Self>) -> Running {
        self.state().running += 1;
        let mut running = Running { link: Arc::clone(self), _turn: None };
        // Neither is ever closed while the link lives.
        running._turn = Arc::clone(&self.calls).acquire_owned().await.ok();
        let _ = self.stalled.subscribe().wait_for(|stalled| !stalled).await;
        running
    }

    /// Counts a subscription for as long as the answer is kept.
    pub(crate) fn subscribed(self: &Arc<Self>) -> Subscribed {
        self.state().subscriptions += 1;
        Subscribed(Arc::clone(self))
    }

    /// Whether nothing more may be read for now; the reader is then woken in time.
    pub(crate) fn must_wait(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        let busy = state.running >= MAX_CALLS_PER_CONNECTION
            || (state.running > 0 && state.unanswered >= LARGE_REQUEST_BYTES)
            || *self.stalled.borrow();
        let wait = busy && !state.closed;
        state.reader = wait.then(|| context.waker().clone());
        wait
    }

    /// Notes bytes that came; true where the connection is a WebSocket.
    pub(crate) fn note_read(&self, bytes: usize) -> bool {
        let mut state = self.state();
        state.unanswered += bytes;
        state.websocket
    }

    /// Whether what comes has become a large request that has no turn yet.
    pub(crate) fn needs_turn(&self) -> bool {
        let state = self.state();
        state.unanswered >= LARGE_REQUEST_BYTES && state.turn.is_none()
    }

    /// Gives the large request that is coming in its turn.
    pub(crate) fn take_turn(&self, turn: OwnedSemaphorePermit) {
        self.state().turn = Some(turn);
    }

    /// Notes that something was written: where nothing runs, all that came is answered.
    pub(crate) fn note_written(&self, bytes: usize) {
        let mut state = self.state();
        state.unread = state.unread.saturating_sub(bytes);
        state.settle();
    }

    /// Notes whether the client takes what is written to it.
    pub(crate) fn set_stalled(&self, stalled: bool) {
        if self.stalled.send_if_modified(|was| std::mem::replace(was, stalled) != stalled) && !stalled {
            self.wake();
        }
    }

    fn wake(&self) {
        let reader = self.state().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
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

    fn settle(&mut self) {
        if self.running == 0 {
            self.unanswered = 0;
            self.turn = None;
        }
    }
}

/// A call that is being answered.
#[derive(Debug)]
pub(crate) struct Running {
    link: Arc<Link>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Drop for Running {
    fn drop(&mut self) {
        {
            let mut state = self.link.state();
            state.running -= 1;
            state.since = Instant::now();
            state.settle();
        }
        self.link.wake();
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
