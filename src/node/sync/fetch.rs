//! The task that catches up: asks for headers and bodies, checks them, and hands blocks in order to whoever commits them.
//!
//! What is fetched ahead of the commits is bounded: some answers of headers and of bodies, whatever peers send and however
//! far the chain goes.

use super::{
    bodies::CertifiedBlock,
    headers::{CertifiedHeader, HeaderChain},
    progress::Progress,
    sources::Sources,
    wire::{ANSWER_BYTES, Headers, MAX_BODIES, MAX_HEADERS, Question, split_bodies},
};
use crate::{
    consensus::{bft::Message, poot::validator_set_at},
    network::{NetworkHandle, Offence, PeerId},
    node::{
        error::NodeError,
        state::Node,
        voting::{Inbox, Told},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, oneshot, watch},
    task::{JoinSet, spawn_blocking},
    time::timeout,
};
use tracing::{debug, info, warn};

/// From how many blocks behind a node catches up here. Fewer it gets one by one, in the course of consensus.
pub(in crate::node) const FAR_BLOCKS: u64 = 16;

/// Headers that wait for their bodies at most, from which no more are asked for.
const MAX_HEADERS_AHEAD: usize = 2 * MAX_HEADERS as usize;

/// Answers of bodies that are under way or wait to be committed at most.
const MAX_CHUNKS_AHEAD: usize = 6;

/// How long is waited after an attempt, successful or not.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked who else is there, and whether somebody is slow.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a question may be open before another peer is asked the same. Who answers later, with less than a quarter of what was
/// asked for, has failed: else a peer that gives a little now and then could hold this node for ever.
const SLOW_AFTER: Duration = Duration::from_secs(3);

/// How often it is said how far it is.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// Bodies of some heights in a row.
#[derive(Debug)]
enum Chunk {
    /// To be asked for.
    Wanted(Arc<[CertifiedHeader]>),
    /// Asked for, last at this time.
    Asked(Arc<[CertifiedHeader]>, Instant),
    /// Here.
    Ready(Vec<CertifiedBlock>),
}

/// Why an answer was of no use.
#[derive(Debug)]
enum Failure {
    /// There was none, or nothing in it.
    Nothing,
    /// It was no answer.
    Malformed,
    /// It was forged, and how.
    Forged(String),
}

/// A chain of headers that has become longer.
#[derive(Debug)]
struct Longer {
    chain: HeaderChain,
    /// By these.
    certified: Vec<CertifiedHeader>,
    /// Height of the last block of who answered.
    head: u64,
}

/// Something that was asked for is here, or will not be.
#[derive(Debug)]
enum Event {
    /// A peer says where its chain ends, or nothing.
    Head(PeerId, Option<u64>),
    /// With how long it took.
    Headers(PeerId, Result<Box<Longer>, Failure>, Duration),
    Bodies(PeerId, u64, Result<Vec<CertifiedBlock>, Failure>, Duration),
    /// The height up to which blocks are committed.
    Committed(Option<u64>),
}

/// Catches up each time that this is asked for, until the node stops.
///
/// # Errors
/// The store cannot be read.
pub(in crate::node) async fn catch_up(
    node: Arc<Node>,
    network: NetworkHandle,
    inbox: Inbox,
    far_behind: Arc<Notify>,
    progress: Arc<Progress>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    loop {
        tokio::select! {
            () = far_behind.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
        let caught_up = async {
            let fetch = Fetch::new(&node, &network, &inbox, &progress).await?;
            let caught_up = fetch.run().await;
            progress.clear();
            // What came meanwhile is little, and peers say how far they are where they are asked.
            let told = inbox.clone();
            let _ = spawn_blocking(move || told.tell_surely(Told::CaughtUp)).await;
            tokio::time::sleep(PAUSE).await;
            caught_up
        };
        tokio::select! {
            caught_up = caught_up => caught_up?,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// One attempt.
struct Fetch<'a> {
    node: &'a Arc<Node>,
    network: &'a NetworkHandle,
    inbox: &'a Inbox,
    progress: &'a Progress,
    sources: Sources,
    /// Who was found lying in this attempt.
    dropped: BTreeSet<PeerId>,
    /// Verified headers, up to the last one that is here.
    chain: HeaderChain,
    /// When headers were last asked for, while that is open.
    asks_headers: Option<Instant>,
    looked: Option<Instant>,
    /// Headers whose bodies nobody was asked for.
    headers: Vec<CertifiedHeader>,
    /// Bodies, by the height of the first.
    chunks: BTreeMap<u64, Chunk>,
    /// The height up to which blocks are committed or being committed.
    handed: u64,
    commits: bool,
    under_way: JoinSet<Event>,
    told: Instant,
}

impl<'a> Fetch<'a> {
    async fn new(
        node: &'a Arc<Node>,
        network: &'a NetworkHandle,
        inbox: &'a Inbox,
        progress: &'a Progress,
    ) -> Result<Self, NodeError> {
        let reader = Arc::clone(node);
        let read = spawn_blocking(move || -> Result<_, NodeError> {
            let snapshot = reader.snapshot();
            let head = crate::chain::read_head(&snapshot)?;
            let set = validator_set_at(&snapshot, head.number + 1)?;
            Ok(HeaderChain::new(Arc::new(reader.spec.clone()), reader.genesis_hash, head, set))
        });
        let chain = read.await.map_err(|error| NodeError::Task(error.to_string()))??;
        let handed = chain.next() - 1;
        Ok(Self {
            node,
            network,
            inbox,
            progress,
            sources: Sources::default(),
            dropped: BTreeSet::new(),
            chain,
            asks_headers: None,
            looked: None,
            headers: Vec::new(),
            chunks: BTreeMap::new(),
            handed,
            commits: false,
            under_way: JoinSet::new(),
            told: Instant::now(),
        })
    }

    /// Asks those who are connected, and were not asked before, where their chains end.
    async fn ask_heads(&mut self) {
        self.looked = Some(Instant::now());
        let head = self.node.head();
        let question = Message::Head { height: head.header.number, block_hash: head.header.hash() }.encode();
        let peers = self.network.snapshot().await.map(|snapshot| snapshot.peers).unwrap_or_default();
        for peer in peers.into_iter().map(|peer| peer.id) {
            if self.sources.knows(&peer) || self.dropped.contains(&peer) {
                continue;
            }
            // It has nothing until it says so.
            self.sources.told(peer, 0);
            let (network, question) = (self.network.clone(), question.clone());
            self.under_way.spawn(async move {
                let answer =
                    network.request(peer, question).await.ok().and_then(|answer| Message::decode(&answer).ok());
                let Some(Message::Head { height, block_hash }) = answer else { return Event::Head(peer, None) };
                let _ = network.told_head(peer, height, block_hash.0);
                Event::Head(peer, Some(height))
            });
        }
    }

    /// Fetches and hands on until nobody has more.
    async fn run(mut self) -> Result<(), NodeError> {
        let (from, began) = (self.handed, Instant::now());
        loop {
            if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_INTERVAL) {
                self.ask_heads().await;
            }
            self.ask();
            self.tell();
            if self.under_way.is_empty() {
                break;
            }
            // Now and then there is something to do though nobody answers.
            let Ok(Some(event)) = timeout(LOOK_INTERVAL, self.under_way.join_next()).await else { continue };
            match event.map_err(|error| NodeError::Task(error.to_string()))? {
                Event::Head(peer, Some(height)) => self.sources.told(peer, height),
                Event::Head(peer, None) => self.sources.forget(&peer),
                Event::Headers(peer, answer, took) => self.take_headers(peer, answer, took),
                Event::Bodies(peer, from, answer, took) => self.take_bodies(peer, from, answer, took),
                Event::Committed(Some(height)) if height >= self.handed => self.commits = false,
                // The node stops, has no room, or is elsewhere.
                Event::Committed(_) => break,
            }
            // Blocks that were decided meanwhile are not to be got.
            if self.node.head().header.number >= self.chain.next() {
                break;
            }
        }
        let height = self.node.head().header.number;
        let blocks = self.handed.saturating_sub(from);
        if blocks > 0 {
            info!(height, blocks, took_ms = began.elapsed().as_millis() as u64, "got blocks from peers");
        }
        Ok(())
    }

    /// Says now and then how far it is.
    fn tell(&mut self) {
        let (current, verified) = (self.node.head().header.number, self.chain.next() - 1);
        // Only headers show that there is anything to get: until then it is one peer's word.
        if verified <= current {
            if self.asks_headers.is_none_or(|asked| asked.elapsed() >= SLOW_AFTER) {
                self.progress.clear();
            }
            return;
        }
        if self.progress.get().is_none() {
            info!(height = current, of = self.sources.highest().max(verified), "far behind: gets blocks from peers");
        }
        self.progress.set(current, self.sources.highest().max(verified));
        let Some(noted) = self.progress.get().filter(|_| self.told.elapsed() >= TELL_INTERVAL) else { return };
        self.told = Instant::now();
        let (blocks_per_sec, left_secs) = noted.estimate(current).unwrap_or_default();
        info!(height = current, of = noted.highest, blocks_per_sec, left_secs, "catching up");
    }

    /// Asks for all that may be asked for now, and hands on what can be.
    fn ask(&mut self) {
        self.hand_on();
        self.cut_chunks();
        self.ask_headers();
        let chunks: Vec<u64> = self.chunks.keys().copied().collect();
        for from in chunks {
            self.ask_bodies(from);
        }
    }

    /// Makes chunks of headers that are here.
    fn cut_chunks(&mut self) {
        while !self.headers.is_empty() && self.chunks.len() < MAX_CHUNKS_AHEAD {
            let count = self.headers.len().min(MAX_BODIES as usize);
            let rest = self.headers.split_off(count);
            let headers: Arc<[_]> = std::mem::replace(&mut self.headers, rest).into();
            if let Some(first) = headers.first() {
                self.chunks.insert(first.header.number, Chunk::Wanted(headers));
            }
        }
    }

    fn ask_headers(&mut self) {
        let is_asked = self.asks_headers.is_some_and(|asked| asked.elapsed() < SLOW_AFTER);
        if is_asked || self.headers.len() >= MAX_HEADERS_AHEAD {
            return;
        }
        let from = self.chain.next();
        let Some(peer) = self.sources.take(from) else { return };
        let began = Instant::now();
        self.asks_headers = Some(began);
        let (network, mut chain) = (self.network.clone(), self.chain.clone());
        self.under_way.spawn(async move {
            let question = Question::Headers { from, count: MAX_HEADERS };
            let Ok(answer) = network.request(peer, question.encode()).await else {
                return Event::Headers(peer, Err(Failure::Nothing), began.elapsed());
            };
            let took = began.elapsed();
            let checked = spawn_blocking(move || {
                let answer = Headers::decode(&answer, MAX_HEADERS).ok_or(Failure::Malformed)?;
                let head = answer.head;
                let certified = chain.extend(answer).map_err(|fault| Failure::Forged(fault.to_string()))?;
                Ok(Box::new(Longer { chain, certified, head }))
            });
            Event::Headers(peer, checked.await.unwrap_or(Err(Failure::Nothing)), took)
        });
    }

    fn take_headers(&mut self, peer: PeerId, answer: Result<Box<Longer>, Failure>, took: Duration) {
        match answer {
            Ok(longer) => {
                let Longer { chain, certified, head } = *longer;
                let first = certified.first().map(|first| first.header.number);
                let due = head.saturating_sub(self.chain.next() - 1).min(MAX_HEADERS);
                self.sources.done(&peer, first.is_some() && is_soon_enough(took, certified.len() as u64, due));
                // It may have said another one before, when it had none of these.
                self.sources.told(peer, head);
                // Another peer may have been asked the same, and been faster.
                if first == Some(self.chain.next()) {
                    self.chain = chain;
                    self.headers.extend(certified);
                    self.asks_headers = None;
                } else if first.is_none() {
                    self.asks_headers = None;
                }
            }
            Err(failure) => {
                self.asks_headers = None;
                self.failed(peer, failure, "headers");
            }
        }
    }

    fn ask_bodies(&mut self, from: u64) {
        let headers = match self.chunks.get(&from) {
            Some(Chunk::Wanted(headers)) => headers,
            Some(Chunk::Asked(headers, asked)) if asked.elapsed() >= SLOW_AFTER => headers,
            _ => return,
        };
        let (headers, count, began) = (Arc::clone(headers), headers.len(), Instant::now());
        let Some(peer) = self.sources.take(from + count as u64 - 1) else { return };
        self.chunks.insert(from, Chunk::Asked(Arc::clone(&headers), began));
        let network = self.network.clone();
        let most = usize::try_from(self.node.spec.parameters.block_transactions_max).unwrap_or(usize::MAX);
        self.under_way.spawn(async move {
            let question = Question::Bodies { from, count: count as u64 };
            let Ok(answer) = network.request(peer, question.encode()).await else {
                return Event::Bodies(peer, from, Err(Failure::Nothing), began.elapsed());
            };
            let took = began.elapsed();
            let checked = spawn_blocking(move || put_together(&answer, &headers, most));
            Event::Bodies(peer, from, checked.await.unwrap_or(Err(Failure::Nothing)), took)
        });
    }

    fn take_bodies(&mut self, peer: PeerId, from: u64, answer: Result<Vec<CertifiedBlock>, Failure>, took: Duration) {
        let headers = match self.chunks.remove(&from) {
            Some(Chunk::Asked(headers, _) | Chunk::Wanted(headers)) => headers,
            // Another peer was asked the same, and was faster.
            other => {
                self.chunks.extend(other.map(|chunk| (from, chunk)));
                return match answer {
                    Ok(_) => self.sources.done(&peer, took < SLOW_AFTER),
                    Err(failure) => self.failed(peer, failure, "bodies"),
                };
            }
        };
        match answer {
            Ok(blocks) => {
                let bytes: u64 = blocks.iter().map(|block| block.block.size_bytes()).sum();
                let is_full = bytes >= ANSWER_BYTES as u64 / 2;
                let soon_enough = is_soon_enough(took, blocks.len() as u64, headers.len() as u64);
                self.sources.done(&peer, is_full || soon_enough);
                let rest = headers.get(blocks.len()..).unwrap_or_default();
                if let Some(next) = rest.first() {
                    self.chunks.insert(next.header.number, Chunk::Wanted(rest.into()));
                }
                self.chunks.insert(from, Chunk::Ready(blocks));
            }
            Err(failure) => {
                self.chunks.insert(from, Chunk::Wanted(headers));
                self.failed(peer, failure, "bodies");
            }
        }
    }

    fn failed(&mut self, peer: PeerId, failure: Failure, what: &'static str) {
        self.sources.done(&peer, false);
        let offence = match failure {
            Failure::Nothing => {
                debug!(%peer, what, head = self.sources.head_of(&peer), "a peer gives nothing");
                return;
            }
            Failure::Malformed => Offence::BadResponse,
            Failure::Forged(how) => {
                warn!(%peer, what, how, "a peer sent a forged history");
                Offence::ForgedHistory
            }
        };
        self.sources.forget(&peer);
        self.dropped.insert(peer);
        let _ = self.network.offence(peer, offence);
    }

    /// Hands blocks on that follow on those that were handed on before, once these are committed.
    fn hand_on(&mut self) {
        if self.commits {
            return;
        }
        let next = self.handed + 1;
        let is_ready = matches!(self.chunks.get(&next), Some(Chunk::Ready(_)));
        let Some(Chunk::Ready(blocks)) = is_ready.then(|| self.chunks.remove(&next)).flatten() else { return };
        self.commits = true;
        self.handed += blocks.len() as u64;
        let (inbox, (done, committed)) = (self.inbox.clone(), oneshot::channel());
        self.under_way.spawn(async move {
            let told = spawn_blocking(move || inbox.tell_surely(Told::Blocks(blocks, done)));
            Event::Committed(if told.await.is_ok() { committed.await.ok() } else { None })
        });
    }
}

/// Whether an answer came soon, or has a quarter of what is due.
fn is_soon_enough(took: Duration, items: u64, due: u64) -> bool {
    took < SLOW_AFTER || items.saturating_mul(4) >= due
}

/// The blocks of an answer of bodies, as many as it has.
fn put_together(answer: &[u8], headers: &[CertifiedHeader], most: usize) -> Result<Vec<CertifiedBlock>, Failure> {
    let bodies = split_bodies(answer, headers.len()).ok_or(Failure::Malformed)?;
    if bodies.is_empty() {
        return Err(Failure::Nothing);
    }
    let put = |(header, body): (&CertifiedHeader, _)| {
        let height = header.header.number;
        let forged = || Failure::Forged(format!("the body of block {height} is not the one that its header names"));
        CertifiedBlock::new(header.clone(), body, most).ok_or_else(forged)
    };
    headers.iter().zip(bodies).map(put).collect()
}
