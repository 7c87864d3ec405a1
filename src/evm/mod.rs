//! Runs transactions over a state. revm and alloy-evm are named in this room only.
//!
//! Every block runs under the Osaka rules from genesis on. The room is pure: the state it reads and the block
//! it runs in come as arguments, and what it changes it returns as [`StateChanges`](crate::state::StateChanges).
//! Only a call that nobody votes on looks at a clock, so that it ends in time. A state that cannot be read is an error
//! of its own and never a verdict on a block, a transaction or a call.

mod block;
mod call;
mod call_error;
mod changes;
mod database;
mod deadline;
mod error;
mod fork;
mod gas;
mod precompiles;

#[cfg(test)]
mod tests;

pub use block::{BlockContext, Executed, Filled, Limits, Mint, Rejected, Transaction, execute, fill};
pub use call::{CallLimits, Simulation};
pub use database::{BlockHashes, World};
pub use error::{CallError, ExecutionError};
pub use gas::{MAX_INITCODE_BYTES, intrinsic_gas};
pub use precompiles::precompile_name;
