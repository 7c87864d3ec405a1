//! Runs transactions over a state. revm and alloy-evm are named in this room only.
//!
//! Every block runs under the Osaka rules from genesis on. The room is pure: the state it reads and the block
//! it runs in come as arguments, and what it changes it returns as [`StateChanges`](crate::state::StateChanges).

mod block;
mod call;
mod changes;
mod database;
mod error;
mod fork;
mod gas;

pub use block::{BlockContext, Executed, Filled, Limits, Rejected, Transaction, execute, fill};
pub use call::{CALL_GAS_CAP, CallLimits, Simulation};
pub use database::{BlockHashes, World};
pub use error::{CallError, ExecutionError};
pub use gas::{MAX_INITCODE_BYTES, intrinsic_gas};
