//! One run over all collections, and what it comes to.

use super::{
    imports::{remove_strange_ids, remove_strange_sources},
    ranges::remove_strange_ranges,
};
use crate::{
    backup::{PROGRESS_STEP_ENTRIES, Progress, ReportProgress},
    batch::Batch,
    error::StoreError,
    snapshot::Snapshot,
    store::Store,
    tables::{COLLECTION_REINDEXES, COLLECTIONS, TableId},
    verify::Findings,
};

/// Rows or entries that one batch looks at again and mends at most, with a handful of indexes about what a full block writes:
/// others wait for it.
const STEP_ENTRIES: usize = 1_000;

/// A store that can be reindexed: one that nobody else writes to, or that of a running node.
pub trait Reindexable {
    /// The store as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Makes a change to the store as it is by then, which is on disk when this returns. Nothing is written where the change
    /// writes nothing.
    ///
    /// # Errors
    /// What `change` says; the store cannot be written.
    fn write(&self, change: &mut dyn FnMut(&mut Batch) -> Result<(), StoreError>) -> Result<(), StoreError>;
}

impl Reindexable for Store {
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.snapshot()
    }

    fn write(&self, change: &mut dyn FnMut(&mut Batch) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut batch = self.begin()?;
        change(&mut batch)?;
        self.commit(batch).map(drop)
    }
}

/// What was mended in one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableRepair {
    /// Entries that were missing.
    pub missing: u64,
    /// Entries that were there with another value.
    pub wrong: u64,
    /// Entries that stood for nothing.
    pub superfluous: u64,
}

impl TableRepair {
    /// Whether nothing was mended.
    pub const fn is_empty(&self) -> bool {
        self.missing == 0 && self.wrong == 0 && self.superfluous == 0
    }
}

/// What a run has seen and mended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Rows that were read.
    pub rows: u64,
    /// Tables in which something was mended.
    pub repairs: Vec<(TableId, TableRepair)>,
    /// What is damaged and cannot be made anew: rows.
    pub findings: Findings,
}

/// One run.
pub(crate) struct Reindex<'a> {
    target: &'a dyn Reindexable,
    progress: &'a mut ReportProgress<'a>,
    done: u64,
    total: u64,
    rows: u64,
    repairs: [TableRepair; TableId::COUNT],
    findings: Findings,
}

/// Makes what follows from the rows anew, where it is not what they ask for.
///
/// Memory is bounded however large the store is. An error ends it; what was mended by then stays, and the rest is mended by
/// the next run.
///
/// # Errors
///
/// The store cannot be read or written, or what `progress` says. Damage is told in what comes back.
pub fn reindex(target: &dyn Reindexable, progress: &mut ReportProgress<'_>) -> Result<Reindexed, StoreError> {
    let mut run = Reindex::new(target, progress);
    let snapshot = target.snapshot()?;
    for collection in COLLECTIONS {
        run.total += snapshot.len(collection.table)?;
        for table in collection.indexes.iter().map(|(table, _)| *table).chain(collection.by_sequence) {
            run.total += snapshot.len(table)?;
        }
    }
    run.total += snapshot.len(TableId::ImportIds)?;
    drop(snapshot);
    let outcome = remove_strange_ranges(&mut run);
    run.go_on(TableId::ShardRanges, outcome)?;
    let outcome = remove_strange_sources(&mut run);
    run.go_on(TableId::ImportSources, outcome)?;
    let outcome = remove_strange_ids(&mut run);
    run.go_on(TableId::ImportIds, outcome)?;
    for (table, reindex) in COLLECTION_REINDEXES {
        let outcome = reindex(&mut run);
        run.go_on(*table, outcome)?;
    }
    run.end()
}

impl<'a> Reindex<'a> {
    pub(crate) fn new(target: &'a dyn Reindexable, progress: &'a mut ReportProgress<'a>) -> Self {
        let repairs = [TableRepair::default(); TableId::COUNT];
        Self { target, progress, done: 0, total: 0, rows: 0, repairs, findings: Findings::default() }
    }

    pub(super) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.target.snapshot()
    }

    /// More entries are going to be visited than was thought.
    pub(crate) fn expect(&mut self, entries: u64) {
        self.total += entries;
    }

    /// An entry was visited.
    pub(super) fn step(&mut self) -> Result<(), StoreError> {
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_STEP_ENTRIES) { self.report() } else { Ok(()) }
    }

    pub(super) fn row(&mut self) -> Result<(), StoreError> {
        self.rows += 1;
        self.step()
    }

    /// Tells how far it has come. Whoever watches may end it.
    pub(super) fn report(&mut self) -> Result<(), StoreError> {
        // While a node runs there may be more by now.
        self.total = self.total.max(self.done);
        (self.progress)(Progress { done: self.done, total: self.total })
    }

    /// What cannot be made anew.
    pub(super) fn find(&mut self, table: TableId, key: &[u8], what: impl ToString) {
        self.findings.add(table, key, what);
    }

    /// A part that damage has ended is a finding, and others go on.
    pub(super) fn go_on(&mut self, table: TableId, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        match outcome {
            Err(error) if error.is_damage() => {
                self.find(table, &[], format!("what follows could not be read: {error}"));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Takes one more row or entry into what the next batch mends, and writes that batch where it is full.
    pub(super) fn mend_later(
        &mut self,
        due: &mut Vec<Vec<u8>>,
        key: &[u8],
        mend: impl Fn(&mut Batch, &[u8], &mut Repairs<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        due.push(key.to_vec());
        if due.len() >= STEP_ENTRIES { self.mend(due, mend) } else { Ok(()) }
    }

    /// Mends what is due, in batches that are small enough.
    pub(super) fn mend(
        &mut self,
        due: &mut Vec<Vec<u8>>,
        mend: impl Fn(&mut Batch, &[u8], &mut Repairs<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for keys in due.chunks(STEP_ENTRIES) {
            self.write(|batch, repairs| keys.iter().try_for_each(|key| mend(batch, key, repairs)))?;
        }
        due.clear();
        self.report()
    }

    /// One batch.
    pub(super) fn write(
        &mut self,
        mut change: impl FnMut(&mut Batch, &mut Repairs<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let repairs = &mut Repairs(&mut self.repairs);
        self.target.write(&mut |batch| change(batch, repairs))
    }

    pub(crate) fn end(mut self) -> Result<Reindexed, StoreError> {
        self.total = self.done;
        self.report()?;
        let repairs = TableId::ALL.into_iter().map(|table| (table, self.repairs[table as usize]));
        let repairs = repairs.filter(|(_, repair)| !repair.is_empty()).collect();
        Ok(Reindexed { rows: self.rows, repairs, findings: self.findings })
    }
}

/// What is counted while a batch is made.
pub(super) struct Repairs<'a>(&'a mut [TableRepair; TableId::COUNT]);

impl Repairs<'_> {
    pub(super) fn of(&mut self, table: TableId) -> &mut TableRepair {
        &mut self.0[table as usize]
    }

    /// Puts an entry where another value is, or none.
    pub(super) fn put(&mut self, batch: &mut Batch, table: TableId, key: &[u8], is_there: bool, value: Vec<u8>) {
        let repair = self.of(table);
        *(if is_there { &mut repair.wrong } else { &mut repair.missing }) += 1;
        batch.raw_put(table, key, value);
    }

    /// Removes an entry that stands for nothing.
    pub(super) fn remove(&mut self, batch: &mut Batch, table: TableId, key: &[u8]) {
        self.of(table).superfluous += 1;
        batch.raw_remove(table, key);
    }
}
