//! The four bytes that end every value in the file: a checksum over the row's table, key and value. The engine takes a
//! page for what it looks like while it runs, so a row that the disk changed, or that a changed page number led to in
//! place of another, is told from what was written here and nowhere else.
//!
//! Checksum: CRC-32 (IEEE 802.3) over the table's name, the length of the key (4 bytes, little-endian), key and value; it
//! lies behind the value, little-endian. The length keeps bytes from going over between key and value unseen.

use crate::{error::StoreError, tables::TableId};
use crc32fast::Hasher;

/// Bytes of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = 4;

/// What the names of tables end with whose rows are parts of levels.
const LAYERS: &[u8] = b".layers";

/// Checksums of the tables' names, which those of their rows go on from.
static NAMES: [u32; TableId::COUNT] = {
    let mut sums = [0; TableId::COUNT];
    let mut table = 0;
    while table < sums.len() {
        sums[table] = of_name(TableId::ALL[table].name().as_bytes());
        table += 1;
    }
    sums
};

/// CRC-32 bit by bit, because the fast one is no constant function.
const fn of_name(name: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    let mut at = 0;
    while at < name.len() {
        crc ^= name[at] as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        at += 1;
    }
    !crc
}

fn checksum(table: TableId, ending: &[u8], key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = Hasher::new_with_initial(NAMES[table as usize]);
    hasher.update(ending);
    // A key is far from 4 GiB.
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

/// Puts the value as it goes into the file in place of what `out` held.
pub(crate) fn close_into(out: &mut Vec<u8>, table: TableId, key: &[u8], value: &[u8]) {
    close(out, table, &[], key, value);
}

/// As [`close_into`], of a row in the table of a layered table's parts.
pub(crate) fn close_part_into(out: &mut Vec<u8>, table: TableId, key: &[u8], value: &[u8]) {
    close(out, table, LAYERS, key, value);
}

fn close(out: &mut Vec<u8>, table: TableId, ending: &[u8], key: &[u8], value: &[u8]) {
    out.clear();
    out.reserve(value.len() + CHECKSUM_BYTES);
    out.extend_from_slice(value);
    out.extend_from_slice(&checksum(table, ending, key, value));
}

/// Bytes of the value in what the file has under `key`, which is what was written there.
pub(crate) fn value_bytes(table: TableId, key: &[u8], stored: &[u8]) -> Result<usize, StoreError> {
    checked(table, &[], key, stored)
}

/// As [`value_bytes`], of a row in the table of a layered table's parts.
pub(crate) fn part_bytes(table: TableId, key: &[u8], stored: &[u8]) -> Result<usize, StoreError> {
    checked(table, LAYERS, key, stored)
}

fn checked(table: TableId, ending: &[u8], key: &[u8], stored: &[u8]) -> Result<usize, StoreError> {
    match stored.split_last_chunk::<CHECKSUM_BYTES>() {
        Some((value, sum)) if checksum(table, ending, key, value) == *sum => Ok(value.len()),
        _ => Err(StoreError::damaged_row(table, key, "its checksum is not that of its bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;
    use proptest::prelude::*;

    fn closed(table: TableId, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut out = vec![1, 2, 3];
        close_into(&mut out, table, key, value);
        out
    }

    #[test]
    fn stored_bytes_are_these() {
        // Python: zlib.crc32(b"code" + (3).to_bytes(4, "little") + b"key" + b"value").to_bytes(4, "little")
        let stored = closed(TableId::Code, b"key", b"value");
        assert_eq!(hex::encode(&stored), "76616c75655e63c0b8");
        assert_eq!(value_bytes(TableId::Code, b"key", &stored).unwrap(), 5);
        assert_eq!(NAMES[TableId::Code as usize], crc32fast::hash(b"code"));
    }

    #[test]
    fn a_row_is_bound_to_its_table_and_to_the_length_of_its_key() {
        let stored = closed(TableId::AccountTrie, b"key", b"value");
        assert!(value_bytes(TableId::StorageTrie, b"key", &stored).is_err());
        assert!(value_bytes(TableId::AccountTrie, b"kez", &stored).is_err());
        assert!(value_bytes(TableId::AccountTrie, b"keyv", &stored[1..]).is_err());
        for short in 0..CHECKSUM_BYTES {
            assert!(value_bytes(TableId::AccountTrie, b"key", &stored[..short]).is_err());
        }
        let error = value_bytes(TableId::Code, b"key", b"").unwrap_err();
        assert!(error.is_damage());
        assert!(error.to_string().starts_with("a row of code is damaged, key 6b6579"), "{error}");
    }

    #[test]
    fn a_part_is_bound_to_the_name_of_the_table_of_parts() {
        let table = TableId::ChunksByCiphertextSha256;
        let mut stored = Vec::new();
        close_part_into(&mut stored, table, b"key", b"value");
        let name = table.layers_name().unwrap();
        let whole = [name.as_bytes(), &3u32.to_le_bytes(), b"key", b"value"].concat();
        assert_eq!(stored[5..], crc32fast::hash(&whole).to_le_bytes());
        assert_eq!(part_bytes(table, b"key", &stored).unwrap(), 5);
        assert!(value_bytes(table, b"key", &stored).is_err());
    }

    proptest! {
        #[test]
        fn no_flipped_bit_goes_unseen(key: Vec<u8>, value: Vec<u8>, bit: prop::sample::Index) {
            let stored = closed(TableId::Blocks, &key, &value);
            let mut row = [&key[..], &stored[..]].concat();
            let bit = bit.index(row.len() * 8);
            row[bit / 8] ^= 1 << (bit % 8);
            let (key, stored) = row.split_at(key.len());
            prop_assert!(value_bytes(TableId::Blocks, key, stored).is_err());
        }
    }
}
