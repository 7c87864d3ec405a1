//! Bodies that are no block's, and what an import leaves behind.

use super::*;
use crate::testing::{CHAIN_ID, Form, key};
use alloy_consensus::{
    Header, SignableTransaction, Signed, TxEip4844, TxEnvelope,
    transaction::{Recovered, TxHashRef},
};
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::{Signature, U256};
use lucid_storage::{BlockchainState, Blocks, Current, Direction, Reader, TableId};

#[test]
fn a_block_without_transactions_is_for_developers_only() {
    let chain = TestChain::new(Rules::Poot);
    assert_eq!(invalid(&chain, &chain.build([]).block), Invalid::Empty);
    let mut chain = TestChain::new(Rules::Dev);
    chain.advance(vec![]);
    assert_eq!(chain.head.number, 1);
}

#[test]
fn what_is_minted_is_what_the_rules_say() {
    let (chain, good) = chain_and_block(Rules::Poot);
    let mut missing = good.clone().into_block();
    missing.body.withdrawals = None;
    let error = RecoveredBlock::recover(missing).unwrap_err();
    assert!(matches!(error, Invalid::Field { field: "withdrawals", .. }), "{error}");

    let minted: Withdrawals =
        vec![Withdrawal { index: 0, validator_index: 0, address: account(1), amount: 1_000_000_000 }].into();
    let mut smuggled = good;
    smuggled.withdrawals = minted.clone();
    assert_eq!(field(&chain, &smuggled), "withdrawalsRoot");
    let mut scratch = chain.store.begin().unwrap();
    let (attributes, candidates) = (chain.attributes(), [Tx::default().sign(2)]);
    let built = build(&mut scratch, &chain.spec, &chain.head, &attributes, &minted, candidates).unwrap();
    assert_eq!(field(&chain, &built.block), "withdrawals");
    // Where the rules say so, it is minted.
    let mut batch = chain.store.begin().unwrap();
    import(&mut batch, &chain.spec, &chain.head, &built.block, &minted).unwrap();
    let head = batch.get::<BlockchainState>(&Current).unwrap().unwrap();
    assert_eq!((head.minted, head.withdrawal_count), (U256::from(10).pow(U256::from(18)), 1));
}

#[test]
fn ommers_are_refused() {
    let (_, good) = chain_and_block(Rules::Dev);
    let mut block = good.into_block();
    block.body.ommers.push(Header::default());
    assert!(matches!(RecoveredBlock::recover(block), Err(Invalid::Field { field: "ommers", .. })));
}

#[test]
fn blob_transactions_are_refused_and_never_built_in() {
    let (chain, mut block) = chain_and_block(Rules::Dev);
    let blobs = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_limit: 100_000,
        max_fee_per_gas: 3 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: account(3),
        blob_versioned_hashes: vec![B256::with_last_byte(1)],
        max_fee_per_blob_gas: GWEI,
        ..TxEip4844::default()
    };
    let signature = key(2).sign_prehash_recoverable(blobs.signature_hash());
    let transaction = Recovered::new_unchecked(TxEnvelope::from(blobs.into_signed(signature)), account(2));
    let hash = *transaction.tx_hash();
    let built = chain.build([transaction.clone()]);
    assert!(built.block.transactions.is_empty());
    assert_eq!(built.rejected[0].hash, hash);
    block.transactions[0] = transaction;
    assert_eq!(invalid(&chain, &block), Invalid::Blobs(hash));
    assert_eq!(RecoveredBlock::recover(block.into_block()).unwrap_err(), Invalid::Blobs(hash));
}

#[test]
fn a_signature_that_is_none_or_has_a_high_s_is_refused() {
    // The order of secp256k1.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let (_, good) = chain_and_block(Rules::Dev);
    let block = good.into_block();
    RecoveredBlock::recover(block.clone()).unwrap();
    let TxEnvelope::Eip1559(signed) = block.body.transactions[0].clone() else { panic!("another form") };
    let twin = {
        let signature = signed.signature();
        Signature::new(signature.r(), ORDER.parse::<U256>().unwrap() - signature.s(), !signature.v())
    };
    for signature in [Signature::new(U256::ZERO, U256::ONE, false), twin] {
        let forged = TxEnvelope::from(signed.tx().clone().into_signed(signature));
        let hash = *forged.tx_hash();
        let mut block = block.clone();
        block.body.transactions[0] = forged;
        assert_eq!(RecoveredBlock::recover(block).unwrap_err(), Invalid::Signature(hash));
    }
}

#[test]
fn a_transaction_that_cannot_run_is_named() {
    let (chain, good) = chain_and_block(Rules::Dev);
    let other_nonce = Tx::default().nonce(7).sign(2);
    let mut block = good;
    block.transactions[0] = other_nonce.clone();
    block.header.transactions_root = alloy_consensus::proofs::calculate_transaction_root(&block.transactions);
    let error = invalid(&chain, &block);
    assert!(matches!(&error, Invalid::Transaction { hash, .. } if hash == other_nonce.tx_hash()), "{error}");
}

#[test]
fn transactions_in_another_order_are_another_block() {
    let (chain, mut block) = chain_and_block(Rules::Dev);
    block.transactions.swap(0, 1);
    assert_eq!(field(&chain, &block), "transactionsRoot");
}

#[test]
fn numbers_and_sizes_have_their_limits() {
    let (chain, block) = chain_and_block(Rules::Dev);
    let judge = |change: fn(&mut lucid_types::Params)| {
        let mut spec = chain.spec.clone();
        change(&mut spec.parameters);
        import(&mut chain.store.begin().unwrap(), &spec, &chain.head, &block, &Withdrawals::default())
            .map(|_| ())
            .map_err(|error| match error {
                ChainError::Invalid(invalid) => invalid,
                other => panic!("{other}"),
            })
    };
    assert_eq!(judge(|p| p.block_transactions_max = 2), Ok(()));
    assert_eq!(judge(|p| p.block_transactions_max = 1), Err(Invalid::TooManyTransactions { found: 2, most: 1 }));
    let size = block.size_bytes();
    assert_eq!(judge(|p| p.block_bytes_max = 1_000), Ok(()));
    assert_eq!(judge(|p| p.block_bytes_max = 800), Err(Invalid::TooLarge { found: size, most: 800 }));
}

#[test]
fn an_import_that_is_dropped_leaves_nothing() {
    let (mut chain, good) = chain_and_block(Rules::Dev);
    let before = chain.store.snapshot().unwrap();
    chain.judge(&good).unwrap();
    let mut bad = good.clone();
    bad.header.state_root.0[0] ^= 1;
    chain.judge(&bad).unwrap_err();
    let after = chain.store.snapshot().unwrap();
    assert_eq!(before.sequence().unwrap(), after.sequence().unwrap());
    assert!(after.get::<Blocks>(&good.header.number).unwrap().is_none());
    assert_eq!(LatestState::new(&after).root().unwrap(), chain.head.state_root);
    chain.commit(&good);
}

#[test]
fn a_legacy_transaction_without_a_chain_id_is_valid_in_a_block() {
    // The pool refuses it, but Ethereum's rules for blocks do not.
    let chain = TestChain::new(Rules::Dev);
    let Tx { to, nonce, value, gas_limit, max_fee, input, .. } = Tx { form: Form::Legacy, ..Tx::default() };
    let tx = alloy_consensus::TxLegacy { chain_id: None, nonce, gas_price: max_fee, gas_limit, to, value, input };
    let signature = key(2).sign_prehash_recoverable(tx.signature_hash());
    let signed: Signed<_> = tx.into_signed(signature);
    let built = chain.build([Recovered::new_unchecked(signed.into(), account(2))]);
    assert_eq!(built.block.transactions.len(), 1);
    chain.judge(&built.block).unwrap();
}

#[test]
fn the_log_index_has_one_row_for_each_address_and_topic_of_a_block() {
    let (mut chain, log, _) = chain_with_contracts();
    let calls = [words(7, 8), words(7, 8)];
    let transactions = (0..).zip(calls).map(|(nonce, input)| Tx::call(log, input).nonce(nonce).sign(2)).collect();
    chain.advance(transactions);
    let snapshot = chain.store.snapshot().unwrap();
    let rows = snapshot.raw_prefix(TableId::LogIndex, &[], Direction::Forward).unwrap();
    let rows: Vec<_> = rows.map(|row| row.unwrap()).collect();
    let height = 2u64.to_be_bytes();
    let topics = words(7, 8);
    let expected = [
        [&[0], log.as_slice(), &height].concat(),
        [&[1], &topics[..32], &height].concat(),
        [&[2], &topics[32..], &height].concat(),
    ];
    assert_eq!(rows, expected.map(|key| (key, Vec::new())));
}
