//! What revm reads: a state, and the hashes of earlier blocks.

use crate::state::{StateError, StateReader};
use alloy_primitives::{Address, B256, U256};
use lucid_storage::{Blocks, Reader};
use revm::{Database, bytecode::Bytecode, context::DBErrorMarker, state::AccountInfo};
use std::{cell::OnceCell, sync::Arc};

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

/// The first read that failed while something ran.
///
/// It is kept here because the executor's errors do not lead back to it: it turns the errors of system calls into
/// text and drops those of the balances that it credits. Whoever ran something asks [`Self::check`] before he
/// believes any verdict.
#[derive(Debug, Default)]
pub(super) struct ReadFailure(OnceCell<Arc<StateError>>);

impl ReadFailure {
    /// The failure, if there was one.
    pub(super) fn check(&self) -> Result<(), Arc<StateError>> {
        self.0.get().map_or(Ok(()), |failure| Err(Arc::clone(failure)))
    }
}

/// A read failed; what it was is in the [`ReadFailure`]. Never a verdict on what ran.
#[derive(Debug, thiserror::Error)]
#[error("the state cannot be read")]
pub(super) struct ReadError;

impl DBErrorMarker for ReadError {
    fn is_fatal(&self) -> bool {
        true
    }
}

/// A [`World`] as revm reads it, with the place where a failure is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorldReader<'a> {
    world: World<'a>,
    failure: &'a ReadFailure,
}

impl<'a> WorldReader<'a> {
    pub(super) fn new(world: World<'a>, failure: &'a ReadFailure) -> Self {
        Self { world, failure }
    }

    fn keep<T>(&self, read: Result<T, StateError>) -> Result<T, ReadError> {
        read.map_err(|error| {
            // The first one counts: later ones may follow from it.
            let _ = self.failure.0.set(Arc::new(error));
            ReadError
        })
    }

    fn read_code(&self, code_hash: B256) -> Result<Bytecode, StateError> {
        let code = self.world.state.code(code_hash)?;
        Bytecode::new_raw_checked(code)
            .map_err(|_| StateError::BadRow { table: "code", what: "the bytes are neither code nor a delegation" })
    }
}

impl Database for WorldReader<'_> {
    type Error = ReadError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        let account = self.keep(self.world.state.account(address))?;
        Ok(account.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            // Read by its hash when it is run.
            code: None,
            ..AccountInfo::default()
        }))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, ReadError> {
        self.keep(self.read_code(code_hash))
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.keep(self.world.state.storage(address, slot))
    }

    fn block_hash(&mut self, height: u64) -> Result<B256, ReadError> {
        Ok(self.keep(self.world.blocks.block_hash(height))?.unwrap_or_default())
    }
}
