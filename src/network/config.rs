//! What the operator says of the network, read and checked.

use libp2p::Multiaddr;

use super::{
    address::{PeerAddress, own_address},
    error::NetworkError,
    limits::{DEFAULT_MAX_PEERS, MAX_INBOUND_PER_ADDRESS, MAX_PEERS_RANGE, MAX_STATIC_PEERS},
};

/// Where to listen, whom to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    pub(super) listen: Vec<Multiaddr>,
    pub(super) peers: Vec<PeerAddress>,
    pub(super) external: Vec<Multiaddr>,
    pub(super) mdns: bool,
    pub(super) max_peers: u32,
    pub(super) max_per_address: usize,
}

impl NetworkConfig {
    /// Nothing to listen on and nobody to know.
    pub fn new() -> Self {
        Self {
            listen: Vec::new(),
            peers: Vec::new(),
            external: Vec::new(),
            mdns: false,
            max_peers: DEFAULT_MAX_PEERS,
            max_per_address: MAX_INBOUND_PER_ADDRESS,
        }
    }

    /// Listens on an address: `/ip4/0.0.0.0/tcp/8547`. With port 0 a free one is taken.
    ///
    /// # Errors
    /// [`NetworkError::OwnAddress`].
    pub fn listen(mut self, address: &str) -> Result<Self, NetworkError> {
        self.listen.push(own_address(address)?);
        Ok(self)
    }

    /// Knows a peer, which is dialled until it is there: `/ip4/192.0.2.1/tcp/8547/p2p/12D3…`.
    ///
    /// # Errors
    /// [`NetworkError::PeerAddress`], [`NetworkError::TooManyStaticPeers`].
    pub fn peer(mut self, address: &str) -> Result<Self, NetworkError> {
        self.peers.push(address.parse()?);
        match self.peers.len() {
            given if given > MAX_STATIC_PEERS => Err(NetworkError::TooManyStaticPeers { given }),
            _ => Ok(self),
        }
    }

    /// Tells peers an address that leads here from outside, where a router translates it.
    ///
    /// # Errors
    /// [`NetworkError::OwnAddress`].
    pub fn external_address(mut self, address: &str) -> Result<Self, NetworkError> {
        self.external.push(own_address(address)?);
        Ok(self)
    }

    /// Looks for nodes on the local network, and tells them of this one.
    pub fn mdns(mut self, is_on: bool) -> Self {
        self.mdns = is_on;
        self
    }

    /// Bounds the number of peers; static ones come on top where all places are taken.
    ///
    /// # Errors
    /// [`NetworkError::MaxPeers`].
    pub fn max_peers(mut self, most: u32) -> Result<Self, NetworkError> {
        let (least, limit) = MAX_PEERS_RANGE;
        if !(least..=limit).contains(&most) {
            return Err(NetworkError::MaxPeers { given: most, least, most: limit });
        }
        self.max_peers = most;
        Ok(self)
    }

    /// Bounds the connections from one address; for several nodes on one machine.
    pub fn max_per_address(mut self, most: usize) -> Self {
        self.max_per_address = most;
        self
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let config = NetworkConfig::new;
        assert!(config().listen("/ip4/0.0.0.0/tcp/0").is_ok());
        assert!(matches!(config().listen("0.0.0.0:8547"), Err(NetworkError::OwnAddress { .. })));
        assert!(matches!(config().external_address("/dns4/a.example/tcp/1"), Err(NetworkError::OwnAddress { .. })));
        assert!(matches!(config().peer("/ip4/192.0.2.1/tcp/1"), Err(NetworkError::PeerAddress { .. })));
        assert!(matches!(config().max_peers(2), Err(NetworkError::MaxPeers { given: 2, .. })));
        assert!(matches!(config().max_peers(129), Err(NetworkError::MaxPeers { .. })));
        assert!(config().max_peers(128).is_ok());
    }

    #[test]
    fn static_peers_are_bounded() {
        let address = |n: usize| format!("/ip4/192.0.2.1/tcp/{}/p2p/{}", n + 1, libp2p::PeerId::random());
        let add = |config: Result<NetworkConfig, NetworkError>, n| config.and_then(|config| config.peer(&address(n)));
        assert!((0..MAX_STATIC_PEERS).fold(Ok(NetworkConfig::new()), add).is_ok());
        let given = MAX_STATIC_PEERS + 1;
        let result = (0..given).fold(Ok(NetworkConfig::new()), add);
        assert!(matches!(result, Err(NetworkError::TooManyStaticPeers { given: g }) if g == given));
    }
}
