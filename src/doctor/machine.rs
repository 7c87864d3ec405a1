//! The machine: power, heat and memory.

use super::{Finding, Problem};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the sensor of a Raspberry Pi's power calls itself.
const PI_POWER_SENSOR: &str = "rpi_volt";

/// Where a Raspberry Pi 4 and 5 begin to slow down, in thousandths of a degree Celsius.
const HOT_MILLIDEGREES: i64 = 80_000;

/// Memory that should be left for others, in KiB.
const LOW_MEMORY_KIB: u64 = 64 << 10;

/// A machine as its files tell of it.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// The one that this runs on.
    pub fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// One whose files lie below `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A path of the machine.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text, without the end of its last line.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok().map(|text| text.trim_end().to_owned())
    }

    /// Names in a folder, sorted.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

/// Pages of memory: a Raspberry Pi 5 has them of 16 KiB.
pub(super) fn pages() -> Finding {
    Finding::good("pages", format!("{} KiB, which the node's allocator takes", rustix::param::page_size() >> 10))
}

pub(super) fn power(machine: &Machine) -> Finding {
    let sensors = machine.names("/sys/class/hwmon");
    let mut paths = sensors.iter().map(|name| format!("/sys/class/hwmon/{name}"));
    let of_pi = paths.find(|sensor| machine.read(&format!("{sensor}/name")).as_deref() == Some(PI_POWER_SENSOR));
    let Some(sensor) = of_pi else { return Finding::good("power", "no sensor for it here") };
    match machine.read(&format!("{sensor}/in0_lcrit_alarm")).as_deref() {
        Some("0") => Finding::good("power", "enough, as the sensor says"),
        Some(_) => Finding::problem("power", Problem::Undervoltage, "the voltage was too low since the last boot"),
        None => Finding::good("power", "the sensor does not say"),
    }
}

pub(super) fn temperature(machine: &Machine) -> Finding {
    let zones = machine.names("/sys/class/thermal").into_iter().filter(|name| name.starts_with("thermal_zone"));
    let read = |zone: String| machine.read(&format!("/sys/class/thermal/{zone}/temp"))?.parse::<i64>().ok();
    match zones.filter_map(read).max() {
        None => Finding::good("temperature", "no sensor for it here"),
        Some(hottest) => {
            let found = format!("{} \u{b0}C", hottest / 1_000);
            match hottest >= HOT_MILLIDEGREES {
                true => {
                    Finding::problem("temperature", Problem::Hot, format!("{found}, at which the processor slows down"))
                }
                false => Finding::good("temperature", found),
            }
        }
    }
}

pub(super) fn memory(machine: &Machine) -> Finding {
    let info = machine.read("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
    };
    match (kib("MemTotal"), kib("MemAvailable")) {
        (Some(total), Some(available)) => {
            let found = format!("{} of {} MiB available", available >> 10, total >> 10);
            match available < LOW_MEMORY_KIB {
                true => Finding::problem("memory", Problem::LowMemory, found),
                false => Finding::good("memory", found),
            }
        }
        _ => Finding::good("memory", "the kernel does not say"),
    }
}

/// Whether the kernel bounds the memory of services: Raspberry Pi OS has that off.
pub(super) fn memory_cgroup(machine: &Machine) -> Finding {
    let unified = machine.read("/sys/fs/cgroup/cgroup.controllers");
    let is_on = match &unified {
        Some(controllers) => controllers.split_whitespace().any(|name| name == "memory"),
        // Name, hierarchy, number, whether it is on.
        None => machine.read("/proc/cgroups").unwrap_or_default().lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("memory") && words.nth(2) == Some("1")
        }),
    };
    match is_on {
        true => Finding::good("memory-cgroup", "on"),
        false => {
            Finding::problem("memory-cgroup", Problem::NoMemoryCgroup, "off: MemoryMax= of a service does nothing")
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::Level, *};

    /// A machine made of these files.
    pub(in crate::doctor) fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let machine = Machine::at(root.path());
        (root, machine)
    }

    #[test]
    fn a_pi_on_a_weak_supply_in_the_sun_is_told_so() {
        let (_root, pi) = machine(&[
            ("/sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("/sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
            ("/sys/class/thermal/thermal_zone0/temp", "84500\n"),
            ("/proc/meminfo", "MemTotal:         926960 kB\nMemFree: 1 kB\nMemAvailable:      41000 kB\n"),
            ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n"),
        ]);
        assert_eq!(power(&pi).problem, Some("undervoltage"));
        let heat = temperature(&pi);
        assert_eq!((heat.problem, heat.found.as_str()), (Some("hot"), "84 \u{b0}C, at which the processor slows down"));
        let low = memory(&pi);
        assert_eq!((low.problem, low.found.as_str()), (Some("low-memory"), "40 of 905 MiB available"));
        assert_eq!(memory_cgroup(&pi).problem, Some("no-memory-cgroup"));
    }

    #[test]
    fn a_machine_in_good_order_has_nothing_to_mend() {
        let (_root, pi) = machine(&[
            ("/sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("/sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n"),
            ("/sys/class/thermal/thermal_zone0/temp", "51000\n"),
            ("/proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n"),
            ("/proc/cgroups", "#subsys_name hierarchy num_cgroups enabled\nmemory 0 80 1\n"),
        ]);
        for finding in [power(&pi), temperature(&pi), memory(&pi), memory_cgroup(&pi), pages()] {
            assert_eq!(finding.level, Level::Good, "{finding:?}");
        }
    }

    #[test]
    fn a_machine_that_tells_nothing_is_no_problem() {
        let (_root, nothing) = machine(&[]);
        for finding in [power(&nothing), temperature(&nothing), memory(&nothing)] {
            assert_eq!(finding.level, Level::Good, "{finding:?}");
        }
    }
}
