//! What libp2p runs for this node, and how its connections are made.

use std::{io, net::TcpListener, time::Duration};

use libp2p::{
    Multiaddr, Swarm, Transport, TransportError,
    core::upgrade::Version,
    identify,
    identity::Keypair,
    mdns, ping, request_response as requests,
    swarm::{self, NetworkBehaviour, behaviour::toggle::Toggle},
    tcp, yamux,
};

use super::{
    address::{ip_of, tcp_port},
    config::NetworkConfig,
    error::NetworkError,
    gate::Gate,
    gossip::{Gossip, gossip},
    limits::{
        HANDSHAKE_TIMEOUT_MS, IDENTIFY_INTERVAL_MS, MAX_NEGOTIATING_STREAMS, MAX_REQUESTS_PER_PEER,
        MAX_STREAMS_PER_CONNECTION, PING_INTERVAL_MS, PING_TIMEOUT_MS, REQUEST_TIMEOUT_MS,
    },
    noise::{Noise, Traffic},
    sync::{SyncCodec, protocol},
};

/// How long a connection that nobody uses stays open. Whether it should be there is this room's decision and no timer's.
const IDLE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What this program calls itself to peers.
const AGENT: &str = concat!("lucid-node/", env!("CARGO_PKG_VERSION"));

/// The parts, in the order in which they are asked whether somebody may connect.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(super) struct Behaviour {
    pub(super) gate: Gate,
    pub(super) gossip: Gossip,
    pub(super) sync: requests::Behaviour<SyncCodec>,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
}

/// What a node of a chain says that it speaks.
pub(super) fn chain_protocol(genesis: &[u8; 32]) -> String {
    let all: String = genesis.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/lucid/{all}/1")
}

/// Makes all of it. Within a runtime of tokio, which libp2p's sockets belong to.
pub(super) fn swarm(
    identity: &Keypair,
    genesis: &[u8; 32],
    config: &NetworkConfig,
    traffic: Traffic,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let setup = |error: &dyn std::fmt::Display| NetworkError::Setup(error.to_string());
    let noise = Noise::new(identity, traffic).map_err(|error| NetworkError::Channel(error.to_string()))?;
    let mut muxer = yamux::Config::default();
    muxer.set_max_num_streams(MAX_STREAMS_PER_CONNECTION);
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(muxer)
        .timeout(Duration::from_millis(HANDSHAKE_TIMEOUT_MS))
        .boxed();
    let sync_config = requests::Config::default()
        .with_request_timeout(Duration::from_millis(REQUEST_TIMEOUT_MS))
        .with_max_concurrent_streams(2 * MAX_REQUESTS_PER_PEER);
    let sync_protocol = protocol(genesis).map_err(|error| setup(&error))?;
    let identify_config = identify::Config::new(chain_protocol(genesis), identity.public())
        .with_agent_version(AGENT.to_owned())
        .with_interval(Duration::from_millis(IDENTIFY_INTERVAL_MS))
        .with_push_listen_addr_updates(true)
        .with_cache_size(0);
    let ping_config = ping::Config::new()
        .with_interval(Duration::from_millis(PING_INTERVAL_MS))
        .with_timeout(Duration::from_millis(PING_TIMEOUT_MS));
    let peer = identity.public().to_peer_id();
    let nearby = |()| mdns::tokio::Behaviour::new(mdns::Config::default(), peer).map_err(NetworkError::Mdns);
    let behaviour = Behaviour {
        gate: Gate::new(config.max_peers, config.max_per_address),
        gossip: gossip(genesis)?,
        sync: requests::Behaviour::with_codec(
            SyncCodec,
            [(sync_protocol, requests::ProtocolSupport::Full)],
            sync_config,
        ),
        identify: identify::Behaviour::new(identify_config),
        ping: ping::Behaviour::new(ping_config),
        mdns: config.mdns.then_some(()).map(nearby).transpose()?.into(),
    };
    let swarm_config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING_STREAMS);
    let mut swarm = Swarm::new(transport, behaviour, peer, swarm_config);
    for address in &config.listen {
        let refused = |source| NetworkError::Listen { address: address.to_string(), source };
        refuse_taken(address).map_err(refused)?;
        swarm.listen_on(address.clone()).map_err(|error| match error {
            TransportError::Other(source) => refused(source),
            other @ TransportError::MultiaddrNotSupported(_) => refused(io::Error::other(other)),
        })?;
    }
    for address in &config.external {
        swarm.add_external_address(address.clone());
    }
    Ok(swarm)
}

/// Refuses a port that another program listens on. The library's own sockets share theirs with whoever asks for it, and
/// peers would then reach now one of two nodes and now the other.
fn refuse_taken(address: &Multiaddr) -> io::Result<()> {
    match (ip_of(address), tcp_port(address)) {
        (Some(ip), Some(port)) => TcpListener::bind((ip, port)).map(drop),
        _ => Ok(()),
    }
}
