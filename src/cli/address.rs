//! Addresses as people type them. A slip of a digit would be anchored for ever, and the checksum in the case of the
//! letters (EIP-55) is there to find it.

use alloy_primitives::Address;

/// Reads an address: `0x` and 40 hexadecimal digits. Letters of both cases are a checksum, and it must be right.
pub(super) fn parse_address(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").ok_or(FORM)?;
    let address: Address = digits.parse().ok().filter(|_| digits.len() == 40).ok_or(FORM)?;
    let mixed = digits.bytes().any(|byte| byte.is_ascii_lowercase()) && digits.bytes().any(|b| b.is_ascii_uppercase());
    let right = address.to_checksum(None);
    if mixed && text != right {
        return Err(format!(
            "the checksum in the case of its letters is wrong, so a digit may be too; with these digits it is {right}"
        ));
    }
    Ok(address)
}

const FORM: &str = "an address is 0x and 40 hexadecimal digits";

#[cfg(test)]
mod tests {
    use super::*;

    /// The first example of EIP-55.
    const RIGHT: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

    #[test]
    fn an_address_of_one_case_is_taken_and_of_both_by_its_checksum_only() {
        let upper = format!("0x{}", RIGHT[2..].to_ascii_uppercase());
        for text in [RIGHT, &RIGHT.to_ascii_lowercase(), &upper] {
            assert_eq!(parse_address(text).unwrap().to_checksum(None), RIGHT);
        }
        let said = parse_address(&RIGHT.replace("5aA", "5aa")).unwrap_err();
        assert!(said.contains("checksum") && said.contains(RIGHT), "{said}");
    }

    #[test]
    fn what_is_no_address_is_told_what_one_is() {
        let twice = format!("0x{RIGHT}");
        for text in
            ["", "0x", "0x12", &RIGHT[2..], &RIGHT[..41], &twice, &format!("{RIGHT}0"), &RIGHT.replace('F', "g")]
        {
            assert_eq!(parse_address(text).unwrap_err(), FORM, "{text}");
        }
    }
}
