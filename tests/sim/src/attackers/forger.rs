//! Writes what nobody signed: votes in the name of others, certificates of votes for something else, and a decided block with
//! too few precommits, good ones.

use super::attack::{Attack, Attacker, Outgoing};
use alloy_primitives::{B256, B512};
use lucid_node::consensus::bft::{Body, Message, PolkaCertificate, RoundCertificate, RoundReason, SignedVote};
use lucid_types::{Certificate, CommitSignature, VoteKind};

/// Votes of others that are kept.
const KEPT: usize = 64;

#[derive(Default)]
pub(super) struct Forger {
    /// A body that it heard of, to put under a false certificate.
    body: Option<Box<Body>>,
    /// Votes of others, the newest last.
    votes: Vec<SignedVote>,
}

impl Forger {
    /// Signatures in the name of all, made of what others signed for something else, or of nothing.
    fn false_signatures(&self, attack: &Attack<'_>) -> Vec<CommitSignature> {
        let made = |address| {
            let heard = self.votes.iter().rev().find(|vote| vote.voter == address);
            CommitSignature { address, signature: heard.map_or(B512::repeat_byte(7), |vote| vote.signature) }
        };
        attack.chain.addresses.iter().copied().map(made).collect()
    }

    /// The precommits for the body that it heard, with its own beside them, in the round of the newest.
    fn true_signatures(&self, attack: &Attack<'_>, body: &Body) -> Option<(u32, Vec<CommitSignature>)> {
        let of_body = |vote: &&SignedVote| {
            (vote.height, vote.kind, vote.block_hash) == (body.height, VoteKind::Precommit, Some(body.block_hash))
        };
        let newest = *self.votes.iter().rev().find(of_body)?;
        let same = self.votes.iter().filter(of_body).filter(|vote| vote.round == newest.round).copied();
        let mut signatures: Vec<_> = same
            .chain([attack.sign(newest)])
            .map(|vote| CommitSignature { address: vote.voter, signature: vote.signature })
            .collect();
        signatures.sort_by_key(|vote| vote.address);
        signatures.dedup_by_key(|vote| vote.address);
        Some((newest.round, signatures))
    }

    fn forged_vote(attack: &mut Attack<'_>, round: u32, block_hash: B256) -> Message {
        let voter = attack.chain.addresses[attack.rng.place(attack.chain.addresses.len())];
        let (kind, signature) = (VoteKind::Precommit, B512::repeat_byte(3));
        Message::Vote(SignedVote { voter, height: attack.height, round, kind, block_hash: Some(block_hash), signature })
    }

    /// A round is over, says one vote as many times as there are voters.
    fn forged_round(attack: &Attack<'_>, round: u32) -> Message {
        let (voter, signature) = (attack.chain.addresses[attack.own], B512::ZERO);
        let (height, kind, block_hash) = (attack.height, VoteKind::Precommit, None);
        let vote = attack.sign(SignedVote { voter, height, round, kind, block_hash, signature });
        let votes = vec![vote; attack.chain.addresses.len()];
        Message::Round(RoundCertificate { height, round, reason: RoundReason::Over, votes })
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
        let signatures = self.false_signatures(attack);
        let message = match (attack.rng.between(0, 4), self.body.clone()) {
            (0, _) => Self::forged_vote(attack, round, block_hash),
            (1, _) => Message::Polka(PolkaCertificate { height, round, block_hash, signatures }),
            (2, _) => Self::forged_round(attack, round),
            (_, None) => return Vec::new(),
            (3, Some(body)) => {
                let certificate = Certificate { height: body.height, round, block_hash, signatures };
                Message::Block { body, certificate }
            }
            (_, Some(body)) => {
                let Some((round, signatures)) = self.true_signatures(attack, &body) else { return Vec::new() };
                let certificate = Certificate { height: body.height, round, block_hash, signatures };
                Message::Block { body, certificate }
            }
        };
        vec![(attack.somebody(), message)]
    }
}
