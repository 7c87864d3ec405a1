//! The one place where records become bytes: bincode behind an envelope that says which version of the record
//! it is, where the row comes from, and which batch wrote it.
//!
//! Envelope: version (1 byte), origin (1 byte), sequence (8 bytes, big-endian), then the bincode body.

use alloy_primitives::U256;
use bincode::{
    config::{self, Configuration, Limit, LittleEndian, Varint},
    enc::write::Writer,
    error::EncodeError,
};
use serde::{Serialize, de::DeserializeOwned};

/// Most bytes of one record's body. The largest are an anchoring with its signed transactions (16,384 chunks at
/// 80 bytes) and a transaction at the size of a block (1 MiB).
pub const MAX_RECORD_BYTES: usize = 8 << 20;

/// Bound on what a decoder claims: it reserves the full width of an integer before it reads a short one, so this
/// is eight times the bytes that a record may have.
const DECODE_LIMIT_BYTES: usize = 8 * MAX_RECORD_BYTES;

/// Bytes before the body.
pub(crate) const ENVELOPE_BYTES: usize = 10;

type CodecConfig = Configuration<LittleEndian, Varint, Limit<DECODE_LIMIT_BYTES>>;

const CONFIG: CodecConfig = config::standard().with_limit::<DECODE_LIMIT_BYTES>();

/// A record that lies in a collection.
pub trait Record: Serialize + DeserializeOwned {
    /// Version of the record's body. It rises with every change of the encoding, however small.
    const VERSION: u8;

    /// The record whose body an older version wrote; `None` where there was no such version.
    fn from_older(_version: u8, _body: &[u8]) -> Option<Result<Self, RecordError>> {
        None
    }
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// From final blocks: the same on every node, and made again from them.
    Chain = 1,
    /// Chain fields that are the same everywhere, beside fields that exist only here.
    Mixed = 2,
    /// Exists only here; what a backup saves.
    Local = 3,
    /// Taken over from another database. It lies apart and never meets a chain row.
    Import = 4,
}

impl Origin {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Chain, Self::Mixed, Self::Local, Self::Import].into_iter().find(|origin| *origin as u8 == byte)
    }
}

/// Why bytes are not a record, or a record does not become bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The value is shorter than an envelope.
    #[error("{0} bytes are no envelope")]
    TooShort(usize),
    /// Another version of this program wrote the record.
    #[error("version {found} of the record is unknown; this program knows version {known}")]
    UnknownVersion {
        /// Version in the envelope.
        found: u8,
        /// Version that this program writes.
        known: u8,
    },
    /// The envelope's origin stands for nothing.
    #[error("origin {0} is unknown")]
    UnknownOrigin(u8),
    /// The record is too large to be stored.
    #[error("{bytes} bytes are more than the {MAX_RECORD_BYTES} that a record may have")]
    TooLarge {
        /// Bytes of its body.
        bytes: usize,
    },
    /// The record does not encode.
    #[error("the record does not encode: {0}")]
    Encode(String),
    /// The body is not this record.
    #[error("the body does not decode: {0}")]
    Decode(String),
    /// Bytes follow the record.
    #[error("{0} bytes follow the record")]
    Trailing(usize),
}

/// A record with what its envelope says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<R> {
    /// The record.
    pub record: R,
    /// Where the row comes from.
    pub origin: Origin,
    /// Sequence of the batch that last wrote it.
    pub sequence: u64,
}

impl<R: Record> Stored<R> {
    /// The bytes of the row: envelope and body.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        encode(&self.record, self.origin, self.sequence)
    }

    /// The row that `bytes` are, to the last byte.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        decode(bytes)
    }
}

struct Body<'a>(&'a mut Vec<u8>);

impl Writer for Body<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Envelope and body of a record.
pub(crate) fn encode<R: Record>(record: &R, origin: Origin, sequence: u64) -> Result<Vec<u8>, RecordError> {
    let mut out = Vec::new();
    encode_into(&mut out, record, origin, sequence)?;
    Ok(out)
}

/// Envelope and body of a record in place of what `out` held: a buffer that is used again and again takes no memory
/// for each record.
pub(crate) fn encode_into<R: Record>(
    out: &mut Vec<u8>,
    record: &R,
    origin: Origin,
    sequence: u64,
) -> Result<(), RecordError> {
    out.clear();
    out.push(R::VERSION);
    out.push(origin as u8);
    out.extend_from_slice(&sequence.to_be_bytes());
    bincode::serde::encode_into_writer(record, Body(out), CONFIG)
        .map_err(|error| RecordError::Encode(error.to_string()))?;
    let bytes = out.len() - ENVELOPE_BYTES;
    if bytes > MAX_RECORD_BYTES { Err(RecordError::TooLarge { bytes }) } else { Ok(()) }
}

/// What the envelope says, and the body.
fn open(value: &[u8]) -> Result<(u8, Origin, u64, &[u8]), RecordError> {
    let (&[version, origin, ref sequence @ ..], body) =
        value.split_first_chunk::<ENVELOPE_BYTES>().ok_or(RecordError::TooShort(value.len()))?;
    let origin = Origin::from_byte(origin).ok_or(RecordError::UnknownOrigin(origin))?;
    Ok((version, origin, u64::from_be_bytes(*sequence), body))
}

/// The record behind a stored value.
pub(crate) fn decode<R: Record>(value: &[u8]) -> Result<Stored<R>, RecordError> {
    let (version, origin, sequence, body) = open(value)?;
    let record = if version == R::VERSION {
        decode_body(body)?
    } else {
        let unknown = RecordError::UnknownVersion { found: version, known: R::VERSION };
        R::from_older(version, body).unwrap_or(Err(unknown))?
    };
    Ok(Stored { record, origin, sequence })
}

/// What a body holds, to its last byte.
pub(crate) fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, RecordError> {
    let (value, read) = bincode::serde::borrow_decode_from_slice(body, CONFIG)
        .map_err(|error| RecordError::Decode(error.to_string()))?;
    if read != body.len() {
        return Err(RecordError::Trailing(body.len() - read));
    }
    Ok(value)
}

/// Sequence of the batch that wrote a stored value.
pub(crate) fn sequence_of(value: &[u8]) -> Result<u64, RecordError> {
    open(value).map(|(_, _, sequence, _)| sequence)
}

/// Whether two stored values differ at most in the batch that wrote them.
pub(crate) fn same_row(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.get(..2) == b.get(..2) && a.get(ENVELOPE_BYTES..) == b.get(ENVELOPE_BYTES..)
}

/// `#[serde(with = "bytes")]`: a byte string as its length and its bytes, where serde would go byte by byte.
pub(crate) mod bytes {
    use serde::{Deserializer, Serializer, de};
    use std::fmt;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }

        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// `#[serde(with = "session_id")]`: the UUID's 16 bytes, where its own serde form is text.
pub(crate) mod session_id {
    use lucid_types::SessionId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(id: &SessionId, serializer: S) -> Result<S::Ok, S::Error> {
        id.as_bytes().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SessionId, D::Error> {
        SessionId::from_bytes(<[u8; 16]>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// `#[serde(with = "amount")]`: a 256-bit number as its big-endian bytes without leading zeros.
pub(crate) mod amount {
    use super::U256;
    use serde::{Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(amount: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = amount.to_be_bytes::<32>();
        serializer.serialize_bytes(&bytes[amount.leading_zeros() / 8..])
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        let bytes = super::bytes::deserialize(deserializer)?;
        // One number has one encoding, so that equal records are equal bytes.
        if bytes.len() > 32 || bytes.first() == Some(&0) {
            return Err(D::Error::custom("not a 256-bit number without leading zeros"));
        }
        Ok(U256::from_be_slice(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        records::{
            AccountRecord, ChunkRecord, MerkleTreeRecord, ParamRecord, PeerRecord, SessionAnchoringRecord,
            SignedTransaction,
        },
        samples::{Sample, hash},
        tables::sample_values,
    };
    use alloy_primitives::hex;

    /// One line per record: collection and version, then the stored bytes of its sample.
    const GOLDEN: &str = include_str!("../testdata/golden.txt");

    /// Lines that were in it once, of versions that are read and written no more.
    const OLDER: &str = include_str!("../testdata/golden-older.txt");

    #[test]
    fn stored_bytes_of_every_record_are_the_golden_ones() {
        let mut now = String::new();
        for (name, value) in sample_values() {
            now += &format!("{name} v{} {}\n", value[0], hex::encode(&value));
        }
        assert_eq!(GOLDEN, now, "the encoding changed: raise VERSION and keep reading the old one");
    }

    #[test]
    fn records_of_older_versions_are_read() {
        for line in OLDER.lines() {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let value = hex::decode(value).unwrap();
            match name {
                "peers v1" => {
                    let read = decode::<PeerRecord>(&value).unwrap();
                    assert_eq!(read.record, PeerRecord { ban_reason: None, ..Sample::sample() });
                    assert_eq!(decode::<PeerRecord>(&[&value[..], &[0]].concat()), Err(RecordError::Trailing(1)));
                }
                other => panic!("nobody reads {other}"),
            }
        }
    }

    #[test]
    fn a_record_of_another_version_is_refused_with_both_versions() {
        let mut value = encode(&ParamRecord::sample(), Origin::Chain, 1).unwrap();
        value[0] = 9;
        let refused = decode::<ParamRecord>(&value).unwrap_err();
        assert_eq!(refused, RecordError::UnknownVersion { found: 9, known: 1 });
    }

    #[test]
    fn damaged_values_are_refused() {
        let value = encode(&ChunkRecord::sample(), Origin::Mixed, 1).unwrap();
        for length in 0..value.len() {
            assert!(decode::<ChunkRecord>(&value[..length]).is_err(), "{length} bytes");
        }
        let longer = [&value[..], &[0]].concat();
        assert_eq!(decode::<ChunkRecord>(&longer), Err(RecordError::Trailing(1)));
        let mut origin = value.clone();
        origin[1] = 0;
        assert_eq!(decode::<ChunkRecord>(&origin), Err(RecordError::UnknownOrigin(0)));
        // A length of 2^62 bytes must not be reserved.
        let mut huge = value[..ENVELOPE_BYTES].to_vec();
        huge.extend_from_slice(&[1, 253, 0, 0, 0, 0, 0, 0, 0, 0x40]);
        assert!(matches!(decode::<ChunkRecord>(&huge), Err(RecordError::Decode(_))));
    }

    #[test]
    fn what_can_be_written_can_be_read_up_to_the_bound() {
        let tree = |bytes| MerkleTreeRecord { leaves: vec![1; bytes], ..Sample::sample() };
        let overhead = encode(&tree(70_000), Origin::Local, 1).unwrap().len() - ENVELOPE_BYTES - 70_000;
        let largest = tree(MAX_RECORD_BYTES - overhead);
        let value = encode(&largest, Origin::Local, 1).unwrap();
        assert_eq!(decode::<MerkleTreeRecord>(&value).unwrap().record, largest);
        let refused = encode(&tree(MAX_RECORD_BYTES - overhead + 1), Origin::Local, 1).unwrap_err();
        assert_eq!(refused, RecordError::TooLarge { bytes: MAX_RECORD_BYTES + 1 });
        // Many short parts claim the most per byte.
        let transaction = SignedTransaction { hash: hash(1), nonce: 1, raw: vec![] };
        let many = SessionAnchoringRecord { transactions: vec![transaction; 200_000], ..Sample::sample() };
        let value = encode(&many, Origin::Local, 1).unwrap();
        assert_eq!(decode::<SessionAnchoringRecord>(&value).unwrap().record, many);
    }

    #[test]
    fn an_account_without_code_takes_few_bytes() {
        let account = AccountRecord {
            nonce: 5,
            balance: U256::from(10).pow(U256::from(18)),
            code_hash: alloy_primitives::KECCAK256_EMPTY,
            storage_root: alloy_primitives::keccak256([0x80]),
        };
        let value = encode(&account, Origin::Chain, 1).unwrap();
        assert_eq!(value.len(), ENVELOPE_BYTES + 12);
        assert_eq!(decode::<AccountRecord>(&value).unwrap().record, account);
        for balance in [U256::ZERO, U256::MAX] {
            let account = AccountRecord { balance, ..account };
            let value = encode(&account, Origin::Chain, 1).unwrap();
            assert_eq!(decode::<AccountRecord>(&value).unwrap().record, account);
        }
    }

    #[test]
    fn only_the_batch_may_differ_in_the_same_row() {
        let encode =
            |value: &str, origin, sequence| encode(&ParamRecord { value: value.into() }, origin, sequence).unwrap();
        let row = encode("a", Origin::Chain, 1);
        assert!(same_row(&row, &encode("a", Origin::Chain, 2)));
        assert!(!same_row(&row, &encode("b", Origin::Chain, 1)));
        assert!(!same_row(&row, &encode("a", Origin::Import, 1)));
    }
}
