//! The network: what a node tells others, what they tell it, and who they are. Bytes and types, no judgement.
//!
//! *Gossip* spreads transactions, bodies, votes and task proofs: a message is passed on only after the node has said that it
//! is worth it, so that nonsense ends at the first honest node. *Requests* ask one peer for something, and the node gives
//! both the question and the answer their meaning. A *score* is kept of each peer; what costs points is what the node or
//! this room saw, one table of weights says how many, and whoever loses too many is banned for a time.
//!
//! [`Network`] is a future that the node's task runs; a [`NetworkHandle`] asks it for things, and [`NetworkEvents`] is what
//! comes in. All of it is bounded (`limits`): what comes faster than the node takes it is dropped. What a peer is remembered
//! by are rows, which the node writes.
//!
//! Messages carry no author's signature: transactions, votes, bodies and proofs are signed by whom they are of, so another
//! signature would only say who spoke first, and cost a hundred bytes and a check each.

mod address;
mod behaviour;
mod bookkeeping;
mod config;
mod counts;
mod error;
mod gate;
mod gossip;
mod handle;
mod inbox;
mod judging;
pub mod limits;
mod noise;
mod offence;
mod rate;
mod rates;
mod requests;
mod rows;
mod run;
mod swarm_events;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod topic;

pub use address::{PeerAddress, PeerId, check_endpoint};
pub use config::NetworkConfig;
pub use counts::NetworkCounts;
pub use error::{NetworkError, Refused, RequestError};
pub use handle::{BanInfo, NetworkHandle, NetworkSnapshot, PeerInfo, Verdict};
pub use inbox::{Message, MessageId, NetworkEvent, NetworkEvents, Request, RequestId};
pub use offence::Offence;
pub use rows::PeerChange;
pub use run::Network;
pub use topic::Topic;
