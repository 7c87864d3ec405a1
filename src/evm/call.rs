//! Calls and gas estimates: transactions that are run and leave nothing.

use super::{
    block,
    database::{World, WorldError},
    error::CallError,
};
use alloy_consensus::Header;
use alloy_evm::{
    EthEvmFactory, Evm, EvmEnv, EvmFactory, IntoTxEnv,
    call::{CallError as AllowanceError, caller_gas_allowance},
    overrides::apply_state_overrides,
    rpc::TryIntoTxEnv,
};
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::{TransactionRequest, state::StateOverride};
use revm::{
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
    },
    database::State,
};

/// Most gas that a call may use. It bounds the time (about a third of a second on a Raspberry Pi 4) and, by the
/// price of memory, the memory (about 5 MiB) that one request can take.
pub const CALL_GAS_CAP: u64 = 50_000_000;

/// How close an estimate comes to the least gas that suffices, in parts per thousand; as geth has it.
const ESTIMATE_PRECISION_PERMILLE: u64 = 15;

/// Gas that an inner call gets beside what it is given when value moves (EIP-150).
const CALL_STIPEND: u64 = 2_300;

/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;

/// L.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// G.
    pub gas_cap: u64,
    /// D.
    pub deadline: std::time::Instant,
}

/// A call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallOutcome {
    /// What the code returned.
    pub output: Bytes,
    /// Gas used after refunds.
    pub gas_used: u64,
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
    /// As with other nodes the sender needs neither a key nor a balance for gas that costs nothing, and the nonce is
    /// not checked.
    pub fn call(
        &self,
        mut request: TransactionRequest,
        overrides: StateOverride,
        _limits: CallLimits,
    ) -> Result<Bytes, CallError> {
        let env = self.env(&request);
        request.gas = Some(request.gas.unwrap_or(CALL_GAS_CAP).min(CALL_GAS_CAP));
        let mut state = self.state(Some(overrides))?;
        let mut tx = tx_env(request, &env)?;
        if tx.gas_price > 0 {
            tx.gas_limit = tx.gas_limit.min(allowance(&mut state, &tx)?);
        }
        match run(&mut state, env, tx)? {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            other => Err(failure(other)),
        }
    }

    /// The least gas limit, within 1.5 %, with which the request succeeds.
    pub fn estimate_gas(
        &self,
        mut request: TransactionRequest,
        overrides: StateOverride,
        _limits: CallLimits,
    ) -> Result<u64, CallError> {
        let env = self.env(&request);
        let cap = alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA.min(self.header.gas_limit);
        let mut high = request.gas.unwrap_or(cap).min(cap);
        request.gas = Some(high);
        let mut state = self.state(Some(overrides))?;
        let mut tx = tx_env(request, &env)?;
        if tx.gas_price > 0 {
            high = high.min(allowance(&mut state, &tx)?);
        }
        let mut attempt = |gas_limit: u64| {
            tx.gas_limit = gas_limit;
            run(&mut state, env.clone(), tx.clone())
        };

        let first = attempt(high)?;
        let ExecutionResult::Success { gas, .. } = &first else {
            return Err(match first {
                ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => {
                    CallError::GasAllowance { allowance: high }
                }
                other => failure(other),
            });
        };
        // What was used is a lower bound; refunds and what inner calls hold back (EIP-150) come on top.
        let mut low = gas.tx_gas_used().saturating_sub(1);
        let spent = gas.total_gas_spent().max(gas.tx_gas_used());
        let guess = (spent + CALL_STIPEND).saturating_mul(64) / 63;
        if gas.tx_gas_used() == TRANSFER_GAS {
            return Ok(TRANSFER_GAS);
        }
        if guess < high {
            if succeeds(attempt(guess))? { high = guess } else { low = guess }
        }
        while low + 1 < high && (high - low) * 1_000 > high * ESTIMATE_PRECISION_PERMILLE {
            // Most transactions need little more than they use, so the search leans to the low side.
            let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
            if succeeds(attempt(middle))? { high = middle } else { low = middle }
        }
        Ok(high)
    }

    fn env(&self, request: &TransactionRequest) -> EvmEnv {
        let mut env = block::env(self.chain_id, self.header);
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_nonce_check = true;
        env.cfg_env.disable_block_gas_limit = true;
        env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        // Who names no price does not pay one.
        env.cfg_env.disable_base_fee = request.gas_price.is_none() && request.max_fee_per_gas.is_none();
        env
    }

    fn state(&self, overrides: Option<StateOverride>) -> Result<State<World<'a>>, CallError> {
        let mut state = State::builder().with_database(self.world).build();
        if let Some(overrides) = overrides {
            apply_state_overrides(overrides, &mut state).map_err(|error| CallError::Invalid(error.to_string()))?;
        }
        Ok(state)
    }
}

fn tx_env(request: TransactionRequest, env: &EvmEnv) -> Result<TxEnv, CallError> {
    request.try_into_tx_env(env).map_err(|error| CallError::Invalid(error.to_string()))
}

/// Gas that the sender can pay for at the price he names.
fn allowance(state: &mut State<World<'_>>, tx: &TxEnv) -> Result<u64, CallError> {
    caller_gas_allowance(state, tx).map_err(|error| match error {
        AllowanceError::Database(error) => state_error(&error),
        AllowanceError::InsufficientFunds(error) => {
            CallError::Invalid(format!("insufficient funds for gas * price + value: {error}"))
        }
    })
}

fn run(state: &mut State<World<'_>>, env: EvmEnv, tx: TxEnv) -> Result<ExecutionResult, CallError> {
    // Nothing is committed, so the same state serves the next attempt.
    let mut evm = EthEvmFactory::default().create_evm(state, env);
    match evm.transact(tx.into_tx_env()) {
        Ok(outcome) => Ok(outcome.result),
        Err(EVMError::Transaction(error)) => Err(CallError::Invalid(invalid_text(&error))),
        Err(error) => Err(state_error(&error)),
    }
}

/// Whether an attempt of the search succeeded; a limit below the intrinsic gas is a failed attempt too.
fn succeeds(attempt: Result<ExecutionResult, CallError>) -> Result<bool, CallError> {
    match attempt {
        Ok(result) => Ok(result.is_success()),
        Err(CallError::Invalid(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

fn invalid_text(error: &InvalidTransaction) -> String {
    match error {
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit }
        | InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor: initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: have {balance}, want {fee}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => "max fee per gas less than block base fee".to_owned(),
        other => other.to_string(),
    }
}

fn failure(result: ExecutionResult) -> CallError {
    match result {
        ExecutionResult::Revert { output, .. } => CallError::Reverted(output),
        ExecutionResult::Halt { reason, .. } => CallError::Halted(halt_text(&reason)),
        ExecutionResult::Success { .. } => CallError::Halted("the call succeeded".to_owned()),
    }
}

/// geth's words for the ways in which code stops abnormally.
fn halt_text(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".to_owned(),
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode => "invalid opcode".to_owned(),
        HaltReason::InvalidJump => "invalid jump destination".to_owned(),
        HaltReason::StackUnderflow => "stack underflow".to_owned(),
        HaltReason::StackOverflow => "stack limit reached 1024".to_owned(),
        HaltReason::StateChangeDuringStaticCall => "write protection".to_owned(),
        other => format!("execution stopped: {other:?}"),
    }
}

/// The state's own error, where that is what stopped a call.
fn state_error(error: &(dyn std::error::Error + 'static)) -> CallError {
    match WorldError::behind(error) {
        Some(state) => CallError::State(state),
        None => CallError::Halted(error.to_string()),
    }
}
