use super::lucid::allowed;
use crate::{
    access::Scope,
    api::NodeApi,
    backend::Backend,
    error::RpcError,
    interface::{Param, QueryServer},
    view::stored,
    wire::{FindQuery, FoundDocument, ImportSourceDocument, ShardMapDocument, SourceQuery, shard_maps},
};
use jsonrpsee::{Extensions, core::async_trait};
use lucid_storage::{
    Collection, Payouts, Peers, Pipeline, QueryError, Reader, UniqueJson, aggregate, count, distinct, find,
    import_sources, space_of,
};
use lucid_types::{Document, Value};
use serde_json::{Value as Json, json};

#[async_trait]
impl<A: NodeApi> QueryServer for Backend<A> {
    async fn find(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<FindQuery>>,
    ) -> Result<FoundDocument<Document>, RpcError> {
        let collection = readable(extensions, collection)?;
        let (filter, options) = (filter_of(filter)?, Param::read_optional(options)?.unwrap_or_default());
        let source = options.source.clone();
        self.ask(source, move |rows| Ok(find(rows, &collection, &filter, &options.into())?.into())).await
    }

    async fn find_one(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<FindQuery>>,
    ) -> Result<Option<Document>, RpcError> {
        let collection = readable(extensions, collection)?;
        let (filter, options) = (filter_of(filter)?, Param::read_optional(options)?.unwrap_or_default());
        if options.limit.is_some() || options.cursor.is_some() || options.explain {
            let text = "lucid_findOne takes projection, sort and source; lucid_find takes limit, cursor and explain";
            return Err(RpcError::InvalidRequest(text.into()));
        }
        let (source, options) = (options.source.clone(), FindQuery { limit: Some(1), ..options });
        self.ask(source, move |rows| Ok(find(rows, &collection, &filter, &options.into())?.documents.pop())).await
    }

    async fn count(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<u64, RpcError> {
        let (collection, filter) = (readable(extensions, collection)?, filter_of(filter)?);
        self.ask(source_of(options)?, move |rows| count(rows, &collection, &filter)).await
    }

    async fn distinct(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        field: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<Vec<Value>, RpcError> {
        let (collection, field, filter) = (readable(extensions, collection)?, field.read()?, filter_of(filter)?);
        self.ask(source_of(options)?, move |rows| distinct(rows, &collection, &field, &filter)).await
    }

    async fn get_shard_map(
        &self,
        collection: Option<Param<String>>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<Vec<ShardMapDocument>, RpcError> {
        let collection = Param::read_optional(collection)?;
        self.ask(source_of(options)?, move |rows| shard_maps(rows, collection.as_deref())).await
    }

    async fn import_sources(&self) -> Result<Vec<ImportSourceDocument>, RpcError> {
        self.read(|api| {
            let sources = stored(import_sources(&api.snapshot()?))?;
            Ok(sources.into_iter().map(Into::into).collect())
        })
        .await
    }

    async fn aggregate(
        &self,
        extensions: &Extensions,
        collection: Param<String>,
        pipeline: Param<Pipeline>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<Vec<Document>, RpcError> {
        let (collection, pipeline) = (readable(extensions, collection)?, pipeline.read()?);
        self.ask(source_of(options)?, move |rows| aggregate(rows, &collection, &pipeline)).await
    }
}

impl<A: NodeApi> Backend<A> {
    /// Asks the own documents, or those of a source.
    async fn ask<T: Send + 'static>(
        &self,
        source: Option<String>,
        ask: impl FnOnce(&dyn Reader) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, RpcError> {
        self.execute(move |api| {
            let snapshot = api.snapshot()?;
            let space = space_of(&snapshot, source.as_deref())?;
            Ok(ask(&snapshot.rows_of(&space))?)
        })
        .await
    }
}

fn source_of(options: Option<Param<SourceQuery>>) -> Result<Option<String>, RpcError> {
    Ok(Param::read_optional(options)?.unwrap_or_default().source)
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

fn filter_of(filter: Option<Param<UniqueJson>>) -> Result<Json, RpcError> {
    Ok(Param::read_optional(filter)?.map_or_else(|| json!({}), |UniqueJson(filter)| filter))
}
