//! Collections over one redb file.
//!
//! Every collection, index and internal table is declared on one page, `tables`. A [`Snapshot`] is the store at
//! one moment; a [`Batch`] is an ordered set of writes over one, which [`Store::commit`] makes durable whole.
//! Both are read through [`Reader`]. The format of the file is written down in docs/storage-format.md.
//!
//! No other crate names the database engine, and nothing here knows what a valid block is.

mod anchorings;
mod backend;
mod backup;
mod backup_name;
mod batch;
mod changed;
mod changes;
mod checksum;
mod codec;
mod collection;
mod compact;
mod compact_running;
#[cfg(test)]
mod cuts;
mod declare;
mod disk;
mod engine;
mod error;
mod exports;
mod import;
mod import_row;
mod key;
mod layers;
mod meta;
mod migration;
mod pages;
mod query;
mod range;
mod reader;
mod records;
mod reindex;
mod remove_source;
mod retention;
#[cfg(test)]
mod samples;
mod schema;
mod shard;
mod shared;
mod snapshot;
mod source_rows;
mod space;
mod store;
mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod verify;
mod write;

pub use anchorings::last_anchorings;
pub use backup::{Copied, Progress, ReportProgress};
pub use backup_name::{NamedBackup, backups_beyond, last_backup};
pub use batch::Batch;
pub use changed::{ChangedRows, StoredRow};
pub use changes::{ChangePage, MAX_PAGE_NOTES, change_page, export_changes};
pub use codec::{MAX_RECORD_BYTES, Origin, Record, RecordError, Stored};
pub use collection::{Collection, CollectionDef, Index, IndexEntry, InternalDef, Placement, Retention, WriteOrder};
pub use compact::{Compacted, Compaction};
pub use compact_running::RunningCompaction;
pub use disk::Disk;
pub use error::StoreError;
pub use exports::{MAX_EXPORT_TARGETS, put_export_state};
pub use import::{
    DocumentId, ImportSource, Imported, MAX_SOURCES, documents_of_sources, import_sources, is_shadowed, row_count,
    space_of, unknown_source,
};
pub use import_row::{ImportRow, ImportRowError, MAX_IMPORT_TEXT_BYTES};
pub use key::{ChunkKey, Current, KeyError, KeyPrefix, SessionKey, StoreKey, TallyKey, TaskProofKey, TransactionKey};
pub use meta::{FORMAT_VERSION, Meta};
pub use migration::Migration;
pub use pages::{MAX_PAGE_BYTES, MAX_PAGE_ROWS, RowPage, export_page, row_page};
pub use query::*;
pub use range::{Direction, RawRange, View};
pub use reader::{IndexKeys, IndexRows, Reader, Row, Rows};
pub use records::*;
pub use reindex::{Reindexable, Reindexed, TableRepair, reindex};
pub use remove_source::{MAX_REMOVED_ROWS, RemovalStep};
pub use retention::{MAX_PRUNED_ROWS, prune_expired};
pub use schema::{Field, FieldType, FieldValue, Fields, IndexSchema, KeyFields, Schema};
pub use shard::{MAX_SHARD_BYTES, MAX_SHARD_DOCUMENTS, ShardRange, shard_fields, shard_key_document, shard_ranges};
pub use shared::{CommitCosts, MAX_SHARED_WRITERS, SharedCommits, SharedCosts};
pub use snapshot::{Snapshot, TableBytes};
pub use space::{MAX_SOURCE_NAME_BYTES, RowSpace, RowsOf, SourceName, SourceNameError};
pub use store::{Committed, DEFAULT_CACHE_BYTES, Options, QUICK_REPAIR_FROM_BYTES, Stats, Store};
pub use tables::*;
pub use verify::{Finding, Findings, MAX_FINDINGS};
