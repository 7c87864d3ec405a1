//! Keys as bytes. Two rules hold for every key type: the bytes sort as the keys do, and no key's bytes begin
//! another's. So keys can be put one after the other to make compound keys, and a leading part is a range.

use crate::schema::fields;
use alloy_primitives::{Address, FixedBytes};
use lucid_types::{AnchoringId, SessionId};
use std::fmt;

/// Bytes that are not a key of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes end inside a part of the key.
    #[error("{needed} bytes are needed and {left} are left")]
    TooShort {
        /// Bytes that the part takes.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// Bytes follow the last part.
    #[error("{0} bytes follow the key")]
    Trailing(usize),
    /// A text is not UTF-8, is not terminated, or has an unknown escape.
    #[error("the key's text is malformed")]
    Text,
    /// A part has bytes that stand for nothing.
    #[error("the bytes stand for no {0}")]
    Value(&'static str),
}

/// A key with an encoding that keeps its order and is prefix-free.
///
/// For all `a` and `b` of one type: `a < b` exactly when `encode(a) < encode(b)`, and neither encoding begins
/// the other unless they are equal. Integers are big-endian.
pub trait StoreKey: Ord + Clone + fmt::Debug + Sized {
    /// Appends the key's bytes.
    fn encode_into(&self, out: &mut Vec<u8>);

    /// Takes one key off the front of `input`.
    fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError>;

    /// The key's bytes.
    fn to_key_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        self.encode_into(&mut out);
        out
    }

    /// The key that `bytes` are, to the last byte.
    fn from_key_bytes(mut bytes: &[u8]) -> Result<Self, KeyError> {
        let key = Self::decode_from(&mut bytes)?;
        if bytes.is_empty() { Ok(key) } else { Err(KeyError::Trailing(bytes.len())) }
    }
}

/// A leading part of the key `K`, or the whole of it: its bytes are the first bytes of each such key.
pub trait KeyPrefix<K: StoreKey>: StoreKey {}

impl<K: StoreKey> KeyPrefix<K> for K {}

fn take<'a>(input: &mut &'a [u8], needed: usize) -> Result<&'a [u8], KeyError> {
    let (head, rest) = input.split_at_checked(needed).ok_or(KeyError::TooShort { needed, left: input.len() })?;
    *input = rest;
    Ok(head)
}

fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], KeyError> {
    let (head, rest) = input.split_first_chunk().ok_or(KeyError::TooShort { needed: N, left: input.len() })?;
    *input = rest;
    Ok(*head)
}

macro_rules! integer_keys {
    ($($int:ty)*) => { $(
        impl StoreKey for $int {
            fn encode_into(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
                take_array(input).map(Self::from_be_bytes)
            }
        }
    )* };
}

integer_keys!(u8 u32 u64);

impl<const N: usize> StoreKey for FixedBytes<N> {
    fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_slice());
    }

    fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
        take_array(input).map(Self)
    }
}

impl StoreKey for Address {
    fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_slice());
    }

    fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
        take_array(input).map(Self::from)
    }
}

macro_rules! uuid_keys {
    ($($id:ty = $name:literal),*) => { $(
        impl StoreKey for $id {
            fn encode_into(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }

            fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
                Self::from_bytes(take_array(input)?).map_err(|_| KeyError::Value($name))
            }
        }
    )* };
}

uuid_keys!(SessionId = "session id", AnchoringId = "anchoring id");

/// A zero byte of a text is written as these two, so that it sorts above the end of the text.
const ESCAPED_ZERO: [u8; 2] = [0x00, 0xff];
/// Ends a text: below every continuation of it.
const TEXT_END: [u8; 2] = [0x00, 0x01];

impl StoreKey for String {
    fn encode_into(&self, out: &mut Vec<u8>) {
        for (i, run) in self.as_bytes().split(|byte| *byte == 0).enumerate() {
            if i > 0 {
                out.extend_from_slice(&ESCAPED_ZERO);
            }
            out.extend_from_slice(run);
        }
        out.extend_from_slice(&TEXT_END);
    }

    fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
        let mut text = Vec::new();
        loop {
            let run = input.iter().position(|byte| *byte == 0).ok_or(KeyError::Text)?;
            text.extend_from_slice(take(input, run)?);
            match take_array(input)? {
                ESCAPED_ZERO => text.push(0),
                TEXT_END => return String::from_utf8(text).map_err(|_| KeyError::Text),
                _ => return Err(KeyError::Text),
            }
        }
    }
}

impl<A: StoreKey, B: StoreKey> StoreKey for (A, B) {
    fn encode_into(&self, out: &mut Vec<u8>) {
        self.0.encode_into(out);
        self.1.encode_into(out);
    }

    fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
        Ok((A::decode_from(input)?, B::decode_from(input)?))
    }
}

impl<A: StoreKey, B: StoreKey> KeyPrefix<(A, B)> for A {}

/// Declares a compound key: its parts' bytes in order, with each leading run of parts as a [`KeyPrefix`].
macro_rules! compound_key {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $part:ty),+ $(,)? }
        prefixes: $($prefix:ty),+
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name { $($(#[$field_doc])* pub $field: $part),+ }

        impl StoreKey for $name {
            fn encode_into(&self, out: &mut Vec<u8>) {
                $(self.$field.encode_into(out);)+
            }

            fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
                Ok(Self { $($field: StoreKey::decode_from(input)?),+ })
            }
        }

        $(impl KeyPrefix<$name> for $prefix {})+
    };
}

compound_key! {
    /// A session as one account registered it: whoever copies a session id gets a row of its own.
    SessionKey {
        /// The session.
        session_id: SessionId,
        /// Account that registered it.
        account: Address,
    }
    prefixes: SessionId
}

compound_key! {
    /// A chunk of a session as one account registered it.
    ChunkKey {
        /// The session.
        session_id: SessionId,
        /// Place of the chunk in the session, from 0.
        idx: u32,
        /// Account that registered the session.
        account: Address,
    }
    prefixes: SessionId, (SessionId, u32)
}

compound_key! {
    /// A task proof: one per slot, node and type.
    TaskProofKey {
        /// Slot that the work was done in.
        slot: u64,
        /// Address of the node.
        node_id: Address,
        /// What kind of work.
        kind: crate::records::TaskProofType,
    }
    prefixes: u64, (u64, Address)
}

compound_key! {
    /// An entity's place in the tally of an epoch.
    TallyKey {
        /// The epoch.
        epoch: u64,
        /// The pool, or the node that is in none.
        entity_id: Address,
    }
    prefixes: u64
}

compound_key! {
    /// A transaction, or its receipt, in a block.
    TransactionKey {
        /// Height of the block.
        block: u64,
        /// Place in the block, from 0.
        index: u32,
    }
    prefixes: u64
}

/// The key of a collection with a single row, `"current"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Current;

impl Current {
    pub(crate) const TEXT: &'static str = "current";
}

impl StoreKey for Current {
    fn encode_into(&self, out: &mut Vec<u8>) {
        Self::TEXT.to_owned().encode_into(out);
    }

    fn decode_from(input: &mut &[u8]) -> Result<Self, KeyError> {
        if String::decode_from(input)? == Self::TEXT { Ok(Self) } else { Err(KeyError::Value("row name")) }
    }
}

/// The first bytes above every sequence that begins with `prefix`; `None` when there are none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut out = prefix[..=last].to_vec();
    out[last] += 1;
    Some(out)
}

fields! {
    SessionKey { session_id, account }
    ChunkKey { session_id, idx, account }
    TaskProofKey { slot, node_id = "nodeId", kind = "type" }
    TallyKey { epoch, entity_id = "entityId" }
    TransactionKey { block, index }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{AnchoringStatus, TaskProofType};
    use alloy_primitives::B256;
    use proptest::prelude::*;

    fn keeps_order_and_is_prefix_free<K: StoreKey>(a: &K, b: &K) -> Result<(), TestCaseError> {
        let (bytes_a, bytes_b) = (a.to_key_bytes(), b.to_key_bytes());
        prop_assert_eq!(a.cmp(b), bytes_a.cmp(&bytes_b));
        prop_assert_eq!(a == b, bytes_a.starts_with(&bytes_b) || bytes_b.starts_with(&bytes_a));
        prop_assert_eq!(&K::from_key_bytes(&bytes_a).unwrap(), a);
        // Cut short or made longer it is no key.
        prop_assert!(K::from_key_bytes(&bytes_a[..bytes_a.len() - 1]).is_err());
        let longer = [&bytes_a[..], &[0]].concat();
        prop_assert!(K::from_key_bytes(&longer).is_err());
        Ok(())
    }

    /// Few different values, so that equal parts are met.
    fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
        prop_oneof![(0u8..3).prop_map(|byte| [byte; N]), any::<[u8; N]>()]
    }

    fn address() -> impl Strategy<Value = Address> {
        bytes::<20>().prop_map(Address::from)
    }

    fn session() -> impl Strategy<Value = SessionId> {
        bytes::<16>().prop_filter_map("the nil UUID is no id", |bytes| SessionId::from_bytes(bytes).ok())
    }

    /// Texts of the bytes that the escape is about.
    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('\u{7f}'), any::<char>()], 0..5)
            .prop_map(String::from_iter)
    }

    fn pair<S: Strategy>(strategy: impl Fn() -> S) -> (S, S) {
        (strategy(), strategy())
    }

    fn word<T: Copy + fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
        prop::sample::select(all)
    }

    macro_rules! key_properties {
        ($($name:ident: $strategy:expr;)*) => { proptest! { $(
            #[test]
            fn $name((a, b) in pair(|| $strategy)) {
                keeps_order_and_is_prefix_free(&a, &b)?;
            }
        )* } };
    }

    key_properties! {
        integers_of_8_bytes: prop_oneof![0u64..3, any::<u64>()];
        integers_of_4_bytes: prop_oneof![0u32..3, any::<u32>()];
        hashes: bytes::<32>().prop_map(B256::from);
        addresses: address();
        session_ids: session();
        texts: text();
        words: word(AnchoringStatus::ALL);
        texts_and_words: (text(), word(AnchoringStatus::ALL));
        texts_and_texts: (text(), text());
        sessions: (session(), address()).prop_map(|(session_id, account)| SessionKey { session_id, account });
        chunks: (session(), 0u32..3, address())
            .prop_map(|(session_id, idx, account)| ChunkKey { session_id, idx, account });
        task_proofs: (0u64..3, address(), word(TaskProofType::ALL))
            .prop_map(|(slot, node_id, kind)| TaskProofKey { slot, node_id, kind });
        tallies: (0u64..3, address()).prop_map(|(epoch, entity_id)| TallyKey { epoch, entity_id });
        transactions: (0u64..3, any::<u32>()).prop_map(|(block, index)| TransactionKey { block, index });
    }

    #[test]
    fn a_prefix_is_the_first_bytes_of_the_key() {
        let (session_id, account) = (SessionId::from_bytes([9; 16]).unwrap(), Address::repeat_byte(1));
        let key = ChunkKey { session_id, idx: 3, account };
        assert!(key.to_key_bytes().starts_with(&(session_id, 3u32).to_key_bytes()));
        assert!(key.to_key_bytes().starts_with(&session_id.to_key_bytes()));
    }

    #[test]
    fn the_successor_is_above_all_that_begin_so_and_not_above_more() {
        assert_eq!(successor(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(successor(&[1, 0xff, 0xff]), Some(vec![2]));
        assert_eq!(successor(&[0xff]), None);
    }

    #[test]
    fn malformed_keys_are_refused() {
        assert_eq!(u64::from_key_bytes(&[1, 2]), Err(KeyError::TooShort { needed: 8, left: 2 }));
        assert_eq!(u8::from_key_bytes(&[1, 2]), Err(KeyError::Trailing(1)));
        assert_eq!(String::from_key_bytes(b"abc"), Err(KeyError::Text));
        assert_eq!(String::from_key_bytes(&[b'a', 0, 7]), Err(KeyError::Text));
        assert_eq!(String::from_key_bytes(&[0xc0, 0, 1]), Err(KeyError::Text));
        assert_eq!(AnchoringStatus::from_key_bytes(&[5]), Err(KeyError::Value("AnchoringStatus")));
        assert_eq!(SessionId::from_key_bytes(&[0; 16]), Err(KeyError::Value("session id")));
        assert_eq!(Current::from_key_bytes(b"former\0\x01"), Err(KeyError::Value("row name")));
    }
}
