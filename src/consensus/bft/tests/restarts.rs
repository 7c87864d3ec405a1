//! A node that dies at any moment and comes back signs nothing twice, and goes on.

use super::net::{Net, sign};
use crate::{
    consensus::bft::*,
    keys::{HighestSigned, SignedStep},
};
use alloy_primitives::B256;
use lucid_types::VoteKind;

const ALL: [usize; 4] = [0, 1, 2, 3];

/// The whole of a height with one failed round, killed after each effect in turn.
#[test]
fn a_node_killed_at_any_effect_never_signs_a_step_twice() {
    for victim in [0, 1] {
        let mut killed = 0;
        for effects in 0..80 {
            let mut net = Net::new(4);
            // Without node 3 each of the others is needed, and round 0 fails for want of precommits.
            net.loses = |from, to, message| {
                let lost = matches!(message, Message::Vote(v) if v.kind == VoteKind::Precommit && v.round == 0);
                from == 3 || to == 3 || lost
            };
            net.nodes[victim].crash_after = Some(effects);
            net.all_wait(1);
            for _ in 0..12 {
                net.deliver();
                net.pass_time();
            }
            let crashed = !net.nodes[victim].up;
            net.nodes[victim].crash_after = None;
            killed += usize::from(crashed);
            if crashed {
                net.restart(victim).unwrap();
                assert!(net.nodes[victim].may_sign, "file and log agree after effect {effects}");
            }
            net.loses = |_, _, _| false;
            net.decide(1, &ALL);
            assert_eq!(net.double_signed(), None, "victim {victim} after effect {effects}");
        }
        assert!(killed >= 20, "only {killed} kills of {victim}");
    }
}

#[test]
fn a_log_is_fed_again_without_writing_it_again() {
    let mut net = Net::new(4);
    net.loses = |_, _, message| matches!(message, Message::Vote(v) if v.kind == VoteKind::Precommit);
    net.all_wait(1);
    net.deliver();
    net.crash(1);
    let log = net.nodes[1].log.clone();
    let own = |entry: &&LogEntry| matches!(entry, LogEntry::Vote(v) if v.voter == net.nodes[1].address);
    assert_eq!(log.iter().filter(own).count(), 2, "prevote and precommit");
    net.nodes[1].effects.clear();
    net.restart(1).unwrap();
    assert_eq!(net.nodes[1].log, log);
    let written = |e: &&Effect| matches!(e, Effect::Append { .. } | Effect::Flush | Effect::RecordSigned(_));
    assert_eq!(net.nodes[1].effects.iter().filter(written).count(), 0);
}

/// Found by the simulation: what was held back went into the engine after the decision, and into the log of the next height.
#[test]
fn nothing_is_written_to_a_log_once_its_height_is_decided() {
    let mut net = Net::new(4);
    net.loses = |_, _, _| true;
    net.tell(0, Input::Waiting { height: 1 });
    let body = net.nodes[0].bodies.values().next().unwrap().clone();
    let hash = Some(body.block_hash);
    net.tell(2, Input::Waiting { height: 1 });
    let precommits = [0, 1, 3].map(|i| net.vote(i, 0, VoteKind::Precommit, hash));
    let first = body.proposal(net.nodes[0].address);
    let again = net.vote(1, 1, VoteKind::Proposal { pol_round: Some(0) }, hash);
    for vote in precommits.into_iter().chain([first, again]) {
        net.tell(2, Input::Message { from: Peer(0), message: Message::Vote(vote) });
    }
    net.tell(2, Input::Elapsed(Timer { height: 1, round: 0, kind: TimerKind::Precommit }));
    assert_eq!(net.nodes[2].machine.round(), Some(1), "both proposals wait for the body");
    net.tell(2, Input::Message { from: Peer(0), message: Message::Body(Box::new(body)) });
    assert_eq!(net.nodes[2].chain.len(), 1);
    let decided = net.nodes[2].effects.iter().position(|effect| matches!(effect, Effect::Decided(_))).unwrap();
    assert!(net.nodes[2].effects[decided..].iter().all(|effect| !matches!(effect, Effect::Append { .. })));
}

#[test]
fn a_log_that_leads_to_another_vote_than_was_signed_ends_the_node() {
    let mut net = Net::new(4);
    net.loses = |_, _, message| matches!(message, Message::Vote(v) if v.kind == VoteKind::Precommit);
    net.all_wait(1);
    net.deliver();
    net.crash(1);
    let node = &mut net.nodes[1];
    let (own, key) = (node.address, node.key.clone());
    for entry in &mut node.log {
        if let LogEntry::Vote(vote) = entry
            && (vote.voter, vote.kind) == (own, VoteKind::Prevote)
        {
            *vote = sign(&key, SignedVote { block_hash: None, ..*vote });
        }
    }
    let (height, round, step) = (1, 0, "prevote".to_owned());
    assert_eq!(net.restart(1), Err(BftError::ReplayDivergence { height, round, step }));
}

#[test]
fn a_node_that_must_not_sign_follows_and_says_nothing() {
    let mut net = Net::new(4);
    net.crash(3);
    // Its store is that of before, its file is not.
    net.nodes[3].file = HighestSigned { height: 2, round: 0, step: SignedStep::Precommit };
    net.restart(3).unwrap();
    assert!(!net.nodes[3].may_sign);
    net.nodes.iter_mut().for_each(|node| node.builds = node.address != net.set.members()[3].address);
    for height in 1..=3 {
        net.set_slot(20 + height);
        net.decide(height, &ALL);
        let spoke = net.sent.iter().any(|(i, message)| *i == 3 && matches!(message, Message::Vote(_)));
        assert!(!spoke, "height {height}");
        assert!(net.nodes[3].effects.iter().all(|effect| !matches!(effect, Effect::Build { .. })));
    }
}

/// A peer that brings its old votes back must not make its log look as if it knew what the key has signed.
#[test]
fn what_a_peer_brings_back_of_lost_votes_is_not_taken_for_ones_own_log() {
    let mut net = Net::new(4);
    let hash = Some(B256::repeat_byte(5));
    let lost = [VoteKind::Prevote, VoteKind::Precommit].map(|kind| net.vote(3, 0, kind, hash));
    net.crash(3);
    net.nodes[3].file = HighestSigned { height: 1, round: 0, step: SignedStep::Precommit };
    net.restart(3).unwrap();
    net.tell(3, Input::Waiting { height: 1 });
    for vote in lost {
        net.tell(3, Input::Message { from: Peer(0), message: Message::Vote(vote) });
    }
    let others = [0, 1, 3].map(|i| net.vote(i, 0, VoteKind::Precommit, None));
    let certificate = RoundCertificate { height: 1, round: 0, reason: RoundReason::Over, votes: others.to_vec() };
    net.tell(3, Input::Message { from: Peer(0), message: Message::Round(certificate) });
    let own = |entry: &LogEntry| matches!(entry, LogEntry::Vote(vote) if vote.voter == net.nodes[3].address);
    assert!(!net.nodes[3].log.is_empty() && !net.nodes[3].log.iter().any(own));
}

#[test]
fn a_log_comes_before_the_height_is_open() {
    let mut net = Net::new(4);
    net.all_wait(1);
    let log = net.nodes[1].log.clone();
    let now = net.now;
    let entry = LogEntry::Elapsed { kind: TimerKind::Propose, round: 0 };
    assert!(log.is_empty());
    assert_eq!(net.nodes[1].machine.step(Input::Log(vec![entry]), now), Err(BftError::LateLog));
}
