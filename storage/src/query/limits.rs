//! Every bound of a query, in one place.

/// Most documents that one query reads: about a second of a small machine.
pub const MAX_EXAMINED_DOCUMENTS: u64 = 100_000;

/// Most entries of an index that one count walks without reading a document.
pub const MAX_EXAMINED_KEYS: u64 = 2_000_000;

/// Documents of one answer where the caller names no number.
pub const DEFAULT_LIMIT: u64 = 100;

/// Most documents of one answer. More come with the cursor.
pub const MAX_LIMIT: u64 = 1_000;

/// Most bytes that groups, distinct values, and what rows are sorted by, take in memory.
pub const MAX_RESULT_BYTES: usize = 4 << 20;

/// Most groups of an aggregate, and most values of a distinct.
pub const MAX_GROUPS: usize = 10_000;

/// Most tests in one filter.
pub const MAX_FILTER_TESTS: usize = 256;

/// How deep one test may lie in another.
pub(super) const MAX_FILTER_DEPTH: usize = 16;

/// Most values that `$in` and `$nin` name.
pub const MAX_IN_VALUES: usize = 1_000;

/// Most ranges of an index that one query walks; what would make more of them is tested document by document.
pub(super) const MAX_RANGES: usize = 1_000;

/// Entries up to which the ways of a query are counted before one is taken.
pub(super) const DIVE_ENTRIES: u64 = 1_000;

/// Most fields that a sort or a projection names, and that a group computes.
pub(super) const MAX_NAMED_FIELDS: usize = 64;
