//! Reading the state: the one trait that execution and queries see, and the latest state behind it.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use lucid_storage::{AccountRecord, Accounts, Reader, TableId};

use super::{StateError, account_trie::AccountTrie, rows, trie};

/// The state at one height.
pub trait StateReader {
    /// The account at `address`, if there is one.
    fn account(&self, address: Address) -> Result<Option<AccountRecord>, StateError>;

    /// The value of a storage slot; zero where there is none.
    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateError>;

    /// The code whose keccak-256 is `hash`. Code is never deleted, so it is the same at every height.
    fn code(&self, hash: B256) -> Result<Bytes, StateError>;
}

/// The state after the newest block of a snapshot or batch, owned or borrowed.
#[derive(Clone, Copy, Debug)]
pub struct LatestState<R> {
    reader: R,
}

impl<R: Reader> LatestState<R> {
    /// The latest state that `reader` shows.
    pub fn new(reader: R) -> Self {
        Self { reader }
    }

    /// Root hash of the account trie.
    pub fn root(&self) -> Result<B256, StateError> {
        Ok(trie::root(&AccountTrie::new(&self.reader))?)
    }
}

impl<R: Reader> StateReader for LatestState<R> {
    fn account(&self, address: Address) -> Result<Option<AccountRecord>, StateError> {
        Ok(self.reader.get::<Accounts>(&address)?)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        rows::read_slot(&self.reader, &rows::slot_key(address, slot))
    }

    fn code(&self, hash: B256) -> Result<Bytes, StateError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytes::new());
        }
        let code = self.reader.raw_get(TableId::Code, hash.as_slice())?;
        code.map(Bytes::from).ok_or(StateError::MissingCode(hash))
    }
}
