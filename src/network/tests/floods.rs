//! Who sends too much, too large, or does not read.

use std::time::Duration;

use tokio::time::timeout;

use super::{attackers::*, support::*};
use crate::network::{
    RequestError, Topic, Verdict,
    limits::{BAN_SCORE, FLOOD_SHARE},
    offence::Offence,
};

#[test]
fn a_peer_that_floods_is_dropped_and_banned_and_the_others_go_on() {
    run(async {
        let mut target = node(140, &[]).await;
        let honest = node(141, &[&target]).await;
        let flood = node(142, &[&target]).await;
        meet(&target, &honest).await;
        let (flood_id, honest_id) = (flood.id(), honest.id());
        flood.until_heard_by(target.id()).await;
        let limits = Topic::Bodies.limits();
        let offences = (-BAN_SCORE / Offence::Flood.weight()) as u64;
        let step = (limits.burst / FLOOD_SHARE).max(1);
        for n in 0..limits.burst + offences * step + 8 {
            // What it was told to stop it does not hear.
            let _ = flood.handle.publish(Topic::Bodies, n.to_be_bytes().to_vec());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let snapshot =
            target.until_it_is("rid of the flood", |now| now.bans.iter().any(|ban| ban.id == flood_id)).await;
        assert!(snapshot.peers.iter().all(|peer| peer.id == honest_id && peer.score == 0), "{snapshot:?}");
        let taken = target.messages_for(Duration::from_millis(50)).await.len() as u64;
        assert!(taken <= limits.burst, "{taken} of the flood reached the node");
        honest.publish(Topic::Bodies, b"honest");
        assert_eq!(target.until_message(Verdict::Accept).await.1, b"honest");
    });
}

#[test]
fn a_message_that_is_too_large_is_given_up_at_the_size_of_the_largest() {
    run(async {
        let mut target = node(150, &[]).await;
        let mut giant = gossiper(151, &target).await;
        target.until_connected(giant.id()).await;
        giant.until_subscribed().await;
        // One that only its topic is too small for.
        giant.publish(Topic::Votes, vec![2; Topic::Votes.max_bytes() + 1]);
        giant.publish(Topic::Votes, vec![3; 100]);
        tokio::select! {
            (_, message) = target.until_message(Verdict::Accept) => assert_eq!(message, [3; 100]),
            () = giant.go_on() => panic!("the attacker stopped"),
        }
        giant.publish(Topic::Votes, vec![1; 48 * 1024 * 1024]);
        giant.poll_for(A_WHILE).await;
        let peers = target.handle.snapshot().await.unwrap().peers;
        let received = peers.iter().map(|peer| peer.received_bytes).sum::<u64>();
        // Gossip keeps as many bytes as the largest message has. What comes until the other end knows is thrown away.
        assert!((1024 * 1024..16 * 1024 * 1024).contains(&received), "{received} bytes of it were taken in");
        assert!(target.messages_for(Duration::from_millis(100)).await.is_empty());
    });
}

#[test]
fn a_response_that_is_too_large_is_refused_and_costs_its_sender() {
    run(async {
        let mut target = node(152, &[]).await;
        let mut liar = liar(153, &target).await;
        target.until_connected(liar.id()).await;
        let (handle, to) = (target.handle.clone(), liar.id());
        let asking = tokio::spawn(async move { handle.request(to, vec![1]).await });
        let answer = tokio::select! {
            answer = asking => answer.unwrap(),
            () = liar.go_on() => panic!("the liar stopped"),
        };
        assert_eq!(answer, Err(RequestError::Failed));
        let peer = target.handle.snapshot().await.unwrap().peers.remove(0);
        assert_eq!(peer.score, -Offence::BadResponse.weight());
        assert!(peer.received_bytes < 1024 * 1024, "{} bytes", peer.received_bytes);
    });
}

#[test]
fn a_peer_that_reads_nothing_does_not_hold_up_the_others() {
    run(async {
        let mut source = node(154, &[]).await;
        let mut honest = node(155, &[&source]).await;
        meet(&source, &honest).await;
        let mut deaf = gossiper(156, &source).await;
        source.until_connected(deaf.id()).await;
        deaf.until_subscribed().await;
        // From here on nobody polls it: its connection takes in what its buffers hold and no more.
        let sending = async {
            for n in 0..200u8 {
                source.publish(Topic::Transactions, &[&[n][..], &[0; 64 * 1024]].concat());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let receiving = async {
            for _ in 0..200 {
                honest.until_message(Verdict::Accept).await;
            }
        };
        timeout(SOON, async { tokio::join!(sending, receiving) }).await.expect("the honest peer gets its messages");
        let unread = source.handle.snapshot().await.unwrap();
        let sent = unread.peers.iter().find(|peer| peer.id == deaf.id()).map_or(0, |peer| peer.sent_bytes);
        assert!(sent < 100 * 64 * 1024, "it was not deaf: {sent} bytes");
        drop(deaf);
    });
}

#[test]
fn a_peer_that_sends_the_same_again_and_again_is_stopped_by_its_bytes() {
    run(async {
        let mut target = node(157, &[]).await;
        let mut again = repeater(158, &target).await;
        target.until_connected(again.id()).await;
        let id = again.id();
        let stopped = target.until_it_is("rid of it", |now| now.bans.iter().any(|ban| ban.id == id));
        tokio::select! {
            snapshot = stopped => assert_eq!(snapshot.bans[0].reason, Offence::Overload.name()),
            () = again.go_on() => panic!("the attacker stopped"),
        }
    });
}
