//! Finding documents, counting them, and the values that a field has.

use super::{
    cursor::{Cursor, Place, fingerprint},
    error::QueryError,
    explain::Explained,
    filter::Filter,
    limits::{DEFAULT_LIMIT, MAX_GROUPS, MAX_LIMIT, MAX_RESULT_BYTES},
    literal::literal,
    order::Order,
    path::FieldPath,
    plan::{self, Way},
    projection::Projection,
    spec::SortSpec,
    walk::{Examined, Walk},
};
use crate::{
    error::StoreError, import::row_count, pages::MAX_PAGE_BYTES, reader::Reader, schema::Schema, tables::SCHEMAS,
};
use lucid_types::{Document, Value, nearest};
use serde_json::Value as Json;
use std::{cmp::Ordering, collections::BTreeSet};

/// What is asked of [`find`]. Filter, sort and projection have MongoDB's form.
#[derive(Debug, Clone, Default)]
pub struct FindOptions {
    /// Fields to keep or to leave out; all are kept without it.
    pub projection: Option<Json>,
    /// Fields to sort by, with 1 or -1 each. Without it documents come in the order of the way that is taken.
    pub sort: Option<SortSpec>,
    /// Most documents of the answer; [`DEFAULT_LIMIT`] without it.
    pub limit: Option<u64>,
    /// Where the page before ended.
    pub cursor: Option<Vec<u8>>,
    /// Whether the answer says how it was found.
    pub explain: bool,
}

/// A page of documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The documents.
    pub documents: Vec<Document>,
    /// Where the next page begins; `None` after the last.
    pub cursor: Option<Vec<u8>>,
    /// How they were found, where that was asked.
    pub explained: Option<Explained>,
}

/// What is known of the collection of this name.
pub fn schema_of(collection: &str) -> Result<&'static Schema, QueryError> {
    SCHEMAS.iter().find(|schema| schema.def.name == collection).ok_or_else(|| QueryError::UnknownCollection {
        name: collection.chars().take(64).collect(),
        nearest: nearest(collection, SCHEMAS.iter().map(|schema| schema.def.name)),
    })
}

/// Documents of a collection, of the reader's space, that are what `filter` asks for.
///
/// # Errors
///
/// A query that is malformed, that would read too much, or a cursor of another one; a store that cannot be read.
pub fn find(reader: &dyn Reader, collection: &str, filter: &Json, options: &FindOptions) -> Result<Found, QueryError> {
    let schema = schema_of(collection)?;
    let query = Query {
        reader,
        schema,
        filter: Filter::parse(schema, filter)?,
        order: options.sort.as_ref().map(|sort| Order::parse(schema, sort)).transpose()?.unwrap_or_default(),
        projection: options.projection.as_ref().map(|json| Projection::parse(schema, json)).transpose()?,
        limit: match options.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => limit,
            limit => return Err(QueryError::Limit(limit)),
        },
        fingerprint: fingerprint(reader.space().source(), collection, filter, options.sort.as_ref()),
    };
    let cursor = options.cursor.as_deref().map(|token| query.cursor(token)).transpose()?;
    let ways = match &cursor {
        Some(cursor) => {
            plan::way(reader.space(), schema, &query.filter, &query.order, cursor.way).into_iter().collect()
        }
        None => plan::ways(reader, schema, &query.filter, &query.order, query.limit)?,
    };
    let Some(way) = ways.first() else { return Err(QueryError::Cursor(schema.def.name)) };
    let (page, examined) = query.page(way, cursor.map(|cursor| cursor.place))?;
    let explained = options.explain.then(|| Explained::new(&ways, &query.order, examined, page.0.len() as u64));
    Ok(Found { documents: page.0, cursor: page.1.map(|cursor| cursor.to_token()), explained })
}

/// The number of documents that are what `filter` asks for.
///
/// # Errors
///
/// As [`find`].
pub fn count(reader: &dyn Reader, collection: &str, filter: &Json) -> Result<u64, QueryError> {
    let schema = schema_of(collection)?;
    let filter = Filter::parse(schema, filter)?;
    if filter == Filter::And(Vec::new())
        && let Some(count) = row_count(reader, &schema.def)?
    {
        return Ok(count);
    }
    let ways = plan::ways(reader, schema, &filter, &Order::default(), u64::MAX)?;
    let Some(way) = ways.first() else { return Ok(0) };
    let mut walk = Walk::new(reader, schema, way, None)?;
    if way.covered {
        return walk.count_entries(&filter);
    }
    let mut count = 0;
    while walk.next_match(&filter)?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// The values that a field has in documents that are what `filter` asks for, sorted and each once; of a list each value.
///
/// # Errors
///
/// As [`find`], and where there are more values than are answered at once.
pub fn distinct(reader: &dyn Reader, collection: &str, field: &str, filter: &Json) -> Result<Vec<Value>, QueryError> {
    let schema = schema_of(collection)?;
    let (filter, path) = (Filter::parse(schema, filter)?, FieldPath::resolve(schema, field)?);
    let (mut values, mut bytes) = (BTreeSet::new(), 0);
    for_each_match(reader, schema, &filter, &mut |row| {
        let mut is_full = false;
        path.any(row, &mut |value| {
            // A list is its values.
            if !value.is_null() && !matches!(value, Value::List(_)) && !values.contains(value) {
                bytes += value.size_bytes();
                is_full = values.len() >= MAX_GROUPS || bytes > MAX_RESULT_BYTES;
                values.insert(value.clone());
            }
            is_full
        });
        if is_full { Err(QueryError::TooManyResults) } else { Ok(()) }
    })?;
    Ok(values.into_iter().collect())
}

/// Hands each row that is what `filter` asks for to `take`, by the best way.
pub(super) fn for_each_match(
    reader: &dyn Reader,
    schema: &Schema,
    filter: &Filter,
    take: &mut dyn FnMut(&[Value]) -> Result<(), QueryError>,
) -> Result<Examined, QueryError> {
    let ways = plan::ways(reader, schema, filter, &Order::default(), u64::MAX)?;
    let Some(way) = ways.first() else { return Ok(Examined::default()) };
    let mut walk = Walk::new(reader, schema, way, None)?;
    while let Some(met) = walk.next_match(filter)? {
        take(&met.values)?;
    }
    Ok(walk.examined)
}

/// A query that was read.
struct Query<'a> {
    reader: &'a dyn Reader,
    schema: &'a Schema,
    filter: Filter,
    order: Order,
    projection: Option<Projection>,
    limit: u64,
    fingerprint: [u8; 8],
}

type Page = (Vec<Document>, Option<Cursor>);

impl Query<'_> {
    fn cursor(&self, token: &[u8]) -> Result<Cursor, QueryError> {
        let cursor = Cursor::from_token(token).filter(|cursor| cursor.fingerprint == self.fingerprint);
        cursor.ok_or(QueryError::Cursor(self.schema.def.name))
    }

    fn page(&self, way: &Way, after: Option<Place>) -> Result<(Page, Examined), QueryError> {
        match after {
            Some(Place::Sorted(values, key)) if !way.in_order => self.sorted_page(way, Some((values, key))),
            Some(Place::Entry(entry)) if way.in_order => self.walked_page(way, Some(&entry)),
            None if way.in_order => self.walked_page(way, None),
            None => self.sorted_page(way, None),
            Some(_) => Err(QueryError::Cursor(self.schema.def.name)),
        }
    }

    /// A page as the way has it.
    fn walked_page(&self, way: &Way, after: Option<&[u8]>) -> Result<(Page, Examined), QueryError> {
        let mut walk = Walk::new(self.reader, self.schema, way, after)?;
        let (mut documents, mut bytes, mut last) = (Vec::new(), 0, None);
        while let Some(met) = walk.next_match(&self.filter)? {
            let document = self.document(met.values, &mut bytes);
            documents.push(document);
            last = Some(met.entry);
            if documents.len() as u64 >= self.limit || bytes > MAX_PAGE_BYTES {
                break;
            }
        }
        let is_full = documents.len() as u64 >= self.limit || bytes > MAX_PAGE_BYTES;
        let place = if is_full && walk.has_more()? { last.map(Place::Entry) } else { None };
        Ok(((documents, place.map(|place| self.at(way, place))), walk.examined))
    }

    /// A page of rows that are sorted first. Of each only what it is sorted by and its key are kept, and only of as many
    /// as the page has.
    fn sorted_page(&self, way: &Way, after: Option<(Vec<Json>, Vec<u8>)>) -> Result<(Page, Examined), QueryError> {
        let after = after.map(|(values, key)| Ok::<_, QueryError>((self.sorted_values(&values)?, key))).transpose()?;
        let mut first: Vec<(Vec<Value>, Vec<u8>)> = Vec::new();
        let (mut kept_bytes, mut is_cut) = (0, false);
        let mut walk = Walk::new(self.reader, self.schema, way, None)?;
        while let Some(met) = walk.next_match(&self.filter)? {
            let new = (self.order.values(&met.values), met.row_key);
            let compare = |one: &(Vec<Value>, Vec<u8>), other: &(Vec<Value>, Vec<u8>)| {
                self.order.compare((&one.0, &one.1), (&other.0, &other.1))
            };
            if after.as_ref().is_some_and(|after| compare(&new, after) != Ordering::Greater) {
                continue;
            }
            let at = first.partition_point(|kept| compare(kept, &new) == Ordering::Less);
            if at as u64 >= self.limit {
                is_cut = true;
                continue;
            }
            kept_bytes += new.0.iter().map(Value::size_bytes).sum::<usize>();
            first.insert(at, new);
            if first.len() as u64 > self.limit {
                is_cut = true;
                if let Some((values, _)) = first.pop() {
                    kept_bytes -= values.iter().map(Value::size_bytes).sum::<usize>();
                }
            }
            if kept_bytes > MAX_RESULT_BYTES {
                return Err(QueryError::TooManyResults);
            }
        }
        let (mut documents, mut bytes, mut last) = (Vec::new(), 0, None);
        let kept = first.len();
        for (values, key) in first {
            let dangling = || StoreError::DanglingEntry { index: way.table.name() };
            let row = self.reader.view(self.schema.def.table, &key)?.ok_or_else(dangling)?;
            documents.push(self.document(self.schema.values(&key, &row)?, &mut bytes));
            last = Some((values, key));
            if bytes > MAX_PAGE_BYTES {
                break;
            }
        }
        is_cut |= documents.len() < kept;
        let place = last.filter(|_| is_cut).map(|(values, key)| Place::Sorted(json_of(&values), key));
        Ok(((documents, place.map(|place| self.at(way, place))), walk.examined))
    }

    /// What a row was sorted by, as a cursor brings it back.
    fn sorted_values(&self, values: &[Json]) -> Result<Vec<Value>, QueryError> {
        let fields = self.order.fields();
        let refused = || QueryError::Cursor(self.schema.def.name);
        if values.len() != fields.len() {
            return Err(refused());
        }
        let read = |(sorted, json): (&super::order::Sorted, &Json)| literal(&sorted.path.kind, json, &sorted.path.name);
        fields.iter().zip(values).map(read).collect::<Result<_, _>>().map_err(|_| refused())
    }

    fn at(&self, way: &Way, place: Place) -> Cursor {
        Cursor { way: way.number, fingerprint: self.fingerprint, place }
    }

    fn document(&self, values: Vec<Value>, bytes: &mut usize) -> Document {
        let document = self.schema.document(values);
        let document = match &self.projection {
            Some(projection) => projection.apply(document),
            None => document,
        };
        *bytes += document.0.iter().map(|(name, value)| name.len() + value.size_bytes()).sum::<usize>();
        document
    }
}

fn json_of(values: &[Value]) -> Vec<Json> {
    // Plain values have plain JSON.
    values.iter().map(|value| serde_json::to_value(value).unwrap_or(Json::Null)).collect()
}
