//! Ids of subscriptions and filters: random, so that nobody finds another's, and written as geth writes them.

use jsonrpsee::{
    core::{id_providers::RandomIntegerIdProvider, traits::IdProvider},
    types::SubscriptionId,
};

/// Gives ids as hexadecimal text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HexIds;

impl HexIds {
    /// A new id: 106 random bits.
    pub(crate) fn next(self) -> String {
        let bits = || match RandomIntegerIdProvider.next_id() {
            SubscriptionId::Num(bits) => bits,
            SubscriptionId::Str(_) => 0,
        };
        // The first digit is no zero: some clients read the id as a number and write it again.
        format!("{:#x}{:014x}", bits() | 1 << 52, bits())
    }
}

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        self.next().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_of_one_length_and_never_the_same() {
        let ids: Vec<_> = (0..1_000).map(|_| HexIds.next()).collect();
        for id in &ids {
            assert!(id.len() == 30 && id.starts_with("0x1"), "{id}");
            assert!(id[2..].bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
        }
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    }
}
