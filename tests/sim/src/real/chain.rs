//! The chain that real nodes run: the rules of PoOT with epochs of a few slots, and accounts that pay for transactions.

use crate::{chain::SimChain, rng::Rng};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, TxKind, U256};
use lucid_node::{
    chain::genesis_contract_hashes,
    consensus::bft::Timeouts,
    keys::{NodeKeys, SecretKey},
    node::Voter,
};
use lucid_storage::{Options, testing::PowerCut};
use lucid_types::{ChainSpec, ConsensusKey, GenesisValidator, Params, Preset, Rules, blake3};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// Chain id of a chain whose parameters have no bounds.
const CHAIN_ID: u64 = 31_337;

/// LUCID on each account.
const BALANCE_LUCID: u64 = 1_000;

/// Accounts that pay, by turns: each for one transaction in so many, so that none waits for another.
const PAYERS: u64 = 256;

/// Most that a transaction pays for a unit of gas, in wei: the base fee of nearly empty blocks only falls.
const MAX_FEE: u128 = 10_000_000_000;
const TIP: u128 = 1_000_000_000;

/// What an account's transfer may use.
const TRANSFER_GAS: u64 = 21_000;

/// Slots of an epoch, least and most.
const EPOCH_SLOTS: (u64, u64) = (3, 8);

/// Most slots that a leader rests.
const COOLDOWN_SLOTS: u64 = 4;

/// Fewest validators that the chain lets stay.
const VALIDATORS_NEEDED: u32 = 3;

/// Memory that each store may use for pages, in bytes: ten of them are open.
const CACHE_BYTES: usize = 2 << 20;

/// What all real nodes of a run share.
pub(crate) struct RealChain {
    pub(crate) spec: ChainSpec,
    pub(crate) spec_hash: B256,
    pub(crate) genesis_hash: B256,
    pub(crate) keys: Vec<NodeKeys>,
    /// The disk of a node that has only genesis.
    pub(crate) disk: PowerCut,
    /// Transactions that were signed: all nodes are given the same.
    transfers: RefCell<BTreeMap<u64, Vec<u8>>>,
    /// Records of all task proofs that may count.
    pub(crate) proofs: RefCell<BTreeSet<Vec<u8>>>,
}

fn key(domain: &[u8], number: u64) -> Result<SecretKey, String> {
    SecretKey::from_bytes(&blake3([domain, &number.to_be_bytes()])).map_err(|error| error.to_string())
}

/// How the store of a node is opened.
pub(super) fn options(disk: &PowerCut, quick_repair: bool) -> Options {
    let quick_repair_from_bytes = if quick_repair { 0 } else { u64::MAX };
    Options { disk: disk.disk(), cache_bytes: CACHE_BYTES, quick_repair_from_bytes, ..Options::default() }
}

impl RealChain {
    /// One of so many nodes, the first `founders` of them validators from the beginning.
    pub(crate) fn new(rng: &mut Rng, nodes: usize, founders: usize) -> Result<(SimChain, Self), String> {
        let production = rng.in_thousand(500);
        let (preset, slot_secs) = if production { (Preset::Lucid, 120) } else { (Preset::Dev, 12) };
        let epoch_slots = rng.between(EPOCH_SLOTS.0, EPOCH_SLOTS.1);
        let parameters = Params {
            slot_duration_secs: slot_secs,
            epoch_slots,
            cooldown_slots: rng.between(0, COOLDOWN_SLOTS),
            leader_window_slots: 3 * epoch_slots,
            // A node that died a few times is to rank all the same, mostly.
            d_min_ppm: 50_000,
            validators_needed: VALIDATORS_NEEDED,
            ..preset.params()
        };
        let pair = |number: u64| {
            NodeKeys::new(key(b"account", number)?, key(b"consensus", number)?).map_err(|error| error.to_string())
        };
        let mut keys = (0..nodes as u64).map(pair).collect::<Result<Vec<_>, _>>()?;
        keys.sort_by_key(|keys| keys.account().address());
        let validator = |keys: &NodeKeys| {
            let node = keys.account().address();
            let consensus_key = ConsensusKey::from_bytes(keys.consensus().public_key_compressed());
            Ok(GenesisValidator { node, operator: node, consensus_key: consensus_key.map_err(|e| e.to_string())? })
        };
        let validators = keys[..founders].iter().map(validator).collect::<Result<Vec<_>, String>>()?;
        let payers = (0..PAYERS).map(|number| Ok(key(b"payer", number)?.address()));
        let payers = payers.collect::<Result<Vec<_>, String>>()?;
        let addresses: Vec<Address> = keys.iter().map(|keys| keys.account().address()).collect();
        let balance = U256::from(BALANCE_LUCID) * U256::from(10).pow(U256::from(18));
        let spec = ChainSpec {
            chain_id: CHAIN_ID,
            rules: Rules::Poot,
            genesis_time: 0,
            slot_origin: 0,
            parameters,
            server: addresses[0],
            validators,
            allocations: payers.into_iter().chain(addresses.iter().copied()).map(|a| (a, balance)).collect(),
            contracts: genesis_contract_hashes(),
        };
        spec.check().map_err(|error| error.to_string())?;
        let set = spec.genesis_set().map_err(|error| error.to_string())?;
        let disk = PowerCut::new(rng.bits());
        let genesis_hash = Voter::create(&spec, &options(&disk, false)).map_err(|error| error.to_string())?;
        disk.restore();
        let sim = SimChain {
            genesis_hash,
            keys: keys.iter().map(|keys| keys.consensus().clone()).collect(),
            addresses,
            set,
            slot_ms: slot_secs * 1_000,
            timeouts: Timeouts::of(&spec.parameters),
        };
        let spec_hash = spec.hash();
        let (transfers, proofs) = (RefCell::default(), RefCell::default());
        Ok((sim, Self { spec, spec_hash, genesis_hash, keys, disk, transfers, proofs }))
    }

    /// The transaction of a number, the same for all nodes.
    pub(super) fn transfer(&self, number: u64) -> Vec<u8> {
        let sign = || {
            let transaction = TxEip1559 {
                chain_id: self.spec.chain_id,
                nonce: number / PAYERS,
                gas_limit: TRANSFER_GAS,
                max_fee_per_gas: MAX_FEE,
                max_priority_fee_per_gas: TIP,
                to: TxKind::Call(Address::repeat_byte(9)),
                value: U256::from(number),
                ..TxEip1559::default()
            };
            let signature = key(b"payer", number % PAYERS).ok()?.sign_prehash_recoverable(transaction.signature_hash());
            Some(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718())
        };
        self.transfers.borrow_mut().entry(number).or_insert_with(|| sign().unwrap_or_default()).clone()
    }
}
