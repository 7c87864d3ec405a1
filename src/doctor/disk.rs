//! The disk with the data folder: what it is, how long it will do.

use super::{Finding, Machine, Problem, Subject};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

const DAY_SECS: u64 = 86_400;
const YEAR_DAYS: u64 = 365;

/// Free bytes below which a node writes nothing.
const RESERVE_BYTES: u64 = 64 << 20;

/// Days left from which on it is a matter of planning, and of acting.
const SOON_DAYS: u64 = 183;
const NOW_DAYS: u64 = 7;

/// Part of what the store's file may take, in hundredths, from which on it is warned.
const NEARLY_FULL_PERCENT: u64 = 90;

/// How long a node must have run for its writes to be worth a forecast.
const FORECAST_SECS: u64 = 3_600;

/// File systems in memory, and on other machines.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "zram"];
const ELSEWHERE: [&str; 6] = ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"];

pub(super) fn disk(machine: &Machine, subject: &Subject) -> Vec<Finding> {
    let folder = fs::canonicalize(&subject.datadir).unwrap_or_else(|_| subject.datadir.clone());
    let mut findings = vec![match mount_of(machine, &folder) {
        Some(mount) => kind(machine, &mount, subject),
        None => Finding::good("disk", "the kernel does not say what it is"),
    }];
    if let Ok(disk) = rustix::fs::statvfs(&folder) {
        findings.push(room(disk.f_bavail.saturating_mul(disk.f_frsize), growth(subject)));
    }
    findings.extend(bound(subject));
    findings
}

/// Where a folder's file system is mounted.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    read_only: bool,
    kind: String,
}

/// The mount with the longest path that leads to the folder; of several at one path, the last covers the others.
fn mount_of(machine: &Machine, folder: &Path) -> Option<Mount> {
    let table = machine.read("/proc/self/mountinfo")?;
    let mounts = table.lines().filter_map(mount);
    mounts
        .filter(|(at, _)| folder.starts_with(at))
        .max_by_key(|(at, _)| at.components().count())
        .map(|(_, mount)| mount)
}

/// A line of `/proc/self/mountinfo`, as `proc(5)` has it.
fn mount(line: &str) -> Option<(PathBuf, Mount)> {
    let (place, source) = line.split_once(" - ")?;
    let place: Vec<&str> = place.split(' ').collect();
    let &[_, _, device, _, at, options, ..] = place.as_slice() else { return None };
    let mut source = source.split(' ');
    let (kind, of_disk) = (source.next()?, source.nth(1).unwrap_or_default());
    let read_only = [options, of_disk].iter().any(|options| options.split(',').any(|option| option == "ro"));
    // A space in a path is written as an octal number.
    let at = PathBuf::from(at.replace("\\040", " "));
    Some((at, Mount { device: device.to_owned(), read_only, kind: kind.to_owned() }))
}

fn kind(machine: &Machine, mount: &Mount, subject: &Subject) -> Finding {
    let kind = mount.kind.as_str();
    if mount.read_only {
        return Finding::problem("disk", Problem::ReadOnlyDisk, format!("mounted read-only ({kind})"));
    }
    if IN_MEMORY.contains(&kind) {
        return Finding::problem("disk", Problem::MemoryDisk, format!("{kind}, which lies in memory"));
    }
    if ELSEWHERE.contains(&kind) {
        let found = format!("{kind}, a disk of another machine: its locks and syncs may not be what they say");
        return Finding::problem("disk", Problem::NetworkDisk, found);
    }
    let writes = match yearly_gib(subject) {
        Some(gib) => format!("; at the present rate the node writes {gib} GiB a year"),
        None => String::new(),
    };
    match medium(machine, &mount.device) {
        Some("SD") => Finding::problem("disk", Problem::SdCard, format!("an SD card, {kind}{writes}")),
        Some(medium) => Finding::good("disk", format!("{medium}, {kind}{writes}")),
        None => Finding::good("disk", format!("{kind}{writes}")),
    }
}

/// What the device is made of, where the kernel knows.
fn medium(machine: &Machine, device: &str) -> Option<&'static str> {
    let device = fs::canonicalize(machine.path(&format!("/sys/dev/block/{device}"))).ok()?;
    let disk = if device.join("partition").exists() { device.parent()?.to_owned() } else { device };
    let read = |path: &str| fs::read_to_string(disk.join(path)).ok().map(|text| text.trim().to_owned());
    match (read("device/type").as_deref(), read("queue/rotational").as_deref()) {
        (Some("SD"), _) => Some("SD"),
        (Some("MMC"), _) => Some("eMMC"),
        (_, Some("0")) => Some("an SSD or the like"),
        (_, Some("1")) => Some("a turning disk"),
        _ => None,
    }
}

/// What the node writes in a year, as it has since its start.
fn yearly_gib(subject: &Subject) -> Option<u64> {
    let running = subject.running.as_ref().filter(|running| running.uptime_secs >= FORECAST_SECS)?;
    let per_year = u128::from(running.bytes_written) * u128::from(YEAR_DAYS * DAY_SECS);
    u64::try_from((per_year / u128::from(running.uptime_secs)) >> 30).ok()
}

/// Bytes by which the store has grown in a day, over its whole life; `None` for one that is too young.
fn growth(subject: &Subject) -> Option<u64> {
    let bytes = fs::metadata(subject.datadir.join("lucid.redb")).ok()?.len();
    let made = fs::metadata(subject.datadir.join("chain.json")).ok()?.mtime();
    let age = subject.now.checked_sub(u64::try_from(made).ok()?)?;
    (age >= DAY_SECS).then(|| (u128::from(bytes) * u128::from(DAY_SECS) / u128::from(age)) as u64)
}

fn room(free_bytes: u64, growth: Option<u64>) -> Finding {
    let mib = free_bytes >> 20;
    let Some(usable) = free_bytes.checked_sub(RESERVE_BYTES) else {
        return Finding::problem("room", Problem::DiskFull, format!("{mib} MiB free; nothing is written below 64"));
    };
    let Some(growth) = growth.filter(|growth| *growth > 0) else {
        return Finding::good("room", format!("{mib} MiB free; the store is too young to say for how long"));
    };
    let days = usable / growth;
    let found = match days {
        0..=729 => format!("{mib} MiB free, for {days} days at the present growth"),
        _ => format!("{mib} MiB free, for {} years at the present growth", days / YEAR_DAYS),
    };
    match days {
        0..NOW_DAYS => Finding::problem("room", Problem::DiskFull, found),
        NOW_DAYS..SOON_DAYS => Finding::problem("room", Problem::DiskFillsUp, found),
        _ => Finding::good("room", found),
    }
}

/// How much the store's file takes of what it may, where that is bounded.
fn bound(subject: &Subject) -> Option<Finding> {
    let max_bytes = subject.max_store_bytes?;
    let taken_bytes = fs::metadata(subject.datadir.join("lucid.redb")).ok()?.blocks().saturating_mul(512);
    let found = format!("the file takes {} of the {} MiB that it may", taken_bytes >> 20, max_bytes >> 20);
    Some(match taken_bytes >= max_bytes / 100 * NEARLY_FULL_PERCENT {
        true => Finding::problem("store size", Problem::StoreNearlyFull, found),
        false => Finding::good("store size", found),
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            machine::tests::machine,
            running::{Running, tests::subject},
        },
        *,
    };
    use std::os::unix::fs::symlink;

    const TABLE: &str = "\
27 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw
28 27 0:25 / /mnt/usb\\040disk ro,relatime - ext4 /dev/sda1 ro
29 27 0:26 / /var/lib/lucid-node rw - tmpfs tmpfs rw
30 29 0:27 / /var/lib/lucid-node rw - nfs4 server:/x rw
";

    #[test]
    fn the_disk_under_a_folder_is_told_for_what_it_is() {
        let (root, pi) = machine(&[
            ("/proc/self/mountinfo", TABLE),
            ("/sys/devices/mmcblk0/device/type", "SD\n"),
            ("/sys/devices/mmcblk0/queue/rotational", "0\n"),
            ("/sys/devices/mmcblk0/mmcblk0p2/partition", "2\n"),
            ("/sys/dev/block/x", ""),
        ]);
        symlink("../../devices/mmcblk0/mmcblk0p2", root.path().join("sys/dev/block/179:2")).unwrap();
        let judge = |folder: &str| kind(&pi, &mount_of(&pi, Path::new(folder)).unwrap(), &subject(None));
        assert_eq!(judge("/home/pi/lucid").problem, Some("sd-card"));
        assert_eq!(judge("/mnt/usb disk/lucid").problem, Some("read-only-disk"));
        assert_eq!(judge("/var/lib/lucid-node").problem, Some("network-disk"), "the last mount covers the others");
        assert_eq!(judge("/var/lib/lucid-nodes").problem, Some("sd-card"), "a longer name is another folder");
        let (_, memory) = mount("29 27 0:26 / /data rw shared:1 - tmpfs tmpfs rw,size=1k").unwrap();
        assert_eq!(kind(&pi, &memory, &subject(None)).problem, Some("memory-disk"));
    }

    #[test]
    fn what_a_node_writes_is_forecast_once_it_has_run_for_a_while() {
        let running = |uptime_secs, bytes_written| Some(Running { uptime_secs, bytes_written, ..Running::default() });
        assert_eq!(yearly_gib(&subject(running(60, 1 << 30))), None);
        assert_eq!(yearly_gib(&subject(running(DAY_SECS, 1 << 30))), Some(365));
    }

    #[test]
    fn a_store_that_has_nearly_taken_what_it_may_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lucid.redb"), vec![1; 2 << 20]).unwrap();
        let judge =
            |max_store_bytes| bound(&Subject { datadir: folder.path().to_owned(), max_store_bytes, ..subject(None) });
        assert!(judge(None).is_none());
        assert_eq!(judge(Some(3 << 20)).unwrap().problem, None);
        assert_eq!(judge(Some(2 << 20)).unwrap().problem, Some("store-nearly-full"));
    }

    #[test]
    fn a_disk_that_will_be_full_is_told_in_time() {
        assert_eq!(room(10 << 20, None).problem, Some("disk-full"));
        assert_eq!(room(10 << 30, None).problem, None);
        assert_eq!(room(1 << 30, Some(1 << 30)).problem, Some("disk-full"));
        assert_eq!(room(10 << 30, Some(100 << 20)).problem, Some("disk-fills-up"));
        assert_eq!(room(100 << 30, Some(1 << 20)).problem, None);
    }
}
