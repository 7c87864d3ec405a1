//! What can go wrong between the node and the network.

use std::io;

use super::limits::MAX_STATIC_PEERS;

/// Why the network does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A peer's name cannot be read.
    #[error("`{text}` is no peer id")]
    PeerId {
        /// What was given, cut to a line.
        text: String,
    },
    /// Where a peer is cannot be read, or names nobody.
    #[error("`{text}` is no address of a peer: /ip4/ADDRESS/tcp/PORT/p2p/PEER-ID or /ip6/… (names are not looked up)")]
    PeerAddress {
        /// What was given, cut to a line.
        text: String,
    },
    /// An address to listen on or to be found under cannot be read.
    #[error("`{text}` is no address: /ip4/ADDRESS/tcp/PORT or /ip6/ADDRESS/tcp/PORT")]
    OwnAddress {
        /// What was given, cut to a line.
        text: String,
    },
    /// More static peers than a chain has validators.
    #[error("{given} static peers, more than {MAX_STATIC_PEERS}")]
    TooManyStaticPeers {
        /// How many were given.
        given: usize,
    },
    /// More or fewer peers at most than are allowed.
    #[error("{given} peers at most is not between {least} and {most}")]
    MaxPeers {
        /// What was given.
        given: u32,
        /// Least that is allowed.
        least: u32,
        /// Most that is allowed.
        most: u32,
    },
    /// Nothing can listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// mDNS cannot start.
    #[error("cannot look for nodes nearby (mDNS): {0}")]
    Mdns(#[source] io::Error),
    /// The key of this node, or the system, does not give what a channel needs.
    #[error("cannot make the key for channels: {0}")]
    Channel(String),
    /// The parts do not fit together, which the tests of this room rule out.
    #[error("the network cannot be set up: {0}")]
    Setup(String),
}

/// Why something that the node asked for was not taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Too much waits already; the node may try again.
    #[error("the network is busy")]
    Busy,
    /// More bytes than may be sent.
    #[error("{bytes} bytes, more than the {most} that may be sent")]
    TooLarge {
        /// How many.
        bytes: usize,
        /// How many may be.
        most: usize,
    },
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// Why there is no response to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not taken up.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The peer is not connected, or went before it answered.
    #[error("the peer is not connected")]
    NotConnected,
    /// As many requests as may be are open with this peer.
    #[error("too many requests of this peer are open")]
    Busy,
    /// It did not answer in time.
    #[error("the peer did not answer in time")]
    Timeout,
    /// It refused, cut its answer off, or sent more than may be sent.
    #[error("the peer did not answer as it should")]
    Failed,
}
