//! The log index: which blocks hold a log of an address or with a topic.
//!
//! Key: kind (1 byte: 0 address, 1 to 4 the topic's place) ‖ address (20) or topic (32) ‖ height (8, big-endian);
//! no value. One row for each pair, however many logs share it, so the index costs less than the logs.

use super::{
    block::read_header,
    error::ChainError,
};
use alloy_consensus::{ReceiptEnvelope, TxReceipt};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Log};
use lucid_storage::{
    Batch, Direction, Reader, TableId,
    collections::{Receipts, Transactions},
};
use std::{
    collections::BTreeSet,
    ops::{Bound, RangeInclusive},
};

/// Which logs are asked for: those that match every part that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// Heights, both ends included.
    pub heights: RangeInclusive<u64>,
    /// Any of these addresses.
    pub addresses: Vec<Address>,
    /// At each place, any of these topics.
    pub topics: [Vec<B256>; 4],
}

/// A log and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLog {
    /// Height of the block.
    pub height: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// Timestamp of the block.
    pub timestamp: u64,
    /// Place of the transaction in the block.
    pub transaction_index: u32,
    /// Hash of the transaction.
    pub transaction_hash: B256,
    /// Place of the log in the block.
    pub log_index: u64,
    /// The log.
    pub log: Log,
}

/// Writes the index rows of a block.
pub(super) fn write_index(batch: &mut Batch, height: u64, receipts: &[ReceiptEnvelope]) -> Result<(), ChainError> {
    let mut prefixes = BTreeSet::new();
    for log in receipts.iter().flat_map(|receipt| receipt.logs()) {
        prefixes.insert(address_prefix(&log.address));
        for (place, topic) in (0u8..).zip(log.data.topics()) {
            prefixes.insert(topic_prefix(place, topic));
        }
    }
    for prefix in prefixes {
        batch.raw_put(TableId::LogIndex, [prefix.as_slice(), &height.to_be_bytes()].concat(), Vec::new())?;
    }
    Ok(())
}

fn address_prefix(address: &Address) -> Vec<u8> {
    [&[0], address.as_slice()].concat()
}

fn topic_prefix(place: u8, topic: &B256) -> Vec<u8> {
    [&[place + 1], topic.as_slice()].concat()
}

/// The logs that match, in order; `None` where they would be more than `most`.
///
/// Reads the index rows of what is asked for and then only the blocks that all of them name.
pub fn find_logs(reader: &impl Reader, filter: &LogFilter, most: usize) -> Result<Option<Vec<FoundLog>>, ChainError> {
    let mut found = Vec::new();
    let Some(heights) = matching_heights(reader, filter)? else {
        // Nothing to look up: every block of the range may hold a log.
        for height in filter.heights.clone() {
            collect(reader, height, filter, &mut found)?;
            if found.len() > most {
                return Ok(None);
            }
        }
        return Ok(Some(found));
    };
    for height in heights {
        collect(reader, height, filter, &mut found)?;
        if found.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// Heights at which each part of the filter has a row; `None` where the filter has no part.
fn matching_heights(reader: &impl Reader, filter: &LogFilter) -> Result<Option<BTreeSet<u64>>, ChainError> {
    let addresses = filter.addresses.iter().map(address_prefix).collect();
    let topics = (0u8..).zip(&filter.topics).map(|(place, any)| any.iter().map(|t| topic_prefix(place, t)).collect());
    let mut heights: Option<BTreeSet<u64>> = None;
    for prefixes in std::iter::once::<Vec<_>>(addresses).chain(topics).filter(|prefixes| !prefixes.is_empty()) {
        let mut any = BTreeSet::new();
        for prefix in prefixes {
            heights_of(reader, &prefix, &filter.heights, &mut any)?;
        }
        heights = Some(match heights {
            Some(before) => before.intersection(&any).copied().collect(),
            None => any,
        });
    }
    Ok(heights)
}

fn heights_of(
    reader: &impl Reader,
    prefix: &[u8],
    range: &RangeInclusive<u64>,
    heights: &mut BTreeSet<u64>,
) -> Result<(), ChainError> {
    let lower = [prefix, &range.start().to_be_bytes()].concat();
    let upper = [prefix, &range.end().to_be_bytes()].concat();
    let rows = reader.raw_range(
        TableId::LogIndex,
        Bound::Included(&lower),
        Bound::Included(&upper),
        Direction::Forward,
    )?;
    for row in rows {
        let (key, _) = row?;
        if let Some(height) = key.last_chunk::<8>() {
            heights.insert(u64::from_be_bytes(*height));
        }
    }
    Ok(())
}

/// Adds the matching logs of one block.
fn collect(
    reader: &impl Reader,
    height: u64,
    filter: &LogFilter,
    found: &mut Vec<FoundLog>,
) -> Result<(), ChainError> {
    let Some(header) = read_header(reader, height)? else { return Ok(()) };
    if header.logs_bloom.is_zero() {
        return Ok(());
    }
    let (first, last) = ((height, 0), (height, u32::MAX));
    for row in reader.range::<Receipts>(Bound::Included(&first), Bound::Included(&last), Direction::Forward)? {
        let (key, record) = row?;
        let damaged = ChainError::Damaged { height, part: "receipt" };
        let Ok(receipt) = ReceiptEnvelope::decode_2718_exact(&record.raw) else { return Err(damaged) };
        let matching = (record.first_log_index..).zip(receipt.logs()).filter(|(_, log)| filter.matches(log));
        let mut transaction_hash = None;
        for (log_index, log) in matching {
            let hash = match transaction_hash {
                Some(hash) => hash,
                None => {
                    let damaged = ChainError::Damaged { height, part: "transaction" };
                    *transaction_hash.insert(reader.get::<Transactions>(&key)?.ok_or(damaged)?.hash)
                }
            };
            found.push(FoundLog {
                height,
                block_hash: header.hash(),
                timestamp: header.timestamp,
                transaction_index: key.1,
                transaction_hash: hash,
                log_index,
                log: log.clone(),
            });
        }
    }
    Ok(())
}

impl LogFilter {
    fn matches(&self, log: &Log) -> bool {
        let topics = log.data.topics();
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.iter().enumerate().all(|(place, any)| {
                any.is_empty() || topics.get(place).is_some_and(|topic| any.contains(topic))
            })
    }
}
