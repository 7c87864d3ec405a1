//! Events of transactions that really ran become rows.

use super::*;
use crate::{
    anchoring::{ChunkMetadata, Registration, anchor_calls},
    testing::{TestChain, Tx, account},
};
use alloy_primitives::{Address, B256, TxKind};
use alloy_sol_types::SolCall;
use lucid_storage::{Direction, SessionsByMerkleRoot, Snapshot};
use lucid_types::Rules;
use std::ops::Bound;

/// Logs four topics and then data, as its input gives them.
const LOG4: &[u8] = &[
    0x60, 0x60, 0x35, 0x60, 0x40, 0x35, 0x60, 0x20, 0x35, 0x5f, 0x35, 0x60, 0x80, 0x36, 0x03, 0x80, 0x60, 0x80, 0x5f,
    0x37, 0x5f, 0xa4, 0x00,
];

/// Account that registers.
const REGISTRAR: u8 = 2;

fn session_id() -> SessionId {
    SessionId::from_word(B256::right_padding_from(&[
        0x3f, 0x2b, 0x0e, 0x5c, 0x6d, 0x1a, 0x4c, 0x7e, 0x9b, 0x80, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66,
    ]))
    .unwrap()
}

fn registration() -> Registration {
    Registration {
        session_id: session_id(),
        manifest_hash: B256::repeat_byte(5),
        started_at: 1_700_000_000,
        owner: account(9),
        merkle_root: B256::repeat_byte(6),
    }
}

fn chunks() -> Vec<ChunkMetadata> {
    (1..=3).map(|n| ChunkMetadata { ciphertext_sha256: B256::repeat_byte(n), size_bytes: u64::from(n) * 100 }).collect()
}

/// The transactions of an anchoring.
fn anchoring() -> Vec<Tx> {
    let calls = anchor_calls(&registration(), &chunks()).unwrap();
    let tx = |(nonce, call): (u64, crate::anchoring::AnchorCall)| {
        Tx { gas_limit: call.gas_limit, ..Tx::call(call.to, call.input) }.nonce(nonce)
    };
    (0..).zip(calls).map(tx).collect()
}

/// Commits a block of one account's transactions, which must succeed, and then the rows of its events.
fn commit(chain: &mut TestChain, signer: u8, transactions: Vec<Tx>) -> CommittedBlock {
    let block = chain.advance(transactions.into_iter().map(|tx| tx.sign(signer)).collect()).event;
    assert!(block.transactions.iter().all(|transaction| transaction.success));
    write(chain, &block);
    block
}

fn write(chain: &TestChain, block: &CommittedBlock) {
    let mut batch = chain.store.begin().unwrap();
    write_events(&mut batch, block).unwrap();
    chain.store.commit(batch).unwrap();
}

fn session_key() -> SessionKey {
    SessionKey { session_id: session_id(), account: account(REGISTRAR) }
}

fn chunk_key(idx: u32) -> ChunkKey {
    ChunkKey { session_id: session_id(), idx, account: account(REGISTRAR) }
}

fn rows(snapshot: &Snapshot) -> (usize, usize) {
    let sessions = snapshot.range::<Sessions>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    let chunks = snapshot.range::<Chunks>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
    (sessions.count(), chunks.count())
}

#[test]
fn an_anchoring_becomes_a_session_and_its_chunks() {
    let mut chain = TestChain::new(Rules::Dev);
    let block = commit(&mut chain, REGISTRAR, anchoring());
    let snapshot = chain.store.snapshot().unwrap();
    let registered = &block.transactions[0];
    let expected = SessionRecord {
        owner_addr: account(9),
        started_at: 1_700_000_000,
        ended_at: None,
        manifest_hash: B256::repeat_byte(5),
        merkle_root: B256::repeat_byte(6),
        chunk_count: 3,
        anchor_txid: Some(registered.hash),
        block_number: Some(1),
        gas_used: Some(registered.gas_used),
        status: AnchoringStatus::Confirmed,
    };
    assert_eq!(snapshot.get::<Sessions>(&session_key()).unwrap(), Some(expected));
    let by_root = snapshot.first_by_index::<SessionsByMerkleRoot>(&B256::repeat_byte(6)).unwrap();
    assert_eq!(by_root.unwrap().0, session_key());
    for (idx, chunk) in (0..).zip(chunks()) {
        let expected = ChunkRecord {
            local_path: None,
            ciphertext_sha256: chunk.ciphertext_sha256,
            size_bytes: chunk.size_bytes,
            status: ChunkStatus::Stored,
        };
        assert_eq!(snapshot.get::<Chunks>(&chunk_key(idx)).unwrap(), Some(expected));
    }
    assert_eq!(rows(&snapshot), (1, 3));
}

#[test]
fn what_only_this_node_knows_is_kept() {
    let mut chain = TestChain::new(Rules::Dev);
    let mut batch = chain.store.begin().unwrap();
    let session = SessionRecord {
        owner_addr: Address::ZERO,
        started_at: 1,
        ended_at: Some(77),
        manifest_hash: B256::ZERO,
        merkle_root: B256::ZERO,
        chunk_count: 1,
        anchor_txid: None,
        block_number: None,
        gas_used: None,
        status: AnchoringStatus::Processing,
    };
    batch.put::<Sessions>(&session_key(), &session).unwrap();
    let chunk = ChunkRecord {
        local_path: Some("/recordings/1".to_owned()),
        ciphertext_sha256: B256::ZERO,
        size_bytes: 1,
        status: ChunkStatus::Pending,
    };
    batch.put::<Chunks>(&chunk_key(1), &chunk).unwrap();
    chain.store.commit(batch).unwrap();

    commit(&mut chain, REGISTRAR, anchoring());
    let snapshot = chain.store.snapshot().unwrap();
    let session = snapshot.get::<Sessions>(&session_key()).unwrap().unwrap();
    assert_eq!((session.ended_at, session.started_at), (Some(77), 1_700_000_000));
    assert_eq!(session.status, AnchoringStatus::Confirmed);
    let chunk = snapshot.get::<Chunks>(&chunk_key(1)).unwrap().unwrap();
    assert_eq!((chunk.local_path.as_deref(), chunk.size_bytes), (Some("/recordings/1"), 200));
    assert_eq!(chunk.status, ChunkStatus::Stored);
}

#[test]
fn the_status_of_a_chunk_follows_the_contract_in_every_word() {
    use LucidChunkStore::ChunkStatus as OnChain;
    let mut chain = TestChain::new(Rules::Dev);
    commit(&mut chain, REGISTRAR, anchoring());
    let words = [
        (OnChain::Verified, ChunkStatus::Verified),
        (OnChain::Replicated, ChunkStatus::Replicated),
        (OnChain::Missing, ChunkStatus::Missing),
        (OnChain::Corrupted, ChunkStatus::Corrupted),
        (OnChain::Archived, ChunkStatus::Archived),
        (OnChain::Stored, ChunkStatus::Stored),
    ];
    for (nonce, (status, expected)) in (2..).zip(words) {
        let call = LucidChunkStore::updateChunkStatusCall { sessionId: session_id().to_word(), index: 1, status };
        commit(&mut chain, REGISTRAR, vec![Tx::call(LUCID_CHUNK_STORE_ADDRESS, call.abi_encode()).nonce(nonce)]);
        let snapshot = chain.store.snapshot().unwrap();
        let chunk = snapshot.get::<Chunks>(&chunk_key(1)).unwrap().unwrap();
        assert_eq!((chunk.status, chunk.size_bytes), (expected, 200));
        assert_eq!(snapshot.get::<Chunks>(&chunk_key(0)).unwrap().unwrap().status, ChunkStatus::Stored);
    }
}

#[test]
fn two_accounts_that_register_one_id_have_a_row_each() {
    let mut chain = TestChain::new(Rules::Dev);
    commit(&mut chain, REGISTRAR, anchoring());
    commit(&mut chain, 3, anchoring());
    assert_eq!(rows(&chain.store.snapshot().unwrap()), (2, 6));
}

#[test]
fn a_transaction_that_reverts_leaves_no_row() {
    let mut chain = TestChain::new(Rules::Dev);
    // Chunks of a session that was never registered.
    let run = Tx { nonce: 0, gas_limit: 200_000, ..anchoring().pop().unwrap() };
    let block = chain.advance(vec![run.sign(REGISTRAR)]).event;
    assert!(!block.transactions[0].success);
    write(&chain, &block);
    assert_eq!(rows(&chain.store.snapshot().unwrap()), (0, 0));
}

#[test]
fn the_same_event_of_another_contract_means_nothing() {
    let mut chain = TestChain::new(Rules::Dev);
    let event = SessionRegistered {
        sessionId: session_id().to_word(),
        merkleRoot: B256::repeat_byte(6),
        account: account(REGISTRAR),
        owner: account(9),
        manifestHash: B256::repeat_byte(5),
        startedAt: 1,
        chunkCount: 1,
    };
    let log = event.encode_log_data();
    let input = [log.topics().concat(), log.data.to_vec()].concat();
    let create = Tx { to: TxKind::Create, ..Tx::create(LOG4) };
    let call = Tx::call(account(3).create(0), input).nonce(1);
    let block = commit(&mut chain, 3, vec![create, call]);
    assert_eq!(block.transactions[1].logs[0].data, log, "the look-alike is exact");
    assert_eq!(rows(&chain.store.snapshot().unwrap()), (0, 0));
}

#[test]
fn half_an_event_makes_no_row() {
    let mut chain = TestChain::new(Rules::Dev);
    let mut block = chain.advance(anchoring().into_iter().map(|tx| tx.sign(REGISTRAR)).collect()).event;
    for transaction in &mut block.transactions {
        for log in &mut transaction.logs {
            let cut = log.data.data.slice(..log.data.data.len() - 1);
            log.data.data = cut;
        }
    }
    write(&chain, &block);
    assert_eq!(rows(&chain.store.snapshot().unwrap()), (0, 0));
}
