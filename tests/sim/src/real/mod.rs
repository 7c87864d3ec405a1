//! A ledger of the real chain: blocks that the EVM runs, judged and committed by the node's own code, in the node's own
//! store on a disk in memory whose power is cut. Validators register, are admitted, are removed and leave by transactions,
//! and work that nodes prove decides who leads.

mod chain;
mod crafts;
mod disk;
mod forgery;
mod ledger;

pub(crate) use chain::RealChain;
pub(crate) use ledger::Real;
