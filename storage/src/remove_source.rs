//! The removal of a source, in steps that are batches of their own: its rows with all that follows from them, and in the
//! batch of the last ones what else there is under its name. So the source is listed for as long as there is a row of it,
//! and a removal that was ended anywhere is finished by the next.

use crate::{
    batch::Batch,
    collection::Collection,
    error::StoreError,
    import::{id_key, source_key},
    range::Direction,
    reader::{Reader, decode_key},
    shard::range_key,
    space::{RowSpace, SourceName},
    tables::{COLLECTION_REMOVALS, COLLECTIONS, TableId},
};

/// Rows that one step removes at most, and other entries likewise: whoever else writes to the store waits for it.
pub const MAX_REMOVED_ROWS: usize = if cfg!(test) { 50 } else { 1_000 };

/// What one step of a removal has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalStep {
    /// How many documents it removed of each collection, without collections that it removed none of.
    pub documents: Vec<(&'static str, u64)>,
    /// Whether there is more to remove.
    pub more: bool,
}

impl Batch {
    /// Removes documents of a source, at most [`MAX_REMOVED_ROWS`]. The step that removes the last of them leaves nothing
    /// of the source. `None` where there is nothing of it.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or a row of the source is damaged; then the batch has to be dropped.
    pub fn remove_source(&mut self, source: &SourceName) -> Result<Option<RemovalStep>, StoreError> {
        let mut step = RemovalStep::default();
        let mut left = MAX_REMOVED_ROWS;
        for (collection, remove) in COLLECTION_REMOVALS {
            let removed = remove(self, source, left)?;
            if removed > 0 {
                step.documents.push((collection, removed as u64));
            }
            left -= removed;
        }
        if has_rows(self, source)? {
            step.more = true;
            return Ok(Some(step));
        }
        let rest = rest_of(self, source)?;
        let is_nothing = step.documents.is_empty() && rest.is_empty();
        step.more = rest.len() > MAX_REMOVED_ROWS;
        rest.into_iter().take(MAX_REMOVED_ROWS).for_each(|(table, key)| self.raw_remove(table, key));
        Ok((!is_nothing).then_some(step))
    }
}

/// Removes rows that a collection has of a source, at most so many, and says how many.
pub(crate) fn remove_of_source<C: Collection>(
    batch: &mut Batch,
    source: &SourceName,
    limit: usize,
) -> Result<usize, StoreError> {
    if !C::DEF.importable || limit == 0 {
        return Ok(0);
    }
    let mut keys = Vec::new();
    let mut rows = batch.raw_prefix(C::DEF.table, RowSpace::of_source(source).prefix(), Direction::Forward)?;
    while keys.len() < limit
        && let Some((row_key, _)) = rows.next_view()?
    {
        keys.push((decode_key::<C>(&row_key)?, row_key.to_vec()));
    }
    drop(rows);
    for (key, row_key) in &keys {
        if !batch.remove_imported::<C>(source, key)? {
            return Err(StoreError::damaged_row(C::DEF.table, row_key, "is not how this key is written"));
        }
    }
    Ok(keys.len())
}

fn has_rows(batch: &Batch, source: &SourceName) -> Result<bool, StoreError> {
    let space = RowSpace::of_source(source);
    for def in COLLECTIONS.iter().filter(|def| def.importable) {
        if batch.raw_first_key(def.table, space.prefix())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What there is of a source without rows, at most one entry more than a step removes: the last range of each sharded
/// collection, and what damage has left elsewhere.
fn rest_of(batch: &mut Batch, source: &SourceName) -> Result<Vec<(TableId, Vec<u8>)>, StoreError> {
    // It may be one of the source, and would be written after this.
    batch.close_shard()?;
    let space = RowSpace::of_source(source);
    let mut places = Vec::new();
    for def in COLLECTIONS.iter().filter(|def| def.importable) {
        places.extend(def.indexes.iter().map(|(index, _)| (*index, space.prefix().to_vec())));
        places.push((TableId::ShardRanges, range_key(def, space.prefix())));
        places.push((TableId::ImportIds, id_key(def, space.prefix())));
    }
    places.push((TableId::ImportSources, source_key(source)));
    let mut rest = Vec::new();
    for (table, prefix) in places {
        let mut entries = batch.raw_prefix(table, &prefix, Direction::Forward)?;
        while rest.len() <= MAX_REMOVED_ROWS
            && let Some((key, _)) = entries.next_view()?
        {
            rest.push((table, key.to_vec()));
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ChunkKey, Chunks, ChunksByCiphertextSha256, DocumentId, Findings, Imported, Index, Meta, Options, Payouts,
        SessionKey, Sessions, Store, TaskProofKey, TaskProofType, TaskProofs, import_sources,
        samples::{Sample, address, hash, session},
    };
    use std::collections::BTreeMap;

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    fn source(name: &str) -> SourceName {
        name.parse().unwrap()
    }

    fn chunk(idx: u32) -> ChunkKey {
        ChunkKey { session_id: session((idx % 3) as u8), idx, account: address(0) }
    }

    /// Documents of every collection, more chunks than one range holds.
    fn import(store: &Store, name: &str) {
        let (source, known_by) = (source(name), Some(DocumentId::of(b"an ObjectId")));
        let mut batch = store.begin().unwrap();
        for idx in 0..230 {
            batch.import::<Chunks>(&source, &chunk(idx), &Sample::sample(), known_by).unwrap();
        }
        for n in 0..40u8 {
            let key = SessionKey { session_id: session(n + 1), account: address(1) };
            batch.import::<Sessions>(&source, &key, &Sample::sample(), None).unwrap();
            batch.import::<Payouts>(&source, &n.to_string(), &Sample::sample(), known_by).unwrap();
            let key = TaskProofKey { slot: n.into(), node_id: address(n), kind: TaskProofType::UptimeBeacon };
            batch.import::<TaskProofs>(&source, &key, &Sample::sample(), None).unwrap();
        }
        store.commit(batch).unwrap();
    }

    const DOCUMENTS: u64 = 230 + 3 * 40;

    /// A store with own rows and those of a source.
    fn filled() -> (tempfile::TempDir, Store) {
        let (folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        (0..150).for_each(|idx| batch.put::<Chunks>(&chunk(idx), &Sample::sample()).unwrap());
        store.commit(batch).unwrap();
        import(&store, "a.b");
        (folder, store)
    }

    type Contents = BTreeMap<(TableId, Vec<u8>), Vec<u8>>;

    /// Everything but what the store says of itself.
    fn contents(store: &Store) -> Contents {
        let snapshot = store.snapshot().unwrap();
        let tables = TableId::ALL.into_iter().filter(|table| *table != TableId::Meta);
        let entries = |table| snapshot.raw_prefix(table, &[], Direction::Forward).unwrap().map(Result::unwrap);
        tables.flat_map(|table| entries(table).map(move |(key, value)| ((table, key), value))).collect()
    }

    fn is_sound(store: &Store) {
        let mut findings = Findings::default();
        store.snapshot().unwrap().check_rows(&mut findings, &mut |_| Ok(())).unwrap();
        assert!(findings.is_empty(), "{:?}", findings.listed);
    }

    fn step(store: &Store, name: &str) -> Option<RemovalStep> {
        let mut batch = store.begin().unwrap();
        let step = batch.remove_source(&source(name)).unwrap();
        store.commit(batch).unwrap();
        step
    }

    /// Removes a source and says how many documents that were.
    fn remove(store: &Store, name: &str) -> u64 {
        let mut removed = 0;
        loop {
            let step = step(store, name).unwrap();
            removed += step.documents.iter().map(|(_, documents)| documents).sum::<u64>();
            if !step.more {
                return removed;
            }
        }
    }

    #[test]
    fn nothing_of_a_source_is_left_and_nothing_of_others_is_gone() {
        let (_folder, store) = filled();
        let before = contents(&store);
        for name in ["a", "z"] {
            import(&store, name);
            assert_eq!(remove(&store, name), DOCUMENTS);
            assert!(contents(&store) == before);
            is_sound(&store);
            assert_eq!(step(&store, name), None, "there is no such source any more");
        }
        // Its name is as good as new, and so are the keys of its documents.
        let mut batch = store.begin().unwrap();
        let again = batch.import::<Chunks>(&source("a"), &chunk(0), &Sample::sample(), None).unwrap();
        assert_eq!(again, Imported::Added);
    }

    #[test]
    fn each_step_is_small_and_leaves_a_sound_store_in_which_the_rest_is_listed() {
        let (_folder, store) = filled();
        let before = contents(&store);
        import(&store, "a");
        let mut left = DOCUMENTS;
        loop {
            let step = step(&store, "a").unwrap();
            let removed: u64 = step.documents.iter().map(|(_, documents)| documents).sum();
            assert!(removed > 0 && removed <= MAX_REMOVED_ROWS as u64, "{step:?}");
            left -= removed;
            is_sound(&store);
            let sources = import_sources(&store.snapshot().unwrap()).unwrap();
            let listed = sources.iter().find(|of| of.name == source("a"));
            assert_eq!(listed.map_or(0, |of| of.documents.iter().map(|(_, documents)| documents).sum()), left);
            assert_eq!(step.more, left > 0);
            if !step.more {
                break;
            }
        }
        assert!(contents(&store) == before, "nothing is left after the last row, not even where it filled its step");
    }

    #[test]
    fn what_damage_left_under_the_name_goes_too() {
        let (_folder, store) = filled();
        let before = contents(&store);
        import(&store, "a");
        let space = RowSpace::of_source(&source("a"));
        let mut batch = store.begin().unwrap();
        for n in 0..120u8 {
            batch.raw_put(ChunksByCiphertextSha256::TABLE, [space.prefix(), &[n, 3]].concat(), []);
            batch.raw_put(TableId::ImportIds, id_key(&Payouts::DEF, &[space.prefix(), &[n, 9]].concat()), [1; 16]);
        }
        let (sources, _) = batch
            .raw_prefix(TableId::ImportSources, &source_key(&source("a")), Direction::Forward)
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        batch.raw_put(TableId::ImportSources, sources, 5u64.to_be_bytes());
        store.commit(batch).unwrap();
        assert_eq!(remove(&store, "a"), DOCUMENTS);
        assert!(contents(&store) == before);
        is_sound(&store);
    }
}
