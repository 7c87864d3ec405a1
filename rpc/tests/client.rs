//! What the client says when things go wrong.

use crate::support::{TestChain, serve};
use lucid_rpc::{Client, ClientError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_node_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(&format!("http://{address}")).unwrap();
    let error = client.block_number().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_text_that_is_no_url_is_refused() {
    for url in ["", "ftp://localhost", "not a url"] {
        assert!(matches!(Client::new(url), Err(ClientError::Url { .. })), "{url}");
    }
}

#[tokio::test]
async fn an_error_keeps_code_text_and_data() {
    let served = serve(TestChain::short()).await;
    let error = served.client.request::<Value>("lucid_buildMerkle", json!([[]])).await.unwrap_err();
    assert_eq!(error.to_string(), "lucid_buildMerkle: a Merkle tree has at least one leaf (LUCID_ERR_8004)");
    let error = served.client.request::<u8>("eth_chainId", ()).await.unwrap_err();
    assert!(matches!(error, ClientError::Json { .. }), "{error}");
}

#[tokio::test]
async fn a_request_beyond_the_clients_bound_is_not_sent() {
    let served = serve(TestChain::short()).await;
    let error = served.client.request::<Value>("web3_clientVersion", ["x".repeat(5 << 20)]).await.unwrap_err();
    assert!(error.to_string().contains("too large") || error.to_string().contains("too big"), "{error}");
}
