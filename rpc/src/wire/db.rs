//! What is said of the store: its numbers, its check, its backups, and the work that makes those. The command line
//! writes the same documents where no node runs.

use super::HeadDocument;
use alloy_primitives::B256;
use lucid_storage::{Compacted, Copied, Finding, Findings, Reindexed, TableId, TableRepair};
use serde::{Deserialize, Serialize};

/// The answer of `admin_dbStats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbStatsDocument {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of the genesis header.
    pub genesis_hash: B256,
    /// The last block.
    pub head: HeadDocument,
    /// Format of the file.
    pub format_version: u32,
    /// Batches that were ever committed.
    pub sequence: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// What the store did since the node opened it; absent where no node runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_start: Option<DbWritesDocument>,
    /// The same by what it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_for: Option<DbWritesForDocument>,
    /// Every collection, in the same order; none where a node of an earlier version answers.
    #[serde(default)]
    pub collections: Vec<DbCollectionDocument>,
    /// Every table, in the order of the format's description.
    pub tables: Vec<DbTableDocument>,
}

/// What a store wrote since it was opened, by what it was for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbWritesForDocument {
    /// Blocks, with all that belongs to them.
    pub blocks: DbWritesDocument,
    /// The last block.
    pub last_block: DbWritesDocument,
    /// The log of consensus, which is flushed before a node says what it signed. A node that is alone has none.
    #[serde(default)]
    pub consensus: DbWritesDocument,
    /// Everything between blocks: sessions that are handed in, how they stand, and transactions that wait.
    pub sessions: DbWritesDocument,
    /// Sessions that came to be anchored since then.
    pub sessions_anchored: u64,
}

/// What a store did since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbWritesDocument {
    /// Batches committed.
    pub commits: u64,
    /// Bytes written to the file.
    pub bytes_written: u64,
    /// Times that the file was synced.
    pub syncs: u64,
}

/// How many documents a collection has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbCollectionDocument {
    /// Its name.
    pub name: String,
    /// Those of this chain and this node.
    pub own: u64,
    /// Those that were imported, of all sources.
    pub imported: u64,
}

/// One table of the store. Its bytes are there where they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbTableDocument {
    /// Its name.
    pub name: String,
    /// Its entries.
    pub entries: u64,
    /// Bytes of its keys and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Bytes that lead to them, and bytes of its pages that hold nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_bytes: Option<u64>,
}

/// What a check of the whole store has looked at and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbVerifyDocument {
    /// Whether nothing was found.
    pub clean: bool,
    /// The last batch that the check has seen.
    pub sequence: u64,
    /// Rows of collections.
    pub rows: u64,
    /// Blocks.
    pub blocks: u64,
    /// Accounts of the state.
    pub accounts: u64,
    /// How many findings there are.
    pub finding_count: u64,
    /// The first of them.
    pub findings: Vec<DbFindingDocument>,
}

impl DbVerifyDocument {
    /// The document of a check that has seen so much.
    pub fn new(sequence: u64, [rows, blocks, accounts]: [u64; 3], findings: Findings) -> Self {
        Self {
            clean: findings.is_empty(),
            sequence,
            rows,
            blocks,
            accounts,
            finding_count: findings.count,
            findings: findings.listed.into_iter().map(DbFindingDocument::from).collect(),
        }
    }
}

/// Something in the store that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbFindingDocument {
    /// The table.
    pub table: String,
    /// Key of the entry as it lies in the table, in hex; empty where no one entry is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// All of it in one sentence.
    pub text: String,
}

impl From<Finding> for DbFindingDocument {
    fn from(finding: Finding) -> Self {
        let text = finding.to_string();
        Self { table: finding.table.to_owned(), key: finding.key, what: finding.what, text }
    }
}

/// A store whose file was written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbCompactDocument {
    /// The file.
    pub path: String,
    /// The last batch in it.
    pub sequence: u64,
    /// Entries of all tables.
    pub entries: u64,
    /// Its bytes before.
    pub bytes_before: u64,
    /// Its bytes now.
    pub bytes_after: u64,
}

impl DbCompactDocument {
    /// The document of the file at `path`.
    pub fn new(path: String, compacted: Compacted) -> Self {
        let Compacted { sequence, entries, bytes_before, bytes_after } = compacted;
        Self { path, sequence, entries, bytes_before, bytes_after }
    }
}

/// What was made anew from the rows of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbReindexDocument {
    /// Rows that were read.
    pub rows: u64,
    /// Tables in which something was not as the rows ask for.
    pub tables: Vec<DbRepairDocument>,
    /// How many findings there are: damage in rows, which nothing is made anew from.
    pub finding_count: u64,
    /// The first of them.
    pub findings: Vec<DbFindingDocument>,
}

/// Entries of one table that were mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbRepairDocument {
    /// The table.
    pub name: String,
    /// Those that were missing.
    pub missing: u64,
    /// Those that had another value.
    pub wrong: u64,
    /// Those that no row asks for.
    pub superfluous: u64,
}

impl From<Reindexed> for DbReindexDocument {
    fn from(reindexed: Reindexed) -> Self {
        let Reindexed { rows, repairs, findings } = reindexed;
        let repaired = |(table, repair): (TableId, TableRepair)| DbRepairDocument {
            name: table.name().to_owned(),
            missing: repair.missing,
            wrong: repair.wrong,
            superfluous: repair.superfluous,
        };
        Self {
            rows,
            tables: repairs.into_iter().map(repaired).collect(),
            finding_count: findings.count,
            findings: findings.listed.into_iter().map(DbFindingDocument::from).collect(),
        }
    }
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbBackupDocument {
    /// The file.
    pub path: String,
    /// Its bytes.
    pub file_bytes: u64,
    /// BLAKE3 over the names and entries of all tables: stores with the same contents have the same.
    pub digest: B256,
    /// The last batch in it.
    pub sequence: u64,
    /// Entries of all tables.
    pub entries: u64,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of the genesis header.
    pub genesis_hash: B256,
    /// The last block in it.
    pub head: HeadDocument,
}

impl DbBackupDocument {
    /// The document of a copy at `path` of a store of this chain.
    pub fn new(path: String, copied: Copied, chain_id: u64, genesis_hash: B256, head: HeadDocument) -> Self {
        let Copied { sequence, entries, file_bytes, digest } = copied;
        Self { path, file_bytes, digest: digest.into(), sequence, entries, chain_id, genesis_hash, head }
    }
}

/// What a node does with its whole store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DbJobKind {
    /// Checks it.
    Verify,
    /// Copies it.
    Backup,
    /// Makes its indexes anew from its rows.
    Reindex,
    /// Writes its file anew.
    Compact,
}

impl DbJobKind {
    /// Its name, as in the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Backup => "backup",
            Self::Reindex => "reindex",
            Self::Compact => "compact",
        }
    }
}

/// Where the work on the whole store stands: the answer of the methods that begin it, and of `admin_dbJob`. It has ended
/// when it has a result or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbJobDocument {
    /// Its number, counted from the start of the node.
    pub id: u64,
    /// What is done.
    pub kind: DbJobKind,
    /// The part that is at work, or was the last.
    pub step: String,
    /// What of this part is done.
    pub done: u64,
    /// What there is to do in it.
    pub total: u64,
    /// What the check found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<DbVerifyDocument>,
    /// The backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<DbBackupDocument>,
    /// What was made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reindexed: Option<DbReindexDocument>,
    /// The file that was written anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compacted: Option<DbCompactDocument>,
    /// Why there is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether that is damage in the store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
}

impl DbJobDocument {
    /// One that begins.
    pub fn new(id: u64, kind: DbJobKind) -> Self {
        let step = "begins".to_owned();
        let (verified, backup, reindexed, compacted, error) = (None, None, None, None, None);
        Self { id, kind, step, done: 0, total: 0, verified, backup, reindexed, compacted, error, damaged: false }
    }

    /// Whether it is over.
    pub const fn has_ended(&self) -> bool {
        self.verified.is_some()
            || self.backup.is_some()
            || self.reindexed.is_some()
            || self.compacted.is_some()
            || self.error.is_some()
    }
}
