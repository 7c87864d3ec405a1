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

/// The backup that was made last of those in `folder`; `None` where there is none, or the folder cannot be read.
pub fn last_backup(folder: &Path) -> Option<NamedBackup> {
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.filter_map(NamedBackup::at).filter(|backup| backup.path.is_file()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

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
