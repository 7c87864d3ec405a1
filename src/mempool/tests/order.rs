//! What goes first, and what a new head changes.

use super::*;

#[test]
fn the_best_tip_goes_first_and_of_equal_ones_the_first_to_come() {
    let mut fixture = Fixture::new();
    for (signer, gwei) in [(2, 1), (3, 5), (4, 5), (5, 2)] {
        fixture.add(&tip(gwei).sign(signer)).unwrap();
    }
    // A legacy price is fee and tip in one: 4 gwei above the base fee.
    fixture.add(&Tx { form: Form::Legacy, max_fee: 5 * GWEI, ..Tx::default() }.sign(6)).unwrap();
    fixture.add(&Tx { max_fee: 20 * GWEI, tip: 3 * GWEI, ..Tx::default() }.sign(7)).unwrap();
    assert_eq!(fixture.best(), [(3, 0), (4, 0), (6, 0), (7, 0), (5, 0), (2, 0)]);
    assert_eq!(order(&fixture.pool.best(BASE_FEE, 2)), [(3, 0), (4, 0)]);
    // At a higher base fee some caps leave less of the tip: 6 is left with 2 gwei.
    assert_eq!(order(&fixture.pool.best(3 * BASE_FEE, 9)), [(3, 0), (4, 0), (7, 0), (6, 0), (5, 0), (2, 0)]);
}

#[test]
fn a_sender_goes_in_nonce_order_whatever_he_pays() {
    let mut fixture = Fixture::new();
    for (nonce, gwei) in [(2, 9), (0, 1), (1, 8)] {
        fixture.add(&tip(gwei).nonce(nonce).sign(2)).unwrap();
    }
    fixture.add(&tip(3).sign(3)).unwrap();
    assert_eq!(fixture.best(), [(3, 0), (2, 0), (2, 1), (2, 2)]);
}

#[test]
fn nothing_behind_a_gap_or_a_low_fee_is_offered() {
    let mut fixture = Fixture::new();
    fixture.add(&tip(1).nonce(1).sign(2)).unwrap();
    assert!(!fixture.pool.has_ready(BASE_FEE));
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(0));
    // Pays just less than the base fee: it may do soon.
    fixture.add(&Tx { max_fee: GWEI * 9 / 10, tip: 0, ..Tx::default() }.sign(3)).unwrap();
    fixture.add(&tip(1).nonce(1).sign(3)).unwrap();
    assert_eq!(fixture.best(), []);
    assert!(!fixture.pool.has_ready(BASE_FEE) && fixture.pool.has_ready(BASE_FEE * 9 / 10));
    fixture.add(&tip(1).sign(2)).unwrap();
    assert_eq!(fixture.best(), [(2, 0), (2, 1)]);
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(2));
    assert_eq!(fixture.pool.next_nonce(&account(9)), None);
}

#[test]
fn a_new_head_drops_what_it_has_used_up() {
    let mut fixture = Fixture::new();
    for nonce in 0..4 {
        fixture.add(&tip(1).nonce(nonce).sign(2)).unwrap();
    }
    fixture.add(&tip(1).sign(3)).unwrap();
    fixture.accounts.set(2, 2, BALANCE);
    fixture.accounts.set(3, 1, BALANCE);
    fixture.update();
    assert_eq!(fixture.best(), [(2, 2), (2, 3)]);
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(4));
    assert_eq!(fixture.pool.next_nonce(&account(3)), None);
    fixture.accounts.damaged = true;
    assert!(fixture.pool.update(&fixture.accounts).is_err());
    fixture.pool.assert_consistent();
}

#[test]
fn a_nonce_that_an_authorization_used_is_used() {
    let mut chain = TestChain::new(Rules::Dev);
    let mut fixture = Fixture::new();
    for nonce in 0..3 {
        fixture.add(&tip(1).nonce(nonce).sign(3)).unwrap();
    }
    let set = Form::SetCode(vec![authorize(3, 0, Address::repeat_byte(1))]);
    chain.advance(vec![Tx { form: set, ..Tx::call(account(4), []) }.sign(2)]);
    let snapshot = chain.store.snapshot().unwrap();
    fixture.pool.update(&crate::state::LatestState::new(&snapshot)).unwrap();
    fixture.pool.assert_consistent();
    assert_eq!(fixture.best(), [(3, 1), (3, 2)]);
}

#[test]
fn what_is_removed_leaves_a_gap() {
    let mut fixture = Fixture::new();
    let hashes = [0, 1, 2].map(|nonce| fixture.add(&tip(1).nonce(nonce).sign(2)).unwrap());
    fixture.pool.remove(&hashes[1]);
    fixture.pool.remove(&B256::ZERO);
    fixture.pool.assert_consistent();
    assert_eq!(fixture.best(), [(2, 0)]);
    assert_eq!(fixture.pool.status(), (1, 1));
    assert_eq!(fixture.pool.next_nonce(&account(2)), Some(1));
    fixture.add(&tip(1).nonce(1).sign(2)).unwrap();
    assert_eq!(fixture.best().len(), 3);
}

#[test]
fn creations_and_calls_wait_alike() {
    let mut fixture = Fixture::new();
    let create = Tx { to: TxKind::Create, input: init_code(&[0]), gas_limit: 100_000, ..Tx::default() };
    fixture.add(&create.sign(2)).unwrap();
    assert_eq!(fixture.best(), [(2, 0)]);
}
