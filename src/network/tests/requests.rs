//! Questions and answers between two nodes.

use super::support::*;
use crate::network::{
    NetworkEvent, Refused, Request, RequestError,
    limits::{MAX_REQUEST_BYTES, MAX_REQUESTS_PER_PEER, MAX_RESPONSE_BYTES},
};

fn request_of(event: NetworkEvent) -> Option<Request> {
    match event {
        NetworkEvent::Request(request) => Some(request),
        _ => None,
    }
}

#[test]
fn the_largest_response_arrives_whole_and_a_refusal_is_told() {
    run(async {
        let asks = node(120, &[]).await;
        let mut answers = node(121, &[&asks]).await;
        meet(&asks, &answers).await;
        let question = vec![1; MAX_REQUEST_BYTES];
        let response: Vec<u8> = (0..MAX_RESPONSE_BYTES).map(|n| (n % 239) as u8).collect();
        let (handle, to) = (asks.handle.clone(), answers.id());
        let asked = tokio::spawn(async move { handle.request(to, question).await });
        let request = answers.until("request", request_of).await;
        assert_eq!((request.from, request.data.len()), (asks.id(), MAX_REQUEST_BYTES));
        answers.handle.respond(request.id, Some(response.clone())).unwrap();
        assert!(asked.await.unwrap().unwrap() == response);

        let handle = asks.handle.clone();
        let asked = tokio::spawn(async move { handle.request(to, vec![2]).await });
        let request = answers.until("request", request_of).await;
        answers.handle.respond(request.id, None).unwrap();
        assert_eq!(asked.await.unwrap(), Err(RequestError::Failed));
        let snapshot = asks.handle.snapshot().await.unwrap();
        assert_eq!(snapshot.peers[0].score, 0, "a refusal is no offence");
        assert!(snapshot.peers[0].received_bytes > MAX_RESPONSE_BYTES as u64);
    });
}

#[test]
fn requests_that_nobody_answers_are_bounded_on_both_sides() {
    run(async {
        let asks = node(122, &[]).await;
        let mut answers = node(123, &[&asks]).await;
        meet(&asks, &answers).await;
        let to = answers.id();
        let open: Vec<_> = (0..MAX_REQUESTS_PER_PEER)
            .map(|n| {
                let handle = asks.handle.clone();
                tokio::spawn(async move { handle.request(to, vec![n as u8]).await })
            })
            .collect();
        for _ in 0..MAX_REQUESTS_PER_PEER {
            answers.until("request", request_of).await;
        }
        assert_eq!(asks.handle.request(to, vec![9]).await, Err(RequestError::Busy));
        // Who goes does not leave others waiting.
        answers.stop().await;
        for asked in open {
            assert_eq!(asked.await.unwrap(), Err(RequestError::NotConnected));
        }
        assert_eq!(asks.handle.request(to, vec![9]).await, Err(RequestError::NotConnected));
        let bytes = MAX_REQUEST_BYTES + 1;
        let refused = Refused::TooLarge { bytes, most: MAX_REQUEST_BYTES };
        assert_eq!(asks.handle.request(to, vec![0; bytes]).await, Err(RequestError::Refused(refused)));
    });
}

#[test]
fn what_a_peer_told_of_its_chain_is_shown_with_it() {
    run(async {
        let a = node(124, &[]).await;
        let b = node(125, &[&a]).await;
        meet(&a, &b).await;
        a.handle.told_head(b.id(), 42, [3; 32]).unwrap();
        let peer = a.handle.snapshot().await.unwrap().peers.remove(0);
        assert_eq!((peer.id, peer.head, peer.is_outbound, peer.is_static), (b.id(), Some((42, [3; 32])), false, false));
        assert!(peer.agent.starts_with("lucid-node/") && peer.connected_since > 1_700_000_000);
        let peer = b.handle.snapshot().await.unwrap().peers.remove(0);
        assert_eq!((peer.is_outbound, peer.is_static), (true, true));
    });
}
