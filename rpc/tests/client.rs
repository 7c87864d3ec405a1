//! What the client says when things go wrong.

use crate::support::{TestChain, serve, serve_with};
use lucid_rpc::{Access, Client, ClientError, MemoryShare, RpcServer, Scope, Token};
use serde_json::{Value, json};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

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

#[test]
fn an_address_without_a_scheme_is_told_which_to_write() {
    for url in ["127.0.0.1:18545", "localhost:8545", "node.example/secret"] {
        let error = Client::new(url).unwrap_err().to_string();
        let host = url.split('/').next().unwrap();
        assert!(error.ends_with(&format!("write http://{host}")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn an_address_with_tls_is_told_how_to_go_on() {
    let error = Client::new("HTTPS://node.example/secret").unwrap_err().to_string();
    assert!(error.contains("use http://, or a tunnel") && !error.contains("secret"), "{error}");
}

/// Somebody who has the wrong token, or calls the node by a wrong name, must not look for a node that does not run.
#[tokio::test]
async fn a_refused_token_and_a_refused_host_are_not_told_as_a_node_that_is_not_there() {
    let token = |byte| Token::from_bytes([byte; 32]);
    let access = || Access::with_tokens([(Scope::Read, token(1))]);
    let served = serve_with(TestChain::short(), access()).await;
    let address = served.server.local_addr();
    let url = format!("http://{address}");
    let in_path = format!("{url}/{}", token(2).to_hex());
    for client in [Client::with_token(&url, &token(2)), Client::new(&in_path)] {
        let error = client.unwrap().chain_id().await.unwrap_err();
        assert!(matches!(error, ClientError::Unauthorized { shown: true, .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("the node at {url} refused the token that it was shown"));
    }

    let exposed = RpcServer::start(([0, 0, 0, 0], 0).into(), access(), MemoryShare::default(), served.node.clone())
        .await
        .unwrap();
    let port = exposed.local_addr().port();
    let error = Client::new(&format!("http://127.0.0.1:{port}")).unwrap().chain_id().await.unwrap_err();
    assert!(matches!(error, ClientError::Unauthorized { shown: false, .. }), "{error:?}");

    // A forwarded port: the name that the client knows is not the node's.
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let forwarded = Client::new(&format!("http://{}", relay.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut client, _) = relay.accept().await.unwrap();
        let mut node = TcpStream::connect(address).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut node).await;
    });
    let error = forwarded.chain_id().await.unwrap_err();
    assert!(matches!(error, ClientError::Forbidden { .. }), "{error:?}");
    assert!(error.to_string().contains("http.allowed-hosts"), "{error}");
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
