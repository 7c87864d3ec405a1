//! The node's own transactions: signed with its account's key, and again where the fee or nonce no longer does.

use super::super::state::Node;
use crate::anchoring::AnchorCall;
use alloy_consensus::{SignableTransaction, Transaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Bytes, TxKind, U256};
use lucid_storage::SignedTransaction;

/// Tip of the node's own transactions, in wei per gas.
const TIP: u128 = 1_000_000_000;

/// Percentage of the old fee that a transaction sent in its place pays at least: a little above what the pool asks for.
const RAISED_FEE_PERCENT: u128 = 112;

/// Gas of a transaction that calls nothing.
const TRANSFER_GAS: u64 = 21_000;

/// What a transaction of the node pays per gas, in wei.
#[derive(Clone, Copy)]
struct Fees {
    max_fee: u128,
    tip: u128,
}

impl Fees {
    /// Enough for the next blocks: the base fee rises by an eighth a block at most, and what is not needed is not paid.
    fn at(base_fee: u64) -> Self {
        Self { max_fee: u128::from(base_fee) * 2 + TIP, tip: TIP }
    }
}

impl Node {
    /// Signs the calls with the node's key, from `nonce` on.
    pub(in crate::node) fn sign_calls(&self, calls: &[AnchorCall], nonce: u64) -> Vec<SignedTransaction> {
        let fees = Fees::at(self.head().next_base_fee());
        (nonce..).zip(calls).map(|(nonce, call)| self.sign(call.clone(), nonce, fees)).collect()
    }

    /// What the calls may cost the node's account at most, in wei.
    pub(super) fn cost_of(&self, calls: &[AnchorCall]) -> U256 {
        let gas: u64 = calls.iter().map(|call| call.gas_limit).sum();
        U256::from(gas).saturating_mul(U256::from(Fees::at(self.head().next_base_fee()).max_fee))
    }

    /// A transaction that does nothing but to use a nonce: nothing is sent, from the node's account to itself.
    pub(super) fn sign_filler(&self, nonce: u64) -> SignedTransaction {
        let nothing = AnchorCall { to: self.keys.account().address(), input: Bytes::new(), gas_limit: TRANSFER_GAS };
        self.sign(nothing, nonce, Fees::at(self.head().next_base_fee()))
    }

    fn sign(&self, call: AnchorCall, nonce: u64, fees: Fees) -> SignedTransaction {
        let transaction = TxEip1559 {
            chain_id: self.spec.chain_id,
            nonce,
            gas_limit: call.gas_limit,
            max_fee_per_gas: fees.max_fee,
            max_priority_fee_per_gas: fees.tip,
            to: TxKind::Call(call.to),
            input: call.input,
            ..TxEip1559::default()
        };
        let signature = self.keys.account().sign_prehash_recoverable(transaction.signature_hash());
        let signed = TxEnvelope::from(transaction.into_signed(signature));
        SignedTransaction { hash: *signed.tx_hash(), nonce, raw: signed.encoded_2718() }
    }

    /// The same call with a fee that the next blocks take.
    pub(super) fn with_raised_fee(&self, old: &TxEnvelope, base_fee: u64) -> SignedTransaction {
        let raised = |old: u128| old.saturating_mul(RAISED_FEE_PERCENT) / 100 + 1;
        let fees = Fees::at(base_fee);
        let tip = raised(old.max_priority_fee_per_gas().unwrap_or(TIP)).max(fees.tip);
        let max_fee = raised(old.max_fee_per_gas()).max(fees.max_fee - fees.tip + tip);
        self.sign(call_of(old), old.nonce(), Fees { max_fee, tip })
    }
}

/// The call that a transaction of the node makes.
pub(super) fn call_of(transaction: &TxEnvelope) -> AnchorCall {
    AnchorCall {
        to: transaction.to().unwrap_or_default(),
        input: transaction.input().clone(),
        gas_limit: transaction.gas_limit(),
    }
}
