//! What the two sides say of themselves in the handshake: an identity and a signature, as protocol buffers have it.

/// Tag of field 1, `identity_key`, a sequence of bytes.
const IDENTITY_KEY: u64 = (1 << 3) | BYTES;
/// Tag of field 2, `identity_sig`, a sequence of bytes.
const IDENTITY_SIGNATURE: u64 = (2 << 3) | BYTES;

/// Wire type of a number.
const NUMBER: u64 = 0;
/// Wire type of bytes with their length before them.
const BYTES: u64 = 2;

/// The identity of who speaks, and its signature over the channel's key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Payload {
    /// The public key, as libp2p encodes one.
    pub(super) identity_key: Vec<u8>,
    /// Signature by that key.
    pub(super) signature: Vec<u8>,
}

impl Payload {
    /// The bytes that are sent.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.identity_key.len() + self.signature.len() + 8);
        for (tag, field) in [(IDENTITY_KEY, &self.identity_key), (IDENTITY_SIGNATURE, &self.signature)] {
            put_number(tag, &mut bytes);
            put_number(field.len() as u64, &mut bytes);
            bytes.extend_from_slice(field);
        }
        bytes
    }

    /// Reads what was sent; `None` where it is no such message. What it does not know it skips, as the other side may
    /// be a newer one.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut payload = Self::default();
        while !bytes.is_empty() {
            let tag = take_number(&mut bytes)?;
            match tag & 7 {
                NUMBER => {
                    take_number(&mut bytes)?;
                }
                BYTES => {
                    let length = usize::try_from(take_number(&mut bytes)?).ok()?;
                    let (field, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    match tag {
                        IDENTITY_KEY => payload.identity_key = field.to_vec(),
                        IDENTITY_SIGNATURE => payload.signature = field.to_vec(),
                        _ => {}
                    }
                }
                _ => return None,
            }
        }
        Some(payload)
    }
}

fn put_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_protocol_buffers() {
        let payload = Payload { identity_key: vec![1, 2], signature: vec![3; 200] };
        assert_eq!(payload.encode(), [&hex!("0a020102" "12c801")[..], &[3; 200]].concat());
    }

    #[test]
    fn what_a_newer_node_adds_is_skipped() {
        // Field 4 (extensions), and field 9, a number.
        let bytes = hex!("2203aabbcc" "0a0107" "488001" "120108");
        assert_eq!(Payload::decode(&bytes), Some(Payload { identity_key: vec![7], signature: vec![8] }));
    }

    #[test]
    fn a_length_beyond_the_end_and_an_endless_number_are_refused() {
        assert_eq!(Payload::decode(&hex!("0a05aabb")), None);
        assert_eq!(Payload::decode(&[0xff; 32]), None);
        assert_eq!(Payload::decode(&hex!("0affffffffffffffff7f00")), None);
        assert_eq!(Payload::decode(&hex!("0d00000000")), None, "a wire type that is not used here");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(identity_key: Vec<u8>, signature: Vec<u8>) {
            let payload = Payload { identity_key, signature };
            prop_assert_eq!(Payload::decode(&payload.encode()), Some(payload));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            Payload::decode(&bytes);
        }
    }
}
