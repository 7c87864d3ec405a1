//! Where the journal lies: Raspberry Pi OS keeps it in memory.

use super::{Finding, Machine, Problem};

/// Where settings of the journal come from, the weakest first (`journald.conf(5)`).
const MAIN_FILES: [&str; 2] = ["/usr/lib/systemd/journald.conf", "/etc/systemd/journald.conf"];
const FOLDERS: [&str; 3] =
    ["/usr/lib/systemd/journald.conf.d", "/run/systemd/journald.conf.d", "/etc/systemd/journald.conf.d"];

pub(super) fn journal(machine: &Machine) -> Finding {
    if !machine.path("/run/systemd/system").exists() {
        return Finding::good("journal", "no systemd here");
    }
    let is_kept = match storage(machine).as_str() {
        "persistent" => true,
        "volatile" | "none" => false,
        // `auto`
        _ => machine.path("/var/log/journal").exists(),
    };
    match is_kept {
        true => Finding::good("journal", "kept on disk"),
        false => Finding::problem("journal", Problem::VolatileJournal, "in memory only: it is lost with the power"),
    }
}

/// What `Storage=` is, the last word counting.
fn storage(machine: &Machine) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    for folder in FOLDERS {
        for name in machine.names(folder).into_iter().filter(|name| name.ends_with(".conf")) {
            // A file of the same name in a later folder takes the place of the earlier one.
            parts.retain(|(other, _)| *other != name);
            parts.push((name.clone(), format!("{folder}/{name}")));
        }
    }
    parts.sort();
    let files = MAIN_FILES.into_iter().map(str::to_owned).chain(parts.into_iter().map(|(_, path)| path));
    let mut said = files.filter_map(|path| machine.read(&path)).filter_map(|text| said_in(&text));
    said.next_back().unwrap_or_else(|| "auto".to_owned())
}

fn said_in(text: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.trim().strip_prefix("Storage")?.trim_start().strip_prefix('='));
    lines.next_back().map(|value| value.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{super::machine::tests::machine, *};

    const PI: (&str, &str) =
        ("/usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf", "[Journal]\nStorage=volatile\n");
    const SYSTEMD: (&str, &str) = ("/run/systemd/system/x", "");
    const KEPT: (&str, &str) = ("/var/log/journal/x", "");

    fn is_volatile(files: &[(&str, &str)]) -> bool {
        let (_root, machine) = machine(files);
        journal(&machine).problem == Some("volatile-journal")
    }

    #[test]
    fn the_journal_of_raspberry_pi_os_is_lost_with_the_power_until_somebody_says_otherwise() {
        assert!(is_volatile(&[SYSTEMD, KEPT, PI]));
        let late = ("/etc/systemd/journald.conf.d/90-persistent.conf", "[Journal]\nStorage = persistent\n");
        assert!(!is_volatile(&[SYSTEMD, PI, late]));
        let early = ("/etc/systemd/journald.conf.d/10-persistent.conf", "[Journal]\nStorage=persistent\n");
        assert!(is_volatile(&[SYSTEMD, PI, early]), "the last file counts");
        let same = ("/etc/systemd/journald.conf.d/40-rpi-volatile-storage.conf", "#Storage=volatile\n");
        assert!(!is_volatile(&[SYSTEMD, KEPT, PI, same]), "masked by a file of its name");
    }

    #[test]
    fn without_a_word_the_folder_decides() {
        assert!(!is_volatile(&[SYSTEMD, KEPT]));
        assert!(is_volatile(&[SYSTEMD]));
        assert!(!is_volatile(&[]), "no systemd, no journal");
    }
}
