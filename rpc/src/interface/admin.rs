use super::param::Param;
use crate::{
    error::RpcError,
    wire::{
        ChangePageDocument, DbJobDocument, DbStatsDocument, ExportStateDocument, ExportStatusDocument, ImportRowParts,
        NodeInfoDocument, PeerDocument, RemovedDocument, RowPageDocument,
    },
};
use alloy_primitives::Bytes;
use jsonrpsee::proc_macros::rpc;

/// The `admin_` methods: care for the store. Each needs the scope admin.
///
/// What reads all of the store may take longer than a request may: such a method begins it and answers at once, and
/// `admin_dbJob` says how it stands. There is one at a time.
#[rpc(server, namespace = "admin")]
pub(crate) trait Admin {
    /// What the store holds; with the bytes of each table where they are asked for, which reads all of it.
    #[method(name = "dbStats")]
    async fn db_stats(&self, sizes: Option<Param<bool>>) -> Result<DbStatsDocument, RpcError>;

    /// The nodes that are connected.
    #[method(name = "peers")]
    async fn peers(&self) -> Result<Vec<PeerDocument>, RpcError>;

    /// This node among nodes.
    #[method(name = "nodeInfo")]
    async fn node_info(&self) -> Result<NodeInfoDocument, RpcError>;

    /// Knows a node from now on, as one of network.peers: a multiaddress with its name.
    #[method(name = "addPeer")]
    async fn add_peer(&self, address: Param<String>) -> Result<bool, RpcError>;

    /// Hangs up on a node, by its name, and dials it no more.
    #[method(name = "removePeer")]
    async fn remove_peer(&self, id: Param<String>) -> Result<bool, RpcError>;

    /// Begins to check the store as it is now.
    #[method(name = "dbVerify")]
    async fn db_verify(&self) -> Result<DbJobDocument, RpcError>;

    /// Begins to copy the store as it is now into the folder of backups, under a name of the node's choosing.
    #[method(name = "dbBackup")]
    async fn db_backup(&self) -> Result<DbJobDocument, RpcError>;

    /// Begins to make indexes, shard ranges and counts of imported documents anew from the rows, where they are not what these
    /// ask for.
    #[method(name = "dbReindex")]
    async fn db_reindex(&self) -> Result<DbJobDocument, RpcError>;

    /// Begins to write the store's file anew, without what it no longer uses.
    #[method(name = "dbCompact")]
    async fn db_compact(&self) -> Result<DbJobDocument, RpcError>;

    /// Rows of a collection as they lie in the store, those after a key: what an export is made of. Of a source those whose
    /// key no own row and no row of an earlier source has.
    #[method(name = "exportRows")]
    async fn export_rows(
        &self,
        collection: Param<String>,
        after: Option<Param<Bytes>>,
        source: Option<Param<String>>,
    ) -> Result<RowPageDocument, RpcError>;

    /// Takes in rows of another database, as those of the source of this name. Says of each what became of it.
    #[method(name = "importRows")]
    async fn import_rows(
        &self,
        source: Param<String>,
        collection: Param<String>,
        rows: Param<Vec<ImportRowParts>>,
    ) -> Result<Vec<String>, RpcError>;

    /// Removes documents of the source of this name, so many as one batch may. Says how many, and whether there are more: then
    /// it has to be called again.
    #[method(name = "removeSource")]
    async fn remove_source(&self, source: Param<String>) -> Result<RemovedDocument, RpcError>;

    /// Rows of a collection that batches up to `up_to` wrote, after the position of a page before, in the order in which they
    /// were last written.
    #[method(name = "exportChanges")]
    async fn export_changes(
        &self,
        collection: Param<String>,
        after: Option<Param<Bytes>>,
        up_to: Param<u64>,
        source: Option<Param<String>>,
    ) -> Result<ChangePageDocument, RpcError>;

    /// Which store this is, and how far the export to a target has come.
    #[method(name = "exportState")]
    async fn export_state(&self, target: Option<Param<String>>) -> Result<ExportStatusDocument, RpcError>;

    /// Notes how far the export to a target has come, where the step that is noted is still the expected one, or there is none.
    /// Says whether it was.
    #[method(name = "putExportState")]
    async fn put_export_state(
        &self,
        target: Param<String>,
        state: Param<ExportStateDocument>,
        expected_step: Option<Param<Option<u64>>>,
    ) -> Result<bool, RpcError>;

    /// How the work that was begun last stands; null where none was.
    #[method(name = "dbJob")]
    async fn db_job(&self) -> Result<Option<DbJobDocument>, RpcError>;
}
