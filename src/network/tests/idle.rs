//! What a network costs in which nothing happens.

use std::time::Duration;

use super::support::*;

/// Most bytes a second that an idle node may send. A metered line has a gigabyte a month, which is 386 a second; a
/// network of four stays far below.
const MAX_IDLE_BYTES_PER_SEC: u64 = 1024;

/// Heartbeats, pings and identities of four nodes, counted at their sockets: each sends less than 1 KiB a second.
#[test]
fn four_idle_nodes_send_less_than_a_kibibyte_a_second_each() {
    run(async {
        let a = node(130, &[]).await;
        let b = node(131, &[&a]).await;
        let c = node(132, &[&a, &b]).await;
        let d = node(133, &[&a, &b, &c]).await;
        let nodes = [&a, &b, &c, &d];
        for node in nodes {
            node.until_it_is("connected with all", |now| {
                now.peers.len() == 3 && now.peers.iter().all(|peer| peer.is_listening && !peer.agent.is_empty())
            })
            .await;
        }
        // What they tell each other at the beginning is not idle.
        tokio::time::sleep(A_WHILE).await;
        let before = sent(&nodes).await;
        // As long as from one ping to the next: each connection has one each way.
        let window = Duration::from_millis(crate::network::limits::PING_INTERVAL_MS + 500);
        tokio::time::sleep(window).await;
        for (after, before) in sent(&nodes).await.iter().zip(before) {
            let bytes = after - before;
            println!("an idle node of four sent {bytes} bytes in {window:?}");
            assert!(bytes > 0, "not even a ping");
            assert!(bytes < MAX_IDLE_BYTES_PER_SEC * window.as_secs(), "{bytes} bytes in {window:?}");
        }
    });
}

/// Bytes that each node has sent to all its peers.
async fn sent(nodes: &[&Node]) -> Vec<u64> {
    let mut all = Vec::new();
    for node in nodes {
        let snapshot = node.handle.snapshot().await.unwrap();
        assert_eq!(snapshot.peers.len(), 3, "all stay connected");
        all.push(snapshot.peers.iter().map(|peer| peer.sent_bytes).sum());
    }
    all
}
