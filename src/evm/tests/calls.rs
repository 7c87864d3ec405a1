//! `eth_call` and `eth_estimateGas`, with geth's meanings.

use super::*;
use crate::testing::{BALANCE, Tx, account, init_code};
use alloy_primitives::TxKind;
use alloy_rpc_types_eth::{
    TransactionRequest,
    state::{AccountOverride, StateOverride},
};
use lucid_types::TransactionRefusal as Refusal;
use std::time::{Duration, Instant};

const GAS_CAP: u64 = 50_000_000;

fn limits() -> CallLimits {
    CallLimits { gas_cap: GAS_CAP, deadline: Instant::now() + Duration::from_secs(600) }
}

impl Fixture {
    fn call_with(
        &self,
        request: TransactionRequest,
        overrides: StateOverride,
        limits: CallLimits,
    ) -> Result<Bytes, CallError> {
        let (header, state) = (self.header(), self.state());
        let simulation = Simulation::new(self.chain.spec.chain_id, &header, World::new(&state, &self.batch));
        simulation.call(request, overrides, limits)
    }

    fn call(&self, request: TransactionRequest) -> Result<Bytes, CallError> {
        self.call_with(request, StateOverride::default(), limits())
    }

    fn estimate_with(&self, request: TransactionRequest, limits: CallLimits) -> Result<u64, CallError> {
        let (header, state) = (self.header(), self.state());
        let simulation = Simulation::new(self.chain.spec.chain_id, &header, World::new(&state, &self.batch));
        simulation.estimate_gas(request, StateOverride::default(), limits)
    }

    fn estimate(&self, request: TransactionRequest) -> Result<u64, CallError> {
        self.estimate_with(request, limits())
    }

    /// Estimates, and checks that a transaction with that limit succeeds; gives estimate and gas used.
    fn estimate_and_send(&self, request: TransactionRequest) -> (u64, u64) {
        let gas_limit = self.estimate(request.clone().from(account(2))).unwrap();
        let (to, input) = (request.to.unwrap(), request.input.input.unwrap_or_default());
        let value = request.value.unwrap_or_default();
        let tx = Tx { to, input, value, gas_limit, ..Tx::default() };
        let executed = self.execute(&[tx.sign(2)]).unwrap();
        assert!(executed.receipts[0].is_success(), "{gas_limit} gas are not enough");
        (gas_limit, executed.gas_used)
    }
}

fn to(address: Address) -> TransactionRequest {
    TransactionRequest::default().to(address)
}

fn word(value: u64) -> Bytes {
    U256::from(value).to_be_bytes_vec().into()
}

#[test]
fn a_call_returns_output_and_changes_nothing() {
    let mut fixture = Fixture::with_code(STORE);
    assert_eq!(fixture.call(to(CONTRACT)).unwrap(), Bytes::new());
    assert_eq!(fixture.slot(CONTRACT, 0), U256::ZERO);
    fixture.run(&[Tx::call(CONTRACT, []).sign(2)]);
    fixture.put_code(OTHER, LOAD);
    let overrides = StateOverride::from_iter([(CONTRACT, AccountOverride::default().with_code(LOAD.to_vec()))]);
    assert_eq!(fixture.call_with(to(CONTRACT), overrides, limits()).unwrap(), word(1));
    assert_eq!(fixture.call(to(OTHER)).unwrap(), word(0));
}

#[test]
fn nobody_can_call_without_money_key_or_the_right_nonce() {
    let fixture = Fixture::with_code(LOAD);
    let request = to(CONTRACT).from(Address::repeat_byte(9)).nonce(77);
    assert_eq!(fixture.call(request).unwrap(), word(0));
    assert_eq!(fixture.call(to(CONTRACT).from(CONTRACT)).unwrap(), word(0));
}

#[test]
fn overrides_of_state_replace_or_add_to_it() {
    let fixture = Fixture::with_code(LOAD);
    let slots = || std::iter::once((B256::ZERO, B256::from(U256::from(5))));
    for (name, change) in [
        ("state", AccountOverride::default().with_state(slots())),
        ("stateDiff", AccountOverride::default().with_state_diff(slots())),
    ] {
        let overrides = StateOverride::from_iter([(CONTRACT, change)]);
        assert_eq!(fixture.call_with(to(CONTRACT), overrides, limits()).unwrap(), word(5), "{name}");
    }
    let both = AccountOverride::default().with_state(slots()).with_state_diff(slots());
    let error = fixture.call_with(to(CONTRACT), StateOverride::from_iter([(CONTRACT, both)]), limits()).unwrap_err();
    assert!(matches!(error, CallError::Invalid(_)), "{error:?}");
    let rich = AccountOverride::default().with_balance(U256::from(10));
    let overrides = StateOverride::from_iter([(Address::repeat_byte(9), rich)]);
    let request = to(OTHER).from(Address::repeat_byte(9)).value(U256::from(10));
    assert!(fixture.call_with(request.clone(), overrides, limits()).is_ok());
    assert!(matches!(fixture.call(request), Err(CallError::InsufficientFunds { .. })));
}

#[test]
fn an_override_of_one_thing_leaves_the_rest_of_the_account() {
    let mut fixture = Fixture::with_code(STORE);
    fixture.run(&[Tx::call(CONTRACT, []).sign(3)]);
    fixture.put_code(CONTRACT, LOAD);
    let change = AccountOverride::default().with_balance(U256::from(3)).with_nonce(9);
    let overrides = StateOverride::from_iter([(CONTRACT, change)]);
    assert_eq!(fixture.call_with(to(CONTRACT), overrides, limits()).unwrap(), word(1));
    let moved = AccountOverride { move_precompile_to: Some(OTHER), ..AccountOverride::default() };
    let error = fixture.call_with(to(CONTRACT), StateOverride::from_iter([(CONTRACT, moved)]), limits());
    assert!(matches!(error, Err(CallError::Invalid(_))), "{error:?}");
}

#[test]
fn the_rules_are_those_of_osaka() {
    // CLZ of 1 (EIP-7939).
    let clz = [0x60, 1, 0x1e, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
    assert_eq!(Fixture::with_code(&clz).call(to(CONTRACT)).unwrap(), word(255));
    // The address of P256VERIFY (EIP-7951) is warm and costs 6,900 gas: GAS, STATICCALL, POP, GAS, SWAP1, SUB.
    let p256 = [
        0x5a, 0x5f, 0x5f, 0x5f, 0x5f, 0x61, 0x01, 0x00, 0x61, 0xff, 0xff, 0xfa, 0x50, 0x5a, 0x90, 0x03, 0x5f, 0x52,
        0x60, 0x20, 0x5f, 0xf3,
    ];
    // Between the two looks: 6,900, the call's 100, four PUSH0, two PUSH2, POP and GAS.
    assert_eq!(Fixture::with_code(&p256).call(to(CONTRACT)).unwrap(), word(6_900 + 100 + 8 + 6 + 2 + 2));
}

#[test]
fn a_revert_comes_with_its_data() {
    let fixture = Fixture::with_code(REVERT);
    for error in [fixture.call(to(CONTRACT)).unwrap_err(), fixture.estimate(to(CONTRACT)).unwrap_err()] {
        assert!(matches!(&error, CallError::Reverted(data) if *data == word(42)), "{error:?}");
        assert_eq!(error.to_string(), "execution reverted");
    }
}

#[test]
fn gas_that_runs_out_is_said_to_and_never_more_than_the_cap() {
    let fixture = Fixture::with_code(LOOP);
    let small = CallLimits { gas_cap: 100_000, ..limits() };
    let out_of = |gas: Option<u64>, limits| {
        let request = TransactionRequest { gas, ..to(CONTRACT) };
        match fixture.call_with(request, StateOverride::default(), limits) {
            Err(CallError::OutOfGas { gas_limit }) => gas_limit,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(out_of(None, small), 100_000);
    assert_eq!(out_of(Some(30_000), small), 30_000);
    assert_eq!(out_of(Some(5_000_000), small), 100_000);
    // More than a transaction may have (EIP-7825), and than the block has.
    assert_eq!(out_of(Some(40_000_000), limits()), 40_000_000);
    let error = fixture.estimate_with(to(CONTRACT), small).unwrap_err();
    assert_eq!(error.to_string(), "gas required exceeds allowance (100000)");
    let error = fixture.estimate(to(CONTRACT)).unwrap_err();
    assert_eq!(error.to_string(), "gas required exceeds allowance (16777216)");
    let error = fixture.estimate(to(CONTRACT).gas_limit(60_000)).unwrap_err();
    assert_eq!(error.to_string(), "gas required exceeds allowance (60000)");
}

#[test]
fn code_that_stops_abnormally_is_told_in_geths_words() {
    for (code, text) in [
        (&[0xfe_u8][..], "invalid opcode"),
        (&[0x0c], "invalid opcode"),
        (&[0x5f, 0x56], "invalid jump destination"),
        (&[0x01], "stack underflow"),
        (&[0x60, 1, 0x5f, 0x5f, 0x3e], "return data out of bounds"),
        (&[0x5b, 0x5f, 0x5f, 0x56], "stack limit reached 1024"),
    ] {
        let error = Fixture::with_code(code).call(to(CONTRACT)).unwrap_err();
        assert!(matches!(&error, CallError::Halted(_)), "{error:?}");
        assert!(error.to_string().contains(text), "{error} instead of {text}");
    }
}

#[test]
fn a_call_that_runs_past_its_deadline_is_stopped_in_every_frame() {
    let mut fixture = Fixture::with_code(LOOP);
    // Goes on as if nothing had happened when the inner call fails.
    let stubborn =
        [&[0x5b, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x73], CONTRACT.as_slice(), &[0x61, 0xff, 0xff, 0xf1, 0x50]].concat();
    fixture.put_code(OTHER, &[stubborn.as_slice(), &[0x5f, 0x56]].concat());
    let started = Instant::now();
    for contract in [CONTRACT, OTHER] {
        let limits = CallLimits { gas_cap: u64::MAX / 2, deadline: Instant::now() + Duration::from_millis(50) };
        let error = fixture.call_with(to(contract), StateOverride::default(), limits).unwrap_err();
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
    }
    let past = CallLimits { deadline: Instant::now(), ..limits() };
    assert!(matches!(fixture.estimate_with(to(OTHER), past), Err(CallError::TimedOut)));
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_transfer_is_estimated_at_21000() {
    let fixture = Fixture::new();
    assert_eq!(fixture.estimate(to(OTHER).from(account(2)).value(U256::from(5))).unwrap(), 21_000);
    assert_eq!(fixture.estimate_and_send(to(OTHER).value(U256::from(5))), (21_000, 21_000));
}

#[test]
fn an_estimate_suffices_and_is_near_to_what_is_needed() {
    let mut fixture = Fixture::with_code(STORE);
    fixture.put_code(OTHER, &count_down(20_000));
    let calls = [
        to(CONTRACT),
        to(OTHER),
        // The floor of EIP-7623 is above what the code uses.
        to(CONTRACT).input(vec![7; 5_000].into()),
        TransactionRequest { to: Some(TxKind::Create), ..TransactionRequest::default() }.input(init_code(LOAD).into()),
    ];
    for request in calls {
        let (estimate, used) = fixture.estimate_and_send(request);
        assert!(estimate >= used && estimate <= used * 103 / 100 + 2_300, "{estimate} for {used}");
    }
}

#[test]
fn gas_that_is_given_back_must_still_be_there() {
    let mut fixture = Fixture::with_code(STORE);
    fixture.run(&[Tx::call(CONTRACT, []).sign(3)]);
    fixture.put_code(CONTRACT, CLEAR);
    let (estimate, used) = fixture.estimate_and_send(to(CONTRACT));
    assert!(used < 22_000 && estimate >= 26_000, "{estimate} for {used}");
}

#[test]
fn an_inner_call_leaves_a_64th_behind() {
    let mut fixture = Fixture::with_code(&must_call(OTHER));
    fixture.put_code(OTHER, &count_down(40_000));
    let (estimate, used) = fixture.estimate_and_send(to(CONTRACT));
    assert!(estimate - used > used / 70, "{estimate} for {used}");
}

#[test]
fn who_names_a_price_must_be_able_to_pay_it() {
    let fixture = Fixture::with_code(LOAD);
    let priced = |price| to(CONTRACT).from(account(2)).gas_price(price);
    // As much gas as the money buys.
    assert_eq!(fixture.call(priced(BALANCE / 50_000)).unwrap(), word(0));
    let error = fixture.estimate(priced(BALANCE / 21_500)).unwrap_err();
    assert_eq!(error.to_string(), "gas required exceeds allowance (21500)");
    let error = fixture.estimate(priced(BALANCE / 10_000)).unwrap_err();
    assert_eq!(error.to_string(), "gas required exceeds allowance (10000)");
    let error = fixture.call(priced(BALANCE / 50_000).gas_limit(60_000)).unwrap_err();
    let cost = U256::from(BALANCE / 50_000 * 60_000);
    let text = format!("insufficient funds for gas * price + value: address {} have {BALANCE} want {cost}", account(2));
    assert_eq!(error.to_string(), text);
    let too_much = U256::from(BALANCE) + U256::ONE;
    for error in [
        fixture.call(priced(2 * GWEI).value(too_much)).unwrap_err(),
        fixture.estimate(priced(2 * GWEI).value(too_much)).unwrap_err(),
        fixture.estimate(to(OTHER).from(account(2)).value(too_much)).unwrap_err(),
    ] {
        assert!(matches!(error, CallError::InsufficientFunds { address, .. } if address == account(2)), "{error:?}");
    }
}

#[test]
fn without_a_price_the_base_fee_is_zero_and_with_one_it_counts() {
    // Returns BASEFEE.
    let fixture = Fixture::with_code(&[0x48, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    assert_eq!(fixture.call(to(CONTRACT)).unwrap(), word(0));
    assert_eq!(fixture.call(to(CONTRACT).gas_price(0)).unwrap(), word(0));
    let from = || to(CONTRACT).from(account(2));
    assert_eq!(fixture.call(from().gas_price(2 * GWEI)).unwrap(), word(GWEI as u64));
    assert_eq!(fixture.call(from().max_fee_per_gas(2 * GWEI)).unwrap(), word(GWEI as u64));
    for request in [from().gas_price(GWEI - 1), from().max_fee_per_gas(GWEI - 1)] {
        let error = fixture.call(request).unwrap_err();
        let text = "max fee per gas less than block base fee: maxFeePerGas: 999999999, baseFee: 1000000000";
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn requests_that_no_transaction_could_be_are_refused() {
    let fixture = Fixture::new();
    let refusal = |request: TransactionRequest| match fixture.call(request.from(account(2))) {
        Err(CallError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(to(OTHER).gas_limit(20_000)), Refusal::IntrinsicGasTooLow { gas: 20_000, needed: 21_000 });
    let blobs = TransactionRequest { blob_versioned_hashes: Some(vec![B256::ZERO]), ..to(OTHER) };
    assert_eq!(refusal(blobs), Refusal::TypeNotSupported(3));
    let other_chain = TransactionRequest { chain_id: Some(1), ..to(OTHER) };
    assert_eq!(refusal(other_chain), Refusal::WrongChain { have: 1, want: fixture.chain.spec.chain_id });
    let tip = to(OTHER).max_fee_per_gas(2 * GWEI).max_priority_fee_per_gas(3 * GWEI);
    assert_eq!(refusal(tip), Refusal::TipAboveFeeCap { tip: 3 * GWEI, max_fee: 2 * GWEI });
    let large = TransactionRequest { to: Some(TxKind::Create), ..TransactionRequest::default() };
    let refused = refusal(large.input(vec![0; MAX_INITCODE_BYTES + 1].into()));
    assert_eq!(refused, Refusal::InitCodeTooLarge { size: MAX_INITCODE_BYTES + 1, limit: MAX_INITCODE_BYTES });
    let contradiction = to(OTHER).gas_price(GWEI).max_fee_per_gas(GWEI);
    assert!(matches!(fixture.call(contradiction), Err(CallError::Invalid(_))));
}
