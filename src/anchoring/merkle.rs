//! The tree over a session's encrypted chunks: leaf = BLAKE3(ciphertext), parent = BLAKE3(left ‖ right), an odd
//! last node is paired with itself.
//!
//! Doubling makes the trees of `[a, b, c]` and `[a, b, c, c]` share a root, so a root says something only together
//! with its chunk count; the contract keeps both.

use alloy_primitives::B256;
use lucid_types::{ChunkPath, blake3};

/// Most levels above the leaves.
pub const MAX_TREE_HEIGHT: usize = 20;

/// Most leaves of a tree: the contract refuses a higher chunk count.
pub const MAX_LEAVES: usize = 1 << MAX_TREE_HEIGHT;

/// Why a tree cannot be built, or a path does not lead from its chunk to the root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MerkleError {
    /// There is nothing to take a root of.
    #[error("a Merkle tree needs at least one leaf")]
    NoLeaves,
    /// The tree would be higher than [`MAX_TREE_HEIGHT`].
    #[error("{0} leaves are more than {MAX_LEAVES}, the most at height {MAX_TREE_HEIGHT}")]
    TooManyLeaves(usize),
    /// No chunk has this index.
    #[error("there is no chunk {index} among {count}")]
    IndexOutOfRange {
        /// Index that was asked for.
        index: u32,
        /// Leaves of the tree.
        count: u32,
    },
    /// A path has another length than the tree's height.
    #[error("the Merkle path of chunk {index} has {found} levels; {count} chunks make a tree of {expected}")]
    PathLength {
        /// Index of the chunk.
        index: u32,
        /// Leaves of the tree.
        count: u32,
        /// Height of that tree.
        expected: usize,
        /// Levels in the path.
        found: usize,
    },
    /// The odd last node of a level stands beside something else than itself.
    #[error("the Merkle path of chunk {index} is wrong at level {level}: the last of {count} chunks pairs with itself")]
    NotPairedWithItself {
        /// Index of the chunk.
        index: u32,
        /// Leaves of the tree.
        count: u32,
        /// Level, 0 at the leaves.
        level: usize,
    },
    /// The path leads to another root: the chunk, its index or the path is not the anchored one.
    #[error("the Merkle path of chunk {index} leads to {found}, not to the root {expected}")]
    RootMismatch {
        /// Index of the chunk.
        index: u32,
        /// Root that was anchored.
        expected: B256,
        /// Where the path leads.
        found: B256,
    },
}

/// A BLAKE3 tree with all of its levels, so that paths are read and not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleTree {
    /// Leaves first. Never empty, and no level is; the last level is the root alone.
    levels: Vec<Vec<B256>>,
    root: B256,
    count: u32,
}

impl MerkleTree {
    /// Builds the tree over the BLAKE3 hashes of the encrypted chunks, in index order.
    pub fn new(leaves: Vec<B256>) -> Result<Self, MerkleError> {
        let first = *leaves.first().ok_or(MerkleError::NoLeaves)?;
        let count = match u32::try_from(leaves.len()) {
            Ok(count) if leaves.len() <= MAX_LEAVES => count,
            _ => return Err(MerkleError::TooManyLeaves(leaves.len())),
        };
        let (mut levels, mut level, mut root) = (Vec::with_capacity(MAX_TREE_HEIGHT + 1), leaves, first);
        while level.len() > 1 {
            let above: Vec<B256> =
                level.chunks(2).map(|pair| parent(pair[0], *pair.last().unwrap_or(&pair[0]))).collect();
            root = above[0];
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        Ok(Self { levels, root, count })
    }

    /// The root: the value that is anchored. That of a single chunk is its leaf.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// Number of leaves.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Levels above the leaves: 0 for a single chunk.
    pub const fn height(&self) -> usize {
        self.levels.len() - 1
    }

    /// The path from the chunk at `index` to the root.
    pub fn path(&self, index: u32) -> Result<ChunkPath, MerkleError> {
        let out_of_range = MerkleError::IndexOutOfRange { index, count: self.count };
        let mut place = index as usize;
        let leaf = *self.levels[0].get(place).ok_or(out_of_range)?;
        let mut siblings = Vec::with_capacity(self.height());
        for level in &self.levels[..self.height()] {
            siblings.push(*level.get(place ^ 1).unwrap_or(&level[place]));
            place /= 2;
        }
        Ok(ChunkPath { index, leaf, siblings })
    }
}

/// Levels above the leaves in a tree of `chunk_count` leaves.
pub const fn tree_height(chunk_count: u32) -> usize {
    match chunk_count.checked_sub(1) {
        Some(last) => (u32::BITS - last.leading_zeros()) as usize,
        None => 0,
    }
}

/// Checks that `path` leads from its chunk to `root` in a tree of `chunk_count` leaves.
///
/// The length of the path follows from the count, and so does where a node is paired with itself. The count itself is
/// not proved by a path; take it from the anchor.
pub fn verify_path(root: B256, chunk_count: u32, path: &ChunkPath) -> Result<(), MerkleError> {
    let (index, count) = (path.index, chunk_count);
    if count as usize > MAX_LEAVES {
        return Err(MerkleError::TooManyLeaves(count as usize));
    }
    if index >= count {
        return Err(MerkleError::IndexOutOfRange { index, count });
    }
    let (expected, found) = (tree_height(count), path.siblings.len());
    if expected != found {
        return Err(MerkleError::PathLength { index, count, expected, found });
    }
    let (mut node, mut place, mut last) = (path.leaf, index, count - 1);
    for (level, sibling) in path.siblings.iter().enumerate() {
        let odd_last = place == last && place.is_multiple_of(2);
        if odd_last && *sibling != node {
            return Err(MerkleError::NotPairedWithItself { index, count, level });
        }
        node = if place.is_multiple_of(2) { parent(node, *sibling) } else { parent(*sibling, node) };
        (place, last) = (place / 2, last / 2);
    }
    if node == root { Ok(()) } else { Err(MerkleError::RootMismatch { index, expected: root, found: node }) }
}

fn parent(left: B256, right: B256) -> B256 {
    blake3([left.as_slice(), right.as_slice()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: u32) -> Vec<B256> {
        (0..count).map(|index| blake3([&index.to_be_bytes()])).collect()
    }

    fn tree(count: u32) -> MerkleTree {
        MerkleTree::new(leaves(count)).unwrap()
    }

    #[test]
    fn the_root_of_one_chunk_is_its_leaf() {
        let tree = tree(1);
        assert_eq!((tree.root(), tree.height()), (leaves(1)[0], 0));
        assert_eq!(verify_path(tree.root(), 1, &tree.path(0).unwrap()), Ok(()));
    }

    #[test]
    fn an_odd_last_node_is_paired_with_itself() {
        let l = leaves(5);
        let left = parent(parent(l[0], l[1]), parent(l[2], l[3]));
        let lone = parent(l[4], l[4]);
        assert_eq!(tree(5).root(), parent(left, parent(lone, lone)));
        assert_eq!(tree(5).path(4).unwrap().siblings, vec![l[4], lone, left]);
        assert_eq!(tree(3).root(), parent(parent(l[0], l[1]), parent(l[2], l[2])));
    }

    #[test]
    fn the_height_follows_from_the_count() {
        for (count, height) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4), (200, 8), (1 << 20, 20)] {
            assert_eq!(tree_height(count), height, "{count}");
        }
        assert_eq!(tree_height(0), 0);
        assert_eq!(tree(200).height(), 8);
    }

    #[test]
    fn no_leaf_and_too_many_are_refused() {
        assert_eq!(MerkleTree::new(vec![]), Err(MerkleError::NoLeaves));
        let too_many = MAX_LEAVES + 1;
        assert_eq!(MerkleTree::new(vec![B256::ZERO; too_many]), Err(MerkleError::TooManyLeaves(too_many)));
        let path = ChunkPath { index: 0, leaf: B256::ZERO, siblings: vec![B256::ZERO; 21] };
        assert_eq!(verify_path(B256::ZERO, 1 << 21, &path), Err(MerkleError::TooManyLeaves(1 << 21)));
        let outside = MerkleError::IndexOutOfRange { index: 0, count: 0 };
        assert_eq!(verify_path(B256::ZERO, 0, &path), Err(outside));
    }

    #[test]
    fn the_doubled_node_of_three_chunks_is_no_fourth_chunk() {
        let tree = tree(3);
        let doubled = ChunkPath { index: 3, ..tree.path(2).unwrap() };
        assert_eq!(verify_path(tree.root(), 3, &doubled), Err(MerkleError::IndexOutOfRange { index: 3, count: 3 }));
        // Where a real fourth chunk stands, the third of three would have to be paired with itself.
        let of_four = MerkleTree::new(leaves(4)).unwrap();
        let wrong_count = verify_path(of_four.root(), 3, &of_four.path(2).unwrap());
        assert_eq!(wrong_count, Err(MerkleError::NotPairedWithItself { index: 2, count: 3, level: 0 }));
    }

    proptest! {
        #[test]
        fn every_path_verifies_and_no_other_index_does(count in 1u32..70, other in any::<u32>()) {
            let tree = tree(count);
            for index in 0..count {
                let path = tree.path(index).unwrap();
                prop_assert_eq!(verify_path(tree.root(), count, &path), Ok(()));
                let other = if other % 2 == 0 { other % count } else { other };
                let moved = ChunkPath { index: other, ..path };
                prop_assert_eq!(verify_path(tree.root(), count, &moved).is_ok(), other == index);
            }
            prop_assert!(tree.path(count).is_err());
        }

        #[test]
        fn a_flipped_bit_is_refused(
            count in 1u32..70,
            index in any::<u32>(),
            level in any::<usize>(),
            bit in 0usize..256,
        ) {
            let tree = tree(count);
            let good = tree.path(index % count).unwrap();
            let flip = |word: &mut B256| word[bit / 8] ^= 1 << (bit % 8);
            let mut leaf = good.clone();
            flip(&mut leaf.leaf);
            prop_assert!(verify_path(tree.root(), count, &leaf).is_err());
            let mut root = tree.root();
            flip(&mut root);
            prop_assert!(verify_path(root, count, &good).is_err());
            if !good.siblings.is_empty() {
                let mut sibling = good;
                let level = level % sibling.siblings.len();
                flip(&mut sibling.siblings[level]);
                prop_assert!(verify_path(tree.root(), count, &sibling).is_err());
            }
        }

        #[test]
        fn a_path_of_another_length_is_refused(count in 2u32..70, index in any::<u32>(), other in 1u32..2000) {
            let tree = tree(count);
            let path = tree.path(index % count).unwrap();
            if tree_height(other) != tree.height() {
                prop_assert!(verify_path(tree.root(), other, &path).is_err());
            }
            let mut longer = path.clone();
            longer.siblings.push(tree.root());
            prop_assert!(verify_path(tree.root(), count, &longer).is_err());
            let mut shorter = path;
            shorter.siblings.pop();
            prop_assert!(verify_path(tree.root(), count, &shorter).is_err());
        }
    }
}
