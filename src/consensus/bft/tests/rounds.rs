//! What happens when a round fails: the next leader, locks, the clock, bodies that are missing, and who signs twice.

use super::net::{Net, block, sign, slot_of};
use crate::consensus::bft::*;
use alloy_primitives::B256;
use lucid_types::{VoteKind, blake3};

const ALL: [usize; 4] = [0, 1, 2, 3];
const FIRST: VoteKind = VoteKind::Proposal { pol_round: None };

fn is_vote(message: &Message, kind: VoteKind, round: u32) -> bool {
    matches!(message, Message::Vote(vote) if vote.kind == kind && vote.round == round)
}

#[test]
fn a_silent_leader_costs_one_round_and_the_next_in_the_order_leads() {
    let mut net = Net::new(4);
    net.nodes[0].builds = false;
    let before = net.now.ms;
    net.decide(1, &ALL);
    for node in &net.nodes {
        let (decision, body) = &node.chain[0];
        assert_eq!((decision.round, body.round), (1, 1));
        assert_eq!(body.block, block(true, 1, slot_of(body), 101));
    }
    // One slot timeout, and a second for precommits that do not agree.
    assert!(net.now.ms - before <= 2_000 + 1_000, "{} ms", net.now.ms - before);
}

#[test]
fn rounds_go_through_the_order_again_and_again() {
    let mut net = Net::new(4);
    net.leaders = 2;
    // Facts of height 1 were given with four leaders; those of height 2 have two, nodes 1 and 2.
    net.decide(1, &ALL);
    net.nodes.iter_mut().for_each(|node| node.builds = false);
    net.set_slot(net.now.slot + 1);
    net.all_wait(2);
    net.run_until(|net| net.nodes[0].machine.round() == Some(4));
    let began = net.nodes[0].effects.iter().filter_map(|effect| match effect {
        Effect::RoundBegan { height: 2, round, leader } => Some((*round, *leader)),
        _ => None,
    });
    let of = |i: usize| net.nodes[i].address;
    assert!(began.eq([(0, of(1)), (1, of(2)), (2, of(1)), (3, of(2)), (4, of(1))]));
}

#[test]
fn a_block_with_a_proof_of_lock_is_put_forward_again_and_keeps_its_round() {
    let mut net = Net::new(4);
    // All prevote, and nobody hears a precommit of round 0: each has locked the block.
    net.loses = |_, _, message| is_vote(message, VoteKind::Precommit, 0);
    net.all_wait(1);
    net.deliver();
    assert!(net.nodes.iter().all(|node| node.chain.is_empty()));
    // Many slots later node 3 votes nil in that round, by a fault of its own: that is what ends the round. The clock has no
    // say in a block that was voted for.
    net.set_slot(500);
    net.loses = |_, _, _| false;
    net.crash(3);
    let others: Vec<SignedVote> = [0, 1, 2].iter().map(|i| precommit_of(&net, *i)).collect();
    let nil = net.vote(3, 0, VoteKind::Precommit, None);
    for i in 0..3 {
        // One of the others' each: more than two thirds precommitted, and not for one block.
        for vote in [nil, others[(i + 1) % 3]] {
            net.tell(i, Input::Message { from: Peer(3), message: Message::Vote(vote) });
        }
    }
    net.loses = |_, _, message| is_vote(message, VoteKind::Precommit, 0);
    net.run_until(|net| net.nodes[..3].iter().all(|node| node.chain.len() == 1));
    let hash = net.nodes[0].chain[0].0.block_hash;
    for node in &net.nodes[..3] {
        let (decision, body) = &node.chain[0];
        assert_eq!((decision.block_hash, body.round, slot_of(body)), (hash, 0, 10));
        assert!(decision.round > 0);
    }
    assert_eq!(net.double_signed(), None);
}

/// The precommit that a node sent.
fn precommit_of(net: &Net, i: usize) -> SignedVote {
    let sent = net.sent.iter().find_map(|(from, message)| match message {
        Message::Vote(vote) if *from == i && vote.kind == VoteKind::Precommit => Some(*vote),
        _ => None,
    });
    sent.unwrap()
}

#[test]
fn a_first_proposal_of_another_slot_is_not_voted_for_in_its_round() {
    for (offset, voted) in [(0, true), (1, true), (2, false)] {
        let mut net = Net::new(4);
        net.loses = |_, _, _| true;
        net.tell(0, Input::Waiting { height: 1 });
        net.set_slot(10 + offset);
        for (_, message) in net.sent.clone().iter().filter(|(_, message)| !is_vote(message, VoteKind::Prevote, 0)) {
            net.tell(1, Input::Message { from: Peer(0), message: message.clone() });
        }
        net.tell(1, Input::Waiting { height: 1 });
        let voted_for = net.sent.iter().any(|(i, message)| *i == 1 && is_vote(message, VoteKind::Prevote, 0));
        assert_eq!(voted_for, voted, "{offset} slots later");
    }
}

#[test]
fn a_proposal_of_a_slot_to_come_is_voted_for_once_that_begins() {
    let mut net = Net::new(4);
    net.loses = |_, _, _| true;
    net.now.slot = 11;
    net.nodes[0].machine.step(Input::Waiting { height: 1 }, net.now).unwrap();
    let block = block(true, 0, 11, 1);
    let block_hash = blake3([&block]);
    let proposal_signature = net.vote(0, 0, FIRST, Some(block_hash)).signature;
    let (vrf_proof, parent_certificate) = (None, None);
    let body = Body { height: 1, round: 0, block_hash, proposal_signature, vrf_proof, parent_certificate, block };
    net.now.slot = 10;
    net.tell(1, Input::Waiting { height: 1 });
    net.tell(1, Input::Message { from: Peer(0), message: Message::Body(Box::new(body)) });
    let prevotes = |net: &Net| net.sent.iter().filter(|(_, m)| is_vote(m, VoteKind::Prevote, 0)).count();
    assert_eq!(prevotes(&net), 0);
    net.set_slot(11);
    assert_eq!(prevotes(&net), 1);
}

#[test]
fn a_late_proposal_is_precommitted_when_the_others_prevoted_it() {
    let mut net = Net::new(4);
    // Node 3 has a clock two slots ahead: it does not vote for the first proposal, and decides with the others.
    net.loses = |_, _, _| true;
    net.tell(0, Input::Waiting { height: 1 });
    let sent = net.sent.clone();
    net.now.slot = 12;
    for (_, message) in &sent {
        net.tell(3, Input::Message { from: Peer(0), message: message.clone() });
    }
    net.tell(3, Input::Waiting { height: 1 });
    net.tell(3, Input::Elapsed(Timer { height: 1, round: 0, kind: TimerKind::Propose }));
    let hash = net.nodes[0].bodies.keys().next().copied();
    for voter in [1, 2] {
        let vote = net.vote(voter, 0, VoteKind::Prevote, hash);
        net.tell(3, Input::Message { from: Peer(1), message: Message::Vote(vote) });
    }
    let own = |kind| move |(i, m): &(usize, Message)| *i == 3 && is_vote(m, kind, 0);
    let said = |net: &Net, kind| match net.sent.iter().find(|sent| own(kind)(sent)) {
        Some((_, Message::Vote(vote))) => Some(vote.block_hash),
        _ => None,
    };
    assert_eq!(said(&net, VoteKind::Prevote), Some(None));
    assert_eq!(said(&net, VoteKind::Precommit), Some(hash));
}

#[test]
fn an_invalid_block_is_voted_down_at_once() {
    let mut net = Net::new(4);
    net.nodes[0].builds = false;
    net.all_wait(1);
    let block = block(false, 0, 10, 1);
    let block_hash = blake3([&block]);
    let proposal_signature = net.vote(0, 0, FIRST, Some(block_hash)).signature;
    let (vrf_proof, parent_certificate) = (None, None);
    let body = Body { height: 1, round: 0, block_hash, proposal_signature, vrf_proof, parent_certificate, block };
    for i in 1..4 {
        net.tell(i, Input::Message { from: Peer(0), message: Message::Body(Box::new(body.clone())) });
    }
    let nil = |(_, m): &(usize, Message)| matches!(m, Message::Vote(v) if v.kind == VoteKind::Prevote && v.block_hash.is_none());
    assert_eq!(net.sent.iter().filter(|sent| nil(sent)).count(), 3);
    net.decide(1, &ALL);
    assert_ne!(net.nodes[1].chain[0].0.block_hash, block_hash);
}

#[test]
fn a_body_that_was_lost_is_asked_for_by_hash() {
    let mut net = Net::new(4);
    // The leader's never gets to node 3: the others have it.
    net.loses = |from, to, message| matches!(message, Message::Body(_)) && (from, to) == (0, 3);
    net.decide(1, &ALL);
    assert_eq!(net.nodes[3].chain[0].0.round, 0);
    let asked = |(i, m): &(usize, Message)| *i == 3 && matches!(m, Message::BodyRequest { height: 1, .. });
    assert!(net.sent.iter().any(asked));
}

#[test]
fn a_body_that_is_unfit_scores_its_sender_and_is_asked_for_elsewhere() {
    let mut net = Net::new(4);
    net.loses = |_, _, _| true;
    net.tell(0, Input::Waiting { height: 1 });
    let (hash, body) = net.nodes[0].bodies.iter().next().map(|(hash, body)| (*hash, body.clone())).unwrap();
    let proposal = body.proposal(net.nodes[0].address);
    for peer in [0, 2] {
        net.tell(1, Input::Message { from: Peer(peer), message: Message::Vote(proposal) });
    }
    let prevote = net.vote(2, 0, VoteKind::Prevote, Some(hash));
    net.tell(1, Input::Message { from: Peer(2), message: Message::Vote(prevote) });
    // Another block under that hash: the author's signature holds, what came is not what was signed.
    let forged = Body { block: block(true, 0, 10, 999), ..body.clone() };
    net.sent.clear();
    net.tell(1, Input::Message { from: Peer(0), message: Message::Body(Box::new(forged)) });
    assert!(net.nodes[1].effects.contains(&Effect::Score { peer: Peer(0), fault: Fault::UnfitBody }));
    net.tell(1, Input::Elapsed(Timer { height: 1, round: 0, kind: TimerKind::Body }));
    let request = Message::BodyRequest { height: 1, block_hash: hash };
    assert_eq!(net.sent, [(1, request)]);
    let to_others =
        Effect::Send { to: Recipient::Peer(Peer(2)), message: Message::BodyRequest { height: 1, block_hash: hash } };
    assert!(net.nodes[1].effects.contains(&to_others));
    // The true one is still good.
    net.tell(1, Input::Message { from: Peer(2), message: Message::Body(Box::new(body)) });
    assert!(net.nodes[1].bodies.contains_key(&hash));
}

#[test]
fn a_store_that_fails_is_no_verdict() {
    let mut net = Net::new(4);
    net.loses = |_, _, _| true;
    net.tell(0, Input::Waiting { height: 1 });
    let body = net.nodes[0].bodies.values().next().unwrap().clone();
    let (block_hash, message) = (body.block_hash, Message::Body(Box::new(body)));
    let now = net.now;
    let machine = &mut net.nodes[1].machine;
    machine.step(Input::Waiting { height: 1 }, now).unwrap();
    machine.step(Input::Message { from: Peer(0), message: message.clone() }, now).unwrap();
    let effects = machine.step(Input::Judged { height: 1, block_hash, verdict: Verdict::Unknown }, now).unwrap();
    assert!(effects.iter().all(|e| !matches!(e, Effect::Score { .. } | Effect::Append { .. } | Effect::Send { .. })));
    let again = machine.step(Input::Message { from: Peer(0), message }, now).unwrap();
    assert!(again.iter().any(|effect| matches!(effect, Effect::Judge(_))), "it is judged when it comes again");
}

#[test]
fn who_prevotes_twice_is_handed_over_with_the_decision() {
    let mut net = Net::new(4);
    let other = B256::repeat_byte(9);
    net.loses = |from, _, _| from == 3;
    net.all_wait(1);
    for hash in [None, Some(other)] {
        let vote = net.vote(3, 0, VoteKind::Prevote, hash);
        for i in 0..3 {
            net.tell(i, Input::Message { from: Peer(3), message: Message::Vote(vote) });
        }
    }
    net.decide(1, &[0, 1, 2]);
    for node in &net.nodes[..3] {
        let [found] = node.chain[0].0.evidence[..] else { panic!("{:?}", node.chain[0].0.evidence) };
        assert_eq!((found.first.voter, found.first.kind), (net.nodes[3].address, VoteKind::Prevote));
        assert!(found.verify(super::net::GENESIS, &net.set));
        assert!(!Evidence { second: found.first, ..found }.verify(super::net::GENESIS, &net.set));
        assert!(!found.verify(B256::ZERO, &net.set));
        let moved = sign(&net.nodes[3].key, SignedVote { round: 1, ..found.second });
        assert!(!Evidence { second: moved, ..found }.verify(super::net::GENESIS, &net.set), "two rounds are no fault");
    }
}

#[test]
fn a_leader_that_proposes_twice_is_handed_over_with_the_decision() {
    let mut net = Net::new(4);
    net.nodes[0].builds = false;
    net.all_wait(1);
    for byte in [1, 2] {
        let proposal = net.vote(0, 0, FIRST, Some(B256::repeat_byte(byte)));
        net.tell(1, Input::Message { from: Peer(0), message: Message::Vote(proposal) });
    }
    net.decide(1, &ALL);
    let [found] = net.nodes[1].chain[0].0.evidence[..] else { panic!("no evidence") };
    assert_eq!((found.first.voter, found.first.kind), (net.nodes[0].address, FIRST));
    assert!(found.verify(super::net::GENESIS, &net.set));
}

#[test]
fn a_node_that_missed_rounds_joins_them_by_a_certificate() {
    let mut net = Net::new(4);
    net.nodes.iter_mut().for_each(|node| node.builds = false);
    net.loses = |from, to, _| from == 3 || to == 3;
    net.all_wait(1);
    net.run_until(|net| net.nodes[0].machine.round() == Some(15));
    assert!(net.nodes[3].machine.round() < Some(2));
    net.loses = |_, _, _| false;
    net.run_until(|net| net.nodes[3].machine.round() >= Some(15));
    let by_certificate = |(_, m): &(usize, Message)| matches!(m, Message::Round(c) if c.round >= 14);
    assert!(net.sent.iter().any(by_certificate));
}

#[test]
fn while_nothing_moves_votes_and_the_leaders_proposal_are_said_again() {
    let mut net = Net::new(4);
    net.loses = |_, _, _| true;
    net.all_wait(1);
    net.sent.clear();
    net.tell(0, Input::Elapsed(Timer { height: 1, round: 0, kind: TimerKind::Rebroadcast }));
    assert!(net.sent.iter().any(|(i, m)| *i == 0 && is_vote(m, FIRST, 0)));
    assert!(net.sent.iter().any(|(i, m)| *i == 0 && is_vote(m, VoteKind::Prevote, 0)));
    assert!(net.sent.iter().all(|(_, m)| !matches!(m, Message::Body(_))), "bodies are not repeated");
}
