//! Sixteen ways on: what happens where the path of a trie forks, and when a fork is no longer one.

use alloy_trie::{
    Nibbles, TrieMask,
    nodes::{BranchNode, RlpNode, TrieNode},
};

use super::{
    NodeStore, TrieError, node,
    update::{Change, Updater},
};

/// One of the sixteen below a fork.
#[derive(Default)]
enum Child {
    #[default]
    Absent,
    /// As the parent held it: not read, not changed.
    Reference(RlpNode),
    /// In memory and not yet written. `stored` says whether a row with an older node is at its path.
    Node { node: TrieNode, stored: bool },
}

/// What stands below a fork, by nibble.
#[derive(Default)]
pub(super) struct Children([Child; 16]);

impl Children {
    /// The children of a branch.
    pub(super) fn of(branch: BranchNode) -> Self {
        let mut children = Self::default();
        for (nibble, reference) in branch.state_mask.iter().zip(branch.stack) {
            children.0[usize::from(nibble)] = Child::Reference(reference);
        }
        children
    }

    /// One child, in memory, of a fork that is new, so that no row is at its path.
    pub(super) fn with_node(nibble: u8, node: TrieNode) -> Self {
        let mut children = Self::default();
        children.0[usize::from(nibble)] = Child::Node { node, stored: false };
        children
    }

    /// One child that stays where it was while a new fork comes to stand above it.
    pub(super) fn with_reference(nibble: u8, reference: RlpNode) -> Self {
        let mut children = Self::default();
        children.0[usize::from(nibble)] = Child::Reference(reference);
        children
    }
}

impl<S: NodeStore> Updater<'_, S> {
    /// Applies `changes` to the children of the fork at `at`. What is left of it is a branch, or the only child
    /// that survives with its nibble before it, or nothing.
    pub(super) fn fork(
        &mut self,
        at: Nibbles,
        mut children: Children,
        changes: &mut [Change],
    ) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        let nibble_of = |change: &Change| change.key.get_unchecked(at.len());
        for group in changes.chunk_by_mut(|a, b| nibble_of(a) == nibble_of(b)) {
            let nibble = nibble_of(&group[0]);
            let child = &mut children.0[usize::from(nibble)];
            *child = self.change_child(step(at, nibble), std::mem::take(child), group)?;
        }
        let mut survivors = (0u8..).zip(&mut children.0).filter(|(_, child)| !matches!(child, Child::Absent));
        match (survivors.next(), survivors.next()) {
            (None, _) => Ok(None),
            (Some((nibble, child)), None) => self.absorb(at, nibble, std::mem::take(child)),
            _ => self.branch(at, children).map(Some),
        }
    }

    /// Applies `changes` to one child. A row that it leaves behind is removed here, a changed one written later,
    /// when it is known whether the fork stays.
    fn change_child(
        &mut self,
        path: Nibbles,
        child: Child,
        changes: &mut [Change],
    ) -> Result<Child, TrieError<S::Error>> {
        let (node, stored) = match child {
            Child::Absent => (None, false),
            Child::Reference(reference) => (Some(node::resolve(self.store, &path, &reference)?), reference.is_hash()),
            Child::Node { node, stored } => (Some(node), stored),
        };
        match self.change(path, node, changes)? {
            Some(node) => Ok(Child::Node { node, stored }),
            None => self.vacate(&path, stored).map(|()| Child::Absent),
        }
    }

    /// The only child of a fork takes its place.
    fn absorb(&mut self, at: Nibbles, nibble: u8, child: Child) -> Result<Option<TrieNode>, TrieError<S::Error>> {
        let (node, stored) = match child {
            Child::Absent => return Ok(None),
            Child::Reference(reference) => {
                (node::resolve(self.store, &step(at, nibble), &reference)?, reference.is_hash())
            }
            Child::Node { node, stored } => (node, stored),
        };
        self.prepend(&at, &Nibbles::from_nibbles_unchecked([nibble]), Some(node), stored)
    }

    /// Writes the changed children and makes the branch above them.
    fn branch(&mut self, at: Nibbles, children: Children) -> Result<TrieNode, TrieError<S::Error>> {
        let mut stack = Vec::with_capacity(children.0.len());
        let mut state_mask = TrieMask::default();
        for (nibble, child) in (0u8..).zip(children.0) {
            let reference = match child {
                Child::Absent => continue,
                Child::Reference(reference) => reference,
                Child::Node { node, stored } => self.settle(&step(at, nibble), &node, stored)?,
            };
            stack.push(reference);
            state_mask.set_bit(nibble);
        }
        Ok(TrieNode::Branch(BranchNode::new(stack, state_mask)))
    }
}

/// The path of a fork's child.
fn step(at: Nibbles, nibble: u8) -> Nibbles {
    let mut path = at;
    path.push_unchecked(nibble);
    path
}
