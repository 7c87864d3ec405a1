//! What tests need of the world below a store: a disk whose power is cut at any write, sync or renaming. Only with the
//! feature `testing`, so that no node has it.

mod power_cut;
mod random;
mod survival;

pub use power_cut::PowerCut;
pub(crate) use power_cut::PowerCutFile;
pub use random::Random;
