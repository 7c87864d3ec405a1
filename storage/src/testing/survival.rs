//! What of a file is on the disk after the power was cut: everything up to the last sync, and of what came after it any
//! part, in any order, each write whole or in pieces of a sector or a page.
//!
//! A file system keeps a journal of lengths, so of the lengths that were set those up to some moment hold; what was
//! written beyond the length that a file came to have is lost.

use super::random::Random;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;
/// What a file system hands on at once, mostly.
const PAGE_BYTES: u64 = 4096;

/// Something that was done to a file since it was synced.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

/// Does a change to what a file holds.
pub(super) fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(offset, data) => {
            let end = *offset as usize + data.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset as usize..end].copy_from_slice(data);
        }
        Change::SetLen(len) => content.resize(*len as usize, 0),
    }
}

/// How a disk loses things. Losing each write by chance alone would hardly ever lose only one or all but one.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Everything,
    Nothing,
    /// All but the first writes; the last of those may be torn.
    Later(usize),
    /// This one alone.
    One(usize),
    /// All but this one.
    AllButOne(usize),
    /// Each write with this chance in a hundred.
    Some(u64),
    /// Each sector or page with this chance in a hundred.
    Pieces(u64),
}

impl Loss {
    fn choose(writes: usize, random: &mut Random) -> Self {
        let one = random.below(writes.max(1) as u64) as usize;
        match random.below(9) {
            0 => Self::Everything,
            1 => Self::Nothing,
            2 | 3 => Self::Later(one),
            4 => Self::One(one),
            // The last is most often the header, which says that the others are there.
            5 => Self::AllButOne(if random.percent(50) { writes.saturating_sub(1) } else { one }),
            6 => Self::Some([10, 50, 90][random.below(3) as usize]),
            _ => Self::Pieces([3, 30, 70, 97][random.below(4) as usize]),
        }
    }

    fn loses(self, write: usize, random: &mut Random) -> bool {
        match self {
            Self::Everything => true,
            Self::Nothing | Self::Pieces(_) => false,
            Self::Later(first) => write > first,
            Self::One(one) => write == one,
            Self::AllButOne(one) => write != one,
            Self::Some(percent) => random.percent(percent),
        }
    }

    /// How likely it is that a piece of a write that is not lost is lost all the same.
    fn tears(self, write: usize) -> u64 {
        match self {
            Self::Pieces(percent) => percent,
            Self::Later(first) if write == first => 50,
            Self::Some(_) => 2,
            _ => 0,
        }
    }
}

/// Makes of what is `durable` and what was done since the content of the file after a cut.
pub(super) fn survive(mut durable: Vec<u8>, changes: Vec<Change>, random: &mut Random) -> Vec<u8> {
    let writes = changes.iter().filter(|change| matches!(change, Change::Write(..))).count();
    let lengths = changes.len() - writes;
    let (loss, lengths_kept) = (Loss::choose(writes, random), random.below(lengths as u64 + 1) as usize);
    let piece = if random.percent(50) { SECTOR_BYTES } else { PAGE_BYTES };
    let shuffled = random.percent(30);
    let (mut write, mut length) = (0, 0);
    let mut since_length = Vec::new();
    for change in changes {
        match change {
            Change::Write(offset, data) => {
                if !loss.loses(write, random) {
                    since_length.push((offset, data, loss.tears(write)));
                }
                write += 1;
            }
            Change::SetLen(len) if length < lengths_kept => {
                write_pieces(&mut durable, &mut since_length, piece, shuffled, random);
                durable.resize(len as usize, 0);
                length += 1;
            }
            Change::SetLen(_) => {}
        }
    }
    write_pieces(&mut durable, &mut since_length, piece, shuffled, random);
    durable
}

/// Writes what is left of writes, within the length of the content.
fn write_pieces(
    content: &mut [u8],
    writes: &mut Vec<(u64, Vec<u8>, u64)>,
    piece_bytes: u64,
    shuffled: bool,
    random: &mut Random,
) {
    if shuffled {
        for last in (1..writes.len()).rev() {
            writes.swap(last, random.below(last as u64 + 1) as usize);
        }
    }
    for (offset, data, tears) in writes.drain(..) {
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let next = data.len().min(done + (piece_bytes - at % piece_bytes) as usize);
            let end = (at as usize + next - done).min(content.len());
            if (at as usize) < end && !random.percent(tears) {
                content[at as usize..end].copy_from_slice(&data[done..done + end - at as usize]);
            }
            done = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A file of four pages of zeros, over which pages of ones, twos and so on were written, and then it grew.
    fn survived(seed: u64) -> Vec<u8> {
        let changes = (0..4u8).map(|n| Change::Write(u64::from(n) * 4096, vec![n + 1; 4096]));
        let more = [Change::Write(0, vec![9; 320]), Change::SetLen(20_480), Change::Write(16_384, vec![5; 4096])];
        survive(vec![0; 16_384], changes.chain(more).collect(), &mut Random::new(seed))
    }

    #[test]
    fn any_part_of_what_was_not_synced_survives_and_nothing_else() {
        let mut seen = BTreeSet::new();
        for seed in 0..2_000 {
            let content = survived(seed);
            assert!(content == survived(seed), "a seed says what survives");
            assert!(content.len() == 16_384 || content.len() == 20_480);
            for (sector, bytes) in content.chunks_exact(512).enumerate() {
                let written = (sector / 8 + 1) as u8;
                let whole = [0, written].contains(&bytes[0]) && bytes.iter().all(|byte| *byte == bytes[0]);
                let header = sector == 0 && bytes[..320] == [9; 320] && bytes[320..].iter().all(|byte| *byte < 2);
                assert!(whole || header, "a sector is written whole or not at all");
            }
            seen.insert(content);
        }
        let has = |wanted: &dyn Fn(&[u8]) -> bool| seen.iter().any(|content| wanted(content));
        assert!(has(&|content| content == [0; 16_384]), "all is lost");
        assert!(has(&|content| content.len() == 20_480 && content.last() == Some(&5) && content[0] == 9), "nothing is");
        assert!(has(&|content| content[0] == 9 && content[320..16_384].iter().all(|byte| *byte == 0)), "one survives");
        assert!(has(&|content| content[0] == 1 && content[16_383] == 4), "only the last on top is lost");
        assert!(has(&|content| content[4096] == 2 && content[8191] == 0), "a page is torn");
        assert!(
            has(&|content| content[16_383] == 4 && content[4096..8192] == [0; 4096]),
            "a later one without an earlier"
        );
        assert!(seen.len() > 300, "{}", seen.len());
    }
}
