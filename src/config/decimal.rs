use std::str::FromStr;

/// A decimal number as somebody wrote it, exactly: `0.2` is 2 at scale 1. No floating point takes part, so that what
/// is equal on paper is equal here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u128,
    scale: u32,
}

/// Most digits; far from where the products below would overflow.
const MAX_DIGITS: usize = 18;

impl Decimal {
    /// Whether this number, times `factor`, is `other`.
    pub(super) fn times_is(self, factor: u64, other: u64) -> bool {
        self.digits * u128::from(factor) == u128::from(other) * 10u128.pow(self.scale)
    }
}

impl FromStr for Decimal {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{whole}{part}");
        let plain = !whole.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain || digits.len() > MAX_DIGITS || (part.is_empty() && text.contains('.')) {
            return Err(());
        }
        Ok(Self { digits: digits.parse().map_err(|_| ())?, scale: part.len() as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        let is = |text: &str, factor, other| text.parse::<Decimal>().is_ok_and(|number| number.times_is(factor, other));
        assert!(is("0.2", 1_000_000, 200_000) && is("0.20", 1_000_000, 200_000) && is("120.0", 1, 120));
        assert!(!is("0.2000001", 1_000_000, 200_000) && !is("120", 1, 121));
        for text in ["", ".2", "1.", "-1", "1e3", "0x10", "1_000", "1234567890123456789"] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?}");
        }
    }
}
