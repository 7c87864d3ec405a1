//! How far back the state can be read, and what pruning leaves of it.

use super::*;

/// Twelve blocks; each sets the nonce of an account to its height and touches two slots.
fn twelve_blocks() -> Vec<Block> {
    let change = |height: u64| AccountChange {
        account: account(height),
        storage: [(U256::from(1), U256::from(height)), (U256::from(height), U256::from(1))].into(),
        ..Default::default()
    };
    (1..=12).map(|height| Block { changes: [(address(0), change(height))].into(), commit: false }).collect()
}

fn nonce_at(reader: &impl Reader, height: u64) -> Result<u64, StateError> {
    let state = HistoricalState::new(reader, height, 12)?;
    Ok(state.account(address(0))?.map_or(0, |record| record.nonce))
}

#[test]
fn pruning_in_small_steps_ends_and_keeps_what_is_above() {
    let (store, _folder) = store();
    let (mut batch, _) = run(&store, &twelve_blocks());
    let rows = table(&batch, TableId::UndoLog).len();
    let mut removed = 0;
    loop {
        let step = prune_undo(&mut batch, 6, 2).unwrap();
        removed += step;
        // From the first step on, whatever rows are left of them: the states that need block 5 are gone.
        let error = nonce_at(&batch, 4).unwrap_err();
        assert!(matches!(error, StateError::HistoryPruned { height: 4, oldest: 5 }), "{error}");
        if step < 2 {
            break;
        }
    }
    // Five blocks; the first two wrote the account and one slot, or two, the others the account and two.
    assert_eq!(removed, 2 + 3 * 4);
    assert_eq!(table(&batch, TableId::UndoLog).len(), rows - removed + 1, "the rows above, and where they begin");
    for height in 5..=12 {
        assert_eq!(nonce_at(&batch, height).unwrap(), height);
    }
    assert_eq!(prune_undo(&mut batch, 3, 100).unwrap(), 0);
    assert!(nonce_at(&batch, 4).is_err(), "pruning less than before brought nothing back");
}

#[test]
fn the_state_can_be_read_back_to_a_bound_and_not_ahead_of_the_head() {
    let (store, _folder) = store();
    let snapshot = store.snapshot().unwrap();
    let head = HISTORY_BLOCKS + 10;
    assert!(HistoricalState::new(&snapshot, 10, head).is_ok());
    let error = HistoricalState::new(&snapshot, 9, head).map(drop).unwrap_err();
    assert!(matches!(error, StateError::HistoryPruned { height: 9, oldest: 10 }), "{error}");
    let error = HistoricalState::new(&snapshot, head + 1, head).map(drop).unwrap_err();
    assert!(matches!(error, StateError::FutureHeight { .. }), "{error}");
}

#[test]
fn a_damaged_undo_row_is_an_error() {
    let (store, _folder) = store();
    let (mut batch, _) = run(&store, &twelve_blocks());
    let key = table(&batch, TableId::UndoLog).into_iter().map(|(key, _)| key).find(|key| key[7] == 5 && key[8] == 0);
    batch.raw_put(TableId::UndoLog, key.unwrap(), vec![0xc0]);
    assert!(matches!(nonce_at(&batch, 4), Err(StateError::BadRow { table: "undo_log", .. })));
    assert_eq!(nonce_at(&batch, 5).unwrap(), 5);
}

#[test]
fn undo_rows_are_stored_in_these_bytes() {
    let (store, _folder) = store();
    let (batch, _) = run(&store, &twelve_blocks()[..2]);
    let (address, slot) = (address(0), |slot: u8| B256::with_last_byte(slot));
    let row = |height: u64, kind: u8, subject: &[&[u8]], before: &[u8]| {
        ([&height.to_be_bytes()[..], &[kind], &subject.concat()].concat(), before.to_vec())
    };
    let root = batch.get::<lucid_storage::Accounts>(&address).unwrap().unwrap().storage_root;
    assert_ne!(root, EMPTY_ROOT_HASH);
    let first = LatestState::new(&batch).account(address).unwrap().unwrap();
    assert_eq!(first.nonce, 2);
    let before = HistoricalState::new(&batch, 1, 2).unwrap().account(address).unwrap().unwrap();
    let slim = [&[0xe4, 0x01, 0x07, 0xa0][..], before.storage_root.as_slice(), &[0x80]].concat();
    let expected = vec![
        row(1, 0, &[address.as_slice()], &[]),
        row(1, 1, &[address.as_slice(), slot(1).as_slice()], &[]),
        row(2, 0, &[address.as_slice()], &slim),
        row(2, 1, &[address.as_slice(), slot(1).as_slice()], &[1]),
        row(2, 1, &[address.as_slice(), slot(2).as_slice()], &[]),
    ];
    assert_eq!(table(&batch, TableId::UndoLog), expected);
}
