//! What a header must be, given its parent: everything that does not need the block to be run.

use super::error::Invalid;
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, Sealed};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_primitives::{B64, U256};
use lucid_types::{ChainSpec, ExtraData};

/// Base fee of the block after `parent`, in wei (EIP-1559, without a floor).
pub fn next_base_fee(parent: &Header) -> u64 {
    parent.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default()
}

/// The fields of a header that are the same in every block of the chain or follow from the parent alone.
///
/// [`super::build`] begins from this, and [`check`] asks for the same.
pub(super) fn skeleton(spec: &ChainSpec, parent: &Sealed<Header>) -> Header {
    Header {
        parent_hash: parent.hash(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        difficulty: U256::ZERO,
        number: parent.number + 1,
        gas_limit: spec.parameters.block_gas_limit,
        nonce: B64::ZERO,
        base_fee_per_gas: Some(next_base_fee(parent)),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        ..Header::default()
    }
}

/// Checks a header against its parent.
///
/// What consensus gives (beneficiary, mixHash, the certificate's hash, round and next set) is only checked for its
/// form; the roots and gas are checked when the block has been run.
pub fn check(spec: &ChainSpec, parent: &Sealed<Header>, header: &Header) -> Result<(), Invalid> {
    let expected = skeleton(spec, parent);
    equal("parentHash", header.parent_hash, expected.parent_hash)?;
    equal("sha3Uncles", header.ommers_hash, expected.ommers_hash)?;
    equal("difficulty", header.difficulty, expected.difficulty)?;
    equal("number", header.number, expected.number)?;
    equal("gasLimit", header.gas_limit, expected.gas_limit)?;
    equal("nonce", header.nonce, expected.nonce)?;
    optional("baseFeePerGas", header.base_fee_per_gas, expected.base_fee_per_gas)?;
    optional("blobGasUsed", header.blob_gas_used, expected.blob_gas_used)?;
    optional("excessBlobGas", header.excess_blob_gas, expected.excess_blob_gas)?;
    // Fields of forks after Osaka.
    optional("blockAccessListHash", header.block_access_list_hash, None)?;
    optional("slotNumber", header.slot_number, None)?;
    if header.parent_beacon_block_root.is_none() {
        return Err(Invalid::field("parentBeaconBlockRoot", "absent", "a hash"));
    }
    let slots = spec.slots();
    // Both are slot starts, so a later timestamp is a later slot.
    if header.timestamp <= parent.timestamp || !slots.is_slot_start(header.timestamp) {
        return Err(Invalid::Timestamp { timestamp: header.timestamp, parent_timestamp: parent.timestamp });
    }
    ExtraData::decode(&header.extra_data)?;
    Ok(())
}

/// A field must have one value.
pub(super) fn equal<T: PartialEq + ToString>(field: &'static str, found: T, expected: T) -> Result<(), Invalid> {
    if found == expected { Ok(()) } else { Err(Invalid::field(field, found, expected)) }
}

/// A field that later forks added must be there and have one value.
pub(super) fn optional<T>(field: &'static str, found: Option<T>, expected: Option<T>) -> Result<(), Invalid>
where
    T: PartialEq + ToString,
{
    if found == expected {
        return Ok(());
    }
    let text = |value: Option<T>| value.map_or_else(|| "absent".to_owned(), |value| value.to_string());
    Err(Invalid::field(field, text(found), text(expected)))
}
