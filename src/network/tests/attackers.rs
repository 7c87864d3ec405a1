//! Peers that are not this program: they speak its protocols and keep none of its bounds.

use std::{io, time::Duration};

use libp2p::{
    StreamProtocol, Swarm, Transport,
    core::upgrade::Version,
    futures::{AsyncRead, AsyncWrite, AsyncWriteExt, StreamExt},
    gossipsub, identify, request_response as requests,
    swarm::{self, NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle},
    tcp, yamux,
};
use tokio::time::timeout;

use super::support::*;
use crate::network::{
    PeerAddress, PeerId, Topic,
    behaviour::chain_protocol,
    gossip::id_of,
    noise::{Noise, Traffic},
    run::identity,
    sync::protocol,
};

/// What an attacker speaks beside saying that it is of this chain.
#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(super) struct Speaks {
    identify: identify::Behaviour,
    gossip: Toggle<gossipsub::Behaviour>,
    attack: Toggle<requests::Behaviour<AttackCodec>>,
}

pub(super) struct Attacker {
    swarm: Swarm<Speaks>,
    /// Topics that the target has said it listens to.
    topics: usize,
}

/// Writes the same bytes again and again, in place of a request or of a response.
#[derive(Clone)]
pub(super) struct AttackCodec(Vec<u8>);

impl AttackCodec {
    async fn write<T: AsyncWrite + Unpin + Send>(&self, io: &mut T) -> io::Result<()> {
        loop {
            io.write_all(&self.0).await?;
            io.flush().await?;
        }
    }
}

impl requests::Codec for AttackCodec {
    type Protocol = StreamProtocol;
    type Request = ();
    type Response = ();

    async fn read_request<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()> {
        Ok(())
    }

    async fn read_response<T: AsyncRead + Unpin + Send>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<()> {
        Ok(())
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write(io).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, (): ()) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        self.write(io).await
    }
}

/// A protocol, and the bytes to write with it.
type Attack = (StreamProtocol, Vec<u8>);

async fn connect(seed: u8, target: &Node, gossip: Option<gossipsub::Behaviour>, attack: Option<Attack>) -> Attacker {
    let key = identity(&[seed; 32]).unwrap();
    let transport = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1)
        .authenticate(Noise::new(&key, Traffic::default()).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let attack = attack.map(|(protocol, bytes)| {
        let config = requests::Config::default().with_request_timeout(Duration::from_secs(600));
        requests::Behaviour::with_codec(AttackCodec(bytes), [(protocol, requests::ProtocolSupport::Full)], config)
    });
    let speaks = Speaks {
        identify: identify::Behaviour::new(identify::Config::new(chain_protocol(&CHAIN), key.public())),
        gossip: gossip.into(),
        attack: attack.into(),
    };
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(600));
    let mut swarm = Swarm::new(transport, speaks, key.public().to_peer_id(), config);
    let address: PeerAddress = target.address.parse().unwrap();
    swarm.dial(address.address.clone()).unwrap();
    let mut attacker = Attacker { swarm, topics: 0 };
    attacker
        .until("identity", |event| {
            matches!(event, SwarmEvent::Behaviour(SpeaksEvent::Identify(identify::Event::Sent { .. })))
        })
        .await;
    attacker
}

/// Gossip with no bounds of its own.
fn gossip() -> gossipsub::Behaviour {
    let mut config = gossipsub::ConfigBuilder::default();
    config
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .max_transmit_size(64 * 1024 * 1024)
        .message_id_fn(|message| gossipsub::MessageId(id_of(&message.topic, &message.data).0.to_vec()));
    let config = config.build().unwrap();
    let mut gossip = gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, config).unwrap();
    for topic in Topic::ALL {
        gossip.subscribe(&topic.of_chain(&CHAIN)).unwrap();
    }
    gossip
}

/// Sends messages of any size.
pub(super) async fn gossiper(seed: u8, target: &Node) -> Attacker {
    connect(seed, target, Some(gossip()), None).await
}

/// Answers requests with a length that is not allowed, and bytes without end.
pub(super) async fn liar(seed: u8, target: &Node) -> Attacker {
    connect(seed, target, None, Some((protocol(&CHAIN).unwrap(), vec![0xff; 64 * 1024]))).await
}

/// Sends one message of gossip without end.
pub(super) async fn repeater(seed: u8, target: &Node) -> Attacker {
    let topic = Topic::Bodies.of_chain(&CHAIN).hash();
    let field = |tag: u8, bytes: &[u8]| [&[tag << 3 | 2][..], &varint(bytes.len()), bytes].concat();
    let message = [field(2, &[7; 60_000]), field(4, topic.as_str().as_bytes())].concat();
    let rpc = field(2, &message);
    let frame = [varint(rpc.len()), rpc].concat();
    let mut repeater = connect(seed, target, None, Some((StreamProtocol::new("/meshsub/1.1.0"), frame))).await;
    let target = target.id().0;
    repeater.swarm.behaviour_mut().attack.as_mut().unwrap().send_request(&target, ());
    repeater
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

impl Attacker {
    pub(super) fn id(&self) -> PeerId {
        PeerId(*self.swarm.local_peer_id())
    }

    async fn next(&mut self) -> SwarmEvent<SpeaksEvent> {
        let event = self.swarm.select_next_some().await;
        if let SwarmEvent::Behaviour(SpeaksEvent::Gossip(gossipsub::Event::Subscribed { .. })) = &event {
            self.topics += 1;
        }
        event
    }

    async fn until(&mut self, what: &str, wanted: impl Fn(&SwarmEvent<SpeaksEvent>) -> bool) {
        let wait = async { while !wanted(&self.next().await) {} };
        timeout(SOON, wait).await.unwrap_or_else(|_| panic!("no {what}"));
    }

    /// Waits until the target has told what it listens to.
    pub(super) async fn until_subscribed(&mut self) {
        let wait = async {
            while self.topics < Topic::ALL.len() {
                self.next().await;
            }
        };
        timeout(SOON, wait).await.expect("the target listens");
    }

    pub(super) fn publish(&mut self, topic: Topic, data: Vec<u8>) {
        let gossip = self.swarm.behaviour_mut().gossip.as_mut().unwrap();
        gossip.publish(topic.of_chain(&CHAIN), data).unwrap();
    }

    pub(super) async fn poll_for(&mut self, time: Duration) {
        let _ = timeout(time, self.go_on()).await;
    }

    /// Does what it does for as long as it is let.
    pub(super) async fn go_on(&mut self) {
        loop {
            let event = self.next().await;
            let SwarmEvent::Behaviour(SpeaksEvent::Attack(requests::Event::Message { message, .. })) = event else {
                continue;
            };
            if let requests::Message::Request { channel, .. } = message {
                let _ = self.swarm.behaviour_mut().attack.as_mut().unwrap().send_response(channel, ());
            }
        }
    }
}
