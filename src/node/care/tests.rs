//! Damage that each part of the check is there for is found by it.

use super::{
    super::{DataDir, Node, NodeError},
    DbJobs, StepProgress, backup, backup_into, verify,
};
use crate::{
    node::anchorings::tests::{node, request},
    testing::account,
};
use lucid_rpc::{DbJobError, DbJobKind};
use lucid_storage::{
    AnchoringStatus, Batch, BlockchainState, ChunkKey, Chunks, Current, Direction, MerkleTreeRecord, MerkleTrees,
    Reader, Seals, SessionAnchoringRecord, SessionAnchorings, SessionKey, SessionRecord, Sessions, StoreError, TableId,
};
use lucid_types::SessionId;
use std::{fs, ops::Bound::Unbounded, path::Path};

/// A chain with one anchored session in two blocks.
fn anchored(folder: &DataDir) -> Node {
    let node = node(folder);
    for seed in [7, 8] {
        node.accept_anchoring(request(seed, 3)).unwrap();
        node.make_block().unwrap().expect("transactions wait");
        node.advance_anchorings().unwrap();
    }
    node
}

fn told(damage: impl FnOnce(&mut Batch)) -> Vec<String> {
    let folder = DataDir::temporary().unwrap();
    let node = anchored(&folder);
    node.write(|batch| -> Result<(), StoreError> {
        damage(batch);
        Ok(())
    })
    .unwrap();
    let report = verify(&node.snapshot(), node.store.meta(), &mut |at: StepProgress| {
        assert!(at.done <= at.total, "{at:?}");
        Ok(())
    });
    let report = report.unwrap();
    assert_eq!(report.clean, report.findings.is_empty());
    report.findings.into_iter().map(|finding| finding.text).collect()
}

#[test]
fn a_chain_with_sessions_is_clean() {
    assert_eq!(told(|_| {}), [""; 0]);
}

#[test]
fn a_seal_that_is_missing_or_of_another_block_is_found() {
    let seals = |batch: &Batch| [1, 2].map(|height| batch.get::<Seals>(&height).unwrap().unwrap());
    let key = |batch: &Batch, nth| {
        batch.raw_prefix(TableId::Seals, &[], Direction::Forward).unwrap().nth(nth).unwrap().unwrap().0
    };
    let missing = told(|batch| batch.raw_remove(TableId::Seals, key(batch, 1)));
    assert_eq!(missing, ["blocks, key 0000000000000002: has no seal"]);
    let swapped = told(|batch| {
        let [first, _] = seals(batch);
        batch.overwrite::<Seals>(&2, &first).unwrap();
    });
    assert_eq!(swapped, ["seals, key 0000000000000002: is of another block"]);
    let unsigned = told(|batch| {
        let [_, mut second] = seals(batch);
        second.proposal_signature.0[9] ^= 1;
        batch.overwrite::<Seals>(&2, &second).unwrap();
    });
    assert_eq!(unsigned.len(), 1);
    assert!(unsigned[0].contains("signature"), "{unsigned:?}");
}

#[test]
fn sessions_that_contradict_blocks_or_each_other_are_found() {
    let session = SessionKey { session_id: SessionId::from_random([7; 16]), account: account(1) };
    let first = |batch: &Batch| {
        let mut rows = batch.range::<SessionAnchorings>(Unbounded, Unbounded, Direction::Forward).unwrap();
        rows.next().unwrap().unwrap()
    };
    let elsewhere = told(|batch| {
        let row = batch.get::<Sessions>(&session).unwrap().unwrap();
        batch.put::<Sessions>(&session, &SessionRecord { block_number: Some(2), ..row }).unwrap();
    });
    assert_eq!(elsewhere.len(), 1);
    assert!(elsewhere[0].ends_with("is confirmed, and its transaction is in no block"), "{elsewhere:?}");
    let orphaned = told(|batch| {
        batch.remove::<Sessions>(&session).unwrap();
    });
    // Three chunks and the anchoring.
    assert_eq!(orphaned.len(), 4, "{orphaned:?}");
    let lost_tree = told(|batch| {
        let (_, job) = first(batch);
        batch.remove::<MerkleTrees>(&MerkleTreeRecord::id_of(&job.session_id, job.merkle_root)).unwrap();
    });
    assert!(lost_tree.len() == 1 && lost_tree[0].ends_with("its Merkle tree is not stored"), "{lost_tree:?}");
    let other_leaves = told(|batch| {
        let (_, job) = first(batch);
        let id = MerkleTreeRecord::id_of(&job.session_id, job.merkle_root);
        let mut tree = batch.get::<MerkleTrees>(&id).unwrap().unwrap();
        tree.leaves[40] ^= 1;
        batch.put::<MerkleTrees>(&id, &tree).unwrap();
    });
    assert!(other_leaves.len() == 1 && other_leaves[0].contains("leaves"), "{other_leaves:?}");
    let other_job = told(|batch| {
        let (id, mut job) = first(batch);
        job.manifest[3] ^= 1;
        let job = SessionAnchoringRecord { status: AnchoringStatus::Confirmed, block_number: None, ..job };
        batch.put::<SessionAnchorings>(&id, &job).unwrap();
    });
    assert_eq!(other_job.len(), 2, "{other_job:?}");
}

/// What cannot be read ends one part of the check and no other.
#[test]
fn a_row_that_cannot_be_read_ends_no_other_part() {
    let unreadable = told(|batch| {
        for table in [TableId::Blocks, TableId::Chunks] {
            let (key, mut row) = batch.raw_prefix(table, &[], Direction::Forward).unwrap().next().unwrap().unwrap();
            row[0] = 99;
            batch.raw_put(table, key, row);
        }
        batch.remove::<BlockchainState>(&Current).unwrap();
    });
    for table in ["blocks, key", "chunks, key", "blocks: what follows", "sessions: what follows"] {
        assert!(unreadable.iter().any(|finding| finding.starts_with(table)), "{table}: {unreadable:?}");
    }
    let chunk = ChunkKey { session_id: SessionId::from_random([9; 16]), idx: 0, account: account(1) };
    let of_nobody = told(|batch| {
        let (_, row) = batch
            .range_prefix::<Chunks>(&SessionId::from_random([7; 16]), Direction::Forward)
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        batch.put::<Chunks>(&chunk, &row).unwrap();
    });
    assert!(of_nobody.len() == 1 && of_nobody[0].ends_with("is a chunk of no session"), "{of_nobody:?}");
}

#[test]
fn a_backup_needs_room_and_a_name_of_its_own() {
    let folder = DataDir::temporary().unwrap();
    let node = anchored(&folder);
    let (snapshot, meta) = (node.snapshot(), node.store.meta());
    let path = folder.path().join("copy.redb");
    let full = backup(&snapshot, meta, u64::MAX / 2, &path, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(full, NodeError::NoRoom { .. }), "{full}");
    assert!(full.to_string().contains("make room"));
    let into = |now| backup_into(&folder.backups(), &snapshot, meta, 1, now, &mut |_| Ok(()));
    let made = into(17).unwrap();
    assert_eq!(Path::new(&made.path).file_name().unwrap(), "lucid-00000002-17.redb");
    let again = backup(&snapshot, meta, 1, Path::new(&made.path), &mut |_| Ok(()));
    assert!(matches!(again, Err(NodeError::Store(StoreError::AlreadyExists(_)))));
    // Two within a second: the names keep the order in which they were made.
    let next = into(17).unwrap();
    assert_eq!(Path::new(&next.path).file_name().unwrap(), "lucid-00000002-18.redb");
    into(18).unwrap();
    assert_eq!(fs::read_dir(folder.backups()).unwrap().count(), 3);
}

#[tokio::test]
async fn one_piece_of_work_is_done_at_a_time_and_ends_with_the_node() {
    let folder = DataDir::temporary().unwrap();
    let node = std::sync::Arc::new(anchored(&folder));
    let jobs: &DbJobs = &node.db_jobs;
    let wait = async || {
        loop {
            let job = jobs.last().unwrap();
            if job.has_ended() {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    assert_eq!(jobs.last(), None);
    assert_eq!(node.begin_db_job(DbJobKind::Verify).unwrap().id, 1);
    // It may have ended already, and then there is nothing to refuse.
    if let Err(refused) = node.begin_db_job(DbJobKind::Backup) {
        assert!(matches!(refused, DbJobError::Busy(DbJobKind::Verify)), "{refused}");
        assert!(wait().await.verified.unwrap().clean);
        node.begin_db_job(DbJobKind::Backup).unwrap();
    }
    let backup = wait().await;
    assert_eq!((backup.id, backup.backup.unwrap().head.number), (2, 2));
    jobs.stop();
    node.begin_db_job(DbJobKind::Verify).unwrap();
    assert_eq!(wait().await.error.unwrap(), "stopped before the end");
}
