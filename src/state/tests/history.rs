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
        let step = prune_undo(&mut batch, 6, u64::MAX, 1).unwrap();
        removed += step;
        // From the first step on, whatever rows are left of them: the states that need block 5 are gone.
        let error = nonce_at(&batch, 4).unwrap_err();
        assert!(matches!(error, StateError::HistoryPruned { height: 4, oldest: 5 }), "{error}");
        if step == 0 {
            break;
        }
    }
    assert_eq!(removed, 5 * 2, "five blocks, each a row of accounts and one of slots");
    assert_eq!(table(&batch, TableId::UndoLog).len(), rows - removed);
    for height in 5..=12 {
        assert_eq!(nonce_at(&batch, height).unwrap(), height);
    }
    assert_eq!(prune_undo(&mut batch, 3, u64::MAX, 100).unwrap(), 0);
    assert!(nonce_at(&batch, 4).is_err(), "pruning less than before brought nothing back");
}

#[test]
fn what_is_too_much_in_bytes_goes_oldest_first_and_is_counted_right() {
    let (store, _folder) = store();
    let (mut batch, _) = run(&store, &twelve_blocks());
    let bytes = |batch: &Batch| -> u64 {
        let rows = table(batch, TableId::UndoLog).into_iter().filter(|(key, _)| key.len() > 8);
        rows.map(|(key, row)| (key.len() + row.len()) as u64).sum()
    };
    let counted = |batch: &Batch| {
        let row = batch.raw_get(TableId::UndoLog, &[0; 8]).unwrap().unwrap();
        u64::from_be_bytes(row[8..].try_into().unwrap())
    };
    let before = bytes(&batch);
    assert_eq!(counted(&batch), before);
    assert_eq!(prune_undo(&mut batch, 0, before, 100).unwrap(), 0);
    assert!(nonce_at(&batch, 0).is_ok());
    // One byte too many takes a row, and with it its block.
    assert_eq!(prune_undo(&mut batch, 0, before - 1, 100).unwrap(), 1);
    let error = nonce_at(&batch, 0).unwrap_err();
    assert!(matches!(error, StateError::HistoryPruned { height: 0, oldest: 1 }), "{error}");
    assert_eq!(nonce_at(&batch, 1).unwrap(), 1);
    prune_undo(&mut batch, 0, before / 2, 100).unwrap();
    assert_eq!(counted(&batch), bytes(&batch));
    assert!((before / 3..=before / 2).contains(&bytes(&batch)));
    prune_undo(&mut batch, 0, 0, 100).unwrap();
    assert_eq!((counted(&batch), bytes(&batch)), (0, 0));
    assert_eq!(nonce_at(&batch, 12).unwrap(), 12, "the head needs no undo");
    assert!(nonce_at(&batch, 11).is_err());
}

#[test]
fn a_block_of_many_changes_is_found_in_whichever_row_it_lies() {
    let (store, _folder) = store();
    let mut batch = store.begin().unwrap();
    let address = |n: u16| Address::left_padding_from(&n.to_be_bytes());
    let block = |nonce| -> StateChanges {
        let change = |n| AccountChange {
            account: account(nonce),
            storage: [(U256::from(n), U256::from(nonce))].into(),
            ..Default::default()
        };
        (0..500).map(|n| (address(n), change(n))).collect()
    };
    apply(&mut batch, 1, &block(7)).unwrap();
    apply(&mut batch, 2, &block(8)).unwrap();
    assert!(table(&batch, TableId::UndoLog).len() > 10);
    let (first, genesis) = (HistoricalState::new(&batch, 1, 2).unwrap(), HistoricalState::new(&batch, 0, 2).unwrap());
    for n in 0..500 {
        assert_eq!(first.account(address(n)).unwrap().unwrap().nonce, 7);
        assert_eq!(first.storage(address(n), U256::from(n)).unwrap(), U256::from(7));
        assert_eq!(genesis.account(address(n)).unwrap(), None);
        assert_eq!(genesis.storage(address(n), U256::from(n)).unwrap(), U256::ZERO);
    }
    assert_eq!(first.account(address(500)).unwrap(), None);
    assert_eq!(first.storage(address(3), U256::from(4)).unwrap(), U256::ZERO);
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
    let key = key.unwrap();
    let row = batch.raw_get(TableId::UndoLog, &key).unwrap().unwrap();
    let not_an_account = [&row[..21], &[1, 0xc0]].concat();
    for damaged in [&[2][..], &row[..20], &row[..row.len() - 1], &not_an_account] {
        batch.raw_put(TableId::UndoLog, key.clone(), damaged);
        assert!(matches!(nonce_at(&batch, 4), Err(StateError::BadRow { table: "undo_log", .. })), "{damaged:?}");
        assert_eq!(nonce_at(&batch, 5).unwrap(), 5);
    }
}

#[test]
fn undo_rows_are_stored_in_these_bytes() {
    let (store, _folder) = store();
    let (batch, _) = run(&store, &twelve_blocks()[..2]);
    let (address, slot) = (address(0), |slot: u8| B256::with_last_byte(slot));
    let key = |kind: u8, subject: &[&[u8]]| [&[kind], &subject.concat()[..]].concat();
    let entry = |key: &[u8], before: &[u8]| [key, &[before.len() as u8], before].concat();
    let row = |height: u64, first: &[u8], entries: &[Vec<u8>]| {
        ([&height.to_be_bytes()[..], first].concat(), entries.concat())
    };
    let root = batch.get::<lucid_storage::Accounts>(&address).unwrap().unwrap().storage_root;
    assert_ne!(root, EMPTY_ROOT_HASH);
    let first = LatestState::new(&batch).account(address).unwrap().unwrap();
    assert_eq!(first.nonce, 2);
    let before = HistoricalState::new(&batch, 1, 2).unwrap().account(address).unwrap().unwrap();
    let slim = [&[0xe4, 0x01, 0x07, 0xa0][..], before.storage_root.as_slice(), &[0x80]].concat();
    let (account, slots) = (key(0, &[address.as_slice()]), |n| key(1, &[address.as_slice(), slot(n).as_slice()]));
    let mut expected = vec![
        row(1, &account, &[entry(&account, &[])]),
        row(1, &slots(1), &[entry(&slots(1), &[])]),
        row(2, &account, &[entry(&account, &slim)]),
        row(2, &slots(1), &[entry(&slots(1), &[1]), entry(&slots(2), &[])]),
    ];
    let bytes: usize = expected.iter().map(|(key, row)| key.len() + row.len()).sum();
    expected.insert(0, (vec![0; 8], [[0; 8], (bytes as u64).to_be_bytes()].concat()));
    assert_eq!(table(&batch, TableId::UndoLog), expected);
}
