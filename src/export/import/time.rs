//! Times in Unix seconds. What is below a second is cut off.

use lucid_storage::unix_time;

/// Numbers from here on are milliseconds: as seconds they are the year 5138, as milliseconds the year 1973.
const FIRST_MILLIS: u64 = 100_000_000_000;

/// Seconds from here on have no date, so an export of ours writes them as the number that they are.
const FIRST_WITHOUT_DATE: u64 = i64::MAX as u64 / 1_000 + 1;

/// That of a date.
pub(super) fn of_millis(millis: i64) -> Option<u64> {
    u64::try_from(millis).ok().map(|millis| millis / 1_000)
}

/// That of a number of seconds or milliseconds.
pub(super) const fn of_number(number: u64) -> u64 {
    match number {
        FIRST_MILLIS..FIRST_WITHOUT_DATE => number / 1_000,
        secs => secs,
    }
}

/// That of a text of ISO 8601: with `Z`, with the distance from UTC, or with neither, which is UTC.
pub(super) fn of_text(text: &str) -> Option<u64> {
    if let Some(secs) = unix_time(text) {
        return Some(secs);
    }
    let (_, time) = text.split_once(['T', ' '])?;
    let Some(at) = time.rfind(['+', '-']) else { return unix_time(&format!("{text}Z")) };
    let (sign, offset) = time[at..].split_at(1);
    let local = unix_time(&format!("{}Z", &text[..text.len() - offset.len() - 1]))?;
    let offset = offset_secs(offset)?;
    if sign == "+" { local.checked_sub(offset) } else { local.checked_add(offset) }
}

/// Seconds of a distance such as `02:30` or `0230`.
fn offset_secs(text: &str) -> Option<u64> {
    let (hours, minutes) = match text.split_once(':') {
        Some(parts) => parts,
        None => text.split_at_checked(2)?,
    };
    let number = |text: &str, end: u64| {
        let is_plain = text.len() == 2 && text.bytes().all(|digit| digit.is_ascii_digit());
        is_plain.then(|| text.parse::<u64>().ok())?.filter(|number| *number < end)
    };
    Some(number(hours, 24)? * 3_600 + number(minutes, 60)? * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_however_far_from_utc_it_was_written() {
        let at = Some(1_769_860_800);
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31 12:00:00.5",
            "2026-01-31T12:00:00+00:00",
            "2026-01-31T07:00:00-05:00",
            "2026-01-31T17:30:00.25+0530",
        ] {
            assert_eq!(of_text(text), at, "{text}");
        }
        for bad in [
            "",
            "2026-01-31T12:00:00+",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+1:30",
            "T+",
            "1970-01-01T00:00:00+01:00",
            "2026-01-31T12:00:00+ä",
        ] {
            assert_eq!(of_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_an_export_of_ours_writes_as_a_number_comes_back() {
        for secs in [FIRST_WITHOUT_DATE, u64::MAX] {
            assert_eq!(of_number(secs), secs);
        }
        assert_eq!((of_number(1_769_860_800), of_number(1_769_860_800_999)), (1_769_860_800, 1_769_860_800));
    }
}
