//! Rows as they lie, in pages: what leaves the store for somebody who knows the collection.

use crate::{
    error::StoreError,
    import::{import_sources, is_shadowed},
    range::Direction,
    reader::Reader,
    schema::Schema,
};
use std::ops::Bound;

/// Bytes after which a page ends, of rows and of documents alike; a single one may be larger.
pub const MAX_PAGE_BYTES: usize = 1 << 20;

/// Most rows of a page.
pub const MAX_PAGE_ROWS: usize = 4_096;

/// Some rows of a collection, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowPage {
    /// Keys and rows as they lie in the table.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rows between them that are not among them, since a row of another space stands for them.
    pub left_out: u64,
    /// Key of the last row that was looked at, after which the next page begins.
    pub last: Option<Vec<u8>>,
    /// Whether more follow.
    pub more: bool,
}

/// The rows of a collection, of the reader's space, after the key `after`: as many as a page holds.
///
/// # Errors
///
/// The table cannot be read.
pub fn row_page<R: Reader + ?Sized>(reader: &R, schema: &Schema, after: Option<&[u8]>) -> Result<RowPage, StoreError> {
    page_of(reader, schema, after, |_| Ok(true))
}

/// The rows of the reader's space that an export has, after the key `after`: of a source those whose key no own row and no
/// row of an earlier source has.
///
/// # Errors
///
/// The tables cannot be read.
pub fn export_page<R: Reader + ?Sized>(
    reader: &R,
    schema: &Schema,
    after: Option<&[u8]>,
) -> Result<RowPage, StoreError> {
    if reader.space().source().is_none() {
        return row_page(reader, schema, after);
    }
    let sources = import_sources(reader)?;
    page_of(reader, schema, after, |key| Ok(!is_shadowed(reader, &schema.def, &sources, key)?))
}

fn page_of<R: Reader + ?Sized>(
    reader: &R,
    schema: &Schema,
    after: Option<&[u8]>,
    mut is_taken: impl FnMut(&[u8]) -> Result<bool, StoreError>,
) -> Result<RowPage, StoreError> {
    let (first, end) = (reader.space().prefix(), reader.space().end());
    let lower = match after {
        // What is below these rows is before all of them.
        Some(after) if after >= first => Bound::Excluded(after),
        _ => Bound::Included(first),
    };
    let mut entries = reader.raw_range(schema.def.table, lower, Bound::Excluded(&end), Direction::Forward)?;
    let (mut page, mut bytes) = (RowPage::default(), 0);
    while let Some((key, row)) = entries.next_view()? {
        if page.rows.len() as u64 + page.left_out >= MAX_PAGE_ROWS as u64 || bytes > MAX_PAGE_BYTES {
            page.more = true;
            break;
        }
        page.last = Some(key.to_vec());
        if is_taken(&key)? {
            bytes += key.len() + row.len();
            page.rows.push((key.to_vec(), row.to_vec()));
        } else {
            page.left_out += 1;
        }
    }
    Ok(page)
}
