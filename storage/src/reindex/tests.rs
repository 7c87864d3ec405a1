//! Whatever was lost or spoiled beside the rows comes back as it was, and rows stay as they are.

use super::*;
use crate::{
    AccountRecord, Accounts, AnchoringStatus, Batch, ChunkKey, ChunkRecord, Chunks, ChunksByCiphertextSha256,
    Collection, Direction, DocumentId, Findings, Index, Meta, Options, Payouts, Reader, SessionAnchoringRecord,
    SessionAnchorings, SessionAnchoringsByStatus, Snapshot, Store, StoreError, TableId, TaskProofs,
    key::StoreKey,
    samples::{Sample, address, anchoring, hash, session},
    shard::{MAX_SHARD_DOCUMENTS, ShardRange, shard_ranges},
    space::RowSpace,
};
use lucid_types::SessionId;
use proptest::prelude::*;
use std::{cell::Cell, collections::BTreeMap};

fn new_store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
    (folder, store)
}

fn write(store: &Store, change: impl FnOnce(&mut Batch)) {
    let mut batch = store.begin().unwrap();
    change(&mut batch);
    store.commit(batch).unwrap();
}

fn findings(snapshot: &Snapshot) -> Vec<String> {
    let mut findings = Findings::default();
    snapshot.check_rows(&mut findings, &mut |_| Ok(())).unwrap();
    findings.listed.iter().map(ToString::to_string).collect()
}

type Contents = BTreeMap<(TableId, Vec<u8>), Vec<u8>>;

/// Everything but what the store says of itself.
fn contents(snapshot: &Snapshot) -> Contents {
    let tables = TableId::ALL.into_iter().filter(|table| *table != TableId::Meta);
    let entries = |table| snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
    tables.flat_map(|table| entries(table).map(move |(key, value)| ((table, key), value))).collect()
}

fn run(store: &dyn Reindexable) -> Reindexed {
    let mut last = None;
    let reindexed = reindex(store, &mut |at| {
        assert!(at.done <= at.total, "{at:?}");
        last = Some(at);
        Ok(())
    });
    assert!(last.is_some_and(|at| at.done == at.total));
    reindexed.unwrap()
}

fn repair(reindexed: &Reindexed, table: TableId) -> [u64; 3] {
    let found = reindexed.repairs.iter().find(|(at, _)| *at == table).map(|(_, repair)| *repair).unwrap_or_default();
    [found.missing, found.wrong, found.superfluous]
}

fn chunk(session_byte: u8, idx: u32) -> ChunkKey {
    ChunkKey { session_id: SessionId::from_bytes([session_byte + 1; 16]).unwrap(), idx, account: address(1) }
}

fn chunk_row(len: u8) -> ChunkRecord {
    ChunkRecord { local_path: Some("p".repeat(len.into())), ciphertext_sha256: hash(len), ..Sample::sample() }
}

/// Rows in collections of every order, of several batches.
fn fill(store: &Store) {
    for n in 1..=6u8 {
        write(store, |batch| {
            for m in 0..20u8 {
                let record = SessionAnchoringRecord {
                    session_id: session(m),
                    status: AnchoringStatus::ALL[usize::from((n + m) % 5)],
                    user_id: (m % 2 == 0).then(|| "ann".to_owned()),
                    ..Sample::sample()
                };
                batch.put::<SessionAnchorings>(&anchoring(m + n), &record).unwrap();
                let account = AccountRecord { nonce: n.into(), ..Sample::sample() };
                batch.put::<Accounts>(&address(m * n), &account).unwrap();
            }
            for idx in 0..70 {
                batch.put::<Chunks>(&chunk(n % 3, idx + u32::from(n) * 10), &chunk_row(n)).unwrap();
            }
        });
    }
}

#[test]
fn where_nothing_is_wrong_nothing_is_written() {
    let (_folder, store) = new_store();
    fill(&store);
    let before = (store.stats().unwrap(), contents(&store.snapshot().unwrap()));
    let reindexed = run(&store);
    assert_eq!((reindexed.repairs.len(), reindexed.findings.count), (0, 0));
    let snapshot = store.snapshot().unwrap();
    let rows =
        [TableId::SessionAnchorings, TableId::Accounts, TableId::Chunks].map(|table| snapshot.len(table).unwrap());
    assert_eq!(reindexed.rows, rows.iter().sum::<u64>());
    assert_eq!((store.stats().unwrap(), contents(&snapshot)), before);
}

/// Entries of one table are lost, get values or are made up, as `picks` say.
fn spoil(batch: &mut Batch, table: TableId, picks: &[(prop::sample::Index, u8)]) {
    let entries: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
    if entries.is_empty() {
        return;
    }
    for (pick, how) in picks {
        let (key, value) = pick.get(&entries).clone();
        match how % 6 {
            0 | 1 => batch.raw_remove(table, key),
            // An entry that lies in a level has no place for a value.
            2 if !table.is_layered() => batch.raw_put(table, key, [&value[..], &[7]].concat()),
            3 => {
                let mut other = key.clone();
                let place = pick.index(other.len());
                other[place] ^= 1 << (how % 8);
                batch.raw_remove(table, key);
                batch.raw_put(table, other, value);
            }
            4 => batch.raw_put(table, [&key[..], &[*how]].concat(), value),
            _ => batch.raw_put(table, &key[..key.len() / 2 + 1], value),
        }
    }
}

/// Tables that follow from the rows of `fill`, but for the shard ranges, and the journal, of which other notes may be as right.
fn entry_tables() -> Vec<TableId> {
    let indexes =
        [SessionAnchorings::DEF, Chunks::DEF].into_iter().flat_map(|def| def.indexes.iter().map(|index| index.0));
    indexes.chain([TableId::SessionAnchoringsBySequence, TableId::ChunksBySequence]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Exactly the entries come back that were kept row by row.
    #[test]
    fn spoiled_indexes_and_sequences_come_back_as_they_were(
        spoiled in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30)),
            1..6,
        )
    ) {
        let (_folder, store) = new_store();
        fill(&store);
        let before = contents(&store.snapshot().unwrap());
        write(&store, |batch| {
            for (table, picks) in &spoiled {
                spoil(batch, *table.get(&entry_tables()), picks);
            }
        });
        let snapshot = store.snapshot().unwrap();
        let is_spoiled = contents(&snapshot) != before;
        prop_assert_eq!(!findings(&snapshot).is_empty(), is_spoiled, "verify finds it");
        let reindexed = run(&store);
        prop_assert_eq!(reindexed.findings.count, 0);
        prop_assert_eq!(reindexed.repairs.is_empty(), !is_spoiled);
        let snapshot = store.snapshot().unwrap();
        prop_assert!(contents(&snapshot) == before);
        prop_assert_eq!(findings(&snapshot), [""; 0]);
        prop_assert_eq!(run(&store).repairs, []);
    }

    #[test]
    fn a_spoiled_journal_leads_to_every_row_again(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..30), future in any::<bool>()
    ) {
        let (_folder, store) = new_store();
        fill(&store);
        write(&store, |batch| {
            spoil(batch, TableId::AccountsBySequence, &picks);
            if future {
                // A note of a batch that never was.
                let key = [&99u64.to_be_bytes()[..], &[0; 4]].concat();
                batch.raw_put(TableId::AccountsBySequence, key, own_key(&address(1)));
            }
        });
        let before = contents(&store.snapshot().unwrap());
        let reindexed = run(&store);
        prop_assert_eq!(reindexed.findings.count, 0);
        let snapshot = store.snapshot().unwrap();
        prop_assert_eq!(findings(&snapshot), [""; 0]);
        let others = |contents: Contents| {
            contents.into_iter().filter(|((table, _), _)| *table != TableId::AccountsBySequence).collect::<Vec<_>>()
        };
        prop_assert!(others(contents(&snapshot)) == others(before));
        prop_assert_eq!(run(&store).repairs, []);
        // What is noted next is noted beside what was mended.
        write(&store, |batch| batch.put::<Accounts>(&address(1), &AccountRecord { nonce: 77, ..Sample::sample() }).unwrap());
        prop_assert_eq!(findings(&store.snapshot().unwrap()), [""; 0]);
    }

    /// Random rows come, change and go; whatever then becomes of the numbers, counting anew gives those that were kept.
    #[test]
    fn counted_ranges_are_those_that_were_kept(
        steps in prop::collection::vec((0u8..4, 0u32..200, 0u8..40, 0u8..4), 1..60),
        spoiled in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any::<u64>())), 1..8),
    ) {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        for (session, idx, len, kind) in steps {
            match kind {
                0 => { batch.remove::<Chunks>(&chunk(session, idx)).unwrap(); }
                1 => {
                    for idx in idx..idx + u32::from(len) * 3 {
                        batch.put::<Chunks>(&chunk(session, idx), &chunk_row(1)).unwrap();
                    }
                }
                2 => {
                    store.commit(batch).unwrap();
                    batch = store.begin().unwrap();
                }
                _ => batch.put::<Chunks>(&chunk(session, idx), &chunk_row(len)).unwrap(),
            }
        }
        store.commit(batch).unwrap();
        let kept = shard_ranges(&store.snapshot().unwrap(), &Chunks::DEF).unwrap();
        prop_assume!(!kept.is_empty());
        write(&store, |batch| for (pick, number) in &spoiled {
            let mut key = "chunks".to_owned().to_key_bytes();
            key.extend_from_slice(&pick.get(&kept).start);
            match number {
                Some(number) => batch.raw_put(TableId::ShardRanges, key, [number.to_be_bytes(), [9; 8]].concat()),
                None => batch.raw_put(TableId::ShardRanges, key, [1, 2, 3]),
            }
        });
        prop_assert!(!findings(&store.snapshot().unwrap()).is_empty());
        let reindexed = run(&store);
        let [missing, wrong, superfluous] = repair(&reindexed, TableId::ShardRanges);
        prop_assert!(missing == 0 && superfluous == 0 && wrong > 0);
        let snapshot = store.snapshot().unwrap();
        prop_assert_eq!(shard_ranges(&snapshot, &Chunks::DEF).unwrap(), kept);
        prop_assert_eq!(findings(&snapshot), [""; 0]);
    }
}

/// The ranges hold every row, and none is larger than it may be.
fn ranges_hold(store: &Store) -> Vec<ShardRange> {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(findings(&snapshot), [""; 0]);
    let ranges = shard_ranges(&snapshot, &Chunks::DEF).unwrap();
    assert!(ranges.iter().all(|range| range.documents <= MAX_SHARD_DOCUMENTS), "{ranges:?}");
    assert_eq!(ranges.iter().map(|range| range.documents).sum::<u64>(), snapshot.len(TableId::Chunks).unwrap());
    ranges
}

#[test]
fn ranges_that_are_lost_are_made_as_the_bound_says() {
    let (_folder, store) = new_store();
    fill(&store);
    let kept = ranges_hold(&store);
    assert!(kept.len() > 2, "{kept:?}");
    let lose = |from: usize, to: usize| {
        write(&store, |batch| {
            let all: Vec<_> = batch.raw_prefix(TableId::ShardRanges, &[], Direction::Forward).unwrap().collect();
            for range in &all[from..to.min(all.len())] {
                batch.raw_remove(TableId::ShardRanges, range.as_ref().unwrap().0.clone());
            }
        });
        assert!(!findings(&store.snapshot().unwrap()).is_empty());
        run(&store)
    };
    for (from, to) in [(0, usize::MAX), (0, 1), (1, 2), (1, usize::MAX)] {
        let reindexed = lose(from, to);
        let [missing, wrong, superfluous] = repair(&reindexed, TableId::ShardRanges);
        assert!(missing + wrong > 0 && superfluous == 0, "{reindexed:?}");
        assert_eq!(ranges_hold(&store)[0].start, [1]);
        assert_eq!(run(&store).repairs, []);
    }
}

#[test]
fn what_is_no_range_is_found_and_removed() {
    let (_folder, store) = new_store();
    fill(&store);
    let before = contents(&store.snapshot().unwrap());
    let key = |name: &str, start: &[u8]| [&name.to_owned().to_key_bytes()[..], start].concat();
    // Of no collection, of one that is not sharded, within a shard key, of imported rows; and one that starts with a shard key.
    let strange =
        [key("nothing", &[1]), key("sessions", &[1]), key("chunks", &[1, 3, 3]), key("chunks", &[2]), vec![9]];
    write(&store, |batch| {
        for key in &strange {
            batch.raw_put(TableId::ShardRanges, key.clone(), [0; 16]);
        }
    });
    let found = findings(&store.snapshot().unwrap());
    assert_eq!(found.iter().filter(|text| text.ends_with("is no range of a collection")).count(), 5, "{found:?}");
    assert_eq!(repair(&run(&store), TableId::ShardRanges), [0, 0, 5]);
    assert!(contents(&store.snapshot().unwrap()) == before);
    let between = key("chunks", &own_key(&chunk(1, 17))[..21]);
    write(&store, |batch| batch.raw_put(TableId::ShardRanges, between, [0; 16]));
    assert_eq!(repair(&run(&store), TableId::ShardRanges), [0, 2, 0]);
    ranges_hold(&store);
    assert_eq!(shard_ranges(&store.snapshot().unwrap(), &TaskProofs::DEF).unwrap(), []);
}

/// A row that cannot be read is told of and stays, and so does what may be its own.
#[test]
fn damage_in_rows_is_told_and_not_mended() {
    let (_folder, store) = new_store();
    fill(&store);
    let key = own_key(&anchoring(9));
    write(&store, |batch| {
        let mut row = batch.raw_get(TableId::SessionAnchorings, &key).unwrap().unwrap();
        row[0] = 99;
        batch.raw_put(TableId::SessionAnchorings, key.clone(), row);
        batch.raw_put(TableId::SessionAnchorings, [7, 7], [1]);
        batch.raw_put(SessionAnchoringsByStatus::TABLE, [1, 0, 5], []);
    });
    let before = contents(&store.snapshot().unwrap());
    let reindexed = run(&store);
    assert_eq!(repair(&reindexed, SessionAnchoringsByStatus::TABLE), [0, 0, 1]);
    assert_eq!((reindexed.repairs.len(), reindexed.findings.count), (1, 2), "{reindexed:?}");
    let told: Vec<_> = reindexed.findings.listed.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("version 99") && told[1].contains("does not say whose it is"), "{told:?}");
    let mut left = before;
    left.remove(&(SessionAnchoringsByStatus::TABLE, vec![1, 0, 5]));
    assert!(contents(&store.snapshot().unwrap()) == left);
}

fn own_key<K: StoreKey>(key: &K) -> Vec<u8> {
    RowSpace::own().key(key)
}

/// Imported rows lie under the name of their source, and so do their entries and their ranges.
#[test]
fn imported_rows_get_their_entries_and_ranges_too() {
    let (_folder, store) = new_store();
    fill(&store);
    let source = "old".parse().unwrap();
    write(&store, |batch| {
        for idx in 0..200 {
            batch.import::<Chunks>(&source, &chunk(1, idx), &chunk_row(3), None).unwrap();
        }
    });
    let before = contents(&store.snapshot().unwrap());
    let space = RowSpace::of_source(&source);
    write(&store, |batch| {
        for table in [ChunksByCiphertextSha256::TABLE, TableId::ChunksBySequence] {
            let all: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
            let of_source = |key: &[u8]| key.windows(space.prefix().len()).any(|part| part == space.prefix());
            let gone = all.into_iter().filter(|(key, _)| of_source(key)).step_by(4);
            gone.for_each(|(key, _)| batch.raw_remove(table, key));
        }
        batch.raw_put(ChunksByCiphertextSha256::TABLE, [space.prefix(), &[3, 3]].concat(), []);
        let ranges = ["chunks".to_owned().to_key_bytes(), space.prefix().to_vec()].concat();
        let all: Vec<_> = batch.raw_prefix(TableId::ShardRanges, &ranges, Direction::Forward).unwrap().collect();
        assert!(all.len() > 1);
        all.into_iter().for_each(|range| batch.raw_remove(TableId::ShardRanges, range.unwrap().0));
    });
    assert!(!findings(&store.snapshot().unwrap()).is_empty());
    let reindexed = run(&store);
    assert_eq!(repair(&reindexed, ChunksByCiphertextSha256::TABLE), [50, 0, 1]);
    assert_eq!(repair(&reindexed, TableId::ChunksBySequence), [50, 0, 0]);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(findings(&snapshot), [""; 0]);
    let rest = |contents: Contents| {
        contents.into_iter().filter(|((table, _), _)| *table != TableId::ShardRanges).collect::<Vec<_>>()
    };
    assert!(rest(contents(&snapshot)) == rest(before));
    assert_eq!(run(&store).repairs, []);
}

/// Rows of two sources, some of which are known by ids.
fn fill_sources(store: &Store) {
    write(store, |batch| {
        for (name, rows) in [("a", 160), ("b", 7)] {
            let source = name.parse().unwrap();
            for idx in 0..rows {
                let known_by = (idx % 2 == 0).then(|| DocumentId::of(&[idx as u8]));
                batch.import::<Chunks>(&source, &chunk(1, idx), &chunk_row(3), known_by).unwrap();
                batch.import::<Payouts>(&source, &idx.to_string(), &Sample::sample(), known_by).unwrap();
            }
        }
    });
}

fn noted(batch: &Batch, place: usize) -> Vec<u8> {
    let mut notes = batch.raw_prefix(TableId::ImportSources, &[], Direction::Forward).unwrap();
    notes.nth(place).unwrap().unwrap().0
}

#[test]
fn what_is_noted_of_sources_is_counted_anew_and_ids_of_no_row_go() {
    let (_folder, store) = new_store();
    fill(&store);
    fill_sources(&store);
    let before = contents(&store.snapshot().unwrap());
    let (sources, ids) = (TableId::ImportSources, TableId::ImportIds);
    let text = |text: &str| text.to_owned().to_key_bytes();
    let space = RowSpace::of_source(&"a".parse().unwrap());
    type Damage<'a> = (&'a dyn Fn(&mut Batch), TableId, [u64; 3]);
    let damages: [Damage<'_>; 10] = [
        (&|batch| batch.raw_remove(sources, noted(batch, 0)), sources, [1, 0, 0]),
        (&|batch| (0..4).for_each(|_| batch.raw_remove(sources, noted(batch, 0))), sources, [4, 0, 0]),
        (&|batch| batch.raw_put(sources, noted(batch, 1), u64::MAX.to_be_bytes()), sources, [0, 1, 0]),
        (&|batch| batch.raw_put(sources, noted(batch, 3), [1, 2, 3]), sources, [0, 1, 0]),
        (&|batch| batch.raw_put(sources, [text("c"), text("chunks")].concat(), [0; 8]), sources, [0, 0, 1]),
        (&|batch| batch.raw_put(sources, [text("a"), text("blocks")].concat(), [1; 8]), sources, [0, 0, 1]),
        (&|batch| batch.raw_put(sources, [7, 7], [1; 8]), sources, [0, 0, 1]),
        (&|batch| batch.raw_put(ids, [&text("chunks"), space.prefix(), &[1, 2]].concat(), [1; 16]), ids, [0, 0, 1]),
        (&|batch| batch.raw_put(ids, [text("chunks"), own_key(&chunk(1, 17))].concat(), [1; 16]), ids, [0, 0, 1]),
        (&|batch| batch.raw_put(ids, [text("blocks"), own_key(&1u64)].concat(), [1; 16]), ids, [0, 0, 1]),
    ];
    for (place, (damage, table, mended)) in damages.into_iter().enumerate() {
        write(&store, |batch| damage(batch));
        assert!(!findings(&store.snapshot().unwrap()).is_empty(), "damage {place} is not found");
        let reindexed = run(&store);
        assert_eq!(repair(&reindexed, table), mended, "damage {place}: {reindexed:?}");
        assert_eq!((reindexed.repairs.len(), reindexed.findings.count), (1, 0), "damage {place}: {reindexed:?}");
        assert!(contents(&store.snapshot().unwrap()) == before, "damage {place}");
        assert_eq!(findings(&store.snapshot().unwrap()), [""; 0]);
    }
    assert_eq!(run(&store).repairs, []);
}

/// Nothing says by what a source knew a document: its row is whole without it.
#[test]
fn an_id_that_is_lost_is_not_made_up() {
    let (_folder, store) = new_store();
    fill_sources(&store);
    write(&store, |batch| {
        let id = batch.raw_first_key(TableId::ImportIds, &[]).unwrap().unwrap();
        batch.raw_remove(TableId::ImportIds, id);
    });
    let before = contents(&store.snapshot().unwrap());
    assert_eq!((findings(&store.snapshot().unwrap()), run(&store).repairs), (vec![], vec![]));
    assert!(contents(&store.snapshot().unwrap()) == before);
}

#[test]
fn documents_that_come_and_go_while_sources_are_counted_are_counted() {
    for wrong in [100u64, 5_000] {
        let (_folder, store) = new_store();
        fill_sources(&store);
        write(&store, |batch| {
            (0..4).for_each(|place| batch.raw_put(TableId::ImportSources, noted(batch, place), wrong.to_be_bytes()));
        });
        let others = |batch: &mut Batch, n: u64| {
            let n = n as u32;
            for source in ["a", "b"].map(|name| name.parse().unwrap()) {
                batch.import::<Chunks>(&source, &chunk(2, n), &chunk_row(3), None).unwrap();
                batch.import::<Payouts>(&source, &format!("new {n}"), &Sample::sample(), None).unwrap();
                batch.remove_imported::<Chunks>(&source, &chunk(1, n * 3)).unwrap();
            }
        };
        let busy = Busy { store: &store, others: &others, written: Cell::new(0) };
        assert!(repair(&run(&busy), TableId::ImportSources)[1] == 4 && busy.written.get() > 10);
        assert_eq!(findings(&store.snapshot().unwrap()), [""; 0]);
    }
}

/// A store that others write to: before each batch of the run comes one of theirs.
struct Busy<'a> {
    store: &'a Store,
    others: &'a dyn Fn(&mut Batch, u64),
    written: Cell<u64>,
}

impl Busy<'_> {
    fn other_batch(&self) {
        let n = self.written.replace(self.written.get() + 1);
        write(self.store, |batch| (self.others)(batch, n));
    }
}

impl Reindexable for Busy<'_> {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let snapshot = self.store.snapshot();
        self.other_batch();
        snapshot
    }

    fn write(&self, change: &mut dyn FnMut(&mut Batch) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.other_batch();
        let mut batch = self.store.begin()?;
        // One that shares the batch came before.
        let n = self.written.replace(self.written.get() + 1);
        (self.others)(&mut batch, n);
        change(&mut batch)?;
        self.store.commit(batch)?;
        self.other_batch();
        Ok(())
    }
}

#[test]
fn batches_that_come_in_between_lose_nothing_and_are_not_taken_back() {
    let (_folder, store) = new_store();
    let (_other_folder, other) = new_store();
    for store in [&store, &other] {
        fill(store);
    }
    // Rows change, go and come everywhere: also those that are being looked at.
    let others = |batch: &mut Batch, n: u64| {
        let byte = |factor: u64, below: u64| (n * factor % below) as u8;
        let record = SessionAnchoringRecord {
            session_id: session(byte(7, 20)),
            status: AnchoringStatus::ALL[usize::from(byte(3, 5))],
            ..Sample::sample()
        };
        batch.put::<SessionAnchorings>(&anchoring(byte(5, 30)), &record).unwrap();
        batch.remove::<SessionAnchorings>(&anchoring(byte(11, 30))).unwrap();
        batch.put::<Accounts>(&address(byte(13, 100)), &AccountRecord { nonce: n, ..Sample::sample() }).unwrap();
        for idx in 0..23 {
            batch.put::<Chunks>(&chunk(byte(1, 3), (n as u32 * 17 + idx) % 400), &chunk_row(byte(1, 9))).unwrap();
            batch.remove::<Chunks>(&chunk(byte(1, 3), (n as u32 * 29 + idx) % 400)).unwrap();
        }
    };
    write(&store, |batch| {
        for table in entry_tables().into_iter().chain([TableId::AccountsBySequence, TableId::ShardRanges]) {
            let all: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
            for (place, (key, _)) in all.into_iter().enumerate() {
                match place % 3 {
                    0 => batch.raw_remove(table, key),
                    1 if table != TableId::ShardRanges => batch.raw_put(table, [&key[..], &[5]].concat(), []),
                    _ => {}
                }
            }
        }
    });
    let busy = Busy { store: &store, others: &others, written: Cell::new(0) };
    let reindexed = run(&busy);
    assert_eq!(reindexed.findings.count, 0, "{reindexed:?}");
    assert!(busy.written.get() > 20);
    for n in 0..busy.written.get() {
        write(&other, |batch| others(batch, n));
    }
    let rows = |store: &Store| {
        let snapshot = store.snapshot().unwrap();
        let rows = |table| snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
        let body = |(key, row): (Vec<u8>, Vec<u8>)| (key, row[10..].to_vec());
        [TableId::SessionAnchorings, TableId::Chunks, TableId::Accounts]
            .map(|table| rows(table).map(body).collect::<Vec<_>>())
    };
    assert!(rows(&store) == rows(&other));
    ranges_hold(&store);
    assert_eq!(run(&store).repairs, []);
}

#[test]
fn a_run_that_is_ended_anywhere_is_finished_by_the_next() {
    let (_folder, store) = new_store();
    fill(&store);
    let before = contents(&store.snapshot().unwrap());
    let damage = |batch: &mut Batch| {
        for table in entry_tables() {
            let all: Vec<_> = batch.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap).collect();
            all.into_iter().step_by(2).for_each(|(key, _)| batch.raw_remove(table, key));
        }
    };
    for steps in 0..8 {
        write(&store, damage);
        let mut left = steps;
        let ended = reindex(&store, &mut |_| match left {
            0 => Err(StoreError::Stopped),
            _ => {
                left -= 1;
                Ok(())
            }
        });
        assert!(matches!(ended, Err(StoreError::Stopped)), "{ended:?}");
        run(&store);
        assert!(contents(&store.snapshot().unwrap()) == before);
    }
}
