//! What a collection, an index and a table are. Which ones there are is said on the page `tables.rs`.

use crate::{
    codec::{Origin, Record},
    key::StoreKey,
    space::split_prefix,
    tables::TableId,
};

/// Where the rows of a collection lie in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Each node has all of them.
    Replicated,
    /// They are divided by these leading fields of the key.
    Sharded(&'static [&'static str]),
}

/// How long rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For ever.
    Forever,
    /// As long as the leader window, which is the last use that the chain has for them.
    LeaderWindow,
    /// So many of the newest.
    Newest(u64),
}

/// In which order rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOrder {
    /// Each new row's key is above all others and no row changes, so new rows are a range of keys.
    Appended,
    /// In any order: a table leads from each batch's sequence to the keys that it wrote. A row that is written again or
    /// removed takes its old entry with it.
    Any,
    /// In any order and so often that taking back old entries would cost too much: the table is a journal. What
    /// it notes stays, and is stale where the row was written again or is gone, which readers see from the row.
    Journaled,
    /// There is one row, and its envelope has its sequence.
    SingleRow,
}

/// What there is to know of a collection without its types.
#[derive(Debug, Clone, Copy)]
pub struct CollectionDef {
    /// Its name.
    pub name: &'static str,
    /// Table of its rows.
    pub table: TableId,
    /// Fields of its key, in order.
    pub key_fields: &'static [&'static str],
    /// Table from sequence to key, if it has one (see [`WriteOrder`]).
    pub by_sequence: Option<TableId>,
    /// Its other indexes: table and fields.
    pub indexes: &'static [(TableId, &'static str)],
    /// Where its rows lie.
    pub placement: Placement,
    /// Where its own rows come from.
    pub origin: Origin,
    /// Whether rows of other databases may lie beside them, apart (see [`crate::RowSpace`]).
    pub importable: bool,
    /// How long rows are kept.
    pub retention: Retention,
    /// In which order they are written.
    pub order: WriteOrder,
    /// The one room that writes them.
    pub writer: &'static str,
    /// Version of its record.
    pub version: u8,
}

/// Rows of one kind under one kind of key.
pub trait Collection: Sized + 'static {
    /// Key of a row.
    type Key: StoreKey;
    /// What a row holds.
    type Record: Record;
    /// All else that there is to know.
    const DEF: CollectionDef;
    /// Its indexes; their order is that of [`CollectionDef::indexes`].
    const INDEXES: &'static [IndexEntry<Self>];
}

/// A way to find rows of a collection other than by their key.
///
/// A row has one entry in the index, or none where what is indexed is absent. An entry's key is the index key
/// followed by the row's own key, so many rows may have one index key.
pub trait Index: 'static {
    /// The collection.
    type Collection: Collection;
    /// What the rows are found by.
    type Key: StoreKey;
    /// Table of the entries.
    const TABLE: TableId;

    /// What a row is found by.
    fn key(
        key: &<Self::Collection as Collection>::Key,
        record: &<Self::Collection as Collection>::Record,
    ) -> Option<Self::Key>;
}

/// An index without its type: its table, the function that appends a row's index key and says whether the row has one, and
/// the one that takes an index key off the front of bytes and says whether there is one.
pub struct IndexEntry<C: Collection> {
    pub(crate) table: TableId,
    append: fn(&C::Key, &C::Record, &mut Vec<u8>) -> bool,
    skip: fn(&mut &[u8]) -> bool,
}

impl<C: Collection> IndexEntry<C> {
    pub(crate) const fn of<I: Index<Collection = C>>() -> Self {
        Self {
            table: I::TABLE,
            append: |key, record, out| match I::key(key, record) {
                Some(index_key) => {
                    index_key.encode_into(out);
                    true
                }
                None => false,
            },
            skip: |bytes| I::Key::decode_from(bytes).is_ok(),
        }
    }

    /// Key of the row's entry in the index, if it has one. `row_key` is the row's own key as it lies in its table; the
    /// entry's begins with the same prefix.
    pub(crate) fn entry_key(&self, key: &C::Key, record: &C::Record, row_key: &[u8]) -> Option<Vec<u8>> {
        let (prefix, own_key) = split_prefix(row_key)?;
        let mut out = Vec::with_capacity(row_key.len() + 34);
        out.extend_from_slice(prefix);
        (self.append)(key, record, &mut out).then(|| {
            out.extend_from_slice(own_key);
            out
        })
    }

    /// Key of the row that an entry of the index is of; nothing where it is no entry of the index.
    pub(crate) fn row_key(&self, entry: &[u8]) -> Option<Vec<u8>> {
        let (prefix, mut rest) = split_prefix(entry)?;
        (self.skip)(&mut rest).then(|| [prefix, rest].concat())
    }
}

/// A table that rooms read and write as bytes: not queryable, not exported.
#[derive(Debug, Clone, Copy)]
pub struct InternalDef {
    /// Its name.
    pub name: &'static str,
    /// Its id.
    pub table: TableId,
    /// Layout of its keys.
    pub key: &'static str,
    /// Layout of its values.
    pub value: &'static str,
    /// The one room that writes it.
    pub writer: &'static str,
}
