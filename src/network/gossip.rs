//! How gossip is set up: who is told what, and what is looked at before a message reaches the node.

use std::{collections::HashMap, io, time::Duration};

use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, DataTransform, Message, MessageAuthenticity, MessageId as GossipId, RawMessage,
    TopicHash, ValidationMode, WhitelistSubscriptionFilter,
};

use super::{
    error::NetworkError,
    inbox::MessageId,
    limits::{
        ANNOUNCE_FROM_BYTES, GOSSIP_HEARTBEAT_MS, GOSSIP_HISTORY_HEARTBEATS, GOSSIP_MEMORY_MS, GOSSIP_OVERHEAD_BYTES,
        GOSSIP_READ_BYTES, MAX_GOSSIP_CONTROL_BYTES, MAX_MESSAGES_PER_FRAME, MAX_WAITING_PER_PEER, MESH,
    },
    topic::Topic,
};

/// Gossip of one chain.
pub(super) type Gossip = Behaviour<Bounds, WhitelistSubscriptionFilter>;

/// Sets gossip up for a chain, with all its topics.
///
/// # Errors
/// [`NetworkError::Setup`] if the settings do not fit together.
pub(super) fn gossip(genesis: &[u8; 32]) -> Result<Gossip, NetworkError> {
    let setup = |error: &dyn std::fmt::Display| NetworkError::Setup(error.to_string());
    let topics: HashMap<TopicHash, Topic> = Topic::ALL.map(|topic| (topic.of_chain(genesis).hash(), topic)).into();
    let largest = Topic::ALL.iter().map(|topic| topic.max_bytes()).max().unwrap_or_default();
    let (mesh, mesh_low, mesh_high) = MESH;
    let mut config = ConfigBuilder::default();
    config
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| GossipId(id_of(&message.topic, &message.data).0.to_vec()))
        .max_transmit_size(largest + GOSSIP_OVERHEAD_BYTES + GOSSIP_READ_BYTES)
        .max_publish_messages(MAX_MESSAGES_PER_FRAME)
        .max_control_message_size(MAX_GOSSIP_CONTROL_BYTES)
        .connection_handler_queue_len(MAX_WAITING_PER_PEER)
        .heartbeat_interval(Duration::from_millis(GOSSIP_HEARTBEAT_MS))
        .heartbeat_initial_delay(Duration::from_millis(GOSSIP_HEARTBEAT_MS))
        .history_length(GOSSIP_HISTORY_HEARTBEATS)
        .duplicate_cache_time(Duration::from_millis(GOSSIP_MEMORY_MS))
        .idontwant_message_size_threshold(ANNOUNCE_FROM_BYTES)
        .mesh_n(mesh)
        .mesh_n_low(mesh_low)
        .mesh_n_high(mesh_high)
        // A message of this node goes to all its peers at once: in a network of a few it is everywhere in one step.
        .flood_publish(true);
    for (hash, topic) in &topics {
        config.max_transmit_size_for_topic(topic.max_bytes() + GOSSIP_OVERHEAD_BYTES, hash.clone());
    }
    let config = config.build().map_err(|error| setup(&error))?;
    let listened = WhitelistSubscriptionFilter(topics.keys().cloned().collect());
    let mut gossip = Behaviour::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        listened,
        Bounds(topics),
    )
    .map_err(|error| setup(&error))?;
    for topic in Topic::ALL {
        gossip.subscribe(&topic.of_chain(genesis)).map_err(|error| setup(&error))?;
    }
    Ok(gossip)
}

/// The name of a message: the same bytes are the same message, whoever sends them.
pub(super) fn id_of(topic: &TopicHash, data: &[u8]) -> MessageId {
    let mut hasher = blake3::Hasher::new();
    // The length keeps topic and data apart.
    hasher.update(&(topic.as_str().len() as u64).to_be_bytes()).update(topic.as_str().as_bytes()).update(data);
    MessageId(*hasher.finalize().as_bytes())
}

/// Refuses what is on no topic of this chain or too large for its own, before gossip keeps anything of it.
pub(super) struct Bounds(HashMap<TopicHash, Topic>);

impl Bounds {
    fn check(&self, topic: &TopicHash, bytes: usize) -> io::Result<()> {
        match self.0.get(topic) {
            Some(topic) if bytes <= topic.max_bytes() => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl DataTransform for Bounds {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<Message> {
        self.check(&raw.topic, raw.data.len())?;
        Ok(Message { source: raw.source, data: raw.data, sequence_number: raw.sequence_number, topic: raw.topic })
    }

    fn outbound_transform(&self, topic: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        self.check(topic, data.len())?;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::limits::VALIDATION_TIMEOUT_MS;

    #[test]
    fn the_settings_fit_together() {
        let gossip = gossip(&[7; 32]).unwrap();
        assert_eq!(gossip.topics().count(), Topic::ALL.len());
    }

    #[test]
    fn a_message_that_is_judged_in_time_can_still_be_passed_on() {
        const KEPT_MS: u64 = GOSSIP_HISTORY_HEARTBEATS as u64 * GOSSIP_HEARTBEAT_MS;
        const { assert!(KEPT_MS > VALIDATION_TIMEOUT_MS + GOSSIP_HEARTBEAT_MS) };
        const { assert!(GOSSIP_MEMORY_MS > VALIDATION_TIMEOUT_MS) };
    }

    #[test]
    fn a_messages_name_is_of_its_topic_and_its_bytes() {
        let topic = |name: &str| TopicHash::from_raw(name);
        assert_eq!(id_of(&topic("a"), b"x"), id_of(&topic("a"), b"x"));
        assert_ne!(id_of(&topic("a"), b"x"), id_of(&topic("b"), b"x"));
        assert_ne!(id_of(&topic("a"), b"bx"), id_of(&topic("ab"), b"x"), "nothing moves from one to the other");
    }

    #[test]
    fn a_message_on_a_foreign_topic_or_above_its_topics_bound_is_refused() {
        let genesis = [7; 32];
        let bounds = Bounds(Topic::ALL.map(|topic| (topic.of_chain(&genesis).hash(), topic)).into());
        for topic in Topic::ALL {
            let hash = topic.of_chain(&genesis).hash();
            assert!(bounds.check(&hash, topic.max_bytes()).is_ok());
            assert!(bounds.check(&hash, topic.max_bytes() + 1).is_err());
        }
        assert!(bounds.check(&Topic::Votes.of_chain(&[8; 32]).hash(), 1).is_err());
    }
}
