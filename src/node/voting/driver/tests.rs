//! What a message costs whoever passed it on, and what it does not.

use super::*;
use crate::{
    consensus::bft::{Body, SignedVote},
    keys::NodeKeys,
    network::{Network, NetworkConfig},
    node::{DataDir, voting::inbox::inbox},
    testing::{Tx, account, key, spec},
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B512};
use lucid_types::{Certificate, ChainSpec, CommitSignature, ConsensusKey, GenesisValidator, Rules, VoteKind};
use tokio::runtime::{Builder, Handle};

/// Validators: accounts 1 to this one, each with the consensus key of its number and a hundred.
const VALIDATORS: u8 = 4;

fn chain() -> ChainSpec {
    let validator = |n: u8| GenesisValidator {
        node: account(n),
        operator: account(n),
        consensus_key: ConsensusKey::from_bytes(key(100 + n).public_key_compressed()).unwrap(),
    };
    ChainSpec { validators: (1..=VALIDATORS).map(validator).collect(), ..spec(Rules::Poot) }
}

fn peer(n: u8) -> PeerId {
    Network::id_of(&[n; 32]).unwrap()
}

/// A driver of the first validator, whose network does not run.
fn driver(folder: &DataDir) -> Driver {
    let keys = NodeKeys::new(key(1), key(101)).unwrap();
    let node = Arc::new(Node::open(folder, keys, &lucid_storage::Options::default(), |_| Ok(chain())).unwrap());
    let (_, handle, _) = Network::new(&NetworkConfig::new(), node.genesis_hash.0, &[9; 32], &[]).unwrap();
    let (inbox, _) = inbox();
    let mut driver = Driver::new(node, Wire::new(handle, Handle::current(), inbox), Arc::default()).unwrap();
    driver.begin().unwrap();
    driver
}

/// The first block, made by the driver's own node, with the precommits of all.
fn decided_block(driver: &Driver) -> Message {
    let node = &driver.node;
    node.submit(&Tx::default().sign(5).encoded_2718()).unwrap();
    let order = driver.facts().order;
    let round = order.iter().position(|leader| *leader == account(1)).unwrap() as u32;
    let built = node.build_for(1, round, driver.clockwork.slot_now()).unwrap().unwrap();
    let block_hash = built.block_hash;
    let mut certificate = Certificate { height: 1, round, block_hash, signatures: Vec::new() };
    let precommit = certificate.vote(node.genesis_hash).sign_bytes();
    let signed =
        |n: u8| CommitSignature { address: account(n), signature: key(100 + n).sign_message_sha256(&precommit).into() };
    certificate.signatures = (1..=VALIDATORS).map(signed).collect();
    certificate.signatures.sort_by_key(|vote| vote.address);
    let body = Body {
        height: 1,
        round,
        block_hash,
        proposal_signature: node.author.sign_proposal(1, round, block_hash),
        vrf_proof: built.vrf_proof,
        parent_certificate: None,
        block: built.block,
    };
    Message::Block { body: Box::new(body), certificate }
}

fn vote_of_a_stranger(height: u64) -> Message {
    let (voter, signature) = (Address::repeat_byte(0xbb), B512::ZERO);
    Message::Vote(SignedVote { voter, height, round: 0, kind: VoteKind::Prevote, block_hash: None, signature })
}

/// Votes of a height to come are kept unjudged. When the height comes they are judged, whoever's message brought it.
#[test]
fn a_peer_is_not_blamed_for_what_another_said_before() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let folder = DataDir::temporary().unwrap();
    let mut driver = driver(&folder);
    driver.take_message(peer(1), None, vote_of_a_stranger(2)).unwrap();
    assert!(!driver.faulted, "nobody knows yet who votes there");
    let block = decided_block(&driver);
    driver.take_message(peer(2), None, block).unwrap();
    assert_eq!(driver.machine.next_height(), 2);
    assert!(!driver.faulted, "the fault was the other's");
    driver.take_message(peer(2), None, vote_of_a_stranger(2)).unwrap();
    assert!(driver.faulted, "this one is its own");
}
