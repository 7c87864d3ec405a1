//! Signs votes on heights and rounds to come, near ones and far ones, many of them.

use super::attack::{Attack, Attacker, Outgoing};
use alloy_primitives::{Address, B256, B512};
use lucid_node::consensus::bft::{Message, SignedVote};
use lucid_types::VoteKind;

/// Votes in one go.
const VOTES: u64 = 6;

pub(super) struct Flooder;

impl Attacker for Flooder {
    fn acts(&mut self, attack: &mut Attack<'_>) -> Outgoing {
        let mut out = Vec::new();
        for _ in 0..VOTES {
            let ahead = if attack.rng.in_thousand(700) { attack.rng.between(0, 3) } else { attack.rng.bits() >> 1 };
            let round = if attack.rng.in_thousand(700) { attack.rng.between(0, 12) as u32 } else { u32::MAX };
            let kind = if attack.rng.in_thousand(500) { VoteKind::Prevote } else { VoteKind::Precommit };
            let block_hash = Some(B256::left_padding_from(&attack.rng.bits().to_be_bytes()));
            let height = attack.height.saturating_add(ahead);
            let (voter, signature) = (Address::ZERO, B512::ZERO);
            let vote = attack.sign(SignedVote { voter, height, round, kind, block_hash, signature });
            out.push((attack.somebody(), Message::Vote(vote)));
        }
        out
    }
}
