//! Documents as the older programs wrote them, and as an export of ours does.

use super::{
    document::{ImportedDocument, NotTaken, read_document},
    fields::in_words,
};
use crate::export::document::{BytesAs, append, document_of};
use alloy_primitives::{Address, B256, B512};
use bson::{
    Binary, Bson, DateTime, Decimal128, Document, RawBson, RawDocument, RawDocumentBuf, doc, oid::ObjectId,
    spec::BinarySubtype,
};
use lucid_storage::{
    AnchoringStatus, ChunkKey, ChunkRecord, ChunkStatus, DocumentId, ImportRow, PayoutRecord, SessionKey,
    SessionRecord, TaskProofKey, TaskProofRecord, TaskProofType, TaskValue, schema_of,
};
use lucid_types::SessionId;
use proptest::prelude::*;

const SESSION: &str = "7f1c2d3e-4b5a-4c6d-8e9f-0a1b2c3d4e5f";
const AT: u64 = 1_769_860_800;

fn session_id() -> SessionId {
    SESSION.parse().unwrap()
}

fn read(collection: &str, document: &Document) -> Result<ImportedDocument, NotTaken> {
    read_document(collection, RawDocumentBuf::try_from(document).unwrap().as_bytes())
}

fn taken(collection: &str, document: &Document) -> ImportRow {
    read(collection, document).unwrap_or_else(|refused| panic!("{document}: {}", refused.reason)).row
}

fn reason(collection: &str, document: &Document) -> String {
    match read(collection, document) {
        Err(refused) => refused.reason,
        Ok(taken) => panic!("{document} is taken as {taken:?}"),
    }
}

/// A session as the chain's engine wrote it: `SessionAnchor.to_dict`.
fn session() -> Document {
    doc! {
        "_id": SESSION, "owner_addr": format!("0x{}", "Ab".repeat(20)), "started_at": AT as i64, "ended_at": Bson::Null,
        "manifest_hash": format!("0x{}", "11".repeat(32)), "merkle_root": format!("0x{}", "22".repeat(32)),
        "chunk_count": 3, "anchor_txid": format!("0x{}", "33".repeat(32)), "block_number": 7, "gas_used": 90_000,
        "status": "confirmed",
    }
}

fn session_row() -> ImportRow {
    let record = SessionRecord {
        owner_addr: Address::repeat_byte(0xab),
        started_at: AT,
        ended_at: None,
        manifest_hash: B256::repeat_byte(0x11),
        merkle_root: B256::repeat_byte(0x22),
        chunk_count: 3,
        anchor_txid: Some(B256::repeat_byte(0x33)),
        block_number: Some(7),
        gas_used: Some(90_000),
        status: AnchoringStatus::Confirmed,
    };
    ImportRow::Session(SessionKey { session_id: session_id(), account: Address::ZERO }, record)
}

/// The document with other fields in place of its own, or beside them; null takes one away.
fn with(mut document: Document, fields: Document) -> Document {
    for (name, value) in fields {
        match value {
            Bson::Null => drop(document.remove(&name)),
            value => drop(document.insert(name, value)),
        }
    }
    document
}

#[test]
fn a_session_is_read_in_every_layout() {
    assert_eq!(taken("sessions", &session()), session_row());
    let uuid = |subtype| Binary { subtype, bytes: session_id().as_bytes().to_vec() };
    for fields in [
        doc! { "_id": ObjectId::new(), "session_id": SESSION },
        doc! { "_id": uuid(BinarySubtype::Uuid) },
        doc! { "_id": ObjectId::new(), "sessionId": uuid(BinarySubtype::UuidOld) },
        doc! { "started_at": DateTime::from_millis(AT as i64 * 1_000) },
        // As `Date.now()` gives it.
        doc! { "started_at": AT as f64 * 1_000.0 },
        doc! { "started_at": "2026-01-31T12:00:00+00:00" },
        doc! { "manifest_hash": "11".repeat(32), "chunk_count": 3.0, "block_number": 7i64 },
        doc! { "chunk_count": Bson::Null, "chunks": [doc! { "idx": 0 }, doc! {}, doc! {}] },
        doc! { "owner_addr": Bson::Null, "owner_address": "ab".repeat(20), "total_size": 5, "codec_info": doc! { "a": [1] } },
        doc! {
            "manifest_hash": Bson::Null, "manifestHash": "11".repeat(32), "merkle_root": Bson::Null,
            "merkleRoot": "22".repeat(32), "started_at": Bson::Null, "startedAt": AT as i64, "chunk_count": Bson::Null,
            "chunkCount": 3, "anchor_txid": Bson::Null, "anchorTxid": "33".repeat(32), "block_number": Bson::Null,
            "blockNumber": 7, "gas_used": Bson::Null, "gasUsed": 90_000, "owner_addr": Bson::Null,
            "ownerAddr": "ab".repeat(20),
        },
    ] {
        assert_eq!(taken("sessions", &with(session(), fields.clone())), session_row(), "{fields}");
    }
    let account = taken("sessions", &with(session(), doc! { "account": "05".repeat(20), "anchor_txid": "" }));
    let ImportRow::Session(key, record) = account else { panic!("a session") };
    assert_eq!((key.account, record.anchor_txid), (Address::repeat_byte(5), None));
}

#[test]
fn a_session_that_does_not_say_all_of_it_is_not_taken() {
    for (fields, said) in [
        (doc! { "_id": "session_001" }, "_id is \"session_001\", and must be a UUID"),
        (
            doc! { "_id": ObjectId::from_bytes([1; 12]) },
            "_id is ObjectId(010101010101010101010101), and must be a UUID",
        ),
        (doc! { "owner_addr": "TXYZ" }, "owner_addr is \"TXYZ\", and must be an address of 20 bytes"),
        (doc! { "manifest_hash": Bson::Null }, "it has no manifest_hash"),
        (doc! { "manifest_hash": "" }, "manifest_hash is \"\", and must be a hash of 32 bytes"),
        (doc! { "chunk_count": Bson::Null }, "it has no chunk_count"),
        (doc! { "chunk_count": -1 }, "chunk_count is -1, and must be a whole number from 0 on"),
        (doc! { "started_at": true }, "started_at is true, and must be a time from 1970 on"),
        (doc! { "status": "completed" }, "status is \"completed\", and must be pending, processing,"),
        (doc! { "anchor_txid": "0xtx001" }, "anchor_txid is \"0xtx001\", and must be a hash"),
    ] {
        let reason = reason("sessions", &with(session(), fields.clone()));
        assert!(reason.starts_with(said), "{fields}: {reason}");
    }
    assert_eq!(reason("sessions", &with(session(), doc! { "_id": Bson::Null })), "it has no _id");
    assert_eq!(reason("blocks", &session()), "nothing is imported into blocks");
}

#[test]
fn a_chunk_is_read_in_every_layout() {
    // `ChunkMetadata.to_dict`.
    let chunk = doc! {
        "_id": format!("{SESSION}_002"), "session_id": SESSION, "idx": 2, "local_path": "/data/c2",
        "ciphertext_sha256": "44".repeat(32), "size_bytes": 4_096i64,
    };
    let key = ChunkKey { session_id: session_id(), idx: 2, account: Address::ZERO };
    let record = ChunkRecord {
        local_path: Some("/data/c2".to_owned()),
        ciphertext_sha256: B256::repeat_byte(0x44),
        size_bytes: 4_096,
        status: ChunkStatus::Pending,
    };
    let row = ImportRow::Chunk(key, record.clone());
    assert_eq!(taken("chunks", &chunk), row);
    for fields in [
        doc! { "idx": Bson::Null, "chunk_idx": 2, "ciphertext_sha256": Bson::Null, "ciphertext_hash": "44".repeat(32) },
        doc! { "idx": Bson::Null, "index": 2.0, "size_bytes": Bson::Null, "sizeBytes": "4096" },
        doc! { "session_id": Bson::Null, "sessionId": SESSION.replace('-', ""), "status": "" },
    ] {
        assert_eq!(taken("chunks", &with(chunk.clone(), fields.clone())), row, "{fields}");
    }
    let stored = ImportRow::Chunk(key, ChunkRecord { status: ChunkStatus::Stored, local_path: None, ..record });
    assert_eq!(taken("chunks", &with(chunk.clone(), doc! { "status": "stored", "local_path": Bson::Null })), stored);
    // What the chunk manager wrote has no hash of the ciphertext.
    let of_manager = doc! { "ciphertext_sha256": Bson::Null, "hash_original": "44".repeat(32) };
    assert_eq!(reason("chunks", &with(chunk.clone(), of_manager)), "it has no ciphertext_sha256");
    assert!(reason("chunks", &with(chunk.clone(), doc! { "idx": 1i64 << 32 })).starts_with("idx is 4294967296"));
    let long = reason("chunks", &with(chunk, doc! { "local_path": "x".repeat(5_000) }));
    assert_eq!(long, "local_path has 5000 bytes, and at most 4096 are taken");
}

/// A task proof as the engine wrote it: `TaskProof.to_dict`.
fn task_proof() -> Document {
    doc! {
        "_id": "node_100_relay_bandwidth", "nodeId": format!("0x{}", "09".repeat(20)), "poolId": Bson::Null, "slot": 100,
        "type": "relay_bandwidth", "value": { "bytes_transferred": 1_024, "sessions_relayed": 2 },
        "sig": format!("0x{}", "55".repeat(64)), "ts": DateTime::from_millis(AT as i64 * 1_000),
    }
}

fn task_proof_row(slot: u64, kind: TaskProofType, value: TaskValue) -> ImportRow {
    let key = TaskProofKey { slot, node_id: Address::repeat_byte(9), kind };
    ImportRow::TaskProof(key, TaskProofRecord { pool_id: None, value, sig: B512::repeat_byte(0x55), ts: AT })
}

#[test]
fn a_task_proof_is_read_in_every_layout() {
    let relay = TaskValue::Relay { bytes_transferred: 1_024, sessions_relayed: 2 };
    let row = task_proof_row(100, TaskProofType::RelayBandwidth, relay);
    assert_eq!(taken("task_proofs", &task_proof()), row);
    // As the first schema had it, under the name work_proofs.
    let first = doc! {
        "_id": "x", "node_id": "09".repeat(20), "slot": 100, "proof_type": "relay_bandwidth",
        "proof_data": { "bytes_transferred": 1_024, "sessions_relayed": 2 }, "signature": "55".repeat(64),
        "timestamp": "2026-01-31T12:00:00+00:00", "reward_amount": Decimal128::from_bytes([0; 16]), "verified": true,
    };
    assert_eq!(taken("task_proofs", &first), row);
    for (fields, kind, value) in [
        (
            doc! { "value": { "bytes_transferred": 5 } },
            TaskProofType::RelayBandwidth,
            TaskValue::Relay { bytes_transferred: 5, sessions_relayed: 0 },
        ),
        (
            doc! { "type": "storage_availability", "value": { "chunks_stored": 7, "size_bytes": 8i64 } },
            TaskProofType::StorageAvailability,
            TaskValue::Storage { chunks_stored: 7, size_bytes: 8 },
        ),
        (
            doc! { "type": "uptime_beacon", "value": { "uptime_seconds": 120 } },
            TaskProofType::UptimeBeacon,
            TaskValue::Uptime { uptime_seconds: 120 },
        ),
    ] {
        assert_eq!(taken("task_proofs", &with(task_proof(), fields)), task_proof_row(100, kind, value));
    }
}

#[test]
fn an_epoch_of_24_hours_is_720_slots_and_the_time_says_which() {
    let relay = TaskValue::Relay { bytes_transferred: 1_024, sessions_relayed: 2 };
    // Noon is the middle of the day.
    let of_epoch = with(task_proof(), doc! { "slot": Bson::Null, "epoch": 30 });
    let row = task_proof_row(30 * 720 + 360, TaskProofType::RelayBandwidth, relay);
    assert_eq!(taken("task_proofs", &of_epoch), row);
    assert_eq!(reason("task_proofs", &with(of_epoch.clone(), doc! { "ts": Bson::Null })), "it has no ts");
    assert_eq!(reason("task_proofs", &with(of_epoch.clone(), doc! { "epoch": Bson::Null })), "it has no slot");
    assert!(
        reason("task_proofs", &with(of_epoch, doc! { "epoch": i64::MAX })).starts_with("epoch is 9223372036854775807")
    );
}

#[test]
fn a_task_proof_that_proves_nothing_here_is_not_taken() {
    for (fields, said) in [
        (doc! { "nodeId": "node1" }, "nodeId is \"node1\", and must be an address"),
        (doc! { "type": "validation_signature" }, "type is \"validation_signature\", and must be relay_bandwidth"),
        (doc! { "value": 1.5 }, "value is 1.5, and must be a document"),
        (doc! { "value": { "bandwidth": 1 } }, "it has no bytes_transferred"),
        (doc! { "sig": "0x1234" }, "sig is \"0x1234\", and must be a signature"),
    ] {
        let reason = reason("task_proofs", &with(task_proof(), fields.clone()));
        assert!(reason.starts_with(said), "{fields}: {reason}");
    }
}

fn payout() -> Document {
    doc! {
        "_id": format!("{SESSION}_T9"), "session_id": SESSION, "to_addr": "T9", "usdt_amount": 12.5, "router": "PayoutRouterV0",
        "reason": "session", "txid": Bson::Null, "status": "pending", "created_at": DateTime::from_millis(AT as i64 * 1_000),
    }
}

#[test]
fn a_payout_says_its_amount_in_usdt_but_where_it_is_ours() {
    let amount = |fields: Document| match taken("payouts", &with(payout(), fields)) {
        ImportRow::Payout(id, record) => (id, record.usdt_amount),
        other => panic!("{other:?}"),
    };
    let id = format!("{SESSION}_T9");
    for (value, micro) in [
        (Bson::Double(12.5), 12_500_000),
        (Bson::Int32(100), 100_000_000),
        (Bson::Int64(100), 100_000_000),
        ("0.000001".into(), 1),
        (Bson::Decimal128("7.25".parse().unwrap()), 7_250_000),
    ] {
        assert_eq!(amount(doc! { "usdt_amount": value.clone() }), (id.clone(), micro), "{value:?}");
    }
    assert_eq!(amount(doc! { "id": id.clone(), "usdt_amount": 100i64 }), (id.clone(), 100));
    assert_eq!(amount(doc! { "id": "another", "usdt_amount": 100i64 }), (id, 100_000_000));
    let object = ObjectId::from_bytes([1; 12]);
    assert_eq!(amount(doc! { "_id": object }).0, "01".repeat(12));
    let refused = reason("payouts", &with(payout(), doc! { "usdt_amount": 0.123_456_7 }));
    assert!(refused.ends_with("must be an amount in USDT of at most six decimal places"), "{refused}");
    // As the programs of nodes wrote theirs.
    let of_node =
        doc! { "_id": object, "payout_id": "payout_1", "node_id": "n", "amount": 5.0, "wallet_address": "T9" };
    assert_eq!(reason("payouts", &of_node), "it has no session_id");
}

#[test]
fn a_document_is_known_by_its_id_where_that_is_not_the_one_here() {
    let of = |collection, document: &Document| read(collection, document).unwrap();
    assert!(of("sessions", &session()).known_by.is_some());
    let ours = with(session(), doc! { "_id": format!("{SESSION}:{:#x}", Address::ZERO), "session_id": SESSION });
    assert_eq!(of("sessions", &ours).known_by, None);
    let id =
        |value: Bson| of("sessions", &with(session(), doc! { "_id": value, "session_id": SESSION })).known_by.unwrap();
    let object = ObjectId::from_bytes([7; 12]);
    let ids = [
        id(object.into()),
        id(object.to_hex().into()),
        id(7i32.into()),
        id(7i64.into()),
        id(Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 12] }.into()),
        id(doc! { "a": 7 }.into()),
        id(doc! { "a": 8 }.into()),
    ];
    for (place, one) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(one), "{place}");
    }
    assert_eq!(id(object.into()), ids[0]);
}

#[test]
fn bytes_that_are_no_document_are_refused_and_depth_is_no_danger() {
    for bytes in [&[][..], &[5, 0, 0, 0, 1], &[6, 0, 0, 0, 0, 0], &[12, 0, 0, 0, 2, b'a', 0, 255, 255, 255, 127, 0]] {
        let refused = read_document("sessions", bytes).unwrap_err();
        assert!(refused.reason.starts_with("it is no BSON document"), "{}", refused.reason);
    }
    let mut deep = RawDocumentBuf::new();
    for _ in 0..100_000 {
        // A document around it, without going into it.
        let inner = deep.as_bytes();
        let mut around = ((inner.len() + 9) as i32).to_le_bytes().to_vec();
        if around.len() + inner.len() > 2 << 20 {
            break;
        }
        around.extend_from_slice(b"\x03_id\0");
        around.extend_from_slice(inner);
        around.push(0);
        let len = (around.len() as i32).to_le_bytes();
        around[..4].copy_from_slice(&len);
        deep = RawDocumentBuf::from_bytes(around).unwrap();
        if deep.as_bytes().len() > 64 << 10 {
            break;
        }
    }
    let refused = read_document("sessions", deep.as_bytes()).unwrap_err();
    assert_eq!(refused.reason, "_id is a document, and must be a UUID");
    let many: Document = (0..2_000).map(|place| (place.to_string(), Bson::Int32(1))).collect();
    assert_eq!(reason("sessions", &many), "it has more than 1024 fields");
}

#[test]
fn a_field_that_is_there_twice_is_no_choice() {
    let twice = |document: &Document, name: &str, value: RawBson| {
        let mut raw = RawDocumentBuf::try_from(document).unwrap();
        append(&mut raw, name, value).unwrap();
        raw
    };
    let reason = |collection: &str, raw: &RawDocumentBuf| read_document(collection, raw.as_bytes()).unwrap_err();
    let named = |name: &str| format!("it has the field {name:?} twice");
    for (name, value) in [("status", RawBson::String("failed".into())), ("status", RawBson::Null)] {
        let refused = reason("sessions", &twice(&session(), name, value));
        assert_eq!(refused.reason, named("status"));
        assert!(refused.id.is_some(), "a report names it");
    }
    // One that is not read says as much of the program that wrote it.
    let raw = twice(&with(payout(), doc! { "note": 1 }), "note", RawBson::Int32(2));
    assert_eq!(reason("payouts", &raw).reason, named("note"));
    let claim = doc! { "bytes_transferred": 1 };
    let claim = twice(&claim, "bytes_transferred", RawBson::Int64(2));
    let mut proof = task_proof();
    proof.remove("value");
    let raw = twice(&proof, "value", RawBson::Document(claim));
    assert_eq!(reason("task_proofs", &raw).reason, named("bytes_transferred"));
}

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    prop_oneof![(0u8..3).prop_map(|byte| [byte; N]), any::<[u8; N]>()]
}

fn an_id() -> impl Strategy<Value = SessionId> {
    bytes::<16>().prop_filter_map("the nil UUID is no id", |bytes| SessionId::from_bytes(bytes).ok())
}

fn an_address() -> impl Strategy<Value = Address> {
    bytes::<20>().prop_map(Address::from)
}

fn a_hash() -> impl Strategy<Value = B256> {
    bytes::<32>().prop_map(B256::from)
}

/// Numbers of which some have no type of their own in BSON.
fn a_number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..100, any::<u64>(), (i64::MAX as u64 - 2)..=u64::MAX]
}

/// Times of which some have no date.
fn a_time() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..4_000_000_000, Just(i64::MAX as u64 / 1_000), (i64::MAX as u64 / 1_000)..=u64::MAX]
}

fn a_text() -> impl Strategy<Value = String> {
    "[ -~äß€]{0,12}"
}

fn a_row() -> impl Strategy<Value = ImportRow> {
    use prop::option::of;
    let session = (
        (an_id(), an_address(), an_address(), a_time(), of(a_time()), a_hash(), a_hash(), any::<u32>()),
        (of(a_hash()), of(a_number()), of(a_number()), prop::sample::select(AnchoringStatus::ALL)),
    );
    let session =
        session.prop_map(|((session_id, account, owner_addr, started_at, ended_at, one, other, chunk_count), rest)| {
            let (anchor_txid, block_number, gas_used, status) = rest;
            let record = SessionRecord {
                owner_addr,
                started_at,
                ended_at,
                manifest_hash: one,
                merkle_root: other,
                chunk_count,
                anchor_txid,
                block_number,
                gas_used,
                status,
            };
            ImportRow::Session(SessionKey { session_id, account }, record)
        });
    let chunk = (
        an_id(),
        any::<u32>(),
        an_address(),
        of(a_text()),
        a_hash(),
        a_number(),
        prop::sample::select(ChunkStatus::ALL),
    );
    let chunk = chunk.prop_map(|(session_id, idx, account, local_path, ciphertext_sha256, size_bytes, status)| {
        let record = ChunkRecord { local_path, ciphertext_sha256, size_bytes, status };
        ImportRow::Chunk(ChunkKey { session_id, idx, account }, record)
    });
    let value = prop_oneof![
        (a_number(), any::<u32>())
            .prop_map(|(bytes_transferred, sessions_relayed)| TaskValue::Relay { bytes_transferred, sessions_relayed }),
        (a_number(), a_number())
            .prop_map(|(chunks_stored, size_bytes)| TaskValue::Storage { chunks_stored, size_bytes }),
        a_number().prop_map(|uptime_seconds| TaskValue::Uptime { uptime_seconds }),
    ];
    let proof = (a_number(), an_address(), of(an_address()), value, bytes::<64>(), a_time());
    let proof = proof.prop_map(|(slot, node_id, pool_id, value, sig, ts)| {
        let kind = match value {
            TaskValue::Relay { .. } => TaskProofType::RelayBandwidth,
            TaskValue::Storage { .. } => TaskProofType::StorageAvailability,
            TaskValue::Uptime { .. } => TaskProofType::UptimeBeacon,
        };
        ImportRow::TaskProof(
            TaskProofKey { slot, node_id, kind },
            TaskProofRecord { pool_id, value, sig: sig.into(), ts },
        )
    });
    let payout = (
        ("[ -~]{1,9}", an_id(), a_text(), a_number(), a_text(), a_text()),
        (of(a_text()), a_text(), a_time(), of(a_hash()), of(a_text())),
    );
    let payout = payout.prop_map(|((id, session_id, to_addr, usdt_amount, router, reason), rest)| {
        let (txid, status, created_at, kyc_hash, compliance_sig) = rest;
        let record = PayoutRecord {
            session_id,
            to_addr,
            usdt_amount,
            router,
            reason,
            txid,
            status,
            created_at,
            kyc_hash,
            compliance_sig,
        };
        ImportRow::Payout(id, record)
    });
    prop_oneof![session, chunk, proof, payout]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_an_export_of_ours_writes_comes_back_as_it_was(row in a_row(), hex: bool) {
        let schema = schema_of(row.collection()).unwrap();
        let (key, record) = row.to_parts().unwrap();
        let row_key = [&[1], &key[..]].concat();
        let document = document_of(schema, &row_key, &record, BytesAs::hex(hex)).unwrap();
        let read = read_document(row.collection(), document.as_bytes());
        prop_assert_eq!(read, Ok(ImportedDocument { id: row.id(), row, known_by: None::<DocumentId> }));
    }

    #[test]
    fn bytes_that_were_changed_anywhere_are_taken_or_refused(row in a_row(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let schema = schema_of(row.collection()).unwrap();
        let (key, record) = row.to_parts().unwrap();
        let mut bytes = document_of(schema, &[&[1], &key[..]].concat(), &record, BytesAs::Hex).unwrap().into_bytes();
        for (place, byte) in flips {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        // Whatever comes of it, it is an answer.
        if let Ok(taken) = read_document(row.collection(), &bytes) {
            prop_assert!(taken.row.check().is_ok());
            let document = RawDocument::from_bytes(&bytes).unwrap();
            prop_assert!(document.iter().all(|field| field.is_ok_and(|(_, value)| !in_words(value).is_empty())));
        }
    }
}
