//! Requests that are open: those of peers, until they are answered and the answer has left, and this node's own.

use std::collections::BTreeMap;

use libp2p::{
    PeerId,
    futures::channel::oneshot,
    request_response::{InboundRequestId, OutboundRequestId, ResponseChannel},
};

use super::{
    error::RequestError,
    inbox::RequestId,
    limits::{MAX_OPEN_REQUESTS, MAX_REQUESTS_PER_PEER, MAX_UNSENT_RESPONSE_BYTES, PEER_SHARE},
};

/// Where a response goes.
pub(super) type Answer = oneshot::Sender<Result<Vec<u8>, RequestError>>;

/// A request of a peer that the node has not answered.
struct Open {
    peer: PeerId,
    inbound: InboundRequestId,
    channel: ResponseChannel<Vec<u8>>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Requests {
    next: u64,
    open: BTreeMap<RequestId, Open>,
    /// Bytes of responses on their way, and to whom.
    leaving: BTreeMap<InboundRequestId, (PeerId, usize)>,
    own: BTreeMap<OutboundRequestId, (PeerId, Answer)>,
}

impl Requests {
    /// A peer asks; `None` where too much is open already, and then the peer learns at once that it gets no answer.
    pub(super) fn opened(
        &mut self,
        peer: PeerId,
        inbound: InboundRequestId,
        channel: ResponseChannel<Vec<u8>>,
    ) -> Option<RequestId> {
        let of_peer = self.open.values().filter(|open| open.peer == peer).count();
        if self.open.len() >= MAX_OPEN_REQUESTS || of_peer >= MAX_REQUESTS_PER_PEER {
            return None;
        }
        self.next += 1;
        let id = RequestId(self.next);
        self.open.insert(id, Open { peer, inbound, channel });
        Some(id)
    }

    /// The node answers with so many bytes: the channel, where there is room for them.
    pub(super) fn answered(&mut self, id: RequestId, bytes: usize) -> Option<ResponseChannel<Vec<u8>>> {
        let open = self.open.remove(&id)?;
        let all = self.leaving.values().map(|(_, bytes)| bytes).sum::<usize>() + bytes;
        let of_peer =
            self.leaving.values().filter(|(peer, _)| *peer == open.peer).map(|(_, bytes)| bytes).sum::<usize>();
        // One who reads nothing takes no more than a share: the largest response.
        let share = MAX_UNSENT_RESPONSE_BYTES / PEER_SHARE;
        if all > MAX_UNSENT_RESPONSE_BYTES || of_peer + bytes > share {
            return None;
        }
        self.leaving.insert(open.inbound, (open.peer, bytes));
        Some(open.channel)
    }

    /// A response has left, or never will.
    pub(super) fn closed(&mut self, inbound: InboundRequestId) {
        self.leaving.remove(&inbound);
        self.open.retain(|_, open| open.inbound != inbound);
    }

    /// Whether this node may ask a peer for one more thing.
    pub(super) fn may_ask(&self, peer: &PeerId) -> bool {
        self.own.values().filter(|(asked, _)| asked == peer).count() < MAX_REQUESTS_PER_PEER
    }

    /// This node has asked a peer.
    pub(super) fn asked(&mut self, outbound: OutboundRequestId, peer: PeerId, answer: Answer) {
        self.own.insert(outbound, (peer, answer));
    }

    /// The peer has answered, or will not.
    pub(super) fn settled(&mut self, outbound: OutboundRequestId, result: Result<Vec<u8>, RequestError>) {
        if let Some((_, answer)) = self.own.remove(&outbound) {
            // Who asked may be gone.
            let _ = answer.send(result);
        }
    }
}
