//! What is said of single documents: a line of JSON for each in a file, or the first few that were not taken.

use crate::cli::{
    app::printable,
    exit_codes::{CANNOT_CREATE, coded},
    session::check_folder,
};
use serde_json::{Value as Json, json};
use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Documents of which it is said why they were not taken, where no report is written.
const MAX_SHOWN: u64 = 10;

/// Most letters of an `_id` that are said.
const MAX_ID_CHARS: usize = 256;

pub(super) struct Report {
    file: Option<(PathBuf, BufWriter<File>)>,
    shown: u64,
}

impl Report {
    /// Begins one, in the place of an earlier one. Payouts are named in it, so it is its owner's alone.
    pub(super) fn begin(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self { file: None, shown: 0 }) };
        check_folder(path)?;
        let open = || -> io::Result<File> {
            // What is in the way of a file is not written over, nor what is no earlier report.
            if path.symlink_metadata().is_ok_and(|there| !there.is_file()) || !is_report(path)? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            Ok(file)
        };
        let file = open().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                coded(CANNOT_CREATE, format!("{} is there already, and is no report of an import", path.display()))
            }
            _ => anyhow::Error::new(error).context(format!("cannot write {}", path.display())),
        })?;
        Ok(Self { file: Some((path.to_owned(), BufWriter::new(file))), shown: 0 })
    }

    /// Says that a document was taken, and what that changed.
    pub(super) fn taken(&mut self, collection: &str, id: &str, how: &str) -> anyhow::Result<()> {
        match self.file.is_some() {
            true => self.write(&json!({ "collection": collection, "_id": cut(id), "taken": how })),
            false => Ok(()),
        }
    }

    /// Says why a document was not taken.
    pub(super) fn not_taken(
        &mut self,
        collection: &str,
        id: Option<&str>,
        offset: Option<u64>,
        reason: &str,
    ) -> anyhow::Result<()> {
        if self.file.is_some() {
            let mut line = json!({ "collection": collection, "_id": id.map(cut), "reason": reason });
            if let (Some(offset), Some(members)) = (offset, line.as_object_mut()) {
                members.insert("offset".to_owned(), offset.into());
            }
            return self.write(&line);
        }
        self.shown += 1;
        if self.shown <= MAX_SHOWN {
            let named = match (id, offset) {
                (Some(id), _) => cut(id),
                (None, Some(offset)) => format!("the document at byte {offset}"),
                (None, None) => "a document".to_owned(),
            };
            eprintln!("{}", printable(&format!("{collection}: {named} is not taken: {reason}")));
        }
        Ok(())
    }

    fn write(&mut self, line: &Json) -> anyhow::Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let written = writeln!(file, "{line}");
        written.map_err(|error| anyhow::Error::new(error).context(format!("cannot write {}", path.display())))
    }

    /// Ends it; where there is none, with how to have one.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        if let Some((path, mut file)) = self.file {
            let synced = file.flush().and_then(|()| file.get_ref().sync_all());
            return synced
                .map_err(|error| anyhow::Error::new(error).context(format!("cannot write {}", path.display())));
        }
        if self.shown > MAX_SHOWN {
            eprintln!("and {} more; --report FILE lists all of them", self.shown - MAX_SHOWN);
        }
        Ok(())
    }
}

/// Whether nothing is there, or a file that begins as a report does.
fn is_report(path: &Path) -> io::Result<bool> {
    let mut start = [0; 1];
    match File::open(path) {
        Ok(mut file) => Ok(file.read(&mut start)? == 0 || start == *b"{"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn cut(id: &str) -> String {
    id.chars().take(MAX_ID_CHARS).collect()
}
