//! The node's own files: keys for its eyes only, a store that can be read, a copy that is not too old.

use super::{Finding, Problem, Subject};
use lucid_storage::{Options, Store, StoreError};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// Memory for a look at the store.
const LOOK_BYTES: usize = 4 << 20;

/// From how many days on a copy of the store is old.
const OLD_BACKUP_DAYS: u64 = 8;
const DAY_SECS: u64 = 86_400;

/// What only the node may read: folder, names that must be there, whether others in it count too.
const PRIVATE: [(&str, &[&str]); 2] = [("keys", &["account.key", "consensus.key"]), ("tokens", &[])];

pub(super) fn files(subject: &Subject) -> Vec<Finding> {
    let folder = &subject.datadir;
    if let Err(error) = fs::read_dir(folder) {
        return vec![match error.kind() {
            io::ErrorKind::NotFound => Finding::problem("chain", Problem::NoChain, "DIR is not there"),
            _ => Finding::problem("chain", Problem::NotReadable, format!("DIR cannot be looked into: {error}")),
        }];
    }
    let store = folder.join("lucid.redb");
    if !store.exists() {
        return vec![Finding::problem("chain", Problem::NoChain, "DIR holds no lucid.redb")];
    }
    vec![keys(folder), signing(folder), store_file(&store, subject), backup(folder, subject.now)]
}

fn keys(folder: &Path) -> Finding {
    let owner = fs::metadata(folder).map(|folder| folder.uid()).ok();
    let mut seen = 0;
    for (name, needed) in PRIVATE {
        let inner = folder.join(name);
        for name in needed.iter().filter(|name| !inner.join(name).exists()) {
            // Keys may come from the service manager instead.
            if fs::read_dir(&inner).is_ok_and(|mut entries| entries.next().is_some()) {
                return Finding::problem(
                    "keys",
                    Problem::KeyMissing,
                    format!("{} is missing", inner.join(name).display()),
                );
            }
        }
        let entries = match fs::read_dir(&inner) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Finding::problem("keys", Problem::NotReadable, format!("{}: {error}", inner.display()));
            }
        };
        let inside = entries.filter_map(|entry| Some(entry.ok()?.path()));
        for path in std::iter::once(inner.clone()).chain(inside) {
            let Ok(file) = fs::symlink_metadata(&path) else { continue };
            let mode = file.permissions().mode() & 0o777;
            // A token may be for the node's group too.
            let allowed = if name == "tokens" { 0o750 } else { 0o700 };
            if mode & !allowed != 0 {
                let found = format!("{} has mode {mode:04o}: others can read it", path.display());
                return Finding::problem("keys", Problem::OpenToOthers, found);
            }
            if owner.is_some_and(|owner| owner != file.uid()) {
                let found = format!("{} belongs to user {}, and the folder does not", path.display(), file.uid());
                return Finding::problem("keys", Problem::OtherOwner, found);
            }
            seen += 1;
        }
    }
    Finding::good("keys", format!("{seen} files and folders, for the node's eyes only"))
}

fn signing(folder: &Path) -> Finding {
    let path = folder.join("keys/highest-signed");
    match path.exists() {
        true => Finding::good("signing", "what the keys have signed is on record"),
        false => Finding::problem("signing", Problem::NothingKnownOfSigning, format!("{} is missing", path.display())),
    }
}

fn store_file(store: &Path, subject: &Subject) -> Finding {
    if subject.running.is_some() {
        return Finding::good("store", "open, and read by the node");
    }
    match Store::inspect(store, &Options { cache_bytes: LOOK_BYTES }, false) {
        Ok((meta, _)) => Finding::good("store", format!("opens, format {}", meta.format_version)),
        Err(StoreError::Locked(_)) => Finding::good("store", "in use by a process that has no status socket"),
        Err(error @ StoreError::NewerFormat { .. }) => {
            Finding::problem("store", Problem::StoreNewer, error.to_string())
        }
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Finding::problem("store", Problem::NotReadable, "it is not for this user to read")
        }
        Err(error) => Finding::problem("store", Problem::StoreDamaged, error.to_string()),
    }
}

fn backup(folder: &Path, now: u64) -> Finding {
    let newest = newest_in(&folder.join("backups"));
    let Some((path, at)) = newest else {
        return Finding::problem("backup", Problem::NoBackup, "there is none in DIR/backups");
    };
    let days = now.saturating_sub(at) / DAY_SECS;
    let found = format!("{} is {days} days old", path.display());
    match days > OLD_BACKUP_DAYS {
        true => Finding::problem("backup", Problem::NoBackup, found),
        false => Finding::good("backup", found),
    }
}

fn newest_in(folder: &Path) -> Option<(PathBuf, u64)> {
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let dated = files.filter_map(|file| {
        let modified = file.metadata().ok()?.modified().ok()?;
        Some((file.path(), modified.duration_since(UNIX_EPOCH).ok()?.as_secs()))
    });
    dated.max_by_key(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use super::{super::running::tests::subject, *};

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if path.parent() != Some(folder.path()) {
                fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
        folder
    }

    const KEYS: [&str; 3] = ["keys/account.key", "keys/consensus.key", "keys/highest-signed"];

    #[test]
    fn keys_that_others_can_read_are_named() {
        let folder = folder(&KEYS);
        assert_eq!(keys(folder.path()).problem, None);
        assert_eq!(signing(folder.path()).problem, None);
        let key = folder.path().join("keys/account.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let open = keys(folder.path());
        assert_eq!(open.problem, Some("open-to-others"));
        assert!(open.found.contains("account.key has mode 0640"), "{}", open.found);
        fs::remove_file(key).unwrap();
        assert_eq!(keys(folder.path()).problem, Some("key-missing"));
        fs::remove_file(folder.path().join("keys/highest-signed")).unwrap();
        assert_eq!(signing(folder.path()).problem, Some("nothing-known-of-signing"));
    }

    #[test]
    fn a_folder_without_a_chain_and_one_with_a_damaged_store_are_told_apart() {
        let judge = |path: &Path| {
            let subject = Subject { datadir: path.to_owned(), ..subject(None) };
            files(&subject).iter().find_map(|finding| finding.problem)
        };
        let empty = folder(&[]);
        assert_eq!(judge(empty.path()), Some("no-chain"));
        assert_eq!(judge(&empty.path().join("gone")), Some("no-chain"));
        let damaged = folder(&[&KEYS[..], &["lucid.redb"]].concat());
        assert_eq!(judge(damaged.path()), Some("store-damaged"));
    }

    #[test]
    fn an_old_copy_is_as_good_as_none() {
        let folder = folder(&["backups/a.redb"]);
        let made = newest_in(&folder.path().join("backups")).unwrap().1;
        assert_eq!(backup(folder.path(), made + DAY_SECS).problem, None);
        assert_eq!(backup(folder.path(), made + 30 * DAY_SECS).problem, Some("no-backup"));
        fs::remove_dir_all(folder.path().join("backups")).unwrap();
        assert_eq!(backup(folder.path(), made).problem, Some("no-backup"));
    }
}
