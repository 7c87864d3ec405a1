//! Every collection and every internal table of the store. Names, statistics, golden bytes and the table list of
//! docs/storage-format.md come from this page; nothing else names a table.
//!
//! An index is written `Type "fields": key type = what a row is found by`; `layered` behind the fields says that its keys come
//! in no order and in great number (see `layers`). Times are Unix seconds.

use crate::{
    batch::Batch,
    codec::{Origin, Record as _},
    collection::{Collection, CollectionDef, Index, IndexEntry, InternalDef, Placement, Retention, WriteOrder},
    declare::{by_sequence, is_import, layers, no_layers, store_tables},
    error::StoreError,
    key::{ChunkKey, Current, SessionKey, TallyKey, TaskProofKey, TransactionKey},
    records::*,
    reindex::{Reindex, reindex_collection},
    remove_source::remove_of_source,
    retention::prune_collection,
    schema::Schema,
    snapshot::Snapshot,
    space::SourceName,
    verify::{Check, check_collection},
};
use Placement::{Replicated, Sharded};
use Retention::{Forever, LeaderWindow, Newest};
use WriteOrder::{Any, Appended, Journaled, SingleRow};
use alloy_primitives::{Address, B256};
use lucid_types::{AnchoringId, Seal, SessionId};

/// Rounds of consensus that a node remembers: about a month of slots, in under 20 MB.
pub const MAX_CONSENSUS_EVENTS: u64 = 20_000;

/// Checks the rows of one collection.
type CollectionCheck = fn(&Snapshot, &mut Check<'_>) -> Result<(), StoreError>;

/// Removes rows of one collection that have had their time, those of slots below the given one where it goes by slots, at
/// most so many; says how many.
type CollectionPruning = fn(&mut Batch, u64, usize) -> Result<usize, StoreError>;

/// Removes rows that one collection has of a source, at most so many; says how many.
type SourceRemoval = fn(&mut Batch, &SourceName, usize) -> Result<usize, StoreError>;

/// Makes what follows from the rows of one collection anew.
type CollectionReindex = fn(&mut Reindex<'_>) -> Result<(), StoreError>;

store_tables! {
    collections {
        /// Recorded sessions, as accounts registered them.
        Sessions "sessions" (session_id, account): SessionKey => SessionRecord {
            placement: Replicated, origin: Mixed or Import, retention: Forever, writer: "anchoring",
            order: Any SessionsBySequence,
            indexes: [
                SessionsByOwnerAddr "owner_addr": Address = |_, r| Some(r.owner_addr);
                SessionsByStatus "status": AnchoringStatus = |_, r| Some(r.status);
                SessionsByMerkleRoot "merkle_root": B256 = |_, r| Some(r.merkle_root);
                SessionsByAnchorTxid "anchor_txid": B256 = |_, r| r.anchor_txid;
            ]
        }

        /// Encrypted chunks of sessions.
        Chunks "chunks" (session_id, idx, account): ChunkKey => ChunkRecord {
            placement: Sharded(&["session_id", "idx"]), origin: Mixed or Import, retention: Forever, writer: "anchoring",
            order: Any ChunksBySequence,
            indexes: [
                ChunksByCiphertextSha256 "ciphertext_sha256" layered: B256 = |_, r| Some(r.ciphertext_sha256);
            ]
        }

        /// Task proofs that count.
        TaskProofs "task_proofs" (slot, nodeId, type): TaskProofKey => TaskProofRecord {
            placement: Sharded(&["slot", "nodeId"]), origin: Chain or Import, retention: LeaderWindow, writer: "consensus",
            order: Any TaskProofsBySequence,
            indexes: [
                TaskProofsByNode "nodeId+slot": (Address, u64) = |k, _| Some((k.node_id, k.slot));
                TaskProofsByType "type": TaskProofType = |k, _| Some(k.kind);
            ]
        }

        /// What each epoch's window earned each entity.
        WorkTally "work_tally" (epoch, entityId): TallyKey => WorkTallyRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "consensus",
            order: Appended,
            indexes: [
                WorkTallyByRank "epoch+rank": (u64, u32) = |k, r| Some((k.epoch, r.rank));
            ]
        }

        /// The order of each slot that has a block, and who made it.
        LeaderSchedule "leader_schedule" (slot): u64 => LeaderScheduleRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "consensus",
            order: Appended,
            indexes: [
                LeaderScheduleByPrimary "primary": Address = |_, r| Some(r.primary);
                LeaderScheduleByWinner "result.winner": Address = |_, r| Some(r.result.winner);
            ]
        }

        /// Payouts that were asked for and made.
        Payouts "payouts" (id): String => PayoutRecord {
            placement: Replicated, origin: Local or Import, retention: Forever, writer: "node",
            order: Any PayoutsBySequence,
            indexes: [
                PayoutsBySession "session_id": SessionId = |_, r| Some(r.session_id);
                PayoutsByToAddr "to_addr": String = |_, r| Some(r.to_addr.clone());
                PayoutsByRouter "router": String = |_, r| Some(r.router.clone());
                PayoutsByStatus "status": String = |_, r| Some(r.status.clone());
                PayoutsByCreatedAt "created_at": u64 = |_, r| Some(r.created_at);
            ]
        }

        /// Blocks.
        Blocks "blocks" (height): u64 => BlockRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "chain",
            order: Appended,
            indexes: [
                BlocksByHash "hash": B256 = |_, r| Some(r.hash);
                BlocksByTimestamp "timestamp": u64 = |_, r| Some(r.timestamp);
                BlocksByValidator "validator": Address = |_, r| Some(r.validator);
            ]
        }

        /// Transactions of blocks.
        Transactions "transactions" (block, index): TransactionKey => TransactionRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "chain",
            order: Appended,
            indexes: [
                TransactionsByHash "hash": B256 = |_, r| Some(r.hash);
                TransactionsBySender "sender+nonce": (Address, u64) = |_, r| Some((r.sender, r.nonce));
            ]
        }

        /// Receipts of transactions.
        Receipts "receipts" (block, index): TransactionKey => ReceiptRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "chain",
            order: Appended,
            indexes: []
        }

        /// Sessions that this node was asked to anchor.
        SessionAnchorings "session_anchorings" (anchoring_id): AnchoringId => SessionAnchoringRecord {
            placement: Replicated, origin: Local, retention: Forever, writer: "anchoring",
            order: Any SessionAnchoringsBySequence,
            indexes: [
                SessionAnchoringsBySession "session_id": SessionId = |_, r| Some(r.session_id);
                SessionAnchoringsByStatus "status": AnchoringStatus = |_, r| Some(r.status);
                SessionAnchoringsByUser "user_id+status": (String, AnchoringStatus)
                    = |_, r| r.user_id.clone().map(|user_id| (user_id, r.status));
                SessionAnchoringsByTransaction "transaction_id": B256 = |_, r| r.transaction_id;
            ]
        }

        /// What this node saw of consensus.
        ConsensusEvents "consensus_events" (event_id): u64 => ConsensusEventRecord {
            placement: Replicated, origin: Local, retention: Newest(MAX_CONSENSUS_EVENTS), writer: "consensus",
            order: Any ConsensusEventsBySequence,
            indexes: [
                ConsensusEventsByType "event_type": String = |_, r| Some(r.event_type.clone());
                ConsensusEventsByTarget "target_id": String = |_, r| Some(r.target_id.clone());
                ConsensusEventsByRound "round_number": u32 = |_, r| Some(r.round_number);
                ConsensusEventsByStartedAt "started_at": u64 = |_, r| Some(r.started_at);
            ]
        }

        /// Merkle trees over the chunks of sessions.
        MerkleTrees "merkle_trees" (tree_id): B256 => MerkleTreeRecord {
            placement: Replicated, origin: Local, retention: Forever, writer: "anchoring",
            order: Any MerkleTreesBySequence,
            indexes: [
                MerkleTreesBySession "session_id": SessionId = |_, r| Some(r.session_id);
                MerkleTreesByRootHash "root_hash": B256 = |_, r| Some(r.root_hash);
            ]
        }

        /// Head of the chain.
        BlockchainState "blockchain_state" (id): Current => BlockchainStateRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "chain",
            order: SingleRow,
            indexes: []
        }

        /// Accounts of the state at the head.
        Accounts "accounts" (address): Address => AccountRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "state",
            order: Journaled AccountsBySequence,
            indexes: []
        }

        /// Nodes that this one has talked to.
        Peers "peers" (peer_id): String => PeerRecord {
            placement: Replicated, origin: Local, retention: Forever, writer: "network",
            order: Any PeersBySequence,
            indexes: [
                PeersByLastSeen "last_seen": u64 = |_, r| Some(r.last_seen);
            ]
        }

        /// Parameters of the chain.
        ChainParams "params" (key): String => ParamRecord {
            placement: Replicated, origin: Chain, retention: Forever, writer: "chain",
            order: Any ChainParamsBySequence,
            indexes: []
        }
    }

    // Integers in keys are big-endian. A table with a record type is read and written like a collection.
    internal {
        StorageSlots "storage_slots", writer: "state",
            "address (20), slot (32)" => "value, big-endian without leading zeros; zero has no entry";
        Code "code", writer: "state",
            "keccak256 of the code (32)" => "the code";
        AccountTrie "account_trie", writer: "state",
            "path of the node, two nibbles to a byte; its length in nibbles (1)" => "RLP of the node; leaves have no row";
        AccountsByHash "accounts_by_hash", writer: "state",
            "first bytes of keccak256 of the address (8), address (20)" => "nothing";
        StorageTrie "storage_trie", writer: "state",
            "keccak256 of the address (32), then the key of a node as in account_trie" => "RLP of the node";
        UndoLog "undo_log", writer: "state",
            "height (8), kind (1: 0 account, 1 slot), address (20), slot (32) of the first entry; eight zero bytes"
                => "entries; the lowest height that is complete (8), bytes of all entries and their keys (8)";
        LogIndex "log_index", writer: "chain",
            "kind (1: 0 address, 1 to 4 the topic's place), address (20) or topic (32), height (8)" => "nothing";
        Seals "seals" (height): u64 => Seal, origin: Chain, writer: "consensus",
            "height" => "the block's seal";
        ValidatorSets "validator_sets", writer: "consensus",
            "first height of the set (8)" => "the canonical set";
        Members "members" (node): Address => RegisteredNodeRecord, origin: Chain, writer: "consensus",
            "address of the node" => "a member of the registry";
        Candidates "candidates" (node): Address => RegisteredNodeRecord, origin: Chain, writer: "consensus",
            "address of the node" => "a node that registered and may be admitted";
        OperatorStorage "operator_storage" (operator): Address => OperatorStorageRecord, origin: Chain, writer: "consensus",
            "account of an operator" => "what it had stored through the chain";
        BlockWork "block_work" (height): u64 => BlockWorkRecord, origin: Chain, writer: "consensus",
            "height" => "what the block adds to the work of nodes, and who led or missed; of blocks that a tally or an order \
             still looks at";
        Epochs "epochs" (epoch): u64 => EpochRecord, origin: Chain, writer: "consensus",
            "epoch" => "what is fixed when its first block is committed";
        ConsensusLog "consensus_log", writer: "consensus",
            "height (8), place in the log (8)" => "what consensus was told or decided";
        PendingBodies "pending_bodies", writer: "consensus",
            "height (8), block hash (32)" => "a proposed block's body";
        Evidence "evidence", writer: "consensus",
            "height (8), address (20)" => "two messages that one voter signed";
        Mempool "mempool", writer: "mempool",
            "transaction hash (32)" => "the signed transaction (EIP-2718)";
        ShardRanges "shard_ranges", writer: "storage",
            "name of the collection as text of a key, first shard key of the range as in a row's key; the first range of a \
             space has its prefix alone"
                => "documents in the range (8), bytes of their keys and values (8)";
        ImportSources "import_sources", writer: "storage",
            "name of the source, name of the collection, each as text of a key" => "documents that there are (8)";
        ImportIds "import_ids", writer: "storage",
            "name of the collection as text of a key, key of an imported row as it lies in its table"
                => "first bytes of BLAKE3 of what the source knows the document by (16); none where that is the key's text";
        ExportState "export_state" (target): String => ExportStateRecord, origin: Local, writer: "export",
            "id of the target, drawn when it was first written to" => "how far each collection was written to it";
        Meta "meta", writer: "storage",
            "name of the entry" => "format_version (4), chain_spec (JSON), genesis_hash (32), sequence (8)";
    }
}

impl TableId {
    /// Name of the table in the file.
    pub const fn name(self) -> &'static str {
        TABLE_NAMES[self as usize]
    }

    /// Whether its entries lie in levels. They are keys without values.
    pub const fn is_layered(self) -> bool {
        self.layers_name().is_some()
    }

    /// Name of the table in the file that has its entries in levels, where it is layered.
    pub(crate) const fn layers_name(self) -> Option<&'static str> {
        LAYERS_NAMES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fmt::Write};

    #[test]
    fn every_table_has_a_name_of_its_own() {
        let names: BTreeSet<_> = TABLE_NAMES.iter().collect();
        assert_eq!(names.len(), TableId::COUNT);
        assert!(TableId::ALL.iter().enumerate().all(|(i, table)| *table as usize == i));
        assert_eq!(TableId::SessionAnchoringsByUser.name(), "session_anchorings.by_user_id+status");
        assert_eq!(TableId::Meta.name(), "meta");
    }

    #[test]
    fn a_collection_has_a_sequence_table_exactly_when_its_rows_come_in_any_order() {
        for collection in COLLECTIONS {
            let any_order = matches!(collection.order, Any | Journaled);
            assert_eq!(collection.by_sequence.is_some(), any_order, "{}", collection.name);
        }
    }

    #[test]
    fn what_is_kept_by_slots_or_by_number_has_the_oldest_first() {
        for collection in COLLECTIONS {
            match collection.retention {
                Forever => {}
                LeaderWindow => assert_eq!(collection.key_fields[0], "slot", "{}", collection.name),
                // All rows are counted, so none may be another's.
                Newest(_) => assert!(collection.key_fields.len() == 1 && !collection.importable, "{}", collection.name),
            }
        }
    }

    #[test]
    fn a_shard_key_is_the_first_part_of_the_key() {
        for collection in COLLECTIONS {
            if let Sharded(fields) = collection.placement {
                assert!(collection.key_fields.starts_with(fields), "{}", collection.name);
            }
        }
    }

    #[test]
    fn the_format_is_written_down_as_it_is() {
        let mut tables = String::from(
            "| collection | key | record version | indexes | placement | origin | retention | order | writer |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for c in COLLECTIONS {
            let key = c.key_fields.join(", ");
            let index = |(table, fields): &(TableId, &str)| {
                format!("{fields}{}", if table.is_layered() { " (layered)" } else { "" })
            };
            let indexes = c.indexes.iter().map(index).collect::<Vec<_>>().join(", ");
            let placement = match c.placement {
                Replicated => "replicated".into(),
                Sharded(fields) => format!("sharded by {}", fields.join(", ")),
            };
            let retention = match c.retention {
                Forever => "for ever".into(),
                LeaderWindow => "leader window".into(),
                Newest(rows) => format!("newest {rows}"),
            };
            let (name, version, writer) = (c.name, c.version, c.writer);
            let import = if c.importable { " or import" } else { "" };
            let origin = format!("{:?}", c.origin).to_lowercase() + import;
            let order = format!("{:?}", c.order).to_lowercase();
            writeln!(
                tables,
                "| {name} | {key} | {version} | {indexes} | {placement} | {origin} | {retention} | {order} | {writer} |"
            )
            .unwrap();
        }
        tables += "\n| internal table | key | value | writer |\n|---|---|---|---|\n";
        for t in INTERNAL_TABLES {
            writeln!(tables, "| {} | {} | {} | {} |", t.name, t.key, t.value, t.writer).unwrap();
        }
        let page = include_str!("../../docs/storage-format.md");
        assert!(page.contains(&tables), "docs/storage-format.md should have these tables:\n\n{tables}");
    }
}
