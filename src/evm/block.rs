//! Runs a block: all of a given one ([`execute`]), or as much of what waits as fits into a new one ([`fill`]).

use super::{
    changes,
    database::{ReadFailure, World, WorldReader},
    error::ExecutionError,
    fork::OsakaFromGenesis,
};
use crate::state::StateChanges;
use alloy_consensus::{
    Header, ReceiptEnvelope, Transaction as _, TxEnvelope,
    transaction::{Recovered, TxHashRef},
};
use alloy_eips::{eip2718::Encodable2718, eip4895::Withdrawals, eip7685::Requests, eip7840::BlobParams};
use alloy_evm::{
    EthEvm, EthEvmFactory, EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutionResult, BlockExecutor, BlockValidationError},
    eth::{EthBlockExecutionCtx, EthBlockExecutor, receipt_builder::AlloyReceiptBuilder},
    precompiles::PrecompilesMap,
};
use alloy_primitives::{Address, B256};
use revm::{
    context_interface::result::InvalidTransaction,
    database::{State, states::bundle_state::BundleRetention},
    inspector::NoOpInspector,
};
use std::{borrow::Cow, collections::BTreeSet, fmt};

/// A signed transaction whose sender is known.
pub type Transaction = Recovered<TxEnvelope>;

/// Least gas of any transaction: below that, a block is full.
const MIN_TRANSACTION_GAS: u64 = 21_000;

/// Senders that may be passed over before a block counts as full: looking further would cost more time than the few
/// transactions that still fit are worth.
const MAX_PASSED_OVER_SENDERS: usize = 50;

/// What a block mints, once its transactions have run.
pub trait Mint: fmt::Debug {
    /// The withdrawals (EIP-4895) of a block with these receipts.
    fn withdrawals(&self, receipts: &[ReceiptEnvelope]) -> Withdrawals;
}

/// The same, whatever the block has in it.
impl Mint for Withdrawals {
    fn withdrawals(&self, _receipts: &[ReceiptEnvelope]) -> Withdrawals {
        self.clone()
    }
}

/// The block that transactions run in: its header, as far as it is known before they have run.
#[derive(Debug, Clone)]
pub struct BlockContext<'a> {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Number, timestamp, beneficiary, gas limit, base fee, mixHash, parent and its certificate's hash.
    pub header: &'a Header,
    /// What is minted.
    pub mint: &'a dyn Mint,
}

/// What running a block gave.
#[derive(Debug)]
pub struct Executed {
    /// One per transaction, in order.
    pub receipts: Vec<ReceiptEnvelope>,
    /// Gas that all transactions used.
    pub gas_used: u64,
    /// EIP-7685 requests; they have no effect beyond their hash in the header.
    pub requests: Requests,
    /// What the block mints.
    pub withdrawals: Withdrawals,
    /// What the block changed.
    pub changes: StateChanges,
}

impl Executed {
    fn new(
        result: BlockExecutionResult<ReceiptEnvelope>,
        withdrawals: Withdrawals,
        state: &mut BlockState<'_>,
    ) -> Self {
        state.merge_transitions(BundleRetention::PlainState);
        Self {
            receipts: result.receipts,
            gas_used: result.gas_used,
            requests: result.requests,
            withdrawals,
            changes: changes::from_bundle(state.take_bundle()),
        }
    }
}

/// A transaction that no block can take as the state stands: its sender has used its nonce or cannot pay for it, or no
/// block can ever take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The transaction.
    pub hash: B256,
    /// What is wrong with it.
    pub reason: String,
}

/// Where a block is full, beside its gas limit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most transactions.
    pub transactions: u64,
    /// Most bytes that the transactions may take in the block's RLP.
    pub bytes: u64,
}

/// A new block's content.
#[derive(Debug)]
pub struct Filled {
    /// The transactions that were taken, in order.
    pub transactions: Vec<Transaction>,
    /// What running them gave.
    pub executed: Executed,
    /// Transactions that can be forgotten.
    pub rejected: Vec<Rejected>,
}

/// Runs every transaction of a block; the first one that cannot run makes it invalid.
pub fn execute(
    context: &BlockContext<'_>,
    transactions: &[Transaction],
    world: World<'_>,
) -> Result<Executed, ExecutionError> {
    let failure = ReadFailure::default();
    let executed = execute_all(context, transactions, WorldReader::new(world, &failure));
    failure.check()?;
    executed
}

fn execute_all(
    context: &BlockContext<'_>,
    transactions: &[Transaction],
    world: WorldReader<'_>,
) -> Result<Executed, ExecutionError> {
    let mut state = new_state(world);
    let mut executor = executor(context, &mut state, transactions.len());
    executor.apply_pre_execution_changes().map_err(system_error)?;
    for transaction in transactions {
        executor.execute_transaction(transaction).map_err(|error| ExecutionError::InvalidTransaction {
            hash: *transaction.tx_hash(),
            reason: reason(&error),
        })?;
    }
    let withdrawals = mint(context, &mut executor);
    let (_, result) = executor.finish().map_err(system_error)?;
    Ok(Executed::new(result, withdrawals, &mut state))
}

/// Takes from `candidates`, best first and each sender's in nonce order, what fits and runs.
///
/// A candidate that cannot run now but may later (it is too large for what is left, or its sender's earlier one was
/// passed over) is left where it is; one that never can is named in [`Filled::rejected`].
pub fn fill(
    context: &BlockContext<'_>,
    limits: Limits,
    candidates: impl IntoIterator<Item = Transaction>,
    world: World<'_>,
) -> Result<Filled, ExecutionError> {
    let failure = ReadFailure::default();
    let mut state = new_state(WorldReader::new(world, &failure));
    let mut executor = executor(context, &mut state, 0);
    let started = executor.apply_pre_execution_changes();
    failure.check()?;
    started.map_err(system_error)?;

    let mut content = Content { taken: Vec::new(), rejected: Vec::new(), passed_over: BTreeSet::new() };
    let (mut gas_left, mut bytes_left) = (context.header.gas_limit, limits.bytes);
    for candidate in candidates {
        let full = content.taken.len() as u64 >= limits.transactions || gas_left < MIN_TRANSACTION_GAS;
        if full || content.passed_over.len() >= MAX_PASSED_OVER_SENDERS {
            break;
        }
        let bytes = network_bytes(&candidate);
        if content.passed_over.contains(&candidate.signer()) {
            // Its nonce cannot be the next one.
        } else if candidate.is_eip4844() {
            content.reject(candidate, "transaction type not supported".to_owned());
        } else if candidate.gas_limit() > context.header.gas_limit || bytes > limits.bytes {
            content.reject(candidate, "larger than a block".to_owned());
        } else if candidate.gas_limit() > gas_left || bytes > bytes_left {
            content.passed_over.insert(candidate.signer());
        } else {
            let outcome = executor.execute_transaction(&candidate);
            failure.check()?;
            match outcome {
                Ok(gas) => {
                    gas_left = gas_left.saturating_sub(gas.tx_gas_used());
                    bytes_left -= bytes;
                    content.taken.push(candidate);
                }
                Err(error) if may_run_later(&error) => {
                    content.passed_over.insert(candidate.signer());
                }
                Err(error) => content.reject(candidate, reason(&error)),
            }
        }
    }
    let withdrawals = mint(context, &mut executor);
    let finished = executor.finish();
    failure.check()?;
    let (_, result) = finished.map_err(system_error)?;
    let executed = Executed::new(result, withdrawals, &mut state);
    Ok(Filled { transactions: content.taken, executed, rejected: content.rejected })
}

/// What becomes of the candidates of a new block.
struct Content {
    taken: Vec<Transaction>,
    rejected: Vec<Rejected>,
    /// Senders of which a candidate had to wait, so that all their later ones have to.
    passed_over: BTreeSet<Address>,
}

impl Content {
    fn reject(&mut self, candidate: Transaction, reason: String) {
        self.rejected.push(Rejected { hash: *candidate.tx_hash(), reason });
    }
}

/// Bytes of a transaction inside a block's RLP: its EIP-2718 form with the longest string header it can have.
fn network_bytes(transaction: &Transaction) -> u64 {
    transaction.encode_2718_len() as u64 + 4
}

type BlockState<'a> = State<WorldReader<'a>>;
type Executor<'a, 'b> = EthBlockExecutor<
    'a,
    EthEvm<&'b mut BlockState<'a>, NoOpInspector, PrecompilesMap>,
    OsakaFromGenesis,
    AlloyReceiptBuilder,
>;

fn new_state(world: WorldReader<'_>) -> BlockState<'_> {
    State::builder().with_database(world).with_bundle_update().build()
}

fn executor<'a, 'b>(context: &BlockContext<'a>, state: &'b mut BlockState<'a>, count: usize) -> Executor<'a, 'b> {
    let header = context.header;
    let env = env(context.chain_id, header);
    let block = EthBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        ommers: &[],
        withdrawals: None,
        extra_data: header.extra_data.clone(),
        tx_count_hint: Some(count),
        slot_number: None,
    };
    let evm = EthEvmFactory::default().create_evm(state, env);
    EthBlockExecutor::new(evm, block, OsakaFromGenesis, AlloyReceiptBuilder::default())
}

/// What is minted follows from what ran, and is paid when the block is finished.
fn mint(context: &BlockContext<'_>, executor: &mut Executor<'_, '_>) -> Withdrawals {
    let withdrawals = context.mint.withdrawals(&executor.receipts);
    executor.ctx.withdrawals = Some(Cow::Owned(withdrawals.to_vec()));
    withdrawals
}

/// The environment that a block's transactions see.
pub(super) fn env(chain_id: u64, header: &Header) -> EvmEnv {
    EvmEnv::for_eth_block(header, OsakaFromGenesis, chain_id, Some(BlobParams::osaka()))
}

/// A failure outside of any transaction.
fn system_error(error: BlockExecutionError) -> ExecutionError {
    ExecutionError::SystemCall(error.to_string())
}

/// What is wrong with a transaction, without the executor's preamble where there is one.
fn reason(error: &BlockExecutionError) -> String {
    match error {
        BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) => error.to_string(),
        other => other.to_string(),
    }
}

/// Whether a transaction only has to wait: its sender's earlier one is missing, or the base fee may fall again.
fn may_run_later(error: &BlockExecutionError) -> bool {
    let BlockExecutionError::Validation(BlockValidationError::InvalidTx { error, .. }) = error else { return false };
    matches!(
        error.as_invalid_tx_err(),
        Some(InvalidTransaction::NonceTooHigh { .. } | InvalidTransaction::GasPriceLessThanBasefee)
    )
}
