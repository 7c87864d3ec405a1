//! A chain of several nodes on one machine, for trying out: the rules of a real chain with short slots.

use super::{
    datadir::{DataDir, write_whole},
    error::NodeError,
    init::{NewChain, NewConfig, init},
};
use crate::{
    chain::genesis_contract_hashes,
    keys::{DEV_ACCOUNTS, NetworkKey, NodeKeys},
    network::Network,
};
use alloy_primitives::{Address, B256, U256};
use lucid_types::{ChainSpec, ConsensusKey, GenesisValidator, Params, Preset, Rules, SpecError};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// Chain id that Ethereum's development tools expect.
const CHAIN_ID: u64 = 31_337;

/// LUCID on each well-known account, and on each node's own.
const BALANCE_LUCID: u64 = 10_000;

/// What a network of nodes on one machine is made of.
#[derive(Debug, Clone)]
pub struct DevnetOptions {
    /// Folder in which each node has one of its own.
    pub folder: PathBuf,
    /// Length of a slot, in seconds.
    pub slot_secs: u64,
    /// How many of the nodes, the first ones, are validators from the beginning. The others follow, and may register.
    pub validators: usize,
    /// For each node the port of its JSON-RPC server and the one where peers reach it.
    pub ports: Vec<(u16, u16)>,
    /// The time of now, in Unix seconds.
    pub now: u64,
}

/// One of the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevnetNode {
    /// Its folder.
    pub datadir: PathBuf,
    /// Address of its account.
    pub address: Address,
    /// Where its JSON-RPC server listens.
    pub http_addr: SocketAddr,
    /// Where its peers reach it, with its name.
    pub peer: String,
    /// Hash of the chain's genesis header.
    pub genesis_hash: B256,
}

/// Makes the folders of a network: keys, one chain spec, a configuration each. One that is there is gone on with; its ports
/// are those that are asked for.
///
/// # Errors
/// A folder holds something else; the disk.
pub fn make_devnet(options: &DevnetOptions) -> Result<Vec<DevnetNode>, NodeError> {
    let mut parts = Vec::new();
    for (place, (http, p2p)) in options.ports.iter().enumerate() {
        let datadir = DataDir::at(&options.folder.join(format!("node-{}", place + 1)))?;
        let keys = NodeKeys::load_or_create(&datadir.keys())?;
        let id = Network::id_of(&NetworkKey::load_or_create(&datadir.keys())?.seed())?;
        let listen = format!("/ip4/127.0.0.1/tcp/{p2p}");
        parts.push((datadir, keys, *http, format!("{listen}/p2p/{id}"), listen));
    }
    let keys: Vec<_> = parts.iter().map(|(_, keys, ..)| keys).collect();
    let validators = keys.get(..options.validators).unwrap_or(&keys);
    let spec = spec_of(&options.folder, &keys, validators, options)?;
    let peers: Vec<_> = parts.iter().map(|(.., peer, _)| peer.clone()).collect();
    let mut nodes = Vec::new();
    for (datadir, keys, http, peer, listen) in &parts {
        let others: Vec<_> = peers.iter().filter(|other| *other != peer).collect();
        let config = config_text(*http, listen, &others);
        if !datadir.store().exists() {
            let is_validator = spec.validators.iter().any(|validator| validator.node == keys.account().address());
            let chain = if is_validator { NewChain::Spec } else { NewChain::Followed };
            init(datadir, chain(Box::new(spec.clone())), NewConfig::Text(&config), options.now)?;
        }
        write_whole(&datadir.config(), config.as_bytes())?;
        nodes.push(DevnetNode {
            datadir: datadir.path().to_owned(),
            address: keys.account().address(),
            http_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, *http)),
            peer: peer.clone(),
            genesis_hash: crate::chain::genesis_header(&spec)?.hash(),
        });
    }
    Ok(nodes)
}

/// The spec that lies in the folder, or a new one.
fn spec_of(
    folder: &Path,
    keys: &[&NodeKeys],
    validators: &[&NodeKeys],
    options: &DevnetOptions,
) -> Result<ChainSpec, NodeError> {
    let path = folder.join("chain.json");
    if path.exists() {
        let text = std::fs::read(&path).map_err(|source| NodeError::Io { path: path.clone(), source })?;
        return Ok(ChainSpec::from_json(&text)?);
    }
    let spec = devnet_chain_spec(keys, validators, options.slot_secs, options.now)?;
    write_whole(&path, &spec.to_canonical_json())?;
    Ok(spec)
}

/// A chain of these validators, the first of them the server, with money on the accounts of all nodes: the parameters of
/// `dev` with a slot of its own, and the rules of PoOT. Every node is its own operator.
fn devnet_chain_spec(
    keys: &[&NodeKeys],
    validators: &[&NodeKeys],
    slot_secs: u64,
    now: u64,
) -> Result<ChainSpec, NodeError> {
    let validator = |keys: &&NodeKeys| {
        let node = keys.account().address();
        let consensus_key = ConsensusKey::from_bytes(keys.consensus().public_key_compressed())?;
        Ok(GenesisValidator { node, operator: node, consensus_key })
    };
    let validators: Vec<_> =
        validators.iter().map(validator).collect::<Result<_, _>>().map_err(super::SoloSpecError::Key)?;
    let server = validators.first().map(|first| first.node).unwrap_or_default();
    let balance = U256::from(BALANCE_LUCID) * U256::from(10).pow(U256::from(18));
    let accounts = DEV_ACCOUNTS.iter().map(|account| account.address());
    let nodes = keys.iter().map(|keys| keys.account().address());
    let spec = ChainSpec {
        chain_id: CHAIN_ID,
        rules: Rules::Poot,
        genesis_time: now,
        slot_origin: now,
        parameters: Params { slot_duration_secs: slot_secs, ..Preset::Dev.params() },
        server,
        allocations: accounts.chain(nodes).map(|address| (address, balance)).collect(),
        validators,
        contracts: genesis_contract_hashes(),
    };
    spec.check().map_err(|error: SpecError| NodeError::Spec(error))?;
    Ok(spec)
}

fn config_text(http: u16, listen: &str, peers: &[&String]) -> String {
    let peers: Vec<_> = peers.iter().map(|peer| format!("\"{peer}\"")).collect();
    format!(
        "[http]\naddr = \"127.0.0.1\"\nport = {http}\n\n[network]\nlisten = [\"{listen}\"]\npeers = [{}]\n",
        peers.join(", ")
    )
}
