//! The proof of a session, put together from the store.

use super::{backend::chain_fault, state::Node};
use crate::{anchoring::MerkleTree, chain};
use alloy_consensus::ReceiptEnvelope;
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolEvent;
use lucid_rpc::{NodeError, ProofError, ProofRequest, limits::MAX_NAMED_ACCOUNTS};
use lucid_storage::{
    Blocks, Direction, MerkleTreeRecord, MerkleTrees, Reader, Receipts, Seals, SessionAnchoringsBySession, SessionKey,
    SessionRecord, Sessions, Snapshot, StoreError, TableId, TransactionsByHash,
};
use lucid_types::{
    AnchorProof, ChunkPath, Manifest, PROOF_VERSION, SessionId, SetChange, ValidatorSet,
    contracts::{LUCID_ANCHORS_ADDRESS, LucidAnchors::SessionRegistered},
};
use std::ops::Bound;

impl Node {
    /// Builds the proof of a session whose registration is final.
    pub(super) fn build_anchor_proof(&self, request: &ProofRequest) -> Result<AnchorProof, ProofError> {
        let snapshot = self.snapshot();
        let id = request.session_id;
        let (key, session) = find_session(&snapshot, id, request.account)?;
        let (Some(transaction), Some(height)) = (session.anchor_txid, session.block_number) else {
            return Err(ProofError::NotFinal(id));
        };
        let (manifest, tree) = kept_parts(&snapshot, &key, &session)?;
        let chunks = chunk_paths(&tree, &request.chunks)?;
        let event = find_event(&snapshot, &key, transaction)?;
        let seal = snapshot.get::<Seals>(&height).map_err(NodeError::from)?.ok_or(NodeError::Corrupt("seal"))?;
        let receipt_path = chain::receipt_path(&snapshot, height, event.transaction_index).map_err(chain_fault)?;
        Ok(AnchorProof {
            version: PROOF_VERSION,
            chain_spec: self.spec.clone(),
            genesis_header: header_rlp(&snapshot, 0)?,
            set_changes: set_changes(&snapshot, height)?,
            header: header_rlp(&snapshot, height)?,
            certificate: seal.certificate,
            transaction_index: event.transaction_index,
            receipt_path: receipt_path.ok_or(NodeError::Corrupt("receipt"))?,
            log_index: event.log_index,
            account: key.account,
            manifest,
            chunks,
        })
    }
}

/// The blocks up to `height` after which others vote, each with what made it final and who votes then.
fn set_changes(snapshot: &Snapshot, height: u64) -> Result<Vec<SetChange>, ProofError> {
    let (store, corrupt) = (NodeError::from, || NodeError::Corrupt("validator set"));
    let end = height.to_be_bytes();
    let mut rows = snapshot
        .raw_range(TableId::ValidatorSets, Bound::Unbounded, Bound::Included(&end), Direction::Forward)
        .map_err(store)?;
    let mut changes = Vec::new();
    while let Some((key, set)) = rows.next_view().map_err(store)? {
        let first = key[..].try_into().map(u64::from_be_bytes).map_err(|_| corrupt())?;
        // The first set is that of the chain spec.
        let Some(before) = first.checked_sub(1).filter(|before| *before > 0) else { continue };
        let seal = snapshot.get::<Seals>(&before).map_err(store)?.ok_or(NodeError::Corrupt("seal"))?;
        changes.push(SetChange {
            header: header_rlp(snapshot, before)?,
            certificate: seal.certificate,
            next_set: ValidatorSet::from_canonical_bytes(&set).map_err(|_| corrupt())?,
        });
    }
    Ok(changes)
}

/// The session that one account registered, or the only one with this id.
fn find_session(
    snapshot: &Snapshot,
    session_id: SessionId,
    account: Option<Address>,
) -> Result<(SessionKey, SessionRecord), ProofError> {
    let store = NodeError::from;
    if let Some(account) = account {
        let key = SessionKey { session_id, account };
        let session = snapshot.get::<Sessions>(&key).map_err(store)?;
        return session.map(|session| (key, session)).ok_or(ProofError::UnknownSession(session_id));
    }
    let rows = snapshot.range_prefix::<Sessions>(&session_id, Direction::Forward).map_err(store)?;
    let mut rows: Vec<_> = rows.take(MAX_NAMED_ACCOUNTS + 1).collect::<Result<_, _>>().map_err(store)?;
    if rows.len() > 1 {
        let accounts = rows.iter().map(|(key, _)| key.account).collect();
        return Err(ProofError::SeveralAccounts { session_id, accounts });
    }
    rows.pop().ok_or(ProofError::UnknownSession(session_id))
}

/// What the chain does not hold: the manifest and the leaves, where this node anchored the session.
fn kept_parts(
    snapshot: &Snapshot,
    key: &SessionKey,
    session: &SessionRecord,
) -> Result<(Manifest, MerkleTree), ProofError> {
    let not_kept = ProofError::NotKept(key.session_id);
    let jobs = snapshot.by_index::<SessionAnchoringsBySession>(&key.session_id, Direction::Forward);
    let mut manifest = None;
    for job in jobs.map_err(NodeError::from)? {
        let (_, job) = job.map_err(NodeError::from)?;
        if job.account == key.account && job.manifest_hash == session.manifest_hash {
            manifest = serde_json::from_slice(&job.manifest).ok();
        }
    }
    let Some(manifest) = manifest else { return Err(not_kept) };
    let tree_id = MerkleTreeRecord::id_of(&key.session_id, session.merkle_root);
    let Some(tree) = snapshot.get::<MerkleTrees>(&tree_id).map_err(NodeError::from)? else { return Err(not_kept) };
    let leaves = tree.leaves.chunks_exact(32).map(B256::from_slice).collect();
    let tree = MerkleTree::new(leaves).map_err(|_| NodeError::Corrupt("Merkle tree"))?;
    Ok((manifest, tree))
}

fn chunk_paths(tree: &MerkleTree, indexes: &[u32]) -> Result<Vec<ChunkPath>, ProofError> {
    let missing = |index| ProofError::NoSuchChunk { index, chunk_count: tree.count() };
    indexes.iter().map(|index| tree.path(*index).map_err(|_| missing(*index))).collect()
}

/// Where the registration's event stands.
struct EventPlace {
    transaction_index: u64,
    log_index: u64,
}

fn find_event(snapshot: &Snapshot, key: &SessionKey, transaction: B256) -> Result<EventPlace, ProofError> {
    let corrupt = || NodeError::Corrupt("registration of a session");
    let found = snapshot.first_by_index::<TransactionsByHash>(&transaction).map_err(NodeError::from)?;
    let (place, _) = found.ok_or_else(corrupt)?;
    let receipt = snapshot.get::<Receipts>(&place).map_err(NodeError::from)?.ok_or_else(corrupt)?;
    let receipt = ReceiptEnvelope::decode_2718_exact(&receipt.raw).map_err(|_| corrupt())?;
    let word = key.session_id.to_word();
    let ours = receipt.logs().iter().position(|log| {
        log.address == LUCID_ANCHORS_ADDRESS
            && SessionRegistered::decode_log(log)
                .is_ok_and(|event| event.sessionId == word && event.account == key.account)
    });
    let log_index = ours.ok_or_else(corrupt)? as u64;
    Ok(EventPlace { transaction_index: place.index.into(), log_index })
}

fn header_rlp(snapshot: &Snapshot, height: u64) -> Result<Bytes, ProofError> {
    let block = snapshot.get::<Blocks>(&height).map_err(|error: StoreError| NodeError::from(error))?;
    Ok(block.ok_or(NodeError::Corrupt("header"))?.header.into())
}
