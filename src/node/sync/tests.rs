//! A node that is new beside nodes that have a history: over real sockets, and with peers that forge what they answer.

use super::{
    headers::{HeaderChain, HeaderFault},
    wire::{Headers, Question, decode_body, split_bodies},
};
use crate::{
    chain,
    config::NetworkSettings,
    consensus::{bft, poot::validator_set_at},
    keys::{DEV_ACCOUNTS, NetworkKey, NodeKeys},
    network::{Network, NetworkConfig, NetworkEvent, NetworkHandle, Topic},
    node::{
        DataDir, Node, NodeError,
        devnet::{DevnetNode, DevnetOptions, make_devnet},
        state::OpenOptions,
        testing::make_history,
        voting::take_part,
    },
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use lucid_storage::Reader as _;
use lucid_types::contracts::{LUCID_NODES_ADDRESS, LucidNodes};
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinSet, time::timeout};

/// Validators of the chain.
const VALIDATORS: usize = 4;

/// Blocks that new nodes have to get; more than headers of one answer, and over several epochs of sixteen slots.
const BLOCKS: u64 = 300;

/// How late a peer answers that would hold others: within what a request may take.
const LATE: Duration = Duration::from_secs(9);

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn raw(from: &crate::keys::SecretKey, nonce: u64, to: Address, value: u64, input: Bytes) -> Vec<u8> {
    let transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: if input.is_empty() { 21_000 } else { 300_000 },
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value: U256::from(value),
        input,
        ..TxEip1559::default()
    };
    let signature = from.sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
}

/// Folders of a network of which all validators have a history, in which one of them left, and a fifth has none.
struct History {
    nodes: Vec<DevnetNode>,
    _folder: TempDir,
}

impl History {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - BLOCKS - 10;
        let ports = vec![(0, 0); VALIDATORS + 1];
        let (path, validators) = (folder.path().to_owned(), VALIDATORS);
        let nodes = make_devnet(&DevnetOptions { folder: path, slot_secs: 1, validators, ports, now }).unwrap();
        let keys = |node: &DevnetNode| NodeKeys::load(&node.datadir.join("keys")).unwrap();
        let keys: Vec<_> = nodes[..VALIDATORS].iter().map(keys).collect();
        let sender = DEV_ACCOUNTS[0].secret_key();
        let first = DataDir::at(&nodes[0].datadir).unwrap();
        make_history(&first, &keys, BLOCKS, |height| {
            let to = Address::left_padding_from(&(height % 50 + 1_000).to_be_bytes());
            let mut raws = vec![raw(&sender, height - 1, to, 1, Bytes::new())];
            if height == 70 {
                let leave = LucidNodes::leaveRegistryCall {}.abi_encode().into();
                raws.push(raw(keys[3].account(), 0, LUCID_NODES_ADDRESS, 0, leave));
            }
            raws
        })
        .unwrap();
        for node in &nodes[1..VALIDATORS] {
            fs::copy(first.store(), DataDir::at(&node.datadir).unwrap().store()).unwrap();
        }
        Self { nodes, _folder: folder }
    }

    fn open(&self, place: usize) -> Node {
        let datadir = DataDir::at(&self.nodes[place].datadir).unwrap();
        let keys = NodeKeys::load(&datadir.keys()).unwrap();
        Node::open_existing(&datadir, keys, &OpenOptions::default()).unwrap()
    }
}

/// A node that takes part, in this process.
struct Running {
    node: Arc<Node>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<Result<(), NodeError>>,
}

impl Running {
    fn start(node: Node, keys: &Path, peers: Vec<String>) -> Self {
        let (node, (stop, stopped), mut tasks) = (Arc::new(node), watch::channel(false), JoinSet::new());
        let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        let settings = NetworkSettings { listen, peers, external_addresses: Vec::new(), mdns: false, max_peers: 32 };
        take_part(&node, &settings, keys, &mut tasks, &stopped).unwrap();
        Self { node, stop, tasks }
    }

    async fn address(&self) -> String {
        let network = &self.node.part.get().unwrap().network;
        address_of(network).await
    }

    fn height(&self) -> u64 {
        self.node.head().header.number
    }

    async fn stop(mut self) {
        self.stop.send(true).unwrap();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

/// Runs a test. Where it fails, threads that wait for a node are left behind and not waited for.
fn run(test: impl Future<Output = ()>) {
    let runtime = Box::leak(Box::new(tokio::runtime::Runtime::new().unwrap()));
    runtime.block_on(test);
}

/// Where a node can be dialled.
async fn address_of(network: &NetworkHandle) -> String {
    let listening = async || network.snapshot().await.unwrap().listening.first().cloned();
    format!("{}/p2p/{}", eventually("an address", listening).await, network.local_id())
}

async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < SOON, "no {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How a peer forges its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forgery {
    /// A header's state root.
    Header,
    /// A vote in a certificate.
    Certificate,
    /// A certificate with too few votes.
    FewVotes,
    /// Another set where one begins to vote.
    Set,
    /// The leader's signature beside a header.
    Author,
    /// A body with a transaction less.
    Body,
    /// A body with another recipient in a transaction.
    Transaction,
}

impl Forgery {
    const ALL: [Self; 7] =
        [Self::Header, Self::Certificate, Self::FewVotes, Self::Set, Self::Author, Self::Body, Self::Transaction];

    fn on_headers(self, answer: &mut Headers) {
        let at = answer.headers.len() / 2;
        match self {
            Self::Header => answer.headers[at].header.state_root.0[7] ^= 1,
            Self::Certificate => answer.headers[at].certificate.forge(),
            Self::FewVotes => answer.headers[at].certificate.take_away(2),
            Self::Author => answer.headers[at].proposal_signature.0[40] ^= 1,
            Self::Set => {
                // The one who left stays, and any other who would sign.
                let first = answer.headers.iter_mut().find(|header| !header.next_set.is_empty());
                first.into_iter().for_each(|header| {
                    let mut set = header.next_set.to_vec();
                    let last = set.len() - 1;
                    set[last] ^= 1;
                    header.next_set = set.into();
                });
            }
            Self::Body | Self::Transaction => {}
        }
    }

    fn on_bodies(self, bodies: &mut [super::wire::Body]) {
        let at = bodies.len() / 2;
        match self {
            Self::Body => drop(bodies[at].transactions.pop()),
            Self::Transaction => bodies[at].transactions[0] = bodies[0].transactions[0].clone(),
            _ => {}
        }
    }
}

/// A peer that is none of this program's nodes.
struct Attacker {
    handle: NetworkHandle,
    task: tokio::task::JoinHandle<()>,
}

impl Attacker {
    /// One that is somebody else for each seed, and what comes to it.
    fn start(genesis_hash: [u8; 32], seed: u8, peers: &[&str]) -> (Self, crate::network::NetworkEvents) {
        let config = NetworkConfig::new().listen("/ip4/127.0.0.1/tcp/0").unwrap();
        let config = peers.iter().fold(config, |config, peer| config.peer(peer).unwrap());
        let (network, handle, events) = Network::new(&config, genesis_hash, &[seed; 32], &[]).unwrap();
        (Self { handle, task: tokio::spawn(network.run()) }, events)
    }

    async fn stop(self) {
        let _ = self.handle.stop().await;
        let _ = timeout(SOON, self.task).await;
    }
}

/// Claims to have more than anybody, and gives one true header or body at a time, late.
async fn drip(node: Arc<Node>, handle: NetworkHandle, mut events: crate::network::NetworkEvents) {
    while let Some(event) = events.next().await {
        let NetworkEvent::Request(request) = event else { continue };
        let (node, handle) = (Arc::clone(&node), handle.clone());
        tokio::spawn(async move {
            let answer = match Question::decode(&request.data) {
                Some(Question::Headers { from, .. }) => {
                    tokio::time::sleep(LATE).await;
                    let mut answer = node.headers_from(from, 1).unwrap();
                    answer.head = u64::MAX;
                    answer.encode()
                }
                Some(Question::Bodies { from, .. }) => {
                    tokio::time::sleep(LATE).await;
                    node.answer(Question::Bodies { from, count: 1 }).unwrap()
                }
                Some(Question::Waiting) => super::wire::encode_waiting(&[]),
                None => bft::Message::Head { height: u64::MAX, block_hash: B256::ZERO }.encode(),
            };
            let _ = handle.respond(request.id, Some(answer));
        });
    }
}

/// Answers as an honest node does, but for what it forges.
async fn lie(node: Arc<Node>, handle: NetworkHandle, mut events: crate::network::NetworkEvents, forgery: Forgery) {
    while let Some(event) = events.next().await {
        let NetworkEvent::Request(request) = event else { continue };
        let answer = match Question::decode(&request.data) {
            Some(Question::Headers { from, count }) => {
                let mut answer = node.headers_from(from, count).unwrap();
                forgery.on_headers(&mut answer);
                answer.encode()
            }
            Some(Question::Bodies { from, count }) => {
                let bytes = node.answer(Question::Bodies { from, count }).unwrap();
                let bodies = split_bodies(&bytes, 1_000).unwrap();
                let mut bodies: Vec<_> = bodies.into_iter().map(|body| decode_body(body).unwrap()).collect();
                forgery.on_bodies(&mut bodies);
                let mut out = Vec::new();
                alloy_rlp::encode_list::<_, super::wire::Body>(&bodies, &mut out);
                out
            }
            Some(Question::Waiting) => super::wire::encode_waiting(&[]),
            // Its head, which is right.
            None => {
                let head = node.head();
                let (height, block_hash) = (head.header.number, head.header.hash());
                bft::Message::Head { height, block_hash }.encode()
            }
        };
        let _ = handle.respond(request.id, Some(answer));
    }
}

#[test]
fn a_new_node_gets_the_chain_from_peers_that_say_where_it_ends_and_goes_on_where_it_stopped() {
    run(async {
        let history = History::make();
        let mut running = Vec::new();
        for place in 0..2 {
            running.push(Running::start(history.open(place), &history.nodes[place].datadir.join("keys"), Vec::new()));
        }
        let mut peers = Vec::new();
        for one in &running {
            peers.push(one.address().await);
        }
        let keys = history.nodes[4].datadir.join("keys");
        let new = Running::start(history.open(4), &keys, peers.clone());
        eventually("some blocks", async || (new.height() > 0).then_some(())).await;
        let reached = new.height();
        new.stop().await;
        let reopened = history.open(4);
        assert!(reopened.head().header.number >= reached);
        let new = Running::start(reopened, &keys, peers);
        eventually("the whole chain", async || (new.height() >= BLOCKS).then_some(())).await;
        let (there, here) = (running[0].node.snapshot(), new.node.snapshot());
        for height in 1..=BLOCKS {
            let headers = [&there, &here].map(|reader| chain::read_header(reader, height).unwrap().unwrap());
            assert_eq!(headers[0].hash(), headers[1].hash());
            // What is served on is what the child commits to.
            let seals = [&there, &here].map(|reader| reader.get::<lucid_storage::Seals>(&height).unwrap().unwrap());
            assert_eq!(seals[0], seals[1]);
        }
        assert_eq!(validator_set_at(&here, BLOCKS).unwrap().members().len(), VALIDATORS - 1);
        // Many blocks share a write: what a card wears by.
        let writes = new.node.writes_for().blocks.commits;
        assert!(writes <= BLOCKS / 8, "{writes} writes");
        eventually("the end", async || new.node.part.get().unwrap().progress.get().is_none().then_some(())).await;
        new.stop().await;
        for one in running {
            one.stop().await;
        }
    });
}

#[test]
fn who_forges_headers_certificates_sets_or_bodies_is_dropped_and_the_chain_is_got_from_others() {
    run(async {
        let history = History::make();
        let honest = Running::start(history.open(0), &history.nodes[0].datadir.join("keys"), Vec::new());
        let honest_address = honest.address().await;
        let source = Arc::new(history.open(1));
        for (place, forgery) in Forgery::ALL.into_iter().enumerate() {
            let (attacker, events) = Attacker::start(source.genesis_hash.0, place as u8 + 1, &[]);
            let liar = attacker.handle.local_id();
            let lying = tokio::spawn(lie(Arc::clone(&source), attacker.handle.clone(), events, forgery));
            let address = address_of(&attacker.handle).await;
            // A folder of its own for each: new, and the liar is the only one to ask at first.
            let folder = tempfile::tempdir().unwrap();
            let datadir = DataDir::at(folder.path()).unwrap();
            let keys = NodeKeys::load_or_create(&datadir.keys()).unwrap();
            NetworkKey::load_or_create(&datadir.keys()).unwrap();
            fs::copy(DataDir::at(&history.nodes[4].datadir).unwrap().store(), datadir.store()).unwrap();
            let new = Node::open_existing(&datadir, keys, &OpenOptions::default()).unwrap();
            assert_eq!(new.head().header.number, 0);
            let new = Running::start(new, &datadir.keys(), vec![address]);
            let network = &new.node.part.get().unwrap().network;
            let banned = async || {
                let now = network.snapshot().await.unwrap();
                (now.bans.iter().any(|ban| ban.id == liar) && now.peers.is_empty()).then_some(())
            };
            eventually("ban", banned).await;
            assert!(new.height() < BLOCKS, "{forgery:?} was believed");
            network.add_peer(honest_address.parse().unwrap()).unwrap();
            eventually("chain", async || (new.height() >= BLOCKS).then_some(())).await;
            assert_eq!(new.node.head().header.hash(), source.head().header.hash(), "{forgery:?}");
            new.stop().await;
            lying.abort();
            attacker.stop().await;
        }
        honest.stop().await;
    });
}

#[test]
fn a_chain_of_headers_takes_true_answers_and_refuses_each_forgery_by_name() {
    let history = History::make();
    let node = history.open(0);
    let genesis = || {
        let (snapshot, spec) = (node.snapshot(), Arc::new(node.spec.clone()));
        let header = chain::read_header(&snapshot, 0).unwrap().unwrap();
        HeaderChain::new(spec, node.genesis_hash, header, validator_set_at(&snapshot, 1).unwrap())
    };
    let mut whole = genesis();
    while whole.next() <= BLOCKS {
        let answer = node.headers_from(whole.next(), 100).unwrap();
        assert_eq!(answer.head, BLOCKS);
        let read = Headers::decode(&answer.encode(), 100).unwrap();
        assert_eq!(read, answer);
        assert_eq!(whole.extend(read).unwrap().len(), 100);
    }
    assert!(node.headers_from(BLOCKS + 1, 9).unwrap().headers.is_empty());
    let forged = |forge: &dyn Fn(&mut Headers)| {
        let (mut chain, mut answer) = (genesis(), node.headers_from(1, 100).unwrap());
        forge(&mut answer);
        let fault = chain.extend(answer).unwrap_err();
        assert_eq!(chain.next(), 1, "half of a forged answer was taken");
        fault.to_string()
    };
    for forgery in [Forgery::Header, Forgery::Certificate, Forgery::FewVotes, Forgery::Set, Forgery::Author] {
        println!("{forgery:?}: {}", forged(&|answer| forgery.on_headers(answer)));
    }
    // A set that is left out, headers that leave one out, and ones of elsewhere.
    let left_out = forged(&|answer| answer.headers.iter_mut().for_each(|header| header.next_set = Bytes::new()));
    assert!(left_out.contains("another validator set"), "{left_out}");
    assert!(forged(&|answer| drop(answer.headers.remove(50))).contains("parentHash"));
    let mut elsewhere = genesis();
    assert!(matches!(elsewhere.extend(node.headers_from(2, 9).unwrap()), Err(HeaderFault::Header(_))));
}

/// What the pool takes over the network is what it takes over RPC.
#[test]
fn what_waited_before_two_nodes_met_is_known_to_both_after() {
    run(async {
        let history = History::make();
        let first = Running::start(history.open(0), &history.nodes[0].datadir.join("keys"), Vec::new());
        let sender = DEV_ACCOUNTS[0].secret_key();
        let waiting = raw(&sender, BLOCKS, Address::repeat_byte(5), 1, Bytes::new());
        let hash = first.node.submit(&waiting).unwrap();
        // Gossip has said it to nobody.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let keys = history.nodes[1].datadir.join("keys");
        let second = Running::start(history.open(1), &keys, vec![first.address().await]);
        let knows = async || second.node.pool().get(&hash).cloned();
        eventually("transaction", knows).await;
        first.stop().await;
        second.stop().await;
    });
}

#[test]
fn no_question_is_too_large_and_none_ends_the_node() {
    let history = History::make();
    let node = history.open(0);
    for from in [0, 1, BLOCKS, BLOCKS + 1, u64::MAX - 1, u64::MAX] {
        for count in [0, 1, u64::MAX] {
            let headers = node.headers_from(from, count.min(9)).unwrap().headers.len() as u64;
            let bodies = node.answer(Question::Bodies { from, count }).unwrap();
            let bodies = split_bodies(&bodies, 64).unwrap().len();
            assert_eq!(headers > 0, (1..=BLOCKS).contains(&from) && count > 0, "headers from {from}, {count}");
            assert!(bodies == 0 || from <= BLOCKS && count > 0, "bodies from {from}, {count}");
            assert!(node.answer(Question::Headers { from, count }).is_ok());
        }
    }
}

#[test]
fn who_gives_a_little_and_late_holds_nobody_up_and_is_not_believed() {
    run(async {
        let history = History::make();
        let source = Arc::new(history.open(1));
        let (attacker, events) = Attacker::start(source.genesis_hash.0, 1, &[]);
        let dripping = tokio::spawn(drip(source, attacker.handle.clone(), events));
        let new = history.open(4);
        let new = Running::start(new, &history.nodes[4].datadir.join("keys"), vec![address_of(&attacker.handle).await]);
        let network = &new.node.part.get().unwrap().network;
        eventually("connection", async || (network.snapshot().await.unwrap().peers.len() == 1).then_some(())).await;
        // The others come once it asks him and nobody else.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let honest = Running::start(history.open(0), &history.nodes[0].datadir.join("keys"), Vec::new());
        network.add_peer(honest.address().await.parse().unwrap()).unwrap();
        let began = Instant::now();
        eventually("chain", async || (new.height() >= BLOCKS).then_some(())).await;
        // Of him alone it would be a block in each 18 seconds.
        assert!(began.elapsed() < SOON / 2, "{:?}", began.elapsed());
        // He goes on claiming more. It is not said that this node is behind for longer than he takes.
        let progress = &new.node.part.get().unwrap().progress;
        eventually("end", async || progress.get().is_none().then_some(())).await;
        dripping.abort();
        new.stop().await;
        honest.stop().await;
        attacker.stop().await;
    });
}

#[test]
fn what_nobody_can_check_is_passed_on_by_nobody() {
    run(async {
        let history = History::make();
        let first = Running::start(history.open(0), &history.nodes[0].datadir.join("keys"), Vec::new());
        let address = first.address().await;
        let second = Running::start(history.open(1), &history.nodes[1].datadir.join("keys"), vec![address.clone()]);
        let (first_id, genesis) = (first.node.part.get().unwrap().network.local_id(), first.node.genesis_hash.0);
        let network = &second.node.part.get().unwrap().network;
        eventually("connection", async || (network.snapshot().await.unwrap().peers.len() == 1).then_some(())).await;
        let mut attackers = Vec::new();
        for seed in 1..=5 {
            attackers.push(Attacker::start(genesis, seed, &[&address]).0);
        }
        let network_of_first = &first.node.part.get().unwrap().network;
        let all = async || (network_of_first.snapshot().await.unwrap().peers.len() == 6).then_some(());
        eventually("attackers", all).await;
        // As many each as one peer may send: bodies of a height to come, which nobody signed.
        for (number, attacker) in attackers.iter().enumerate() {
            for place in 0..16_u8 {
                let body = bft::Body {
                    height: u64::MAX,
                    round: number as u32,
                    block_hash: B256::repeat_byte(place),
                    proposal_signature: alloy_primitives::B512::ZERO,
                    vrf_proof: None,
                    parent_certificate: None,
                    block: Bytes::new(),
                };
                let said_at = [0, 0, 0, place];
                let bytes = [bft::Message::Body(Box::new(body)).encode(), said_at.to_vec()].concat();
                let _ = attacker.handle.publish(Topic::Bodies, bytes);
            }
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let seen = network.snapshot().await.unwrap();
        assert!(
            seen.bans.is_empty() && seen.peers.iter().any(|peer| peer.id == first_id && peer.score == 0),
            "{seen:?}"
        );
        for attacker in attackers {
            attacker.stop().await;
        }
        first.stop().await;
        second.stop().await;
    });
}
