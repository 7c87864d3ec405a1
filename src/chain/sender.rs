//! Who signed a transaction: its sender, recovered from the signature by libsecp256k1 or, without the feature
//! `secp256k1`, by k256. A block of a thousand transactions spends most of its time here.

use alloy_consensus::TxEnvelope;
use alloy_primitives::{Address, B256, Signature};

/// The sender of a transaction; nothing where the signature is none, has a high s (EIP-2), or is of a blob transaction,
/// which this chain has not.
pub fn recover_sender(transaction: &TxEnvelope) -> Option<Address> {
    if transaction.is_eip4844() {
        return None;
    }
    recover_signer(transaction.signature_hash(), transaction.signature())
}

/// The address of the key that signed `hash`; nothing where the signature is none or has a high s (EIP-2).
pub fn recover_signer(hash: B256, signature: &Signature) -> Option<Address> {
    match signature.normalize_s() {
        Some(_) => None,
        None => recover(hash, signature),
    }
}

#[cfg(feature = "secp256k1")]
fn recover(hash: B256, signature: &Signature) -> Option<Address> {
    use secp256k1::{
        Message, Secp256k1, VerifyOnly,
        ecdsa::{RecoverableSignature, RecoveryId},
    };
    use std::sync::LazyLock;

    static CONTEXT: LazyLock<Secp256k1<VerifyOnly>> = LazyLock::new(Secp256k1::verification_only);

    let recovery_id = RecoveryId::from_u8_masked(u8::from(signature.v()));
    let [r, s] = [signature.r(), signature.s()].map(|number| number.to_be_bytes::<32>());
    let signature = RecoverableSignature::from_compact([r, s].as_flattened(), recovery_id).ok()?;
    let key = CONTEXT.recover_ecdsa(Message::from_digest(hash.0), &signature).ok()?;
    // The first byte says that both coordinates follow.
    Some(Address::from_raw_public_key(&key.serialize_uncompressed()[1..]))
}

#[cfg(not(feature = "secp256k1"))]
fn recover(hash: B256, signature: &Signature) -> Option<Address> {
    signature.recover_address_from_prehash(&hash).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tx, account};
    use alloy_consensus::{SignableTransaction, TxLegacy};
    use alloy_primitives::U256;
    use proptest::prelude::*;

    /// The order of the curve.
    const N: U256 = alloy_primitives::uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

    fn signed(signature: Signature) -> TxEnvelope {
        TxLegacy { chain_id: Some(31_337), ..TxLegacy::default() }.into_signed(signature).into()
    }

    #[test]
    fn the_sender_of_a_signed_transaction_is_who_signed_it() {
        for n in 1..9 {
            assert_eq!(recover_sender(Tx::default().sign(n).inner()), Some(account(n)));
        }
    }

    #[test]
    fn the_other_signature_of_the_same_key_is_refused() {
        let transaction = Tx::default().sign(2);
        let signature = transaction.inner().signature();
        let other = Signature::new(signature.r(), N - signature.s(), !signature.v());
        let TxEnvelope::Eip1559(inner) = transaction.inner().clone() else { panic!("transfers are of type 2") };
        assert_eq!(recover_sender(&inner.strip_signature().into_signed(other).into()), None);
    }

    proptest! {
        #[test]
        fn what_is_recovered_is_what_the_pure_implementation_recovers(
            r in any::<[u8; 32]>(), s in any::<[u8; 32]>(), parity in any::<bool>(),
        ) {
            let transaction = signed(Signature::new(U256::from_be_bytes(r), U256::from_be_bytes(s), parity));
            let signature = transaction.signature();
            let pure = signature.recover_address_from_prehash(&transaction.signature_hash()).ok();
            let pure = if signature.normalize_s().is_some() { None } else { pure };
            prop_assert_eq!(recover_sender(&transaction), pure);
        }
    }

    #[test]
    fn numbers_at_the_edges_are_no_signature() {
        for (r, s) in
            [(U256::ZERO, U256::from(1)), (U256::from(1), U256::ZERO), (N, U256::from(1)), (U256::MAX, U256::from(1))]
        {
            for parity in [false, true] {
                assert_eq!(recover_sender(&signed(Signature::new(r, s, parity))), None);
            }
        }
    }
}
