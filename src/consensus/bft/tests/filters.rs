//! What is not let in: strangers, forgeries, messages nobody honest writes, floods.

use super::net::{Net, sign};
use crate::{consensus::bft::*, keys::SecretKey};
use alloy_primitives::{Address, B256};
use lucid_types::{CommitSignature, VoteKind};

const FIRST: VoteKind = VoteKind::Proposal { pol_round: None };

/// What a machine with an open height 1 says to one message.
fn said_to(net: &mut Net, message: Message) -> Vec<Effect> {
    net.loses = |_, _, _| true;
    net.tell(1, Input::Waiting { height: 1 });
    net.nodes[1].machine.step(Input::Message { from: Peer(9), message }, net.now).unwrap()
}

fn score(fault: Fault) -> Vec<Effect> {
    vec![Effect::Score { peer: Peer(9), fault }]
}

#[test]
fn a_stranger_is_not_heard() {
    let mut net = Net::new(4);
    let key = SecretKey::from_bytes(&[77; 32]).unwrap();
    let vote = sign(&key, SignedVote { voter: Address::repeat_byte(77), ..net.vote(0, 0, VoteKind::Prevote, None) });
    assert_eq!(said_to(&mut net, Message::Vote(vote)), score(Fault::NotAMember));
}

#[test]
fn a_forged_signature_is_not_heard() {
    let mut net = Net::new(4);
    for kind in [VoteKind::Prevote, VoteKind::Precommit] {
        let vote = SignedVote { voter: net.nodes[2].address, ..net.vote(0, 0, kind, None) };
        assert_eq!(said_to(&mut net, Message::Vote(vote)), score(Fault::BadSignature));
        let other_round = SignedVote { round: 1, ..net.vote(0, 0, kind, None) };
        assert_eq!(said_to(&mut net, Message::Vote(other_round)), score(Fault::BadSignature));
    }
}

#[test]
fn a_proposal_counts_from_the_leader_of_its_round_only() {
    let mut net = Net::new(4);
    let hash = Some(B256::repeat_byte(1));
    let proposal = net.vote(2, 0, FIRST, hash);
    assert_eq!(said_to(&mut net, Message::Vote(proposal)), score(Fault::WrongLeader));
    let malformed = net.vote(2, 2, VoteKind::Proposal { pol_round: Some(2) }, hash);
    assert_eq!(said_to(&mut net, Message::Vote(malformed)), score(Fault::Malformed));
}

#[test]
fn votes_of_rounds_far_ahead_are_let_go() {
    let mut net = Net::new(4);
    for round in [11, 1_000, u32::MAX] {
        let vote = net.vote(0, round, VoteKind::Prevote, None);
        assert_eq!(said_to(&mut net, Message::Vote(vote)), []);
    }
    let vote = net.vote(0, 10, VoteKind::Prevote, None);
    assert_ne!(said_to(&mut net, Message::Vote(vote)), []);
}

#[test]
fn what_came_before_is_written_once() {
    let mut net = Net::new(4);
    let vote = net.vote(0, 0, VoteKind::Prevote, None);
    assert_eq!(said_to(&mut net, Message::Vote(vote)).len(), 1);
    assert_eq!(said_to(&mut net, Message::Vote(vote)), []);
}

#[test]
fn a_body_of_another_size_or_author_is_unfit() {
    let mut net = Net::new(4);
    let block = super::net::block(true, 0, 10, 1);
    let block_hash = lucid_types::blake3([&block]);
    let body = |signer: usize, block: alloy_primitives::Bytes| {
        let proposal_signature = net.vote(signer, 0, FIRST, Some(block_hash)).signature;
        let (vrf_proof, parent_certificate) = (None, None);
        Message::Body(Box::new(Body {
            height: 1,
            round: 0,
            block_hash,
            proposal_signature,
            vrf_proof,
            parent_certificate,
            block,
        }))
    };
    let (large, foreign, good) = (body(0, vec![0; (1 << 10) + 1].into()), body(2, block.clone()), body(0, block));
    assert_eq!(said_to(&mut net, large), score(Fault::UnfitBody));
    assert_eq!(said_to(&mut net, foreign), score(Fault::UnfitBody));
    assert!(matches!(said_to(&mut net, good.clone())[..], [Effect::Judge(_)]));
    assert_eq!(said_to(&mut net, good), [], "it is judged once");
}

#[test]
fn certificates_count_members_once_and_only_good_signatures() {
    let mut net = Net::new(4);
    let hash = B256::repeat_byte(1);
    let signature = |i: usize, kind, hash| {
        let vote = net.vote(i, 0, kind, hash);
        CommitSignature { address: vote.voter, signature: vote.signature }
    };
    let polka = |signatures| Message::Polka(PolkaCertificate { height: 1, round: 0, block_hash: hash, signatures });
    let pre = |i| signature(i, VoteKind::Prevote, Some(hash));
    let bad = [
        polka(vec![pre(0), pre(2)]),
        polka(vec![pre(0), pre(2), pre(2)]),
        polka(vec![pre(0), pre(2), signature(3, VoteKind::Precommit, Some(hash))]),
        polka(vec![pre(0), pre(2), CommitSignature { address: Address::ZERO, ..pre(3) }]),
    ];
    let round = |reason, votes| Message::Round(RoundCertificate { height: 1, round: 0, reason, votes });
    let vote = |i, kind| net.vote(i, 0, kind, None);
    let nil = |i| vote(i, VoteKind::Precommit);
    let bad_rounds = [
        round(RoundReason::Over, vec![nil(0), nil(2)]),
        round(RoundReason::Over, vec![nil(0), nil(2), nil(0)]),
        round(RoundReason::Over, vec![nil(0), nil(2), vote(3, VoteKind::Prevote)]),
        round(RoundReason::Begun, vec![nil(0)]),
        round(RoundReason::Begun, vec![nil(0), vote(0, VoteKind::Prevote)]),
    ];
    let good = [polka(vec![pre(0), pre(2), pre(3)]), round(RoundReason::Over, vec![nil(0), nil(2), nil(3)])];
    for message in bad.into_iter().chain(bad_rounds) {
        assert_eq!(said_to(&mut net, message.clone()), score(Fault::BadCertificate), "{message:?}");
    }
    for message in good {
        let said = said_to(&mut net, message);
        assert!(!said.is_empty() && said.iter().all(|effect| !matches!(effect, Effect::Score { .. })), "{said:?}");
    }
}

#[test]
fn a_decided_block_with_a_false_certificate_is_not_taken() {
    let mut net = Net::new(4);
    net.loses = |_, to, _| to == 1;
    net.decide(1, &[0, 2, 3]);
    let (decision, body) = net.nodes[0].chain[0].clone();
    let mut certificate = decision.certificate.clone();
    certificate.signatures.pop();
    let short = Message::Block { body: Box::new(body.clone()), certificate };
    let other = lucid_types::Certificate { block_hash: B256::ZERO, ..decision.certificate.clone() };
    let other = Message::Block { body: Box::new(body.clone()), certificate: other };
    for message in [short, other] {
        assert!(said_to(&mut net, message).contains(&Effect::Score { peer: Peer(9), fault: Fault::BadCertificate }));
    }
    let good = Message::Block { body: Box::new(body), certificate: decision.certificate };
    net.tell(1, Input::Message { from: Peer(9), message: good });
    assert_eq!(net.nodes[1].chain.len(), 1);
}

#[test]
fn votes_of_the_next_height_wait_until_it_is_reached() {
    let mut net = Net::new(4);
    net.loses = |_, to, message| to == 1 || matches!(message, Message::Vote(vote) if vote.height > 1);
    net.decide(1, &[0, 2, 3]);
    // Node 1 hears of height 2 first, from more than a third, and of height 1 after.
    let votes = [0, 2].map(|i| net.vote(i, 0, VoteKind::Prevote, None));
    for vote in votes {
        net.tell(1, Input::Message { from: Peer(0), message: Message::Vote(vote) });
    }
    assert_eq!(net.nodes[1].machine.next_height(), 1);
    let (decision, body) = net.nodes[0].chain[0].clone();
    let block = Message::Block { body: Box::new(body), certificate: decision.certificate };
    net.tell(1, Input::Message { from: Peer(0), message: block });
    assert_eq!(net.nodes[1].machine.next_height(), 2);
    assert!(net.nodes[1].machine.is_open(), "they open it as soon as it is reached");
}
