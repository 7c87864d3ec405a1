//! Rows of other databases: who may hand them in, what is refused, and how they are asked for.

use crate::{
    access::tokens,
    support::{TestChain, serve_with},
};
use alloy_primitives::{Address, B256, Bytes};
use lucid_rpc::{Client, FindQuery, Scope, SourceQuery};
use lucid_storage::{ChunkKey, ChunkRecord, ChunkStatus, ImportRow, MAX_PAGE_ROWS, MAX_REMOVED_ROWS};
use lucid_types::SessionId;
use serde_json::json;

fn row(idx: u32) -> (Bytes, Bytes, Option<alloy_primitives::FixedBytes<16>>) {
    let key = ChunkKey { session_id: SessionId::from_bytes([7; 16]).unwrap(), idx, account: Address::ZERO };
    let record = ChunkRecord {
        local_path: None,
        ciphertext_sha256: B256::repeat_byte(1),
        size_bytes: 5,
        status: ChunkStatus::Pending,
    };
    let (key, record) = ImportRow::Chunk(key, record).to_parts().unwrap();
    (key.into(), record.into(), None)
}

#[tokio::test]
async fn rows_are_taken_from_an_admin_and_asked_for_by_their_source() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let url = format!("http://{}", served.server.local_addr());
    let client = Client::with_token(&url, &crate::access::token(Scope::Admin)).unwrap();
    let rows: Vec<_> = (0..3).map(row).collect();
    assert_eq!(client.import_rows("old", "chunks", &rows).await.unwrap(), ["added"; 3]);
    assert_eq!(client.import_rows("old", "chunks", &rows[..1]).await.unwrap(), ["unchanged"]);
    let other = (rows[0].0.clone(), rows[0].1.clone(), Some([9; 16].into()));
    assert_eq!(client.import_rows("old", "chunks", &[other]).await.unwrap(), ["key_taken"]);

    let of_old = SourceQuery { source: Some("old".to_owned()) };
    assert_eq!(client.count("chunks", &json!({})).await.unwrap(), 0);
    assert_eq!(client.count_of("chunks", &json!({}), &of_old).await.unwrap(), 3);
    let options = FindQuery { source: of_old.source.clone(), limit: Some(2), ..FindQuery::default() };
    let page = client.find("chunks", &json!({ "idx": { "$gte": 1 } }), &options).await.unwrap();
    assert_eq!(page.documents.len(), 2);
    let own = FindQuery { cursor: page.cursor, ..FindQuery::default() };
    assert_eq!(client.find("chunks", &json!({}), &FindQuery::default()).await.unwrap().documents.len(), 0);
    assert!(
        client.find("chunks", &json!({ "idx": { "$gte": 1 } }), &own).await.is_ok(),
        "there was no more, so no cursor"
    );
    let sources = client.import_sources().await.unwrap();
    assert_eq!((sources.len(), &*sources[0].source, sources[0].documents["chunks"]), (1, "old", 3));
    let maps = client.shard_map_of(&of_old).await.unwrap();
    assert_eq!(maps[0].ranges.iter().map(|range| range.documents).sum::<u64>(), 3);
    let page = client.export_rows("chunks", None, Some("old")).await.unwrap();
    assert_eq!((page.rows.len(), page.left_out, page.more), (3, 0, false));
    let distinct = client.request::<Vec<u64>>("lucid_distinct", ("chunks", "idx", json!({}), of_old.clone())).await;
    assert_eq!(distinct.unwrap(), [0, 1, 2]);
    let pipeline = json!([{ "$group": { "_id": null, "n": { "$count": {} } } }]);
    let groups = client.request::<serde_json::Value>("lucid_aggregate", ("chunks", pipeline, of_old)).await.unwrap();
    assert_eq!(groups[0]["n"], 3);
    let unknown = SourceQuery { source: Some("new".to_owned()) };
    let unknown = client.count_of("chunks", &json!({}), &unknown).await.unwrap_err();
    assert!(unknown.to_string().contains("there are old"), "{unknown}");
}

#[tokio::test]
async fn a_source_is_removed_for_an_admin_in_steps_until_there_is_none() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let url = format!("http://{}", served.server.local_addr());
    let client = Client::with_token(&url, &crate::access::token(Scope::Admin)).unwrap();
    let rows: Vec<_> = (0..MAX_REMOVED_ROWS as u32 + 7).map(row).collect();
    for source in ["old", "new"] {
        client.import_rows(source, "chunks", &rows).await.unwrap();
    }
    for scope in [Scope::Read, Scope::Payout, Scope::Anchor] {
        let client = Client::with_token(&url, &crate::access::token(scope)).unwrap();
        let refused = client.remove_source("old").await.unwrap_err();
        assert_eq!(refused.fault().and_then(|fault| fault.lucid_code()), Some("LUCID_ERR_2004"), "{refused}");
    }
    for (removed, more) in [(MAX_REMOVED_ROWS as u64, true), (7, false)] {
        let step = client.remove_source("old").await.unwrap();
        assert_eq!((step.documents["chunks"], step.more), (removed, more));
    }
    for (source, said) in [("old", "there are new"), ("a b", "a source's name has")] {
        let refused = client.remove_source(source).await.unwrap_err();
        assert_eq!(refused.fault().and_then(|fault| fault.lucid_code()), Some("LUCID_ERR_1001"), "{refused}");
        assert!(refused.to_string().contains(said), "{refused}");
    }
    assert_eq!(client.import_sources().await.unwrap()[0].documents["chunks"], rows.len() as u64);
}

#[tokio::test]
async fn what_is_no_row_of_an_import_is_refused_whole() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let url = format!("http://{}", served.server.local_addr());
    let client = Client::with_token(&url, &crate::access::token(Scope::Admin)).unwrap();
    let (key, record, _) = row(0);
    let short = (key.slice(1..), record.clone(), None);
    let own = (key.clone(), Bytes::from([&[1, 1], &record[2..]].concat()), None);
    let many = vec![row(0); MAX_PAGE_ROWS + 1];
    for (source, collection, rows, said) in [
        ("old", "blocks", vec![row(0)], "nothing is imported into blocks"),
        ("old", "chunks", vec![row(0), short], "row 1 is not taken: its key is malformed"),
        ("old", "chunks", vec![own], "its origin is another one"),
        ("old", "sessions", vec![row(0)], "row 0 is not taken"),
        ("a b", "chunks", vec![row(0)], "a source's name has"),
        ("old", "chunks", many, "at most 4096 are taken"),
    ] {
        let refused = client.import_rows(source, collection, &rows).await.unwrap_err();
        assert!(refused.to_string().contains(said), "{refused}");
    }
    assert_eq!(client.import_sources().await.unwrap(), []);
    for scope in [Scope::Read, Scope::Payout, Scope::Anchor] {
        let client = Client::with_token(&url, &crate::access::token(scope)).unwrap();
        let refused = client.import_rows("old", "chunks", &[row(0)]).await.unwrap_err();
        assert_eq!(refused.fault().and_then(|fault| fault.lucid_code()), Some("LUCID_ERR_2004"), "{refused}");
    }
}
