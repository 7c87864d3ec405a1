use alloy_primitives::Address;
use revm::precompile::Precompiles;

/// Name of the function that the EVM itself has at `address`; `None` where there is none.
pub fn precompile_name(address: &Address) -> Option<String> {
    Precompiles::osaka().get(address).map(|function| function.id().name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0x01 to 0x11 (EIP-2537 has the last of them), and 0x100 (EIP-7951).
    #[test]
    fn the_functions_of_osaka_are_known_by_name_and_nothing_else_is_one() {
        let name = |number: u64| precompile_name(&Address::left_padding_from(&number.to_be_bytes()));
        assert_eq!(name(1).as_deref(), Some("ECREC"));
        assert_eq!(name(0x100).as_deref(), Some("P256VERIFY"));
        assert!((1..=0x11).all(|number| name(number).is_some()));
        assert!([0, 0x12, 0xff, 0x101].into_iter().all(|number| name(number).is_none()));
    }
}
