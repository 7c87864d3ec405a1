//! What the tests of several rooms share: a chain in a temporary store, accounts with money, signed transactions.

use crate::{
    chain::{
        self, BlockAttributes, Built, ChainError, Imported, RecoveredBlock, genesis_contract_hashes, write_genesis,
    },
    evm::Transaction,
    keys::SecretKey,
    state::{LatestState, StateReader},
};
use alloy_consensus::{
    Header, Sealed, SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy,
    transaction::Recovered,
};
use alloy_eips::{
    eip2930::AccessList,
    eip4895::Withdrawals,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use lucid_storage::{Meta, Options, Store};
use lucid_types::{ChainSpec, ConsensusKey, ExtraData, GenesisValidator, Params, Preset, Rules, ValidatorSet};
use tempfile::TempDir;

/// Chain id of the chains here.
pub(crate) const CHAIN_ID: u64 = 31_337;
/// One gwei, in wei.
pub(crate) const GWEI: u128 = 1_000_000_000;
/// Keys 1 to this have accounts with money.
pub(crate) const ACCOUNTS: u8 = 8;
/// What each of them has, in wei.
pub(crate) const BALANCE: u128 = 1_000_000_000 * GWEI;

/// A key; each number has its own.
pub(crate) fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes(&[n; 32]).unwrap()
}

/// The account of a key.
pub(crate) fn account(n: u8) -> Address {
    key(n).address()
}

/// A chain with one validator: account 1, consensus key 101.
pub(crate) fn spec(rules: Rules) -> ChainSpec {
    let preset = if rules == Rules::Dev { Preset::Dev } else { Preset::Lucid };
    let consensus_key = ConsensusKey::from_bytes(key(101).public_key_compressed()).unwrap();
    ChainSpec {
        chain_id: CHAIN_ID,
        rules,
        genesis_time: 1_704_067_200,
        slot_origin: 1_704_067_200,
        parameters: Params { validators_needed: 1, ..preset.params() },
        server: account(1),
        validators: vec![GenesisValidator { node: account(1), operator: account(2), consensus_key }],
        allocations: (1..=ACCOUNTS).map(|n| (account(n), U256::from(BALANCE))).collect(),
        contracts: genesis_contract_hashes(),
    }
}

/// A transaction before it is signed. The default pays 1 wei to nobody, with a tip of 1 gwei.
#[derive(Debug, Clone)]
pub(crate) struct Tx {
    pub(crate) form: Form,
    pub(crate) to: TxKind,
    pub(crate) nonce: u64,
    pub(crate) value: U256,
    pub(crate) gas_limit: u64,
    /// The gas price, where the form has no other.
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
    pub(crate) input: Bytes,
}

/// The forms of transactions.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// With a chain id (EIP-155).
    Legacy,
    /// EIP-2930.
    AccessList(AccessList),
    /// EIP-1559.
    DynamicFee,
    /// EIP-7702.
    SetCode(Vec<SignedAuthorization>),
}

impl Default for Tx {
    fn default() -> Self {
        Self {
            form: Form::DynamicFee,
            to: TxKind::Call(Address::repeat_byte(0xee)),
            nonce: 0,
            value: U256::ONE,
            gas_limit: 21_000,
            max_fee: 3 * GWEI,
            tip: GWEI,
            input: Bytes::new(),
        }
    }
}

impl Tx {
    /// A call without value and with gas to spare.
    pub(crate) fn call(to: Address, input: impl Into<Bytes>) -> Self {
        let (input, gas_limit) = (input.into(), 1_000_000);
        Self { to: TxKind::Call(to), value: U256::ZERO, gas_limit, input, ..Self::default() }
    }

    /// The creation of a contract with this code.
    pub(crate) fn create(runtime: &[u8]) -> Self {
        Self { to: TxKind::Create, ..Self::call(Address::ZERO, init_code(runtime)) }
    }

    pub(crate) fn nonce(self, nonce: u64) -> Self {
        Self { nonce, ..self }
    }

    /// Signed with a key.
    pub(crate) fn sign(self, signer: u8) -> Transaction {
        let Self { form, to, nonce, value, gas_limit, max_fee, tip, input } = self;
        let chain_id = CHAIN_ID;
        let envelope: TxEnvelope = match form {
            Form::Legacy => {
                let chain_id = Some(chain_id);
                signed(TxLegacy { chain_id, nonce, gas_price: max_fee, gas_limit, to, value, input }, signer).into()
            }
            Form::AccessList(access_list) => {
                let gas_price = max_fee;
                let tx = TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input };
                signed(tx, signer).into()
            }
            Form::DynamicFee => {
                let (max_fee_per_gas, max_priority_fee_per_gas) = (max_fee, tip);
                let access_list = AccessList::default();
                let tx = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    input,
                };
                signed(tx, signer).into()
            }
            Form::SetCode(authorization_list) => {
                let tx = TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: max_fee,
                    max_priority_fee_per_gas: tip,
                    to: *to.to().unwrap(),
                    value,
                    access_list: AccessList::default(),
                    authorization_list,
                    input,
                };
                signed(tx, signer).into()
            }
        };
        Recovered::new_unchecked(envelope, account(signer))
    }
}

fn signed<T: SignableTransaction<alloy_primitives::Signature>>(transaction: T, signer: u8) -> Signed<T> {
    let signature = key(signer).sign_prehash_recoverable(transaction.signature_hash());
    transaction.into_signed(signature)
}

/// An authorization (EIP-7702) of `signer` to run the code at `address`.
pub(crate) fn authorize(signer: u8, nonce: u64, address: Address) -> SignedAuthorization {
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address, nonce };
    let signature = key(signer).sign_prehash_recoverable(authorization.signature_hash());
    authorization.into_signed(signature)
}

/// Creation code that returns `runtime`.
pub(crate) fn init_code(runtime: &[u8]) -> Bytes {
    let [high, low] = u16::try_from(runtime.len()).unwrap().to_be_bytes();
    // PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN
    let prelude = [0x61, high, low, 0x80, 0x60, 10, 0x5f, 0x39, 0x5f, 0xf3];
    [prelude.as_slice(), runtime].concat().into()
}

/// A chain in a store of its own.
pub(crate) struct TestChain {
    pub(crate) spec: ChainSpec,
    pub(crate) store: Store,
    pub(crate) head: Sealed<Header>,
    pub(crate) validators: ValidatorSet,
    _folder: TempDir,
}

impl TestChain {
    /// What an account has after the head, in wei.
    pub(crate) fn balance_of(&self, address: Address) -> U256 {
        let account = LatestState::new(&self.store.snapshot().unwrap()).account(address).unwrap();
        account.map_or(U256::ZERO, |account| account.balance)
    }

    /// The genesis of [`spec`].
    pub(crate) fn new(rules: Rules) -> Self {
        Self::with_spec(spec(rules))
    }

    pub(crate) fn with_spec(spec: ChainSpec) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::new(spec.to_canonical_json(), chain::genesis_header(&spec).unwrap().hash());
        let store = Store::create(folder.path().join("store"), &meta, &Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        let head = write_genesis(&mut batch, &spec).unwrap();
        store.commit(batch).unwrap();
        let validators = spec.genesis_set().unwrap();
        Self { spec, store, head, validators, _folder: folder }
    }

    /// What consensus would give a block in the next slot.
    pub(crate) fn attributes(&self) -> BlockAttributes {
        let height = (self.head.number + 1) as u8;
        BlockAttributes {
            timestamp: self.head.timestamp + self.spec.parameters.slot_duration_secs,
            beneficiary: account(1),
            mix_hash: B256::repeat_byte(height),
            parent_certificate_hash: B256::repeat_byte(height.wrapping_add(100)),
            extra_data: ExtraData::new(0, &self.validators),
        }
    }

    /// A block of `candidates` on top of the head.
    pub(crate) fn build(&self, candidates: impl IntoIterator<Item = Transaction>) -> Built {
        let mut scratch = self.store.begin().unwrap();
        chain::build(&mut scratch, &self.spec, &self.head, &self.attributes(), &Withdrawals::default(), candidates)
            .unwrap()
    }

    /// Judges a block and forgets what came of it.
    pub(crate) fn judge(&self, block: &RecoveredBlock) -> Result<Imported, ChainError> {
        chain::import(&mut self.store.begin().unwrap(), &self.spec, &self.head, block, &Withdrawals::default())
    }

    /// Imports a block and commits it.
    pub(crate) fn commit(&mut self, block: &RecoveredBlock) -> Imported {
        let mut batch = self.store.begin().unwrap();
        let imported = chain::import(&mut batch, &self.spec, &self.head, block, &Withdrawals::default()).unwrap();
        self.store.commit(batch).unwrap();
        self.head = imported.header.clone();
        imported
    }

    /// Builds, imports and commits a block, which must take every candidate.
    pub(crate) fn advance(&mut self, candidates: Vec<Transaction>) -> Imported {
        let count = candidates.len();
        let built = self.build(candidates);
        assert_eq!((built.block.transactions.len(), built.rejected), (count, Vec::new()));
        self.commit(&built.block)
    }
}
