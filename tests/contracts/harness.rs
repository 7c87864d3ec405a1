//! A state with the genesis contracts in it, and transactions of ordinary accounts against them.

use alloy_primitives::{Address, B256, Bytes, Log};
use alloy_sol_types::{SolCall, SolError, SolEvent};
use k256::ecdsa::SigningKey;
use lucid_types::contracts::{
    GenesisNode, LUCID_ANCHORS_ADDRESS, LUCID_NODES_ADDRESS, LucidAnchors, LucidNodes, genesis_contracts,
    lucid_nodes_genesis_storage, registration_digest,
};
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    primitives::{TxKind, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};

/// The gas of a block of a shared chain: what does not fit into it could not be sent.
pub(crate) const BLOCK_GAS_LIMIT: u64 = 8_000_000;

pub(crate) const SPEC_HASH: B256 = B256::repeat_byte(0x5e);

/// What a receipt says of a transaction that succeeded.
pub(crate) struct Receipt {
    pub(crate) gas_used: u64,
    pub(crate) logs: Vec<Log>,
}

impl Receipt {
    /// The events of one kind, decoded strictly.
    pub(crate) fn events<E: SolEvent>(&self) -> Vec<E> {
        let logs = self.logs.iter().filter(|log| log.topics()[0] == E::SIGNATURE_HASH);
        logs.map(|log| E::decode_log_validate(log).unwrap().data).collect()
    }

    /// The one event that the transaction left.
    pub(crate) fn only_event<E: SolEvent>(&self) -> E {
        assert_eq!(self.logs.len(), 1, "logs: {:?}", self.logs);
        self.events().pop().unwrap()
    }
}

/// State after genesis.
pub(crate) struct Chain {
    db: CacheDB<EmptyDB>,
}

impl Chain {
    /// A chain without nodes, for the contracts that need none.
    pub(crate) fn new() -> Self {
        Self::with_nodes(1, &[])
    }

    pub(crate) fn with_nodes(validators_needed: u32, nodes: &[GenesisNode]) -> Self {
        let mut db = CacheDB::new(EmptyDB::default());
        for contract in genesis_contracts() {
            let info = AccountInfo { nonce: 1, ..Default::default() };
            db.insert_account_info(contract.address, info.with_code(Bytecode::new_raw(contract.code)));
        }
        for (slot, value) in lucid_nodes_genesis_storage(SPEC_HASH, validators_needed, nodes) {
            db.insert_account_storage(LUCID_NODES_ADDRESS, slot, value).unwrap();
        }
        Self { db }
    }

    fn run(&mut self, from: Address, to: Address, data: Vec<u8>, commit: bool) -> ExecutionResult {
        let nonce = self.db.load_account(from).unwrap().info.nonce;
        let tx = TxEnv {
            caller: from,
            kind: TxKind::Call(to),
            data: data.into(),
            nonce,
            gas_limit: BLOCK_GAS_LIMIT,
            ..Default::default()
        };
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA))
            .modify_block_chained(|block| block.gas_limit = BLOCK_GAS_LIMIT)
            .build_mainnet();
        if commit { evm.transact_commit(tx).unwrap() } else { evm.transact(tx).unwrap().result }
    }

    /// Sends a transaction that has to succeed.
    pub(crate) fn send<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> Receipt {
        match self.run(from, to, call.abi_encode(), true) {
            ExecutionResult::Success { gas, logs, .. } => Receipt { gas_used: gas.tx_gas_used(), logs },
            other => panic!("{}: {other:?}", C::SIGNATURE),
        }
    }

    /// Sends a transaction that has to revert, and gives its answer.
    pub(crate) fn reverted_raw(&mut self, from: Address, to: Address, data: Vec<u8>) -> Bytes {
        match self.run(from, to, data, true) {
            ExecutionResult::Revert { output, .. } => output,
            other => panic!("did not revert: {other:?}"),
        }
    }

    /// Sends a transaction that has to revert with exactly this error.
    #[track_caller]
    pub(crate) fn refuses<C: SolCall, E: SolError>(&mut self, from: Address, to: Address, call: &C, error: &E) {
        let output = self.reverted_raw(from, to, call.abi_encode());
        assert_eq!(output, error.abi_encode(), "{} did not revert with {}", C::SIGNATURE, E::SIGNATURE);
    }

    /// Calls a view.
    pub(crate) fn view<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        match self.run(Address::ZERO, to, call.abi_encode(), false) {
            ExecutionResult::Success { output, .. } => C::abi_decode_returns_validate(output.data()).unwrap(),
            other => panic!("{}: {other:?}", C::SIGNATURE),
        }
    }

    /// Registers a session with the root and the id that `n` stands for.
    pub(crate) fn register_session(&mut self, from: Address, n: u8, chunk_count: u32) -> B256 {
        self.send(from, LUCID_ANCHORS_ADDRESS, &registration(n, chunk_count));
        session_id(n)
    }
}

/// An ordinary account.
pub(crate) fn account(n: u8) -> Address {
    Address::repeat_byte(n)
}

/// 16 bytes of a UUID, none of them zero, and 16 zero bytes.
pub(crate) fn session_id(n: u8) -> B256 {
    let mut id = B256::ZERO;
    id[..16].fill(n);
    id
}

/// A valid registration, with no zero bytes where real values have none.
pub(crate) fn registration(n: u8, chunk_count: u32) -> LucidAnchors::registerSessionCall {
    LucidAnchors::registerSessionCall {
        sessionId: session_id(n),
        manifestHash: B256::repeat_byte(0xa0),
        startedAt: 1_760_000_000,
        owner: account(0x0e),
        merkleRoot: B256::repeat_byte(n),
        chunkCount: chunk_count,
    }
}

/// A consensus key.
pub(crate) fn consensus_key(n: u8) -> SigningKey {
    SigningKey::from_slice(&[n; 32]).unwrap()
}

/// The 64 bytes of a key's point.
pub(crate) fn uncompressed(key: &SigningKey) -> [u8; 64] {
    key.verifying_key().to_encoded_point(false).as_bytes()[1..].try_into().unwrap()
}

/// A node that genesis knows: account n, operator 100 + n.
pub(crate) fn genesis_node(n: u8) -> GenesisNode {
    GenesisNode { node: account(n), operator: account(100 + n), consensus_key: uncompressed(&consensus_key(n)) }
}

/// A key's signature over a digest: r, s and v.
pub(crate) fn sign(key: &SigningKey, digest: B256) -> Vec<u8> {
    let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).unwrap();
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(27 + recovery.to_byte());
    bytes
}

/// The proof that who registers has the key.
pub(crate) fn proof_of_possession(key: &SigningKey, node: Address, operator: Address) -> Vec<u8> {
    sign(key, registration_digest(SPEC_HASH, node, operator))
}

/// A registration of `node` with the consensus key `n`.
pub(crate) fn registration_call(n: u8, node: Address, operator: Address) -> LucidNodes::registerCall {
    let key = consensus_key(n);
    LucidNodes::registerCall {
        operator,
        consensusKey: uncompressed(&key).to_vec().into(),
        endpoint: "/ip4/192.0.2.1/tcp/30303".to_owned(),
        signature: proof_of_possession(&key, node, operator).into(),
    }
}
