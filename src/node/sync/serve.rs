//! What peers are answered: decided blocks in parts, and what waits.

use super::wire::{
    ANSWER_BYTES, Headers, MAX_BODIES, MAX_HEADERS, MAX_WAITING, Question, SealedHeader, Votes, WAITING_BYTES,
};
use crate::{
    chain::{self, ChainError},
    network::{NetworkHandle, Offence, Request},
    node::{error::NodeError, state::Node},
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::Bytes;
use alloy_rlp::Encodable;
use lucid_storage::{Direction, Reader, Seals, TableId};
use std::{collections::BTreeMap, ops::Bound, sync::Arc};
use tokio::{sync::Semaphore, task::spawn_blocking};
use tracing::debug;

/// Answers that are put together at once. The others wait; how many do is bounded by the network.
const ANSWERS_AT_ONCE: usize = 2;

/// Answers questions that are none of consensus, on threads of their own.
#[derive(Clone)]
pub(in crate::node) struct Server {
    node: Arc<Node>,
    network: NetworkHandle,
    places: Arc<Semaphore>,
}

impl Server {
    pub(in crate::node) fn new(node: Arc<Node>, network: NetworkHandle) -> Self {
        Self { node, network, places: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)) }
    }

    /// Answers a question in its turn; one that is none is charged.
    pub(in crate::node) fn answer(&self, request: Request) {
        let Request { id, from, data } = request;
        let Some(question) = Question::decode(&data) else {
            let _ = self.network.offence(from, Offence::Malformed);
            let _ = self.network.respond(id, None);
            return;
        };
        let Self { node, network, places } = self.clone();
        tokio::spawn(async move {
            let Ok(place) = places.acquire_owned().await else { return };
            let answered = spawn_blocking(move || node.answer(question)).await;
            drop(place);
            let answer = match answered {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(error)) => {
                    debug!(%error, ?question, "a peer's question is not answered");
                    None
                }
                Err(_) => None,
            };
            let _ = network.respond(id, answer);
        });
    }
}

impl Node {
    pub(super) fn answer(&self, question: Question) -> Result<Vec<u8>, NodeError> {
        match question {
            Question::Headers { from, count } => Ok(self.headers_from(from, count.min(MAX_HEADERS))?.encode()),
            Question::Bodies { from, count } => self.bodies_from(from, count.min(MAX_BODIES)),
            Question::Waiting => Ok(super::wire::encode_waiting(&self.raw_waiting(WAITING_BYTES))),
        }
    }

    /// Headers from a height on, each with the certificate that its child commits to; the last one's is this node's own.
    pub(super) fn headers_from(&self, from: u64, count: u64) -> Result<Headers, NodeError> {
        let snapshot = self.snapshot();
        let head = chain::read_head(&snapshot)?.number;
        let before = from.checked_sub(1).map(|height| snapshot.get::<Seals>(&height)).transpose()?.flatten();
        let parent = Votes::of(before.as_ref().map(|seal| &seal.certificate));
        let mut answer = Headers { head, parent, headers: Vec::new() };
        if from == 0 || from > head || count == 0 {
            return Ok(answer);
        }
        let last = from.saturating_add(count - 1).min(head);
        let mut sets = sets_from(&snapshot, from + 1, last + 1)?;
        let mut bytes = 0;
        for height in from..=last {
            let damaged = |part| ChainError::Damaged { height, part };
            let header = chain::read_header(&snapshot, height)?.ok_or(damaged("header"))?;
            let seal = snapshot.get::<Seals>(&height)?.ok_or(damaged("seal"))?;
            let set = sets.remove(&(height + 1));
            let header = header.into_inner();
            let sealed = SealedHeader::new(header, seal.vrf_proof, seal.proposal_signature, &seal.certificate, set);
            bytes += sealed.length();
            answer.headers.push(sealed);
            if bytes >= ANSWER_BYTES {
                break;
            }
        }
        Ok(answer)
    }

    fn bodies_from(&self, from: u64, count: u64) -> Result<Vec<u8>, NodeError> {
        let snapshot = self.snapshot();
        let last = from.saturating_add(count).min(chain::read_head(&snapshot)?.number.saturating_add(1));
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for height in from.max(1)..last {
            let Some(block) = chain::read_block(&snapshot, height)? else { break };
            let length = block.body.length();
            // One is always sent; what follows has to fit.
            if bytes > 0 && bytes + length > ANSWER_BYTES {
                break;
            }
            bytes += length;
            blocks.push(block);
        }
        Ok(super::wire::encode_bodies(&blocks))
    }

    /// Transactions that a block could take, those that pay best first, up to so many bytes.
    pub(super) fn raw_waiting(&self, most_bytes: usize) -> Vec<Bytes> {
        let base_fee = self.head().next_base_fee();
        let best = self.pool().best(base_fee, MAX_WAITING);
        let mut bytes = 0;
        let raws = best.iter().map(|transaction| Bytes::from(transaction.encoded_2718()));
        raws.take_while(|raw| {
            bytes += raw.len();
            bytes <= most_bytes
        })
        .collect()
    }
}

/// The validator sets that begin to vote within some heights, in canonical bytes.
fn sets_from<R: Reader>(reader: &R, first: u64, last: u64) -> Result<BTreeMap<u64, Vec<u8>>, NodeError> {
    let (first, last) = (first.to_be_bytes(), last.to_be_bytes());
    let bounds = (Bound::Included(first.as_slice()), Bound::Included(last.as_slice()));
    let mut rows = reader.raw_range(TableId::ValidatorSets, bounds.0, bounds.1, Direction::Forward)?;
    let mut sets = BTreeMap::new();
    while let Some((key, set)) = rows.next_view()? {
        let height = <[u8; 8]>::try_from(&*key).map(u64::from_be_bytes);
        sets.extend(height.ok().map(|height| (height, set.to_vec())));
    }
    Ok(sets)
}
