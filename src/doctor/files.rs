//! The node's own files: keys for its eyes only, a store that can be read, a copy that is not too old.

use super::{Finding, Problem, Subject};
use lucid_storage::{NamedBackup, Options, Store, StoreError, last_backup};
use lucid_types::{ChainSpec, Rules};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Memory for a look at the store.
const LOOK_BYTES: usize = 4 << 20;

/// From how many days on a copy of the store is old.
const OLD_BACKUP_DAYS: u64 = 8;
const DAY_SECS: u64 = 86_400;

/// The store, in the data folder.
const STORE: &str = "lucid.redb";

/// The keys that a node cannot be without.
const KEYS: [&str; 2] = ["account.key", "consensus.key"];

/// What the node's user must have, and what its modes may allow. A token may be for the node's group too; who may read a
/// backup is for those to say who copy it.
const OWN: [(&str, u32); 4] = [("keys", 0o700), ("tokens", 0o750), ("backups", 0o777), (STORE, 0o777)];

/// What a look at the store gave.
#[derive(Debug)]
pub(super) enum StoreLook {
    /// There is none.
    Absent,
    /// It can be read: the format of its file, and whether it is a development chain.
    Opens { format_version: u32, is_dev: bool },
    /// A process has it.
    InUse,
    /// It cannot be read.
    Fault(StoreError),
}

impl StoreLook {
    pub(super) const fn is_dev(&self) -> bool {
        matches!(self, Self::Opens { is_dev: true, .. })
    }
}

/// Looks at the store.
pub(super) fn look(subject: &Subject) -> StoreLook {
    let store = subject.datadir.join(STORE);
    if !store.exists() {
        return StoreLook::Absent;
    }
    if subject.running.is_some() {
        return StoreLook::InUse;
    }
    // All of it is read: over a damaged page the engine could end the whole program, and nothing would be told.
    match Store::inspect(&store, &Options { cache_bytes: LOOK_BYTES, ..Options::default() }, true) {
        Ok((meta, _)) => {
            let is_dev = ChainSpec::from_json(&meta.chain_spec).is_ok_and(|spec| spec.rules == Rules::Dev);
            StoreLook::Opens { format_version: meta.format_version, is_dev }
        }
        Err(StoreError::Locked(_)) => StoreLook::InUse,
        Err(error) => StoreLook::Fault(error),
    }
}

/// Files that somebody put beside the configuration for the node to read, and that it does not.
pub(super) fn passed_over(subject: &Subject) -> Vec<Finding> {
    let note = |path: &PathBuf| {
        let found = format!("{} is not read: only names that end in .toml are", path.display());
        Finding::problem("configuration", Problem::PassedOver, found).about(path)
    };
    subject.config_passed_over.iter().map(note).collect()
}

pub(super) fn files(subject: &Subject, store: &StoreLook) -> Vec<Finding> {
    let folder = &subject.datadir;
    if let Err(error) = fs::read_dir(folder) {
        return vec![match error.kind() {
            io::ErrorKind::NotFound => Finding::problem("store", Problem::NoChain, "DIR is not there"),
            _ => Finding::problem("store", Problem::NotReadable, format!("DIR cannot be looked into: {error}")),
        }];
    }
    let mut findings = vec![store_file(subject, store)];
    if findings[0].problem == Some(Problem::NoChain.name()) {
        return findings;
    }
    let keys = keys(subject);
    let are_missing = keys.problem == Some(Problem::KeyMissing.name());
    findings.push(keys);
    // Without keys nobody asks what they have signed.
    if !are_missing {
        findings.push(signing(folder));
    }
    findings.push(backup(folder, subject.now));
    findings
}

/// Those that are there must be for the node's eyes only.
fn keys(subject: &Subject) -> Finding {
    let folder = &subject.datadir;
    let missing: Vec<&str> = KEYS.into_iter().filter(|name| !folder.join("keys").join(name).exists()).collect();
    if missing.len() == KEYS.len() && subject.running.is_some() {
        let found = private(folder);
        let good = || Finding::good("keys", "not in DIR: the service manager hands them over");
        return if found.problem.is_some() { found } else { good() };
    }
    if missing.len() == KEYS.len() {
        let found = "none in DIR/keys, which is right only where systemd hands them over (LoadCredential=)";
        return Finding::problem("keys", Problem::KeyMissing, found);
    }
    if let [name] = missing[..] {
        return Finding::problem("keys", Problem::KeyMissing, format!("DIR/keys/{name} is missing"));
    }
    private(folder)
}

/// Whether the node's files are for its user alone, and that user's.
fn private(folder: &Path) -> Finding {
    let owner = fs::metadata(folder).map(|folder| folder.uid()).ok();
    let mut seen = 0;
    for (name, allowed) in OWN {
        let inner = folder.join(name);
        let inside: Vec<_> = match fs::read_dir(&inner) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Vec::new(),
            Err(error) => {
                return Finding::problem("keys", Problem::NotReadable, format!("{}: {error}", inner.display()));
            }
        };
        for path in std::iter::once(inner.clone()).chain(inside) {
            let Ok(file) = fs::symlink_metadata(&path) else { continue };
            let mode = file.permissions().mode() & 0o777;
            if mode & !allowed != 0 {
                let found = format!("{} has mode {mode:04o}: others can read it", path.display());
                return Finding::problem("keys", Problem::OpenToOthers, found).about(&path);
            }
            if owner.is_some_and(|owner| owner != file.uid()) {
                let found = format!("{} belongs to user {}, and the folder does not", path.display(), file.uid());
                return Finding::problem("keys", Problem::OtherOwner, found).about(&path);
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

fn store_file(subject: &Subject, store: &StoreLook) -> Finding {
    let folder = &subject.datadir;
    match store {
        StoreLook::Absent if ["keys", "chain.json"].iter().any(|name| folder.join(name).exists()) => {
            let newest = last_backup(&folder.join("backups"));
            let newest = newest.map(|backup| format!("; the last backup here is {}", backup.path.display()));
            let found = format!("DIR has keys or a chain spec, and no {STORE}{}", newest.unwrap_or_default());
            Finding::problem("store", Problem::StoreGone, found)
        }
        StoreLook::Absent => Finding::problem("store", Problem::NoChain, format!("DIR holds no {STORE}")),
        StoreLook::Opens { format_version, .. } => Finding::good("store", format!("opens, format {format_version}")),
        StoreLook::InUse => Finding::good("store", "open, and read by the node"),
        StoreLook::Fault(error @ StoreError::NewerFormat { .. }) => {
            Finding::problem("store", Problem::StoreNewer, error.to_string())
        }
        StoreLook::Fault(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            Finding::problem("store", Problem::NotReadable, "it is not for this user to read")
        }
        StoreLook::Fault(error) => Finding::problem("store", Problem::StoreDamaged, error.to_string()),
    }
}

fn backup(folder: &Path, now: u64) -> Finding {
    let Some(NamedBackup { path, made_at, .. }) = last_backup(&folder.join("backups")) else {
        return Finding::problem("backup", Problem::NoBackup, "there is none in DIR/backups");
    };
    let days = now.saturating_sub(made_at) / DAY_SECS;
    let found = format!("{} is {days} days old", path.display());
    match days > OLD_BACKUP_DAYS {
        true => Finding::problem("backup", Problem::NoBackup, found),
        false => Finding::good("backup", found),
    }
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

    const FILES: [&str; 3] = ["keys/account.key", "keys/consensus.key", "keys/highest-signed"];

    #[test]
    fn keys_that_others_can_read_are_named() {
        let folder = folder(&FILES);
        let keys = |folder: &Path| keys(&Subject { datadir: folder.to_owned(), ..subject(None) });
        assert_eq!(keys(folder.path()).problem, None);
        assert_eq!(signing(folder.path()).problem, None);
        let key = folder.path().join("keys/account.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let open = keys(folder.path());
        assert_eq!(open.problem, Some("open-to-others"));
        assert!(open.found.contains("account.key has mode 0640"), "{}", open.found);
        fs::remove_file(key).unwrap();
        assert_eq!(keys(folder.path()).problem, Some("key-missing"));
        fs::remove_file(folder.path().join("keys/consensus.key")).unwrap();
        assert_eq!(keys(folder.path()).problem, Some("key-missing"));
        fs::remove_file(folder.path().join("keys/highest-signed")).unwrap();
        assert_eq!(signing(folder.path()).problem, Some("nothing-known-of-signing"));
    }

    /// What root made there the node cannot read at its next start.
    #[test]
    fn a_token_or_a_backup_of_another_user_is_named() {
        for file in ["tokens/admin", "backups/lucid-00000001-1.redb", "lucid.redb"] {
            let folder = folder(&[&FILES[..], &[file]].concat());
            assert_eq!(private(folder.path()).problem, None);
            let path = folder.path().join(file);
            if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
                return println!("skipped: this is not root");
            }
            let found = private(folder.path());
            assert_eq!((found.problem, found.path), (Some("other-owner"), Some(path)));
        }
    }

    #[test]
    fn a_folder_without_a_chain_and_one_with_a_damaged_store_are_told_apart() {
        let judge = |path: &Path| {
            let subject = Subject { datadir: path.to_owned(), ..subject(None) };
            let findings = files(&subject, &look(&subject));
            findings.iter().filter_map(|finding| finding.problem).collect::<Vec<_>>()
        };
        let empty = folder(&[]);
        assert_eq!(judge(empty.path()), ["no-chain"]);
        assert_eq!(judge(&empty.path().join("gone")), ["no-chain"]);
        let damaged = folder(&[&FILES[..], &["lucid.redb"]].concat());
        assert_eq!(judge(damaged.path()), ["store-damaged", "no-backup"]);
        let gone = folder(&[&FILES[..], &["chain.json", "backups/a.redb"]].concat());
        assert_eq!(judge(gone.path())[0], "store-gone");
        let without_keys = folder(&["chain.json"]);
        assert_eq!(judge(without_keys.path()), ["store-gone", "key-missing", "no-backup"], "and nothing of signing");
    }

    #[test]
    fn an_old_copy_is_as_good_as_none() {
        let folder = folder(&["backups/lucid-00000007-1800000000.redb", "backups/lucid-00000009-1700000000.redb"]);
        let made = 1_800_000_000;
        // What a kill left, and a file that somebody copied there: both newer as files.
        for name in ["lucid-00000010-1900000000.redb.new", "a.redb"] {
            fs::write(folder.path().join("backups").join(name), "x").unwrap();
        }
        assert_eq!(backup(folder.path(), made + DAY_SECS).problem, None);
        assert_eq!(backup(folder.path(), made + 30 * DAY_SECS).problem, Some("no-backup"));
        fs::remove_dir_all(folder.path().join("backups")).unwrap();
        assert_eq!(backup(folder.path(), made).problem, Some("no-backup"));
    }
}
