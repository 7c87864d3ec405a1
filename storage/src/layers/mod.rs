//! Layered tables: indexes whose keys come in no order, such as hashes.
//!
//! In a tree each new one of these changes a leaf of its own, which is read, copied and written, and beyond the memory for
//! pages that is most of what a write costs. So the entries of such a table, which are keys without values, lie in
//! *levels*, each a sorted run of its own. New ones go into the youngest, which is small, a commit's all together; where a
//! level has more than its capacity, a stretch of it goes down into the next one, which is [`GROWTH`](state::GROWTH) times
//! as large. That is done part by part: a *part* has the keys of one stretch in one row of about a page, so a page is
//! written for some dozens of keys and not for one.
//!
//! - **The parts of a level tile the space of keys**: each says where it begins (its row's key) and where it ends, which is
//!   where the next one begins; the first begins and the last ends with the space. No part is empty, and a level without
//!   entries has none. So a part that covers a key says by itself, under its own checksum, whether the key is there, and a
//!   walk sees a part that is missing by where the one before it ends. No neighbour has to be asked.
//! - **A key is in one level.** Who puts one says whether it may be there already ([`Puts`](crate::range::Puts)); then all
//!   levels are asked. A walk gives a key that lies in two levels once, and what goes down to it becomes one with it; the
//!   count is then too high until that happens, which `db verify` finds and `db reindex` mends.
//! - **Work is bounded by what is written.** After a commit each level has at most its capacity, so at most what came into
//!   it goes down, and what is left of one part. Stretches are taken from a cursor that walks round the space. A key that
//!   goes down changes at most one part, and beside that a move changes the part before the stretch: for `n` keys at most
//!   `n` parts and a few in each level, and one for about three keys where they are dense.
//!
//! What lies above sees one table: reads through [`Layers`], writes through [`write_layers`].

mod check;
mod fill;
mod merge;
mod part;
mod read;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod walk;
mod write;

pub(crate) use check::check_layers;
pub(crate) use fill::{fill_layers, lay_rows};
pub(crate) use read::Layers;
pub(crate) use walk::LayeredRange;
pub(crate) use write::write_layers;
