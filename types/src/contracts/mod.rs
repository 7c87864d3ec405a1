//! The contracts that every Lucid chain holds from genesis on: where they are, how they are called, their code,
//! and the storage that one of them begins with.
//!
//! The Solidity sources and the compiled artefacts are in `contracts/` at the root of the repository. The code here
//! comes from the artefacts, and tests hold sources, artefacts and the interfaces below against each other.

mod abi;
mod genesis;
mod nodes_storage;

pub use abi::{LucidAnchors, LucidChunkStore, LucidNodes};
pub use genesis::{
    GenesisContract, LUCID_ANCHORS_ADDRESS, LUCID_CHUNK_STORE_ADDRESS, LUCID_NODES_ADDRESS, genesis_contracts,
};
pub use nodes_storage::{
    GenesisNode, REGISTRATION_DOMAIN, TASK_PROOF_BYTES, lucid_nodes_genesis_storage, registration_digest,
};
