use super::*;
use proptest::prelude::*;
use std::{fs::OpenOptions, io::Write};

/// A folder with files of the given names, each holding its own name.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(folder.path().join(name), name).unwrap();
    }
    folder
}

fn names(folder: &Path) -> Vec<String> {
    ChunkFolder::open(folder).unwrap().read(|_| {}).unwrap().into_iter().map(|chunk| chunk.file_name).collect()
}

#[test]
fn the_second_chunk_comes_before_the_tenth_and_hidden_files_are_none() {
    let folder = folder(&["chunk10", "chunk2", "chunk1", "chunk02", ".DS_Store", "Chunk3", "chunk"]);
    fs::create_dir(folder.path().join(".trash")).unwrap();
    assert_eq!(names(folder.path()), ["Chunk3", "chunk", "chunk1", "chunk02", "chunk2", "chunk10"]);
}

#[test]
fn names_without_a_last_number_have_an_order_too() {
    let folder =
        folder(&["s1-10.bin", "s1-9.bin", "s01-9.bin", "s10-1.bin", "s2.bin", "00000000000000000000000000001"]);
    let order = ["00000000000000000000000000001", "s01-9.bin", "s1-9.bin", "s1-10.bin", "s2.bin", "s10-1.bin"];
    assert_eq!(names(folder.path()), order);
}

#[test]
fn size_and_both_hashes_are_those_of_the_file() {
    let folder = folder(&["a"]);
    let long = vec![7; READ_BUFFER_BYTES * 2 + 5];
    fs::write(folder.path().join("b"), &long).unwrap();
    let mut seen = vec![];
    let listed = ChunkFolder::open(folder.path()).unwrap();
    let chunks = listed.read(|progress| seen.push(progress)).unwrap();
    assert_eq!(chunks.len(), 2);
    assert_eq!((chunks[1].index, chunks[1].digest.size_bytes), (1, long.len() as u64));
    assert_eq!(chunks[1].digest.blake3, lucid_types::blake3([&long]));
    assert_eq!(chunks[1].digest.sha256.0, <[u8; 32]>::from(Sha256::digest(&long)));
    assert_eq!(chunks[1].digest, digest_file(&folder.path().join("b")).unwrap());
    // The published digest of the one byte "a" (FIPS 180-4).
    let known = "0xca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    assert_eq!(chunks[0].digest.sha256.to_string(), known);
    let total = long.len() as u64 + 1;
    let end = Progress { files: 2, files_total: 2, bytes: total, bytes_total: total };
    assert_eq!((seen.last(), listed.total_bytes(), listed.chunk_count()), (Some(&end), total, 2));
    assert!(seen.is_sorted_by_key(|progress| (progress.bytes, progress.files)));
}

#[test]
fn any_number_of_readers_finds_the_same_chunks() {
    let names: Vec<String> = (0..50).map(|i| format!("chunk{i}")).collect();
    let folder = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let listed = ChunkFolder::open(folder.path()).unwrap();
    let alone = listed.read_with(1, |_| {}).unwrap();
    assert_eq!(alone.len(), 50);
    for readers in [0, 2, 4, 99] {
        assert_eq!(listed.read_with(readers, |_| {}).unwrap(), alone);
    }
}

#[test]
fn what_is_no_chunk_is_refused_by_path() {
    let empty = folder(&[".hidden"]);
    let error = ChunkFolder::open(empty.path()).unwrap_err();
    assert!(matches!(error, ReadError::NoChunks(_)), "{error}");

    let sub = folder(&["a"]);
    fs::create_dir(sub.path().join("inner")).unwrap();
    let error = ChunkFolder::open(sub.path()).unwrap_err();
    assert!(matches!(&error, ReadError::Subfolder(path) if path.ends_with("inner")), "{error}");

    let zero = folder(&["a"]);
    fs::write(zero.path().join("b"), "").unwrap();
    let error = ChunkFolder::open(zero.path()).unwrap_err();
    assert!(matches!(&error, ReadError::EmptyChunk(path) if path.ends_with("b")), "{error}");

    let large = folder(&["a"]);
    File::create(large.path().join("b")).unwrap().set_len(MAX_CHUNK_BYTES + 1).unwrap();
    let error = ChunkFolder::open(large.path()).unwrap_err();
    assert!(matches!(error, ReadError::ChunkTooLarge { size_bytes, .. } if size_bytes == MAX_CHUNK_BYTES + 1));
    let error = digest_file(&large.path().join("b")).unwrap_err();
    assert!(matches!(error, ReadError::ChunkTooLarge { .. }), "{error}");

    let error = ChunkFolder::open(&empty.path().join("missing")).unwrap_err();
    assert!(matches!(error, ReadError::Io { .. }) && error.to_string().contains("missing"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_and_names_that_are_no_text_are_refused() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let linked = folder(&["a"]);
    symlink(linked.path().join("a"), linked.path().join("b")).unwrap();
    let error = ChunkFolder::open(linked.path()).unwrap_err();
    assert!(matches!(&error, ReadError::NotAFile(path) if path.ends_with("b")), "{error}");

    let socket = folder(&["a"]);
    let _listener = std::os::unix::net::UnixListener::bind(socket.path().join("s")).unwrap();
    assert!(matches!(ChunkFolder::open(socket.path()).unwrap_err(), ReadError::NotAFile(_)));

    let odd = folder(&["a"]);
    let name = std::ffi::OsStr::from_bytes(b"chunk\xff");
    fs::write(odd.path().join(name), "x").unwrap();
    assert!(matches!(ChunkFolder::open(odd.path()).unwrap_err(), ReadError::NotUtf8(_)));
}

#[test]
fn a_listing_ends_at_the_most_chunks_a_session_may_have() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..=MAX_CHUNKS {
        fs::write(folder.path().join(index.to_string()), [1]).unwrap();
    }
    assert!(matches!(ChunkFolder::open(folder.path()).unwrap_err(), ReadError::TooManyChunks(_)));
    fs::remove_file(folder.path().join("7")).unwrap();
    assert_eq!(ChunkFolder::open(folder.path()).unwrap().chunk_count(), MAX_CHUNKS);
}

#[test]
fn a_file_that_grows_shrinks_or_is_rewritten_is_noticed() {
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let rewrite = |path: &Path| fs::write(path, "other").unwrap();
    let shrink = |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(1).unwrap();
    let grow = |path: &Path| OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    type Change<'a> = &'a dyn Fn(&Path);
    let changes: [(Change<'_>, bool); 4] = [(&rewrite, true), (&shrink, true), (&grow, true), (&remove, false)];
    for (change, is_change) in changes {
        let folder = folder(&["chunk", "z"]);
        let path = folder.path().join("chunk");
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let listed = ChunkFolder::open(folder.path()).unwrap();
        assert_eq!(listed.oldest_modified_secs(), Some(1_000_000_000));
        change(&path);
        let error = listed.read(|_| {}).unwrap_err();
        assert_eq!(matches!(&error, ReadError::Changed(changed) if changed == &path), is_change, "{error}");
    }
}

#[test]
fn a_file_that_changes_in_the_middle_of_the_pass_is_noticed() {
    let folder = folder(&["chunk"]);
    let path = folder.path().join("chunk");
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::write(&path, vec![1; 100]).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let listed = ChunkFolder::open(folder.path()).unwrap();
    let mut buffer = [0; 10];
    // Same length, other bytes: only the time of the last write tells.
    let rewrite = |_| {
        fs::write(&path, vec![2; 100]).unwrap();
        true
    };
    let error = listed.files[0].read(&mut buffer, rewrite).unwrap_err();
    assert!(matches!(error, ReadError::Changed(_)), "{error}");
}

#[test]
fn what_comes_or_changes_after_its_turn_is_noticed() {
    let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let add = |folder: &Path| fs::write(folder.join("c"), "late").unwrap();
    let remove = |folder: &Path| fs::remove_file(folder.join("a")).unwrap();
    // Same size and same time of the last write, as a program can set it.
    let rewrite = |folder: &Path| {
        fs::write(folder.join("a"), "x").unwrap();
        File::options().write(true).open(folder.join("a")).unwrap().set_modified(old).unwrap();
    };
    let nest = |folder: &Path| fs::create_dir(folder.join("inner")).unwrap();
    type Change<'a> = &'a dyn Fn(&Path);
    let changes: [Change<'_>; 4] = [&add, &remove, &rewrite, &nest];
    for change in changes {
        let folder = folder(&["a", "b"]);
        File::options().write(true).open(folder.path().join("a")).unwrap().set_modified(old).unwrap();
        let listed = ChunkFolder::open(folder.path()).unwrap();
        let mut last = |progress: Progress| {
            if progress.files == 2 {
                change(folder.path());
            }
        };
        let error = listed.read(&mut last).unwrap_err();
        assert!(matches!(&error, ReadError::Changed(path) if path == folder.path()), "{error}");
    }
}

#[test]
fn a_hash_of_the_contents_is_that_of_a_copy_and_one_of_the_stamps_is_not() {
    let one = folder(&["a", "b"]);
    // Longer than the clock of files takes for a step.
    thread::sleep(std::time::Duration::from_millis(20));
    let copy = folder(&["a", "b"]);
    let open = |folder: &tempfile::TempDir| ChunkFolder::open(folder.path()).unwrap();
    let (before, stamp) = (open(&one).contents_hash(), open(&one).stamp_hash());
    assert_eq!(before, open(&copy).contents_hash());
    assert_ne!(stamp, open(&copy).stamp_hash());
    fs::write(one.path().join(".hidden"), "no chunk").unwrap();
    assert_eq!((open(&one).contents_hash(), open(&one).stamp_hash()), (before, stamp));
    fs::write(one.path().join("b"), "longer").unwrap();
    assert_ne!(open(&one).contents_hash(), before);
    fs::rename(copy.path().join("b"), copy.path().join("c")).unwrap();
    assert_ne!(open(&copy).contents_hash(), before);
}

proptest! {
    #[test]
    fn natural_order_is_an_order(names in prop::collection::vec("[a0-2.Z]{0,6}", 3)) {
        let (a, b, c) = (&names[0], &names[1], &names[2]);
        prop_assert_eq!(natural_order(a, b), natural_order(b, a).reverse());
        prop_assert_eq!(natural_order(a, b).is_eq(), a == b);
        if natural_order(a, b).is_le() && natural_order(b, c).is_le() {
            prop_assert!(natural_order(a, c).is_le());
        }
    }

    #[test]
    fn numbers_in_names_are_ordered_as_numbers(a in any::<u64>(), b in any::<u64>(), prefix in "[a-z_-]{0,4}") {
        let (x, y) = (format!("{prefix}{a}.bin"), format!("{prefix}{b}.bin"));
        prop_assert_eq!(natural_order(&x, &y), a.cmp(&b));
    }
}
