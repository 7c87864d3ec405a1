//! The state as it was some blocks ago: the latest one, with what was overwritten since laid over it.

use alloy_primitives::{Address, B256, Bytes, U256};
use lucid_storage::{AccountRecord, Reader};

use super::{LatestState, StateError, StateReader, rows, undo};

/// The state after the block at `height`.
#[derive(Clone, Copy, Debug)]
pub struct HistoricalState<R> {
    reader: R,
    height: u64,
    head: u64,
}

impl<R: Reader> HistoricalState<R> {
    /// The state at `height`, where the newest block that `reader` shows is at `head`.
    ///
    /// Fails with [`StateError::HistoryPruned`] further than [`HISTORY_BLOCKS`](super::HISTORY_BLOCKS) back or
    /// below what was pruned, and with [`StateError::FutureHeight`] above the head.
    pub fn new(reader: R, height: u64, head: u64) -> Result<Self, StateError> {
        if height > head {
            return Err(StateError::FutureHeight { height, head });
        }
        let oldest = undo::oldest(&reader, head)?;
        if height < oldest {
            return Err(StateError::HistoryPruned { height, oldest });
        }
        Ok(Self { reader, height, head })
    }
}

impl<R: Reader> StateReader for HistoricalState<R> {
    fn account(&self, address: Address) -> Result<Option<AccountRecord>, StateError> {
        match undo::account_at(&self.reader, address, self.height, self.head)? {
            Some(before) => Ok(before),
            None => LatestState::new(&self.reader).account(address),
        }
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let key = rows::slot_key(address, slot);
        match undo::slot_at(&self.reader, &key, self.height, self.head)? {
            Some(before) => Ok(before),
            None => rows::read_slot(&self.reader, &key),
        }
    }

    fn code(&self, hash: B256) -> Result<Bytes, StateError> {
        LatestState::new(&self.reader).code(hash)
    }
}
