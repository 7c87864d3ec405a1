//! A file of BSON documents one after the other, as `mongodump` writes it. One document is in memory at a time.

use super::error::ImportError;
use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Fewest bytes of a document: its length, and what ends it.
const MIN_DOCUMENT_BYTES: usize = 5;

/// Most bytes of a document: what MongoDB stores, and what its servers add to it.
pub(super) const MAX_DOCUMENT_BYTES: usize = (16 << 20) + (16 << 10);

/// A file of documents that is being read.
#[derive(Debug)]
pub struct BsonFile {
    path: PathBuf,
    file: BufReader<File>,
    offset: u64,
    document: Vec<u8>,
}

impl BsonFile {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let file = File::open(path).map_err(|source| ImportError::Io { path: path.to_owned(), source })?;
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Self { path: path.to_owned(), file, offset: 0, document: Vec::new() })
    }

    /// Bytes that were read.
    pub const fn read_bytes(&self) -> u64 {
        self.offset
    }

    /// The next document, with the byte at which it begins; `None` at the end.
    ///
    /// # Errors
    ///
    /// What follows is no document; the file system refuses.
    pub fn next_document(&mut self) -> Result<Option<(u64, &[u8])>, ImportError> {
        let mut length = [0; 4];
        let begun = self.fill(&mut length)?;
        if begun == 0 {
            return Ok(None);
        }
        if begun < length.len() {
            return Err(self.damaged(format!("it ends within a document's length, after {begun} bytes")));
        }
        let bytes = i32::from_le_bytes(length);
        let bytes = match usize::try_from(bytes) {
            Ok(bytes) if (MIN_DOCUMENT_BYTES..=MAX_DOCUMENT_BYTES).contains(&bytes) => bytes,
            _ => {
                let what =
                    format!("a document has {MIN_DOCUMENT_BYTES} to {MAX_DOCUMENT_BYTES} bytes, and not {bytes}");
                return Err(self.damaged(what));
            }
        };
        // Room is made as bytes come: a length that lies takes no memory.
        self.document.clear();
        self.document.extend_from_slice(&length);
        let rest = (bytes - length.len()) as u64;
        let read = self.file.by_ref().take(rest).read_to_end(&mut self.document);
        read.map_err(|source| ImportError::Io { path: self.path.clone(), source })?;
        if self.document.len() < bytes {
            return Err(self.damaged(format!("a document of {bytes} bytes ends after {}", self.document.len())));
        }
        if self.document.last() != Some(&0) {
            return Err(self.damaged(format!("a document of {bytes} bytes does not end there")));
        }
        let at = self.offset;
        self.offset += bytes as u64;
        Ok(Some((at, &self.document)))
    }

    /// Reads as much as there is.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ImportError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ImportError::Io { path: self.path.clone(), source }),
            }
        }
        Ok(filled)
    }

    fn damaged(&self, what: String) -> ImportError {
        ImportError::Damaged { path: self.path.clone(), offset: self.offset, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;
    use std::fs;

    /// The documents' beginnings, and what ended the file.
    fn read(bytes: &[u8]) -> (Vec<u64>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chunks.bson");
        fs::write(&path, bytes).unwrap();
        let (mut file, mut offsets) = (BsonFile::open(&path).unwrap(), Vec::new());
        loop {
            match file.next_document() {
                Ok(Some((offset, document))) => {
                    assert_eq!(document, &bytes[usize::try_from(offset).unwrap()..][..document.len()]);
                    offsets.push(offset);
                }
                Ok(None) => return (offsets, None),
                Err(error) => return (offsets, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_says_where_and_gives_what_stands_before() {
        let document = rawdoc! { "a": 1 }.into_bytes();
        let (len, bytes) = (document.len(), document.repeat(3));
        assert_eq!(read(&[]), (vec![], None));
        for cut in 0..=bytes.len() {
            let (offsets, fault) = read(&bytes[..cut]);
            assert_eq!(offsets, (0..cut / len).map(|place| (place * len) as u64).collect::<Vec<_>>());
            match cut % len {
                0 => assert_eq!(fault, None),
                _ => assert!(fault.unwrap().contains(&format!("at byte {}", cut / len * len)), "cut at {cut}"),
            }
        }
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        let document = rawdoc! { "a": 1 }.into_bytes();
        for (length, said) in [
            (i32::MAX, "and not 2147483647"),
            (-1, "and not -1"),
            (4, "and not 4"),
            (13, "does not end there"),
            (1 << 24, "ends after"),
        ] {
            let mut bytes = document.repeat(2);
            bytes[document.len()..][..4].copy_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&[1; 9]);
            let (offsets, fault) = read(&bytes);
            assert_eq!(offsets, [0]);
            assert!(fault.as_ref().unwrap().contains(said), "{length}: {fault:?}");
        }
    }
}
