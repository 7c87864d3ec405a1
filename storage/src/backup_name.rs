//! What the backups in a folder are called, and which of them is the last.
//!
//! The last one is that of the latest time in the name, and never that of the greatest height: after a restore the heights
//! begin lower. The time of the file says nothing either, as copying and moving change it. Files of other names, which
//! people copied there or a kill left unfinished, count for nothing here: of those nobody knows when they were made.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the names of backups begin and end with.
const PREFIX: &str = "lucid-";
const SUFFIX: &str = ".redb";

/// A backup in a folder of backups, as its name tells of it. The order is that in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedBackup {
    /// When it was made, in Unix seconds.
    pub made_at: u64,
    /// Height of the last block in it.
    pub height: u64,
    /// The file.
    pub path: PathBuf,
}

impl NamedBackup {
    /// One to be made in `folder`: `lucid-HEIGHT-TIME.redb`.
    pub fn to_make(folder: &Path, height: u64, made_at: u64) -> Self {
        Self { made_at, height, path: folder.join(format!("{PREFIX}{height:08}-{made_at}{SUFFIX}")) }
    }

    /// What a name tells; `None` for a file that is called otherwise.
    fn at(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let (height, made_at) = name.split_once('-')?;
        Some(Self { made_at: made_at.parse().ok()?, height: height.parse().ok()?, path })
    }
}

/// The backups in `folder`, in no order; none where the folder cannot be read.
fn backups_in(folder: &Path) -> impl Iterator<Item = NamedBackup> {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    files.filter_map(NamedBackup::at).filter(|backup| backup.path.is_file())
}

/// The backup that was made last of those in `folder`; `None` where there is none, or the folder cannot be read.
pub fn last_backup(folder: &Path) -> Option<NamedBackup> {
    backups_in(folder).max()
}

/// The backups in `folder` that are more than `kept`, the oldest ones. The one that was `made` just now is never among
/// them, whatever the clock has done in between.
pub fn backups_beyond(folder: &Path, made: &Path, kept: usize) -> Vec<NamedBackup> {
    // By its name alone: the folder may be named from elsewhere than the one that was made.
    let mut others: Vec<_> = backups_in(folder).filter(|backup| backup.path.file_name() != made.file_name()).collect();
    others.sort();
    others.truncate((others.len() + 1).saturating_sub(kept));
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_backups_the_oldest_go_and_never_the_one_made_just_now() {
        let folder = tempfile::tempdir().unwrap();
        let backup = |height, made_at| NamedBackup::to_make(folder.path(), height, made_at);
        // One was made while the clock was ahead, one before a restore.
        let backups = [backup(90, 100), backup(12, 200), backup(13, 300), backup(14, 9_000)];
        backups.iter().for_each(|backup| fs::write(&backup.path, "").unwrap());
        fs::write(folder.path().join("copy.redb"), "").unwrap();
        let beyond = |made: usize, kept| backups_beyond(folder.path(), &backups[made].path, kept);
        assert_eq!(beyond(2, 4), []);
        let elsewhere = Path::new("..").join(backups[2].path.file_name().unwrap());
        assert_eq!(backups_beyond(folder.path(), &elsewhere, 1).len(), 3, "the one made stays, however it is named");
        assert_eq!(beyond(2, 3), backups[..1]);
        assert_eq!(beyond(2, 2), backups[..2]);
        assert_eq!(beyond(2, 1), [backups[0].clone(), backups[1].clone(), backups[3].clone()]);
        assert_eq!(beyond(0, 3), backups[1..2], "made by a clock that was put back");
        assert_eq!(backups_beyond(&folder.path().join("gone"), &backups[0].path, 1), []);
    }

    /// The last by name is that of before the restore, and the last by the file's own time is what a kill left.
    #[test]
    fn after_a_restore_to_a_lower_height_the_last_backup_is_the_one_made_last() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_backup(folder.path()), None);
        let [before, after] = [(90, 1_800_000_000), (12, 1_800_086_400)]
            .map(|(height, made_at)| NamedBackup::to_make(folder.path(), height, made_at));
        assert!(after.path.ends_with("lucid-00000012-1800086400.redb"));
        for path in [&after.path, &before.path] {
            fs::write(path, "").unwrap();
        }
        for name in
            ["lucid-00000013-1900000000.redb.new", "copy.redb", "lucid-x-1900000000.redb", "lucid-13.redb", "notes"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("lucid-00000014-1900000000.redb")).unwrap();
        assert_eq!(last_backup(folder.path()), Some(after));
        assert_eq!(last_backup(&folder.path().join("gone")), None);
    }
}
