//! Nodes of a test: started on a free port, and waited for.

use std::{
    future::Future,
    sync::LazyLock,
    time::{Duration, Instant},
};

use lucid_storage::PeerRecord;
use tokio::{runtime::Runtime, task::JoinHandle, time::timeout};

use crate::network::{
    MessageId, Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, NetworkSnapshot, PeerChange, PeerId,
    Topic, Verdict,
};

/// How long anything may take that should happen at once, on a machine that is busy with other tests.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// How long is waited to see that something does not happen.
pub(super) const A_WHILE: Duration = Duration::from_millis(1_500);

/// The chain of most tests.
pub(super) const CHAIN: [u8; 32] = [7; 32];

/// One runtime for all tests: each has few tasks, and they wait for each other's sockets anyway.
pub(super) fn run(test: impl Future<Output = ()>) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(test);
}

/// A node that runs, on a port of the loopback address.
pub(super) struct Node {
    pub(super) handle: NetworkHandle,
    pub(super) events: NetworkEvents,
    /// With its name.
    pub(super) address: String,
    task: JoinHandle<()>,
}

pub(super) fn config() -> NetworkConfig {
    NetworkConfig::new().listen("/ip4/127.0.0.1/tcp/0").unwrap()
}

/// A node of [`CHAIN`] that knows others.
pub(super) async fn node(seed: u8, peers: &[&Node]) -> Node {
    let known = peers.iter().fold(config(), |config, peer| config.peer(&peer.address).unwrap());
    start(CHAIN, seed, &known, &[]).await
}

pub(super) async fn start(genesis: [u8; 32], seed: u8, config: &NetworkConfig, rows: &[(String, PeerRecord)]) -> Node {
    let (network, handle, mut events) = Network::new(config, genesis, &[seed; 32], rows).unwrap();
    let task = tokio::spawn(network.run());
    let address = async {
        loop {
            if let Some(NetworkEvent::Listening { address }) = events.next().await {
                return address;
            }
        }
    };
    let address = timeout(SOON, address).await.unwrap();
    Node { handle, events, address, task }
}

impl Node {
    pub(super) fn id(&self) -> PeerId {
        self.handle.local_id()
    }

    /// Waits for an event, and passes over others.
    pub(super) async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.next().await.unwrap_or_else(|| panic!("the network stopped before {what}"));
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        timeout(SOON, wait).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    pub(super) async fn until_connected(&mut self, other: PeerId) {
        self.until("connection", |event| (event == NetworkEvent::Connected { peer: other }).then_some(())).await;
    }

    pub(super) async fn until_gone(&mut self, other: PeerId) {
        self.until("end of a connection", |event| (event == NetworkEvent::Disconnected { peer: other }).then_some(()))
            .await;
    }

    /// Waits for a message and judges it.
    pub(super) async fn until_message(&mut self, verdict: Verdict) -> (MessageId, Vec<u8>) {
        let message = self.until("message", message_of).await;
        self.handle.report(message.id, verdict).unwrap();
        (message.id, message.data)
    }

    /// Messages that come within a while.
    pub(super) async fn messages_for(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let (end, mut found) = (Instant::now() + time, Vec::new());
        while let Ok(event) = timeout(end.saturating_duration_since(Instant::now()), self.events.next()).await {
            found.extend(event.and_then(message_of).map(|message| message.data));
        }
        found
    }

    /// Waits until another is there and a message of this node would go to it. Events are left where they are.
    pub(super) async fn until_heard_by(&self, other: PeerId) {
        let hears = |now: &NetworkSnapshot| {
            now.peers.iter().any(|peer| peer.id == other && peer.is_listening && !peer.agent.is_empty())
        };
        self.until_it_is("heard", hears).await;
    }

    /// Waits until the network looks as wanted.
    pub(super) async fn until_it_is(&self, what: &str, wanted: impl Fn(&NetworkSnapshot) -> bool) -> NetworkSnapshot {
        let started = Instant::now();
        loop {
            let snapshot = self.handle.snapshot().await.unwrap();
            if wanted(&snapshot) {
                return snapshot;
            }
            assert!(started.elapsed() < SOON, "not {what}: {snapshot:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn publish(&self, topic: Topic, data: &[u8]) {
        self.handle.publish(topic, data.to_vec()).unwrap();
    }

    /// Stops it, as a node does that ends; its rows come back.
    pub(super) async fn stop(self) -> Vec<(String, PeerRecord)> {
        let changes = self.handle.stop().await.unwrap();
        self.task.await.unwrap();
        let put = |change| match change {
            PeerChange::Put(id, row) => Some((id, row)),
            PeerChange::Remove(_) => None,
        };
        changes.into_iter().filter_map(put).collect()
    }
}

pub(super) fn message_of(event: NetworkEvent) -> Option<crate::network::Message> {
    match event {
        NetworkEvent::Message(message) => Some(message),
        _ => None,
    }
}

/// Waits until two nodes know of each other, and for gossip to know who listens to what.
pub(super) async fn meet(a: &Node, b: &Node) {
    let (of_a, of_b) = (a.id(), b.id());
    a.until_heard_by(of_b).await;
    b.until_heard_by(of_a).await;
}
