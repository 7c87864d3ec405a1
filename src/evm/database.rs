//! What revm reads: a state, and the hashes of earlier blocks.

use crate::state::{StateError, StateReader};
use alloy_primitives::{Address, B256, U256};
use lucid_storage::{Blocks, Reader};
use revm::{Database, DatabaseRef, bytecode::Bytecode, context::DBErrorMarker, state::AccountInfo};
use std::sync::Arc;

/// Where the hash of an earlier block is found (opcode BLOCKHASH).
pub trait BlockHashes {
    /// Hash of the block at `height`; `None` where there is no such block.
    fn block_hash(&self, height: u64) -> Result<Option<B256>, StateError>;
}

impl<R: Reader> BlockHashes for R {
    fn block_hash(&self, height: u64) -> Result<Option<B256>, StateError> {
        Ok(self.get::<Blocks>(&height)?.map(|block| block.hash))
    }
}

/// A state and the blocks before it, as revm reads them.
#[derive(Clone, Copy)]
pub struct World<'a> {
    state: &'a dyn StateReader,
    blocks: &'a dyn BlockHashes,
}

impl<'a> World<'a> {
    /// The state of one height and the blocks up to it.
    pub fn new(state: &'a dyn StateReader, blocks: &'a dyn BlockHashes) -> Self {
        Self { state, blocks }
    }
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// The state could not be read while a transaction ran. Never a verdict on the transaction.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WorldError(Arc<StateError>);

impl DBErrorMarker for WorldError {}

impl From<StateError> for WorldError {
    fn from(error: StateError) -> Self {
        Self(Arc::new(error))
    }
}

impl WorldError {
    /// The state's own error, if that is what lies behind an error of the executor.
    pub(super) fn behind(error: &(dyn std::error::Error + 'static)) -> Option<Arc<StateError>> {
        let mut source = Some(error);
        while let Some(inner) = source {
            if let Some(Self(state)) = inner.downcast_ref() {
                return Some(Arc::clone(state));
            }
            source = inner.source();
        }
        None
    }
}

impl DatabaseRef for World<'_> {
    type Error = WorldError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, WorldError> {
        let account = self.state.account(address)?;
        Ok(account.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            // Read by its hash when it is run.
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, WorldError> {
        Ok(Bytecode::new_raw(self.state.code(code_hash)?))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, WorldError> {
        Ok(self.state.storage(address, slot)?)
    }

    fn block_hash_ref(&self, height: u64) -> Result<B256, WorldError> {
        Ok(self.blocks.block_hash(height)?.unwrap_or_default())
    }
}

impl Database for World<'_> {
    type Error = WorldError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, WorldError> {
        self.basic_ref(address)
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, WorldError> {
        self.code_by_hash_ref(code_hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, WorldError> {
        self.storage_ref(address, slot)
    }

    fn block_hash(&mut self, height: u64) -> Result<B256, WorldError> {
        self.block_hash_ref(height)
    }
}
