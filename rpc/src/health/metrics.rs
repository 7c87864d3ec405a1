//! The metrics, in the text format of Prometheus (version 0.0.4). Times are in seconds and sizes in bytes, as its
//! naming rules have it.

use crate::wire::{ConsensusUseDocument, DbWritesForDocument, StatusDocument};
use std::fmt::{self, Display, Write};

/// What a metric is to Prometheus.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

/// The page being written.
#[derive(Debug, Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// A metric with one value.
    fn one(&mut self, name: &str, kind: Kind, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // A string takes whatever is written to it.
        let _ = writeln!(self.0, "{line}");
    }
}

/// All metrics of a node.
pub(super) fn page(status: &StatusDocument) -> String {
    let mut page = Page::default();
    about_the_program(&mut page, status);
    about_the_chain(&mut page, status);
    about_the_store(&mut page, status);
    about_calls(&mut page, status);
    page.0
}

fn about_the_program(page: &mut Page, status: &StatusDocument) {
    page.head("lucid_info", Kind::Gauge, "Always 1; the labels say what runs.");
    page.line(format_args!("lucid_info{{version=\"{}\",chain_id=\"{}\"}} 1", status.version, status.chain_id));
    page.one("lucid_uptime_seconds", Kind::Gauge, "Time since the start.", status.uptime_secs);
    page.one("lucid_resident_bytes", Kind::Gauge, "Memory of the process.", status.resident_bytes);
    page.head("lucid_restarts_total", Kind::Counter, "Starts on this folder, by how the run before ended.");
    for (reason, count) in &status.starts {
        page.line(format_args!("lucid_restarts_total{{reason=\"{reason}\"}} {count}"));
    }
    let alive = u8::from(status.stuck.is_none());
    page.one("lucid_alive", Kind::Gauge, "1 where the node can go on.", alive);
}

fn about_the_chain(page: &mut Page, status: &StatusDocument) {
    use Kind::Gauge;
    page.one("lucid_head_number", Gauge, "Height of the last block, which is final.", status.head.number);
    page.one("lucid_head_timestamp_seconds", Gauge, "Start of its slot, in Unix time.", status.head.timestamp);
    page.one("lucid_finality_age_seconds", Gauge, "Time since then.", status.finality_age_secs);
    let seals = u8::from(status.sealing_stop.is_none());
    page.one("lucid_sealing", Gauge, "1 where the node makes blocks of what waits.", seals);
    let synchronised = u8::from(status.clock_synchronised);
    page.one("lucid_clock_synchronised", Gauge, "1 where the node holds its clock for synchronised.", synchronised);
    page.one("lucid_peers", Gauge, "Nodes that it is connected to.", status.peers);
    if let Some(consensus) = &status.consensus {
        let ConsensusUseDocument {
            is_open, round, validators, is_validator, may_sign, lacks_voters, banned_peers, ..
        } = *consensus;
        page.one("lucid_peers_banned", Gauge, "Nodes that it keeps out for a time.", banned_peers);
        page.one("lucid_consensus_open", Gauge, "1 where votes on the next height have begun.", u8::from(is_open));
        page.one("lucid_consensus_round", Gauge, "The round that this height is in.", round);
        page.one("lucid_consensus_may_sign", Gauge, "1 where the node may sign.", u8::from(may_sign));
        page.one("lucid_consensus_validators", Gauge, "Validators that vote on it.", validators);
        page.one("lucid_consensus_votes", Gauge, "1 where the node is one of them.", u8::from(is_validator));
        let few = "1 where too few validators vote for anything to be decided.";
        page.one("lucid_consensus_lacks_voters", Gauge, few, u8::from(lacks_voters));
    }
    if let Some(catching_up) = &status.catching_up {
        let highest = "Height of the last block that a peer tells of, while the node is far behind.";
        page.one("lucid_catching_up_to", Gauge, highest, catching_up.highest_block);
    }
    page.one("lucid_mempool_pending", Gauge, "Transactions that a block could take.", status.pool.pending);
    page.one("lucid_mempool_queued", Gauge, "Transactions behind a missing nonce.", status.pool.queued);
    page.one("lucid_mempool_bytes", Gauge, "Bytes of both.", status.pool.bytes);
    page.one("lucid_anchorings", Gauge, "Anchorings that are not final yet.", status.anchorings);
}

fn about_the_store(page: &mut Page, status: &StatusDocument) {
    use Kind::{Counter, Gauge};
    let store = &status.store;
    page.one("lucid_store_file_bytes", Gauge, "Bytes of the store's file.", store.file_bytes);
    if let Some(bytes) = store.allocated_bytes {
        page.one("lucid_store_allocated_bytes", Gauge, "Bytes of it that are in use, when last counted.", bytes);
    }
    if let Some(bytes) = store.fragmented_bytes {
        page.one("lucid_store_fragmented_bytes", Gauge, "Bytes of it that hold nothing, when last counted.", bytes);
    }
    if let Some(bytes) = store.taken_bytes {
        page.one("lucid_store_taken_bytes", Gauge, "Bytes that the file takes on its disk.", bytes);
    }
    if let Some(bytes) = store.max_bytes {
        page.one("lucid_store_max_bytes", Gauge, "Bytes that it may take (storage.max-size-mib).", bytes);
    }
    if let Some(bytes) = store.disk_free_bytes {
        page.one("lucid_disk_free_bytes", Gauge, "Bytes that are free on its disk.", bytes);
    }
    page.one("lucid_store_commits_total", Counter, "Batches that were committed.", store.commits);
    page.one("lucid_store_bytes_written_total", Counter, "Bytes that were written to the file.", store.bytes_written);
    page.one("lucid_store_syncs_total", Counter, "Times that the file was synced.", store.syncs);
    about_writes(page, &store.writes_for);
    if let Some(made_at) = store.last_backup {
        page.one("lucid_last_backup_timestamp_seconds", Gauge, "When the last backup was made, in Unix time.", made_at);
    }
}

/// What was written for blocks and for sessions: divided by their numbers, what one of them costs the card.
fn about_writes(page: &mut Page, writes: &DbWritesForDocument) {
    use Kind::{Counter, Gauge};
    let DbWritesForDocument { blocks, last_block, consensus, sessions, sessions_anchored } = writes;
    page.one("lucid_store_block_commits_total", Counter, "Blocks that were committed.", blocks.commits);
    page.one("lucid_store_block_bytes_written_total", Counter, "Bytes written for them.", blocks.bytes_written);
    page.one("lucid_store_block_syncs_total", Counter, "Syncs of the file for them.", blocks.syncs);
    let (bytes, syncs) = (last_block.bytes_written, last_block.syncs);
    page.one("lucid_store_last_block_bytes_written", Gauge, "Bytes written for the last block.", bytes);
    page.one("lucid_store_last_block_syncs", Gauge, "Syncs of the file for the last block.", syncs);
    let what = "Flushes of the log of consensus, of which a block takes several.";
    page.one("lucid_store_consensus_commits_total", Counter, what, consensus.commits);
    page.one("lucid_store_consensus_bytes_written_total", Counter, "Bytes written for those.", consensus.bytes_written);
    page.one("lucid_store_consensus_syncs_total", Counter, "Syncs of the file for those.", consensus.syncs);
    let what = "Batches between blocks: sessions handed in, how they stand, transactions that wait.";
    page.one("lucid_store_session_commits_total", Counter, what, sessions.commits);
    page.one("lucid_store_session_bytes_written_total", Counter, "Bytes written for those.", sessions.bytes_written);
    page.one("lucid_store_session_syncs_total", Counter, "Syncs of the file for those.", sessions.syncs);
    page.one("lucid_sessions_anchored_total", Counter, "Sessions that came to be anchored.", sessions_anchored);
}

fn about_calls(page: &mut Page, status: &StatusDocument) {
    page.head("lucid_rpc_requests_total", Kind::Counter, "Calls, by method and by what came of them.");
    for (method, calls) in &status.calls {
        for (outcome, count) in [("answered", calls.answered), ("failed", calls.failed)] {
            let labels = format_args!("{{method=\"{method}\",outcome=\"{outcome}\"}}").to_string();
            page.line(format_args!("lucid_rpc_requests_total{labels} {count}"));
        }
    }
    page.head("lucid_rpc_request_seconds_total", Kind::Counter, "Time that calls took, by method.");
    for (method, calls) in &status.calls {
        let (secs, micros) = (calls.micros / 1_000_000, calls.micros % 1_000_000);
        page.line(format_args!("lucid_rpc_request_seconds_total{{method=\"{method}\"}} {secs}.{micros:06}"));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::{CallsDocument, DbWritesDocument, HeadDocument, PoolUseDocument, StoreUseDocument};
    use alloy_primitives::B256;
    use std::collections::{BTreeMap, BTreeSet};

    pub(in crate::health) fn status() -> StatusDocument {
        StatusDocument {
            version: "0.1.0".to_owned(),
            pid: 7,
            uptime_secs: 60,
            rpc_addr: "127.0.0.1:8545".to_owned(),
            chain_id: 31337,
            genesis_hash: B256::ZERO,
            head: HeadDocument { number: 12, hash: B256::ZERO, timestamp: 1_700_000_000 },
            finality_age_secs: 9,
            head_ahead_secs: None,
            clock_synchronised: true,
            sealing_stop: None,
            stuck: None,
            peers: 3,
            consensus: Some(ConsensusUseDocument {
                height: 13,
                is_open: true,
                round: 2,
                validators: 4,
                is_validator: true,
                may_sign: true,
                lacks_voters: false,
                banned_peers: 1,
            }),
            catching_up: Some(crate::wire::CatchingUpDocument {
                starting_block: 0,
                highest_block: 20_000,
                blocks_per_sec: Some(6),
                left_secs: Some(3_332),
            }),
            pool: PoolUseDocument { pending: 3, queued: 1, bytes: 440 },
            anchorings: 2,
            store: StoreUseDocument {
                file_bytes: 4096,
                allocated_bytes: Some(3000),
                fragmented_bytes: Some(1096),
                taken_bytes: Some(2048),
                max_bytes: Some(1 << 25),
                disk_free_bytes: Some(1 << 30),
                commits: 5,
                bytes_written: 81920,
                syncs: 10,
                writes_for: DbWritesForDocument {
                    blocks: DbWritesDocument { commits: 3, bytes_written: 61440, syncs: 6 },
                    last_block: DbWritesDocument { commits: 1, bytes_written: 20480, syncs: 2 },
                    consensus: DbWritesDocument { commits: 7, bytes_written: 71680, syncs: 7 },
                    sessions: DbWritesDocument { commits: 2, bytes_written: 20480, syncs: 4 },
                    sessions_anchored: 1,
                },
                last_backup: Some(1_700_000_100),
            },
            resident_bytes: 12 << 20,
            run_before: Some("stopped".to_owned()),
            starts: BTreeMap::from([("first".to_owned(), 1), ("stopped".to_owned(), 4)]),
            calls: BTreeMap::from([(
                "eth_chainId".to_owned(),
                CallsDocument { answered: 6, failed: 1, micros: 1_000_250 },
            )]),
        }
    }

    #[test]
    fn the_page_is_what_prometheus_reads() {
        let page = page(&status());
        let mut declared = BTreeSet::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(declared.insert(name), "{name} twice");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(declared.contains(name), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
        for line in [
            "lucid_head_number 12",
            "lucid_peers 3",
            "lucid_peers_banned 1",
            "lucid_consensus_open 1",
            "lucid_catching_up_to 20000",
            "lucid_consensus_round 2",
            "lucid_consensus_may_sign 1",
            "lucid_consensus_lacks_voters 0",
            "lucid_restarts_total{reason=\"stopped\"} 4",
            "lucid_rpc_requests_total{method=\"eth_chainId\",outcome=\"failed\"} 1",
            "lucid_rpc_request_seconds_total{method=\"eth_chainId\"} 1.000250",
            "lucid_store_syncs_total 10",
            "lucid_store_taken_bytes 2048",
            "lucid_store_block_bytes_written_total 61440",
            "lucid_store_last_block_syncs 2",
            "lucid_store_consensus_commits_total 7",
            "lucid_store_session_syncs_total 4",
            "lucid_sessions_anchored_total 1",
            "lucid_store_max_bytes 33554432",
            "lucid_last_backup_timestamp_seconds 1700000100",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let mut status = status();
        (status.store.allocated_bytes, status.store.disk_free_bytes) = (None, None);
        (status.store.taken_bytes, status.store.max_bytes) = (None, None);
        (status.store.last_backup, status.consensus) = (None, None);
        let page = page(&status);
        for name in ["allocated", "disk_free", "last_backup", "store_taken", "store_max", "lucid_consensus", "banned"] {
            assert!(!page.contains(name), "{name}: {page}");
        }
    }
}
