//! Signs two messages for each step: one half of the others hears one, the other half the other, and some both.

use super::attack::{Attack, Attacker, Outgoing};
use crate::ledger::Craft;
use alloy_primitives::B256;
use lucid_node::consensus::bft::{Message, Recipient, SignedVote};
use lucid_types::blake3;

pub(super) struct Equivocator;

impl Equivocator {
    /// What contradicts a vote: nil, or a block that is none.
    fn other(attack: &mut Attack<'_>, vote: SignedVote) -> SignedVote {
        let made_up = blake3([b"no block".as_slice(), &vote.height.to_be_bytes()]);
        let block_hash = match vote.block_hash {
            Some(_) if !vote.is_proposal() && attack.rng.in_thousand(500) => None,
            Some(hash) if hash == made_up => Some(B256::ZERO),
            _ => Some(made_up),
        };
        attack.sign(SignedVote { block_hash, ..vote })
    }
}

impl Attacker for Equivocator {
    fn craft(&mut self, attack: &mut Attack<'_>) -> Craft {
        if attack.rng.in_thousand(300) { Craft::Twin } else { Craft::Honest }
    }

    fn sends(&mut self, attack: &mut Attack<'_>, to: Recipient, message: Message) -> Outgoing {
        let (Recipient::All, Message::Vote(vote)) = (to, &message) else { return vec![(to, message)] };
        let other = Message::Vote(Self::other(attack, *vote));
        let mut out = Vec::new();
        for to in attack.others() {
            let (first, both) = (attack.rng.in_thousand(500), attack.rng.in_thousand(200));
            if first || both {
                out.push((to, message.clone()));
            }
            if !first || both {
                out.push((to, other.clone()));
            }
        }
        out
    }
}
