use crate::validator::ValidatorSet;
use alloy_primitives::{Bytes, FixedBytes};

/// A header's extraData is not of the form that every block after genesis has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("extraData has {0} bytes; a block has 32 (web3.py refuses more)")]
pub struct ExtraDataError(pub usize);

/// The extraData of a block after genesis: 32 bytes. (That of genesis is the BLAKE3 hash of the chain spec.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtraData {
    /// The round that the block was made in: 4 bytes, big-endian.
    pub round: u32,
    /// First 28 bytes of the hash of the validator set for the next height.
    pub next_set: FixedBytes<28>,
}

impl ExtraData {
    /// For a block of `round` after which `next_set` votes.
    pub fn new(round: u32, next_set: &ValidatorSet) -> Self {
        Self { round, next_set: FixedBytes::from_slice(&next_set.hash()[..28]) }
    }

    /// The 32 bytes.
    pub fn encode(&self) -> Bytes {
        [self.round.to_be_bytes().as_slice(), self.next_set.as_slice()].concat().into()
    }

    /// Reads the 32 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, ExtraDataError> {
        let (round, next_set) = bytes.split_first_chunk::<4>().ok_or(ExtraDataError(bytes.len()))?;
        let next_set = FixedBytes::try_from(next_set).map_err(|_| ExtraDataError(bytes.len()))?;
        Ok(Self { round: u32::from_be_bytes(*round), next_set })
    }

    /// Whether `set` is the one that this block names for the next height.
    pub fn names(&self, set: &ValidatorSet) -> bool {
        self.next_set.as_slice() == &set.hash()[..28]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::tests::validator;

    #[test]
    fn round_and_set_round_trip_in_32_bytes() {
        let set = ValidatorSet::new(vec![validator(1).1]).unwrap();
        let extra = ExtraData::new(7, &set);
        let bytes = extra.encode();
        assert_eq!(bytes.len(), 32);
        assert_eq!(ExtraData::decode(&bytes), Ok(extra));
        assert!(extra.names(&set));
        assert!(!extra.names(&ValidatorSet::new(vec![validator(2).1]).unwrap()));
        assert_eq!(ExtraData::decode(&bytes[..31]), Err(ExtraDataError(31)));
        assert_eq!(ExtraData::decode(&[0; 33]), Err(ExtraDataError(33)));
        assert_eq!(ExtraData::decode(&[0; 3]), Err(ExtraDataError(3)));
    }
}
