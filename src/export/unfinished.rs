//! The folder in which an export is made, beside the one that it will be: `DIR.new` while `DIR` is not whole.
//!
//! What a kill leaves there the next export to `DIR` takes over. It knows its own by a file that says so, by the names that
//! an export gives, and by whose it is; where anything else lies there, nothing is touched, and no link is followed.

use super::error::ExportError;
use lucid_storage::SCHEMAS;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

/// The file that says what the folder is. Whoever makes the export holds its lock.
const MARK: &str = "unfinished-export";

/// The export in it, which in the end gets its name.
const CONTENT: &str = "content";

/// What a collection's files end in.
const EXTENSIONS: [&str; 3] = ["bson", "metadata.json", "jsonl"];

/// Of a mode: what may be done to the folder, and by whom; and whether others than its owner may write to it.
const MODE_BITS: u32 = 0o7777;
const OTHERS_WRITE: u32 = 0o022;

/// Most entries that are looked at in what was left: more than the files of all collections in all forms.
const MAX_ENTRIES: usize = 1_000;

/// An export that has no name yet. Dropped, it goes; killed, it stays for the next one.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// The folder that it will be.
    place: PathBuf,
    /// The folder that it is in.
    folder: PathBuf,
    /// Its lock.
    mark: File,
    is_finished: bool,
}

impl Unfinished {
    /// Begins one that will be the folder `place`, which is empty or not there. What an export that was killed left is taken
    /// over.
    ///
    /// # Errors
    ///
    /// Something is at the place, or where it is made; the place cannot be given to another folder; another process makes it
    /// at this time; the file system refuses.
    pub(super) fn begin(place: &Path) -> Result<Self, ExportError> {
        let place = resolved(place)?;
        if is_empty_folder(&place)? {
            check_replaceable(&place)?;
        }
        let mut folder = place.clone().into_os_string();
        folder.push(".new");
        let folder = PathBuf::from(folder);
        make(&folder)?;
        check_own(&folder)?;
        let mark = mark(&folder)?;
        clear(&folder)?;
        let export = Self { place, folder, mark, is_finished: false };
        make(&export.content())?;
        Ok(export)
    }

    /// Where its files go.
    pub(super) fn content(&self) -> PathBuf {
        self.folder.join(CONTENT)
    }

    /// Gives it its name, durably. Where there was an empty folder, it is for whom that was.
    ///
    /// # Errors
    ///
    /// Something has come to its place meanwhile; the file system refuses.
    pub(super) fn finish(mut self) -> Result<(), ExportError> {
        let content = self.content();
        if is_empty_folder(&self.place)? {
            take_after(&self.place, &content).map_err(|source| io_error(&content, source))?;
        }
        sync(&content)?;
        fs::rename(&content, &self.place).map_err(|source| io_error(&self.place, source))?;
        self.is_finished = true;
        if let Some(parent) = self.place.parent() {
            sync(parent)?;
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What is left where this fails does no harm: the next one takes it over.
        let content = self.content();
        if self.is_finished || clear_content(&content).is_ok_and(|()| fs::remove_dir(&content).is_ok()) {
            let _ = fs::remove_file(self.folder.join(MARK));
            let _ = fs::remove_dir(&self.folder);
        }
        let _ = self.mark.unlock();
    }
}

/// That another folder can take the place of this one, which is found out now and not when all is written.
fn check_replaceable(place: &Path) -> Result<(), ExportError> {
    let of = |path: &Path| fs::metadata(path).map_err(|source| io_error(path, source));
    let refused = |why| Err(ExportError::Place { path: place.to_owned(), why });
    let Some(parent) = place.parent() else { return refused("it is the root of a file system; name a folder in it") };
    let (here, around) = (of(place)?, of(parent)?);
    if here.dev() != around.dev() {
        return refused("a file system is mounted there; name a folder in it");
    }
    if fs::metadata(".").is_ok_and(|current| (current.dev(), current.ino()) == (here.dev(), here.ino())) {
        return refused("it is the current folder, and would be another one afterwards; name a folder in it");
    }
    match here.uid() == user() || user() == 0 {
        true => Ok(()),
        false => refused("it belongs to another user; name a folder in it"),
    }
}

/// Gives a folder the owner and the mode of another one.
fn take_after(place: &Path, content: &Path) -> io::Result<()> {
    let (wanted, made) = (fs::metadata(place)?, fs::metadata(content)?);
    if wanted.uid() != made.uid() {
        chown(content, Some(wanted.uid()), None)?;
    }
    if wanted.gid() != made.gid() {
        // A group that one is not in cannot be given.
        let _ = chown(content, None, Some(wanted.gid()));
    }
    fs::set_permissions(content, fs::Permissions::from_mode(wanted.mode() & MODE_BITS))
}

/// That a folder is this user's alone to write to, and no link: anybody else could put something in the place of what is in it.
fn check_own(folder: &Path) -> Result<(), ExportError> {
    let found = folder.symlink_metadata().map_err(|source| io_error(folder, source))?;
    match found.is_dir() && found.uid() == user() && found.mode() & OTHERS_WRITE == 0 {
        true => Ok(()),
        false => Err(ExportError::NotOwn { path: folder.to_owned() }),
    }
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A path without links in it, so that what lies beside it is beside the folder itself.
fn resolved(place: &Path) -> Result<PathBuf, ExportError> {
    let fault = |source| io_error(place, source);
    if place.symlink_metadata().is_ok() {
        return fs::canonicalize(place).map_err(fault);
    }
    let Some(name) = place.file_name() else {
        return Err(ExportError::Place { path: place.to_owned(), why: "it ends with no name of a folder" });
    };
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(parent)?;
    Ok(fs::canonicalize(parent).map_err(fault)?.join(name))
}

/// Whether there is an empty folder; nothing where there is nothing.
fn is_empty_folder(place: &Path) -> Result<bool, ExportError> {
    let mut entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(ExportError::Place { path: place.to_owned(), why: "it is no folder" });
        }
        Err(source) => return Err(io_error(place, source)),
    };
    match entries.next() {
        None => Ok(true),
        Some(entry) => {
            let found = entry.map_err(|source| io_error(place, source))?.file_name().to_string_lossy().into_owned();
            Err(ExportError::NotEmpty { path: place.to_owned(), found })
        }
    }
}

/// Makes a folder, and those around it, for its owner alone. One that is there stays as it is.
pub(super) fn make(folder: &Path) -> Result<(), ExportError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| io_error(folder, source))
}

/// Takes the lock of a folder that is empty or has been marked before.
fn mark(folder: &Path) -> Result<File, ExportError> {
    let path = folder.join(MARK);
    let fault = |source| io_error(&path, source);
    let is_marked = path.try_exists().map_err(fault)?;
    if !is_marked {
        is_empty_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    let file = options.open(&path).map_err(fault)?;
    let in_use = || ExportError::InUse { path: folder.to_owned() };
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => in_use(),
        TryLockError::Error(source) => fault(source),
    })?;
    // The one that has the name now may be another's, who came between.
    let (this, named) = (file.metadata().map_err(fault)?, fs::metadata(&path));
    match named.is_ok_and(|named| (named.dev(), named.ino()) == (this.dev(), this.ino())) {
        true => Ok(file),
        false => Err(in_use()),
    }
}

/// Removes what an export left. Nothing is removed before all of it is known as an export's.
fn clear(folder: &Path) -> Result<(), ExportError> {
    for name in names(folder)? {
        if name != MARK && name != CONTENT {
            return Err(ExportError::Foreign { path: folder.to_owned(), found: name });
        }
    }
    let content = folder.join(CONTENT);
    match content.symlink_metadata() {
        Ok(found) if !found.is_dir() => {
            Err(ExportError::Foreign { path: folder.to_owned(), found: CONTENT.to_owned() })
        }
        Ok(_) => {
            clear_content(&content)?;
            fs::remove_dir(&content).map_err(|source| io_error(&content, source))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io_error(&content, source)),
    }
}

/// Empties the folder of an export.
fn clear_content(content: &Path) -> Result<(), ExportError> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for name in names(content)? {
        let path = content.join(&name);
        if is_ours(&path, &name)? {
            files.push(path);
            continue;
        }
        let kind = path.symlink_metadata().map_err(|source| io_error(&path, source))?;
        if !kind.is_dir() {
            return Err(ExportError::Foreign { path: content.to_owned(), found: name });
        }
        for name in names(&path)? {
            let inner = path.join(&name);
            if !is_ours(&inner, &name)? {
                return Err(ExportError::Foreign { path, found: name });
            }
            files.push(inner);
        }
        folders.push(path);
    }
    for file in files {
        fs::remove_file(&file).map_err(|source| io_error(&file, source))?;
    }
    for folder in folders {
        fs::remove_dir(&folder).map_err(|source| io_error(&folder, source))?;
    }
    Ok(())
}

/// Whether it is a file with a name that an export gives.
fn is_ours(path: &Path, name: &str) -> Result<bool, ExportError> {
    let kind = path.symlink_metadata().map_err(|source| io_error(path, source))?;
    let is_named = name.split_once('.').is_some_and(|(collection, extension)| {
        EXTENSIONS.contains(&extension) && SCHEMAS.iter().any(|schema| schema.def.name == collection)
    });
    Ok(kind.is_file() && is_named)
}

fn names(folder: &Path) -> Result<Vec<String>, ExportError> {
    let fault = |source| io_error(folder, source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        if names.len() >= MAX_ENTRIES {
            return Err(fault(io::Error::other(format!("more than {MAX_ENTRIES} entries"))));
        }
        names.push(entry.map_err(fault)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Makes the names in a folder durable.
pub(super) fn sync(folder: &Path) -> Result<(), ExportError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| io_error(folder, source))
}

pub(super) fn io_error(path: &Path, source: io::Error) -> ExportError {
    ExportError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{mem, os::unix::fs::PermissionsExt};

    /// What a kill leaves: nothing is tidied up, and the lock goes with the process.
    fn kill(export: Unfinished) {
        export.mark.unlock().unwrap();
        mem::forget(export);
    }

    #[test]
    fn what_a_kill_leaves_is_taken_over_and_the_place_is_whole_or_not_there() {
        let around = tempfile::tempdir().unwrap();
        let place = around.path().join("dump");
        for form in ["jsonl", "bson", "jsonl"] {
            let export = Unfinished::begin(&place).unwrap();
            assert!(names(&export.content()).unwrap().is_empty(), "what was left is gone");
            let inner = export.content().join("lucid");
            make(&inner).unwrap();
            fs::write(inner.join("chunks.bson"), form).unwrap();
            fs::write(inner.join("chunks.metadata.json"), form).unwrap();
            fs::write(export.content().join(format!("sessions.{form}")), form).unwrap();
            assert!(!place.exists());
            kill(export);
        }
        let export = Unfinished::begin(&place).unwrap();
        fs::write(export.content().join("sessions.jsonl"), "whole").unwrap();
        export.finish().unwrap();
        assert_eq!(names(around.path()).unwrap(), ["dump"]);
        assert_eq!(names(&place).unwrap(), ["sessions.jsonl"]);
        assert!(matches!(Unfinished::begin(&place), Err(ExportError::NotEmpty { .. })));
    }

    #[test]
    fn one_that_fails_or_is_killed_leaves_the_place_as_it_was() {
        let around = tempfile::tempdir().unwrap();
        let place = around.path().join("dump");
        drop(Unfinished::begin(&place).unwrap());
        assert!(names(around.path()).unwrap().is_empty());
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o2750)).unwrap();
        for is_killed in [false, true] {
            let export = Unfinished::begin(&place).unwrap();
            fs::write(export.content().join("sessions.jsonl"), "half").unwrap();
            if is_killed {
                kill(export)
            } else {
                drop(export)
            }
            assert_eq!(names(&place).unwrap().len(), 0);
        }
        Unfinished::begin(&place).unwrap().finish().unwrap();
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & MODE_BITS, 0o2750);
        assert_eq!(names(around.path()).unwrap(), ["dump"]);
    }

    #[test]
    fn what_cannot_become_an_export_is_refused_before_anything_is_written() {
        let around = tempfile::tempdir().unwrap();
        let file = around.path().join("file");
        fs::write(&file, "mine").unwrap();
        let nameless = around.path().join("none/..");
        for place in [&file, &nameless] {
            assert!(matches!(Unfinished::begin(place), Err(ExportError::Place { .. })), "{}", place.display());
        }
        let here = fs::canonicalize(".").unwrap();
        for (place, why) in
            [(Path::new("/"), "the root"), (Path::new("/proc"), "mounted"), (&here, "the current folder")]
        {
            let refused = check_replaceable(place).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(names(around.path()).unwrap(), ["file"]);
    }

    /// Whoever could put something into the folder could have an export remove what is elsewhere.
    #[test]
    fn no_link_is_followed_to_what_is_removed() {
        let around = tempfile::tempdir().unwrap();
        let (whole, place, beside) =
            (around.path().join("whole"), around.path().join("dump"), around.path().join("dump.new"));
        fs::create_dir(&whole).unwrap();
        fs::write(whole.join("sessions.jsonl"), "mine").unwrap();
        let link = |to: &Path, at: &Path| std::os::unix::fs::symlink(to, at).unwrap();
        kill(Unfinished::begin(&place).unwrap());
        fs::remove_dir(beside.join(CONTENT)).unwrap();
        link(&whole, &beside.join(CONTENT));
        assert!(matches!(Unfinished::begin(&place), Err(ExportError::Foreign { .. })));
        fs::remove_file(beside.join(CONTENT)).unwrap();
        fs::remove_file(beside.join(MARK)).unwrap();
        link(&whole.join("sessions.jsonl"), &beside.join(MARK));
        assert!(Unfinished::begin(&place).is_err());
        fs::remove_dir_all(&beside).unwrap();
        fs::create_dir(&beside).unwrap();
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Unfinished::begin(&place), Err(ExportError::NotOwn { .. })));
        fs::remove_dir(&beside).unwrap();
        link(&whole, &beside);
        assert!(matches!(Unfinished::begin(&place), Err(ExportError::NotOwn { .. })));
        assert_eq!(fs::read(whole.join("sessions.jsonl")).unwrap(), b"mine");
    }

    #[test]
    fn nothing_of_anybody_else_is_removed() {
        let around = tempfile::tempdir().unwrap();
        let (place, beside) = (around.path().join("dump"), around.path().join("dump.new"));
        // A folder of that name which no export has made.
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("sessions.jsonl"), "mine").unwrap();
        assert!(matches!(Unfinished::begin(&place), Err(ExportError::NotEmpty { .. })));
        assert_eq!(names(&beside).unwrap(), ["sessions.jsonl"]);
        fs::remove_dir_all(&beside).unwrap();
        // Something that came into what was left.
        for foreign in ["letter", "content/letter", "content/lucid/letter", "content/lucid/users.bson", "content/a/b/c"]
        {
            let export = Unfinished::begin(&place).unwrap();
            fs::write(export.content().join("sessions.jsonl"), "half").unwrap();
            kill(export);
            let path = beside.join(foreign);
            make(path.parent().unwrap()).unwrap();
            fs::write(&path, "mine").unwrap();
            let refused = Unfinished::begin(&place).unwrap_err().to_string();
            assert!(refused.contains(" is in it"), "{refused}");
            assert!(path.exists() && beside.join("content/sessions.jsonl").exists(), "{foreign}");
            fs::remove_dir_all(&beside).unwrap();
        }
    }

    #[test]
    fn two_at_once_do_not_make_one_export() {
        let around = tempfile::tempdir().unwrap();
        let place = around.path().join("dump");
        let one = Unfinished::begin(&place).unwrap();
        assert!(matches!(Unfinished::begin(&place), Err(ExportError::InUse { .. })));
        one.finish().unwrap();
    }

    #[test]
    fn what_comes_to_the_place_meanwhile_stays() {
        let around = tempfile::tempdir().unwrap();
        let place = around.path().join("dump");
        let export = Unfinished::begin(&place).unwrap();
        fs::create_dir(&place).unwrap();
        fs::write(place.join("letter"), "mine").unwrap();
        assert!(export.finish().is_err());
        assert_eq!(names(&place).unwrap(), ["letter"]);
    }

    #[test]
    fn a_link_leads_to_the_folder_and_stays() {
        let around = tempfile::tempdir().unwrap();
        let (place, link) = (around.path().join("dump"), around.path().join("link"));
        fs::create_dir(&place).unwrap();
        std::os::unix::fs::symlink(&place, &link).unwrap();
        Unfinished::begin(&link).unwrap().finish().unwrap();
        assert!(link.is_symlink() && place.is_dir() && names(around.path()).unwrap().len() == 2);
    }
}
