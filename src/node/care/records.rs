//! What the store says of seals and sessions, held against its blocks.

use super::{
    super::error::NodeError,
    progress::{Counter, ReportStep},
};
use crate::{
    anchoring::MerkleTree,
    chain::{self, ChainError},
    consensus::{SealTerms, poot::validator_set_at},
};
use alloy_primitives::B256;
use lucid_storage::{
    AnchoringStatus, Chunks, Collection, Direction, Findings, MerkleTreeRecord, MerkleTrees, Reader, Seals,
    SessionAnchoringRecord, SessionAnchorings, SessionKey, Sessions, Snapshot, StoreError, StoreKey, TableId,
    TransactionsByHash,
};
use lucid_types::ChainSpec;
use std::ops::Bound::Unbounded;

/// Every block above genesis has a seal, and it holds.
pub(super) fn check_seals(
    snapshot: &Snapshot,
    spec: &ChainSpec,
    genesis_hash: B256,
    head: u64,
    findings: &mut Findings,
    progress: &mut ReportStep<'_>,
) -> Result<(), NodeError> {
    let mut counter = Counter::new("seals", head, progress);
    let header = |height| {
        let missing = ChainError::Damaged { height, part: "block" };
        chain::read_header(snapshot, height)?.ok_or(missing)
    };
    let (mut parent, mut certificate) = (header(0)?, None);
    for height in 1..=head {
        let header = header(height)?;
        let seal = snapshot.get::<Seals>(&height)?;
        match &seal {
            None => findings.add(TableId::Blocks, &height.to_be_bytes(), "has no seal"),
            Some(seal) if seal.certificate.block_hash != header.hash() => {
                findings.add(TableId::Seals, &height.to_be_bytes(), "is of another block");
            }
            Some(seal) => {
                let [set, next_set] = [height, height + 1].map(|height| validator_set_at(snapshot, height));
                let (set, next_set) = (set?, next_set?);
                let (parent, set, next_set) = (&*parent, &set, &next_set);
                // Whose turn it was follows from rows that are gone.
                let terms = SealTerms { spec, genesis_hash, parent, set, next_set, order: None };
                if let Err(error) = terms.verify(certificate.as_ref(), &header, seal) {
                    findings.add(TableId::Seals, &height.to_be_bytes(), error);
                }
            }
        }
        (parent, certificate) = (header, seal.map(|seal| seal.certificate));
        counter.count()?;
    }
    let seals = snapshot.len(TableId::Seals)?;
    if seals > head {
        findings.add(TableId::Seals, &[], format!("has {seals} entries, and there are {head} blocks above genesis"));
    }
    Ok(())
}

/// Sessions, their chunks, their anchorings and trees lead to each other, and what is confirmed is in a block.
pub(super) fn check_sessions(
    snapshot: &Snapshot,
    findings: &mut Findings,
    progress: &mut ReportStep<'_>,
) -> Result<(), StoreError> {
    let mut total = 0;
    for table in [TableId::Sessions, TableId::Chunks, TableId::SessionAnchorings, TableId::MerkleTrees] {
        total += snapshot.len(table)?;
    }
    let mut counter = Counter::new("sessions", total, progress);
    each::<Sessions>(snapshot, &mut counter, |key, session| {
        if session.status == AnchoringStatus::Confirmed
            && !is_in_block(snapshot, session.anchor_txid, session.block_number)?
        {
            findings.add(TableId::Sessions, &key.to_key_bytes(), "is confirmed, and its transaction is in no block");
        }
        Ok(())
    })?;
    each::<Chunks>(snapshot, &mut counter, |key, _| {
        if !snapshot.contains::<Sessions>(&SessionKey { session_id: key.session_id, account: key.account })? {
            findings.add(TableId::Chunks, &key.to_key_bytes(), "is a chunk of no session");
        }
        Ok(())
    })?;
    each::<SessionAnchorings>(snapshot, &mut counter, |key, job| {
        for what in faults_of_anchoring(snapshot, &job)? {
            findings.add(TableId::SessionAnchorings, &key.to_key_bytes(), what);
        }
        Ok(())
    })?;
    each::<MerkleTrees>(snapshot, &mut counter, |key, tree| {
        if tree.tree_id() != key || !is_tree_of_its_root(&tree) {
            findings.add(TableId::MerkleTrees, &key.to_key_bytes(), "the leaves are not those of its root");
        }
        Ok(())
    })
}

/// Visits every row of a collection.
fn each<C: Collection>(
    snapshot: &Snapshot,
    counter: &mut Counter<'_, '_>,
    mut visit: impl FnMut(C::Key, C::Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for row in snapshot.range::<C>(Unbounded, Unbounded, Direction::Forward)? {
        let (key, record) = row?;
        visit(key, record)?;
        counter.count()?;
    }
    Ok(())
}

/// Whether a transaction is known and in the block that is said to hold it.
fn is_in_block(snapshot: &Snapshot, hash: Option<B256>, block: Option<u64>) -> Result<bool, StoreError> {
    let Some(hash) = hash else { return Ok(false) };
    let found = snapshot.first_by_index::<TransactionsByHash>(&hash)?;
    Ok(found.is_some_and(|(key, _)| Some(key.block) == block))
}

/// What is wrong with an anchoring.
fn faults_of_anchoring(snapshot: &Snapshot, job: &SessionAnchoringRecord) -> Result<Vec<&'static str>, StoreError> {
    let mut faults = Vec::new();
    let session = SessionKey { session_id: job.session_id, account: job.account };
    if !snapshot.contains::<Sessions>(&session)? {
        faults.push("is an anchoring of no session");
    }
    if lucid_types::blake3([&job.manifest]) != job.manifest_hash {
        faults.push("its manifest has another hash");
    }
    if !snapshot.contains::<MerkleTrees>(&MerkleTreeRecord::id_of(&job.session_id, job.merkle_root))? {
        faults.push("its Merkle tree is not stored");
    }
    if job.status == AnchoringStatus::Confirmed && !is_in_block(snapshot, job.transaction_id, job.block_number)? {
        faults.push("is confirmed, and its transaction is in no block");
    }
    Ok(faults)
}

fn is_tree_of_its_root(tree: &MerkleTreeRecord) -> bool {
    let (leaves, rest) = tree.leaves.as_chunks::<32>();
    let built = MerkleTree::new(leaves.iter().copied().map(B256::from).collect());
    rest.is_empty()
        && built.is_ok_and(|built| {
            (built.root(), built.count(), built.height()) == (tree.root_hash, tree.leaf_count, tree.height.into())
        })
}
