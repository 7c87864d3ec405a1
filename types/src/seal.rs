use crate::certificate::Certificate;
use alloy_primitives::{Address, B512, FixedBytes};
use serde::{Deserialize, Serialize};

/// A proof of a VRF output: RFC 9381, suite 0xFE, 81 bytes (point 33, challenge 16, scalar 32).
pub type VrfProof = FixedBytes<81>;

/// What consensus keeps beside a block: who made it, by what right, and who made it final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seal {
    /// Slot that the block was made in.
    pub slot: u64,
    /// Round of its height that it was made in.
    pub round: u32,
    /// The leader, as in the header's beneficiary.
    pub leader: Address,
    /// The leader's VRF proof for the header's mixHash. A `dev` chain has none: its mixHash is a hash chain.
    pub vrf_proof: Option<VrfProof>,
    /// The leader's signature (r then s) over his proposal in `round`, without a proof of lock.
    pub proposal_signature: B512,
    /// What made the block final.
    pub certificate: Certificate,
}
