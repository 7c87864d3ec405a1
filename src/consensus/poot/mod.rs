//! PoOT, proof of operational tasks: work decides who leads.

mod vrf;

pub use vrf::{VrfError, VrfOutput, vrf_alpha, vrf_prove, vrf_verify};
