use super::lucid::allowed;
use crate::{
    access::Scope,
    api::NodeApi,
    backend::Backend,
    error::RpcError,
    interface::{Param, QueryServer},
    wire::{FindQuery, FoundDocument, ShardMapDocument, shard_maps},
};
use jsonrpsee::{Extensions, core::async_trait};
use lucid_storage::{Collection, Payouts, Peers, Pipeline, aggregate, count, distinct, find};
use lucid_types::{Document, Value};
use serde_json::{Value as Json, json};

#[async_trait]
impl<A: NodeApi> QueryServer for Backend<A> {
    async fn find(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        filter: Option<Param<Json>>,
        options: Option<Param<FindQuery>>,
    ) -> Result<FoundDocument<Document>, RpcError> {
        let collection = readable(extensions, collection)?;
        let (filter, options) = (filter_of(filter)?, Param::read_optional(options)?.unwrap_or_default());
        self.execute(move |api| Ok(find(&api.snapshot()?, &collection, &filter, &options.into())?.into())).await
    }

    async fn find_one(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        filter: Option<Param<Json>>,
        options: Option<Param<FindQuery>>,
    ) -> Result<Option<Document>, RpcError> {
        let collection = readable(extensions, collection)?;
        let (filter, options) = (filter_of(filter)?, Param::read_optional(options)?.unwrap_or_default());
        if options.limit.is_some() || options.cursor.is_some() || options.explain {
            let text = "lucid_findOne takes projection and sort; lucid_find takes limit, cursor and explain";
            return Err(RpcError::InvalidRequest(text.into()));
        }
        let options = FindQuery { limit: Some(1), ..options };
        self.execute(move |api| Ok(find(&api.snapshot()?, &collection, &filter, &options.into())?.documents.pop()))
            .await
    }

    async fn count(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        filter: Option<Param<Json>>,
    ) -> Result<u64, RpcError> {
        let (collection, filter) = (readable(extensions, collection)?, filter_of(filter)?);
        self.execute(move |api| Ok(count(&api.snapshot()?, &collection, &filter)?)).await
    }

    async fn distinct(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        field: Param<String>,
        filter: Option<Param<Json>>,
    ) -> Result<Vec<Value>, RpcError> {
        let (collection, field, filter) = (readable(extensions, collection)?, field.read()?, filter_of(filter)?);
        self.execute(move |api| Ok(distinct(&api.snapshot()?, &collection, &field, &filter)?)).await
    }

    async fn get_shard_map(&self, collection: Option<Param<String>>) -> Result<Vec<ShardMapDocument>, RpcError> {
        let collection = Param::read_optional(collection)?;
        self.execute(move |api| Ok(shard_maps(&api.snapshot()?, collection.as_deref())?)).await
    }

    async fn aggregate(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        pipeline: Param<Pipeline>,
    ) -> Result<Vec<Document>, RpcError> {
        let (collection, pipeline) = (readable(extensions, collection)?, pipeline.read()?);
        self.execute(move |api| Ok(aggregate(&api.snapshot()?, &collection, &pipeline)?)).await
    }
}

/// The name of a collection, if its documents are for this caller.
fn readable(extensions: &Extensions, collection: Param<String>) -> Result<String, RpcError> {
    let collection = collection.read()?;
    // To whom money goes, and who else is out there, is not for everybody on the machine.
    let needed = match collection.as_str() {
        name if name == Payouts::DEF.name => Some(Scope::Payout),
        name if name == Peers::DEF.name => Some(Scope::Read),
        _ => None,
    };
    needed.map_or(Ok(()), |scope| allowed(extensions, scope))?;
    Ok(collection)
}

fn filter_of(filter: Option<Param<Json>>) -> Result<Json, RpcError> {
    Ok(Param::read_optional(filter)?.unwrap_or_else(|| json!({})))
}
