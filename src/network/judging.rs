//! Messages that the node has been given and has not judged yet.

use std::collections::{BTreeMap, VecDeque};

use libp2p::PeerId;

use super::{
    inbox::MessageId,
    limits::{MAX_UNJUDGED_MESSAGES, VALIDATION_TIMEOUT_MS},
};

/// Who sent what, until it is judged or its time is over. Pure: time comes as an argument.
#[derive(Default)]
pub(super) struct Judging {
    senders: BTreeMap<MessageId, PeerId>,
    /// In the order in which they came, with the time until which each may be judged. Those judged are here too until then.
    deadlines: VecDeque<(u64, MessageId)>,
}

impl Judging {
    /// Begins to wait; gives back what has to go for it.
    pub(super) fn begin(&mut self, id: MessageId, sender: PeerId, now_ms: u64) -> Option<(MessageId, PeerId)> {
        self.senders.insert(id, sender);
        self.deadlines.push_back((now_ms + VALIDATION_TIMEOUT_MS, id));
        if self.deadlines.len() <= MAX_UNJUDGED_MESSAGES {
            return None;
        }
        let (_, oldest) = self.deadlines.pop_front()?;
        self.senders.remove(&oldest).map(|sender| (oldest, sender))
    }

    /// Who sent a message that is judged now; `None` where it was judged already or is too old.
    pub(super) fn end(&mut self, id: &MessageId) -> Option<PeerId> {
        self.senders.remove(id)
    }

    /// The next message whose time is over.
    pub(super) fn expired(&mut self, now_ms: u64) -> Option<(MessageId, PeerId)> {
        while self.deadlines.front().is_some_and(|(deadline, _)| *deadline <= now_ms) {
            let (_, id) = self.deadlines.pop_front()?;
            if let Some(sender) = self.senders.remove(&id) {
                return Some((id, sender));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> MessageId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        MessageId(bytes)
    }

    #[test]
    fn a_message_is_judged_once_and_in_time() {
        let (mut judging, peer) = (Judging::default(), PeerId::random());
        judging.begin(id(1), peer, 0);
        judging.begin(id(2), peer, 5);
        assert_eq!(judging.end(&id(1)), Some(peer));
        assert_eq!(judging.end(&id(1)), None);
        assert_eq!(judging.expired(VALIDATION_TIMEOUT_MS), None, "the first was judged");
        assert_eq!(judging.expired(VALIDATION_TIMEOUT_MS + 5), Some((id(2), peer)));
        assert_eq!(judging.end(&id(2)), None, "too late");
    }

    #[test]
    fn a_node_that_judges_nothing_holds_a_bounded_number_of_messages() {
        let (mut judging, peer) = (Judging::default(), PeerId::random());
        let gone = (0..3 * MAX_UNJUDGED_MESSAGES).filter(|n| judging.begin(id(*n), peer, 0).is_some()).count();
        assert_eq!(gone, 2 * MAX_UNJUDGED_MESSAGES);
        assert_eq!((judging.senders.len(), judging.deadlines.len()), (MAX_UNJUDGED_MESSAGES, MAX_UNJUDGED_MESSAGES));
    }
}
