//! A folder as `mongodump` and `lucid-node export bson` write it: `DIR/DATABASE/NAME.bson`, or the files themselves.

use super::error::ImportError;
use lucid_storage::{COLLECTIONS, CollectionDef};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What a collection was called before, and is called now.
const FORMER_NAMES: [(&str, &str); 1] = [("work_proofs", "task_proofs")];

/// Most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// The collection that documents of another database's collection are imported into; `None` where they are not.
pub fn collection_of(name: &str) -> Option<&'static CollectionDef> {
    let name = FORMER_NAMES.iter().find(|(former, _)| *former == name).map_or(name, |(_, now)| now);
    COLLECTIONS.iter().find(|def| def.importable && def.name == name)
}

/// A database in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Its name: that of its folder.
    pub database: String,
    /// Its collections that are imported, in the order in which the store lists them.
    pub files: Vec<DumpFile>,
    /// Names of its other collections.
    pub others: Vec<String>,
}

/// A collection of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpFile {
    /// The collection that its documents go into.
    pub collection: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// What a folder has in it.
#[derive(Default)]
struct Entries {
    folders: Vec<String>,
    collections: Vec<String>,
    /// One that would be a collection if it were unpacked.
    compressed: Option<String>,
}

impl Dump {
    /// Looks into a folder: that of a database, or one with the folders of databases, of which one is meant.
    ///
    /// # Errors
    ///
    /// There is nothing to import, or more than one database; the file system refuses.
    pub fn open(folder: &Path, database: Option<&str>) -> Result<Self, ImportError> {
        let path = folder.to_owned();
        let entries = list(folder)?;
        if let Some(name) = database {
            return match entries.folders.iter().any(|known| known == name) {
                true => Self::of_database(&folder.join(name)),
                false => Err(ImportError::NoDatabase { path, name: name.to_owned() }),
            };
        }
        if !entries.collections.is_empty() {
            return Self::of_database(folder);
        }
        let mut found = Vec::new();
        for name in entries.folders {
            let inner = list(&folder.join(&name))?;
            if inner.collections.iter().any(|name| collection_of(name).is_some()) {
                found.push(name);
            }
        }
        match &found[..] {
            [] => Err(ImportError::NoDump { path, compressed: entries.compressed.is_some() }),
            [name] => Self::of_database(&folder.join(name)),
            _ => Err(ImportError::ManyDatabases { path, found }),
        }
    }

    fn of_database(folder: &Path) -> Result<Self, ImportError> {
        let entries = list(folder)?;
        // As `.` it has no name.
        let named = folder
            .file_name()
            .map(ToOwned::to_owned)
            .or_else(|| folder.canonicalize().ok().and_then(|whole| whole.file_name().map(ToOwned::to_owned)));
        let database = named.unwrap_or_default().to_string_lossy().into_owned();
        let (mut files, mut others) = (Vec::<DumpFile>::new(), Vec::new());
        for name in entries.collections {
            let Some(def) = collection_of(&name) else {
                others.push(name);
                continue;
            };
            if files.iter().any(|file| file.collection == def.name) {
                return Err(ImportError::Twice { path: folder.to_owned(), collection: def.name });
            }
            let path = folder.join(format!("{name}.bson"));
            let bytes = fs::metadata(&path).map_err(|source| ImportError::Io { path: path.clone(), source })?.len();
            files.push(DumpFile { collection: def.name, path, bytes });
        }
        if let (false, Some(name)) = (files.is_empty(), &entries.compressed) {
            return Err(ImportError::Compressed { path: folder.join(name) });
        }
        if files.is_empty() {
            return Err(ImportError::NoDump { path: folder.to_owned(), compressed: entries.compressed.is_some() });
        }
        files.sort_by_key(|file| COLLECTIONS.iter().position(|def| def.name == file.collection));
        Ok(Self { database, files, others })
    }
}

fn list(folder: &Path) -> Result<Entries, ImportError> {
    let fault = |source| ImportError::Io { path: folder.to_owned(), source };
    let mut entries = Entries::default();
    for (place, entry) in fs::read_dir(folder).map_err(fault)?.enumerate() {
        if place >= MAX_ENTRIES {
            return Err(fault(io::Error::other(format!("more than {MAX_ENTRIES} entries"))));
        }
        let entry = entry.map_err(fault)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = fs::metadata(entry.path()).map_err(fault)?;
        if kind.is_dir() {
            entries.folders.push(name);
        } else if let Some(collection) = name.strip_suffix(".bson").filter(|_| kind.is_file()) {
            entries.collections.push(collection.to_owned());
        } else if name.strip_suffix(".bson.gz").is_some_and(|collection| collection_of(collection).is_some()) {
            entries.compressed = Some(name);
        }
    }
    entries.folders.sort();
    entries.collections.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        }
        folder
    }

    #[test]
    fn a_database_is_found_in_its_folder_and_in_the_one_around_it() {
        let around = folder(&[
            "lucid/chunks.bson",
            "lucid/sessions.bson",
            "lucid/users.bson",
            "lucid/users.metadata.json",
            "admin/roles.bson",
        ]);
        for (path, database) in [
            (around.path().to_owned(), None),
            (around.path().join("lucid"), None),
            (around.path().to_owned(), Some("lucid")),
        ] {
            let dump = Dump::open(&path, database).unwrap();
            assert_eq!(dump.database, "lucid");
            let names: Vec<_> = dump.files.iter().map(|file| (file.collection, file.bytes)).collect();
            assert_eq!(names, [("sessions", 5), ("chunks", 5)]);
            assert_eq!(dump.others, ["users"]);
        }
    }

    #[test]
    fn what_is_no_single_database_is_refused_with_what_is_there() {
        let said = |files: &[&str], database| Dump::open(folder(files).path(), database).unwrap_err().to_string();
        assert!(said(&["a/b.bson"], None).contains("has no sessions.bson"));
        assert!(said(&["sessions.bson.gz"], None).contains("unpacked"));
        assert!(said(&["a/chunks.bson", "b/chunks.bson"], None).contains("databases a, b: name one"));
        assert!(said(&["a/chunks.bson"], Some("c")).ends_with("has no database c"));
        assert!(said(&["a/work_proofs.bson", "a/task_proofs.bson"], None).contains("two files of task_proofs"));
        let gone = Dump::open(Path::new("/nonexistent/dump"), None).unwrap_err();
        assert!(matches!(gone, ImportError::Io { .. }), "{gone}");
    }
}
