//! Every bound of the interface, in one place. Nothing that a caller sends or asks for is unbounded.

/// Most bytes in the body of one request. The largest honest one anchors 16,384 chunks: about 3 MB of JSON.
pub const MAX_REQUEST_BODY_BYTES: u32 = 5 * 1024 * 1024;

/// Most bytes in the head of one request, looked at after each read, and of a body that are read before they are needed.
pub const MAX_REQUEST_HEAD_BYTES: usize = 64 * 1024;

/// Most bytes in the body of one response: a full log answer or a proof with many paths, and small enough for
/// a machine with 2 GiB of memory to hold one per connection that asks.
pub const MAX_RESPONSE_BODY_BYTES: u32 = 16 * 1024 * 1024;

/// Most calls in one batch.
pub const MAX_BATCH_CALLS: u32 = 50;

/// Most open connections; each may hold a body of [`MAX_REQUEST_BODY_BYTES`]. For one more the connection that has
/// waited longest for its client is closed; where all are being answered, it waits.
pub const MAX_CONNECTIONS: usize = 64;

/// Connections that wait in the kernel until they are accepted.
pub const MAX_WAITING_CONNECTIONS: u32 = 1024;

/// Open connections up to which one is kept for its client's next request. With more, each is closed once it is
/// answered: those that wait for a place must not wait until idle ones run into their timeout.
pub const MAX_KEPT_CONNECTIONS: usize = 32;

/// How long a connection may take to send a request's head, which is also how long an idle one stays open: enough
/// for a slow line.
pub const HEADER_READ_TIMEOUT_MS: u64 = 10_000;

/// Most connections that are WebSockets, so that those who stay never take all places from those who come and go.
pub const MAX_WEBSOCKETS: usize = 32;

/// Most messages of one WebSocket that are taken in and not answered yet; what comes besides waits on the client's
/// side. Two processors have no use for more, and each may hold an answer of [`MAX_RESPONSE_BODY_BYTES`].
pub const MAX_CALLS_PER_CONNECTION: usize = 4;

/// Bytes from which a request is a large one. While a large one is answered its connection sends no other.
pub const LARGE_REQUEST_BYTES: usize = 256 * 1024;

/// Most large requests that are taken in at once, over all connections; others wait on the client's side. Each is
/// held several times while it is read: as text, as parameters, as bytes.
pub const MAX_LARGE_REQUESTS: usize = 4;

/// How long a large request waits for its turn before the one that has been coming in longest, and is not answered
/// yet, is given up for it.
pub const LARGE_REQUEST_TURN_MS: u64 = 10_000;

/// How long a client may leave unread what is written to it before its connection is closed.
pub const WRITE_STALL_TIMEOUT_MS: u64 = 10_000;

/// Most bytes of answers that clients have been given and have not read, over all connections. Beyond it those who do
/// not read are hung up on, the one that was answered longest ago first.
/// Batches may have gathered as many again before they are answered; one beyond that is told that the node is busy.
pub const MAX_UNREAD_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// How often a WebSocket is asked whether its client is there, as much as tells routers on the way to keep it.
pub const PING_INTERVAL_MS: u64 = 30_000;

/// How long a WebSocket may be silent, answers to the question above included.
pub const PING_TIMEOUT_MS: u64 = 45_000;

/// Most messages that wait to be written to one WebSocket. Whoever has another waits until the client has read.
pub const MAX_WAITING_MESSAGES: u32 = 32;

/// Most subscriptions on one WebSocket.
pub const MAX_SUBSCRIPTIONS_PER_CONNECTION: u32 = 16;

/// Most subscriptions in all. Each is told of every block that concerns it.
pub const MAX_SUBSCRIPTIONS: usize = 128;

/// How long a subscriber may take to make room for the next message before its connection is closed.
pub const SUBSCRIBER_TIMEOUT_MS: u64 = 10_000;

/// Most filters. For one more, the one that was asked longest ago is forgotten.
pub const MAX_FILTERS: usize = 128;

/// How long a filter that nobody asks is kept, as geth has it.
pub const FILTER_TIMEOUT_MS: u64 = 5 * 60 * 1_000;

/// Most hashes of waiting transactions that are kept for filters: two full pools. A client that asks more seldom
/// than as many come is told that its filter is gone.
pub const MAX_FILTER_HASHES: usize = 10_000;

/// How long one request may take from its head to its answer, a slowly sent body included.
pub const REQUEST_TIMEOUT_MS: u64 = 60_000;

/// How long [`stop`](crate::RpcServer::stop) waits for requests that are being answered.
pub const STOP_TIMEOUT_MS: u64 = 1_000;

/// Most reads of the store that run at once. More would only wait for the same disk.
pub const MAX_CONCURRENT_READS: usize = 16;

/// Most executions (`eth_call`, `eth_estimateGas`, Merkle work, proofs) that run at once: a machine with four
/// cores keeps two for the chain itself.
pub const MAX_CONCURRENT_EXECUTIONS: usize = 2;

/// How long a call may wait for its turn to read or to execute.
pub const QUEUE_TIMEOUT_MS: u64 = 10_000;

/// Most gas of one `eth_call` or `eth_estimateGas`; a request for more is cut down to it, as geth does.
pub const CALL_GAS_CAP_GAS: u64 = 50_000_000;

/// How long one `eth_call` or `eth_estimateGas` may execute.
pub const CALL_TIMEOUT_MS: u64 = 5_000;

/// Most accounts that the state overrides of one call may name.
pub const MAX_OVERRIDE_ACCOUNTS: usize = 256;

/// Most storage slots that the state overrides of one call may set, over all accounts.
pub const MAX_OVERRIDE_SLOTS: usize = 10_000;

/// Most slots that one `eth_getProof` proves: each takes a way through the trie, and some kilobytes of the answer.
pub const MAX_PROOF_SLOTS: usize = 1_024;

/// Most blocks that one `eth_getLogs` may span.
pub const MAX_LOG_RANGE_BLOCKS: u64 = 10_000;

/// Most logs in one answer.
pub const MAX_LOG_RESULTS: usize = 10_000;

/// Most addresses, and most topics in one position, of a log filter.
pub const MAX_LOG_FILTER_ITEMS: usize = 1_000;

/// Most blocks in one `eth_feeHistory`, as geth has it.
pub const MAX_FEE_HISTORY_BLOCKS: u64 = 1_024;

/// Most blocks in one `eth_feeHistory` that asks for rewards: these read every transaction of each block. The
/// method may answer with fewer blocks than were asked for.
pub const MAX_FEE_HISTORY_REWARD_BLOCKS: u64 = 128;

/// Most percentiles in one `eth_feeHistory`, as geth has it.
pub const MAX_FEE_HISTORY_PERCENTILES: usize = 100;

/// Sessions in one page of `lucid_listSessions` where the caller names no number.
pub const DEFAULT_PAGE_SESSIONS: usize = 50;

/// Most sessions in one page of `lucid_listSessions`.
pub const MAX_PAGE_SESSIONS: usize = 1_000;

/// Most signed transactions in one `lucid_anchorSession`: a registration, and metadata for every chunk of the
/// largest session in batches of 100.
pub const MAX_ANCHOR_TRANSACTIONS: usize = 200;

/// Most bytes in a path or a name that is only recorded.
pub const MAX_TEXT_BYTES: usize = 4_096;

/// Most bytes of a position in `admin_putExportState`: a sequence, and the longest key of a row.
pub const MAX_EXPORT_POSITION_BYTES: usize = 16_384;

/// Latest time that a session or a payout may be of, in Unix seconds: the last second of the year 9999, which is the last that every reader of a date
/// takes. A time in milliseconds is later.
pub const MAX_TIME_SECS: u64 = 253_402_300_799;

/// Most bytes that the client sends in one request; the server takes a little more.
pub const CLIENT_MAX_REQUEST_BYTES: u32 = 4 * 1024 * 1024;

/// How long the client waits for an answer.
pub const CLIENT_REQUEST_TIMEOUT_MS: u64 = 30_000;

/// How long the client waits for a connection.
pub const CLIENT_CONNECT_TIMEOUT_MS: u64 = 5_000;

/// Most accounts that an error names where a caller has to choose one.
pub const MAX_NAMED_ACCOUNTS: usize = 10;

/// Most chunks that one proof, or one `lucid_buildMerkle`, has paths for: about 1 KB of JSON each, so that a
/// proof fits into the request that has it checked.
pub const MAX_PROOF_CHUNKS: usize = 2_048;

/// Most connections to the health port; one more waits.
pub const MAX_HEALTH_CONNECTIONS: usize = 32;

/// How long a connection to the health port may take to ask. It comes from this machine, so that silent ones are soon out
/// of the way of a monitor.
pub const HEALTH_READ_TIMEOUT_MS: u64 = 500;

/// Most connections to the status socket; one more waits.
pub const MAX_STATUS_CONNECTIONS: usize = 4;

/// How long whoever asks for the status may take to read it: it comes from this machine.
pub const STATUS_WRITE_TIMEOUT_MS: u64 = 1_000;

/// How long a node may take to say how it is.
pub const STATUS_TIMEOUT_MS: u64 = 5_000;

/// Most bytes of a status that are read: some hundreds for each method that was ever called.
pub const MAX_STATUS_BYTES: u64 = 1024 * 1024;
