//! What transactions, system calls and withdrawals do to the state.

use super::*;
use crate::testing::{Form, Tx, account, authorize};
use alloy_consensus::{Transaction as _, transaction::TxHashRef};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip4788::BEACON_ROOTS_ADDRESS,
    eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7685::EMPTY_REQUESTS_HASH,
};
use alloy_primitives::TxKind;

/// The history contracts keep this many values.
const HISTORY_SLOTS: u64 = 8_191;

fn invalid(fixture: &Fixture, transactions: &[Transaction]) -> String {
    match fixture.execute(transactions) {
        Err(ExecutionError::InvalidTransaction { hash, reason }) => {
            assert_eq!(hash, *transactions.last().unwrap().tx_hash());
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transfer_in_each_form_costs_value_gas_and_tip() {
    let access_list = AccessList(vec![AccessListItem { address: OTHER, storage_keys: vec![B256::ZERO] }]);
    let forms = [
        (Form::Legacy, 21_000, 2 * GWEI),
        (Form::AccessList(access_list), 21_000 + 2_400 + 1_900, 2 * GWEI),
        (Form::DynamicFee, 21_000, GWEI),
    ];
    for (form, gas, tip) in forms {
        let mut fixture = Fixture::new();
        let (before, name) = (fixture.balance(account(2)), format!("{form:?}"));
        let transfer = Tx { form, gas_limit: 100_000, ..Tx::default() };
        let executed = fixture.run(&[transfer.sign(2)]);
        assert_eq!(executed.gas_used, gas, "{name}");
        assert!(executed.receipts[0].status());
        assert_eq!(before - fixture.balance(account(2)), U256::from(1 + u128::from(gas) * (GWEI + tip)), "{name}");
        assert_eq!(fixture.balance(Address::repeat_byte(0xee)), U256::ONE);
        // The base fee is burnt.
        assert_eq!(fixture.balance(Address::repeat_byte(0xbe)), U256::from(u128::from(gas) * tip), "{name}");
        assert_eq!(fixture.nonce(account(2)), 1);
    }
}

#[test]
fn an_authorization_gives_an_account_code_moves_its_nonce_and_is_undone() {
    let mut fixture = Fixture::with_code(STORE);
    let set = Form::SetCode(vec![authorize(3, 0, CONTRACT)]);
    let executed = fixture.run(&[Tx { form: set, ..Tx::call(account(3), []) }.sign(2)]);
    assert!(executed.receipts[0].status());
    assert_eq!(fixture.nonce(account(3)), 1);
    assert_eq!(fixture.slot(account(3), 0), U256::ONE);
    assert_eq!(fixture.slot(CONTRACT, 0), U256::ZERO);
    let code = fixture.state().code(fixture.state().account(account(3)).unwrap().unwrap().code_hash).unwrap();
    assert_eq!(code, [&[0xef, 1, 0], CONTRACT.as_slice()].concat());
    // Who has delegated still signs transactions, and may take the delegation back.
    let own = Tx::default().nonce(1).sign(3);
    let clear = Form::SetCode(vec![authorize(3, 2, Address::ZERO)]);
    fixture.run(&[own, Tx { form: clear, ..Tx::call(OTHER, []) }.nonce(1).sign(2)]);
    let after = fixture.state().account(account(3)).unwrap().unwrap();
    assert_eq!((after.nonce, after.code_hash), (3, alloy_primitives::KECCAK256_EMPTY));
}

#[test]
fn a_created_contract_has_its_code_and_nonce_1() {
    let mut fixture = Fixture::new();
    fixture.run(&[Tx::create(LOAD).sign(2)]);
    let created = fixture.state().account(account(2).create(0)).unwrap().unwrap();
    assert_eq!(created.nonce, 1);
    assert_eq!(*fixture.state().code(created.code_hash).unwrap(), *LOAD);
}

#[test]
fn a_contract_destroyed_in_its_own_transaction_leaves_nothing() {
    let mut fixture = Fixture::new();
    // Writes a slot and then gives what it has to OTHER.
    let init = [STORE.split_last().unwrap().1, &[0x73], OTHER.as_slice(), &[0xff]].concat();
    let create = Tx { to: TxKind::Create, value: U256::from(5), ..Tx::call(Address::ZERO, init) };
    fixture.run(&[create.sign(2)]);
    let created = account(2).create(0);
    assert_eq!(fixture.state().account(created).unwrap(), None);
    assert_eq!(fixture.slot(created, 0), U256::ZERO);
    assert_eq!(fixture.balance(OTHER), U256::from(5));
}

#[test]
fn an_account_that_had_money_is_gone_after_a_contract_there_destroyed_itself() {
    let mut fixture = Fixture::new();
    let created = account(2).create(1);
    fixture.run(&[Tx { to: TxKind::Call(created), value: U256::from(7), ..Tx::default() }.sign(2)]);
    assert_eq!(fixture.balance(created), U256::from(7));
    let init = [&[0x73], OTHER.as_slice(), &[0xff]].concat();
    fixture.run(&[Tx { to: TxKind::Create, ..Tx::call(Address::ZERO, init) }.nonce(1).sign(2)]);
    assert_eq!(fixture.state().account(created).unwrap(), None);
    assert_eq!(fixture.balance(OTHER), U256::from(7));
}

#[test]
fn a_contract_made_again_in_the_block_that_destroyed_it_begins_anew() {
    // Creates (CREATE2) from its input, passing the value on.
    const FACTORY: &[u8] = &[0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x36, 0x5f, 0x34, 0xf5, 0x00];
    // With value: slot 2 = 9, and destroys itself. Without: slot 1 = 7, and stays, with no code.
    let stay = [0x34, 0x60, 12, 0x57, 0x60, 7, 0x60, 1, 0x55, 0x5f, 0x5f, 0xf3];
    let vanish = [&[0x5b, 0x60, 9, 0x60, 2, 0x55, 0x73], OTHER.as_slice(), &[0xff]].concat();
    let init = [stay.as_slice(), &vanish].concat();
    let created = CONTRACT.create2_from_code(B256::ZERO, &init);
    let create = |value: u64| Tx { value: U256::from(value), ..Tx::call(CONTRACT, init.clone()) };
    let made_first = [create(5).sign(2), create(0).nonce(1).sign(2)];
    let with_money_first = [
        Tx { to: TxKind::Call(created), ..Tx::default() }.sign(2),
        create(5).nonce(1).sign(2),
        create(0).nonce(2).sign(2),
    ];
    for transactions in [&made_first[..], &with_money_first] {
        let mut fixture = Fixture::with_code(FACTORY);
        fixture.run(transactions);
        let made = fixture.state().account(created).unwrap().unwrap();
        assert_eq!((made.nonce, made.balance), (1, U256::ZERO));
        assert_eq!((fixture.slot(created, 1), fixture.slot(created, 2)), (U256::from(7), U256::ZERO));
    }
}

#[test]
fn an_older_contract_that_destroys_itself_only_gives_its_money_away() {
    let destroy = [&[0x73], OTHER.as_slice(), &[0xff]].concat();
    let mut fixture = Fixture::with_code(&destroy);
    fixture.run(&[Tx { value: U256::from(5), ..Tx::call(CONTRACT, []) }.sign(2)]);
    assert_eq!(fixture.balance(OTHER), U256::from(5));
    let left = fixture.state().account(CONTRACT).unwrap().unwrap();
    assert_eq!((left.balance, left.code_hash), (U256::ZERO, keccak256(&destroy)));
}

#[test]
fn a_touched_empty_account_is_not_written() {
    let mut fixture = Fixture::new();
    let executed = fixture.run(&[Tx { value: U256::ZERO, ..Tx::default() }.sign(2)]);
    assert!(executed.receipts[0].status());
    assert!(!executed.changes.contains_key(&Address::repeat_byte(0xee)));
}

#[test]
fn a_slot_that_ends_as_it_began_is_no_change() {
    let mut fixture = Fixture::with_code(STORE);
    fixture.run(&[Tx::call(CONTRACT, []).sign(2)]);
    let again = fixture.run(&[Tx::call(CONTRACT, []).nonce(1).sign(2)]);
    assert!(!again.changes.contains_key(&CONTRACT));
}

#[test]
fn a_transaction_that_reverts_pays_its_gas_and_changes_nothing_else() {
    let mut fixture = Fixture::with_code(REVERT);
    let before = fixture.balance(account(2));
    let executed = fixture.run(&[Tx { value: U256::from(9), ..Tx::call(CONTRACT, []) }.sign(2)]);
    assert!(!executed.receipts[0].status());
    assert_eq!(fixture.balance(CONTRACT), U256::ZERO);
    assert_eq!(before - fixture.balance(account(2)), U256::from(u128::from(executed.gas_used) * 2 * GWEI));
}

#[test]
fn what_cannot_run_makes_the_block_invalid() {
    let fixture = Fixture::new();
    assert_eq!(invalid(&fixture, &[Tx::default().nonce(1).sign(2)]), "nonce 1 too high, expected 0");
    let twice = [Tx::default().sign(2), Tx::default().sign(2)];
    assert_eq!(invalid(&fixture, &twice), "nonce 0 too low, expected 1");
    assert!(invalid(&fixture, &[Tx::default().sign(99)]).starts_with("lack of funds (0)"));
    let cheap = Tx { max_fee: GWEI - 1, tip: 0, ..Tx::default() };
    assert_eq!(invalid(&fixture, &[cheap.sign(2)]), "gas price is less than basefee");
    let short = Tx { gas_limit: 20_999, ..Tx::default() };
    assert!(invalid(&fixture, &[short.sign(2)]).contains("gas"));
    let over_cap = Tx { gas_limit: 16_777_217, ..Tx::default() };
    assert!(invalid(&fixture, &[over_cap.sign(2)]).contains("16777216"));
    let large = |nonce| Tx { gas_limit: 16_000_000, ..Tx::call(CONTRACT, []) }.nonce(nonce).sign(2);
    let mut looping = Fixture::with_code(LOOP);
    assert!(invalid(&looping, &[large(0), large(1)]).contains("available gas 14000000"));
    // A contract cannot send, whoever has its key.
    looping.put_code(account(3), STORE);
    assert!(invalid(&looping, &[Tx::default().nonce(1).sign(3)]).contains("deployed code"));
}

#[test]
fn the_intrinsic_gas_is_what_the_executor_asks_for() {
    let fixture = Fixture::new();
    let access_list = AccessList(vec![AccessListItem { address: OTHER, storage_keys: vec![B256::ZERO; 3] }]);
    let transactions = [
        Tx::default(),
        Tx { input: Bytes::from(vec![7; 1_000]), ..Tx::default() },
        Tx { input: Bytes::from(vec![0; 1_000]), ..Tx::default() },
        Tx { form: Form::AccessList(access_list), ..Tx::default() },
        Tx { form: Form::SetCode(vec![authorize(3, 0, OTHER); 2]), ..Tx::default() },
        Tx::create(&[0; 1_000]),
    ];
    for tx in transactions {
        let needed = intrinsic_gas(&tx.clone().sign(2));
        let below = Tx { gas_limit: needed - 1, ..tx.clone() };
        assert!(invalid(&fixture, &[below.sign(2)]).contains("gas"), "{tx:?}");
        let exact = Tx { gas_limit: needed, ..tx }.sign(2);
        assert!(fixture.execute(std::slice::from_ref(&exact)).is_ok(), "{} gas", exact.gas_limit());
    }
}

#[test]
fn system_calls_keep_the_parents_hash_and_its_certificates() {
    let mut fixture = Fixture::new();
    let header = fixture.header();
    fixture.run(&[]);
    let parent: U256 = header.parent_hash.into();
    assert_eq!(fixture.slot(HISTORY_STORAGE_ADDRESS, 0), parent);
    let place = header.timestamp % HISTORY_SLOTS;
    assert_eq!(fixture.slot(BEACON_ROOTS_ADDRESS, place), U256::from(header.timestamp));
    let certificate: U256 = header.parent_beacon_block_root.unwrap().into();
    assert_eq!(fixture.slot(BEACON_ROOTS_ADDRESS, place + HISTORY_SLOTS), certificate);
}

#[test]
fn requests_are_collected_and_hashed() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.execute(&[]).unwrap().requests.requests_hash(), EMPTY_REQUESTS_HASH);
    // EIP-7002: a public key and an amount, for a fee of one wei.
    let request = Tx { value: U256::ONE, ..Tx::call(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, vec![7; 56]) };
    let executed = fixture.run(&[request.sign(2)]);
    assert!(executed.receipts[0].status());
    let wanted = [&[1], account(2).as_slice(), &[7; 48], &[7; 8]].concat();
    assert_eq!(executed.requests.iter().map(|request| request.to_vec()).collect::<Vec<_>>(), [wanted]);
}

#[test]
fn withdrawals_credit_gwei_to_their_addresses() {
    let mut fixture = Fixture::new();
    let withdrawal = |address, amount| Withdrawal { index: 0, validator_index: 0, address, amount };
    let withdrawals = vec![withdrawal(OTHER, 3), withdrawal(account(2), 1), withdrawal(OTHER, 4)].into();
    let (header, before) = (fixture.header(), fixture.balance(account(2)));
    let executed = {
        let state = fixture.state();
        execute(&fixture.context(&header, &withdrawals), &[], World::new(&state, &fixture.batch)).unwrap()
    };
    fixture.apply(&executed.changes);
    assert_eq!(fixture.balance(OTHER), U256::from(7 * GWEI));
    assert_eq!(fixture.balance(account(2)) - before, U256::from(GWEI));
}

#[test]
fn code_sees_the_hashes_of_earlier_blocks() {
    // Stores BLOCKHASH(0) in slot 0.
    let mut fixture = Fixture::with_code(&[0x5f, 0x40, 0x5f, 0x55, 0x00]);
    fixture.run(&[Tx::call(CONTRACT, []).sign(2)]);
    let genesis: U256 = fixture.chain.head.hash().into();
    assert_eq!(fixture.slot(CONTRACT, 0), genesis);
}
