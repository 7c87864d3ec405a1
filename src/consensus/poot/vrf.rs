//! The VRF: who makes a block also draws, verifiably, the randomness of the next.
//!
//! ECVRF of RFC 9381 over secp256k1 with SHA-256 and try-and-increment, suite 0xFE. The RFC names no secp256k1
//! suite; everything else is as it has it for P-256, so the same code runs the RFC's own P-256 examples in the tests.
//! Earlier drafts left the public key out of the challenge and the last 0x00 out of each hash: their proofs fail here.

use alloy_primitives::B256;
use k256::{
    Secp256k1,
    elliptic_curve::{
        Curve, CurveArithmetic, FieldBytes, FieldBytesEncoding, Group, NonZeroScalar, PrimeField,
        consts::U32,
        ops::{LinearCombination, MulByGenerator, Reduce},
        point::DecompressPoint,
        sec1::{EncodedPoint, ToEncodedPoint},
        subtle::Choice,
    },
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::SecretKey;
use lucid_types::VrfProof;

/// Bytes of a compressed point (SEC 1, section 2.3.3): a tag for the parity of y, then x.
const POINT_BYTES: usize = 33;
/// Bytes of the challenge c: half of the security level's 32, as RFC 9381 section 5.5 sets `cLen`.
const CHALLENGE_BYTES: usize = 16;
/// Bytes of the scalar s.
const SCALAR_BYTES: usize = 32;
/// Bytes of a proof: the point Γ, the challenge c, the scalar s.
const PROOF_BYTES: usize = POINT_BYTES + CHALLENGE_BYTES + SCALAR_BYTES;

/// Domain separators of RFC 9381: the second byte of every hash input.
const ENCODE_TO_CURVE: u8 = 1;
const CHALLENGE: u8 = 2;
const PROOF_TO_HASH: u8 = 3;

/// What a VRF proof proves: 32 bytes that nobody could choose or foresee, and that only the key's holder could draw.
pub type VrfOutput = B256;

/// Why a VRF proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VrfError {
    /// The public key is not a compressed point of the curve.
    #[error("VRF public key is not a compressed point of the curve")]
    PublicKey,
    /// The proof's first 33 bytes are not a compressed point of the curve.
    #[error("VRF proof holds no compressed point of the curve")]
    Point,
    /// The proof's last 32 bytes are not below the order of the curve: a second writing of the same proof.
    #[error("VRF proof holds a scalar that is not below the order of the curve")]
    Scalar,
    /// The proof is well formed, and was not made with this key for this input.
    #[error("VRF proof does not belong to this key and input")]
    Mismatch,
}

/// The VRF's input for the block at `height`: the parent's mixHash, then the height in 8 bytes big-endian.
pub fn vrf_alpha(parent_mix_hash: B256, height: u64) -> [u8; 40] {
    let mut alpha = [0; 40];
    alpha[..32].copy_from_slice(parent_mix_hash.as_slice());
    alpha[32..].copy_from_slice(&height.to_be_bytes());
    alpha
}

/// Draws the output of `alpha` under `secret`, with its proof (RFC 9381 section 5.1). The same key and input give the
/// same bytes on every machine.
pub fn vrf_prove(secret: &SecretKey, alpha: &[u8]) -> (VrfProof, VrfOutput) {
    let (proof, output) = prove::<Secp256k1>(secret.scalar(), alpha);
    (VrfProof::new(proof), output)
}

/// Checks that the holder of `public_key` (compressed) made `proof` for `alpha`, and returns the output that it proves
/// (RFC 9381 section 5.3, with key validation).
///
/// # Errors
/// [`VrfError`] says which part was refused.
pub fn vrf_verify(public_key: &[u8; 33], proof: &VrfProof, alpha: &[u8]) -> Result<VrfOutput, VrfError> {
    verify::<Secp256k1>(public_key, &proof.0, alpha)
}

/// A curve with the byte that names its ciphersuite (RFC 9381 section 5.5): prime order (so the cofactor is 1 and any
/// point but infinity is a valid key), 32-byte field, SHA-256, try-and-increment.
trait Suite:
    Curve<FieldBytesSize = U32> + CurveArithmetic<AffinePoint: DecompressPoint<Self> + ToEncodedPoint<Self>>
{
    const SUITE: u8;
}

impl Suite for Secp256k1 {
    const SUITE: u8 = 0xfe;
}

/// A point of the suite's curve, as x and y.
type Affine<C> = <C as CurveArithmetic>::AffinePoint;
/// A point of the suite's curve, in the form to calculate with: going back to x and y costs an inversion.
type Point<C> = <C as CurveArithmetic>::ProjectivePoint;
/// A number modulo the order of the suite's curve.
type Scalar<C> = <C as CurveArithmetic>::Scalar;

/// Section 5.1. Steps 2 to 8 in the RFC's order; its letters are kept.
fn prove<C: Suite>(x: &NonZeroScalar<C>, alpha: &[u8]) -> ([u8; PROOF_BYTES], B256) {
    let y = encode::<C>(Point::<C>::mul_by_generator(x));
    let h_affine = hash_to_curve::<C>(y.as_bytes(), alpha);
    let (h, h_string) = (Point::<C>::from(h_affine), encode::<C>(h_affine));
    let gamma = encode::<C>(h * **x);
    let k = nonce::<C>(x, h_string.as_bytes());
    let u = encode::<C>(Point::<C>::mul_by_generator(&k));
    let v = encode::<C>(h * *k);
    let c = challenge::<C>([&y, &h_string, &gamma, &u, &v]);
    let s = *k + Scalar::<C>::from_u128(c) * **x;

    let mut proof = [0; PROOF_BYTES];
    let (head, s_string) = proof.split_at_mut(POINT_BYTES + CHALLENGE_BYTES);
    let (gamma_string, c_string) = head.split_at_mut(POINT_BYTES);
    gamma_string.copy_from_slice(gamma.as_bytes());
    c_string.copy_from_slice(&c.to_be_bytes());
    s_string.copy_from_slice(&s.to_repr());
    (proof, output::<C>(gamma.as_bytes()))
}

/// Section 5.3. Only the prover knows k, but for an honest proof U = s·B - c·Y is k·B, and V = s·H - c·Γ is k·H.
fn verify<C: Suite>(public_key: &[u8; POINT_BYTES], proof: &[u8; PROOF_BYTES], alpha: &[u8]) -> Result<B256, VrfError> {
    let gamma_string = part::<POINT_BYTES>(proof, 0);
    let c = u128::from_be_bytes(part(proof, POINT_BYTES));
    let s_string: FieldBytes<C> = part::<SCALAR_BYTES>(proof, POINT_BYTES + CHALLENGE_BYTES).into();

    let y = decode::<C>(public_key).ok_or(VrfError::PublicKey)?;
    let gamma = decode::<C>(&gamma_string).ok_or(VrfError::Point)?;
    let s = Option::<Scalar<C>>::from(Scalar::<C>::from_repr(s_string)).ok_or(VrfError::Scalar)?;

    let h = hash_to_curve::<C>(public_key, alpha);
    let minus_c = -Scalar::<C>::from_u128(c);
    let u = Point::<C>::lincomb(&Point::<C>::generator(), &s, &y.into(), &minus_c);
    let v = Point::<C>::lincomb(&h.into(), &s, &gamma.into(), &minus_c);
    let [y, h, gamma] = [y, h, gamma].map(encode::<C>);
    let expected = challenge::<C>([&y, &h, &gamma, &encode::<C>(u), &encode::<C>(v)]);
    if expected == c { Ok(output::<C>(&gamma_string)) } else { Err(VrfError::Mismatch) }
}

/// SHA-256 of suite, domain separator, parts and 0x00, the shape of every hash of RFC 9381.
fn hash<C: Suite>(domain: u8, parts: &[&[u8]]) -> [u8; 32] {
    let start = Sha256::new_with_prefix([C::SUITE, domain]);
    parts.iter().fold(start, |hash, part| hash.chain_update(part)).chain_update([0]).finalize().into()
}

/// `ECVRF_encode_to_curve_try_and_increment`, section 5.4.1.1, salted with the public key.
#[expect(clippy::expect_used, reason = "nobody can find an input that fails 256 times, each with probability 1/2")]
fn hash_to_curve<C: Suite>(public_key: &[u8], alpha: &[u8]) -> Affine<C> {
    (0..=u8::MAX)
        .find_map(|counter| {
            let x = hash::<C>(ENCODE_TO_CURVE, &[public_key, alpha, &[counter]]);
            decompress::<C>(&x, 0)
        })
        .expect("one of 256 hashes is the x of a point")
}

/// `ECVRF_challenge_generation`, section 5.4.3, of the encoded points Y, H, Γ, U and V.
fn challenge<C: Suite>(points: [&EncodedPoint<C>; 5]) -> u128 {
    let digest = hash::<C>(CHALLENGE, &points.map(EncodedPoint::<C>::as_bytes));
    u128::from_be_bytes(std::array::from_fn(|i| digest[i]))
}

/// `ECVRF_proof_to_hash`, section 5.2.
fn output<C: Suite>(gamma: &[u8]) -> B256 {
    hash::<C>(PROOF_TO_HASH, &[gamma]).into()
}

/// `ECVRF_nonce_generation_RFC6979`, section 5.4.2.1: RFC 6979 with SHA-256, the message being the encoded H. A nonce
/// that leaks or repeats gives the secret key away, so it is wiped when dropped.
#[expect(clippy::expect_used, reason = "RFC 6979 returns numbers below the order it is given")]
fn nonce<C: Suite>(x: &NonZeroScalar<C>, h_string: &[u8]) -> Zeroizing<Scalar<C>> {
    let secret = Zeroizing::new(x.to_repr());
    let order = C::ORDER.encode_field_bytes();
    let message = <Scalar<C> as Reduce<C::Uint>>::reduce_bytes(&Sha256::digest(h_string)).to_repr();
    let k = Zeroizing::new(rfc6979::generate_k::<Sha256, _>(&secret, &order, &message, &[]));
    let k: Option<Scalar<C>> = Scalar::<C>::from_repr(*k).into();
    Zeroizing::new(k.expect("the nonce is below the order"))
}

/// `point_to_string`: SEC 1, compressed. Only U and V can be the point at infinity, whose encoding is one 0x00.
fn encode<C: Suite>(point: impl Into<Affine<C>>) -> EncodedPoint<C> {
    point.into().to_encoded_point(true)
}

/// `string_to_point`. Accepts only tags 2 and 3: no infinity, no hybrid, no compact form, so a point has one encoding.
fn decode<C: Suite>(string: &[u8; POINT_BYTES]) -> Option<Affine<C>> {
    let (tag @ (2 | 3), x) = (string[0], part::<SCALAR_BYTES>(string, 1)) else {
        return None;
    };
    decompress::<C>(&x, tag & 1)
}

/// The point with this x and this parity of y, if the curve has one.
fn decompress<C: Suite>(x: &[u8; 32], y_is_odd: u8) -> Option<Affine<C>> {
    Affine::<C>::decompress(x.into(), Choice::from(y_is_odd)).into()
}

/// `N` bytes of `bytes` from `start`; the callers' constants keep it inside.
fn part<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[start + i])
}

#[cfg(test)]
mod tests;
