//! A height: opened for a reason, decided once, then the next.

use super::net::{Net, TIMEOUTS};
use crate::consensus::bft::*;
use lucid_types::VoteKind;

const ALL: [usize; 4] = [0, 1, 2, 3];

#[test]
fn a_block_is_decided_in_its_first_round_and_costs_three_syncs() {
    let mut net = Net::new(4);
    for height in 1..=5 {
        let before: Vec<usize> = net.nodes.iter().map(|node| node.syncs).collect();
        net.set_slot(20 + height);
        net.decide(height, &ALL);
        for (i, node) in net.nodes.iter().enumerate() {
            let (decision, body) = node.chain.last().unwrap();
            assert_eq!(
                (decision.round, body.round, decision.block_hash),
                (0, 0, net.nodes[0].chain[height as usize - 1].0.block_hash)
            );
            assert!(node.syncs - before[i] <= 3, "node {i} synced {} times", node.syncs - before[i]);
            assert!(node.log.is_empty() && !node.machine.is_open());
        }
    }
    assert_eq!(net.double_signed(), None);
}

/// Every message is held against log and file in the harness, at the moment it is sent.
#[test]
fn the_log_and_the_file_are_ahead_of_every_message() {
    let mut net = Net::new(4);
    net.decide(1, &ALL);
    let of_order = |effect: &Effect| matches!(effect, Effect::Flush | Effect::RecordSigned(_));
    for node in &net.nodes {
        let sends = |effect: &Effect| matches!(effect, Effect::Send { message: Message::Vote(v), .. } if v.voter == node.address);
        let first_send = node.effects.iter().position(sends).unwrap();
        assert_eq!(node.effects[..first_send].iter().filter(|effect| of_order(effect)).count(), 2);
    }
}

#[test]
fn an_idle_chain_says_nothing_and_writes_nothing() {
    let mut net = Net::new(4);
    for slot in 11..500 {
        net.set_slot(slot);
    }
    assert!(net.sent.is_empty() && net.nodes.iter().all(|node| node.effects.is_empty()));
}

#[test]
fn a_height_is_not_opened_by_what_waits_before_the_slot_after_its_parents() {
    let mut net = Net::new(4);
    net.decide(1, &ALL);
    let slot = net.now.slot;
    net.all_wait(2);
    assert!(net.nodes.iter().all(|node| !node.machine.is_open()));
    net.set_slot(slot + 1);
    assert!(net.nodes.iter().all(|node| node.machine.is_open()));
    net.decide(2, &ALL);
    // What waited for height 2 opens no other: the height is remembered, not a flag.
    net.set_slot(slot + 50);
    assert!(net.nodes.iter().all(|node| !node.machine.is_open()));
}

#[test]
fn a_valid_proposal_of_the_leader_opens_a_height_elsewhere() {
    let mut net = Net::new(4);
    net.tell(0, Input::Waiting { height: 1 });
    assert!(net.nodes[0].machine.is_open() && !net.nodes[1].machine.is_open());
    net.deliver();
    assert!(net.nodes.iter().all(|node| node.chain.len() == 1), "one node that something waits at is enough");
}

#[test]
fn a_proposal_without_a_valid_body_opens_nothing() {
    let mut net = Net::new(4);
    let hash = Some(alloy_primitives::B256::repeat_byte(1));
    let proposal = net.vote(0, 0, VoteKind::Proposal { pol_round: None }, hash);
    net.tell(1, Input::Message { from: Peer(0), message: Message::Vote(proposal) });
    assert!(!net.nodes[1].machine.is_open());
    // An invalid one neither.
    let block = super::net::block(false, 0, 10, 1);
    let block_hash = lucid_types::blake3([&block]);
    let signed = net.vote(0, 0, VoteKind::Proposal { pol_round: None }, Some(block_hash));
    let (proposal_signature, vrf_proof, parent_certificate) = (signed.signature, None, None);
    let body = Body { height: 1, round: 0, block_hash, proposal_signature, vrf_proof, parent_certificate, block };
    net.tell(1, Input::Message { from: Peer(0), message: Message::Body(Box::new(body)) });
    assert!(net.nodes[1].effects.iter().any(|effect| matches!(effect, Effect::Judge(_))));
    assert!(!net.nodes[1].machine.is_open());
}

#[test]
fn votes_of_more_than_a_third_open_a_height_and_those_of_a_third_do_not() {
    for kind in [VoteKind::Prevote, VoteKind::Precommit] {
        let mut net = Net::new(6);
        for voter in [1, 2, 2] {
            let vote = net.vote(voter, 0, kind, None);
            net.tell(0, Input::Message { from: Peer(5), message: Message::Vote(vote) });
        }
        assert!(!net.nodes[0].machine.is_open(), "two of six are no more than a third");
        let vote = net.vote(3, 0, kind, None);
        net.tell(0, Input::Message { from: Peer(5), message: Message::Vote(vote) });
        assert!(net.nodes[0].machine.is_open());
    }
}

#[test]
fn a_height_stays_open_across_slots_until_it_is_decided() {
    let mut net = Net::new(4);
    net.loses = |from, to, _| from >= 2 || to >= 2;
    net.all_wait(1);
    let opened = |node: &super::net::Node| node.effects.iter().filter(|e| matches!(e, Effect::Opened { .. })).count();
    for _ in 0..200 {
        net.deliver();
        net.pass_time();
    }
    assert!(net.now.slot > 20, "many slots have passed");
    assert!(net.nodes.iter().all(|node| node.chain.is_empty() && node.machine.is_open()));
    net.loses = |_, _, _| false;
    net.decide(1, &ALL);
    assert!(net.nodes.iter().all(|node| opened(node) == 1));
    assert_eq!(net.double_signed(), None);
}

#[test]
fn a_node_that_was_away_gets_decided_blocks_by_asking() {
    let mut net = Net::new(4);
    net.loses = |from, to, _| from == 3 || to == 3;
    for height in 1..=4 {
        net.set_slot(30 * height);
        net.decide(height, &[0, 1, 2]);
    }
    assert_eq!(net.nodes[3].chain.len(), 0);
    net.loses = |_, _, _| false;
    net.tell(0, Input::Connected(Peer(3)));
    net.run_until(|net| net.nodes[3].chain.len() == 4);
    let hashes = |i: usize| net.nodes[i].chain.iter().map(|(d, _)| d.block_hash).collect::<Vec<_>>();
    assert_eq!(hashes(3), hashes(0));
    // The clock had no say: those blocks are of slots long gone.
    assert!(net.nodes[3].effects.iter().all(|effect| !matches!(effect, Effect::Append { .. } | Effect::Flush)));
}

#[test]
fn votes_of_an_old_height_are_answered_with_the_head() {
    let mut net = Net::new(4);
    let old = net.vote(3, 0, VoteKind::Prevote, None);
    net.decide(1, &ALL);
    net.sent.clear();
    for _ in 0..50 {
        net.tell(0, Input::Message { from: Peer(3), message: Message::Vote(old) });
    }
    let block_hash = net.nodes[0].chain[0].0.block_hash;
    assert_eq!(net.sent, [(0, Message::Head { height: 1, block_hash })]);
}

#[test]
fn who_hears_of_a_later_height_asks_for_the_one_it_lacks() {
    let mut net = Net::new(4);
    net.loses = |_, to, _| to == 3;
    net.decide(1, &[0, 1, 2]);
    let later = net.vote(0, 0, VoteKind::Prevote, None);
    assert_eq!(later.height, 2);
    net.tell(3, Input::Message { from: Peer(0), message: Message::Vote(later) });
    assert!(net.sent.contains(&(3, Message::BlockRequest { height: 1 })));
    net.loses = |_, _, _| false;
    net.deliver();
    assert_eq!(net.nodes[3].chain.len(), 1);
}

#[test]
fn a_decided_block_that_is_invalid_here_ends_the_node() {
    let mut net = Net::new(4);
    net.loses = |_, to, _| to == 3;
    net.decide(1, &[0, 1, 2]);
    let (decision, body) = net.nodes[0].chain[0].clone();
    let block = Message::Block { body: Box::new(body), certificate: decision.certificate };
    let effects = net.nodes[3].machine.step(Input::Message { from: Peer(0), message: block }, net.now).unwrap();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Judge(_))));
    let verdict = Input::Judged { height: 1, block_hash: decision.block_hash, verdict: Verdict::Invalid };
    assert_eq!(net.nodes[3].machine.step(verdict, net.now), Err(BftError::DecidedInvalid { height: 1 }));
}

#[test]
fn timeouts_are_those_of_the_chain_and_the_same_in_every_round() {
    let params = lucid_types::Preset::Lucid.params();
    let lucid = Timeouts::of(&params);
    assert_eq!(lucid, Timeouts { propose_ms: 5_000, prevote_ms: 10_000, precommit_ms: 1_000 });
    assert_eq!(Timeouts::of(&lucid_types::Preset::Dev.params()), TIMEOUTS);
    let mut net = Net::new(4);
    net.nodes.iter_mut().for_each(|node| node.builds = false);
    net.all_wait(1);
    net.run_until(|net| net.nodes[0].machine.round() == Some(3));
    let set = net.nodes[0].effects.iter().filter_map(|effect| match effect {
        Effect::SetTimer { timer, after_ms } if timer.kind == TimerKind::Propose => Some((timer.round, *after_ms)),
        _ => None,
    });
    assert!(set.eq((0..4).map(|round| (round, TIMEOUTS.propose_ms))));
}

#[test]
fn a_timer_of_a_decided_height_or_of_a_round_that_is_over_means_nothing() {
    let mut net = Net::new(4);
    net.nodes.iter_mut().for_each(|node| node.builds = false);
    net.all_wait(1);
    net.run_until(|net| net.nodes[1].machine.round() == Some(1));
    let kinds = [TimerKind::Propose, TimerKind::Prevote, TimerKind::Precommit, TimerKind::Rebroadcast];
    let stale = |net: &mut Net, height| {
        let now = net.now;
        let timers = kinds.map(|kind| Timer { height, round: 0, kind });
        timers.map(|timer| net.nodes[1].machine.step(Input::Elapsed(timer), now).unwrap()).concat()
    };
    assert_eq!(stale(&mut net, 1), []);
    net.nodes.iter_mut().for_each(|node| node.builds = true);
    net.decide(1, &ALL);
    net.set_slot(net.now.slot + 1);
    net.all_wait(2);
    assert!(net.nodes[1].machine.is_open());
    assert_eq!(stale(&mut net, 1), []);
}

#[test]
fn facts_come_for_the_next_height_and_for_members_only() {
    let mut net = Net::new(4);
    let facts = net.facts(0);
    let again = net.nodes[0].machine.step(Input::Next(Box::new(facts.clone())), net.now);
    assert_eq!(again, Err(BftError::Height { given: 1, expected: 1 }));
    for (order, named) in
        [(vec![], None), (vec![alloy_primitives::Address::ZERO], Some(alloy_primitives::Address::ZERO))]
    {
        let node = &net.nodes[0];
        let mut machine = Machine::new(node.machine.config.clone());
        let next = Input::Next(Box::new(HeightFacts { order, ..facts.clone() }));
        assert_eq!(machine.step(next, net.now), Err(BftError::Order(named)));
    }
}
