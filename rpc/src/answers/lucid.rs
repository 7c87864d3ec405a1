use crate::{
    access::{Caller, Denied, Scope},
    api::{NodeApi, NodeError, ProofError, ProofRequest, VerifyRequest},
    backend::Backend,
    error::{RpcError, verdict},
    interface::{LucidServer, Param, Unread},
    limits::{DEFAULT_PAGE_SESSIONS, MAX_NAMED_ACCOUNTS, MAX_PAGE_SESSIONS, MAX_PROOF_CHUNKS},
    view::{ChainView, stored},
    wire::{
        AnchorAcceptedDocument, AnchorRequestDocument, AnchorVerdictDocument, AnchoringDocument, ChainInfoDocument,
        HeadDocument, MerkleDocument, PayoutDocument, SessionDocument, SessionPage, SessionQuery,
    },
};
use alloy_primitives::{Address, B256};
use jsonrpsee::{Extensions, core::async_trait};
use lucid_storage::{
    Direction, Index, KeyPrefix, Reader, SessionKey, Sessions, SessionsByAnchorTxid, SessionsByMerkleRoot,
    SessionsByOwnerAddr, SessionsByStatus, Snapshot, StoreKey, TransactionsByHash, last_anchorings,
};
use lucid_types::{AnchorProof, SessionId};
use serde::{Deserialize, de::IgnoredAny};
use std::ops::Bound;

#[async_trait]
impl<A: NodeApi> LucidServer for Backend<A> {
    async fn chain_info(&self) -> Result<ChainInfoDocument, RpcError> {
        self.read(|api| {
            let view = ChainView::open(api)?;
            let head = view.head();
            let head = HeadDocument { number: head.height, hash: head.hash, timestamp: head.timestamp };
            Ok(ChainInfoDocument::new(api.chain_info(), head, api.sealing_stop()))
        })
        .await
    }

    async fn anchor_session(
        &self,
        extensions: &Extensions,
        request: Unread<AnchorRequestDocument>,
    ) -> Result<AnchorAcceptedDocument, RpcError> {
        let brings = |Signed { transactions }| !transactions.is_empty();
        if !request.look().is_some_and(brings) {
            allowed(extensions, Scope::Anchor)?;
        }
        let request = request.read()?.check()?;
        // A glance is no reading: what counts is what the node would do.
        if request.transactions.is_empty() {
            allowed(extensions, Scope::Anchor)?;
        }
        self.write(|api| async move { Ok(api.anchor_session(request).await?.into()) }).await
    }

    async fn get_anchoring(
        &self,
        session_id: Param<SessionId>,
        account: Option<Param<Address>>,
    ) -> Result<Option<AnchoringDocument>, RpcError> {
        let (session_id, account) = (session_id.read()?, Param::read_optional(account)?);
        self.read(move |api| anchoring(&api.snapshot()?, session_id, account)).await
    }

    async fn retry_anchoring(
        &self,
        session_id: Param<SessionId>,
        account: Option<Param<Address>>,
    ) -> Result<AnchorAcceptedDocument, RpcError> {
        let (session_id, account) = (session_id.read()?, Param::read_optional(account)?);
        self.write(move |api| async move { Ok(api.retry_anchoring(session_id, account).await?.into()) }).await
    }

    async fn record_payout(&self, payout: Param<PayoutDocument>) -> Result<String, RpcError> {
        let (id, record) = payout.read()?.check()?;
        let named = id.clone();
        self.write(move |api| async move { Ok(api.record_payout(named, record).await?) }).await?;
        Ok(id)
    }

    async fn get_session(
        &self,
        session_id: Param<SessionId>,
        account: Option<Param<Address>>,
    ) -> Result<Option<SessionDocument>, RpcError> {
        let (session_id, account) = (session_id.read()?, Param::read_optional(account)?);
        self.read(move |api| session(&api.snapshot()?, session_id, account)).await
    }

    async fn list_sessions(&self, query: Option<Param<SessionQuery>>) -> Result<SessionPage, RpcError> {
        let query = Param::read_optional(query)?.unwrap_or_default();
        self.read(move |api| page(&api.snapshot()?, &query)).await
    }

    async fn get_anchor_proof(
        &self,
        session_id: Param<SessionId>,
        chunks: Option<Param<Vec<u32>>>,
        account: Option<Param<Address>>,
    ) -> Result<AnchorProof, RpcError> {
        let (session_id, chunks) = (session_id.read()?, chunk_list(chunks)?);
        let account = Param::read_optional(account)?;
        self.execute(move |api| Ok(api.build_anchor_proof(ProofRequest { session_id, account, chunks })?)).await
    }

    async fn verify_anchor_proof(
        &self,
        proof: Param<AnchorProof>,
        genesis_hash: Option<Param<B256>>,
        account: Option<Param<Address>>,
    ) -> Result<AnchorVerdictDocument, RpcError> {
        let request = VerifyRequest {
            proof: proof.read()?,
            genesis_hash: Param::read_optional(genesis_hash)?,
            account: Param::read_optional(account)?,
        };
        self.execute(move |api| Ok(verdict(api.verify_anchor_proof(request))?.into())).await
    }

    async fn build_merkle(
        &self,
        leaves: Param<Vec<B256>>,
        indexes: Option<Param<Vec<u32>>>,
    ) -> Result<MerkleDocument, RpcError> {
        let (leaves, indexes) = (leaves.read()?, chunk_list(indexes)?);
        self.execute(move |api| Ok(MerkleDocument::new(leaves.len(), api.build_merkle(&leaves, &indexes)?))).await
    }
}

/// What an anchoring brings that the node need not sign; of nothing else is it looked at.
#[derive(Deserialize)]
struct Signed {
    transactions: Vec<IgnoredAny>,
}

/// Whether the caller may do what needs a token of this scope.
pub(super) fn allowed(extensions: &Extensions, scope: Scope) -> Result<(), RpcError> {
    match extensions.get::<Caller>() {
        Some(caller) => Ok(caller.may(scope)?),
        None => Err(Denied::TokenMissing(scope).into()),
    }
}

/// Indexes of chunks by rising index, each once.
fn chunk_list(indexes: Option<Param<Vec<u32>>>) -> Result<Vec<u32>, RpcError> {
    let mut indexes = Param::read_optional(indexes)?.unwrap_or_default();
    if indexes.len() > MAX_PROOF_CHUNKS {
        return Err(RpcError::InvalidRequest(format!("at most {MAX_PROOF_CHUNKS} chunks are proved at once")));
    }
    indexes.sort_unstable();
    indexes.dedup();
    Ok(indexes)
}

/// The session as `account` registered it, or as the only account that did.
fn session(
    snapshot: &Snapshot,
    session_id: SessionId,
    account: Option<Address>,
) -> Result<Option<SessionDocument>, RpcError> {
    if let Some(account) = account {
        let record = stored(snapshot.get::<Sessions>(&SessionKey { session_id, account }))?;
        return Ok(record.map(|record| SessionDocument::new(session_id, account, record)));
    }
    let rows = stored(snapshot.range_prefix::<Sessions>(&session_id, Direction::Forward))?;
    let mut rows: Vec<_> = stored(rows.take(MAX_NAMED_ACCOUNTS + 1).collect::<Result<_, _>>())?;
    if rows.len() > 1 {
        let accounts = rows.iter().map(|(key, _)| key.account).collect();
        return Err(ProofError::SeveralAccounts { session_id, accounts }.into());
    }
    Ok(rows.pop().map(|(key, record)| SessionDocument::new(key.session_id, key.account, record)))
}

/// The last anchoring of a session for `account`, or for the only account that had it anchored here.
fn anchoring(
    snapshot: &Snapshot,
    session_id: SessionId,
    account: Option<Address>,
) -> Result<Option<AnchoringDocument>, RpcError> {
    let mut last = stored(last_anchorings(snapshot, session_id, account, MAX_NAMED_ACCOUNTS))?;
    if last.len() > 1 {
        return Err(ProofError::SeveralAccounts { session_id, accounts: last.into_keys().collect() }.into());
    }
    let Some((_, (id, job))) = last.pop_first() else { return Ok(None) };
    let block_of =
        |hash: &B256| Ok(stored(snapshot.first_by_index::<TransactionsByHash>(hash))?.map(|(key, _)| key.block));
    let blocks = job.transactions.iter().map(|sent| block_of(&sent.hash)).collect::<Result<Vec<_>, RpcError>>()?;
    Ok(Some(AnchoringDocument::new(id, job, &blocks)))
}

/// One page of the sessions that `query` asks for, in the order of their ids.
fn page(snapshot: &Snapshot, query: &SessionQuery) -> Result<SessionPage, RpcError> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE_SESSIONS);
    if !(1..=MAX_PAGE_SESSIONS).contains(&limit) {
        return Err(RpcError::InvalidRequest(format!("limit is {limit} and lies between 1 and {MAX_PAGE_SESSIONS}")));
    }
    let after = match &query.cursor {
        Some(cursor) => Some(
            SessionKey::from_key_bytes(cursor)
                .map_err(|_| RpcError::InvalidRequest("cursor is none that this method gave".into()))?,
        ),
        None => None,
    };
    // One more than the page has, which says whether there is a next one.
    let (count, after) = (limit + 1, after.as_ref());
    let keys = match (&query.owner_addr, &query.status, &query.merkle_root, &query.anchor_txid) {
        (None, None, None, None) => {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = stored(snapshot.range::<Sessions>(from, Bound::Unbounded, Direction::Forward))?;
            stored(rows.take(count).map(|row| row.map(|(key, _)| key)).collect::<Result<Vec<_>, _>>())?
        }
        (Some(owner), None, None, None) => indexed::<SessionsByOwnerAddr>(snapshot, owner, after, count)?,
        (None, Some(status), None, None) => indexed::<SessionsByStatus>(snapshot, status, after, count)?,
        (None, None, Some(root), None) => indexed::<SessionsByMerkleRoot>(snapshot, root, after, count)?,
        (None, None, None, Some(txid)) => indexed::<SessionsByAnchorTxid>(snapshot, txid, after, count)?,
        _ => {
            let text = "name at most one of owner_addr, status, merkle_root and anchor_txid";
            return Err(RpcError::InvalidRequest(text.into()));
        }
    };
    let next_cursor = (keys.len() > limit).then(|| keys[limit - 1].to_key_bytes().into());
    let document = |key: &SessionKey| {
        let record = stored(snapshot.get::<Sessions>(key))?.ok_or(NodeError::Corrupt("session"))?;
        Ok(SessionDocument::new(key.session_id, key.account, record))
    };
    let sessions = keys.iter().take(limit).map(document).collect::<Result<_, RpcError>>()?;
    Ok(SessionPage { sessions, next_cursor })
}

/// Keys under one value of an index, above `after`. Entries are read in order and none is kept that is not asked
/// for.
fn indexed<I: Index<Collection = Sessions>>(
    snapshot: &Snapshot,
    value: &impl KeyPrefix<I::Key>,
    after: Option<&SessionKey>,
    count: usize,
) -> Result<Vec<SessionKey>, RpcError> {
    let keys = stored(snapshot.keys_by_index::<I>(value, Direction::Forward))?.map(|entry| Ok(entry?.1));
    let behind = |key: &Result<SessionKey, _>| matches!((key, after), (Ok(key), Some(after)) if key <= after);
    Ok(stored(keys.skip_while(behind).take(count).collect())?)
}
