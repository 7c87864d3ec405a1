//! What a contract said when it reverted, in the words that geth has for it.

use alloy_sol_types::{Panic, Revert, SolError};

/// The reason in the data of a revert: the text of `Error(string)`, or what the code of `Panic(uint256)` means.
/// A custom error has none; the client decodes it with the contract's ABI.
pub(crate) fn revert_reason(data: &[u8]) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode(data) {
        return Some(revert.reason);
    }
    let code = Panic::abi_decode(data).ok()?.code;
    let text = match u8::try_from(code) {
        Ok(0x00) => "generic panic",
        Ok(0x01) => "assert(false)",
        Ok(0x11) => "arithmetic underflow or overflow",
        Ok(0x12) => "division or modulo by zero",
        Ok(0x21) => "enum overflow",
        Ok(0x22) => "invalid encoded storage byte array accessed",
        Ok(0x31) => "out-of-bounds array access; popping on an empty array",
        Ok(0x32) => "out-of-bounds access of an array or bytesN",
        Ok(0x41) => "out of memory",
        Ok(0x51) => "uninitialized function",
        _ => return Some(format!("unknown panic code: {code:#x}")),
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    #[test]
    fn reasons_and_panics_are_told_and_other_data_are_not() {
        assert_eq!(revert_reason(&Revert::from("too late").abi_encode()).as_deref(), Some("too late"));
        let panic = |code: u64| revert_reason(&Panic { code: U256::from(code) }.abi_encode()).unwrap();
        assert_eq!(panic(0x11), "arithmetic underflow or overflow");
        assert_eq!(panic(0x99), "unknown panic code: 0x99");
        assert_eq!(panic(0x101), "unknown panic code: 0x101");
        assert_eq!(revert_reason(b"wrong-calldatasize"), None);
        assert_eq!(revert_reason(&[]), None);
    }
}
