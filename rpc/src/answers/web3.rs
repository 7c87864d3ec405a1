use crate::{api::NodeApi, backend::Backend, interface::Web3Server};

impl<A: NodeApi> Web3Server for Backend<A> {
    fn client_version(&self) -> String {
        self.api().chain_info().client_version
    }
}
