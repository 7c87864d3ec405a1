//! Calls and gas estimates: transactions that are run and leave nothing.

use super::{
    block,
    call_error::{check_request, failure, invalid_transaction, request_error},
    database::{ReadFailure, World, WorldReader},
    deadline::Deadline,
    error::CallError,
};
use alloy_consensus::Header;
use alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA;
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory, overrides::apply_state_overrides, rpc::TryIntoTxEnv};
use alloy_primitives::{Bytes, KECCAK256_EMPTY, TxKind, U256};
use alloy_rpc_types_eth::{TransactionRequest, state::StateOverride};
use lucid_types::TransactionRefusal;
use revm::{
    Database as _,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, HaltReason, ResultGas},
    },
    database::State,
};
use std::time::Instant;

/// How close an estimate comes to the least gas that suffices, in parts per thousand; as geth has it.
const ESTIMATE_PRECISION_PERMILLE: u64 = 15;

/// Gas that an inner call gets beside what it is given when value moves (EIP-150).
const CALL_STIPEND: u64 = 2_300;

/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;

/// How much a call may take of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Most gas; a request for more is cut down to it. By the price of memory it also bounds the memory.
    pub gas_cap: u64,
    /// When the call is stopped.
    pub deadline: Instant,
}

/// The block and state that calls run on.
#[derive(Debug, Clone, Copy)]
pub struct Simulation<'a> {
    chain_id: u64,
    header: &'a Header,
    world: World<'a>,
}

impl<'a> Simulation<'a> {
    /// Calls see the state in `world` and the block fields of `header`.
    pub fn new(chain_id: u64, header: &'a Header, world: World<'a>) -> Self {
        Self { chain_id, header, world }
    }

    /// Runs a call and returns its output.
    ///
    /// As with other nodes the sender needs no key, and no balance for gas that costs nothing; the nonce is not
    /// checked. Where a price is given and no gas limit, the limit is what the sender can pay.
    pub fn call(
        &self,
        request: TransactionRequest,
        overrides: StateOverride,
        limits: CallLimits,
    ) -> Result<Bytes, CallError> {
        self.run(request, overrides, limits, |run, request| {
            let mut gas_limit = request.gas.unwrap_or(limits.gas_cap).min(limits.gas_cap);
            if request.gas.is_none() {
                gas_limit = gas_limit.min(run.allowance()?);
            }
            match run.attempt(gas_limit)? {
                ExecutionResult::Success { output, .. } => Ok(output.into_data()),
                other => Err(failure(other, gas_limit)),
            }
        })
    }

    /// The least gas limit, within 1.5 %, with which the request succeeds.
    pub fn estimate_gas(
        &self,
        request: TransactionRequest,
        overrides: StateOverride,
        limits: CallLimits,
    ) -> Result<u64, CallError> {
        self.run(request, overrides, limits, |run, request| {
            let cap = MAX_TX_GAS_LIMIT_OSAKA.min(self.header.gas_limit).min(limits.gas_cap);
            // A limit that no transaction can have is taken as none, as with geth.
            let asked = request.gas.filter(|gas| *gas >= TRANSFER_GAS).unwrap_or(cap).min(cap);
            let high = asked.min(run.allowance()?);
            if run.is_transfer()? && high >= TRANSFER_GAS && run.succeeds(TRANSFER_GAS)? {
                return Ok(TRANSFER_GAS);
            }
            let gas = run.first_attempt(high)?;
            run.search(&gas, high)
        })
    }

    /// Prepares the request, and runs it by `how`; a read that failed meanwhile goes before any answer.
    fn run<T>(
        &self,
        request: TransactionRequest,
        overrides: StateOverride,
        limits: CallLimits,
        how: impl FnOnce(&mut Run<'_>, &TransactionRequest) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let read_failure = ReadFailure::default();
        let reader = WorldReader::new(self.world, &read_failure);
        let answer = self.prepare(reader, &request, overrides, limits).and_then(|mut run| how(&mut run, &request));
        read_failure.check()?;
        answer
    }

    fn prepare<'r>(
        &self,
        reader: WorldReader<'r>,
        request: &TransactionRequest,
        overrides: StateOverride,
        limits: CallLimits,
    ) -> Result<Run<'r>, CallError> {
        check_request(request, self.chain_id)?;
        let env = self.env(request);
        let mut state = State::builder().with_database(reader).build();
        apply_state_overrides(overrides, &mut state).map_err(|error| CallError::Invalid(error.to_string()))?;
        // The limit is set anew before each attempt.
        let tx: TxEnv =
            request.clone().try_into_tx_env(&env).map_err(|e| request_error(e, request, env.block_env.basefee))?;
        let max_fee = request.max_fee_per_gas.unwrap_or(tx.gas_price);
        Ok(Run { state, env, tx, max_fee, deadline: Deadline::new(limits.deadline) })
    }

    fn env(&self, request: &TransactionRequest) -> EvmEnv {
        let mut env = block::env(self.chain_id, self.header);
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_nonce_check = true;
        env.cfg_env.disable_block_gas_limit = true;
        env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        let prices = [request.gas_price, request.max_fee_per_gas, request.max_priority_fee_per_gas];
        if prices.into_iter().flatten().all(|price| price == 0) {
            // Who names no price pays none, and as with geth his code sees a base fee of zero.
            env.cfg_env.disable_base_fee = true;
            env.block_env.basefee = 0;
        }
        env
    }
}

/// One request, ready to be run with one gas limit after another.
struct Run<'a> {
    state: State<WorldReader<'a>>,
    env: EvmEnv,
    tx: TxEnv,
    /// Most that a unit of gas may cost, in wei.
    max_fee: u128,
    deadline: Deadline,
}

impl Run<'_> {
    /// Runs the request with a gas limit. Nothing is kept, so the same state serves the next attempt.
    fn attempt(&mut self, gas_limit: u64) -> Result<ExecutionResult, CallError> {
        if self.deadline.look() {
            return Err(CallError::TimedOut);
        }
        self.tx.gas_limit = gas_limit;
        let mut evm =
            EthEvmFactory::default().create_evm_with_inspector(&mut self.state, self.env.clone(), &mut self.deadline);
        let outcome = evm.transact_raw(self.tx.clone());
        if self.deadline.stopped() {
            return Err(CallError::TimedOut);
        }
        match outcome {
            Ok(outcome) => Ok(outcome.result),
            Err(EVMError::Transaction(error)) => Err(invalid_transaction(&error, &self.tx, &self.env)),
            Err(error) => Err(CallError::Halted(error.to_string())),
        }
    }

    /// Whether the request succeeds with a gas limit; one below the intrinsic gas is a failed attempt too.
    fn succeeds(&mut self, gas_limit: u64) -> Result<bool, CallError> {
        match self.attempt(gas_limit) {
            Ok(result) => Ok(result.is_success()),
            Err(CallError::Refused(TransactionRefusal::IntrinsicGasTooLow { .. })) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Gas that the sender can pay for at the price he names; no bound where he names none.
    fn allowance(&mut self) -> Result<u64, CallError> {
        if self.max_fee == 0 {
            return Ok(u64::MAX);
        }
        let address = self.tx.caller;
        let account = self.state.basic(address).map_err(|error| CallError::Halted(error.to_string()))?;
        let (balance, value) = (account.map_or(U256::ZERO, |account| account.balance), self.tx.value);
        let left = balance.checked_sub(value).ok_or(CallError::InsufficientFunds { address, balance, cost: value })?;
        Ok((left / U256::from(self.max_fee)).saturating_to())
    }

    /// Whether this only moves value to an account without code.
    fn is_transfer(&mut self) -> Result<bool, CallError> {
        let TxKind::Call(to) = self.tx.kind else { return Ok(false) };
        if !self.tx.data.is_empty() || !self.tx.authorization_list.is_empty() {
            return Ok(false);
        }
        let account = self.state.basic(to).map_err(|error| CallError::Halted(error.to_string()))?;
        Ok(account.is_none_or(|account| account.code_hash == KECCAK256_EMPTY))
    }

    /// The gas used with the highest limit: where that does not suffice, nothing does.
    fn first_attempt(&mut self, high: u64) -> Result<ResultGas, CallError> {
        match self.attempt(high) {
            Ok(ExecutionResult::Success { gas, .. }) => Ok(gas),
            Ok(ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. })
            | Err(CallError::Refused(TransactionRefusal::IntrinsicGasTooLow { .. })) => {
                Err(CallError::GasAllowance { allowance: high })
            }
            Ok(other) => Err(failure(other, high)),
            Err(other) => Err(other),
        }
    }

    /// Narrows down the least sufficient limit between what was used and `high`, which suffices.
    fn search(&mut self, gas: &ResultGas, mut high: u64) -> Result<u64, CallError> {
        // What was used is a lower bound; refunds and what inner calls hold back (EIP-150) come on top.
        let mut low = gas.tx_gas_used().saturating_sub(1);
        let spent = gas.total_gas_spent().max(gas.tx_gas_used());
        let guess = (spent + CALL_STIPEND).saturating_mul(64) / 63;
        if guess < high {
            if self.succeeds(guess)? { high = guess } else { low = guess }
        }
        while low + 1 < high && (high - low) * 1_000 > high * ESTIMATE_PRECISION_PERMILLE {
            // Most transactions need little more than they use, so the search leans to the low side.
            let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
            if self.succeeds(middle)? { high = middle } else { low = middle }
        }
        Ok(high)
    }
}
