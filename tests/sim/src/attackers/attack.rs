//! What an attacker can do, and which there are.

use super::{
    bad_vrf::BadVrf, equivocator::Equivocator, flooder::Flooder, forged_proofs::ForgedProofs, forger::Forger,
    invalid_block::InvalidBlock, liar::Liar, replayer::Replayer, silent_leader::SilentLeader, withholder::Withholder,
};
use crate::{chain::SimChain, ledger::Craft, rng::Rng};
use alloy_primitives::B256;
use lucid_node::consensus::bft::{BuiltBlock, Message, Peer, Recipient, SignedVote};

/// What an attacker sees when it acts.
pub struct Attack<'a> {
    /// Chance.
    pub rng: &'a mut Rng,
    /// The chain.
    pub chain: &'a SimChain,
    /// Its own number.
    pub own: usize,
    /// The height that its machine is at.
    pub height: u64,
}

impl Attack<'_> {
    /// A vote with the attacker's own, good signature.
    pub fn sign(&self, vote: SignedVote) -> SignedVote {
        let unsigned = SignedVote { voter: self.chain.addresses[self.own], ..vote };
        let bytes = unsigned.vote(self.chain.genesis_hash).sign_bytes();
        SignedVote { signature: self.chain.keys[self.own].sign_message_sha256(&bytes).into(), ..unsigned }
    }

    /// Another node.
    pub fn somebody(&mut self) -> Recipient {
        let other = 1 + self.rng.place(self.chain.keys.len() - 1);
        Recipient::Peer(Peer(((self.own + other) % self.chain.keys.len()) as u64))
    }

    /// Each of the other nodes.
    pub fn others(&self) -> impl Iterator<Item = Recipient> + use<> {
        let own = self.own;
        let all = 0..self.chain.keys.len();
        all.filter(move |i| *i != own).map(|i| Recipient::Peer(Peer(i as u64)))
    }
}

/// What goes out, and to whom.
pub(crate) type Outgoing = Vec<(Recipient, Message)>;

/// A node that breaks rules. By default it keeps them.
pub trait Attacker {
    /// How it makes a block when it leads.
    fn craft(&mut self, _attack: &mut Attack<'_>) -> Craft {
        Craft::Honest
    }

    /// Whether it makes a second block whenever it makes one.
    fn makes_twins(&self) -> bool {
        false
    }

    /// The second block, beside the first.
    fn twin(&mut self, _attack: &mut Attack<'_>, _first: B256, _built: BuiltBlock) {}

    /// What goes out in place of a message of its machine.
    fn sends(&mut self, _attack: &mut Attack<'_>, to: Recipient, message: Message) -> Vec<(Recipient, Message)> {
        vec![(to, message)]
    }

    /// It hears a message.
    fn hears(&mut self, _message: &Message) {}

    /// Whether it sends task proofs now that count nothing; asked about once a second.
    fn forges_proofs(&mut self, _attack: &mut Attack<'_>) -> bool {
        false
    }

    /// What goes out of its own accord, about once a second.
    fn acts(&mut self, _attack: &mut Attack<'_>) -> Vec<(Recipient, Message)> {
        Vec::new()
    }
}

/// The attackers that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttackerKind {
    /// Signs two messages for each step.
    Equivocator,
    /// Never proposes.
    SilentLeader,
    /// Proposes blocks that break a rule.
    InvalidBlock,
    /// Repeats what was said long ago.
    Replayer,
    /// Votes on heights to come.
    Flooder,
    /// Votes to some and not to others.
    Withholder,
    /// Proposes with a VRF proof that is not its own.
    BadVrf,
    /// Writes certificates and votes that nobody signed.
    Forger,
    /// Says that it is far ahead.
    Liar,
    /// Sends task proofs that count nothing.
    ForgedProofs,
}

impl AttackerKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Equivocator,
        Self::SilentLeader,
        Self::InvalidBlock,
        Self::Replayer,
        Self::Flooder,
        Self::Withholder,
        Self::BadVrf,
        Self::Forger,
        Self::Liar,
        Self::ForgedProofs,
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| format!("{kind:?}") == name)
    }

    /// A new one.
    pub fn attacker(self) -> Box<dyn Attacker> {
        match self {
            Self::Equivocator => Box::<Equivocator>::default(),
            Self::SilentLeader => Box::new(SilentLeader),
            Self::InvalidBlock => Box::new(InvalidBlock),
            Self::Replayer => Box::<Replayer>::default(),
            Self::Flooder => Box::new(Flooder),
            Self::Withholder => Box::new(Withholder),
            Self::BadVrf => Box::new(BadVrf),
            Self::Forger => Box::<Forger>::default(),
            Self::Liar => Box::new(Liar),
            Self::ForgedProofs => Box::new(ForgedProofs),
        }
    }
}
