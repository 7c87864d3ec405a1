//! Who gets in, who stays, and who comes back.

use std::time::{Duration, Instant};

use tokio::{net::TcpStream, time::timeout};

use super::support::*;
use crate::network::{
    NetworkCounts, NetworkEvent,
    limits::{HANDSHAKE_TIMEOUT_MS, MAX_INBOUND_PER_ADDRESS},
};

/// Where a node listens, for a plain socket.
fn socket_address(node: &Node) -> String {
    let parts: Vec<&str> = node.address.split('/').collect();
    format!("{}:{}", parts[2], parts[4])
}

/// How long a connection stays open from here on, at most `most`.
async fn open_for(stream: &TcpStream, most: Duration) -> Option<Duration> {
    let started = Instant::now();
    let end = async {
        let mut buffer = [0; 1024];
        loop {
            stream.readable().await.unwrap();
            match stream.try_read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(bytes) if bytes > 0 => {}
                _ => return,
            }
        }
    };
    timeout(most, end).await.ok().map(|()| started.elapsed())
}

#[test]
fn nobody_is_dialled_from_the_port_that_is_listened_on() {
    run(async {
        let a = node(140, &[]).await;
        let b = node(141, &[&a]).await;
        let of_a = a.until_it_is("connected", |now| now.peers.len() == 1).await;
        let port = |address: &str| address.split('/').nth(4).map(str::to_owned).unwrap();
        assert_ne!(port(&of_a.peers[0].address), port(&b.address));
    });
}

#[test]
fn nodes_of_two_chains_do_not_stay_connected_and_do_not_try_again() {
    run(async {
        let mut ours = start([1; 32], 50, &config(), &[]).await;
        let knowing = config().peer(&ours.address).unwrap();
        let mut theirs = start([2; 32], 51, &knowing, &[]).await;
        let (id, their_id) = (ours.id(), theirs.id());
        let banned = async {
            loop {
                let (a, b) = (ours.handle.snapshot().await.unwrap(), theirs.handle.snapshot().await.unwrap());
                let reasons = a.bans.iter().chain(&b.bans).map(|ban| ban.reason.as_str());
                if reasons.clone().any(|reason| reason == "is on another chain") {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, banned).await.unwrap();
        tokio::time::sleep(A_WHILE).await;
        for (node, other) in [(&mut ours, their_id), (&mut theirs, id)] {
            let snapshot = node.handle.snapshot().await.unwrap();
            assert!(snapshot.peers.is_empty(), "{snapshot:?}");
            while let Ok(Some(event)) = timeout(Duration::from_millis(10), node.events.next()).await {
                assert_ne!(event, NetworkEvent::Connected { peer: other }, "the node was told of a foreign peer");
            }
        }
    });
}

#[test]
fn a_node_that_restarts_is_found_again_by_who_has_it_as_a_static_peer() {
    run(async {
        let mut constant = node(60, &[]).await;
        let restarts = start(CHAIN, 61, &config(), &[]).await;
        let (place, id) = (restarts.address.clone(), restarts.id());
        constant.handle.add_peer(place.parse().unwrap()).unwrap();
        meet(&constant, &restarts).await;
        restarts.stop().await;
        constant.until_gone(id).await;
        let same_place = place.split("/p2p/").next().unwrap();
        let config = crate::network::NetworkConfig::new().listen(same_place).unwrap();
        let again = start(CHAIN, 61, &config, &[]).await;
        constant.until_connected(again.id()).await;
        assert_eq!(again.id(), id);
    });
}

#[test]
fn two_hundred_connections_of_one_address_leave_a_few_and_those_only_for_as_long_as_a_handshake() {
    run(async {
        let target = node(70, &[]).await;
        let address = socket_address(&target);
        let mut streams = Vec::new();
        for _ in 0..200 {
            streams.push(TcpStream::connect(&address).await.unwrap());
        }
        let started = Instant::now();
        let waits = streams.into_iter().map(|stream| {
            tokio::spawn(async move { open_for(&stream, Duration::from_millis(2 * HANDSHAKE_TIMEOUT_MS)).await })
        });
        let mut open = Vec::new();
        for wait in waits {
            open.push(wait.await.unwrap().expect("still open after twice the time of a handshake"));
        }
        let long = open.iter().filter(|time| **time > Duration::from_millis(HANDSHAKE_TIMEOUT_MS / 2)).count();
        assert!((1..=MAX_INBOUND_PER_ADDRESS).contains(&long), "{long} stayed open, after {:?}", started.elapsed());
        // From another address somebody gets in, then and now.
        let other = node(71, &[&target]).await;
        meet(&target, &other).await;
    });
}

#[test]
fn garbage_and_half_a_handshake_are_hung_up_on_in_time() {
    run(async {
        let target = node(80, &[]).await;
        let address = socket_address(&target);
        let multistream = b"\x13/multistream/1.0.0\n\x07/noise\n";
        let bytes: Vec<u8> = (0..4_096u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let attempts: [(&[u8], bool); 5] = [
            (&bytes, true),
            // Read as a length, its first byte promises more than comes.
            (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", false),
            (&[&multistream[..], &[0xff, 0xff]].concat(), true),
            (&[&multistream[..], &[0, 32], &[5; 32], &[0, 64], &[6; 64]].concat(), true),
            (multistream, false),
        ];
        let tries = attempts.map(|(bytes, at_once)| {
            let (address, bytes) = (address.clone(), bytes.to_vec());
            tokio::spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                stream.writable().await.unwrap();
                assert_eq!(stream.try_write(&bytes).unwrap(), bytes.len());
                let most = if at_once { HANDSHAKE_TIMEOUT_MS / 2 } else { HANDSHAKE_TIMEOUT_MS * 3 / 2 };
                open_for(&stream, Duration::from_millis(most)).await.is_some()
            })
        });
        for (n, attempt) in tries.into_iter().enumerate() {
            assert!(attempt.await.unwrap(), "attempt {n} was not hung up on in time");
        }
        let other = node(81, &[&target]).await;
        meet(&target, &other).await;
    });
}

#[test]
fn a_ban_survives_a_restart_through_the_rows_and_ends_with_a_pardon() {
    run(async {
        let mut first = node(90, &[]).await;
        let (place, id) = (first.address.split("/p2p/").next().unwrap().to_owned(), first.id());
        let mut bad = node(91, &[&first]).await;
        meet(&first, &bad).await;
        assert_eq!(first.handle.counts(), NetworkCounts { connected: 1, banned: 0 });
        first.handle.ban(bad.id(), Duration::from_secs(3_600), "for the test".to_owned()).unwrap();
        first.until_gone(bad.id()).await;
        assert_eq!(first.handle.counts(), NetworkCounts { connected: 0, banned: 1 });
        let rows = first.stop().await;
        bad.until_gone(id).await;
        let config = crate::network::NetworkConfig::new().listen(&place).unwrap();
        let mut again = start(CHAIN, 90, &config, &rows).await;
        let ban = again.handle.snapshot().await.unwrap().bans.remove(0);
        assert_eq!((ban.id, ban.reason.as_str()), (bad.id(), "for the test"));
        // The other one dials every few seconds.
        bad.handle.add_peer(again.address.parse().unwrap()).unwrap();
        let met = timeout(A_WHILE, again.until_connected(bad.id())).await;
        assert!(met.is_err(), "who was banned is in");
        again.handle.pardon(bad.id()).unwrap();
        bad.handle.add_peer(again.address.parse().unwrap()).unwrap();
        again.until_connected(bad.id()).await;
    });
}

#[test]
fn who_is_removed_is_hung_up_on_and_dialled_no_more() {
    run(async {
        let a = node(100, &[]).await;
        let mut b = node(101, &[&a]).await;
        meet(&a, &b).await;
        b.handle.remove_peer(a.id()).unwrap();
        b.until_gone(a.id()).await;
        tokio::time::sleep(A_WHILE).await;
        assert!(b.handle.snapshot().await.unwrap().peers.is_empty());
    });
}

#[test]
fn a_network_that_is_stopped_says_that_nothing_follows() {
    run(async {
        let mut a = node(110, &[]).await;
        a.handle.stop().await.unwrap();
        assert_eq!(a.events.next().await, None);
        assert!(a.handle.snapshot().await.is_err());
        assert!(a.handle.request(a.id(), Vec::new()).await.is_err());
    });
}
