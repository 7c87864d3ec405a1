//! A walk along one way: rows as values, one after the other, with how much was read for them.

use super::{
    error::QueryError,
    filter::Filter,
    limits::{MAX_EXAMINED_DOCUMENTS, MAX_EXAMINED_KEYS},
    path::FieldPath,
    plan::{KeyRange, Way},
};
use crate::{
    error::StoreError,
    range::{Direction, RawRange},
    reader::Reader,
    schema::{FieldType, Schema, take_key_part},
    space::split_prefix,
};
use lucid_types::Value;
use std::ops::Bound;

/// What was read for a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Examined {
    /// Entries of the table that was walked.
    pub(super) keys: u64,
    /// Documents.
    pub(super) documents: u64,
}

/// A row that a walk meets.
pub(super) struct Met {
    /// Key of the entry that led to it: where the walk stands.
    pub(super) entry: Vec<u8>,
    /// The row's own key.
    pub(super) row_key: Vec<u8>,
    pub(super) values: Vec<Value>,
}

/// An entry, and the row where it lies beside it.
type Entry = (Vec<u8>, Option<Vec<Value>>);

/// A walk along one way.
pub(super) struct Walk<'a> {
    reader: &'a dyn Reader,
    schema: &'a Schema,
    way: &'a Way,
    /// What the index's own fields are; none where the keys themselves are walked.
    index_kinds: Vec<FieldType>,
    /// Ranges that are left, the next one last.
    left: Vec<KeyRange>,
    range: Option<RawRange<'a>>,
    pub(super) examined: Examined,
}

impl<'a> Walk<'a> {
    /// Begins a walk, after the entry where another one ended.
    pub(super) fn new(
        reader: &'a dyn Reader,
        schema: &'a Schema,
        way: &'a Way,
        after: Option<&[u8]>,
    ) -> Result<Self, StoreError> {
        let index_kinds = match way.is_by_key() {
            true => Vec::new(),
            false => {
                way.fields.split('+').filter_map(|name| Some(FieldPath::resolve(schema, name).ok()?.kind)).collect()
            }
        };
        let is_forward = way.direction == Direction::Forward;
        let mut left: Vec<_> = way.ranges.iter().filter_map(|range| rest_of(range, after, is_forward)).collect();
        if is_forward {
            left.reverse();
        }
        Ok(Self { reader, schema, way, index_kinds, left, range: None, examined: Examined::default() })
    }

    /// The next entry.
    fn next_entry(&mut self) -> Result<Option<Entry>, QueryError> {
        loop {
            if self.range.is_none() {
                let Some((from, to)) = self.left.pop() else { return Ok(None) };
                let (from, to) = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
                self.range = Some(self.reader.raw_range(self.way.table, from, to, self.way.direction)?);
            }
            let Some(range) = &mut self.range else { return Ok(None) };
            if let Some((key, value)) = range.next_view()? {
                self.examined.keys += 1;
                if self.way.is_by_key() {
                    return Ok(Some((key.to_vec(), Some(self.schema.values(&key, &value)?))));
                }
                return Ok(Some((key.to_vec(), None)));
            }
            self.range = None;
        }
    }

    /// The next row that is what `filter` asks for; `None` at the end.
    pub(super) fn next_match(&mut self, filter: &Filter) -> Result<Option<Met>, QueryError> {
        while let Some((entry, values)) = self.next_entry()? {
            self.examined.documents += 1;
            if self.examined.documents > MAX_EXAMINED_DOCUMENTS {
                return Err(not_indexed(self.schema, filter));
            }
            let (row_key, values) = match values {
                Some(values) => (entry.clone(), values),
                None => {
                    let row_key = self.row_key(&entry)?;
                    let row = self.reader.view(self.schema.def.table, &row_key)?.ok_or_else(|| self.dangling())?;
                    let values = self.schema.values(&row_key, &row)?;
                    (row_key, values)
                }
            };
            if filter.matches(&values) {
                return Ok(Some(Met { entry, row_key, values }));
            }
        }
        Ok(None)
    }

    /// Counts the entries that are left, without a look at what they lead to.
    pub(super) fn count_entries(&mut self, filter: &Filter) -> Result<u64, QueryError> {
        let mut count = 0;
        for (from, to) in std::mem::take(&mut self.left) {
            let (from, to) = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
            let mut range = self.reader.raw_range(self.way.table, from, to, Direction::Forward)?;
            while range.next_view()?.is_some() {
                count += 1;
                if count > MAX_EXAMINED_KEYS {
                    return Err(not_indexed(self.schema, filter));
                }
            }
        }
        self.examined.keys += count;
        Ok(count)
    }

    /// Whether there may be more.
    pub(super) fn has_more(&mut self) -> Result<bool, QueryError> {
        let before = self.examined;
        let more = self.next_entry()?.is_some();
        self.examined = before;
        Ok(more)
    }

    /// The key of the row that an entry of an index leads to: what follows the index's own fields.
    fn row_key(&self, entry: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (prefix, mut rest) = split_prefix(entry).ok_or_else(|| self.dangling())?;
        if !self.index_kinds.iter().all(|kind| take_key_part(kind, &mut rest).is_some()) {
            return Err(self.dangling());
        }
        Ok([prefix, rest].concat())
    }

    fn dangling(&self) -> StoreError {
        StoreError::DanglingEntry { index: self.way.table.name() }
    }
}

/// What is left of a range after an entry; `None` where that is nothing.
fn rest_of((from, to): &KeyRange, after: Option<&[u8]>, is_forward: bool) -> Option<KeyRange> {
    let (from, to) = match after {
        // The first key above another is that with a zero behind it.
        Some(after) if is_forward => (from.clone().max([after, &[0]].concat()), to.clone()),
        Some(after) => (from.clone(), to.clone().min(after.to_vec())),
        None => (from.clone(), to.clone()),
    };
    (from < to).then_some((from, to))
}

fn not_indexed(schema: &Schema, filter: &Filter) -> QueryError {
    let mut asked = filter.field_names();
    asked.sort_unstable();
    asked.dedup();
    let asked =
        if asked.is_empty() { "a query for all of them".to_owned() } else { format!("one by {}", asked.join(", ")) };
    let mut indexes = vec![schema.def.key_fields.join("+")];
    indexes.extend(schema.indexes().map(|index| index.name.to_owned()));
    QueryError::NotIndexed { collection: schema.def.name, asked, indexes: indexes.join(", ") }
}
