//! A folder of recordings that is watched: each is anchored once it is finished, and never twice.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "clippy knows that a test may panic, and not that what tests share may"
)]

use crate::support::{DevNode, fast_chain, lucid_node, run, text};
use lucid_node::anchoring::{ChunkFolder, MerkleTree};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::{fs::MetadataExt, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long anything may take before a test gives up, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const NAMED: &str = "5e551011-0000-4000-8000-000000000001";

/// A recording of `chunks` small chunks that no other has, without `.done`.
fn record(dir: &Path, name: &str, chunks: usize) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(&folder).unwrap();
    for index in 0..chunks {
        fs::write(folder.join(format!("chunk-{index}")), format!("{name} {index} ").repeat(100)).unwrap();
    }
    folder
}

fn done(folder: &Path) {
    fs::write(folder.join(".done"), "").unwrap();
}

/// A recording that is finished.
fn finished(dir: &Path, name: &str) -> PathBuf {
    let folder = record(dir, name, 3);
    done(&folder);
    folder
}

/// What is noted of a recording.
fn note(folder: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(folder.join(".lucid-anchored.json")).ok()?).ok()
}

fn is_anchored(folder: &Path) -> bool {
    note(folder).is_some()
}

/// The root over what a folder holds now.
fn root_of(folder: &Path) -> String {
    let chunks = ChunkFolder::open(folder).unwrap().read(|_| {}).unwrap();
    MerkleTree::new(chunks.iter().map(|chunk| chunk.digest.blake3).collect()).unwrap().root().to_string()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not come");
        thread::sleep(Duration::from_millis(20));
    }
}

fn watch_command(dir: &Path, url: &str, more: &[&str]) -> Command {
    let mut command = lucid_node();
    command
        .args(["session", "watch", dir.to_str().unwrap(), "--rpc", url, "--json", "--interval-secs", "1"])
        .args(more);
    command
}

/// A running watch. It is killed when dropped.
struct Watch {
    child: Child,
    events: Receiver<Value>,
}

impl Watch {
    fn start(dir: &Path, url: &str, more: &[&str]) -> Self {
        let mut child = watch_command(dir, url, more).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, events) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, events }
    }

    /// Waits for an event of this kind; gives it.
    fn told(&self, event: &str) -> Value {
        loop {
            let news = self.events.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{event} is not told"));
            if news["event"] == event {
                return news;
            }
        }
    }

    /// What was told and not asked for yet.
    fn rest(&self) -> Vec<Value> {
        self.events.try_iter().collect()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM; gives the exit code and how long it took.
    fn terminate(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        (status.code(), begun.elapsed())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `--once`: exit code, events, and what was said besides.
fn once(dir: &Path, url: &str, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let output = watch_command(dir, url, &[&["--once"], more].concat()).output().unwrap();
    let events = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code(), events, text(&output.stderr))
}

/// Transactions in all blocks.
fn transactions(node: &DevNode) -> u64 {
    let number = |value: Value| u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let head = number(node.request("eth_blockNumber", ()));
    let count = |height| number(node.request("eth_getBlockTransactionCountByNumber", (format!("{height:#x}"),)));
    (0..=head).map(count).sum()
}

fn session_count(node: &DevNode) -> usize {
    node.request("lucid_listSessions", ())["sessions"].as_array().unwrap().len()
}

#[test]
fn a_recording_is_anchored_once_its_recorder_says_that_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let (named, other) = (record(dir.path(), NAMED, 3), record(dir.path(), "evening", 2));
    fs::write(other.join(".meta.json"), r#"{"codec": "h264", "startedAt": 1767225600}"#).unwrap();
    let watch = Watch::start(dir.path(), node.url(), &["--quiet-secs", "0"]);
    thread::sleep(Duration::from_millis(2_500));
    assert!(!is_anchored(&named) && !is_anchored(&other), "nobody has said that they are done");
    done(&named);
    done(&other);
    until("both anchors", || is_anchored(&named) && is_anchored(&other));
    let (status, took) = watch.terminate();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");

    assert_eq!(note(&named).unwrap()["session_id"], NAMED);
    for folder in [&named, &other] {
        let note = note(folder).unwrap();
        let session = node.request("lucid_getSession", (note["session_id"].as_str(),));
        assert_eq!((&session["status"], &session["merkle_root"]), (&"confirmed".into(), &root_of(folder).into()));
        assert_eq!(session["block_number"], note["block_number"]);
    }
    let session = node.request("lucid_getSession", (note(&other).unwrap()["session_id"].as_str(),));
    assert_eq!(session["started_at"], 1_767_225_600);
    assert_eq!(session_count(&node), 2);
}

#[test]
fn a_recording_without_a_word_is_anchored_when_it_was_left_alone_for_the_quiet_time() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let watch = Watch::start(dir.path(), node.url(), &["--quiet-secs", "2"]);
    let folder = record(dir.path(), "quiet", 1);
    fs::create_dir(dir.path().join("empty")).unwrap();
    for index in 1..8 {
        thread::sleep(Duration::from_millis(500));
        fs::write(folder.join(format!("chunk-{index}")), [1]).unwrap();
        assert!(!is_anchored(&folder), "it still changes");
    }
    assert_eq!(watch.told("anchored")["merkle_root"], root_of(&folder));
    assert_eq!(note(&folder).unwrap()["chunk_count"], 8);
    // It went on after all: what came is not anchored, and somebody is told.
    fs::write(folder.join("chunk-8"), [1]).unwrap();
    let status = run(&["session", "watch", dir.path().to_str().unwrap(), "--rpc", node.url(), "--status", "--json"]);
    assert_eq!(status.status.code(), Some(65));
    assert!(text(&status.stdout).contains(r#""folder":"quiet","state":"changed""#), "{}", text(&status.stdout));
    drop(watch);
    let watch = Watch::start(dir.path(), node.url(), &["--quiet-secs", "2"]);
    assert_eq!(watch.told("changed")["folder"], "quiet");
    assert_eq!(session_count(&node), 1);
}

#[test]
fn a_folder_that_changes_while_it_is_read_is_not_anchored_with_half_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let folder = record(dir.path(), "busy", 2);
    // Long enough to read for something to happen meanwhile; there is nothing of it on the disk.
    File::create(folder.join("chunk-2")).unwrap().set_len(200 << 20).unwrap();
    done(&folder);
    let watch = Watch::start(dir.path(), node.url(), &[]);
    let begun = Instant::now();
    let mut growing = File::options().append(true).open(folder.join("chunk-0")).unwrap();
    while begun.elapsed() < Duration::from_secs(4) {
        growing.write_all(b"more").unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    let refused = watch.told("refused");
    assert!(refused["reason"].as_str().unwrap().contains("changed while it was read"), "{refused}");
    assert!(!is_anchored(&folder));
    fs::write(folder.join("chunk-3"), "the last").unwrap();
    assert_eq!(watch.told("anchored")["merkle_root"], root_of(&folder));
    assert_eq!(session_count(&node), 1);
}

/// A sequence of numbers that looks random and can be had again (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn a_watch_that_is_killed_again_and_again_anchors_each_recording_once() {
    const RECORDINGS: usize = 40;
    let (dir, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = DevNode::start();
    let mut seed = std::env::var("LUCID_KILL_SEED").ok().map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
        |seed| seed.parse().unwrap(),
    );
    println!("LUCID_KILL_SEED={seed}");
    // Half of them are named by an id of a session, as a recorder would.
    let name = |index: usize| {
        if index.is_multiple_of(2) { format!("r{index}") } else { format!("5e551011-0000-4000-8000-{index:012}") }
    };
    let folders: Vec<PathBuf> = (0..RECORDINGS).map(|index| finished(dir.path(), &name(index))).collect();
    let in_state = ["--state-dir", state.path().to_str().unwrap()];
    let notes = || fs::read_dir(state.path()).unwrap().filter(|entry| is_note(entry.as_ref().unwrap())).count();
    let mut kills = 0;
    while notes() < RECORDINGS {
        let watch = Watch::start(dir.path(), node.url(), &in_state);
        // Later and later, for a machine on which starting takes longer than that.
        thread::sleep(Duration::from_millis(20 + next(&mut seed) % (400 + 10 * kills)));
        watch.kill();
        kills += 1;
        assert!(kills < 300, "{} of {RECORDINGS} after {kills} kills", notes());
    }
    println!("{kills} kills");
    let (code, events, said) = once(dir.path(), node.url(), &in_state);
    assert_eq!((code, events.len()), (Some(0), 0), "{said}");
    assert_eq!(session_count(&node), RECORDINGS);
    // A registration and the metadata of its chunks.
    assert_eq!(transactions(&node), 2 * RECORDINGS as u64);
    assert!(folders.iter().all(|folder| fs::read_dir(folder).unwrap().count() == 4), "nothing was written into them");

    // Even where all that was noted is lost, and the recordings have other names.
    fs::remove_dir_all(state.path()).unwrap();
    for (index, folder) in folders.iter().enumerate().filter(|(index, _)| index.is_multiple_of(2)) {
        fs::rename(folder, dir.path().join(format!("renamed{index}"))).unwrap();
    }
    let (code, events, said) = once(dir.path(), node.url(), &in_state);
    assert_eq!(code, Some(0), "{said}");
    assert!(events.len() == RECORDINGS && events.iter().all(|event| event["event"] == "anchored"), "{events:?}");
    assert_eq!(transactions(&node), 2 * RECORDINGS as u64);
}

fn is_note(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_str().unwrap().ends_with(".anchored.json")
}

/// A node on this port.
fn node_at(datadir: &Path, port: &str, more: &[&str]) -> DevNode {
    let mut command = lucid_node();
    command.args(["dev", "--datadir", datadir.to_str().unwrap(), "--port", port]).args(more);
    DevNode::spawn(command)
}

#[test]
fn a_watch_waits_for_a_node_that_is_down_and_goes_on_when_it_is_back() {
    let (dir, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = node_at(data.path(), "0", &[]);
    let (url, port) = (node.url().to_owned(), node.addr().port().to_string());
    let first = finished(dir.path(), "first");
    let watch = Watch::start(dir.path(), &url, &[]);
    until("the first anchor", || is_anchored(&first));
    watch.told("anchored");
    node.kill();
    let second = finished(dir.path(), "second");
    let waits = watch.told("waits");
    assert!(waits["reason"].as_str().unwrap().contains("cannot be reached"), "{waits}");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(watch.rest(), Vec::<Value>::new(), "told once");
    // No block for an hour: it is taken, and killed with the node.
    let node = node_at(data.path(), &port, &["--block-time", "3600"]);
    watch.told("accepted");
    node.kill();
    watch.told("waits");
    assert!(!is_anchored(&second));
    let node = node_at(data.path(), &port, &[]);
    until("the second anchor", || is_anchored(&second));
    assert_eq!((session_count(&node), transactions(&node)), (2, 4));
}

#[test]
fn what_a_node_has_lost_is_anchored_again_and_what_is_on_another_chain_is_left_alone() {
    let (dir, data, before) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders: Vec<PathBuf> = ["a", "b", NAMED].iter().map(|name| finished(dir.path(), name)).collect();
    node_at(data.path(), "0", &[]).kill();
    let copied = Command::new("cp").arg("-a").arg(data.path().join(".")).arg(before.path()).status().unwrap();
    assert!(copied.success());
    let node = node_at(data.path(), "0", &[]);
    assert_eq!(once(dir.path(), node.url(), &[]).0, Some(0));
    assert!(folders.iter().all(|folder| is_anchored(folder)));
    node.kill();

    let other = DevNode::start();
    let watch = Watch::start(dir.path(), other.url(), &[]);
    let note = watch.told("other_chain")["note"].as_str().unwrap().to_owned();
    assert!(Path::new(&note).is_file(), "{note}");
    let status = run(&["session", "watch", path(dir.path()), "--rpc", other.url(), "--status"]);
    let said = text(&status.stdout);
    assert!(said.contains("0 anchored") && said.contains("3 on another chain"), "{said}");
    assert_eq!(status.status.code(), Some(0), "{said}");
    let unnamed = run(&["session", "watch", "", "--rpc", other.url()]);
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(text(&unnamed.stderr).contains("RECORDINGS"), "{}", text(&unnamed.stderr));
    thread::sleep(Duration::from_secs(2));
    assert_eq!((watch.rest(), session_count(&other)), (vec![], 0));
    watch.kill();

    // The same chain as it was before, like a backup that was put back.
    let node = node_at(before.path(), "0", &[]);
    let watch = Watch::start(dir.path(), node.url(), &[]);
    for _ in 0..3 {
        watch.told("anchored");
    }
    assert_eq!(session_count(&node), 3);
}

/// A backup was put back while the watch was idle: it asks now and then, and so finds what is gone.
#[test]
fn a_watch_with_nothing_to_do_notices_that_the_node_was_put_back() {
    let (dir, data, before) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    node_at(data.path(), "0", &[]).kill();
    let copied = Command::new("cp").arg("-a").arg(data.path().join(".")).arg(before.path()).status().unwrap();
    assert!(copied.success());
    let node = node_at(data.path(), "0", &[]);
    let port = node.addr().port().to_string();
    finished(dir.path(), "a");
    let watch = Watch::start(dir.path(), node.url(), &[]);
    watch.told("anchored");
    thread::sleep(Duration::from_secs(8));
    node.kill();
    let node = node_at(before.path(), &port, &[]);
    assert_eq!(session_count(&node), 0);
    watch.told("again");
    watch.told("anchored");
    assert_eq!(session_count(&node), 1);
}

#[test]
fn bad_recordings_are_told_once_and_do_not_hold_up_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let session =
        run(&["session", "anchor", "--rpc", node.url(), "--session-id", NAMED, path(&record(dir.path(), "x", 1))]);
    assert!(session.status.success(), "{}", text(&session.stderr));
    fs::create_dir_all(finished(dir.path(), "a-subfolder").join("inner")).unwrap();
    File::create(finished(dir.path(), "b-empty-chunk").join("chunk-9")).unwrap();
    done(&record(dir.path(), "c-no-chunks", 0));
    fs::write(finished(dir.path(), "d-bad-meta").join(".meta.json"), r#"{"codeck": "h264"}"#).unwrap();
    finished(dir.path(), NAMED);
    let many = record(dir.path(), "e-many", 0);
    for index in 0..=16_384 {
        fs::write(many.join(index.to_string()), [1]).unwrap();
    }
    done(&many);
    let good = finished(dir.path(), "z-good");
    let expected = ["a-subfolder", "b-empty-chunk", "c-no-chunks", "d-bad-meta", "e-many", NAMED];

    let watch = Watch::start(dir.path(), node.url(), &["--quiet-secs", "0"]);
    until("the good one's anchor", || is_anchored(&good));
    thread::sleep(Duration::from_secs(3));
    let told = watch.rest();
    let mut refused: Vec<&str> =
        told.iter().filter(|news| news["event"] == "refused").map(|news| news["folder"].as_str().unwrap()).collect();
    refused.sort_unstable();
    assert_eq!(refused, [NAMED, "a-subfolder", "b-empty-chunk", "c-no-chunks", "d-bad-meta", "e-many"], "{told:?}");
    let reason = |name: &str| told.iter().find(|news| news["folder"] == name).unwrap()["reason"].to_string();
    for (name, word) in
        expected.iter().zip(["is a folder", "is empty", "no chunk", "codec", "16384", "another Merkle root"])
    {
        assert!(reason(name).contains(word), "{name}: {}", reason(name));
    }
    // What is put right is anchored, and what gets another fault is told.
    fs::remove_dir(dir.path().join("a-subfolder/inner")).unwrap();
    assert_eq!(watch.told("anchored")["folder"], "a-subfolder");
    fs::create_dir(dir.path().join("b-empty-chunk/inner")).unwrap();
    fs::remove_file(dir.path().join("b-empty-chunk/chunk-9")).unwrap();
    assert_eq!(watch.told("refused")["folder"], "b-empty-chunk");
    assert_eq!(watch.terminate().0, Some(0));

    let status = run(&["session", "watch", path(dir.path()), "--rpc", node.url(), "--quiet-secs", "0", "--status"]);
    assert_eq!(status.status.code(), Some(65));
    let said = text(&status.stdout);
    assert!(said.contains(&format!("{NAMED}: not anchored: the session")), "{said}");
    assert!(said.contains("x: not finished: there is no .done"), "{said}");
    assert!(said.contains("2 anchored, 1 waiting, 1 not finished, 4 not to be anchored"), "{said}");
    let (code, events, _) = once(dir.path(), node.url(), &["--quiet-secs", "0"]);
    assert_eq!((code, events.len()), (Some(65), 5), "{events:?}");
    assert_eq!(session_count(&node), 3);
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_watch_that_works_once_says_with_its_code_how_that_went() {
    let (dir, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    finished(dir.path(), "one");
    let (code, _, said) = once(dir.path(), "http://127.0.0.1:1", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("Is it running?"), "{said}");
    assert_eq!(once(&dir.path().join("missing"), "http://127.0.0.1:1", &[]).0, Some(66));
    assert_eq!(once(dir.path(), "http://127.0.0.1:1", &["--token-file", "/missing"]).0, Some(66));
    assert_eq!(once(dir.path(), "127.0.0.1:1", &[]).0, Some(2));

    fast_chain(data.path());
    let solo = DevNode::run_in(data.path(), &["--no-init", "--accept-clock"]);
    let (code, _, said) = once(dir.path(), solo.url(), &[]);
    assert_eq!(code, Some(77), "{said}");
    let token = data.path().join("tokens/anchor");
    let (code, events, said) = once(dir.path(), solo.url(), &["--token-file", path(&token)]);
    assert_eq!((code, events.len()), (Some(0), 2), "{said}");

    // Each of them would keep the other out, so the first has to be at work before the second is started.
    finished(dir.path(), "two");
    let running = Watch::start(dir.path(), solo.url(), &["--token-file", path(&token)]);
    running.told("accepted");
    assert_eq!(once(dir.path(), solo.url(), &["--token-file", path(&token)]).0, Some(69));
    drop(running);
    assert_eq!(once(dir.path(), solo.url(), &["--token-file", path(&token)]).0, Some(0));
}

#[test]
fn sigterm_ends_a_watch_at_once_in_the_midst_of_a_long_recording() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let folder = record(dir.path(), "long", 0);
    for index in 0..16 {
        File::create(folder.join(index.to_string())).unwrap().set_len(1 << 30).unwrap();
    }
    done(&folder);
    let watch = Watch::start(dir.path(), node.url(), &[]);
    until("what is made before it is read", || folder.join(".lucid-new").exists());
    thread::sleep(Duration::from_millis(500));
    let (status, took) = watch.terminate();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!is_anchored(&folder));
    assert_eq!(session_count(&node), 0);
}

#[test]
fn a_watch_with_nothing_to_do_reads_no_recording_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let folders: Vec<PathBuf> = (0..100).map(|index| finished(dir.path(), &format!("r{index}"))).collect();
    for folder in &folders {
        fs::write(folder.join("large"), folder.to_str().unwrap().repeat(1_000)).unwrap();
    }
    assert_eq!(once(dir.path(), node.url(), &[]).0, Some(0));
    let head = node.request("eth_blockNumber", ());
    // That a note was read would be written to the disk too.
    let note_read = |folder: &PathBuf| {
        let file = folder.join(".lucid-anchored.json").metadata().unwrap();
        (file.atime(), file.atime_nsec())
    };
    let changes = || -> Vec<(i64, i64)> {
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        let changed = |path: &Path| path.metadata().map(|file| (file.ctime(), file.ctime_nsec())).unwrap();
        files.chain(folders.clone()).map(|path| changed(&path)).chain(folders.iter().map(note_read)).collect()
    };
    let before = changes();
    let watch = Watch::start(dir.path(), node.url(), &[]);
    thread::sleep(Duration::from_secs(3));
    let read = || {
        let text = fs::read_to_string(format!("/proc/{}/io", watch.child.id())).unwrap();
        text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse::<u64>().unwrap()
    };
    let read_before = read();
    thread::sleep(Duration::from_secs(7));
    // A round through all of them falls into this: notes and answers of the node, some hundred bytes each.
    let bytes = read() - read_before;
    assert!(bytes < 1_000_000, "{bytes} bytes were read, and the recordings have three times as many");
    assert_eq!(changes(), before);
    assert!(watch.rest().is_empty());
    assert_eq!(node.request("eth_blockNumber", ()), head);
}

#[test]
fn the_service_manager_hears_that_the_watch_is_ready_lives_and_what_it_is_at() {
    let dir = tempfile::tempdir().unwrap();
    let node = DevNode::start();
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let folder = finished(dir.path(), "one");
    let mut command = watch_command(dir.path(), node.url(), &[]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "500000").stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let until = |wanted: &str| {
        let mut buffer = [0; 512];
        for _ in 0..100 {
            let len = manager.recv(&mut buffer).unwrap();
            if String::from_utf8_lossy(&buffer[..len]).starts_with(wanted) {
                return;
            }
        }
        panic!("{wanted} is not told");
    };
    until("READY=1");
    until("WATCHDOG=1");
    until("STATUS=1 anchored, 0 with the node, 0 to be anchored, 0 not finished, 0 refused");
    assert!(is_anchored(&folder));
    until("WATCHDOG=1");
    node.kill();
    finished(dir.path(), "two");
    until("STATUS=1 anchored, 0 with the node, 1 to be anchored, 0 not finished, 0 refused; waiting: the node at");
    until("WATCHDOG=1");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    until("STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
