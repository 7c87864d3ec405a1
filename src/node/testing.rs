//! What tests and benches need that no node does: a history of any length, without the time that its slots would take.

use super::{
    DataDir, Node, NodeError,
    state::{Head, OpenOptions},
    turn::{Decided, Turn},
};
use crate::{
    chain::{self, ChainError},
    consensus::{Author, Proposal, poot},
    keys::NodeKeys,
    mempool::Mempool,
};
use alloy_consensus::Sealable;
use lucid_storage::{Batch, Options};
use lucid_types::{Certificate, CommitSignature, Seal, ValidatorSet};

/// Blocks in one write.
const BLOCKS_PER_WRITE: u64 = 200;

/// Makes blocks on the chain in `datadir`, one a slot from the last block on, each of the raw transactions that
/// `transactions` gives for its height. `validators` are all who ever vote; the leader of each slot proposes at once, and all
/// who vote on its height precommit.
///
/// # Errors
/// Of the store, and of a block that cannot be made.
pub fn make_history(
    datadir: &DataDir,
    validators: &[NodeKeys],
    blocks: u64,
    mut transactions: impl FnMut(u64) -> Vec<Vec<u8>>,
) -> Result<(), NodeError> {
    let keys = NodeKeys::load(&datadir.keys())?;
    let options = OpenOptions { store: Options::default(), ..OpenOptions::default() };
    let node = Node::open_existing(datadir, keys, &options)?;
    let last = node.head().header.number + blocks;
    while node.head().header.number < last {
        let mut head = (*node.head()).clone();
        let until = last.min(head.header.number + BLOCKS_PER_WRITE);
        let mut certificate = None;
        let write = |batch: &mut Batch| -> Result<_, NodeError> {
            let mut written = Vec::new();
            while head.header.number < until {
                let raws = transactions(head.header.number + 1);
                let (imported, made_final) = make_block(&node, batch, &head, validators, raws)?;
                head = Head { header: imported.header.clone(), certificate: Some(made_final.clone()) };
                certificate = Some(made_final);
                written.push(imported);
            }
            Ok(written)
        };
        let written = node.write(write)?;
        if let Some(imported) = written.last() {
            node.set_head(Head { header: imported.header.clone(), certificate });
        }
    }
    Ok(())
}

/// A block of the leader of the slot after the head's, made final by all.
fn make_block(
    node: &Node,
    batch: &mut Batch,
    head: &Head,
    validators: &[NodeKeys],
    raws: Vec<Vec<u8>>,
) -> Result<(chain::Imported, Certificate), NodeError> {
    let slots = node.spec.slots();
    let damaged = || ChainError::Damaged { height: head.header.number, part: "slot" };
    let slot = slots.slot_at(head.header.timestamp).ok_or_else(damaged)? + 1;
    let timestamp = slots.start_of(slot).ok_or_else(damaged)?;
    let leader = poot::next_schedule(batch, &node.spec)?.order.of_round(0).leader;
    let keys = validators.iter().find(|keys| keys.account().address() == leader).ok_or_else(damaged)?;
    let author = Author::new(&node.spec, node.genesis_hash, keys);
    let turn = Turn::read(batch, &node.spec, leader, timestamp)?;
    let (attributes, vrf_proof) = author.attributes(&Proposal {
        parent: &head.header,
        parent_certificate: head.certificate.as_ref(),
        next_set: &turn.next_set,
        timestamp,
        round: 0,
    });
    let candidates = raws.iter().filter_map(|raw| Mempool::decode(raw, &node.spec).ok());
    let candidates: Vec<_> = candidates.collect();
    // Undone, whatever came of it: the import writes it again.
    let mut built = None;
    let _ = batch.attempt(|scratch| -> Result<(), ()> {
        built = Some(chain::build(scratch, &node.spec, &head.header, &attributes, &turn.minting, candidates));
        Err(())
    });
    let block = built.ok_or_else(damaged)??.block;
    let header = block.header.clone().seal_slow();
    let mut seal = author.seal_alone(&header, vrf_proof);
    seal.certificate.signatures = precommits(node, &seal, &turn.schedule.set, validators);
    let parent_certificate = head.certificate.as_ref();
    let decided = Decided { block: &block, seal: &seal, parent_certificate, is_verified: true };
    let imported = node.write_final(batch, head, &turn, decided)?;
    Ok((imported, seal.certificate))
}

fn precommits(node: &Node, seal: &Seal, set: &ValidatorSet, validators: &[NodeKeys]) -> Vec<CommitSignature> {
    let message = seal.certificate.vote(node.genesis_hash).sign_bytes();
    let mut votes: Vec<_> = validators
        .iter()
        .filter(|keys| set.get(&keys.account().address()).is_some())
        .map(|keys| CommitSignature {
            address: keys.account().address(),
            signature: keys.consensus().sign_message_sha256(&message).into(),
        })
        .collect();
    votes.sort_by_key(|vote| vote.address);
    votes
}
