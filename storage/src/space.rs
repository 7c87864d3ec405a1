//! Whose rows: this chain's and this node's own, or those that were imported from one source. Each lie behind a prefix of
//! their own in their table and in every index, so no walk over the one ever meets the other.

use crate::{
    error::StoreError,
    key::{StoreKey, successor},
    range::{Direction, RawRange, View},
    reader::Reader,
    tables::TableId,
};
use std::{borrow::Cow, fmt, ops::Bound, str::FromStr};

/// First byte of the keys of all rows that are this chain's or this node's own, and of their index entries.
pub(crate) const OWN_ROWS: u8 = 0x01;

/// First byte of the keys of imported rows, and of their index entries; then comes the source's name as a text key.
const IMPORTED_ROWS: u8 = 0x02;

/// Most bytes of a source's name.
pub const MAX_SOURCE_NAME_BYTES: usize = 63;

/// What ends a source's name in a key.
const NAME_END: [u8; 2] = [0x00, 0x01];

/// The name of a database that rows were imported from: its id in this store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(String);

/// A text that is no name of a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a source's name has 1 to {MAX_SOURCE_NAME_BYTES} letters, digits, dots, - and _")]
pub struct SourceNameError;

impl SourceName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SourceName {
    type Err = SourceNameError;

    fn from_str(name: &str) -> Result<Self, SourceNameError> {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match (1..=MAX_SOURCE_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_good) {
            true => Ok(Self(name.to_owned())),
            false => Err(SourceNameError),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Rows that belong together and lie apart from all others: the own ones, or those of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSpace {
    /// First bytes of the keys of its rows.
    prefix: Cow<'static, [u8]>,
}

static OWN: RowSpace = RowSpace { prefix: Cow::Borrowed(&[OWN_ROWS]) };

impl RowSpace {
    /// That of the own rows.
    pub fn own() -> &'static Self {
        &OWN
    }

    /// That of the rows of a source.
    pub fn of_source(source: &SourceName) -> Self {
        let mut prefix = vec![IMPORTED_ROWS];
        source.0.encode_into(&mut prefix);
        Self { prefix: prefix.into() }
    }

    /// Whose rows they are; `None` for the own ones.
    pub fn source(&self) -> Option<&str> {
        let name = self.prefix.strip_prefix(&[IMPORTED_ROWS])?.strip_suffix(&NAME_END)?;
        str::from_utf8(name).ok()
    }

    /// First bytes of the keys of its rows.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The first bytes above all its keys.
    pub(crate) fn end(&self) -> Vec<u8> {
        successor(&self.prefix).unwrap_or_default()
    }

    /// The key, or first part of one, as it lies in a table.
    pub(crate) fn key<K: StoreKey>(&self, key: &K) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefix.len() + 47);
        out.extend_from_slice(&self.prefix);
        key.encode_into(&mut out);
        out
    }

    /// Byte bounds of the rows with keys, or first key parts, within the bounds. As no key begins another, all keys that
    /// begin with a part lie between its bytes and their successor.
    pub(crate) fn bounds<K: StoreKey>(&self, from: Bound<&K>, to: Bound<&K>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let above = |key: &K| successor(&self.key(key)).unwrap_or_else(|| self.end());
        let lower = match from {
            Bound::Included(key) => self.key(key),
            Bound::Excluded(key) => above(key),
            Bound::Unbounded => self.prefix.to_vec(),
        };
        let upper = match to {
            Bound::Included(key) => above(key),
            Bound::Excluded(key) => self.key(key),
            Bound::Unbounded => self.end(),
        };
        (Bound::Included(lower), Bound::Excluded(upper))
    }
}

/// The source whose rows have keys that begin so; `None` where it is the prefix of none.
pub(crate) fn source_of_prefix(prefix: &[u8]) -> Option<SourceName> {
    let name = prefix.strip_prefix(&[IMPORTED_ROWS])?.strip_suffix(&NAME_END)?;
    str::from_utf8(name).ok()?.parse().ok()
}

/// The prefix of a row's key as it lies in a table, which says whose it is, and the rest; `None` where it has no such
/// prefix. The keys of index entries begin with the same.
pub(crate) fn split_prefix(key: &[u8]) -> Option<(&[u8], &[u8])> {
    match *key.first()? {
        OWN_ROWS => Some(key.split_at(1)),
        IMPORTED_ROWS => {
            // A name has no zero byte, so the first one ends it.
            let name = key[1..].iter().position(|byte| *byte == 0)?;
            let (prefix, rest) = key.split_at_checked(1 + name + NAME_END.len())?;
            (name > 0 && prefix.ends_with(&NAME_END)).then_some((prefix, rest))
        }
        _ => None,
    }
}

/// A store's rows of one space, read as those of a snapshot or of a batch are. Made by [`Reader::rows_of`].
#[derive(Debug)]
pub struct RowsOf<'a, R: ?Sized> {
    reader: &'a R,
    space: RowSpace,
}

impl<'a, R: ?Sized> RowsOf<'a, R> {
    pub(crate) fn new(reader: &'a R, space: RowSpace) -> Self {
        Self { reader, space }
    }
}

impl<R: Reader + ?Sized> Reader for RowsOf<'_, R> {
    fn view(&self, table: TableId, key: &[u8]) -> Result<Option<View<'_>>, StoreError> {
        self.reader.view(table, key)
    }

    fn raw_range(
        &self,
        table: TableId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        direction: Direction,
    ) -> Result<RawRange<'_>, StoreError> {
        self.reader.raw_range(table, lower, upper, direction)
    }

    fn raw_first_key(&self, table: TableId, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader.raw_first_key(table, prefix)
    }

    fn table_len(&self, table: TableId) -> Result<Option<u64>, StoreError> {
        self.reader.table_len(table)
    }

    fn space(&self) -> &RowSpace {
        &self.space
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_fits_into_a_key_and_a_path() {
        for good in ["a", "lucid-2024", "pi4.local", &"x".repeat(MAX_SOURCE_NAME_BYTES)] {
            let name: SourceName = good.parse().unwrap();
            assert_eq!((name.as_str(), name.to_string()), (good, good.to_owned()));
            assert_eq!(RowSpace::of_source(&name).source(), Some(good));
            assert_eq!(source_of_prefix(RowSpace::of_source(&name).prefix()), Some(name));
        }
        for bad in ["", "a b", "a/b", "a\0", "ä", &"x".repeat(MAX_SOURCE_NAME_BYTES + 1)] {
            assert_eq!(bad.parse::<SourceName>(), Err(SourceNameError), "{bad:?}");
        }
        assert_eq!(RowSpace::own().source(), None);
        assert_eq!(source_of_prefix(RowSpace::own().prefix()), None);
        assert_eq!(source_of_prefix(b"\x02a b\x00\x01"), None);
    }

    #[test]
    fn a_key_says_whose_row_it_is() {
        let spaces = ["a", "aa", "b"].map(|name| RowSpace::of_source(&name.parse().unwrap()));
        for space in spaces.iter().chain([RowSpace::own()]) {
            let key = space.key(&7u64);
            assert_eq!(split_prefix(&key), Some((space.prefix(), &7u64.to_be_bytes()[..])));
            assert!(space.end() > key && !space.end().starts_with(space.prefix()));
        }
        for none in [&b""[..], b"\x00a", b"\x03a", b"\x02", b"\x02a", b"\x02a\x00", b"\x02a\x00\xff", b"\x02\x00\x01"] {
            assert_eq!(split_prefix(none), None, "{none:?}");
        }
    }

    #[test]
    fn no_space_begins_another() {
        let [a, aa] = ["a", "aa"].map(|name| RowSpace::of_source(&name.parse().unwrap()));
        assert!(a.end() < aa.prefix().to_vec() && !aa.prefix().starts_with(a.prefix()));
        assert!(RowSpace::own().end() <= a.prefix().to_vec());
    }
}
