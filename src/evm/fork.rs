use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::Address;

/// Every fork up to Osaka is active in genesis; none after it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct OsakaFromGenesis;

impl EthereumHardforks for OsakaFromGenesis {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match fork {
            // An irregular change of mainnet balances, and never a part of this chain.
            EthereumHardfork::Dao => ForkCondition::Never,
            fork if fork <= EthereumHardfork::Paris => ForkCondition::Block(0),
            fork if fork <= EthereumHardfork::Osaka => ForkCondition::Timestamp(0),
            _ => ForkCondition::Never,
        }
    }
}

impl EthExecutorSpec for OsakaFromGenesis {
    /// Set as on mainnet and unused: no contract lies there, so no deposit event can come from it.
    fn deposit_contract_address(&self) -> Option<Address> {
        Some(MAINNET_DEPOSIT_CONTRACT_ADDRESS)
    }
}
