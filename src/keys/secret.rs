//! A secret key and the few things it does. Its bytes leave only for a key file and for the VRF.

use std::{fmt, io};

use alloy_primitives::{Address, B256, Signature, hex};
use k256::{
    NonZeroScalar,
    ecdsa::{self, SigningKey, signature::Signer},
};
use zeroize::Zeroizing;

use super::{InvalidSecret, KeyError};

/// Characters of a secret in text.
const HEX_DIGITS: usize = 64;

/// A secp256k1 secret key: a number from 1 to the curve's order - 1. Wiped when dropped; printing shows the public key.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Takes a key from 32 bytes big-endian.
    ///
    /// # Errors
    /// [`InvalidSecret::OutOfRange`] for zero and for numbers not below the order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidSecret> {
        SigningKey::from_bytes(bytes.into()).map(Self).map_err(|_| InvalidSecret::OutOfRange)
    }

    /// Takes a key from 64 hexadecimal digits, with or without 0x before them.
    ///
    /// # Errors
    /// [`InvalidSecret`]
    pub fn from_hex(text: &str) -> Result<Self, InvalidSecret> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let mut bytes = Zeroizing::new([0; 32]);
        // The decoder would skip a second 0x.
        if digits.len() != HEX_DIGITS || hex::decode_to_slice(digits, &mut *bytes).is_err() {
            return Err(InvalidSecret::NotHex);
        }
        Self::from_bytes(&bytes)
    }

    /// Draws a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Entropy`]
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(&mut *bytes)?;
            // All but one in 2^127 draws are in range; a repeat keeps every key equally likely.
            if let Ok(key) = Self::from_bytes(&bytes) {
                return Ok(key);
            }
        }
    }

    /// The Ethereum address: the last 20 bytes of keccak256 of the uncompressed public key.
    pub fn address(&self) -> Address {
        Address::from_private_key(&self.0)
    }

    /// The public key, compressed (SEC 1): the parity of y as 2 or 3, then x.
    pub fn public_key_compressed(&self) -> [u8; 33] {
        let point = self.0.verifying_key().to_encoded_point(true);
        std::array::from_fn(|i| point.as_bytes()[i])
    }

    /// The public key as x and y, 32 bytes each, without SEC 1's leading tag.
    pub fn public_key_uncompressed(&self) -> [u8; 64] {
        let point = self.0.verifying_key().to_encoded_point(false);
        std::array::from_fn(|i| point.as_bytes()[i + 1])
    }

    /// Signs a 32-byte hash (a transaction's) so that the signer can be recovered: low s (EIP-2), nonce of RFC 6979.
    #[expect(clippy::expect_used, reason = "fails only for r = 0 or s = 0, which no known hash gives")]
    pub fn sign_prehash_recoverable(&self, hash: B256) -> Signature {
        self.0.sign_prehash_recoverable(hash.as_slice()).expect("a 32-byte hash can be signed").into()
    }

    /// Signs the SHA-256 of a message (a vote): r and s, 32 bytes each big-endian, low s, nonce of RFC 6979.
    pub fn sign_message_sha256(&self, message: &[u8]) -> [u8; 64] {
        let signature: ecdsa::Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    /// The secret number itself, for the VRF.
    pub(crate) fn scalar(&self) -> &NonZeroScalar {
        self.0.as_nonzero_scalar()
    }

    /// Writes the line of a key file where its owner asked for it: the only way by which a secret leaves without a file
    /// of its own.
    pub fn write_line(&self, out: &mut impl io::Write) -> io::Result<()> {
        out.write_all(&*self.to_line())
    }

    /// The line of a key file: 64 hexadecimal digits and a newline.
    #[expect(clippy::expect_used, reason = "both lengths are fixed")]
    pub(super) fn to_line(&self) -> Zeroizing<[u8; HEX_DIGITS + 1]> {
        let mut line = Zeroizing::new([b'\n'; HEX_DIGITS + 1]);
        let bytes = Zeroizing::new(self.0.to_bytes());
        hex::encode_to_slice(*bytes, &mut line[..HEX_DIGITS]).expect("32 bytes are 64 digits");
        line
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(public {})", hex::encode(self.public_key_compressed()))
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;
    use k256::ecdsa::{Signature as Ecdsa, VerifyingKey, signature::Verifier};
    use proptest::prelude::*;

    use super::*;

    /// The order of secp256k1 (SEC 2, section 2.4.1).
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    fn any_key() -> impl Strategy<Value = SecretKey> {
        any::<[u8; 32]>().prop_filter_map("out of range", |bytes| SecretKey::from_bytes(&bytes).ok())
    }

    #[test]
    fn zero_and_the_order_and_above_are_no_keys() {
        assert_eq!(SecretKey::from_bytes(&[0; 32]), Err(InvalidSecret::OutOfRange));
        assert_eq!(SecretKey::from_hex(ORDER), Err(InvalidSecret::OutOfRange));
        assert_eq!(SecretKey::from_bytes(&[0xff; 32]), Err(InvalidSecret::OutOfRange));
        let largest = ORDER.replace("4141", "4140");
        assert!(SecretKey::from_hex(&largest).is_ok());
    }

    #[test]
    fn only_64_hexadecimal_digits_are_a_key() {
        let digits = "1f".repeat(32);
        assert_eq!(SecretKey::from_hex(&digits), SecretKey::from_hex(&format!("0x{digits}")));
        let upper = SecretKey::from_hex(&digits.to_uppercase());
        assert_eq!(SecretKey::from_hex(&digits), upper);
        for text in
            ["", "0x", &digits[1..], &digits.replace('f', "g"), &format!("0x0x{}", &digits[2..]), &format!("{digits}0")]
        {
            assert_eq!(SecretKey::from_hex(text), Err(InvalidSecret::NotHex), "{text:?}");
        }
    }

    #[test]
    fn printing_a_key_never_shows_it() {
        let key = SecretKey::from_bytes(&[0x5a; 32]).unwrap();
        let shown = format!("{key:?} {key:#?}");
        assert!(shown.contains(&hex::encode(key.public_key_compressed())));
        assert!(!shown.contains("5a5a5a") && !shown.contains("90, 90"));
    }

    #[test]
    fn the_generator_is_the_public_key_of_one() {
        let mut one = [0; 32];
        one[31] = 1;
        let key = SecretKey::from_bytes(&one).unwrap();
        let x = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
        assert_eq!(hex::encode(key.public_key_compressed()), format!("02{x}"));
        assert_eq!(hex::encode(key.public_key_uncompressed()), format!("{x}{y}"));
        assert_eq!(key.address(), alloy_primitives::address!("7e5f4552091a69125d5dfcb7b8c2659029395bdf"));
    }

    /// RFC 6979 has no secp256k1 vectors; this one is in wide use (key 1, message "Satoshi Nakamoto", low s).
    #[test]
    fn a_vote_signature_is_the_known_deterministic_one() {
        let mut one = [0; 32];
        one[31] = 1;
        let signature = SecretKey::from_bytes(&one).unwrap().sign_message_sha256(b"Satoshi Nakamoto");
        let expected = "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8\
                        2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5";
        assert_eq!(hex::encode(signature), expected);
    }

    #[test]
    fn two_generated_keys_differ() {
        assert_ne!(SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_key_comes_back_from_its_line(key in any_key()) {
            let line = key.to_line();
            let text = std::str::from_utf8(&*line).unwrap();
            prop_assert_eq!(text.len(), 65);
            prop_assert_eq!(SecretKey::from_hex(text.strip_suffix('\n').unwrap()).unwrap(), key);
        }

        #[test]
        fn the_signer_of_a_transaction_hash_is_recovered(key in any_key(), message: Vec<u8>) {
            let hash = keccak256(&message);
            let signature = key.sign_prehash_recoverable(hash);
            prop_assert!(signature.normalize_s().is_none());
            prop_assert_eq!(signature.recover_address_from_prehash(&hash).unwrap(), key.address());
        }

        #[test]
        fn a_vote_signature_verifies_has_low_s_and_is_deterministic(key in any_key(), message: Vec<u8>) {
            let bytes = key.sign_message_sha256(&message);
            prop_assert_eq!(bytes, key.sign_message_sha256(&message));
            let signature = Ecdsa::from_slice(&bytes).unwrap();
            prop_assert!(signature.normalize_s().is_none());
            let public = VerifyingKey::from_sec1_bytes(&key.public_key_compressed()).unwrap();
            prop_assert!(public.verify(&message, &signature).is_ok());
        }
    }
}
