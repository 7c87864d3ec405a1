//! What an export to a live server asks of a node.

use crate::{
    access::tokens,
    support::{TestChain, serve_with},
};
use alloy_primitives::Bytes;
use lucid_rpc::{Client, ExportStateDocument, Scope};
use serde_json::json;

fn state(step: u64) -> ExportStateDocument {
    let positions = vec![("blocks".to_owned(), Bytes::from_static(&[1, 2]))];
    ExportStateDocument { hex: false, step, previous_step: 0, sequence: 3, positions }
}

#[tokio::test]
async fn changes_come_in_pages_up_to_a_sequence_and_the_state_is_kept() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let url = format!("http://{}", served.server.local_addr());
    let client = Client::with_token(&url, &crate::access::token(Scope::Admin)).unwrap();
    let status = client.export_state(Some("a")).await.unwrap();
    assert_eq!((status.chain_id, status.state), (31_337, None));

    let all = client.export_changes("blocks", None, u64::MAX, None).await.unwrap();
    assert_eq!((all.rows.len(), all.more), (3, false));
    let again = client.export_changes("blocks", all.position.as_ref().map(|at| &at[..]), u64::MAX, None).await.unwrap();
    assert_eq!((again.rows.len(), &again.position), (0, &all.position));
    assert_eq!(client.export_changes("blocks", None, 0, None).await.unwrap().rows, []);
    let unknown = client.export_changes("block", None, 1, None).await.unwrap_err();
    assert!(unknown.to_string().contains("did you mean blocks?"), "{unknown}");

    assert!(client.put_export_state("a", &state(7), None).await.unwrap());
    assert!(!client.put_export_state("a", &state(8), None).await.unwrap(), "somebody else's step is there");
    assert!(client.put_export_state("a", &state(8), Some(7)).await.unwrap());
    assert_eq!(client.export_state(Some("a")).await.unwrap().state, Some(state(8)));

    let foreign = ExportStateDocument { positions: vec![("seals".to_owned(), Bytes::new())], ..state(9) };
    for (target, state) in [("a", &foreign), ("", &state(9)), (&"a".repeat(65), &state(9))] {
        let refused = client.put_export_state(target, state, Some(8)).await.unwrap_err();
        assert_eq!(refused.fault().unwrap().lucid_code(), Some("LUCID_ERR_1001"), "{refused}");
    }
    let long = json!({ "hex": false, "step": 9, "previous_step": 0, "sequence": 3, "positions": [["blocks", "0x".to_owned() + &"00".repeat(16_385)]] });
    let refused = client.request::<bool>("admin_putExportState", ("a", long, 8)).await.unwrap_err();
    assert!(refused.to_string().contains("too long"), "{refused}");
}
