//! The undo log: what each block overwrote, so that a recent state can be read without keeping it.
//!
//! - height (8, big-endian) ‖ 0 ‖ address (20) -> the account before, or nothing where there was none
//! - height (8) ‖ 1 ‖ address (20) ‖ slot (32) -> the slot's value before, without leading zeros
//! - eight zero bytes -> the lowest height whose rows are complete (8); nothing was pruned where it is missing
//!
//! A block's rows say all that it changed: a storage that it wiped is there slot by slot. Genesis has none, as
//! there is nothing before it.

use std::ops::Bound;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use alloy_trie::EMPTY_ROOT_HASH;
use lucid_storage::{AccountRecord, Batch, Direction, Reader, TableId};

use super::{StateError, rows};

/// How many blocks back from the head the state can be read. A read costs up to one look-up per block that it
/// goes back, so this bounds it to milliseconds; and it bounds the log.
pub const HISTORY_BLOCKS: u64 = 4096;

const TABLE: &str = "undo_log";
const COMPLETE_FROM: [u8; 8] = [0; 8];
const ACCOUNT: u8 = 0;
const SLOT: u8 = 1;

/// Bytes of a row's key up to the address: height and kind.
const HEAD_BYTES: usize = 9;

/// The key of a row without its height, which is what a look-up through the heights keeps.
#[derive(Clone, Copy)]
pub(super) struct UndoKey {
    bytes: [u8; HEAD_BYTES + rows::SLOT_KEY_BYTES],
    len: usize,
}

impl UndoKey {
    pub(super) fn account(address: Address) -> Self {
        Self::new(ACCOUNT, address.as_slice())
    }

    /// For the slot whose row in the state has this key.
    pub(super) fn slot(key: &[u8; rows::SLOT_KEY_BYTES]) -> Self {
        Self::new(SLOT, key)
    }

    fn new(kind: u8, subject: &[u8]) -> Self {
        let mut bytes = [0; HEAD_BYTES + rows::SLOT_KEY_BYTES];
        let len = HEAD_BYTES + subject.len();
        bytes[HEAD_BYTES - 1] = kind;
        bytes[HEAD_BYTES..len].copy_from_slice(subject);
        Self { bytes, len }
    }

    fn at(&mut self, height: u64) -> &[u8] {
        self.bytes[..8].copy_from_slice(&height.to_be_bytes());
        &self.bytes[..self.len]
    }
}

/// Writes the rows of one block; none for genesis.
pub(super) struct UndoWriter {
    height: u64,
}

impl UndoWriter {
    pub(super) fn new(height: u64) -> Self {
        Self { height }
    }

    pub(super) fn account(&self, batch: &mut Batch, address: Address, before: Option<&AccountRecord>) {
        let before = before.map(|account| alloy_rlp::encode(SlimAccount::from(account))).unwrap_or_default();
        self.put(batch, UndoKey::account(address), before);
    }

    /// `key` is that of the slot's row in the state.
    pub(super) fn slot(&self, batch: &mut Batch, key: &[u8; rows::SLOT_KEY_BYTES], before: U256) {
        self.put(batch, UndoKey::slot(key), before.to_be_bytes_trimmed_vec());
    }

    fn put(&self, batch: &mut Batch, mut key: UndoKey, before: Vec<u8>) {
        if self.height > 0 {
            batch.raw_put(TableId::UndoLog, key.at(self.height), before);
        }
    }
}

/// What the undo log says of the account at `height`; nothing where no block up to `head` changed it since.
pub(super) fn account_at<R: Reader>(
    reader: &R,
    address: Address,
    height: u64,
    head: u64,
) -> Result<Option<Option<AccountRecord>>, StateError> {
    let before = overwritten(reader, UndoKey::account(address), height, head)?;
    before.map(|row| if row.is_empty() { Ok(None) } else { SlimAccount::read(&row).map(Some) }).transpose()
}

/// What the undo log says of the slot at `height`; nothing where no block up to `head` changed it since.
pub(super) fn slot_at<R: Reader>(
    reader: &R,
    key: &[u8; rows::SLOT_KEY_BYTES],
    height: u64,
    head: u64,
) -> Result<Option<U256>, StateError> {
    let before = overwritten(reader, UndoKey::slot(key), height, head)?;
    before.map(|row| rows::decode_value(TABLE, &row)).transpose()
}

/// What the first block after `height` and not after `head` that changed `key` overwrote; nothing where none did.
fn overwritten<R: Reader>(reader: &R, mut key: UndoKey, height: u64, head: u64) -> Result<Option<Vec<u8>>, StateError> {
    for changed_at in height + 1..=head {
        if let Some(before) = reader.raw_get(TableId::UndoLog, key.at(changed_at))? {
            return Ok(Some(before));
        }
    }
    Ok(None)
}

/// The oldest height whose state the log still gives, where the head is at `head`.
pub(super) fn oldest<R: Reader>(reader: &R, head: u64) -> Result<u64, StateError> {
    Ok(complete_from(reader)?.saturating_sub(1).max(head.saturating_sub(HISTORY_BLOCKS)))
}

/// The lowest height whose rows are complete.
fn complete_from<R: Reader>(reader: &R) -> Result<u64, StateError> {
    let Some(row) = reader.raw_get(TableId::UndoLog, &COMPLETE_FROM)? else { return Ok(0) };
    let height = row.try_into().map_err(|_| StateError::BadRow { table: TABLE, what: "its start is not 8 bytes" })?;
    Ok(u64::from_be_bytes(height))
}

/// Deletes at most `limit` rows of blocks below `below_height`, oldest first, and returns how many. States below
/// `below_height - 1` can no longer be read from now on, even if rows of theirs remain.
///
/// Deletion is the slow side of the store, so call this with a small limit in the batch of each block. All of
/// [`HISTORY_BLOCKS`] stay readable with `(head + 1).saturating_sub(HISTORY_BLOCKS)` as `below_height`.
pub fn prune_undo(batch: &mut Batch, below_height: u64, limit: usize) -> Result<usize, StateError> {
    let end = below_height.to_be_bytes();
    let mut keys = Vec::new();
    let (lower, upper) = (Bound::Excluded(COMPLETE_FROM.as_slice()), Bound::Excluded(end.as_slice()));
    for row in batch.raw_range(TableId::UndoLog, lower, upper, Direction::Forward)?.take(limit) {
        keys.push(row?.0);
    }
    let removed = keys.len();
    if !keys.is_empty() && complete_from(batch)? < below_height {
        batch.raw_put(TableId::UndoLog, COMPLETE_FROM, end);
    }
    for key in keys {
        batch.raw_remove(TableId::UndoLog, key);
    }
    Ok(removed)
}

/// An account in the shorter form that go-ethereum's snapshots use: no code and no storage are empty strings.
#[derive(RlpEncodable, RlpDecodable)]
struct SlimAccount {
    nonce: u64,
    balance: U256,
    storage_root: Bytes,
    code_hash: Bytes,
}

impl From<&AccountRecord> for SlimAccount {
    fn from(account: &AccountRecord) -> Self {
        let slim = |hash: B256, usual| if hash == usual { Bytes::new() } else { Bytes::from(hash) };
        Self {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: slim(account.storage_root, EMPTY_ROOT_HASH),
            code_hash: slim(account.code_hash, KECCAK256_EMPTY),
        }
    }
}

impl SlimAccount {
    fn read(mut row: &[u8]) -> Result<AccountRecord, StateError> {
        let bad = |what| StateError::BadRow { table: TABLE, what };
        let slim = Self::decode(&mut row).map_err(|_| bad("an account is not RLP"))?;
        let full = |hash: &Bytes, usual| match hash.len() {
            0 => Ok(usual),
            32 => Ok(B256::from_slice(hash)),
            _ => Err(bad("an account has a hash that is not 32 bytes")),
        };
        Ok(AccountRecord {
            nonce: slim.nonce,
            balance: slim.balance,
            storage_root: full(&slim.storage_root, EMPTY_ROOT_HASH)?,
            code_hash: full(&slim.code_hash, KECCAK256_EMPTY)?,
        })
    }
}
