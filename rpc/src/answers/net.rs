use crate::{api::NodeApi, backend::Backend, interface::NetServer};

impl<A: NodeApi> NetServer for Backend<A> {
    fn version(&self) -> String {
        self.api().chain_info().spec.chain_id.to_string()
    }

    fn listening(&self) -> bool {
        true
    }
}
