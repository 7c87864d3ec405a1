//! Every bound of the network, on one page. Nothing that a peer sends or holds open is unbounded.

// --- Connections ---

/// Peers that a node is connected to at most where the operator names no number. A chain has at most 100 validators, and a
/// message reaches all of them in three steps when each tells a few; each peer costs some 200 KiB of memory.
pub const DEFAULT_MAX_PEERS: u32 = 32;

/// Least and most that an operator may ask for: with fewer than 3 a network of four could not be whole, and 128 leaves room
/// for each validator of the largest chain and some that only read.
pub const MAX_PEERS_RANGE: (u32, u32) = (3, 128);

/// Connections from one address to this node, so that one machine cannot take all places: some nodes of one home or one
/// office share an address.
pub const MAX_INBOUND_PER_ADDRESS: usize = 8;

/// Connections that one address may open at once, and how many a minute after that. Each costs a handshake, which is
/// a millisecond of a small machine.
pub const NEW_CONNECTIONS_PER_ADDRESS: u64 = 24;

/// Connections that are still shaking hands with this node, over all addresses.
pub const MAX_PENDING_INBOUND: usize = 32;

/// Addresses of which is remembered how many connections they opened. For one more the one that was quiet longest goes.
pub const MAX_COUNTED_ADDRESSES: usize = 1_024;

/// Peers that this node dials at once.
pub const MAX_PENDING_OUTBOUND: usize = 8;

/// Connections with one peer. Two nodes that dial each other at the same moment have two; were the second refused, each
/// might refuse the one that the other keeps.
pub const MAX_CONNECTIONS_PER_PEER: usize = 2;

/// Places that peers who dial this node cannot take, so that nobody can fill all of them from outside: an eighth.
pub const OUTBOUND_SHARE: u32 = 8;

/// How long a new connection may take to shake hands, either way: four trips and two signatures over a slow line.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 6_000;

/// Most bytes of one message of the Noise handshake. An identity key, a signature and a tag take below 300.
pub const MAX_HANDSHAKE_MESSAGE_BYTES: usize = 1_024;

/// How long a peer may take after the handshake to say which chain it is on.
pub const IDENTIFY_TIMEOUT_MS: u64 = 15_000;

/// Times that a peer may say anew who it is before it is a flood, and one more for each minute.
pub const MAX_IDENTIFIES: u64 = 8;

/// Most bytes that are kept of a peer's name for its program.
pub const MAX_AGENT_BYTES: usize = 64;

/// Streams of one connection, both ways together: two for gossip, two each for identify and ping, and the requests. Each may
/// hold 256 KiB that nobody has read yet.
pub const MAX_STREAMS_PER_CONNECTION: usize = 32;

/// Streams of one connection for which no protocol is agreed on yet.
pub const MAX_NEGOTIATING_STREAMS: usize = 8;

/// How often a connection is asked whether its peer is there, as much as tells routers on the way to keep it.
pub const PING_INTERVAL_MS: u64 = 15_000;

/// How long the answer to that may take. A peer that reads nothing gives none, and is hung up on.
pub const PING_TIMEOUT_MS: u64 = 20_000;

/// How often a peer tells again who it is. Nothing of it changes but addresses, which are pushed.
pub const IDENTIFY_INTERVAL_MS: u64 = 60 * 60 * 1_000;

/// Bytes a second that one peer may send, over [`TRAFFIC_BURST_SECS`] seconds: eight bodies each second, or an answer of
/// [`MAX_RESPONSE_BYTES`] every half. What gossip takes in without a word (a message again and again) ends here.
pub const MAX_PEER_BYTES_PER_SEC: u64 = 8 * 1024 * 1024;

/// Seconds of that which may come at once.
pub const TRAFFIC_BURST_SECS: u64 = 8;

// --- Gossip ---

/// Bytes that gossip lays around a message: the topic's name and lengths.
pub const GOSSIP_OVERHEAD_BYTES: usize = 256;

/// Bytes that are read from a stream at once. The reader of gossip counts what it has read beyond the message at hand, so
/// its bound is above the largest message by as much.
pub const GOSSIP_READ_BYTES: usize = 16 * 1024;

/// Bytes of what gossip tells about messages (who has which, who listens to what) in one frame.
pub const MAX_GOSSIP_CONTROL_BYTES: usize = 8 * 1024;

/// Messages in one frame. Nodes of this program send one.
pub const MAX_MESSAGES_PER_FRAME: usize = 16;

/// Messages and tellings that wait for one peer. What one that reads more slowly misses it asks for later; it is charged for
/// each second of that, and hung up on once it answers no ping.
pub const MAX_WAITING_PER_PEER: usize = 256;

/// How often gossip looks after its mesh.
pub const GOSSIP_HEARTBEAT_MS: u64 = 1_000;

/// How long the node may take to say what it thinks of a message. After that it is ignored: passed on to nobody, and
/// nobody's fault. A body runs for up to 5 s on a small machine.
pub const VALIDATION_TIMEOUT_MS: u64 = 10_000;

/// Heartbeats for which a message is kept so that it can be passed on: longer than [`VALIDATION_TIMEOUT_MS`].
pub const GOSSIP_HISTORY_HEARTBEATS: usize = 12;

/// How long a message is known, so that it is taken in once. Longer than a message travels, and short enough that a vote
/// that was lost can be sent again.
pub const GOSSIP_MEMORY_MS: u64 = 60_000;

/// Peers that one message is passed on to (aim, least, most). With up to 12 peers everybody tells everybody; with 100
/// nodes 8 each reach all in three steps.
pub const MESH: (usize, usize, usize) = (8, 5, 12);

/// Bytes from which a peer is told that a message need not be sent: a body would else come from each of the mesh.
pub const ANNOUNCE_FROM_BYTES: usize = 4 * 1024;

/// Messages that the node has been given and has not judged. For one more the oldest is ignored.
pub const MAX_UNJUDGED_MESSAGES: usize = 4_096;

/// Of the messages that one peer may send at once, the share that may be too many before it counts as an offence: who passes
/// on what others send is not to blame for each. Fifty of these are a ban.
pub const FLOOD_SHARE: u64 = 64;

/// Share of a topic's places and bytes that messages of one peer may take while they wait for the node: one in this many.
pub const PEER_SHARE: usize = 4;

// --- Requests ---

/// Most bytes of a request: a few hashes or a range of heights.
pub const MAX_REQUEST_BYTES: usize = 4 * 1024;

/// Most bytes of a response: four bodies, or some thousand headers with certificates. Whoever asks for more asks again.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// How long a request may take, from the stream to the last byte of its response: [`MAX_RESPONSE_BYTES`] at 2 Mbit/s.
pub const REQUEST_TIMEOUT_MS: u64 = 20_000;

/// Requests that one peer has open here, or this node there.
pub const MAX_REQUESTS_PER_PEER: usize = 4;

/// Requests that one peer may send at once, and how many a second after that.
pub const REQUEST_BURST: u64 = 32;
/// See [`REQUEST_BURST`]: some megabytes a second, which is more than a card gives.
pub const REQUESTS_PER_SEC: u64 = 8;

/// Requests of all peers that are not answered yet. One beyond it is refused.
pub const MAX_OPEN_REQUESTS: usize = 64;

/// Bytes of responses that the node has given and peers have not read. Who would be the next to get one is refused, and asks
/// elsewhere: memory must not depend on who reads slowly.
pub const MAX_UNSENT_RESPONSE_BYTES: usize = 4 * MAX_RESPONSE_BYTES;

// --- Peers that are known ---

/// Peers that are remembered. For one more the one that was away longest is forgotten.
pub const MAX_KNOWN_PEERS: usize = 1_024;

/// Addresses that are remembered of one peer; for one more the oldest goes.
pub const MAX_ADDRESSES_PER_PEER: usize = 4;

/// Most bytes of an address in text.
pub const MAX_ADDRESS_BYTES: usize = 256;

/// Static peers that an operator may name: each validator of the largest chain.
pub const MAX_STATIC_PEERS: usize = 128;

/// Peers found by mDNS that are not known otherwise. Anybody on the wire can tell of any number.
pub const MAX_FOUND_PEERS: usize = 64;

/// How long to wait after a dial that failed. It doubles with each that follows, up to [`MAX_REDIAL_MS`].
pub const MIN_REDIAL_MS: u64 = 1_000;
/// See [`MIN_REDIAL_MS`]: a node that comes back is found within two minutes.
pub const MAX_REDIAL_MS: u64 = 120_000;

/// As [`MAX_REDIAL_MS`], of peers that the operator named. After a line of validators was broken for long, the chain stands
/// until one of them dials, so that is not to take minutes.
pub const MAX_STATIC_REDIAL_MS: u64 = 30_000;

/// Connections up to which this node dials peers that it only remembers: enough for a whole mesh.
pub const DIAL_UP_TO_PEERS: usize = 8;

/// How often the table of peers is looked through for whom to dial, whom to drop and what to forget.
pub const TICK_MS: u64 = 1_000;

/// Rows of peers are handed to the node at most this often.
pub const ROWS_INTERVAL_MS: u64 = 60_000;

// --- Scores and bans ---

/// Score from which a peer is banned. See `Offence` for what takes it there.
pub const BAN_SCORE: i64 = -100;

/// A score comes back to zero by one in this time: ten offences of weight 10 are forgiven in a little over a quarter of
/// an hour.
pub const FORGIVE_ONE_MS: u64 = 10_000;

/// Length of a ban by score.
pub const BAN_MS: u64 = 60 * 60 * 1_000;

/// Longest ban, also by an operator: keys are free, so a longer one would only keep out who has mended its fault.
pub const MAX_BAN_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Most characters of why a peer is kept out: more is no reason, and it is kept with each.
pub const MAX_BAN_REASON_CHARS: usize = 200;

/// Longest ban of a static peer: the operator named it, and a validator that is kept out for long costs the chain a vote.
pub const MAX_STATIC_BAN_MS: u64 = 10 * 60 * 1_000;

// --- Between the network and the node ---

/// What the node has asked the network to do and it has not taken up yet.
pub const MAX_WAITING_COMMANDS: usize = 256;

/// Events that are no messages and wait for the node: who came, who went, rows.
pub const MAX_WAITING_EVENTS: usize = 512;
