//! The size that limits a block is that of its RLP.

use super::*;
use crate::testing::{Form, Tx};
use alloy_consensus::Header;
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::TxKind;
use proptest::prelude::*;

fn transaction() -> impl Strategy<Value = Tx> {
    let form = prop_oneof![Just(Form::Legacy), Just(Form::AccessList(Default::default())), Just(Form::DynamicFee)];
    let input = prop_oneof![0..3usize, 40..60usize, 200..300usize, 65_500..65_600usize];
    let to = prop_oneof![Just(TxKind::Create), any::<[u8; 20]>().prop_map(|to| TxKind::Call(to.into()))];
    (form, input, to, any::<(u64, u64, u64)>()).prop_map(|(form, input, to, (nonce, gas_limit, value))| Tx {
        form,
        to,
        nonce,
        value: U256::from(value),
        gas_limit,
        input: vec![0xab; input].into(),
        ..Tx::default()
    })
}

fn withdrawals() -> impl Strategy<Value = Withdrawals> {
    let withdrawal = any::<(u64, u64, [u8; 20], u64)>().prop_map(|(index, validator_index, address, amount)| {
        Withdrawal { index, validator_index, address: address.into(), amount }
    });
    prop::collection::vec(withdrawal, 0..4).prop_map(Withdrawals::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_size_is_that_of_the_rlp(
        transactions in prop::collection::vec(transaction(), 0..8),
        withdrawals in withdrawals(),
        (number, extra) in any::<(u64, [u8; 32])>(),
    ) {
        let header = Header {
            number,
            extra_data: extra.to_vec().into(),
            base_fee_per_gas: Some(number),
            withdrawals_root: Some(B256::ZERO),
            ..Header::default()
        };
        let transactions = transactions.into_iter().map(|tx| tx.sign(2)).collect();
        let block = RecoveredBlock { header, transactions, withdrawals };
        prop_assert_eq!(block.size_bytes(), alloy_rlp::encode(block.clone().into_block()).len() as u64);
    }
}

#[test]
fn a_full_block_stays_within_its_limits() {
    let mut spec = crate::testing::spec(Rules::Dev);
    spec.parameters.block_bytes_max = 64 * 1024;
    let chain = TestChain::with_spec(spec);
    let candidates = (2..=8)
        .flat_map(|signer| (0..20).map(move |nonce| Tx::call(account(1), vec![0; 900]).nonce(nonce).sign(signer)));
    let built = chain.build(candidates);
    let size = built.block.size_bytes();
    assert!(size <= 64 * 1024 && size > 50 * 1024, "{size}");
    chain.judge(&built.block).unwrap();
}
