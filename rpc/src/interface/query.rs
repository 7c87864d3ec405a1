use super::param::Param;
use crate::{
    error::RpcError,
    wire::{FindQuery, FoundDocument, ImportSourceDocument, ShardMapDocument, SourceQuery},
};
use jsonrpsee::proc_macros::rpc;
use lucid_storage::{Pipeline, UniqueJson};
use lucid_types::{Document, Value};

/// The `lucid_` methods that ask collections, in MongoDB's words. Off beyond loopback unless they are named.
#[rpc(server, namespace = "lucid")]
pub(crate) trait Query {
    /// A page of the documents that are what the filter asks for.
    #[method(name = "find", with_extensions)]
    async fn find(
        &self,
        collection: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<FindQuery>>,
    ) -> Result<FoundDocument<Document>, RpcError>;

    /// The first of them; null where there is none.
    #[method(name = "findOne", with_extensions)]
    async fn find_one(
        &self,
        collection: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<FindQuery>>,
    ) -> Result<Option<Document>, RpcError>;

    /// How many there are.
    #[method(name = "count", with_extensions)]
    async fn count(
        &self,
        collection: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<u64, RpcError>;

    /// The values that a field has in them, sorted and each once.
    #[method(name = "distinct", with_extensions)]
    async fn distinct(
        &self,
        collection: Param<String>,
        field: Param<String>,
        filter: Option<Param<UniqueJson>>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<Vec<Value>, RpcError>;

    /// The ranges of the sharded collections, or of one, with the documents and bytes in each.
    #[method(name = "getShardMap")]
    async fn get_shard_map(
        &self,
        collection: Option<Param<String>>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<Vec<ShardMapDocument>, RpcError>;

    /// The sources that documents were imported from, with how many each collection has of them.
    #[method(name = "importSources")]
    async fn import_sources(&self) -> Result<Vec<ImportSourceDocument>, RpcError>;

    /// What a pipeline of `$match`, `$group`, `$sort` and `$limit` makes of a collection.
    #[method(name = "aggregate", with_extensions)]
    async fn aggregate(
        &self,
        collection: Param<String>,
        pipeline: Param<Pipeline>,
        options: Option<Param<SourceQuery>>,
    ) -> Result<Vec<Document>, RpcError>;
}
