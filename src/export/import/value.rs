//! Values as other programs have written them, read by what the field means. `None` is what is no such value.

use super::time;
use alloy_primitives::{Address, B256, B512, FixedBytes, hex};
use bson::RawBsonRef;
use lucid_types::SessionId;

/// Whole numbers that a floating point number has exactly end here.
const MAX_EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// Decimal places of an amount in USDT.
const USDT_DECIMALS: usize = 6;

/// Most digits of a decimal number that are looked at: a Decimal128 may stand for one of thousands.
const MAX_DECIMAL_DIGITS: i64 = 60;

/// A session id: a UUID as text, as Binary of the subtypes 3 and 4 (bytes in network order), or as 16 bytes.
pub(super) fn session_id(value: RawBsonRef<'_>) -> Option<SessionId> {
    match value {
        RawBsonRef::String(text) => text.trim().parse().ok(),
        RawBsonRef::Binary(binary) => SessionId::from_bytes(binary.bytes.try_into().ok()?).ok(),
        _ => None,
    }
}

/// So many bytes: binary data, or hex text with or without `0x`.
fn fixed<const N: usize>(value: RawBsonRef<'_>) -> Option<FixedBytes<N>> {
    match value {
        RawBsonRef::String(text) => {
            let text = text.trim();
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
            let mut bytes = [0; N];
            (digits.len() == 2 * N).then(|| hex::decode_to_slice(digits, &mut bytes).ok())??;
            Some(bytes.into())
        }
        RawBsonRef::Binary(binary) => binary.bytes.try_into().ok(),
        _ => None,
    }
}

/// An address of 20 bytes.
pub(super) fn address(value: RawBsonRef<'_>) -> Option<Address> {
    fixed::<20>(value).map(Address::from)
}

/// A hash of 32 bytes.
pub(super) fn hash(value: RawBsonRef<'_>) -> Option<B256> {
    fixed(value)
}

/// A signature of 64 bytes.
pub(super) fn signature(value: RawBsonRef<'_>) -> Option<B512> {
    fixed(value)
}

/// A text.
pub(super) fn text(value: RawBsonRef<'_>) -> Option<String> {
    match value {
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => Some(text.to_owned()),
        _ => None,
    }
}

/// A whole number from 0 on, of whatever type, or as a text of digits.
pub(super) fn whole(value: RawBsonRef<'_>) -> Option<u64> {
    match value {
        RawBsonRef::Int32(value) => value.try_into().ok(),
        RawBsonRef::Int64(value) => value.try_into().ok(),
        RawBsonRef::Double(value) => {
            let is_whole = value.fract() == 0.0 && (0.0..=MAX_EXACT_DOUBLE).contains(&value);
            is_whole.then_some(value as u64)
        }
        RawBsonRef::Decimal128(value) => scaled(&value.to_string(), 0),
        RawBsonRef::String(digits) if is_digits(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// The same, of at most four bytes.
pub(super) fn whole_u32(value: RawBsonRef<'_>) -> Option<u32> {
    whole(value)?.try_into().ok()
}

/// A time in Unix seconds: a date, a text of ISO 8601, or a number of seconds or milliseconds.
pub(super) fn time(value: RawBsonRef<'_>) -> Option<u64> {
    match value {
        RawBsonRef::DateTime(date) => time::of_millis(date.timestamp_millis()),
        RawBsonRef::String(text) => time::of_text(text.trim()),
        // A fraction of a second is cut off, as it is of a date.
        RawBsonRef::Double(value) if value.is_finite() => whole(RawBsonRef::Double(value.trunc())).map(time::of_number),
        value => whole(value).map(time::of_number),
    }
}

/// An amount in millionths of a USDT, from one in USDT: a number of any type, or its text.
pub(super) fn usdt(value: RawBsonRef<'_>) -> Option<u64> {
    match value {
        RawBsonRef::Int32(value) => scaled(&value.to_string(), USDT_DECIMALS),
        RawBsonRef::Int64(value) => scaled(&value.to_string(), USDT_DECIMALS),
        // The shortest text that stands for it is what was meant.
        RawBsonRef::Double(value) => scaled(&value.to_string(), USDT_DECIMALS),
        RawBsonRef::Decimal128(value) => scaled(&value.to_string(), USDT_DECIMALS),
        RawBsonRef::String(text) => scaled(text.trim(), USDT_DECIMALS),
        _ => None,
    }
}

/// An amount that is in millionths of a USDT already, as an export of ours has it.
pub(super) fn micro_usdt(value: RawBsonRef<'_>) -> Option<u64> {
    match value {
        RawBsonRef::Int64(_) | RawBsonRef::Decimal128(_) => whole(value),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// A decimal number of any form, such as `12.50` and `1E+2`, times ten to the power of `decimals`, if that is a whole
/// number from 0 on.
fn scaled(text: &str, decimals: usize) -> Option<u64> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !is_digits(&format!("{whole}{fraction}")) || whole.len() + fraction.len() > MAX_DECIMAL_DIGITS as usize {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // Places that the decimal point moves to the right, from behind the last digit.
    let shift = exponent.checked_sub(fraction.len() as i64)?.checked_add(decimals as i64)?;
    if shift.abs() > MAX_DECIMAL_DIGITS {
        return None;
    }
    match usize::try_from(shift) {
        Ok(zeros) => format!("{digits}{}", "0".repeat(zeros)).parse().ok(),
        Err(_) => {
            let cut = usize::try_from(-shift).ok()?;
            let kept = digits.len().checked_sub(cut)?;
            let (kept, cut) = digits.split_at(kept);
            (cut.bytes().all(|digit| digit == b'0') && !kept.is_empty()).then(|| kept.parse().ok())?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{Binary, Bson, DateTime, Decimal128, RawDocumentBuf, doc, oid::ObjectId, spec::BinarySubtype};

    fn with<T>(value: impl Into<Bson>, read: impl Fn(RawBsonRef<'_>) -> Option<T>) -> Option<T> {
        let document = RawDocumentBuf::try_from(&doc! { "v": value.into() }).unwrap();
        read(document.get("v").unwrap().unwrap())
    }

    fn decimal(text: &str) -> Decimal128 {
        text.parse().unwrap()
    }

    fn binary(subtype: BinarySubtype, bytes: &[u8]) -> Binary {
        Binary { subtype, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_session_id_is_a_uuid_in_any_form() {
        let id = SessionId::from_bytes([7; 16]).unwrap();
        for good in [
            Bson::from("07070707-0707-0707-0707-070707070707"),
            "07070707070707070707070707070707".into(),
            binary(BinarySubtype::Uuid, &[7; 16]).into(),
            binary(BinarySubtype::UuidOld, &[7; 16]).into(),
            binary(BinarySubtype::Generic, &[7; 16]).into(),
        ] {
            assert_eq!(with(good.clone(), session_id), Some(id), "{good}");
        }
        let nil = binary(BinarySubtype::Uuid, &[0; 16]);
        for bad in [Bson::from("session-1"), 7.into(), ObjectId::new().into(), nil.into(), "".into()] {
            assert_eq!(with(bad.clone(), session_id), None, "{bad}");
        }
    }

    #[test]
    fn bytes_are_binary_or_hex_of_the_right_length() {
        let hash_of = B256::repeat_byte(0xab);
        for good in
            ["ab".repeat(32), "AB".repeat(32), format!("0x{}", "Ab".repeat(32)), format!(" 0X{} ", "ab".repeat(32))]
        {
            assert_eq!(with(good, hash), Some(hash_of));
        }
        assert_eq!(with(binary(BinarySubtype::Generic, &[0xab; 32]), hash), Some(hash_of));
        for bad in
            ["ab".repeat(31), "zz".repeat(32), String::new(), "0x".to_owned(), format!("0x0x{}", "ab".repeat(31))]
        {
            assert_eq!(with(bad, hash), None);
        }
        assert_eq!(with("0x".to_owned() + &"01".repeat(20), address), Some(Address::repeat_byte(1)));
        assert_eq!(with(binary(BinarySubtype::Generic, &[0xab; 65]), signature), None);
    }

    #[test]
    fn whole_numbers_of_any_type_are_exact_or_none() {
        for (value, wanted) in [
            (Bson::Int32(7), Some(7)),
            (Bson::Int64(i64::MAX), Some(i64::MAX as u64)),
            (Bson::Double(7.0), Some(7)),
            (decimal("18446744073709551615").into(), Some(u64::MAX)),
            (decimal("7E+2").into(), Some(700)),
            (decimal("7.00").into(), Some(7)),
            ("007".into(), Some(7)),
            (Bson::Int32(-7), None),
            (Bson::Double(7.5), None),
            (Bson::Double(1e300), None),
            (Bson::Double(f64::NAN), None),
            (decimal("18446744073709551616").into(), None),
            (decimal("7.5").into(), None),
            (decimal("1E+6000").into(), None),
            (decimal("NaN").into(), None),
            (decimal("-1").into(), None),
            ("7 ".into(), None),
            ("".into(), None),
            (Bson::Boolean(true), None),
        ] {
            assert_eq!(with(value.clone(), whole), wanted, "{value:?}");
        }
        assert_eq!(with(Bson::Int64(1 << 32), whole_u32), None);
    }

    #[test]
    fn amounts_in_usdt_keep_every_digit() {
        for (value, wanted) in [
            (Bson::Int32(100), Some(100_000_000)),
            (Bson::Int64(3), Some(3_000_000)),
            (Bson::Double(12.5), Some(12_500_000)),
            (Bson::Double(0.1), Some(100_000)),
            (Bson::Double(1e-6), Some(1)),
            (decimal("0.000001").into(), Some(1)),
            (decimal("1E+2").into(), Some(100_000_000)),
            ("12.345678".into(), Some(12_345_678)),
            ("12.3456780".into(), Some(12_345_678)),
            ("0".into(), Some(0)),
            (".5".into(), Some(500_000)),
            ("12.3456789".into(), None),
            (Bson::Double(0.1 + 0.2), None),
            (Bson::Double(f64::INFINITY), None),
            (Bson::Double(-1.0), None),
            ("12,5".into(), None),
            ("".into(), None),
            (".".into(), None),
            ("0x10".into(), None),
            ("1e99999999999999999999".into(), None),
            ("99999999999999".into(), None),
        ] {
            assert_eq!(with(value.clone(), usdt), wanted, "{value:?}");
        }
        assert_eq!(with(Bson::Int64(5), micro_usdt), Some(5));
        assert_eq!(with(Bson::Int32(5), micro_usdt), None);
    }

    #[test]
    fn times_are_dates_texts_seconds_or_milliseconds() {
        let at = 1_769_860_800;
        for value in [
            Bson::DateTime(DateTime::from_millis(at * 1_000 + 999)),
            Bson::Int64(at),
            Bson::Double(at as f64 + 0.5),
            Bson::Int64(at * 1_000 + 7),
            Bson::Double(at as f64 * 1_000.0),
            "2026-01-31T12:00:00Z".into(),
            "2026-01-31T12:00:00.123456+00:00".into(),
            "2026-01-31T12:00:00.123456".into(),
            "2026-01-31T14:30:00+02:30".into(),
        ] {
            assert_eq!(with(value.clone(), time), Some(u64::try_from(at).unwrap()), "{value:?}");
        }
        for bad in [Bson::DateTime(DateTime::from_millis(-1)), Bson::Int64(-1), "noon".into(), Bson::Double(f64::NAN)] {
            assert_eq!(with(bad.clone(), time), None, "{bad:?}");
        }
    }
}
