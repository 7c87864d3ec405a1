//! What the pool does not take, in the words that tools match on.

use super::*;

#[test]
fn the_same_bytes_twice_are_already_known() {
    let mut fixture = Fixture::new();
    let transaction = Tx::default().sign(2);
    fixture.add(&transaction).unwrap();
    assert_eq!(fixture.add(&transaction), Err(Refusal::AlreadyKnown));
    assert_eq!(Refusal::AlreadyKnown.to_string(), "already known");
}

#[test]
fn refusals_have_geths_words() {
    let mut fixture = Fixture::new();
    fixture.accounts.set(9, 5, BALANCE);
    let tx = Tx::default;
    let price = 3 * GWEI * 21_000;
    for (signer, tx, text) in [
        (9, tx().nonce(4), "nonce too low: next nonce 5, tx nonce 4".to_owned()),
        (9, tx().nonce(1_005), "nonce too high: next nonce 5, tx nonce 1005".to_owned()),
        (9, tx().nonce(u64::MAX), "nonce has max value".to_owned()),
        (
            15,
            tx(),
            format!("insufficient funds for gas * price + value: balance 0, tx cost {0}, overshot {0}", price + 1),
        ),
        (2, Tx { gas_limit: 20_999, ..tx() }, "intrinsic gas too low: gas 20999, minimum needed 21000".to_owned()),
        // The floor of EIP-7623: 10 for each of 4 tokens of 1,000 bytes.
        (
            2,
            Tx { gas_limit: 50_000, input: vec![1; 1_000].into(), ..tx() },
            "intrinsic gas too low: gas 50000, minimum needed 61000".to_owned(),
        ),
        (2, Tx { gas_limit: 30_000_001, ..tx() }, "exceeds block gas limit".to_owned()),
        (
            2,
            Tx { gas_limit: 16_777_217, ..tx() },
            "transaction gas limit too high (cap: 16777216, tx: 16777217)".to_owned(),
        ),
        (
            2,
            Tx { max_fee: GWEI * 7 / 8 - 1, tip: 0, ..tx() },
            "max fee per gas less than block base fee: maxFeePerGas: 874999999, baseFee: 1000000000".to_owned(),
        ),
        (
            2,
            Tx { tip: 4 * GWEI, ..tx() },
            "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 4000000000, \
             maxFeePerGas: 3000000000"
                .to_owned(),
        ),
        (
            2,
            Tx { gas_limit: 5_000_000, ..Tx::create(&[0; MAX_INITCODE_BYTES]) },
            format!("max initcode size exceeded: code size {}, limit 49152", MAX_INITCODE_BYTES + 10),
        ),
        (2, Tx { form: Form::SetCode(vec![]), ..tx() }, "EIP-7702 transaction with empty auth list".to_owned()),
        (
            2,
            Tx { gas_limit: 6_000_000, ..Tx::call(account(3), vec![0; MAX_TRANSACTION_BYTES]) },
            format!("oversized data: transaction size {}, limit 131072", MAX_TRANSACTION_BYTES + 117),
        ),
    ] {
        assert_eq!(fixture.refusal(tx, signer), text);
    }
    assert!(fixture.pool.is_empty());
}

#[test]
fn what_is_no_transaction_of_this_chain_is_refused() {
    let mut fixture = Fixture::new();
    let raw = Tx::default().sign(2).encoded_2718();
    assert!(matches!(fixture.add_raw(&[]), Err(Refusal::Malformed(_))));
    assert!(matches!(fixture.add_raw(&raw[..raw.len() - 1]), Err(Refusal::Malformed(_))));
    assert!(matches!(fixture.add_raw(&[&raw[..], &[0]].concat()), Err(Refusal::Malformed(_))));
    assert_eq!(fixture.add_raw(&[3, 1, 2]).unwrap_err().to_string(), "transaction type not supported");
    assert!(fixture.add_raw(&[0x7f, 0xc0]).is_err());

    fixture.spec.chain_id = 1;
    let error = fixture.add_raw(&raw).unwrap_err();
    assert_eq!(error.to_string(), format!("invalid chain id for signer: have {CHAIN_ID} want 1"));
    fixture.spec.chain_id = CHAIN_ID;

    let Tx { to, nonce, value, gas_limit, max_fee, input, .. } = Tx::default();
    let unprotected = TxLegacy { chain_id: None, nonce, gas_price: max_fee, gas_limit, to, value, input };
    let signature = key(2).sign_prehash_recoverable(unprotected.signature_hash());
    let error = fixture.add_raw(&TxEnvelope::from(unprotected.into_signed(signature)).encoded_2718()).unwrap_err();
    assert_eq!(error.to_string(), "only replay-protected (EIP-155) transactions allowed over RPC");

    let TxEnvelope::Eip1559(signed) = Tx::default().sign(2).into_inner() else { panic!("another form") };
    let order: U256 = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141".parse().unwrap();
    let good = *signed.signature();
    let twin = Signature::new(good.r(), order - good.s(), !good.v());
    for signature in [Signature::new(U256::ZERO, U256::ONE, false), twin] {
        let forged = TxEnvelope::from(signed.tx().clone().into_signed(signature));
        assert_eq!(fixture.add_raw(&forged.encoded_2718()).unwrap_err().to_string(), "invalid sender");
    }
}

#[test]
fn an_account_with_code_sends_nothing_and_one_with_a_delegation_does() {
    let mut fixture = Fixture::new();
    fixture.accounts.set_code(2, &[0x60, 0]);
    assert_eq!(fixture.refusal(Tx::default(), 2), format!("sender not an eoa: address {}", account(2)));
    fixture.accounts.set_code(3, &[&[0xef, 1, 0], account(4).as_slice()].concat());
    fixture.add(&Tx::default().sign(3)).unwrap();
}

#[test]
fn a_state_that_cannot_be_read_says_nothing_about_a_transaction() {
    let mut fixture = Fixture::new();
    fixture.accounts.damaged = true;
    let added = fixture.pool.add(Tx::default().sign(2), &fixture.spec, BASE_FEE, &fixture.accounts);
    assert!(matches!(added, Err(SubmitError::State(_))));
}

#[test]
fn what_waits_already_is_money_spent() {
    let mut fixture = Fixture::new();
    let price = 3 * GWEI * 21_000 + 1;
    fixture.accounts.set(2, 0, 2 * price + 5);
    fixture.add(&Tx::default().sign(2)).unwrap();
    fixture.add(&Tx::default().nonce(1).sign(2)).unwrap();
    let text =
        format!("insufficient funds for gas * price + value: balance 5, tx cost {price}, overshot {}", price - 5);
    assert_eq!(fixture.refusal(Tx::default().nonce(2), 2), text);
    // A replacement only has to be paid in place of what it replaces.
    let dearer = Tx { max_fee: 33 * GWEI / 10, tip: 2 * GWEI, ..Tx::default() };
    let dearer_price = 33 * GWEI / 10 * 21_000 + 1;
    fixture.accounts.set(2, 0, price + dearer_price - 1);
    assert!(fixture.refusal(dearer.clone(), 2).starts_with("insufficient funds"));
    fixture.accounts.set(2, 0, price + dearer_price);
    fixture.add(&dearer.sign(2)).unwrap();
}

#[test]
fn a_check_refuses_what_the_pool_would_and_takes_nothing() {
    let mut fixture = Fixture::new();
    let check = |fixture: &Fixture, transaction: &Transaction| {
        Mempool::check(&transaction.encoded_2718(), &fixture.spec, BASE_FEE, &fixture.accounts)
    };
    let good = Tx::default().sign(2);
    assert_eq!(check(&fixture, &good).unwrap(), good);
    fixture.add(&good).unwrap();
    assert_eq!(check(&fixture, &good).unwrap(), good, "what waits already is good too");
    for bad in [Tx::default().sign(15), Tx { gas_limit: 1, ..Tx::default() }.sign(2)] {
        let Err(SubmitError::Refused(refusal)) = check(&fixture, &bad) else { panic!("taken") };
        assert_eq!(fixture.add(&bad), Err(refusal));
    }
}
