//! A public test chain's genesis allocation has the state root that its first block vouches for.

use std::{fs, path::PathBuf};

use alloy_consensus::Header;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_rlp::Decodable;

use super::*;

/// Folder with `genesis.json` and `chain.rlp` of the execution-API conformance tests.
const FOLDER_VARIABLE: &str = "RPC_COMPAT_DIR";

fn change(account: &GenesisAccount) -> AccountChange {
    let new = Account {
        nonce: account.nonce.unwrap_or_default(),
        balance: account.balance,
        code_hash: account.code_hash().unwrap_or(KECCAK256_EMPTY),
    };
    AccountChange {
        account: Some(new),
        storage: account.storage_slots().map(|(slot, value)| (slot.into(), value)).collect(),
        code: account.non_empty_code().cloned(),
        ..Default::default()
    }
}

/// The parent hash in the header of the first block of a file of blocks in RLP.
fn first_parent_hash(blocks: &[u8]) -> B256 {
    let mut rest = blocks;
    for _ in ["block", "header"] {
        assert!(alloy_rlp::Header::decode(&mut rest).unwrap().list);
    }
    B256::decode(&mut rest).unwrap()
}

/// The file has no root to compare with. But block 1 names the hash of the genesis header, and a header with any
/// other state root has another hash.
#[test]
fn a_public_genesis_has_the_root_that_block_1_vouches_for() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else {
        println!("skipped: {FOLDER_VARIABLE} does not name a folder with genesis.json and chain.rlp");
        return;
    };
    let genesis: Genesis = serde_json::from_slice(&fs::read(folder.join("genesis.json")).unwrap()).unwrap();
    let expected = first_parent_hash(&fs::read(folder.join("chain.rlp")).unwrap());
    let changes = genesis.alloc.iter().map(|(address, account)| (*address, change(account))).collect();
    let (store, _folder) = store();
    let mut batch = store.begin().unwrap();
    let header = Header {
        state_root: apply(&mut batch, 0, &changes).unwrap(),
        parent_hash: B256::ZERO,
        beneficiary: genesis.coinbase,
        difficulty: genesis.difficulty,
        gas_limit: genesis.gas_limit,
        timestamp: genesis.timestamp,
        extra_data: genesis.extra_data,
        mix_hash: genesis.mix_hash,
        nonce: genesis.nonce.into(),
        ..Default::default()
    };
    assert_eq!(header.hash_slow(), expected);
    assert_eq!(LatestState::new(&batch).root().unwrap(), header.state_root);
}
