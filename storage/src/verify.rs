//! Holds the store's rows against its indexes: every row can be read, each has exactly the entries that it asks for, and
//! no index has others. What a row means is for other rooms to check.

use crate::{
    backup::{ReportProgress, Walk},
    changed::{ChangedRows, sequence_key},
    codec::Origin,
    collection::{Collection, Placement, WriteOrder},
    error::StoreError,
    import::{id_key, read_documents, read_source_key, row_of_id},
    key::StoreKey,
    layers::check_layers,
    meta::has_ranges,
    range::Direction,
    reader::{Reader, decode_key, decode_row},
    shard::{ShardCounter, is_range},
    snapshot::Snapshot,
    source_rows::SourceRows,
    space::{OWN_ROWS, RowSpace, split_prefix},
    tables::{COLLECTION_CHECKS, TableId},
};
use std::{fmt::Write as _, ops::Bound};

/// Findings that a report lists; of more it has the number.
pub const MAX_FINDINGS: usize = 100;

/// Something in the store that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table}{}: {what}", of_key(key))]
pub struct Finding {
    /// The table.
    pub table: &'static str,
    /// Key of the entry as it lies in the table, in hex; empty where no one entry is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
}

fn of_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(", key {key}") }
}

/// What was looked at and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first of them, at most [`MAX_FINDINGS`].
    pub listed: Vec<Finding>,
    /// How many there are.
    pub count: u64,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, table: TableId, key: &[u8], what: impl ToString) {
        self.count += 1;
        if self.listed.len() < MAX_FINDINGS {
            let key = key.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a String does not fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            self.listed.push(Finding { table: table.name(), key, what: what.to_string() });
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Snapshot {
    /// Checks every collection with its indexes. An error means that the store could not be read on; damage that can be
    /// read around is a finding.
    pub fn check_rows(&self, findings: &mut Findings, progress: &mut ReportProgress<'_>) -> Result<(), StoreError> {
        let mut total = 0;
        for (table, _) in COLLECTION_CHECKS {
            total += self.len(*table)?;
        }
        let mut check = Check { findings, walk: Walk { progress, done: 0, total }, sequence: self.sequence()? };
        for (table, collection) in COLLECTION_CHECKS {
            match collection(self, &mut check) {
                Err(error) if error.is_damage() => {
                    check.findings.add(*table, &[], format!("what follows could not be checked: {error}"));
                }
                checked => checked?,
            }
        }
        let mut ranges =
            self.raw_range(TableId::ShardRanges, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        while let Some((key, _)) = ranges.next_view()? {
            if !is_range(&key) {
                check.findings.add(TableId::ShardRanges, &key, "is no range of a collection");
            }
        }
        let mut notes = self.raw_prefix(TableId::ImportSources, &[], Direction::Forward)?;
        while let Some((key, _)) = notes.next_view()? {
            if read_source_key(&key).is_none() {
                check.findings.add(
                    TableId::ImportSources,
                    &key,
                    "is of no source, or of no collection that is imported",
                );
            }
        }
        let mut ids = self.raw_range(TableId::ImportIds, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
        while let Some((key, _)) = ids.next_view()? {
            if row_of_id(&key).is_none() {
                check.findings.add(TableId::ImportIds, &key, "is the id of no imported row");
            }
        }
        Ok(())
    }
}

/// One run of [`Snapshot::check_rows`].
pub(crate) struct Check<'a> {
    findings: &'a mut Findings,
    walk: Walk<'a>,
    /// That of the store: no row can be of a later one.
    sequence: u64,
}

/// Checks one collection, own rows and imported ones. Each row's entries have to be there, and there have to be as many as
/// the rows ask for: then they are the same.
pub(crate) fn check_collection<C: Collection>(snapshot: &Snapshot, check: &mut Check<'_>) -> Result<(), StoreError> {
    let mut asked_for = vec![0u64; C::INDEXES.len()];
    let mut rows = 0u64;
    let mut imported = ImportedRows::default();
    let mut shards = match C::DEF.placement {
        Placement::Sharded(_) if has_ranges(snapshot) => Some(ShardCounter::new(snapshot, &C::DEF)?),
        _ => None,
    };
    let mut entries = snapshot.raw_range(C::DEF.table, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
    while let Some((row_key, value)) = entries.next_view()? {
        check.walk.step()?;
        rows += 1;
        if let Some(shards) = &mut shards {
            shards.take(&row_key, value.len());
        }
        if row_key.first() != Some(&OWN_ROWS) {
            imported.take::<C>(snapshot, &row_key, check)?;
        }
        check_row::<C>(snapshot, &row_key, &value, &mut asked_for, check)?;
    }
    if C::DEF.importable {
        imported.check::<C>(snapshot, check)?;
    }
    for (start, what) in shards.iter().flat_map(ShardCounter::differences) {
        check.findings.add(TableId::ShardRanges, &start, format!("a range of {} {what}", C::DEF.name));
    }
    for (index, asked_for) in C::INDEXES.iter().zip(asked_for) {
        let found = entries_of(snapshot, index.table)?;
        if let Some(layers) = snapshot.layers(index.table)? {
            check_layers(layers, &mut |key, what| check.findings.add(index.table, key, what))?;
            let counted = snapshot.len(index.table)?;
            if counted != found {
                check.findings.add(
                    index.table,
                    &[],
                    format!("its levels have {counted} entries, of which {found} differ"),
                );
            }
        }
        if found != asked_for {
            let what = format!("{found} entries, and the rows of {} ask for {asked_for}", C::DEF.name);
            check.findings.add(index.table, &[], what);
        }
    }
    match (C::DEF.order, C::DEF.by_sequence) {
        (WriteOrder::Journaled, Some(table)) => check_journal::<C>(snapshot, table, rows, check),
        (_, Some(table)) => {
            let found = entries_of(snapshot, table)?;
            if found != rows {
                check.findings.add(table, &[], format!("{found} entries, and {} has {rows} rows", C::DEF.name));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_row<C: Collection>(
    snapshot: &Snapshot,
    key_bytes: &[u8],
    value: &[u8],
    asked_for: &mut [u64],
    check: &mut Check<'_>,
) -> Result<(), StoreError> {
    let (key, row) = match (decode_key::<C>(key_bytes), decode_row::<C>(value)) {
        (Ok(key), Ok(row)) => (key, row),
        (Err(error), _) | (_, Err(error)) => {
            check.findings.add(C::DEF.table, key_bytes, error);
            return Ok(());
        }
    };
    let prefix = split_prefix(key_bytes).map_or(&[][..], |(prefix, _)| prefix);
    if [prefix, &key.to_key_bytes()].concat() != key_bytes {
        check.findings.add(C::DEF.table, key_bytes, "is not how this key is written");
    }
    let origin = if prefix == [OWN_ROWS] { C::DEF.origin } else { Origin::Import };
    if row.origin != origin {
        check.findings.add(
            C::DEF.table,
            key_bytes,
            format!("is of origin {:?}, and lies where {origin:?} does", row.origin),
        );
    }
    if row.sequence > check.sequence {
        let what = format!("is of batch {}, and the store's last is {}", row.sequence, check.sequence);
        check.findings.add(C::DEF.table, key_bytes, what);
    }
    for (index, asked_for) in C::INDEXES.iter().zip(asked_for) {
        if let Some(entry) = index.entry_key(&key, &row.record, key_bytes) {
            *asked_for += 1;
            check_entry::<C>(snapshot, key_bytes, index.table, &entry, check)?;
        }
    }
    match C::DEF.by_sequence {
        Some(table) if C::DEF.order != WriteOrder::Journaled => {
            check_entry::<C>(snapshot, key_bytes, table, &sequence_key(row.sequence, key_bytes), check)
        }
        _ => Ok(()),
    }
}

/// The entry of a row has to be there, and to be empty.
fn check_entry<C: Collection>(
    snapshot: &Snapshot,
    row_key: &[u8],
    table: TableId,
    entry: &[u8],
    check: &mut Check<'_>,
) -> Result<(), StoreError> {
    match snapshot.view(table, entry)? {
        None => check.findings.add(C::DEF.table, row_key, format!("has no entry in {}", table.name())),
        Some(value) if !value.is_empty() => check.findings.add(table, entry, "has a value, and an entry has none"),
        Some(_) => {}
    }
    Ok(())
}

/// Entries of a table, walked so that each is read.
fn entries_of(snapshot: &Snapshot, table: TableId) -> Result<u64, StoreError> {
    let mut entries = snapshot.raw_range(table, Bound::Unbounded, Bound::Unbounded, Direction::Forward)?;
    let mut count = 0;
    while entries.next_view()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Imported rows of a collection as they are met, source after source.
#[derive(Default)]
struct ImportedRows {
    by_source: SourceRows,
    /// Rows of which an id is remembered.
    ids: u64,
}

impl ImportedRows {
    fn take<C: Collection>(
        &mut self,
        snapshot: &Snapshot,
        row_key: &[u8],
        check: &mut Check<'_>,
    ) -> Result<(), StoreError> {
        // One that is of no space is found as a row.
        if split_prefix(row_key).is_none() {
            return Ok(());
        }
        if !C::DEF.importable {
            check.findings.add(C::DEF.table, row_key, format!("is imported, and rows of {} are not", C::DEF.name));
        }
        self.ids += u64::from(snapshot.view(TableId::ImportIds, &id_key(&C::DEF, row_key))?.is_some());
        self.by_source.take(row_key);
        Ok(())
    }

    /// Holds them against what the store has noted of its sources.
    fn check<C: Collection>(&self, snapshot: &Snapshot, check: &mut Check<'_>) -> Result<(), StoreError> {
        let mut noted = Vec::new();
        let mut notes = snapshot.raw_prefix(TableId::ImportSources, &[], Direction::Forward)?;
        while let Some((key, value)) = notes.next_view()? {
            let Some((source, _)) = read_source_key(&key).filter(|(_, of)| of.table == C::DEF.table) else { continue };
            match read_documents(&key, &value) {
                Ok(documents) => noted.push((RowSpace::of_source(&source).prefix().to_vec(), documents)),
                Err(error) => check.findings.add(TableId::ImportSources, &key, error),
            }
        }
        // Both in the order of the sources.
        noted.sort();
        let there = &self.by_source.counts;
        if noted != *there {
            let rows = |of: &[(Vec<u8>, u64)]| of.iter().map(|(_, rows)| u128::from(*rows)).sum::<u128>();
            let what = format!(
                "{} imported rows of {} sources are noted of {}, and there are {} of {}",
                rows(&noted),
                noted.len(),
                C::DEF.name,
                rows(there),
                there.len()
            );
            check.findings.add(TableId::ImportSources, &[], what);
        }
        let mut ids = snapshot.raw_prefix(TableId::ImportIds, &id_key(&C::DEF, &[]), Direction::Forward)?;
        let mut found = 0;
        while ids.next_view()?.is_some() {
            found += 1;
        }
        if found != self.ids {
            let what = format!("{found} ids of imported rows of {}, and {} have one", C::DEF.name, self.ids);
            check.findings.add(TableId::ImportIds, &[], what);
        }
        Ok(())
    }
}

/// A journal has to lead to every row. A row that was removed and made anew in one batch is noted twice, so more notes
/// than rows are no damage.
fn check_journal<C: Collection>(
    snapshot: &Snapshot,
    table: TableId,
    rows: u64,
    check: &mut Check<'_>,
) -> Result<(), StoreError> {
    let mut led_to = 0;
    for row in ChangedRows::<_, C>::through(snapshot, table, 0)? {
        match row {
            Ok(_) => led_to += 1,
            Err(error) => {
                check.findings.add(table, &[], error);
                return Ok(());
            }
        }
    }
    if led_to < rows {
        check.findings.add(table, &[], format!("leads to {led_to} rows, and {} has {rows}", C::DEF.name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AccountRecord, Accounts, AnchoringStatus, Batch, Meta, Options, SessionAnchoringRecord, SessionAnchorings,
        Store,
        samples::{Sample, address, anchoring, hash, session},
    };

    fn damaged(damage: impl FnOnce(&mut Batch)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        for n in 1..=3 {
            let record = SessionAnchoringRecord {
                session_id: session(n),
                status: AnchoringStatus::Pending,
                user_id: (n != 2).then(|| "ann".to_owned()),
                ..Sample::sample()
            };
            batch.put::<SessionAnchorings>(&anchoring(n), &record).unwrap();
            batch.put::<Accounts>(&address(n), &AccountRecord { nonce: n.into(), ..Sample::sample() }).unwrap();
        }
        store.commit(batch).unwrap();
        let mut batch = store.begin().unwrap();
        damage(&mut batch);
        store.commit(batch).unwrap();
        let mut findings = Findings::default();
        let mut last = None;
        let snapshot = store.snapshot().unwrap();
        let checked = snapshot.check_rows(&mut findings, &mut |progress| {
            last = Some(progress);
            Ok(())
        });
        checked.unwrap();
        assert!(last.is_some_and(|progress| progress.done == progress.total && progress.total >= 4));
        assert_eq!(findings.count, findings.listed.len() as u64);
        findings.listed.iter().map(Finding::to_string).collect()
    }

    fn first(batch: &Batch, table: TableId) -> (Vec<u8>, Vec<u8>) {
        batch.raw_prefix(table, &[], Direction::Forward).unwrap().next().unwrap().unwrap()
    }

    #[test]
    fn what_writes_leave_is_clean() {
        assert_eq!(damaged(|_| {}), [""; 0]);
        let changes = |batch: &mut Batch| {
            batch.remove::<SessionAnchorings>(&anchoring(1)).unwrap();
            batch.remove::<Accounts>(&address(1)).unwrap();
            let other = SessionAnchoringRecord { user_id: Some("bob".into()), ..Sample::sample() };
            batch.put::<SessionAnchorings>(&anchoring(2), &other).unwrap();
            batch.overwrite::<Accounts>(&address(2), &AccountRecord { nonce: 9, ..Sample::sample() }).unwrap();
        };
        assert_eq!(damaged(changes), [""; 0]);
    }

    #[test]
    fn an_index_that_lost_an_entry_or_has_one_too_many_is_found() {
        let lost = damaged(|batch| {
            let (entry, _) = first(batch, TableId::SessionAnchoringsByUser);
            batch.raw_remove(TableId::SessionAnchoringsByUser, entry);
        });
        assert_eq!(lost.len(), 2);
        assert!(lost[0].starts_with("session_anchorings, key 01"), "{lost:?}");
        assert!(lost[0].ends_with("has no entry in session_anchorings.by_user_id+status"), "{lost:?}");
        assert!(lost[1].contains("1 entries, and the rows of session_anchorings ask for 2"), "{lost:?}");
        let more = damaged(|batch| batch.raw_put(TableId::SessionAnchoringsByStatus, [1, 7, 7], []));
        assert_eq!(more.len(), 1, "{more:?}");
        let unsequenced = damaged(|batch| {
            let (entry, _) = first(batch, TableId::SessionAnchoringsBySequence);
            batch.raw_remove(TableId::SessionAnchoringsBySequence, entry);
        });
        assert_eq!(unsequenced.len(), 2, "{unsequenced:?}");
        let imported = damaged(|batch| batch.raw_put(TableId::SessionAnchoringsByStatus, [2, 7, 7], []));
        assert_eq!(imported.len(), 1, "{imported:?}");
    }

    #[test]
    fn a_row_that_cannot_be_read_or_that_nothing_leads_to_is_found() {
        let unreadable = damaged(|batch| {
            let (key, mut row) = first(batch, TableId::Accounts);
            row[0] = 99;
            batch.raw_put(TableId::Accounts, key, row);
        });
        assert!(unreadable.iter().any(|finding| finding.contains("accounts, key 01")), "{unreadable:?}");
        let lost = damaged(|batch| {
            let (part, notes) = first(batch, TableId::AccountsBySequence);
            batch.raw_put(TableId::AccountsBySequence, part, &notes[21..]);
        });
        assert_eq!(lost, ["accounts.by_sequence: leads to 2 rows, and accounts has 3"]);
        let future = damaged(|batch| {
            let (key, mut row) = first(batch, TableId::Accounts);
            row[9] = 77;
            batch.raw_put(TableId::Accounts, key, row);
        });
        assert!(future.iter().any(|finding| finding.contains("is of batch 77")), "{future:?}");
    }
}
