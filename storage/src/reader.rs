//! How the store is read: the same from a snapshot and from an open batch, which sees its own writes.

use crate::{
    changed::ChangedRows,
    codec::{self, Stored},
    collection::{Collection, Index},
    error::StoreError,
    key::{KeyError, KeyPrefix, StoreKey, successor},
    range::{Direction, RawRange, View},
    space::{RowSpace, RowsOf, split_prefix},
    tables::TableId,
};
use std::{marker::PhantomData, ops::Bound};

/// Reads of collections and tables.
///
/// Typed reads see the rows of one space, which of a snapshot and of a batch are the own ones; [`Reader::rows_of`] sees
/// those of another one.
///
/// `&dyn Reader` is a `Reader` too: `(&reader).get::<C>(key)` reads typed rows through one.
pub trait Reader {
    /// The value under `key` in `table`, where it lies.
    fn view(&self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError>;

    /// Entries of `table` within the bounds; none where the lower bound is above the upper one.
    fn raw_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<RawRange<'_>, StoreError>;

    /// Whose rows typed reads see.
    fn space(&self) -> &RowSpace {
        RowSpace::own()
    }

    /// The rows of another space.
    fn rows_of(&self, space: &RowSpace) -> RowsOf<'_, Self>
    where
        Self: Sized,
    {
        RowsOf::new(self, space.clone())
    }

    /// Entries of `table`, of all spaces, where that is known without a walk.
    fn table_len(&self, _table: TableId) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    /// A copy of the value under `key` in `table`.
    fn raw_get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.view(table, key)?.map(|value| value.to_vec()))
    }

    /// Entries of `table` whose keys begin with `prefix`.
    fn raw_prefix(&self, table: TableId, prefix: &[u8], direction: Direction) -> Result<RawRange<'_>, StoreError> {
        let end = successor(prefix);
        let upper = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.raw_range(table, Bound::Included(prefix), upper, direction)
    }

    /// The first key of `table` that begins with `prefix`.
    fn raw_first_key(&self, table: TableId, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.raw_prefix(table, prefix, Direction::Forward)?.next_view()?.map(|(key, _)| key.to_vec()))
    }

    /// The row under `key`, with what its envelope says.
    fn get_stored<C: Collection>(&self, key: &C::Key) -> Result<Option<Stored<C::Record>>, StoreError>
    where
        Self: Sized,
    {
        self.view(C::DEF.table, &self.space().key(key))?.map(|value| decode_row::<C>(&value)).transpose()
    }

    /// The row under `key`.
    fn get<C: Collection>(&self, key: &C::Key) -> Result<Option<C::Record>, StoreError>
    where
        Self: Sized,
    {
        Ok(self.get_stored::<C>(key)?.map(|stored| stored.record))
    }

    /// Whether there is a row under `key`.
    fn contains<C: Collection>(&self, key: &C::Key) -> Result<bool, StoreError>
    where
        Self: Sized,
    {
        Ok(self.view(C::DEF.table, &self.space().key(key))?.is_some())
    }

    /// Rows with keys within the bounds.
    fn range<C: Collection>(
        &self,
        from: Bound<&C::Key>,
        to: Bound<&C::Key>,
        direction: Direction,
    ) -> Result<Rows<'_, C>, StoreError>
    where
        Self: Sized,
    {
        let (lower, upper) = self.space().bounds(from, to);
        let entries = self.raw_range(C::DEF.table, as_slice(&lower), as_slice(&upper), direction)?;
        Ok(Rows { entries, collection: PhantomData })
    }

    /// Rows whose keys begin with `prefix`: one scan.
    fn range_prefix<C: Collection>(
        &self,
        prefix: &impl KeyPrefix<C::Key>,
        direction: Direction,
    ) -> Result<Rows<'_, C>, StoreError>
    where
        Self: Sized,
    {
        let entries = self.raw_prefix(C::DEF.table, &self.space().key(prefix), direction)?;
        Ok(Rows { entries, collection: PhantomData })
    }

    /// Rows that batches after `sequence` wrote, each with what its envelope says, in order of sequence and then of key.
    /// Rows that are gone are not among them.
    ///
    /// Only for collections with a table from sequence to key. Of those that are [appended](crate::WriteOrder::Appended)
    /// what is new is a range of keys.
    fn changed_since<C: Collection>(&self, sequence: u64) -> Result<ChangedRows<'_, Self, C>, StoreError>
    where
        Self: Sized,
    {
        ChangedRows::new(self, sequence)
    }

    /// Keys of the rows that the index `I` has under `prefix`, which is an index key or its first part. They come
    /// in order of index key and then of row key.
    fn keys_by_index<I: Index>(
        &self,
        prefix: &impl KeyPrefix<I::Key>,
        direction: Direction,
    ) -> Result<IndexKeys<'_, I>, StoreError>
    where
        Self: Sized,
    {
        let entries = self.raw_prefix(I::TABLE, &self.space().key(prefix), direction)?;
        Ok(IndexKeys { entries, index: PhantomData })
    }

    /// Keys of the rows that the index `I` has under keys within the bounds.
    fn keys_by_index_range<I: Index>(
        &self,
        from: Bound<&I::Key>,
        to: Bound<&I::Key>,
        direction: Direction,
    ) -> Result<IndexKeys<'_, I>, StoreError>
    where
        Self: Sized,
    {
        let (lower, upper) = self.space().bounds(from, to);
        let entries = self.raw_range(I::TABLE, as_slice(&lower), as_slice(&upper), direction)?;
        Ok(IndexKeys { entries, index: PhantomData })
    }

    /// Rows that the index `I` has under `prefix`, as [`Reader::keys_by_index`].
    fn by_index<I: Index>(
        &self,
        prefix: &impl KeyPrefix<I::Key>,
        direction: Direction,
    ) -> Result<IndexRows<'_, Self, I>, StoreError>
    where
        Self: Sized,
    {
        Ok(IndexRows { keys: self.keys_by_index::<I>(prefix, direction)?, reader: self })
    }

    /// Rows that the index `I` has under keys within the bounds.
    fn by_index_range<I: Index>(
        &self,
        from: Bound<&I::Key>,
        to: Bound<&I::Key>,
        direction: Direction,
    ) -> Result<IndexRows<'_, Self, I>, StoreError>
    where
        Self: Sized,
    {
        Ok(IndexRows { keys: self.keys_by_index_range::<I>(from, to, direction)?, reader: self })
    }

    /// The first row that the index `I` has under `key`: the row, where the index key is unique.
    fn first_by_index<I: Index>(&self, key: &I::Key) -> Result<Option<Row<I::Collection>>, StoreError>
    where
        Self: Sized,
    {
        let Some(entry) = self.raw_first_key(I::TABLE, &self.space().key(key))? else { return Ok(None) };
        row_of_entry::<I>(self, decode_entry::<I>(&entry)?.1).map(Some)
    }
}

impl<R: Reader + ?Sized> Reader for &R {
    fn view(&self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError> {
        (**self).view(table, key)
    }

    fn raw_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<RawRange<'_>, StoreError> {
        (**self).raw_range(table, lower, upper, direction)
    }

    fn raw_first_key(&self, table: TableId, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).raw_first_key(table, prefix)
    }

    fn space(&self) -> &RowSpace {
        (**self).space()
    }

    fn table_len(&self, table: TableId) -> Result<Option<u64>, StoreError> {
        (**self).table_len(table)
    }
}

/// A row: key and record.
pub type Row<C> = (<C as Collection>::Key, <C as Collection>::Record);

/// Rows of a collection, read as they are asked for.
pub struct Rows<'a, C> {
    entries: RawRange<'a>,
    collection: PhantomData<C>,
}

impl<C: Collection> Iterator for Rows<'_, C> {
    type Item = Result<Row<C>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.entries.next_view().transpose()?;
        Some(next.and_then(|(key, value)| Ok((decode_key::<C>(&key)?, decode_row::<C>(&value)?.record))))
    }
}

/// Index keys with the keys of their rows, read as they are asked for.
pub struct IndexKeys<'a, I> {
    entries: RawRange<'a>,
    index: PhantomData<I>,
}

impl<I: Index> Iterator for IndexKeys<'_, I> {
    type Item = Result<(I::Key, <I::Collection as Collection>::Key), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.entries.next_view().transpose()?;
        Some(next.and_then(|(entry, _)| decode_entry::<I>(&entry)))
    }
}

/// The index key and the row's key of an entry.
fn decode_entry<I: Index>(entry: &[u8]) -> Result<(I::Key, <I::Collection as Collection>::Key), StoreError> {
    key_of(entry).map_err(|source| StoreError::Key { table: I::TABLE.name(), source })
}

/// The row that an entry of an index leads to.
fn row_of_entry<I: Index>(
    reader: &impl Reader,
    key: <I::Collection as Collection>::Key,
) -> Result<Row<I::Collection>, StoreError> {
    match reader.get::<I::Collection>(&key)? {
        Some(record) => Ok((key, record)),
        None => Err(StoreError::DanglingEntry { index: I::TABLE.name() }),
    }
}

/// Rows found through an index, read as they are asked for.
pub struct IndexRows<'a, R, I> {
    keys: IndexKeys<'a, I>,
    reader: &'a R,
}

impl<R: Reader, I: Index> Iterator for IndexRows<'_, R, I> {
    type Item = Result<Row<I::Collection>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.keys.next()?;
        Some(next.and_then(|(_, key)| row_of_entry::<I>(self.reader, key)))
    }
}

pub(crate) fn decode_row<C: Collection>(value: &[u8]) -> Result<Stored<C::Record>, StoreError> {
    codec::decode(value).map_err(|source| StoreError::Record { collection: C::DEF.name, source })
}

pub(crate) fn decode_key<C: Collection>(key: &[u8]) -> Result<C::Key, StoreError> {
    key_of(key).map_err(|source| StoreError::Key { table: C::DEF.name, source })
}

/// The key behind the prefix that says whose it is.
fn key_of<K: StoreKey>(key: &[u8]) -> Result<K, KeyError> {
    let (_, key) = split_prefix(key).ok_or(KeyError::Value("space of rows"))?;
    K::from_key_bytes(key)
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}
