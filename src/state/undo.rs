//! The undo log: what each block overwrote, so that a recent state can be read without keeping it.
//!
//! A block's entries, each `kind (1) ‖ address (20) ‖ slot (32, of a slot) ‖ length (1) ‖ what was there before`, lie in
//! order of their keys in rows of about a page. A row's key is `height (8, big-endian) ‖ the key of its first entry`.
//!
//! - kind 0: the account before, or nothing where there was none
//! - kind 1: the slot's value before, without leading zeros
//!
//! The row under eight zero bytes says what is kept: the lowest height that is complete (8) and the bytes of all rows
//! (8). A block's entries say all that it changed: a storage that it wiped is there slot by slot. Genesis has none, as
//! there is nothing before it.

use std::ops::Bound;

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use alloy_trie::EMPTY_ROOT_HASH;
use lucid_storage::{AccountRecord, Batch, Direction, Reader, TableId};

use super::{StateError, rows};

/// How many blocks back from the head the state can be read at most. A read costs up to one look-up per block that it
/// goes back, so this bounds it to milliseconds; and it bounds the log.
pub const HISTORY_BLOCKS: u64 = 4096;

/// Bytes that the undo log may have: full blocks write 90 KiB each, and a card of a small machine is no archive.
pub const HISTORY_BYTES: u64 = 128 << 20;

const TABLE: &str = "undo_log";
const KEPT: [u8; 8] = [0; 8];
const ACCOUNT: u8 = 0;
const SLOT: u8 = 1;

/// Bytes of an entry's key: kind and address, or kind, address and slot.
const ACCOUNT_KEY_BYTES: usize = 1 + 20;
const SLOT_KEY_BYTES: usize = 1 + rows::SLOT_KEY_BYTES;

/// Bytes of entries in a row at most: with its key, a page of the store.
const MAX_ROW_BYTES: usize = 3_900;

fn bad(what: &'static str) -> StateError {
    StateError::BadRow { table: TABLE, what }
}

/// The key of an entry, behind room for the height that its row's key begins with.
#[derive(Clone, Copy)]
pub(super) struct UndoKey {
    bytes: [u8; 8 + SLOT_KEY_BYTES],
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
        let mut bytes = [0; 8 + SLOT_KEY_BYTES];
        let len = 9 + subject.len();
        bytes[8] = kind;
        bytes[9..len].copy_from_slice(subject);
        Self { bytes, len }
    }

    fn entry(&self) -> &[u8] {
        &self.bytes[8..self.len]
    }

    fn at(&mut self, height: u64) -> &[u8] {
        self.bytes[..8].copy_from_slice(&height.to_be_bytes());
        &self.bytes[..self.len]
    }
}

/// Writes the entries of one block; none for genesis. Entries of either kind come in order of their keys.
pub(super) struct UndoWriter {
    height: u64,
    /// The row that is being filled, by kind.
    open: [Option<(UndoKey, Vec<u8>)>; 2],
    bytes: u64,
}

impl UndoWriter {
    pub(super) fn new(height: u64) -> Self {
        Self { height, open: [None, None], bytes: 0 }
    }

    pub(super) fn account(&mut self, batch: &mut Batch, address: Address, before: Option<&AccountRecord>) {
        let before = before.map(|account| alloy_rlp::encode(SlimAccount::from(account))).unwrap_or_default();
        self.put(batch, ACCOUNT, UndoKey::account(address), &before);
    }

    /// `key` is that of the slot's row in the state.
    pub(super) fn slot(&mut self, batch: &mut Batch, key: &[u8; rows::SLOT_KEY_BYTES], before: U256) {
        self.put(batch, SLOT, UndoKey::slot(key), &before.to_be_bytes_trimmed_vec());
    }

    fn put(&mut self, batch: &mut Batch, kind: u8, key: UndoKey, before: &[u8]) {
        if self.height == 0 {
            return;
        }
        let kind = usize::from(kind);
        let full = |row: &[u8]| row.len() + key.entry().len() + 1 + before.len() > MAX_ROW_BYTES;
        if self.open[kind].as_ref().is_some_and(|(_, row)| full(row)) {
            self.close(batch, kind);
        }
        let (_, row) = self.open[kind].get_or_insert_with(|| (key, Vec::new()));
        row.extend_from_slice(key.entry());
        // An account has at most 110 bytes in this form and a slot 32.
        row.push(before.len() as u8);
        row.extend_from_slice(before);
    }

    fn close(&mut self, batch: &mut Batch, kind: usize) {
        if let Some((mut first, row)) = self.open[kind].take() {
            let key = first.at(self.height);
            self.bytes += (key.len() + row.len()) as u64;
            batch.raw_put(TableId::UndoLog, key, row);
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self, batch: &mut Batch) -> Result<(), StateError> {
        self.close(batch, usize::from(ACCOUNT));
        self.close(batch, usize::from(SLOT));
        if self.bytes > 0 {
            let mut kept = Kept::read(batch)?;
            kept.bytes += self.bytes;
            kept.write(batch);
        }
        Ok(())
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
        let last = key.at(changed_at);
        // The row that would have the entry is the last one that does not begin after it.
        let (lower, upper) = (Bound::Included(&last[..9]), Bound::Included(last));
        let mut rows = reader.raw_range(TableId::UndoLog, lower, upper, Direction::Reverse)?;
        if let Some((_, row)) = rows.next_view()? {
            for entry in Entries(&row) {
                let (found, before) = entry?;
                if found == key.entry() {
                    return Ok(Some(before.to_vec()));
                }
            }
        }
    }
    Ok(None)
}

/// The entries of a row: keys and what was there before.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let key_bytes = match *self.0.first()? {
            ACCOUNT => ACCOUNT_KEY_BYTES,
            SLOT => SLOT_KEY_BYTES,
            _ => return Some(Err(bad("an entry is neither of an account nor of a slot"))),
        };
        let entry = self.0.split_at_checked(key_bytes).and_then(|(key, rest)| {
            let (len, rest) = rest.split_first()?;
            let (before, rest) = rest.split_at_checked(usize::from(*len))?;
            Some((key, before, rest))
        });
        let Some((key, before, rest)) = entry else { return Some(Err(bad("a row ends within an entry"))) };
        self.0 = rest;
        Some(Ok((key, before)))
    }
}

/// The accounts that a row has entries of.
#[cfg(test)]
pub(super) fn addresses(row: &[u8]) -> Vec<Address> {
    Entries(row).map(|entry| Address::from_slice(&entry.unwrap().0[1..21])).collect()
}

/// What is kept of the log.
#[derive(Default)]
struct Kept {
    /// The lowest height whose entries are complete.
    complete_from: u64,
    /// Bytes of keys and values of all rows of entries.
    bytes: u64,
}

impl Kept {
    fn read<R: Reader>(reader: &R) -> Result<Self, StateError> {
        let Some(row) = reader.view(TableId::UndoLog, &KEPT)? else { return Ok(Self::default()) };
        let (complete_from, bytes) = row
            .split_first_chunk()
            .and_then(|(height, bytes)| Some((*height, bytes.try_into().ok()?)))
            .ok_or(bad("what is kept is not 16 bytes"))?;
        Ok(Self { complete_from: u64::from_be_bytes(complete_from), bytes: u64::from_be_bytes(bytes) })
    }

    fn write(&self, batch: &mut Batch) {
        let row = [self.complete_from.to_be_bytes(), self.bytes.to_be_bytes()].concat();
        batch.raw_put(TableId::UndoLog, KEPT, row);
    }
}

/// The oldest height whose state the log still gives, where the head is at `head`.
pub(super) fn oldest<R: Reader>(reader: &R, head: u64) -> Result<u64, StateError> {
    Ok(Kept::read(reader)?.complete_from.saturating_sub(1).max(head.saturating_sub(HISTORY_BLOCKS)))
}

/// Deletes at most `limit` rows, oldest first, and returns how many: those of blocks below `below_height`, and as many
/// more as it takes to have at most `max_bytes`. States for which a deleted row was needed can no longer be read from
/// now on, even if others of their rows remain.
///
/// Deletion is the slow side of the store, so call this with a small limit in the batch of each block. The states of `n`
/// blocks back, up to [`HISTORY_BLOCKS`], stay readable with `(head + 1).saturating_sub(n)` as `below_height`, unless
/// `max_bytes` is too few for them.
pub fn prune_undo(batch: &mut Batch, below_height: u64, max_bytes: u64, limit: usize) -> Result<usize, StateError> {
    let mut kept = Kept::read(batch)?;
    let mut keys = Vec::new();
    let lower = Bound::Excluded(KEPT.as_slice());
    for row in batch.raw_range(TableId::UndoLog, lower, Bound::Unbounded, Direction::Forward)?.take(limit) {
        let (key, value) = row?;
        let height = key.first_chunk().map(|height| u64::from_be_bytes(*height)).ok_or(bad("a key has no height"))?;
        if height >= below_height && kept.bytes <= max_bytes {
            break;
        }
        kept.complete_from = kept.complete_from.max(below_height).max(height + 1);
        kept.bytes = kept.bytes.saturating_sub((key.len() + value.len()) as u64);
        keys.push(key);
    }
    let removed = keys.len();
    if removed > 0 {
        kept.write(batch);
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
