//! Between the network and the node: what comes in is decoded and handed on, and what waits here is spread.

use super::{
    super::{
        error::NodeError,
        proof_pool::ProofRefused,
        state::Node,
        sync::{Server, ask_what_waits, is_question},
    },
    inbox::{Inbox, Told},
    wire::from_gossip,
};
use crate::{
    consensus::{bft, poot::TaskProofFault},
    mempool::SubmitError,
    network::{
        Message, MessageId, NetworkEvent, NetworkEvents, NetworkHandle, Offence, PeerChange, Request, Topic, Verdict,
    },
};
use alloy_eips::eip2718::Encodable2718;
use lucid_storage::{Batch, Peers, StoreError};
use lucid_types::TransactionRefusal;
use std::sync::Arc;
use tokio::{
    sync::{broadcast::error::RecvError, watch},
    task::JoinSet,
};
use tracing::{debug, info, warn};

/// The node's end of the network.
#[derive(Clone)]
pub(in crate::node) struct Link {
    pub(in crate::node) server: Server,
    pub(in crate::node) network: NetworkHandle,
    pub(in crate::node) inbox: Inbox,
}

/// Hands on what the network brings, until it stops.
pub(in crate::node) async fn follow_network(
    node: Arc<Node>,
    link: Link,
    mut events: NetworkEvents,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    // As many as there are peers at most: a peer that is gone answers nothing.
    let mut asking = JoinSet::new();
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            Some(asked) = asking.join_next() => {
                asked.map_err(|error| NodeError::Task(error.to_string()))??;
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some(event) = event else { break };
        match event {
            NetworkEvent::Message(message) if message.topic == Topic::Transactions => {
                take_transaction(&node, &link.network, message).await?;
            }
            NetworkEvent::Message(message) if message.topic == Topic::Proofs => {
                take_proof(&node, &link.network, message).await?;
            }
            NetworkEvent::Message(message) => link.take_message(message),
            NetworkEvent::Request(request) => link.take_request(request),
            NetworkEvent::Connected { peer } => {
                info!(%peer, "peer connected");
                link.inbox.tell(Told::Connected(peer));
                asking.spawn(ask_what_waits(Arc::clone(&node), link.network.clone(), peer));
            }
            NetworkEvent::Disconnected { peer } => {
                info!(%peer, "peer disconnected");
                link.inbox.tell(Told::Disconnected(peer));
            }
            NetworkEvent::Rows(changes) => write_peers(&node, changes).await?,
            NetworkEvent::Listening { address } => info!(address, "listening for peers"),
        }
    }
    if let Ok(changes) = link.network.stop().await {
        write_peers(&node, changes).await?;
    }
    Ok(())
}

impl Link {
    fn take_message(&self, message: Message) {
        let Message { id, from, data, .. } = message;
        match from_gossip(&data) {
            Ok(message) if !message.is_gossip() => {
                debug!(%from, "gossip of a message that is for one peer");
                let _ = self.network.report(id, Verdict::Reject);
            }
            Ok(message) => {
                if !self.inbox.tell(Told::Message { from, gossip: Some(id), message: Box::new(message) }) {
                    let _ = self.network.report(id, Verdict::Ignore);
                }
            }
            Err(error) => {
                debug!(%from, %error, "gossip that is no message of consensus");
                let _ = self.network.report(id, Verdict::Reject);
            }
        }
    }

    fn take_request(&self, request: Request) {
        if is_question(&request.data) {
            self.server.answer(request);
            return;
        }
        let Request { id, from, data } = request;
        match bft::Message::decode(&data) {
            Ok(message) => {
                if !self.inbox.tell(Told::Asked { from, request: id, message: Box::new(message) }) {
                    let _ = self.network.respond(id, None);
                }
            }
            Err(error) => {
                debug!(%from, %error, "a question that is none");
                let _ = self.network.offence(from, Offence::Malformed);
                let _ = self.network.respond(id, None);
            }
        }
    }
}

/// Puts a transaction that a peer passed on into the pool.
async fn take_transaction(node: &Arc<Node>, network: &NetworkHandle, message: Message) -> Result<(), NodeError> {
    let (pool, id) = (Arc::clone(node), message.id);
    let taken = tokio::task::spawn_blocking(move || pool.submit(&message.data)).await;
    let verdict = match taken.map_err(|error| NodeError::Task(error.to_string()))? {
        Ok(_) => Verdict::Accept,
        Err(SubmitError::State(error)) => return Err(error.into()),
        Err(SubmitError::Refused(refusal)) => verdict_on(&refusal),
    };
    report(network, id, verdict);
    Ok(())
}

/// Keeps a task proof that a peer passed on.
async fn take_proof(node: &Arc<Node>, network: &NetworkHandle, message: Message) -> Result<(), NodeError> {
    let (pool, id) = (Arc::clone(node), message.id);
    let taken = tokio::task::spawn_blocking(move || pool.submit_proof(&message.data)).await;
    let verdict = match taken.map_err(|error| NodeError::Task(error.to_string()))? {
        Ok(_) => Verdict::Accept,
        Err(ProofRefused::Node(error)) => return Err(error),
        Err(ProofRefused::Length(_) | ProofRefused::Fault(TaskProofFault::Signature | TaskProofFault::Type(_))) => {
            Verdict::Reject
        }
        // It may count for a node whose chain is further.
        Err(_) => Verdict::Ignore,
    };
    report(network, id, verdict);
    Ok(())
}

/// What breaks a rule that whoever passed it on could see is rejected; what depends on the state or the pool is not his fault.
fn verdict_on(refusal: &TransactionRefusal) -> Verdict {
    match refusal {
        TransactionRefusal::InvalidSender | TransactionRefusal::WrongChain { .. } => Verdict::Reject,
        _ => Verdict::Ignore,
    }
}

fn report(network: &NetworkHandle, id: MessageId, verdict: Verdict) {
    let _ = network.report(id, verdict);
}

/// Tells peers of transactions that come into the pool, and consensus that something waits.
pub(in crate::node) async fn spread_transactions(
    node: Arc<Node>,
    link: Link,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let (mut pooled, mut proven) = (node.pooled.subscribe(), node.proven.subscribe());
    // What waited over a restart.
    link.inbox.tell(Told::Waiting);
    loop {
        let news = tokio::select! {
            news = pooled.recv() => news,
            proof = proven.recv() => {
                if let Ok(record) = proof
                    && let Err(refused) = link.network.publish(Topic::Proofs, record)
                {
                    debug!(%refused, "a task proof was not passed on");
                }
                link.inbox.tell(Told::Waiting);
                continue;
            }
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        match news {
            Ok(news) => {
                if let Err(refused) = link.network.publish(Topic::Transactions, news.transaction.encoded_2718()) {
                    debug!(%refused, "a transaction was not passed on");
                }
            }
            // Those that were missed are in the pool, and peers hear of them from others or not at all.
            Err(RecvError::Lagged(missed)) => warn!(missed, "transactions were not passed on"),
            Err(RecvError::Closed) => return Ok(()),
        }
        link.inbox.tell(Told::Waiting);
    }
}

async fn write_peers(node: &Arc<Node>, changes: Vec<PeerChange>) -> Result<(), NodeError> {
    if changes.is_empty() {
        return Ok(());
    }
    let node = Arc::clone(node);
    let written = tokio::task::spawn_blocking(move || {
        node.write(|batch: &mut Batch| -> Result<(), StoreError> {
            for change in changes {
                match change {
                    PeerChange::Put(id, record) => batch.put::<Peers>(&id, &record)?,
                    PeerChange::Remove(id) => batch.remove::<Peers>(&id).map(drop)?,
                }
            }
            Ok(())
        })
    });
    match written.await.map_err(|error| NodeError::Task(error.to_string()))? {
        // They are known without their rows until there is room again.
        Err(error) if super::super::error::is_disk_full(&error) => Ok(()),
        written => Ok(written?),
    }
}
