//! How much one peer may send in a time, of everything that it can send.

use super::{
    limits::{
        FLOOD_SHARE, MAX_IDENTIFIES, MAX_PEER_BYTES_PER_SEC, REQUEST_BURST, REQUESTS_PER_SEC, TRAFFIC_BURST_SECS,
    },
    rate::Bucket,
    topic::Topic,
};

/// What a peer has sent of late.
#[derive(Debug)]
pub(super) struct PeerRates {
    topics: [Bucket; 4],
    /// Messages of each topic that were too many since the last that was an offence.
    too_many: [u64; 4],
    requests: Bucket,
    identifies: Bucket,
    bytes: Bucket,
    /// Bytes that were counted already.
    counted_bytes: u64,
}

/// Whether what came is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It is.
    Good,
    /// It is one too many.
    TooMany,
    /// It is one too many, as so many before it that it is an offence.
    Flood,
}

impl PeerRates {
    pub(super) fn new(now_ms: u64) -> Self {
        let topic = |topic: Topic| Bucket::new(topic.limits().burst, topic.limits().per_minute, now_ms);
        Self {
            topics: Topic::ALL.map(topic),
            too_many: [0; 4],
            requests: Bucket::new(REQUEST_BURST, REQUESTS_PER_SEC * 60, now_ms),
            identifies: Bucket::new(MAX_IDENTIFIES, 1, now_ms),
            bytes: Bucket::new(MAX_PEER_BYTES_PER_SEC * TRAFFIC_BURST_SECS, MAX_PEER_BYTES_PER_SEC * 60, now_ms),
            counted_bytes: 0,
        }
    }

    /// A message of gossip came.
    pub(super) fn message(&mut self, topic: Topic, now_ms: u64) -> Pace {
        let place = topic.index();
        if self.topics[place].take(1, now_ms) {
            return Pace::Good;
        }
        self.too_many[place] += 1;
        if self.too_many[place] < (topic.limits().burst / FLOOD_SHARE).max(1) {
            return Pace::TooMany;
        }
        self.too_many[place] = 0;
        Pace::Flood
    }

    /// A request came.
    pub(super) fn request(&mut self, now_ms: u64) -> Pace {
        if self.requests.take(1, now_ms) { Pace::Good } else { Pace::Flood }
    }

    /// It said who it is.
    pub(super) fn identify(&mut self, now_ms: u64) -> Pace {
        if self.identifies.take(1, now_ms) { Pace::Good } else { Pace::Flood }
    }

    /// So many of its bytes were asked for: who answers fast does no wrong.
    pub(super) fn asked_for(&mut self, bytes: usize) {
        self.counted_bytes = self.counted_bytes.saturating_add(bytes as u64);
    }

    /// It has sent so many bytes since it came.
    pub(super) fn bytes(&mut self, received: u64, now_ms: u64) -> Pace {
        let new = received.saturating_sub(self.counted_bytes);
        // What was asked for may be counted before its last bytes are.
        self.counted_bytes = self.counted_bytes.max(received);
        if self.bytes.take(new, now_ms) { Pace::Good } else { Pace::Flood }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::limits::MAX_RESPONSE_BYTES;

    #[test]
    fn a_flood_is_dropped_at_once_and_an_offence_only_now_and_then() {
        for topic in Topic::ALL {
            let mut rates = PeerRates::new(0);
            let limits = topic.limits();
            let paces: Vec<Pace> = (0..limits.burst * 2).map(|_| rates.message(topic, 0)).collect();
            let count = |pace| paces.iter().filter(|p| **p == pace).count() as u64;
            assert_eq!(count(Pace::Good), limits.burst, "{topic:?}");
            assert_eq!(count(Pace::Flood), FLOOD_SHARE.min(limits.burst), "{topic:?}");
            let after_a_minute = (0..limits.burst * 2).filter(|_| rates.message(topic, 60_000) == Pace::Good).count();
            assert_eq!(after_a_minute as u64, limits.per_minute.min(limits.burst));
        }
    }

    #[test]
    fn one_topic_does_not_use_up_another() {
        let mut rates = PeerRates::new(0);
        while rates.message(Topic::Transactions, 0) == Pace::Good {}
        assert_eq!(rates.message(Topic::Votes, 0), Pace::Good);
    }

    #[test]
    fn bytes_count_once_and_an_honest_peer_can_send_for_ever() {
        let mut rates = PeerRates::new(0);
        for secs in 0..1_000 {
            let received = MAX_PEER_BYTES_PER_SEC * secs;
            assert_eq!(rates.bytes(received, secs * 1_000), Pace::Good, "after {secs} s");
        }
        assert_eq!(rates.bytes(u64::MAX, 1_000_000), Pace::Flood);
    }

    /// A node that catches up from a peer in the same room takes all that the wire gives.
    #[test]
    fn what_was_asked_for_is_no_flood() {
        let (mut rates, mut received) = (PeerRates::new(0), 0);
        for secs in 0..100 {
            for _ in 0..25 {
                received += MAX_RESPONSE_BYTES as u64;
                rates.asked_for(MAX_RESPONSE_BYTES);
            }
            // Frames and streams take some bytes besides, and the next response is half there.
            received += 1024 * 1024;
            assert_eq!(rates.bytes(received, secs * 1_000), Pace::Good, "after {secs} s");
        }
        assert_eq!(rates.bytes(received + 100 * MAX_PEER_BYTES_PER_SEC, 100_000), Pace::Flood);
    }
}
