//! How far exports to other servers have come, in the table `export_state`.

use crate::{
    batch::Batch, error::StoreError, range::Direction, reader::Reader, records::ExportStateRecord, tables::ExportState,
};
use std::ops::Bound;

/// Most targets that are remembered. For one more the one that was written to longest ago is forgotten, and would be written
/// to from the beginning.
pub const MAX_EXPORT_TARGETS: usize = 16;

/// Writes how far the export to `target` has come, where its step is still `expected`, or there is none. Says whether it was:
/// where not, somebody else exports to the same target and has begun a step meanwhile.
///
/// # Errors
///
/// The table cannot be read.
pub fn put_export_state(
    batch: &mut Batch,
    target: &str,
    record: &ExportStateRecord,
    expected: Option<u64>,
) -> Result<bool, StoreError> {
    let target = target.to_owned();
    let known = batch.get::<ExportState>(&target)?;
    if known.as_ref().map(|known| known.step) != expected {
        return Ok(false);
    }
    if known.is_none() {
        forget_oldest(batch)?;
    }
    batch.put::<ExportState>(&target, record)?;
    Ok(true)
}

fn forget_oldest(batch: &mut Batch) -> Result<(), StoreError> {
    let known: Vec<_> = batch
        .range::<ExportState>(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?
        .collect::<Result<_, _>>()?;
    if known.len() >= MAX_EXPORT_TARGETS
        && let Some((oldest, _)) = known.iter().min_by_key(|(_, record)| record.sequence)
    {
        batch.remove::<ExportState>(oldest)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Meta, Options, Store,
        samples::{Sample, hash},
    };

    #[test]
    fn only_who_knows_the_step_goes_on_and_the_oldest_target_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
        let mut batch = store.begin().unwrap();
        let state = |sequence, step| ExportStateRecord { sequence, step, ..Sample::sample() };
        let mut put = |target: &str, record, expected| put_export_state(&mut batch, target, &record, expected).unwrap();
        assert!(!put("a", state(1, 1), Some(7)), "there is none");
        assert!(put("a", state(5, 1), None));
        assert!(!put("a", state(5, 2), None) && !put("a", state(5, 2), Some(2)));
        assert!(put("a", state(5, 2), Some(1)));
        for target in 1..MAX_EXPORT_TARGETS as u64 {
            assert!(put(&format!("b{target:02}"), state(10 - target % 10, 1), None));
        }
        // Of those with the lowest sequence, 1, there is one.
        assert!(put("c", state(20, 1), None));
        let known = batch.range::<ExportState>(Bound::Unbounded, Bound::Unbounded, Direction::Forward).unwrap();
        let known: Vec<_> = known.map(|row| row.unwrap().0).collect();
        assert_eq!(known.len(), MAX_EXPORT_TARGETS);
        assert!(known.contains(&"a".to_owned()) && known.contains(&"c".to_owned()));
        assert!(!known.contains(&"b09".to_owned()));
    }
}
