//! Jobs on a node without a server: blocks come when the test says so.

use super::super::{DataDir, Node, dev_chain_spec};
use crate::{
    anchoring::{ChunkMetadata, MerkleTree, Registration, anchor_calls},
    keys::NodeKeys,
    testing::{CHAIN_ID, GWEI, Tx, key},
};
use alloy_consensus::{SignableTransaction, Transaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{Address, B256, TxKind, U256};
use alloy_sol_types::SolCall;
use lucid_rpc::{AnchorError, AnchorRequest};
use lucid_storage::{
    AnchoringStatus, Chunks, Direction, MerkleTrees, Options, Reader, SessionAnchoringRecord, SessionAnchorings,
    SessionKey, Sessions,
};
use lucid_types::{
    AnchoringId, Manifest, SessionId,
    contracts::{LUCID_ANCHORS_ADDRESS, LucidAnchors},
};

/// A dev chain whose node has the account of `key(1)`.
fn node(folder: &DataDir) -> Node {
    let keys = NodeKeys::new(key(1), key(101)).unwrap();
    Node::open(folder, keys, &Options::default(), |keys| Ok(dev_chain_spec(keys, 1_800_000_000).unwrap())).unwrap()
}

fn request(seed: u8, chunks: u8) -> AnchorRequest {
    let leaves: Vec<B256> = (1..=chunks).map(|index| B256::from_slice(&[[seed; 16], [index; 16]].concat())).collect();
    let manifest = Manifest {
        session_id: SessionId::from_random([seed; 16]),
        chunk_count: chunks.into(),
        total_size: 10 * u64::from(chunks),
        merkle_root: MerkleTree::new(leaves.clone()).unwrap().root(),
        created_at: 1_800_000_000,
        participants: None,
        codec: None,
        recorder_version: None,
        device_fingerprint: None,
        policy_hash: None,
        observers: None,
    };
    AnchorRequest {
        manifest,
        ciphertext_sha256: leaves.clone(),
        leaves,
        size_bytes: vec![10; chunks.into()],
        local_paths: (0..chunks).map(|index| format!("chunk{index}")).collect(),
        started_at: 1_700_000_000,
        owner: None,
        transactions: Vec::new(),
        user_id: None,
    }
}

fn job(node: &Node, id: &AnchoringId) -> SessionAnchoringRecord {
    node.snapshot().unwrap().get::<SessionAnchorings>(id).unwrap().unwrap()
}

fn decoded(job: &SessionAnchoringRecord, place: usize) -> TxEnvelope {
    TxEnvelope::decode_2718_exact(&job.transactions[place].raw).unwrap()
}

/// A transaction of the node's own account that belongs to no anchoring.
fn foreign(nonce: u64, to: Address, input: Vec<u8>, max_fee: u128) -> Vec<u8> {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: max_fee / 2,
        to: TxKind::Call(to),
        value: U256::ZERO,
        input: input.into(),
        ..TxEip1559::default()
    };
    let signature = key(1).sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
}

#[test]
fn a_job_is_pending_until_its_blocks_are_final_and_confirmed_after() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let accepted = node.accept_anchoring(request(7, 3)).unwrap();
    assert_eq!(accepted.status, AnchoringStatus::Pending);
    let before = node.snapshot().unwrap();
    let key = SessionKey { session_id: accepted.session_id, account: accepted.account };
    assert_eq!(before.get::<Sessions>(&key).unwrap().unwrap().status, AnchoringStatus::Pending);

    let block = node.make_block().unwrap().expect("two transactions wait");
    assert_eq!(block.transactions[0].hash, accepted.transaction_hash);
    node.advance_anchorings().unwrap();
    let done = job(&node, &accepted.anchoring_id);
    assert_eq!((done.status, done.block_number), (AnchoringStatus::Confirmed, Some(1)));
    let after = node.snapshot().unwrap();
    let session = after.get::<Sessions>(&key).unwrap().unwrap();
    assert_eq!(session.anchor_txid, Some(accepted.transaction_hash));
    let chunks: Vec<_> = after.range_prefix::<Chunks>(&accepted.session_id, Direction::Forward).unwrap().collect();
    assert_eq!(chunks.len(), 3);
    // What only this node knows is kept when the chain's own row comes.
    assert!(chunks.into_iter().all(|row| row.unwrap().1.local_path.is_some()));
    assert!(node.anchorings().is_empty());
}

#[test]
fn the_same_session_or_root_is_not_taken_twice_for_one_account() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    node.accept_anchoring(request(7, 3)).unwrap();
    assert!(matches!(node.accept_anchoring(request(7, 3)), Err(AnchorError::AlreadyAnchored(_))));
    let mut same_root = request(7, 3);
    same_root.manifest.session_id = SessionId::from_random([9; 16]);
    assert!(matches!(node.accept_anchoring(same_root), Err(AnchorError::RootAlreadyAnchored(_))));
    let mut lie = request(8, 3);
    lie.manifest.merkle_root = B256::repeat_byte(1);
    assert!(matches!(node.accept_anchoring(lie), Err(AnchorError::RootMismatch { .. })));
    assert_eq!(node.anchorings().len(), 1);
}

#[test]
fn jobs_accepted_before_any_block_take_nonces_one_after_the_other() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let ids: Vec<_> = (1..=5).map(|seed| node.accept_anchoring(request(seed, 2)).unwrap().anchoring_id).collect();
    let nonces: Vec<u64> = ids.iter().flat_map(|id| job(&node, id).transactions).map(|sent| sent.nonce).collect();
    assert_eq!(nonces, (0..10).collect::<Vec<_>>());
    node.make_block().unwrap();
    node.advance_anchorings().unwrap();
    assert!(ids.iter().all(|id| job(&node, id).status == AnchoringStatus::Confirmed));
}

/// A restart empties the pool, and the jobs on disk fill it again.
#[test]
fn a_job_is_sent_again_after_a_restart() {
    let folder = DataDir::temporary().unwrap();
    let first = node(&folder);
    let id = first.accept_anchoring(request(7, 3)).unwrap().anchoring_id;
    drop(first);
    let node = node(&folder);
    assert!(node.pool().is_empty());
    assert!(node.make_block().unwrap().is_none());
    node.advance_anchorings().unwrap();
    node.make_block().unwrap().expect("sent again");
    node.advance_anchorings().unwrap();
    assert_eq!(job(&node, &id).status, AnchoringStatus::Confirmed);
}

/// Somebody uses the node's key elsewhere: its nonces go to other transactions, and the job takes new ones.
#[test]
fn a_job_whose_nonce_was_taken_gets_another() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let id = node.accept_anchoring(request(7, 3)).unwrap().anchoring_id;
    let dear = 50 * GWEI;
    for nonce in 0..2 {
        node.submit(&foreign(nonce, Address::with_last_byte(9), Vec::new(), dear)).unwrap();
    }
    node.make_block().unwrap().expect("the foreign transactions took the places");
    node.advance_anchorings().unwrap();
    let again = job(&node, &id);
    assert_eq!(again.transactions.iter().map(|sent| sent.nonce).collect::<Vec<_>>(), [2, 3]);
    node.make_block().unwrap().expect("sent with new nonces");
    node.advance_anchorings().unwrap();
    let done = job(&node, &id);
    assert_eq!(done.status, AnchoringStatus::Confirmed, "{:?}", done.last_error);
    assert_eq!(done.transaction_id, Some(again.transactions[0].hash));
}

/// The root was registered behind the node's back: the contract reverts, and the job says so.
#[test]
fn a_job_that_the_contract_refuses_fails_with_a_reason_and_may_be_tried_again() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let wanted = request(7, 1);
    let register = LucidAnchors::registerSessionCall {
        sessionId: SessionId::from_random([9; 16]).to_word(),
        manifestHash: B256::repeat_byte(1),
        startedAt: 1,
        owner: Address::with_last_byte(1),
        merkleRoot: wanted.manifest.merkle_root,
        chunkCount: 1,
    };
    node.submit(&foreign(0, LUCID_ANCHORS_ADDRESS, register.abi_encode(), 5 * GWEI)).unwrap();
    let id = node.accept_anchoring(wanted).unwrap().anchoring_id;
    node.make_block().unwrap().unwrap();
    node.advance_anchorings().unwrap();
    let failed = job(&node, &id);
    assert_eq!(failed.status, AnchoringStatus::Failed);
    assert!(failed.last_error.unwrap().contains("failed"));
    assert!(node.anchorings().is_empty());
    // Another root, the same session: nothing of the failed job stands in the way.
    let mut other = request(8, 2);
    other.manifest.session_id = SessionId::from_random([7; 16]);
    node.accept_anchoring(other).unwrap();
}

#[test]
fn a_raised_fee_replaces_the_old_transaction_in_the_pool() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let id = node.accept_anchoring(request(7, 1)).unwrap().anchoring_id;
    let old = decoded(&job(&node, &id), 0);
    let raised = node.with_raised_fee(&old, 4_000_000_000);
    node.submit(&raised.raw).expect("it pays enough more");
    let new = TxEnvelope::decode_2718_exact(&raised.raw).unwrap();
    assert_eq!((new.nonce(), new.input(), new.to()), (old.nonce(), old.input(), old.to()));
    assert!(new.max_fee_per_gas() >= 8_000_000_000);
    // The raised one comes into the block, and the job knows its own call again.
    node.make_block().unwrap().unwrap();
    node.advance_anchorings().unwrap();
    let done = job(&node, &id);
    assert_eq!((done.status, done.transaction_id), (AnchoringStatus::Confirmed, Some(raised.hash)));
}

/// Behind a gap that nothing fills, a job would hold its place for a week.
#[test]
fn transactions_that_the_reader_signed_leave_no_gap_after_his_others() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let mut request = request(7, 1);
    let session = Registration {
        session_id: request.manifest.session_id,
        manifest_hash: request.manifest.hash().unwrap(),
        started_at: request.started_at,
        owner: key(1).address(),
        merkle_root: request.manifest.merkle_root,
    };
    let chunk = ChunkMetadata { ciphertext_sha256: request.ciphertext_sha256[0], size_bytes: 10 };
    let calls = anchor_calls(&session, &[chunk]).unwrap();
    let mut signed_from = |nonce| {
        request.transactions = node.sign_calls(&calls, nonce).into_iter().map(|sent| sent.raw.into()).collect();
        node.accept_anchoring(request.clone())
    };
    match signed_from(1) {
        Err(AnchorError::Transaction { index: 0, fault }) => assert!(fault.contains("gap"), "{fault}"),
        other => panic!("{other:?}"),
    }
    signed_from(0).unwrap();
}

#[test]
fn transactions_that_the_reader_signed_must_be_the_sessions_calls() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let mut request = request(7, 1);
    let other = Tx::call(Address::with_last_byte(3), Vec::new()).sign(1).encoded_2718();
    request.transactions = vec![other.clone().into()];
    assert!(matches!(node.accept_anchoring(request.clone()), Err(AnchorError::Transaction { .. })));
    request.transactions = vec![other.clone().into(), other.into()];
    assert!(matches!(node.accept_anchoring(request.clone()), Err(AnchorError::Transaction { index: 0, .. })));
    request.transactions = vec![vec![1, 2, 3].into()];
    assert!(matches!(node.accept_anchoring(request), Err(AnchorError::Transaction { index: 0, .. })));
    let trees = node.snapshot().unwrap();
    let rows = trees.range::<MerkleTrees>(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded, Direction::Forward);
    assert_eq!(rows.unwrap().count(), 0);
}
