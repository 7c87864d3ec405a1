//! Validators, the canonical set of them, and what they sign.

use crate::{hash::blake3, params::MAX_VALIDATORS};
use alloy_primitives::{Address, B256, B512, FixedBytes};
use k256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use serde::{Deserialize, Serialize};

/// 33 bytes are not a compressed secp256k1 point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a compressed secp256k1 public key")]
pub struct ConsensusKeyError(pub FixedBytes<33>);

/// A validator's consensus key: a compressed secp256k1 point (SEC 1). It signs votes, proposals, task proofs
/// and VRF outputs, and it is never the key of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "FixedBytes<33>", into = "FixedBytes<33>")]
pub struct ConsensusKey(FixedBytes<33>);

impl ConsensusKey {
    /// Takes 33 bytes that encode a point of the curve.
    pub fn from_bytes(bytes: [u8; 33]) -> Result<Self, ConsensusKeyError> {
        Self::try_from(FixedBytes(bytes))
    }

    /// The compressed point.
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.0.0
    }

    /// The uncompressed point without its leading 0x04, as the registry contract takes it.
    pub fn to_uncompressed(&self) -> [u8; 64] {
        let mut out = [0; 64];
        // The constructor has already decoded these bytes, so the zeros cannot remain.
        if let Ok(key) = VerifyingKey::from_sec1_bytes(self.as_bytes()) {
            out.copy_from_slice(&key.to_encoded_point(false).as_bytes()[1..]);
        }
        out
    }

    /// Whether `signature` (r then s, low s) over SHA-256 of `message` was made with this key.
    pub fn verify(&self, message: &[u8], signature: &B512) -> bool {
        let (Ok(key), Ok(signature)) =
            (VerifyingKey::from_sec1_bytes(self.as_bytes()), Signature::from_slice(signature.as_slice()))
        else {
            return false;
        };
        // The twin with a high s would let anyone change a certificate's bytes without its voters.
        signature.normalize_s().is_none() && key.verify(message, &signature).is_ok()
    }
}

impl TryFrom<FixedBytes<33>> for ConsensusKey {
    type Error = ConsensusKeyError;

    fn try_from(bytes: FixedBytes<33>) -> Result<Self, ConsensusKeyError> {
        match VerifyingKey::from_sec1_bytes(bytes.as_slice()) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(ConsensusKeyError(bytes)),
        }
    }
}

impl From<ConsensusKey> for FixedBytes<33> {
    fn from(key: ConsensusKey) -> Self {
        key.0
    }
}

/// A member of the validator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validator {
    /// Address of the node's account.
    pub address: Address,
    /// The key it votes with.
    pub consensus_key: ConsensusKey,
}

/// A list of validators is not a set that a chain can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValidatorSetError {
    /// Nobody could sign.
    #[error("a validator set cannot be empty")]
    Empty,
    /// More members than any chain may have.
    #[error("{0} validators are more than {MAX_VALIDATORS}")]
    TooMany(usize),
    /// An address stands twice.
    #[error("validator {0} stands twice in the set")]
    DuplicateAddress(Address),
    /// A consensus key stands twice.
    #[error("validator {0} has the consensus key of another one")]
    DuplicateKey(Address),
    /// The members do not stand in the order that the canonical encoding has.
    #[error("the validators do not stand in the order of their addresses")]
    Unordered,
    /// Bytes that are not a whole number of members.
    #[error("{0} bytes are no canonical set of validators")]
    Length(usize),
    /// A member's key is none.
    #[error("the key of validator {address}: {source}")]
    Key {
        /// The member.
        address: Address,
        /// What is wrong with it.
        source: ConsensusKeyError,
    },
}

/// The members whose votes count at a height, in address order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Validator>", into = "Vec<Validator>")]
pub struct ValidatorSet(Vec<Validator>);

impl ValidatorSet {
    /// Bytes of a member in the canonical encoding: its address (20) and its consensus key (33).
    const MEMBER_BYTES: usize = 53;

    /// Puts the members in address order and checks that addresses and keys are used once.
    pub fn new(mut members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        members.sort_by_key(|member| member.address);
        match members.len() {
            0 => return Err(ValidatorSetError::Empty),
            count if count > MAX_VALIDATORS as usize => return Err(ValidatorSetError::TooMany(count)),
            _ => {}
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].address == pair[1].address) {
            return Err(ValidatorSetError::DuplicateAddress(pair[0].address));
        }
        let mut keys: Vec<_> = members.iter().map(|member| (member.consensus_key, member.address)).collect();
        keys.sort();
        match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(ValidatorSetError::DuplicateKey(pair[1].1)),
            None => Ok(Self(members)),
        }
    }

    /// The members in address order.
    pub fn members(&self) -> &[Validator] {
        &self.0
    }

    /// The member with this address.
    pub fn get(&self, address: &Address) -> Option<&Validator> {
        let place = self.0.binary_search_by_key(address, |member| member.address).ok()?;
        self.0.get(place)
    }

    /// Whether this many votes are more than two thirds of all.
    pub fn is_quorum(&self, votes: usize) -> bool {
        votes * 3 > self.0.len() * 2
    }

    /// Canonical bytes: per member, in address order, its address (20) and its consensus key (33).
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * Self::MEMBER_BYTES);
        for member in &self.0 {
            out.extend_from_slice(member.address.as_slice());
            out.extend_from_slice(member.consensus_key.as_bytes());
        }
        out
    }

    /// Reads [canonical bytes](Self::canonical_bytes).
    pub fn from_canonical_bytes(bytes: &[u8]) -> Result<Self, ValidatorSetError> {
        let (members, rest) = bytes.as_chunks::<{ Self::MEMBER_BYTES }>();
        if !rest.is_empty() {
            return Err(ValidatorSetError::Length(bytes.len()));
        }
        let member = |bytes: &[u8; Self::MEMBER_BYTES]| {
            let (address, key) = bytes.split_at(20);
            let (address, key) = (Address::from_slice(address), FixedBytes::from_slice(key));
            let consensus_key =
                ConsensusKey::try_from(key).map_err(|source| ValidatorSetError::Key { address, source })?;
            Ok(Validator { address, consensus_key })
        };
        members.iter().map(member).collect::<Result<Vec<_>, _>>()?.try_into()
    }

    /// BLAKE3 of the canonical bytes. A header carries the first 28 bytes of it.
    pub fn hash(&self) -> B256 {
        blake3([&self.canonical_bytes()])
    }
}

impl TryFrom<Vec<Validator>> for ValidatorSet {
    type Error = ValidatorSetError;

    /// Takes members that already stand in canonical order: what is read from a file must be what was hashed.
    fn try_from(members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        if !members.is_sorted_by_key(|member| member.address) {
            return Err(ValidatorSetError::Unordered);
        }
        Self::new(members)
    }
}

impl From<ValidatorSet> for Vec<Validator> {
    fn from(set: ValidatorSet) -> Self {
        set.0
    }
}

/// What a consensus message says about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoteKind {
    /// The leader puts a block forward; the round of the proof of lock behind it, where there is one.
    Proposal {
        /// The earlier round in which more than two thirds prevoted this block.
        pol_round: Option<u32>,
    },
    /// First vote of a round.
    Prevote,
    /// Second vote of a round. More than two thirds of these are a certificate.
    Precommit,
}

/// What a validator signs: one message for one height and round of one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Hash of the chain's genesis header, so that a vote counts on one chain only.
    pub genesis_hash: B256,
    /// Height that is voted on.
    pub height: u64,
    /// Round of that height.
    pub round: u32,
    /// What is said.
    pub kind: VoteKind,
    /// The block, or nil.
    pub block_hash: Option<B256>,
}

impl Vote {
    /// Domain tag: no other message of this or another program begins like this.
    pub const DOMAIN: [u8; 16] = *b"lucid/bft/vote/1";

    /// The bytes whose SHA-256 is signed: domain tag (16), genesis hash (32), height (8), round (4), kind (1:
    /// 0 proposal, 1 prevote, 2 precommit), block hash (32, zero for nil), and for a proposal the round of its
    /// proof of lock (8, signed, -1 for none). Integers are big-endian.
    pub fn sign_bytes(&self) -> Vec<u8> {
        let kind = match self.kind {
            VoteKind::Proposal { .. } => 0,
            VoteKind::Prevote => 1,
            VoteKind::Precommit => 2,
        };
        let mut out = Vec::with_capacity(101);
        out.extend_from_slice(&Self::DOMAIN);
        out.extend_from_slice(self.genesis_hash.as_slice());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.push(kind);
        out.extend_from_slice(self.block_hash.unwrap_or_default().as_slice());
        if let VoteKind::Proposal { pol_round } = self.kind {
            out.extend_from_slice(&pol_round.map_or(-1, i64::from).to_be_bytes());
        }
        out
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use k256::ecdsa::{SigningKey, signature::Signer};

    /// A validator with the secret key `[seed; 32]`.
    pub(crate) fn validator(seed: u8) -> (SigningKey, Validator) {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let mut bytes = [0; 33];
        bytes.copy_from_slice(key.verifying_key().to_encoded_point(true).as_bytes());
        let consensus_key = ConsensusKey::from_bytes(bytes).unwrap();
        (key, Validator { address: Address::repeat_byte(seed), consensus_key })
    }

    #[test]
    fn a_set_is_canonical_whatever_the_order_it_was_given_in() {
        let (a, b) = (validator(1).1, validator(2).1);
        let set = ValidatorSet::new(vec![b, a]).unwrap();
        assert_eq!(set, ValidatorSet::new(vec![a, b]).unwrap());
        assert_eq!(set.canonical_bytes().len(), 2 * 53);
        assert_eq!(ValidatorSet::try_from(vec![b, a]), Err(ValidatorSetError::Unordered));
    }

    #[test]
    fn only_canonical_bytes_are_read_as_a_set() {
        let set = ValidatorSet::new(vec![validator(1).1, validator(2).1]).unwrap();
        let bytes = set.canonical_bytes();
        assert_eq!(ValidatorSet::from_canonical_bytes(&bytes), Ok(set));
        let read = |bytes: &[u8]| ValidatorSet::from_canonical_bytes(bytes).unwrap_err();
        assert_eq!(read(&bytes[1..]), ValidatorSetError::Length(105));
        assert_eq!(read(&[&bytes[53..], &bytes[..53]].concat()), ValidatorSetError::Unordered);
        assert_eq!(read(&[]), ValidatorSetError::Empty);
        let no_key = [&bytes[..20], &[0; 33]].concat();
        assert!(matches!(read(&no_key), ValidatorSetError::Key { address, .. } if address == Address::repeat_byte(1)));
    }

    #[test]
    fn addresses_and_keys_are_used_once() {
        let a = validator(1).1;
        assert_eq!(ValidatorSet::new(vec![a, a]), Err(ValidatorSetError::DuplicateAddress(a.address)));
        let b = Validator { address: Address::repeat_byte(9), ..a };
        assert_eq!(ValidatorSet::new(vec![a, b]), Err(ValidatorSetError::DuplicateKey(b.address)));
        assert_eq!(ValidatorSet::new(vec![]), Err(ValidatorSetError::Empty));
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds() {
        let set = |n: u8| ValidatorSet::new((1..=n).map(|seed| validator(seed).1).collect()).unwrap();
        for (members, least) in [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (7, 5)] {
            assert!(set(members).is_quorum(least), "{least} of {members}");
            assert!(!set(members).is_quorum(least - 1), "{} of {members}", least - 1);
        }
    }

    #[test]
    fn a_signature_with_a_high_s_is_refused() {
        let (key, member) = validator(3);
        let signature: Signature = key.sign(b"message");
        let (r, s) = signature.split_scalars();
        let twin = Signature::from_scalars(r, -s).unwrap();
        let word = |signature: Signature| B512::from_slice(&signature.to_bytes());
        assert!(member.consensus_key.verify(b"message", &word(signature)));
        assert!(!member.consensus_key.verify(b"message", &word(twin)));
        assert!(!member.consensus_key.verify(b"another", &word(signature)));
    }

    #[test]
    fn what_is_signed_differs_in_every_field() {
        let base = Vote {
            genesis_hash: B256::repeat_byte(1),
            height: 1,
            round: 0,
            kind: VoteKind::Precommit,
            block_hash: Some(B256::repeat_byte(2)),
        };
        let others = [
            Vote { genesis_hash: B256::ZERO, ..base },
            Vote { height: 2, ..base },
            Vote { round: 1, ..base },
            Vote { kind: VoteKind::Prevote, ..base },
            Vote { kind: VoteKind::Proposal { pol_round: None }, ..base },
            Vote { block_hash: None, ..base },
        ];
        assert_eq!(base.sign_bytes().len(), 93);
        for other in others {
            assert_ne!(base.sign_bytes(), other.sign_bytes());
        }
    }
}
