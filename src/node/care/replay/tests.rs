//! Rows that are not what the blocks make them, and a store that has none.

use super::{super::reindex_folder, *};
use crate::{
    consensus::poot::TaskProof,
    keys::NodeKeys,
    node::{DataDir, Node, care, dev_chain_spec},
    testing::{Tx, account, key},
};
use alloy_eips::eip2718::Encodable2718;
use alloy_sol_types::SolCall;
use lucid_rpc::DbVerifyDocument;
use lucid_storage::{LeaderScheduleRecord, TaskValue};
use lucid_types::contracts::{LUCID_NODES_ADDRESS, LucidNodes};

fn keys() -> NodeKeys {
    NodeKeys::new(key(1), key(101)).unwrap()
}

/// A chain of three epochs with work in it.
fn chain_with_work(folder: &DataDir) -> Node {
    let spec = |keys: &NodeKeys| Ok(dev_chain_spec(keys, 1_700_000_000).unwrap());
    let node = Node::open(folder, keys(), &Options::default(), spec).unwrap();
    for _ in 0..40 {
        let slot = node.spec.slots().slot_at(node.head().header.timestamp).unwrap();
        let proofs: Vec<_> =
            [TaskValue::Relay { bytes_transferred: 7, sessions_relayed: 3 }, TaskValue::Uptime { uptime_seconds: 4 }]
                .into_iter()
                .flat_map(|value| TaskProof::sign(&key(101), node.genesis_hash, slot, value, 0).encode())
                .collect();
        let call = LucidNodes::submitTaskProofsCall { proofs: proofs.into() };
        let nonce = node.next_nonce(account(1)).unwrap();
        let tx = Tx::call(LUCID_NODES_ADDRESS, call.abi_encode()).nonce(nonce).sign(1);
        node.submit(&tx.encoded_2718()).unwrap();
        node.make_block().unwrap().expect("a transaction waits");
    }
    node
}

/// The first row of a table, or the last one.
fn row<C: Collection>(snapshot: &Snapshot, direction: Direction) -> (C::Key, C::Record) {
    snapshot.range::<C>(Unbounded, Unbounded, direction).unwrap().next().unwrap().unwrap()
}

fn verify(store: &Store) -> DbVerifyDocument {
    care::verify(&store.snapshot().unwrap(), store.meta(), &mut |_| Ok(())).unwrap()
}

#[test]
fn rows_of_consensus_are_what_the_blocks_make_them_and_are_made_so_again() {
    let folder = DataDir::temporary().unwrap();
    let node = chain_with_work(&folder);
    let report = verify(&node.store);
    assert!(report.clean, "{:?}", report.findings);
    let tallies = node.snapshot().range::<WorkTally>(Unbounded, Unbounded, Direction::Forward).unwrap().count();
    assert!(tallies >= 2 && node.snapshot().len(TableId::TaskProofs).unwrap() > 40, "{tallies} tallies");
    drop(node);

    let store = Store::open(folder.store(), &Options::default()).unwrap();
    let (mut batch, snapshot) = (store.begin().unwrap(), store.snapshot().unwrap());
    let (slot, schedule) = row::<LeaderSchedule>(&snapshot, Direction::Forward);
    let forged = LeaderScheduleRecord { primary: account(7), ..schedule };
    batch.put::<LeaderSchedule>(&slot, &forged).unwrap();
    let (tally, _) = row::<WorkTally>(&snapshot, Direction::Forward);
    batch.remove::<WorkTally>(&tally).unwrap();
    let (proof, record) = row::<TaskProofs>(&snapshot, Direction::Forward);
    batch.remove::<TaskProofs>(&proof).unwrap();
    let stranger = lucid_storage::TaskProofKey { node_id: account(7), ..proof };
    batch.put::<TaskProofs>(&stranger, &record).unwrap();
    let (member, node) = row::<Members>(&snapshot, Direction::Forward);
    batch.put::<Members>(&member, &lucid_storage::RegisteredNodeRecord { number: 9, ..node }).unwrap();
    batch.put::<Candidates>(&account(7), &node).unwrap();
    let (height, work) = row::<BlockWork>(&snapshot, Direction::Reverse);
    batch.put::<BlockWork>(&height, &lucid_storage::BlockWorkRecord { led: account(7), ..work }).unwrap();
    let (epoch, _) = row::<Epochs>(&snapshot, Direction::Forward);
    batch.remove::<Epochs>(&epoch).unwrap();
    batch.raw_put(TableId::ValidatorSets, 5u64.to_be_bytes(), [1, 2, 3]);
    drop(snapshot);
    store.commit(batch).unwrap();

    let report = verify(&store);
    let found = |table: TableId| report.findings.iter().any(|finding| finding.text.contains(table.name()));
    let tables = [
        TableId::LeaderSchedule,
        TableId::WorkTally,
        TableId::TaskProofs,
        TableId::Members,
        TableId::Candidates,
        TableId::BlockWork,
        TableId::Epochs,
        TableId::ValidatorSets,
    ];
    for table in tables {
        assert!(found(table), "{}: {:?}", table.name(), report.findings);
    }
    drop(store);
    let mended = reindex_folder(&folder, &mut |_| Ok(())).unwrap();
    let names: Vec<_> = mended.tables.iter().map(|table| table.name.as_str()).collect();
    assert!(tables.iter().all(|table| names.contains(&table.name())), "{names:?}");
    let store = Store::open(folder.store(), &Options::default()).unwrap();
    let report = verify(&store);
    assert!(report.clean, "{:?}", report.findings);
    drop(store);
    assert!(reindex_folder(&folder, &mut |_| Ok(())).unwrap().tables.is_empty(), "nothing is left to be mended");
}

/// A store of an earlier version has none of these rows.
#[test]
fn a_chain_from_before_these_rows_gets_them_when_it_is_opened() {
    let folder = DataDir::temporary().unwrap();
    let node = chain_with_work(&folder);
    let digest = |node: &Node| {
        let snapshot = node.snapshot();
        let rows = |table| {
            snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(|row| row.unwrap().0).collect::<Vec<_>>()
        };
        [TableId::LeaderSchedule, TableId::WorkTally, TableId::TaskProofs, TableId::BlockWork, TableId::Epochs]
            .map(rows)
    };
    let before = digest(&node);
    drop(node);
    let store = Store::open(folder.store(), &Options::default()).unwrap();
    let (mut batch, snapshot) = (store.begin().unwrap(), store.snapshot().unwrap());
    fn clear<C: Collection>(batch: &mut Batch, snapshot: &Snapshot) {
        for row in snapshot.range::<C>(Unbounded, Unbounded, Direction::Forward).unwrap() {
            batch.remove::<C>(&row.unwrap().0).unwrap();
        }
    }
    clear::<LeaderSchedule>(&mut batch, &snapshot);
    clear::<WorkTally>(&mut batch, &snapshot);
    clear::<TaskProofs>(&mut batch, &snapshot);
    clear::<BlockWork>(&mut batch, &snapshot);
    clear::<Epochs>(&mut batch, &snapshot);
    clear::<Members>(&mut batch, &snapshot);
    drop(snapshot);
    store.commit(batch).unwrap();
    drop(store);
    let node = Node::open_existing(&folder, keys(), &Default::default()).unwrap();
    assert_eq!(digest(&node), before);
    let report = verify(&node.store);
    assert!(report.clean, "{:?}", report.findings);
}
