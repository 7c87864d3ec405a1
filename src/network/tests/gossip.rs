//! What is passed on, and what is not.

use super::support::*;
use crate::network::{Topic, Verdict, offence::Offence};

#[test]
fn a_message_reaches_eight_nodes_in_a_row_once_each_if_each_accepts_it() {
    run(async {
        let mut nodes = vec![node(10, &[]).await];
        for seed in 11..18 {
            let next = node(seed, &[nodes.last().unwrap()]).await;
            nodes.push(next);
        }
        for pair in nodes.windows(2) {
            meet(&pair[0], &pair[1]).await;
        }
        nodes[0].publish(Topic::Votes, b"a vote");
        for node in &mut nodes[1..] {
            assert_eq!(node.until_message(Verdict::Accept).await.1, b"a vote");
        }
        for node in &mut nodes {
            assert!(node.messages_for(std::time::Duration::from_millis(50)).await.is_empty(), "once each");
        }
    });
}

#[test]
fn a_message_that_the_node_has_not_accepted_is_not_passed_on() {
    run(async {
        let first = node(20, &[]).await;
        let mut middle = node(21, &[&first]).await;
        let mut last = node(22, &[&middle]).await;
        meet(&first, &middle).await;
        meet(&middle, &last).await;
        first.publish(Topic::Transactions, b"not judged");
        let unjudged = middle.until("message", message_of).await;
        first.publish(Topic::Transactions, b"ignored");
        middle.until_message(Verdict::Ignore).await;
        first.publish(Topic::Transactions, b"rejected");
        middle.until_message(Verdict::Reject).await;
        assert!(last.messages_for(A_WHILE).await.is_empty());
        // The way is there all the same, for another message and for the one that was late.
        first.publish(Topic::Transactions, b"accepted");
        middle.until_message(Verdict::Accept).await;
        assert_eq!(last.until_message(Verdict::Accept).await.1, b"accepted");
        middle.handle.report(unjudged.id, Verdict::Accept).unwrap();
        assert_eq!(last.until_message(Verdict::Accept).await.1, b"not judged");
    });
}

#[test]
fn a_rejected_message_costs_its_sender_and_a_few_of_them_its_place() {
    run(async {
        let mut good = node(30, &[]).await;
        let bad = node(31, &[&good]).await;
        meet(&good, &bad).await;
        let times = 100 / Offence::InvalidMessage.weight();
        for n in 1..=times {
            bad.publish(Topic::Proofs, &[n as u8]);
            good.until_message(Verdict::Reject).await;
            if n < times {
                let snapshot = good.until_it_is("charged", |now| now.peers.iter().any(|peer| peer.score < 0)).await;
                assert!(snapshot.bans.is_empty());
            }
        }
        good.until_gone(bad.id()).await;
        let snapshot = good.handle.snapshot().await.unwrap();
        assert_eq!((snapshot.bans[0].id, snapshot.peers.len()), (bad.id(), 0));
    });
}

#[test]
fn a_body_of_the_largest_size_arrives_whole() {
    run(async {
        let a = node(40, &[]).await;
        let mut b = node(41, &[&a]).await;
        meet(&a, &b).await;
        let body: Vec<u8> = (0..Topic::Bodies.max_bytes()).map(|n| (n % 253) as u8).collect();
        a.publish(Topic::Bodies, &body);
        // Right behind it, so that both may lie in one read.
        a.publish(Topic::Votes, b"a vote behind it");
        let mut seen = [b.until_message(Verdict::Accept).await.1, b.until_message(Verdict::Accept).await.1];
        seen.sort_by_key(Vec::len);
        assert_eq!(seen[0], b"a vote behind it");
        assert!(seen[1] == body);
    });
}
