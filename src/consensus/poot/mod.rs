//! PoOT: proof of operational tasks.

mod vrf;

pub use vrf::{VrfError, VrfOutput, VrfProof, vrf_alpha, vrf_prove, vrf_verify};
