//! The client that the command line and the tests use: one node, over HTTP, without TLS.

mod post;

use self::post::{Post, PostError};
use crate::{
    access::Token,
    limits::CLIENT_REQUEST_TIMEOUT_MS,
    wire::{
        AnchorAcceptedDocument, AnchorRequestDocument, AnchorVerdictDocument, AnchoringDocument, ChainInfoDocument,
        ChangePageDocument, DbJobDocument, DbStatsDocument, ExportStateDocument, ExportStatusDocument, FindQuery,
        FoundDocument, ImportRowParts, ImportSourceDocument, MerkleDocument, RemovedDocument, RowPageDocument,
        SessionDocument, SessionPage, SessionQuery, ShardMapDocument, SourceQuery,
    },
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::TransactionReceipt;
use hyper::{
    StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use jsonrpsee::types::{ErrorObject, Id, Response, ResponsePayload};
use lucid_types::{AnchorProof, SessionId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// What a node answered instead of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcFault {
    /// JSON-RPC code.
    pub code: i32,
    /// Text.
    pub message: String,
    /// Data, such as what a contract reverted with.
    pub data: Option<serde_json::Value>,
}

impl RpcFault {
    /// `LUCID_ERR_nnnn`, where the error has one.
    pub fn lucid_code(&self) -> Option<&str> {
        self.data.as_ref()?.get("code")?.as_str()
    }
}

impl fmt::Display for RpcFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lucid_code() {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => write!(f, "{} (code {})", self.message, self.code),
        }
    }
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not an address that a node could be reached at.
    #[error("{url} is not the address of a node: {reason}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node wants a token, or does not know the one that it was shown (HTTP 401).
    #[error("the node at {url} {}", if *.shown { "refused the token that it was shown" } else { "asks for a token, and none was shown" })]
    Unauthorized {
        /// Its address.
        url: String,
        /// Whether a token was shown, in a header or in the path.
        shown: bool,
    },
    /// The node answers nobody under this name for it, or not for what the token allows (HTTP 403).
    #[error("the node at {url} does not allow this host; it is told which by http.allowed-hosts of its configuration")]
    Forbidden {
        /// Its address.
        url: String,
    },
    /// The node could not be reached, or hung up, or refused the request before it looked at it.
    #[error("the node at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// No answer in time.
    #[error("the node at {url} did not answer {method} in time")]
    TimedOut {
        /// Its address.
        url: String,
        /// The method.
        method: String,
    },
    /// The node answered with an error.
    #[error("{method}: {fault}")]
    Fault {
        /// The method.
        method: String,
        /// The error.
        fault: RpcFault,
    },
    /// The parameters have no JSON form, or the answer is not of the form that the method has.
    #[error("{method}: the answer cannot be read: {source}")]
    Json {
        /// The method.
        method: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl ClientError {
    /// The error that the node answered with, where it answered.
    pub const fn fault(&self) -> Option<&RpcFault> {
        match self {
            Self::Fault { fault, .. } => Some(fault),
            _ => None,
        }
    }
}

/// What is sent: parameters are by position.
#[derive(Serialize)]
struct Call<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Box<RawValue>>,
}

/// A client of one node.
#[derive(Debug, Clone)]
pub struct Client {
    post: Arc<Post>,
    next_id: Arc<AtomicU64>,
    url: String,
    shows_token: bool,
}

impl Client {
    /// A client of the node at `url` (`http://127.0.0.1:8545`). Nothing is sent yet.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Self::build(url, HeaderMap::new())
    }

    /// A client that shows a token with each request.
    pub fn with_token(url: &str, token: &Token) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        // Digits and a space, of which a header can be made.
        if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", token.to_hex())) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Self::build(url, headers)
    }

    fn build(url: &str, headers: HeaderMap) -> Result<Self, ClientError> {
        let named = without_path(url);
        let shows_token = headers.contains_key(AUTHORIZATION) || !url[named.len()..].trim_matches('/').is_empty();
        let fault = |reason: String| ClientError::Url { url: named.to_owned(), reason };
        if !url.contains("://") && !url.is_empty() {
            return Err(fault(format!("it has no scheme; write http://{named}")));
        }
        if url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            let text = "this program has no TLS; use http://, or a tunnel such as `ssh -L 8545:127.0.0.1:8545 HOST`";
            return Err(fault(text.to_owned()));
        }
        let post = Arc::new(Post::new(url, headers).map_err(fault)?);
        Ok(Self { post, next_id: Arc::default(), url: named.to_owned(), shows_token })
    }

    /// Calls `method` with `params`, a tuple or list; `()` for none.
    pub async fn request<T: DeserializeOwned>(&self, method: &str, params: impl Serialize) -> Result<T, ClientError> {
        let json = |source| ClientError::Json { method: method.to_owned(), source };
        let params = to_raw_value(&params).map_err(json)?;
        let result = self.call(method, params).await?;
        serde_json::from_str(result.get()).map_err(json)
    }

    /// The same for any type of answer, so that it is in the program once.
    async fn call(&self, method: &str, params: Box<RawValue>) -> Result<Box<RawValue>, ClientError> {
        let json = |source| ClientError::Json { method: method.to_owned(), source };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        // A unit has the JSON form `null`, which is no list of parameters.
        let params = (params.get() != "null").then_some(params);
        let call = serde_json::to_string(&Call { jsonrpc: "2.0", id, method, params }).map_err(json)?;
        let patience = Duration::from_millis(CLIENT_REQUEST_TIMEOUT_MS);
        let answer = match timeout(patience, self.post.send(call)).await {
            Ok(answer) => answer.map_err(|error| self.not_answered(&error))?,
            Err(_) => return Err(ClientError::TimedOut { url: self.url.clone(), method: method.to_owned() }),
        };
        let answer: Response<'_, Box<RawValue>> = serde_json::from_slice(&answer).map_err(json)?;
        match answer.payload {
            ResponsePayload::Error(error) => Err(fault(method, &error)),
            ResponsePayload::Success(_) if answer.id != Id::Number(id) => {
                Err(self.unreachable("it answered another request".to_owned()))
            }
            ResponsePayload::Success(result) => Ok(result.into_owned()),
        }
    }

    fn not_answered(&self, error: &PostError) -> ClientError {
        match error {
            PostError::Refused(StatusCode::UNAUTHORIZED) => {
                ClientError::Unauthorized { url: self.url.clone(), shown: self.shows_token }
            }
            PostError::Refused(StatusCode::FORBIDDEN) => ClientError::Forbidden { url: self.url.clone() },
            error => self.unreachable(error_chain(error)),
        }
    }

    fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable { url: self.url.clone(), reason }
    }

    /// `lucid_chainInfo`.
    pub async fn chain_info(&self) -> Result<ChainInfoDocument, ClientError> {
        self.request("lucid_chainInfo", ()).await
    }

    /// `lucid_anchorSession`.
    pub async fn anchor_session(&self, request: &AnchorRequestDocument) -> Result<AnchorAcceptedDocument, ClientError> {
        self.request("lucid_anchorSession", (request,)).await
    }

    /// `lucid_getAnchoring`.
    pub async fn anchoring(
        &self,
        session_id: SessionId,
        account: Option<Address>,
    ) -> Result<Option<AnchoringDocument>, ClientError> {
        self.request("lucid_getAnchoring", (session_id, account)).await
    }

    /// `lucid_retryAnchoring`.
    pub async fn retry_anchoring(
        &self,
        session_id: SessionId,
        account: Option<Address>,
    ) -> Result<AnchorAcceptedDocument, ClientError> {
        self.request("lucid_retryAnchoring", (session_id, account)).await
    }

    /// `lucid_getSession`.
    pub async fn session(
        &self,
        session_id: SessionId,
        account: Option<Address>,
    ) -> Result<Option<SessionDocument>, ClientError> {
        self.request("lucid_getSession", (session_id, account)).await
    }

    /// `lucid_listSessions`.
    pub async fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, ClientError> {
        self.request("lucid_listSessions", (query,)).await
    }

    /// `lucid_find`.
    pub async fn find(
        &self,
        collection: &str,
        filter: &serde_json::Value,
        options: &FindQuery,
    ) -> Result<FoundDocument<Box<RawValue>>, ClientError> {
        self.request("lucid_find", (collection, filter, options)).await
    }

    /// `lucid_getShardMap`.
    pub async fn shard_map(&self) -> Result<Vec<ShardMapDocument>, ClientError> {
        self.request("lucid_getShardMap", ()).await
    }

    /// `lucid_count`.
    pub async fn count(&self, collection: &str, filter: &serde_json::Value) -> Result<u64, ClientError> {
        self.request("lucid_count", (collection, filter)).await
    }

    /// `lucid_count` of the documents of a source, or of the own ones.
    pub async fn count_of(
        &self,
        collection: &str,
        filter: &serde_json::Value,
        options: &SourceQuery,
    ) -> Result<u64, ClientError> {
        self.request("lucid_count", (collection, filter, options)).await
    }

    /// `lucid_getShardMap` of a source, or of the own documents.
    pub async fn shard_map_of(&self, options: &SourceQuery) -> Result<Vec<ShardMapDocument>, ClientError> {
        self.request("lucid_getShardMap", (Option::<&str>::None, options)).await
    }

    /// `lucid_importSources`.
    pub async fn import_sources(&self) -> Result<Vec<ImportSourceDocument>, ClientError> {
        self.request("lucid_importSources", ()).await
    }

    /// `lucid_getAnchorProof`.
    pub async fn anchor_proof(
        &self,
        session_id: SessionId,
        chunks: &[u32],
        account: Option<Address>,
    ) -> Result<AnchorProof, ClientError> {
        self.request("lucid_getAnchorProof", (session_id, chunks, account)).await
    }

    /// `lucid_verifyAnchorProof`.
    pub async fn verify_anchor_proof(
        &self,
        proof: &AnchorProof,
        genesis_hash: Option<B256>,
        account: Option<Address>,
    ) -> Result<AnchorVerdictDocument, ClientError> {
        self.request("lucid_verifyAnchorProof", (proof, genesis_hash, account)).await
    }

    /// `lucid_buildMerkle`.
    pub async fn build_merkle(&self, leaves: &[B256], indexes: &[u32]) -> Result<MerkleDocument, ClientError> {
        self.request("lucid_buildMerkle", (leaves, indexes)).await
    }

    /// `admin_exportRows`.
    pub async fn export_rows(
        &self,
        collection: &str,
        after: Option<&[u8]>,
        source: Option<&str>,
    ) -> Result<RowPageDocument, ClientError> {
        self.request("admin_exportRows", (collection, after.map(Bytes::copy_from_slice), source)).await
    }

    /// `admin_importRows`.
    pub async fn import_rows(
        &self,
        source: &str,
        collection: &str,
        rows: &[ImportRowParts],
    ) -> Result<Vec<String>, ClientError> {
        self.request("admin_importRows", (source, collection, rows)).await
    }

    /// `admin_removeSource`.
    pub async fn remove_source(&self, source: &str) -> Result<RemovedDocument, ClientError> {
        self.request("admin_removeSource", (source,)).await
    }

    /// `admin_exportChanges`.
    pub async fn export_changes(
        &self,
        collection: &str,
        after: Option<&[u8]>,
        up_to: u64,
        source: Option<&str>,
    ) -> Result<ChangePageDocument, ClientError> {
        self.request("admin_exportChanges", (collection, after.map(Bytes::copy_from_slice), up_to, source)).await
    }

    /// `admin_exportState`.
    pub async fn export_state(&self, target: Option<&str>) -> Result<ExportStatusDocument, ClientError> {
        self.request("admin_exportState", (target,)).await
    }

    /// `admin_putExportState`.
    pub async fn put_export_state(
        &self,
        target: &str,
        state: &ExportStateDocument,
        expected_step: Option<u64>,
    ) -> Result<bool, ClientError> {
        self.request("admin_putExportState", (target, state, expected_step)).await
    }

    /// `admin_dbStats`.
    pub async fn db_stats(&self, sizes: bool) -> Result<DbStatsDocument, ClientError> {
        self.request("admin_dbStats", (sizes,)).await
    }

    /// `admin_dbVerify`.
    pub async fn db_verify(&self) -> Result<DbJobDocument, ClientError> {
        self.request("admin_dbVerify", ()).await
    }

    /// `admin_dbBackup`.
    pub async fn db_backup(&self) -> Result<DbJobDocument, ClientError> {
        self.request("admin_dbBackup", ()).await
    }

    /// `admin_dbReindex`.
    pub async fn db_reindex(&self) -> Result<DbJobDocument, ClientError> {
        self.request("admin_dbReindex", ()).await
    }

    /// `admin_dbCompact`.
    pub async fn db_compact(&self) -> Result<DbJobDocument, ClientError> {
        self.request("admin_dbCompact", ()).await
    }

    /// `admin_dbJob`.
    pub async fn db_job(&self) -> Result<Option<DbJobDocument>, ClientError> {
        self.request("admin_dbJob", ()).await
    }

    /// `eth_blockNumber`.
    pub async fn block_number(&self) -> Result<u64, ClientError> {
        Ok(self.request::<U64>("eth_blockNumber", ()).await?.to())
    }

    /// `eth_chainId`.
    pub async fn chain_id(&self) -> Result<u64, ClientError> {
        Ok(self.request::<U64>("eth_chainId", ()).await?.to())
    }

    /// `eth_gasPrice`, in wei per gas.
    pub async fn gas_price(&self) -> Result<U256, ClientError> {
        self.request("eth_gasPrice", ()).await
    }

    /// `eth_maxPriorityFeePerGas`, in wei per gas.
    pub async fn max_priority_fee_per_gas(&self) -> Result<U256, ClientError> {
        self.request("eth_maxPriorityFeePerGas", ()).await
    }

    /// `eth_getBalance` at the last block, in wei.
    pub async fn balance(&self, address: Address) -> Result<U256, ClientError> {
        self.request("eth_getBalance", (address, "latest")).await
    }

    /// `eth_getTransactionCount` after the transactions that wait.
    pub async fn pending_nonce(&self, address: Address) -> Result<u64, ClientError> {
        Ok(self.request::<U64>("eth_getTransactionCount", (address, "pending")).await?.to())
    }

    /// `eth_sendRawTransaction`.
    pub async fn send_raw_transaction(&self, raw: &Bytes) -> Result<B256, ClientError> {
        self.request("eth_sendRawTransaction", (raw,)).await
    }

    /// `eth_getTransactionReceipt`.
    pub async fn transaction_receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, ClientError> {
        self.request("eth_getTransactionReceipt", (hash,)).await
    }
}

/// An address as errors name it: the path may be a token.
fn without_path(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or(url, |path| &url[..host + path])
}

fn fault(method: &str, error: &ErrorObject<'_>) -> ClientError {
    let data = error.data().and_then(|data| serde_json::from_str(data.get()).ok());
    let fault = RpcFault { code: error.code(), message: error.message().to_owned(), data };
    ClientError::Fault { method: method.to_owned(), fault }
}

/// The error and what lies behind it: the transport's own text says only that something went wrong.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
