//! Rows of other databases. They lie in a space of their own for each source, carry the origin `import`, and are written
//! through here alone.

use crate::{
    batch::{Batch, Written},
    codec::Origin,
    collection::{Collection, CollectionDef},
    error::StoreError,
    key::StoreKey,
    query::QueryError,
    range::Direction,
    reader::Reader,
    space::{MAX_SOURCE_NAME_BYTES, OWN_ROWS, RowSpace, SourceName, split_prefix},
    tables::{COLLECTIONS, TableId},
};
use std::iter;

/// Most sources of one store: a list of them, and a sum over them, is short.
pub const MAX_SOURCES: usize = 64;

/// What tells one document of a source from another one that would have the same key: the first bytes of BLAKE3 of what
/// the source knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentId(pub [u8; 16]);

impl DocumentId {
    /// That of a document which the source knows by these bytes.
    pub fn of(known_by: &[u8]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&lucid_types::blake3([known_by])[..16]);
        Self(id)
    }
}

/// What became of a document that was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// It is new.
    Added,
    /// It was there, otherwise.
    Changed,
    /// It was there as it is, and nothing is written.
    Unchanged,
    /// Another document of the source has its key, and that one stays.
    KeyTaken,
}

/// A source, with the documents that there are of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSource {
    /// Its name.
    pub name: SourceName,
    /// Its documents in each collection, without collections that it has none in.
    pub documents: Vec<(&'static str, u64)>,
}

impl Batch {
    /// Takes a document of a source in, under its key. `known_by` is nothing where the source knows it by the text of its
    /// key: a key that another document of the source has is not taken from it.
    ///
    /// # Errors
    ///
    /// The store has rows of as many sources as it may have; it cannot be read.
    pub fn import<C: Collection>(
        &mut self,
        source: &SourceName,
        key: &C::Key,
        record: &C::Record,
        known_by: Option<DocumentId>,
    ) -> Result<Imported, StoreError> {
        const { assert!(C::DEF.importable, "its rows come from nowhere else") };
        let row_key = RowSpace::of_source(source).key(key);
        let id_key = id_key(&C::DEF, &row_key);
        let known_by = known_by.map(|id| id.0.to_vec());
        if self.view(C::DEF.table, &row_key)?.is_some() && self.raw_get(TableId::ImportIds, &id_key)? != known_by {
            return Ok(Imported::KeyTaken);
        }
        Ok(match self.put_row::<C>(row_key, Origin::Import, key, record)? {
            Written::Added => {
                if let Some(known_by) = known_by {
                    self.raw_put(TableId::ImportIds, id_key, known_by);
                }
                let documents = self.check_sources(source)?.documents_of(source, &C::DEF)?;
                self.put_documents(source, &C::DEF, documents.saturating_add(1));
                Imported::Added
            }
            Written::Changed => Imported::Changed,
            Written::Unchanged => Imported::Unchanged,
        })
    }

    /// Removes a document of a source and says whether there was one.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn remove_imported<C: Collection>(&mut self, source: &SourceName, key: &C::Key) -> Result<bool, StoreError> {
        let row_key = RowSpace::of_source(source).key(key);
        let id_key = id_key(&C::DEF, &row_key);
        let removed = self.remove_row::<C>(row_key, key)?;
        if removed {
            self.raw_remove(TableId::ImportIds, id_key);
            let documents = self.documents_of(source, &C::DEF)?;
            // Less than none is what damage would give, and `db verify` finds it.
            self.put_documents(source, &C::DEF, documents.saturating_sub(1));
        }
        Ok(removed)
    }

    fn put_documents(&mut self, source: &SourceName, def: &CollectionDef, documents: u64) {
        match documents {
            0 => self.raw_remove(TableId::ImportSources, documents_key(source, def)),
            documents => self.raw_put(TableId::ImportSources, documents_key(source, def), documents.to_be_bytes()),
        }
    }

    /// That a document of this source has room among the sources.
    fn check_sources(&self, source: &SourceName) -> Result<&Self, StoreError> {
        let is_known = self.raw_first_key(TableId::ImportSources, &source_key(source))?.is_some();
        match is_known || import_sources(self)?.len() < MAX_SOURCES {
            true => Ok(self),
            false => Err(StoreError::TooManySources),
        }
    }

    fn documents_of(&self, source: &SourceName, def: &CollectionDef) -> Result<u64, StoreError> {
        let key = documents_key(source, def);
        self.view(TableId::ImportSources, &key)?.map_or(Ok(0), |value| read_documents(&key, &value))
    }
}

/// Key of what is remembered of a document's id.
pub(crate) fn id_key(def: &CollectionDef, row_key: &[u8]) -> Vec<u8> {
    let mut key = def.name.to_owned().to_key_bytes();
    key.extend_from_slice(row_key);
    key
}

/// First part of the keys under which it is noted how many documents there are of a source.
pub(crate) fn source_key(source: &SourceName) -> Vec<u8> {
    source.as_str().to_owned().to_key_bytes()
}

/// The collection and the key of the imported row of which this is the key of an id; `None` where it is that of none.
pub(crate) fn row_of_id(key: &[u8]) -> Option<(&'static CollectionDef, &[u8])> {
    let importable = COLLECTIONS.iter().filter(|def| def.importable);
    let mut found = importable.filter_map(|def| Some((def, key.strip_prefix(&id_key(def, &[])[..])?)));
    found.next().filter(|(_, row_key)| split_prefix(row_key).is_some() && row_key.first() != Some(&OWN_ROWS))
}

/// The source and the collection of which it is noted under this key how many documents there are; `None` where it is the
/// key of no such note.
pub(crate) fn read_source_key(key: &[u8]) -> Option<(SourceName, &'static CollectionDef)> {
    let (name, collection) = <(String, String)>::from_key_bytes(key).ok()?;
    let collection = COLLECTIONS.iter().find(|def| def.name == collection && def.importable)?;
    Some((name.parse().ok()?, collection))
}

/// Key under which it is noted how many documents of a source a collection has.
pub(crate) fn documents_key(source: &SourceName, def: &CollectionDef) -> Vec<u8> {
    (source.as_str().to_owned(), def.name.to_owned()).to_key_bytes()
}

/// How many documents there are, as it is noted under a key.
pub(crate) fn read_documents(key: &[u8], value: &[u8]) -> Result<u64, StoreError> {
    let documents =
        value.try_into().map_err(|_| StoreError::damaged_row(TableId::ImportSources, key, "not 8 bytes"))?;
    Ok(u64::from_be_bytes(documents))
}

/// The sources that there are rows of, by name.
///
/// # Errors
///
/// The store cannot be read.
pub fn import_sources<R: Reader + ?Sized>(reader: &R) -> Result<Vec<ImportSource>, StoreError> {
    let mut sources: Vec<ImportSource> = Vec::new();
    let mut entries = reader.raw_prefix(TableId::ImportSources, &[], Direction::Forward)?;
    while let Some((key, value)) = entries.next_view()? {
        let fault =
            || StoreError::damaged_row(TableId::ImportSources, &key, "it is of no source, or no such collection");
        let (name, collection) = read_source_key(&key).ok_or_else(fault)?;
        let documents = (collection.name, read_documents(&key, &value)?);
        match sources.last_mut().filter(|source| source.name == name) {
            Some(source) => source.documents.push(documents),
            None => sources.push(ImportSource { name, documents: vec![documents] }),
        }
    }
    Ok(sources)
}

/// How many documents a collection has of these sources.
pub fn documents_of_sources(sources: &[ImportSource], def: &CollectionDef) -> u64 {
    let of_sources = sources.iter().flat_map(|source| &source.documents).filter(|(name, _)| *name == def.name);
    // More than can be is what damage would give, and `db verify` finds it.
    of_sources.fold(0, |sum, (_, documents)| sum.saturating_add(*documents))
}

/// The rows of the source of this name; without a name the own ones.
///
/// # Errors
///
/// There is no such source; the store cannot be read.
pub fn space_of<R: Reader + ?Sized>(reader: &R, source: Option<&str>) -> Result<RowSpace, QueryError> {
    let Some(name) = source else { return Ok(RowSpace::own().clone()) };
    let sources = import_sources(reader)?;
    match sources.iter().find(|source| source.name.as_str() == name) {
        Some(source) => Ok(RowSpace::of_source(&source.name)),
        None => Err(unknown(name, sources)),
    }
}

/// That there is no source of this name, with those that there are.
///
/// # Errors
///
/// The store cannot be read.
pub fn unknown_source<R: Reader + ?Sized>(reader: &R, name: &str) -> Result<QueryError, StoreError> {
    Ok(unknown(name, import_sources(reader)?))
}

fn unknown(name: &str, sources: Vec<ImportSource>) -> QueryError {
    QueryError::UnknownSource {
        name: name.chars().take(MAX_SOURCE_NAME_BYTES).collect(),
        sources: sources.into_iter().map(|source| source.name.to_string()).collect(),
    }
}

/// Whether an own row, or one of an earlier source of these, has the key of an imported row: an export, in which each
/// document is there once, then has that one.
///
/// # Errors
///
/// The store cannot be read.
pub fn is_shadowed<R: Reader + ?Sized>(
    reader: &R,
    def: &CollectionDef,
    sources: &[ImportSource],
    row_key: &[u8],
) -> Result<bool, StoreError> {
    let Some((prefix, key)) = split_prefix(row_key) else { return Ok(false) };
    let earlier = sources.iter().map(|source| RowSpace::of_source(&source.name));
    for space in iter::once(RowSpace::own().clone()).chain(earlier) {
        if space.prefix() >= prefix {
            break;
        }
        if reader.view(def.table, &[space.prefix(), key].concat())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many rows of the reader's space a collection has, without a walk over them; `None` where that is not known.
///
/// # Errors
///
/// The store cannot be read.
pub fn row_count<R: Reader + ?Sized>(reader: &R, def: &CollectionDef) -> Result<Option<u64>, StoreError> {
    let mut sources = if def.importable { import_sources(reader)? } else { Vec::new() };
    match reader.space().source() {
        Some(name) => {
            sources.retain(|source| source.name.as_str() == name);
            Ok(Some(documents_of_sources(&sources, def)))
        }
        None => {
            let imported = documents_of_sources(&sources, def);
            Ok(reader.table_len(def.table)?.map(|all| all.saturating_sub(imported)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ChunkKey, ChunkRecord, Chunks, ChunksByCiphertextSha256, Findings, MAX_SHARD_DOCUMENTS, Meta, Options, Payouts,
        Snapshot, Store, WriteOrder, export_page,
        query::{FindOptions, count, find, schema_of},
        row_page,
        samples::{Sample, address, hash, session},
        shard_ranges,
    };
    use proptest::prelude::*;
    use serde_json::json;
    use std::{collections::BTreeMap, ops::Bound::Unbounded};

    fn new_store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        (folder, store)
    }

    fn source(name: &str) -> SourceName {
        name.parse().unwrap()
    }

    fn key(id: u8, idx: u32) -> ChunkKey {
        ChunkKey { session_id: session(id), idx, account: address(0) }
    }

    fn record(byte: u8) -> ChunkRecord {
        ChunkRecord { ciphertext_sha256: hash(byte), size_bytes: byte.into(), ..Sample::sample() }
    }

    /// Rows with the sequences of their batches.
    type Rows = BTreeMap<ChunkKey, (ChunkRecord, u64)>;

    /// By source; the first are the own ones.
    type Model = [Rows; 3];

    const SOURCES: [Option<&str>; 3] = [None, Some("a"), Some("a.b")];

    fn space(place: usize) -> RowSpace {
        SOURCES[place].map_or_else(|| RowSpace::own().clone(), |name| RowSpace::of_source(&source(name)))
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(usize, u8, u32, u8),
        /// So many rows one after the other.
        Run(usize, u8, u32, u32),
        Remove(usize, u8, u32),
        Commit,
        Drop,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (place, id, idx) = (0usize..3, 1u8..4, 0u32..6);
        prop_oneof![
            6 => (place.clone(), id.clone(), idx.clone(), 0u8..3).prop_map(|(p, s, i, n)| Step::Put(p, s, i, n)),
            1 => (place.clone(), id.clone(), 0u32..100, 60u32..150).prop_map(|(p, s, i, n)| Step::Run(p, s, i, n)),
            3 => (place, id, idx).prop_map(|(p, s, i)| Step::Remove(p, s, i)),
            2 => Just(Step::Commit),
            1 => Just(Step::Drop),
        ]
    }

    fn put(batch: &mut Batch, model: &mut Model, place: usize, key: ChunkKey, record: ChunkRecord) {
        let old = model[place].get(&key).map(|(old, _)| old);
        let expected = match old {
            None => Imported::Added,
            Some(old) if *old == record => Imported::Unchanged,
            Some(_) => Imported::Changed,
        };
        match SOURCES[place] {
            None => batch.put::<Chunks>(&key, &record).unwrap(),
            Some(name) => {
                assert_eq!(batch.import::<Chunks>(&source(name), &key, &record, None).unwrap(), expected);
            }
        }
        if expected != Imported::Unchanged {
            model[place].insert(key, (record, batch.sequence()));
        }
    }

    fn remove(batch: &mut Batch, model: &mut Model, place: usize, key: &ChunkKey) {
        let removed = match SOURCES[place] {
            None => batch.remove::<Chunks>(key).unwrap(),
            Some(name) => batch.remove_imported::<Chunks>(&source(name), key).unwrap(),
        };
        assert_eq!(removed, model[place].remove(key).is_some());
    }

    /// Each space has exactly its rows, by whatever way they are read.
    fn holds(snapshot: &Snapshot, model: &Model) -> Result<(), TestCaseError> {
        for (place, wanted) in model.iter().enumerate() {
            let space = space(place);
            let rows = snapshot.rows_of(&space);
            let records: BTreeMap<_, _> = wanted.iter().map(|(key, (record, _))| (*key, record.clone())).collect();
            let all = rows.range::<Chunks>(Unbounded, Unbounded, Direction::Forward).unwrap();
            prop_assert_eq!(&all.map(Result::unwrap).collect::<BTreeMap<_, _>>(), &records);
            for id in 1..4 {
                let one = rows.range_prefix::<Chunks>(&session(id), Direction::Reverse).unwrap().map(Result::unwrap);
                let of_session = records.iter().rev().filter(|(key, _)| key.session_id == session(id));
                prop_assert!(one.eq(of_session.map(|(key, record)| (*key, record.clone()))));
            }
            for byte in 0..3 {
                let found = rows.by_index::<ChunksByCiphertextSha256>(&hash(byte), Direction::Forward).unwrap();
                let with_hash = records.iter().filter(|(_, record)| record.ciphertext_sha256 == hash(byte));
                prop_assert!(found.map(Result::unwrap).eq(with_hash.map(|(key, record)| (*key, record.clone()))));
            }
            for (key, (record, sequence)) in wanted {
                let stored = rows.get_stored::<Chunks>(key).unwrap().unwrap();
                let origin = if place == 0 { Chunks::DEF.origin } else { Origin::Import };
                prop_assert_eq!((stored.record, stored.sequence, stored.origin), (record.clone(), *sequence, origin));
            }
            for since in [0, 1, 3] {
                let mut changed: Vec<_> = wanted.iter().filter(|(_, (_, of))| *of > since).collect();
                changed.sort_by_key(|(key, (_, of))| (*of, **key));
                let found = rows.changed_since::<Chunks>(since).unwrap().map(Result::unwrap);
                prop_assert!(
                    found.map(|(key, row)| (key, row.sequence)).eq(changed.iter().map(|(k, (_, of))| (**k, *of)))
                );
            }
            let page = row_page(&rows, schema_of("chunks").unwrap(), None).unwrap();
            prop_assert_eq!(page.rows.len(), wanted.len());
            prop_assert_eq!(row_count(&rows, &Chunks::DEF).unwrap(), Some(wanted.len() as u64));
            prop_assert_eq!(count(&rows, "chunks", &json!({})).unwrap(), wanted.len() as u64);
            let by_hash = count(&rows, "chunks", &json!({ "ciphertext_sha256": hash(1) })).unwrap();
            prop_assert_eq!(
                by_hash,
                records.values().filter(|record| record.ciphertext_sha256 == hash(1)).count() as u64
            );
            let options = FindOptions { limit: Some(1_000), ..FindOptions::default() };
            let found = find(&rows, "chunks", &json!({ "session_id": session(2) }), &options).unwrap();
            prop_assert_eq!(found.documents.len(), records.keys().filter(|key| key.session_id == session(2)).count());
            let ranges = shard_ranges(&rows, &Chunks::DEF).unwrap();
            prop_assert_eq!(ranges.iter().map(|range| range.documents).sum::<u64>(), wanted.len() as u64);
            prop_assert!(ranges.iter().all(|range| range.documents <= MAX_SHARD_DOCUMENTS));
            prop_assert!(ranges.iter().all(|range| range.start.starts_with(space.prefix())));
        }
        let wanted = (1..3).filter(|place| !model[*place].is_empty()).map(|place| ImportSource {
            name: source(SOURCES[place].unwrap()),
            documents: vec![("chunks", model[place].len() as u64)],
        });
        prop_assert_eq!(import_sources(snapshot).unwrap(), wanted.collect::<Vec<_>>());
        let mut findings = Findings::default();
        snapshot.check_rows(&mut findings, &mut |_| Ok(())).unwrap();
        prop_assert_eq!(findings.listed, []);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn own_rows_and_those_of_each_source_never_meet(steps in prop::collection::vec(step(), 1..40)) {
            let (_folder, store) = new_store();
            let (mut model, mut committed) = (Model::default(), Model::default());
            let mut batch = store.begin().unwrap();
            for step in steps {
                match step {
                    Step::Put(place, id, idx, byte) => put(&mut batch, &mut model, place, key(id, idx), record(byte)),
                    Step::Run(place, id, idx, rows) => {
                        (idx..idx + rows).for_each(|idx| put(&mut batch, &mut model, place, key(id, idx), record(9)));
                    }
                    Step::Remove(place, id, idx) => remove(&mut batch, &mut model, place, &key(id, idx)),
                    Step::Commit => {
                        store.commit(batch).unwrap();
                        committed = model.clone();
                        holds(&store.snapshot().unwrap(), &committed)?;
                        batch = store.begin().unwrap();
                    }
                    Step::Drop => {
                        batch = store.begin().unwrap();
                        model = committed.clone();
                    }
                }
            }
            store.commit(batch).unwrap();
            holds(&store.snapshot().unwrap(), &model)?;
        }
    }

    #[test]
    fn only_what_is_imported_has_a_way_from_sequence_to_key() {
        let importable: Vec<_> = COLLECTIONS.iter().filter(|def| def.importable).map(|def| def.name).collect();
        assert_eq!(importable, ["sessions", "chunks", "task_proofs", "payouts"]);
        assert!(COLLECTIONS.iter().all(|def| !def.importable || def.order == WriteOrder::Any));
    }

    #[test]
    fn what_is_imported_twice_is_written_once() {
        let (_folder, store) = new_store();
        for expected in [Imported::Added, Imported::Unchanged] {
            let mut batch = store.begin().unwrap();
            for (id, known_by) in [("one", None), ("two", Some(DocumentId::of(b"an ObjectId")))] {
                let imported = batch.import::<Payouts>(&source("a"), &id.to_owned(), &Sample::sample(), known_by);
                assert_eq!(imported.unwrap(), expected);
            }
            assert_eq!(batch.is_empty(), expected == Imported::Unchanged);
            assert_eq!(store.commit(batch).unwrap().sequence, 1);
        }
    }

    #[test]
    fn a_key_stays_that_of_the_document_which_came_first() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        let mut import = |of: &str, byte, known_by| {
            batch.import::<Chunks>(&source(of), &key(1, 0), &record(byte), known_by).unwrap()
        };
        assert_eq!(import("a", 1, Some(DocumentId::of(b"x"))), Imported::Added);
        assert_eq!(import("a", 2, Some(DocumentId::of(b"y"))), Imported::KeyTaken);
        assert_eq!(import("a", 2, None), Imported::KeyTaken);
        assert_eq!(import("b", 2, Some(DocumentId::of(b"y"))), Imported::Added, "another source has keys of its own");
        assert_eq!(import("a", 3, Some(DocumentId::of(b"x"))), Imported::Changed);
        assert!(batch.remove_imported::<Chunks>(&source("a"), &key(1, 0)).unwrap());
        let again = batch.import::<Chunks>(&source("a"), &key(1, 0), &record(2), None).unwrap();
        assert_eq!(again, Imported::Added, "its id is forgotten with it");
    }

    #[test]
    fn sources_are_bounded_and_one_that_lost_its_rows_is_none() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        let import = |batch: &mut Batch, n: usize| {
            batch.import::<Chunks>(&source(&format!("s{n}")), &key(1, 0), &record(1), None)
        };
        for n in 0..MAX_SOURCES {
            assert_eq!(import(&mut batch, n).unwrap(), Imported::Added);
        }
        let refused = batch.attempt(|batch| import(batch, MAX_SOURCES));
        assert!(matches!(refused, Err(StoreError::TooManySources)));
        assert!(batch.remove_imported::<Chunks>(&source("s0"), &key(1, 0)).unwrap());
        assert_eq!(import(&mut batch, MAX_SOURCES).unwrap(), Imported::Added);
        store.commit(batch).unwrap();
        let names: Vec<_> = import_sources(&store.snapshot().unwrap()).unwrap().into_iter().map(|of| of.name).collect();
        assert_eq!(names.len(), MAX_SOURCES);
        assert!(!names.contains(&source("s0")));
    }

    #[test]
    fn an_export_has_each_document_once() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        batch.put::<Chunks>(&key(1, 0), &record(0)).unwrap();
        for (name, idx) in [("a", 0), ("a", 1), ("b", 1), ("b", 2), ("b", 0)] {
            batch.import::<Chunks>(&source(name), &key(1, idx), &record(1), None).unwrap();
        }
        store.commit(batch).unwrap();
        let (snapshot, schema) = (store.snapshot().unwrap(), schema_of("chunks").unwrap());
        let page_of = |name: Option<&str>| {
            let page = export_page(&snapshot.rows_of(&space_of(&snapshot, name).unwrap()), schema, None).unwrap();
            let keys = page.rows.iter().map(|(key, _)| crate::reader::decode_key::<Chunks>(key).unwrap().idx);
            (keys.collect::<Vec<_>>(), page.left_out, page.more)
        };
        assert_eq!(page_of(None), (vec![0], 0, false));
        assert_eq!(page_of(Some("a")), (vec![1], 1, false));
        assert_eq!(page_of(Some("b")), (vec![2], 2, false));
        let unknown = space_of(&snapshot, Some("c")).unwrap_err().to_string();
        assert_eq!(unknown, "there is no imported document of the source c; there are a, b");
    }

    #[test]
    fn a_cursor_is_of_the_documents_that_were_asked() {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        for idx in 0..3 {
            batch.put::<Chunks>(&key(1, idx), &record(0)).unwrap();
            batch.import::<Chunks>(&source("a"), &key(1, idx), &record(1), None).unwrap();
        }
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        let imported = snapshot.rows_of(&space(1));
        for filter in [json!({}), json!({ "ciphertext_sha256": { "$gte": hash(0) } })] {
            let mut options = FindOptions { limit: Some(2), ..FindOptions::default() };
            options.cursor = find(&snapshot, "chunks", &filter, &options).unwrap().cursor;
            let refused = find(&imported, "chunks", &filter, &options).unwrap_err();
            assert!(matches!(refused, QueryError::Cursor("chunks")), "{refused}");
            options.cursor =
                find(&imported, "chunks", &filter, &FindOptions { cursor: None, ..options.clone() }).unwrap().cursor;
            let last = find(&imported, "chunks", &filter, &options).unwrap();
            assert_eq!((last.documents.len(), last.cursor), (1, None));
        }
    }

    /// What `db verify` finds after a damage to imported rows.
    fn damaged(damage: impl FnOnce(&mut Batch)) -> Vec<String> {
        let (_folder, store) = new_store();
        let mut batch = store.begin().unwrap();
        for idx in 0..3 {
            batch.import::<Chunks>(&source("a"), &key(1, idx), &record(1), Some(DocumentId::of(&[1]))).unwrap();
        }
        damage(&mut batch);
        store.commit(batch).unwrap();
        let mut findings = Findings::default();
        store.snapshot().unwrap().check_rows(&mut findings, &mut |_| Ok(())).unwrap();
        findings.listed.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn damage_to_imported_rows_is_found() {
        let first = |batch: &Batch, table| batch.raw_first_key(table, &[2]).unwrap().unwrap();
        assert_eq!(damaged(|_| {}), [""; 0]);
        let found = damaged(|batch| {
            let row = first(batch, TableId::Chunks);
            batch.raw_remove(TableId::Chunks, row);
        });
        for table in
            ["chunks.by_ciphertext_sha256", "chunks.by_sequence", "shard_ranges", "import_sources", "import_ids"]
        {
            assert!(found.iter().any(|finding| finding.starts_with(table)), "{table}: {found:?}");
        }
        let elsewhere = damaged(|batch| {
            let row = first(batch, TableId::Chunks);
            let value = batch.raw_get(TableId::Chunks, &row).unwrap().unwrap();
            batch.raw_put(TableId::Chunks, RowSpace::own().key(&key(1, 0)), value);
        });
        assert!(elsewhere.iter().any(|finding| finding.contains("is of origin Import")), "{elsewhere:?}");
        let nowhere = damaged(|batch| batch.raw_put(TableId::Chunks, [2, b'a'], [1]));
        assert!(nowhere.iter().any(|finding| finding.contains("space of rows")), "{nowhere:?}");
        let never = damaged(|batch| {
            let key = RowSpace::of_source(&source("a")).key(&1u64);
            batch.raw_put(TableId::Blocks, key, [1]);
        });
        assert!(never.iter().any(|finding| finding.contains("rows of blocks are not")), "{never:?}");
    }
}
