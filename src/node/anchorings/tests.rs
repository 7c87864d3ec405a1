//! Jobs on a node without a server: blocks come when the test says so.

use super::{
    super::{DataDir, Node, dev_chain_spec},
    sign::call_of,
};
use crate::{
    anchoring::{AnchorCall, ChunkMetadata, MerkleTree, Registration, anchor_calls},
    keys::NodeKeys,
    testing::{CHAIN_ID, GWEI, Tx, account, key},
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
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

/// A dev chain whose node has the account of `key(1)`.
pub(in crate::node) fn node(folder: &DataDir) -> Node {
    let keys = NodeKeys::new(key(1), key(101)).unwrap();
    Node::open(folder, keys, &Options::default(), |keys| Ok(dev_chain_spec(keys, 1_800_000_000).unwrap())).unwrap()
}

/// A request for a session of so many chunks; each seed is another session.
pub(in crate::node) fn request(seed: u8, chunks: u16) -> AnchorRequest {
    let leaf = |index: u16| {
        let mut leaf = B256::repeat_byte(seed);
        leaf[30..].copy_from_slice(&index.to_be_bytes());
        leaf
    };
    let leaves: Vec<B256> = (1..=chunks).map(leaf).collect();
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
    node.snapshot().get::<SessionAnchorings>(id).unwrap().unwrap()
}

fn decoded(job: &SessionAnchoringRecord, place: usize) -> TxEnvelope {
    TxEnvelope::decode_2718_exact(&job.transactions[place].raw).unwrap()
}

/// A transaction of the node's own account that belongs to no anchoring.
fn foreign(nonce: u64, to: Address, input: Vec<u8>, max_fee: u128) -> Vec<u8> {
    foreign_call(nonce, AnchorCall { to, input: input.into(), gas_limit: 200_000 }, max_fee)
}

fn foreign_call(nonce: u64, call: AnchorCall, max_fee: u128) -> Vec<u8> {
    signed(TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: call.gas_limit,
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: max_fee / 2,
        to: TxKind::Call(call.to),
        value: U256::ZERO,
        input: call.input,
        ..TxEip1559::default()
    })
}

/// The node's first transaction: money to somebody else.
fn send_away(value: U256) -> Vec<u8> {
    signed(TxEip1559 {
        chain_id: CHAIN_ID,
        gas_limit: 21_000,
        max_fee_per_gas: 2 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: TxKind::Call(Address::repeat_byte(9)),
        value,
        ..TxEip1559::default()
    })
}

fn signed(transaction: TxEip1559) -> Vec<u8> {
    let signature = key(1).sign_prehash_recoverable(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
}

#[test]
fn a_job_is_pending_until_its_blocks_are_final_and_confirmed_after() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let accepted = node.accept_anchoring(request(7, 3)).unwrap();
    assert_eq!(accepted.status, AnchoringStatus::Pending);
    let before = node.snapshot();
    let key = SessionKey { session_id: accepted.session_id, account: accepted.account };
    assert_eq!(before.get::<Sessions>(&key).unwrap().unwrap().status, AnchoringStatus::Pending);

    let block = node.make_block().unwrap().expect("two transactions wait");
    assert_eq!(block.transactions[0].hash, accepted.transaction_hash);
    node.advance_anchorings().unwrap();
    let done = job(&node, &accepted.anchoring_id);
    assert_eq!((done.status, done.block_number), (AnchoringStatus::Confirmed, Some(1)));
    let after = node.snapshot();
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
    assert!(matches!(node.accept_anchoring(request(7, 3)), Err(AnchorError::AlreadyAnchored { .. })));
    let mut same_root = request(7, 3);
    same_root.manifest.session_id = SessionId::from_random([9; 16]);
    let refused = node.accept_anchoring(same_root).unwrap_err().to_string();
    let (first, account) = (SessionId::from_random([7; 16]), key(1).address());
    assert!(refused.contains(&first.to_string()) && refused.contains(&account.to_string()), "{refused}");
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

/// The chunks' second run keeps its nonce and is stored; signed anew beside the lost one it would be refused.
#[test]
fn only_the_run_whose_nonce_was_taken_gets_another() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let id = node.accept_anchoring(request(7, 500)).unwrap().anchoring_id;
    node.submit(&foreign(1, Address::with_last_byte(9), Vec::new(), 50 * GWEI)).unwrap();
    node.make_block().unwrap().unwrap();
    node.advance_anchorings().unwrap();
    let again = job(&node, &id);
    assert_eq!(again.transactions.iter().map(|sent| sent.nonce).collect::<Vec<_>>(), [0, 3, 2]);
    node.make_block().unwrap().expect("the lost run");
    node.advance_anchorings().unwrap();
    let done = job(&node, &id);
    assert_eq!(done.status, AnchoringStatus::Confirmed, "{:?}", done.last_error);
}

/// Makes a job look as if it had been asked for more than a week ago.
fn age(node: &Node, id: &AnchoringId) {
    let old = job(node, id);
    let old = SessionAnchoringRecord { created_at: old.created_at - 8 * 86_400, ..old };
    node.write(|batch| batch.put::<SessionAnchorings>(id, &old)).unwrap();
}

/// A job that was given up leaves nonces that nobody uses, and what has later ones would wait for ever.
#[test]
fn nonces_that_a_given_up_job_leaves_are_filled() {
    let folder = DataDir::temporary().unwrap();
    let first = node(&folder);
    let given_up = first.accept_anchoring(request(7, 3)).unwrap().anchoring_id;
    let later = first.accept_anchoring(request(8, 3)).unwrap().anchoring_id;
    age(&first, &given_up);
    first.advance_anchorings().unwrap();
    assert_eq!(job(&first, &given_up).status, AnchoringStatus::Expired);
    drop(first);
    // A restart empties the pool, and only what is under way is sent again.
    let node = node(&folder);
    node.advance_anchorings().unwrap();
    let block = node.make_block().unwrap().expect("nothing waits behind a gap");
    assert_eq!(block.transactions.len(), 4);
    node.advance_anchorings().unwrap();
    assert_eq!(job(&node, &later).status, AnchoringStatus::Confirmed);
    // With nothing behind it a nonce is left alone: the next job takes it.
    node.advance_anchorings().unwrap();
    assert!(node.pool().is_empty());
}

#[test]
fn an_expired_job_is_begun_again_and_no_other() {
    let folder = DataDir::temporary().unwrap();
    let first = node(&folder);
    let wanted = request(7, 3);
    let session_id = wanted.manifest.session_id;
    assert!(matches!(first.retry_anchoring(session_id, None), Err(AnchorError::Unknown(_))));
    let id = first.accept_anchoring(wanted).unwrap().anchoring_id;
    let refused = first.retry_anchoring(session_id, None).unwrap_err().to_string();
    assert!(refused.contains("is pending; only a failed or expired one"), "{refused}");
    age(&first, &id);
    first.advance_anchorings().unwrap();
    drop(first);
    let node = node(&folder);
    assert!(node.anchorings().is_empty() && node.pool().is_empty());
    // Its nonces went to others meanwhile.
    node.accept_anchoring(request(8, 1)).unwrap();
    node.make_block().unwrap().unwrap();

    let again = node.retry_anchoring(session_id, None).unwrap();
    assert_eq!((again.anchoring_id, again.status), (id, AnchoringStatus::Pending));
    assert!(matches!(node.retry_anchoring(session_id, None), Err(AnchorError::NotEnded { .. })));
    node.make_block().unwrap().expect("it was sent again");
    node.advance_anchorings().unwrap();
    let done = job(&node, &id);
    assert_eq!((done.status, done.attempts), (AnchoringStatus::Confirmed, 2), "{:?}", done.last_error);
    assert!(matches!(node.retry_anchoring(session_id, None), Err(AnchorError::NotEnded { .. })));
}

/// The registration reverted, so nothing of the job is on chain: once the reason is gone all of it is sent anew.
#[test]
fn a_failed_job_is_begun_again_with_all_that_was_lost() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let wanted = request(7, 3);
    let session_id = wanted.manifest.session_id;
    let id = node.accept_anchoring(wanted).unwrap().anchoring_id;
    // As if the block had not had enough gas for the registration.
    let starved = AnchorCall { gas_limit: 30_000, ..call_of(&decoded(&job(&node, &id), 0)) };
    let starved = foreign_call(0, starved, 50 * GWEI);
    node.submit(&starved).unwrap();
    let old = job(&node, &id);
    let mut transactions = old.transactions.clone();
    transactions[0].hash = *TxEnvelope::decode_2718_exact(&starved).unwrap().tx_hash();
    transactions[0].raw = starved;
    node.write(|batch| batch.put::<SessionAnchorings>(&id, &SessionAnchoringRecord { transactions, ..old })).unwrap();
    node.make_block().unwrap().unwrap();
    node.advance_anchorings().unwrap();
    let failed = job(&node, &id);
    assert_eq!(failed.status, AnchoringStatus::Failed);

    // With the gas limit that the call needs, as every job is signed.
    let mut transactions = failed.transactions.clone();
    transactions[0].raw =
        node.sign_calls(&[AnchorCall { gas_limit: 200_000, ..call_of(&decoded(&failed, 0)) }], 0)[0].raw.clone();
    node.write(|batch| batch.put::<SessionAnchorings>(&id, &SessionAnchoringRecord { transactions, ..failed }))
        .unwrap();
    node.retry_anchoring(session_id, None).unwrap();
    assert_eq!(job(&node, &id).transactions.iter().map(|sent| sent.nonce).collect::<Vec<_>>(), [2, 3]);
    node.make_block().unwrap().unwrap();
    node.advance_anchorings().unwrap();
    assert_eq!(job(&node, &id).status, AnchoringStatus::Confirmed);
}

#[test]
fn what_another_key_registers_is_not_begun_again_by_this_node() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let id = node.accept_anchoring(request(7, 1)).unwrap().anchoring_id;
    let stranger = account(5);
    let foreign = SessionAnchoringRecord { account: stranger, status: AnchoringStatus::Failed, ..job(&node, &id) };
    let other = AnchoringId::from_random([9; 16]);
    node.write(|batch| batch.put::<SessionAnchorings>(&other, &foreign)).unwrap();
    let several = node.retry_anchoring(foreign.session_id, None).unwrap_err().to_string();
    assert!(several.contains(&stranger.to_string()) && several.contains("--account"), "{several}");
    let refused = node.retry_anchoring(foreign.session_id, Some(stranger)).unwrap_err();
    assert!(matches!(refused, AnchorError::NotTheNodes { account, .. } if account == stranger), "{refused}");
}

#[test]
fn requests_at_once_share_no_nonce_and_take_no_session_twice() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> = [1, 2, 3, 3]
            .map(|seed| {
                let node = &node;
                scope.spawn(move || node.accept_anchoring(request(seed, 900)))
            })
            .into_iter()
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert!(matches!(refused[..], [Err(AnchorError::AlreadyAnchored { .. })]));
    let mut nonces: Vec<u64> = taken
        .into_iter()
        .flat_map(|accepted| job(&node, &accepted.unwrap().anchoring_id).transactions)
        .map(|sent| sent.nonce)
        .collect();
    nonces.sort_unstable();
    assert_eq!(nonces, (0..12).collect::<Vec<_>>());
}

#[test]
fn an_account_that_cannot_pay_is_named_with_its_balance_and_the_cost() {
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    // All but a little of what a dev chain gives the node.
    let rest = U256::from(99_999_999u64) * U256::from(10).pow(U256::from(14));
    node.submit(&send_away(rest)).unwrap();
    node.make_block().unwrap().unwrap();
    let refused = node.accept_anchoring(request(7, 3)).unwrap_err();
    let AnchorError::InsufficientFunds { account, balance, cost } = &refused else { panic!("{refused}") };
    assert!(*account == key(1).address() && balance < cost, "{refused}");
    assert!(node.anchorings().is_empty());
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
    let trees = node.snapshot();
    let rows = trees.range::<MerkleTrees>(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded, Direction::Forward);
    assert_eq!(rows.unwrap().count(), 0);
}

/// Sixteen hosts at once, while blocks are made: each job is on disk and can be read when it is answered, and those who
/// come together share the sync.
#[test]
fn jobs_that_come_at_the_same_time_share_commits() {
    const HOSTS: u8 = 16;
    const JOBS: u8 = 8;
    let folder = DataDir::temporary().unwrap();
    let node = node(&folder);
    let before = node.store.stats().unwrap();
    let blocks = AtomicU64::new(0);
    let host = |number: u8| {
        for seed in number * JOBS..(number + 1) * JOBS {
            let accepted = node.accept_anchoring(request(seed, 3)).unwrap();
            assert_eq!(job(&node, &accepted.anchoring_id).session_id, accepted.session_id);
            if number == 0 && node.make_block().unwrap().is_some() {
                blocks.fetch_add(1, Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for number in 0..HOSTS {
            let host = &host;
            scope.spawn(move || host(number));
        }
    });
    let after = node.store.stats().unwrap();
    let (jobs, blocks) = (u64::from(HOSTS * JOBS), blocks.into_inner());
    assert!(blocks > 0);
    // Each writes itself, its tree, its session and three chunks.
    let (syncs, documents) = (after.syncs - before.syncs - blocks, jobs * 6);
    assert!(syncs * 8 <= documents, "{syncs} syncs for {documents} documents");
    assert!(after.commits - before.commits - blocks < jobs / 2, "{after:?} for {jobs} jobs and {blocks} blocks");
}
