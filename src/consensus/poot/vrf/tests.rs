//! The RFC's and others' vectors, and what a forger would try.

use alloy_primitives::{b256, hex};
use k256::{U256, elliptic_curve::bigint::Encoding};
use p256::NistP256;
use proptest::prelude::*;

use super::*;

impl Suite for NistP256 {
    const SUITE: u8 = 0x01;
}

/// A line of a vector file.
struct Vector {
    secret: [u8; 32],
    public_key: [u8; 33],
    alpha: Vec<u8>,
    proof: [u8; 81],
    output: B256,
}

fn vectors(file: &str) -> Vec<Vector> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let columns = lines.map(|line| line.split(' ').map(|column| hex::decode(column).unwrap()).collect::<Vec<_>>());
    let vector = |columns: Vec<Vec<u8>>| Vector {
        secret: columns[0][..].try_into().unwrap(),
        public_key: columns[1][..].try_into().unwrap(),
        alpha: columns[2].clone(),
        proof: columns[3][..].try_into().unwrap(),
        output: B256::from_slice(&columns[4]),
    };
    columns.map(vector).collect()
}

fn secp256k1_vectors() -> Vec<Vector> {
    vectors(include_str!("../vectors/secp256k1_rfc9381.txt"))
}

fn assert_proves_and_verifies<C: Suite>(vector: &Vector) {
    let secret = Option::from(NonZeroScalar::<C>::from_repr(vector.secret.into())).unwrap();
    assert_eq!(prove::<C>(&secret, &vector.alpha), (vector.proof, vector.output));
    assert_eq!(verify::<C>(&vector.public_key, &vector.proof, &vector.alpha), Ok(vector.output));
}

/// One vector's key, public key, alpha and proof.
fn sample() -> (SecretKey, [u8; 33], Vec<u8>, [u8; 81]) {
    let vector = secp256k1_vectors().swap_remove(6);
    (SecretKey::from_bytes(&vector.secret).unwrap(), vector.public_key, vector.alpha, vector.proof)
}

#[test]
fn the_examples_of_rfc_9381_on_p256_come_out() {
    let examples = vectors(include_str!("../vectors/p256_rfc9381.txt"));
    assert_eq!(examples.len(), 3);
    examples.iter().for_each(assert_proves_and_verifies::<NistP256>);
}

#[test]
fn the_45_published_secp256k1_vectors_come_out() {
    let vectors = secp256k1_vectors();
    assert_eq!(vectors.len(), 45);
    vectors.iter().for_each(assert_proves_and_verifies::<Secp256k1>);
}

#[test]
fn proofs_of_draft_05_are_refused() {
    let vectors = vectors(include_str!("../vectors/secp256k1_draft05.txt"));
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        // The key is the one the proof was made with, and the proof is whole: its output is the draft's hash of its
        // point, without the RFC's last 0x00. So it is the draft's rules that are refused, and not a misprint.
        let secret = SecretKey::from_bytes(&vector.secret).unwrap();
        assert_eq!(secret.public_key_compressed(), vector.public_key);
        let draft_output = Sha256::new_with_prefix([0xfe, 3]).chain_update(&vector.proof[..33]).finalize();
        assert_eq!(vector.output[..], draft_output[..]);

        let refused = vrf_verify(&vector.public_key, &VrfProof::new(vector.proof), &vector.alpha);
        assert_eq!(refused, Err(VrfError::Mismatch));
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    let (_, public_key, alpha, proof) = sample();
    for bit in 0..PROOF_BYTES * 8 {
        let mut flipped = proof;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(vrf_verify(&public_key, &VrfProof::new(flipped), &alpha).is_err(), "bit {bit}");
    }
}

#[test]
fn another_key_and_another_input_are_refused() {
    let (_, public_key, mut alpha, proof) = sample();
    let stranger = SecretKey::from_bytes(&[9; 32]).unwrap().public_key_compressed();
    assert_eq!(vrf_verify(&stranger, &VrfProof::new(proof), &alpha), Err(VrfError::Mismatch));
    alpha.push(0);
    assert_eq!(vrf_verify(&public_key, &VrfProof::new(proof), &alpha), Err(VrfError::Mismatch));
}

/// k256 reads the compact form (tag 5) and 33 zero bytes as points too; one proof must have one encoding.
#[test]
fn a_point_with_any_other_tag_is_refused() {
    let (_, public_key, alpha, proof) = sample();
    for tag in (0..=u8::MAX).filter(|tag| ![2, 3].contains(tag)) {
        let (mut bad_key, mut bad_proof) = (public_key, proof);
        (bad_key[0], bad_proof[0]) = (tag, tag);
        assert_eq!(vrf_verify(&bad_key, &VrfProof::new(proof), &alpha), Err(VrfError::PublicKey));
        assert_eq!(vrf_verify(&public_key, &VrfProof::new(bad_proof), &alpha), Err(VrfError::Point));
    }
}

#[test]
fn the_point_at_infinity_is_refused_as_key_and_as_point() {
    let (_, public_key, alpha, mut proof) = sample();
    assert_eq!(vrf_verify(&[0; 33], &VrfProof::new(proof), &alpha), Err(VrfError::PublicKey));
    proof[..33].fill(0);
    assert_eq!(vrf_verify(&public_key, &VrfProof::new(proof), &alpha), Err(VrfError::Point));
    assert!(vrf_verify(&[0; 33], &VrfProof::new([0; 81]), &alpha).is_err());
}

#[test]
fn an_x_that_is_no_point_or_not_below_the_prime_is_refused() {
    let (_, public_key, alpha, mut proof) = sample();
    // No point of secp256k1 has x = 5. One has x = 1, and the prime + 1 would be a second writing of it.
    let mut no_point = [0; 33];
    (no_point[0], no_point[32]) = (2, 5);
    assert_eq!(vrf_verify(&no_point, &VrfProof::new(proof), &alpha), Err(VrfError::PublicKey));
    proof[1..33].copy_from_slice(b256!("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc30").as_slice());
    assert_eq!(vrf_verify(&public_key, &VrfProof::new(proof), &alpha), Err(VrfError::Point));
}

/// s and s + order are one number: accepting both would let anyone rewrite a proof. With the key 1 and the nonce 1,
/// s = c + 1 is small enough for s + order to fit in 32 bytes, so the rewritten proof is wrong in nothing else.
#[test]
fn a_scalar_not_below_the_order_is_refused() {
    let alpha = b"sample";
    let generator = encode::<Secp256k1>(k256::ProjectivePoint::GENERATOR);
    let public_key = part::<33>(generator.as_bytes(), 0);
    let h = encode::<Secp256k1>(hash_to_curve::<Secp256k1>(&public_key, alpha));
    let c = challenge::<Secp256k1>([&generator, &h, &h, &generator, &h]);
    let s = U256::from(c).wrapping_add(&U256::ONE);
    let same_s = s.wrapping_add(&Secp256k1::ORDER);
    assert!(same_s > Secp256k1::ORDER, "the sum fits in 32 bytes");

    let proof_with = |s: U256| {
        let bytes = [h.as_bytes(), &c.to_be_bytes(), &s.to_be_bytes()].concat();
        VrfProof::new(bytes.try_into().unwrap())
    };
    assert!(vrf_verify(&public_key, &proof_with(s), alpha).is_ok());
    assert_eq!(vrf_verify(&public_key, &proof_with(same_s), alpha), Err(VrfError::Scalar));
    assert_eq!(vrf_verify(&public_key, &proof_with(Secp256k1::ORDER), alpha), Err(VrfError::Scalar));
    assert_eq!(vrf_verify(&public_key, &proof_with(U256::MAX), alpha), Err(VrfError::Scalar));
}

#[test]
fn the_input_is_mix_hash_then_height_big_endian() {
    let alpha = vrf_alpha(B256::repeat_byte(0xab), 0x0102);
    assert_eq!(alpha[..32], [0xab; 32]);
    assert_eq!(alpha[32..], [0, 0, 0, 0, 0, 0, 1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_proven_verifies_and_nobody_else_proves_it(secret: [u8; 32], other: [u8; 32], mix: [u8; 32], height: u64) {
        let (Ok(secret), Ok(other)) = (SecretKey::from_bytes(&secret), SecretKey::from_bytes(&other)) else {
            return Ok(());
        };
        let alpha = vrf_alpha(mix.into(), height);
        let (proof, output) = vrf_prove(&secret, &alpha);
        prop_assert_eq!(vrf_prove(&secret, &alpha), (proof, output));
        prop_assert_eq!(vrf_verify(&secret.public_key_compressed(), &proof, &alpha), Ok(output));

        let next = vrf_alpha(mix.into(), height.wrapping_add(1));
        prop_assert_eq!(vrf_verify(&secret.public_key_compressed(), &proof, &next), Err(VrfError::Mismatch));
        prop_assert_ne!(vrf_prove(&secret, &next).1, output);
        prop_assert_ne!(vrf_prove(&other, &alpha).1, output);
        prop_assert_eq!(vrf_verify(&other.public_key_compressed(), &proof, &alpha), Err(VrfError::Mismatch));
    }

    #[test]
    fn bytes_out_of_nowhere_never_verify_nor_panic(public_key in any::<[u8; 32]>(), halves: ([u8; 32], [u8; 32], [u8; 16]), alpha: Vec<u8>) {
        let mut key = [2; 33];
        key[1..].copy_from_slice(&public_key);
        let mut proof = [3; 81];
        proof[1..33].copy_from_slice(&halves.0);
        proof[33..65].copy_from_slice(&halves.1);
        proof[65..].copy_from_slice(&halves.2);
        prop_assert!(vrf_verify(&key, &VrfProof::new(proof), &alpha).is_err());
    }
}
