//! The log index: which blocks hold a log of an address or with a topic.
//!
//! Key: kind (1 byte: 0 address, 1 to 4 the topic's place) ‖ address (20) or topic (32) ‖ height (8, big-endian);
//! no value. One row for each pair, however many logs share it, so the index costs less than the logs.

use super::{block::decode_header, error::ChainError};
use alloy_consensus::ReceiptEnvelope;
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, Log};
use lucid_storage::{Batch, Blocks, Direction, Reader, Receipts, TableId};
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

/// Writes the index rows of a block.
pub(super) fn write_index(batch: &mut Batch, height: u64, receipts: &[ReceiptEnvelope]) {
    let mut prefixes = BTreeSet::new();
    for log in receipts.iter().flat_map(|receipt| receipt.logs()) {
        prefixes.insert(address_prefix(&log.address));
        for (place, topic) in (0u8..).zip(log.data.topics()) {
            prefixes.insert(topic_prefix(place, topic));
        }
    }
    for prefix in prefixes {
        batch.raw_put(TableId::LogIndex, [prefix.as_slice(), &height.to_be_bytes()].concat(), []);
    }
}

fn address_prefix(address: &Address) -> Vec<u8> {
    [&[0], address.as_slice()].concat()
}

fn topic_prefix(place: u8, topic: &B256) -> Vec<u8> {
    [&[place + 1], topic.as_slice()].concat()
}

/// Transactions, as (height, index) in chain order, whose receipts hold a log that matches; the first `most` of them.
///
/// Reads the index rows of what is asked for, and then only the blocks that all of them name. A filter that names
/// neither address nor topic reads every block of its range that has a log.
pub fn find_logs(reader: &impl Reader, filter: &LogFilter, most: usize) -> Result<Vec<(u64, u32)>, ChainError> {
    let mut found = Vec::new();
    if let Some(heights) = matching_heights(reader, filter)? {
        for height in heights {
            if found.len() >= most {
                break;
            }
            search_block(reader, height, filter, most, &mut found)?;
        }
        return Ok(found);
    }
    let (from, to) = (Bound::Included(filter.heights.start()), Bound::Included(filter.heights.end()));
    for row in reader.range::<Blocks>(from, to, Direction::Forward)? {
        if found.len() >= most {
            break;
        }
        let (height, record) = row?;
        let header = decode_header(&record).ok_or(ChainError::Damaged { height, part: "header" })?;
        if !header.logs_bloom.is_zero() {
            search_block(reader, height, filter, most, &mut found)?;
        }
    }
    Ok(found)
}

/// Heights at which each part of the filter has a row; `None` where the filter has no part.
fn matching_heights(reader: &impl Reader, filter: &LogFilter) -> Result<Option<BTreeSet<u64>>, ChainError> {
    let addresses: Vec<_> = filter.addresses.iter().map(address_prefix).collect();
    let topics = (0u8..).zip(&filter.topics).map(|(place, any)| any.iter().map(|t| topic_prefix(place, t)).collect());
    let mut heights: Option<BTreeSet<u64>> = None;
    for prefixes in std::iter::once(addresses).chain(topics).filter(|prefixes: &Vec<_>| !prefixes.is_empty()) {
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
    let bounds = (Bound::Included(lower.as_slice()), Bound::Included(upper.as_slice()));
    for row in reader.raw_range(TableId::LogIndex, bounds.0, bounds.1, Direction::Forward)? {
        let (key, _) = row?;
        if let Some(height) = key.last_chunk::<8>() {
            heights.insert(u64::from_be_bytes(*height));
        }
    }
    Ok(())
}

/// Adds the transactions of one block with a matching log.
fn search_block(
    reader: &impl Reader,
    height: u64,
    filter: &LogFilter,
    most: usize,
    found: &mut Vec<(u64, u32)>,
) -> Result<(), ChainError> {
    for row in reader.range_prefix::<Receipts>(&height, Direction::Forward)? {
        if found.len() >= most {
            break;
        }
        let (key, record) = row?;
        let Ok(receipt) = ReceiptEnvelope::decode_2718_exact(&record.raw) else {
            return Err(ChainError::Damaged { height, part: "receipt" });
        };
        if receipt.logs().iter().any(|log| filter.matches(log)) {
            found.push((height, key.index));
        }
    }
    Ok(())
}

impl LogFilter {
    fn matches(&self, log: &Log) -> bool {
        let topics = log.data.topics();
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self
                .topics
                .iter()
                .enumerate()
                .all(|(place, any)| any.is_empty() || topics.get(place).is_some_and(|topic| any.contains(topic)))
    }
}
