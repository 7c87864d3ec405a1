//! Signs two messages for each step. When it leads it makes two valid blocks, shows one half of the others one and the
//! other half the other, and votes to each half for what that half has seen. Otherwise it makes something up.

use super::attack::{Attack, Attacker, Outgoing};
use alloy_primitives::{B256, B512};
use lucid_node::consensus::bft::{Body, BuiltBlock, Message, Recipient, SignedVote};
use lucid_types::{VoteKind, blake3};

#[derive(Default)]
pub(super) struct Equivocator {
    /// The second block of the round that it led last.
    twin: Option<Body>,
    /// The first.
    first: Option<B256>,
}

impl Equivocator {
    /// What one half hears instead.
    fn other(&self, attack: &mut Attack<'_>, vote: SignedVote) -> SignedVote {
        let twin = self.twin.as_ref().filter(|twin| twin.height == vote.height && vote.block_hash == self.first);
        let made_up = blake3([b"no block".as_slice(), &vote.height.to_be_bytes()]);
        let block_hash = match (vote.block_hash, twin) {
            (Some(_), Some(twin)) => Some(twin.block_hash),
            (Some(_), None) if !vote.is_proposal() && attack.rng.in_thousand(500) => None,
            (Some(hash), None) if hash == made_up => Some(B256::ZERO),
            _ => Some(made_up),
        };
        attack.sign(SignedVote { block_hash, ..vote })
    }

    fn other_body(&self, body: &Body) -> Option<Body> {
        self.twin.clone().filter(|_| self.first == Some(body.block_hash))
    }
}

impl Attacker for Equivocator {
    fn makes_twins(&self) -> bool {
        true
    }

    fn twin(&mut self, attack: &mut Attack<'_>, first: B256, built: BuiltBlock) {
        let BuiltBlock { height, round, block_hash, vrf_proof, parent_certificate, block, .. } = built;
        let (voter, signature) = (attack.chain.addresses[attack.own], B512::ZERO);
        let kind = VoteKind::Proposal { pol_round: None };
        let proposal = attack.sign(SignedVote { voter, height, round, kind, block_hash: Some(block_hash), signature });
        let proposal_signature = proposal.signature;
        self.first = Some(first);
        self.twin = Some(Body { height, round, block_hash, proposal_signature, vrf_proof, parent_certificate, block });
    }

    fn sends(&mut self, attack: &mut Attack<'_>, to: Recipient, message: Message) -> Outgoing {
        let other = match (&message, to) {
            (Message::Vote(vote), Recipient::All) => Message::Vote(self.other(attack, *vote)),
            (Message::Body(body), Recipient::All) => match self.other_body(body) {
                Some(twin) => Message::Body(Box::new(twin)),
                None => return vec![(to, message)],
            },
            _ => return vec![(to, message)],
        };
        let mut out = Vec::new();
        for (place, to) in attack.others().enumerate() {
            let (first, both) = (place % 2 == 0, attack.rng.in_thousand(100));
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
