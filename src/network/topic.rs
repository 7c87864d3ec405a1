//! What gossip is about: four topics, each with its own bounds.

use libp2p::gossipsub::{IdentTopic, TopicHash};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Proposals, votes, and certificates that a round was left with.
    Votes,
    /// Blocks with the certificate and the seal that travel with them.
    Bodies,
    /// Transactions for the pool.
    Transactions,
    /// Batches of signed task proofs.
    Proofs,
}

/// The bounds of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicLimits {
    /// Most bytes of one message.
    pub(super) max_bytes: usize,
    /// Messages that one peer may send at once, and how many a minute after that. What it sends of what came from
    /// elsewhere already is not counted here.
    pub(super) burst: u64,
    /// See `burst`.
    pub(super) per_minute: u64,
    /// Messages that wait for the node.
    pub(super) waiting: usize,
    /// Bytes of these.
    pub(super) waiting_bytes: usize,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Topic {
    /// All topics.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Bodies, Self::Transactions, Self::Proofs];

    /// Its name, as in the topic that nodes listen to.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Bodies => "bodies",
            Self::Transactions => "transactions",
            Self::Proofs => "proofs",
        }
    }

    /// Most bytes of one message.
    pub const fn max_bytes(self) -> usize {
        self.limits().max_bytes
    }

    /// Its bounds, with their reasons.
    pub(super) const fn limits(self) -> TopicLimits {
        match self {
            // A vote is below 4 KiB; a certificate with the signatures of 100 validators takes 10. A height has two votes of
            // each validator and round: a burst is ten rounds of the largest chain.
            Self::Votes => TopicLimits {
                max_bytes: 16 * KIB,
                burst: 2_048,
                per_minute: 12_000,
                waiting: 2_048,
                waiting_bytes: 4 * MIB,
            },
            // A block has 1 MiB of transactions; header, certificate and seal take 10 KiB. One slot has one body for each
            // round, and a round lasts a second at least.
            Self::Bodies => TopicLimits {
                max_bytes: MIB + 64 * KIB,
                burst: 16,
                per_minute: 60,
                waiting: 32,
                waiting_bytes: 8 * MIB,
            },
            // Who comes back from a quiet hour may pass a whole pool on; a block takes 1000.
            Self::Transactions => TopicLimits {
                max_bytes: 128 * KIB,
                burst: 8_192,
                per_minute: 6_000,
                waiting: 4_096,
                waiting_bytes: 4 * MIB,
            },
            // Each node has three proofs a slot at most, some in one batch.
            Self::Proofs => {
                TopicLimits { max_bytes: 16 * KIB, burst: 512, per_minute: 1_200, waiting: 512, waiting_bytes: MIB }
            }
        }
    }

    /// Its place in tables with one entry for each topic.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The topic that nodes of a chain listen to.
    pub(super) fn of_chain(self, genesis: &[u8; 32]) -> IdentTopic {
        IdentTopic::new(format!("{}/{}/1", chain_prefix(genesis), self.name()))
    }

    /// The topic of a chain that has this name.
    pub(super) fn named(hash: &TopicHash, genesis: &[u8; 32]) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.of_chain(genesis).hash() == *hash)
    }
}

/// What the names of all protocols of a chain begin with: eight bytes of its genesis hash, so that nodes of two chains
/// have no word in common.
pub(super) fn chain_prefix(genesis: &[u8; 32]) -> String {
    let first: String = genesis[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/lucid/{first}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_named_after_their_chain() {
        let genesis = [0xab; 32];
        assert_eq!(Topic::Votes.of_chain(&genesis).hash().as_str(), "/lucid/abababababababab/votes/1");
        for topic in Topic::ALL {
            assert_eq!(Topic::named(&topic.of_chain(&genesis).hash(), &genesis), Some(topic));
            assert_eq!(Topic::named(&topic.of_chain(&[1; 32]).hash(), &genesis), None);
        }
    }

    #[test]
    fn the_largest_message_of_each_topic_has_a_place_to_wait() {
        for topic in Topic::ALL {
            let limits = topic.limits();
            let share = crate::network::limits::PEER_SHARE;
            assert!(limits.waiting_bytes / share >= limits.max_bytes, "{topic:?}");
            assert!(limits.waiting / share >= 1);
        }
    }
}
