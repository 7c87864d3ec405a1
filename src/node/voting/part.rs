//! A node's part in consensus, as others may look at it: how its open height stands, and who is connected.

use crate::{
    network::{NetworkHandle, NetworkSnapshot},
    node::sync::Progress,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How the height that is decided next stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::node) struct Standing {
    /// The height; 0 before the thread that drives consensus has begun.
    pub(in crate::node) height: u64,
    /// Whether votes on it have begun.
    pub(in crate::node) is_open: bool,
    /// The slot in which this node saw it open; nothing where it is not.
    pub(in crate::node) opened_in: Option<u64>,
    /// The round that it is in.
    pub(in crate::node) round: u32,
    /// How many validators vote on it.
    pub(in crate::node) validators: usize,
    /// Whether this node is one of them.
    pub(in crate::node) is_validator: bool,
    /// Whether this node may sign.
    pub(in crate::node) may_sign: bool,
    /// Whether so few validators vote on it that they decide nothing.
    pub(in crate::node) lacks_voters: bool,
}

/// The part of a node that is not alone.
#[derive(Debug)]
pub(in crate::node) struct Part {
    pub(in crate::node) network: NetworkHandle,
    standing: Mutex<Standing>,
    /// How far the node has come where it is far behind.
    pub(in crate::node) progress: Arc<Progress>,
    began: Instant,
    /// When the thread that drives consensus last went round its loop, in milliseconds after `began`.
    alive_ms: AtomicU64,
}

impl Part {
    pub(in crate::node) fn new(network: NetworkHandle) -> Self {
        let (standing, progress) = (Mutex::default(), Arc::default());
        Self { network, standing, progress, began: Instant::now(), alive_ms: AtomicU64::new(0) }
    }

    /// Notes that the thread that drives consensus goes round its loop.
    pub(in crate::node) fn note_alive(&self) {
        let alive_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.alive_ms.store(alive_ms, Relaxed);
    }

    /// How long ago it last did.
    pub(in crate::node) fn silent_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.alive_ms.load(Relaxed)))
    }

    /// How the open height stands.
    pub(in crate::node) fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_standing(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Who is connected; nobody once the network has stopped.
    pub(in crate::node) async fn snapshot(&self) -> NetworkSnapshot {
        self.network.snapshot().await.unwrap_or_default()
    }
}
