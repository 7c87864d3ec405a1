//! Writes what nobody signed: votes in the name of others, certificates without enough votes or with votes of another
//! kind, and a decided block with such a certificate.

use super::attack::{Attack, Attacker, Outgoing};
use alloy_primitives::{B256, B512};
use lucid_node::consensus::bft::{Body, Message, PolkaCertificate, RoundCertificate, RoundReason, SignedVote};
use lucid_types::{Certificate, CommitSignature, VoteKind};

#[derive(Default)]
pub(super) struct Forger {
    /// A body that it heard of, to put under a false certificate.
    body: Option<Box<Body>>,
    /// Votes of others that it heard.
    votes: Vec<SignedVote>,
}

/// Votes kept.
const KEPT: usize = 64;

impl Forger {
    /// Signatures in the name of all, made of what others signed for something else, or of nothing.
    fn signatures(&self, attack: &mut Attack<'_>) -> Vec<CommitSignature> {
        let addresses = attack.chain.addresses.clone();
        let made = |address| {
            let heard = self.votes.iter().rev().find(|vote| vote.voter == address);
            CommitSignature { address, signature: heard.map_or(B512::repeat_byte(7), |vote| vote.signature) }
        };
        addresses.into_iter().map(made).collect()
    }
}

impl Attacker for Forger {
    fn hears(&mut self, message: &Message) {
        match message {
            Message::Body(body) => self.body = Some(body.clone()),
            Message::Vote(vote) => {
                self.votes.push(*vote);
                if self.votes.len() > KEPT {
                    self.votes.remove(0);
                }
            }
            _ => {}
        }
    }

    fn acts(&mut self, attack: &mut Attack<'_>) -> Outgoing {
        let (height, round) = (attack.height, attack.rng.between(0, 3) as u32);
        let block_hash = self.body.as_ref().map_or(B256::repeat_byte(9), |body| body.block_hash);
        let signatures = self.signatures(attack);
        let message = match attack.rng.between(0, 3) {
            0 => {
                let victim = attack.chain.addresses[attack.rng.place(attack.chain.addresses.len())];
                let vote = SignedVote {
                    voter: victim,
                    height,
                    round,
                    kind: VoteKind::Precommit,
                    block_hash: Some(block_hash),
                    signature: B512::repeat_byte(3),
                };
                Message::Vote(vote)
            }
            1 => Message::Polka(PolkaCertificate { height, round, block_hash, signatures }),
            2 => {
                let own = SignedVote {
                    height,
                    round: round + 1,
                    ..self.votes.first().copied().unwrap_or(SignedVote {
                        voter: attack.chain.addresses[attack.own],
                        height,
                        round,
                        kind: VoteKind::Precommit,
                        block_hash: None,
                        signature: B512::ZERO,
                    })
                };
                let vote = SignedVote { kind: VoteKind::Precommit, ..own };
                let votes = vec![attack.sign(vote); attack.chain.addresses.len()];
                Message::Round(RoundCertificate { height, round: round + 1, reason: RoundReason::Over, votes })
            }
            _ => {
                let Some(body) = self.body.clone() else { return Vec::new() };
                let certificate = Certificate { height: body.height, round, block_hash, signatures };
                Message::Block { body, certificate }
            }
        };
        vec![(attack.somebody(), message)]
    }
}
