//! Who may ask what: tokens, pages and what is off where others reach the node.

use crate::support::{Served, StandIn, TestChain, WebSocket, post_as, post_with, raw, request, serve_with};
use lucid_rpc::{Access, Client, MemoryShare, Namespace, RpcServer, Scope, StartError, Token};
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

pub(crate) fn token(scope: Scope) -> Token {
    Token::from_bytes([0x40 + scope as u8; 32])
}

pub(crate) fn tokens() -> Access {
    Access::with_tokens(Scope::ALL.map(|scope| (scope, token(scope))))
}

/// A header with the token of a scope.
pub(crate) fn bearer(scope: Scope) -> String {
    format!("Authorization: Bearer {}\r\n", token(scope).to_hex())
}

/// A server that other machines reach, and where to find it from here.
pub(crate) async fn exposed(access: Access) -> (RpcServer, SocketAddr) {
    let node = Arc::new(StandIn::new(TestChain::short()));
    let server = RpcServer::start(([0, 0, 0, 0], 0).into(), access, MemoryShare::default(), node).await.unwrap();
    let address = ([127, 0, 0, 1], server.local_addr().port()).into();
    (server, address)
}

/// An anchoring that the node would have to sign; what is wrong with it comes to light behind the gate.
pub(crate) fn anchoring() -> Value {
    let manifest = json!({
        "sessionId": "7f1c2d3e-4b5a-4c6d-8e7f-901234567890", "chunkCount": 1, "totalSize": 5, "createdAt": 1_800_000_000u64,
        "merkleRoot": format!("0x{}", "11".repeat(32)),
    });
    let hashes = [format!("0x{}", "22".repeat(32))];
    json!({
        "manifest": manifest, "leaves": hashes, "ciphertext_sha256": hashes, "size_bytes": [5], "started_at": 1_800_000_000u64
    })
}

#[tokio::test]
async fn on_loopback_only_what_signs_needs_a_token() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let address = served.server.local_addr();
    assert_eq!(served.call("eth_chainId", json!([])).await, "0x7a69");
    let (code, text, data) = served.fail("lucid_anchorSession", json!([anchoring()])).await;
    assert_eq!((code, &data.unwrap()["code"]), (-32000, &json!("LUCID_ERR_2001")), "{text}");
    let body = request("lucid_anchorSession", json!([anchoring()])).to_string();
    for (scope, refused) in [(Scope::Read, true), (Scope::Payout, true), (Scope::Anchor, false), (Scope::Admin, false)]
    {
        let answer = post_with(address, &bearer(scope), body.as_bytes()).await.json();
        let code = &answer["error"]["data"]["code"];
        assert_eq!(code == "LUCID_ERR_2004", refused, "{scope}: {answer}");
        assert_eq!(answer["result"].is_object(), !refused, "{scope}: {answer}");
        // The next one is of another session.
        served.node.anchored.lock().unwrap().clear();
    }
    // In a batch each call is judged by itself.
    let batch = json!([request("lucid_anchorSession", json!([anchoring()])), request("eth_chainId", json!([]))]);
    let answers = post_with(address, "", batch.to_string().as_bytes()).await.json();
    assert_eq!(answers[0]["error"]["data"]["code"], "LUCID_ERR_2001");
    assert_eq!(answers[1]["result"], "0x7a69");
}

/// Whoever may not ask is not answered what is wrong with a question of megabytes.
#[tokio::test]
async fn what_the_node_would_sign_is_not_read_before_the_caller_is_judged() {
    let served = serve_with(TestChain::short(), tokens()).await;
    for params in [json!([{}]), json!([{ "manifest": 1, "transactions": [] }]), json!([1]), json!([[1]])] {
        let (code, text, data) = served.fail("lucid_anchorSession", params.clone()).await;
        assert_eq!((code, &data.unwrap()["code"]), (-32000, &json!("LUCID_ERR_2001")), "{params}: {text}");
    }
    // One that brings its transactions needs no token, and hears what is wrong with it.
    let brought = json!([{ "manifest": 1, "transactions": ["0x00"] }]);
    assert_eq!(served.fail("lucid_anchorSession", brought).await.0, -32602);
    // A list of the fields in their order has its first one where a glance finds transactions. These have none.
    let named = anchoring();
    let manifest = &named["manifest"];
    let manifest: Vec<_> =
        ["sessionId", "chunkCount", "totalSize", "merkleRoot", "createdAt"].map(|field| manifest[field].clone()).into();
    let none = [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null, Value::Null];
    let manifest: Vec<_> = manifest.into_iter().chain(none).collect();
    let listed = json!([[
        manifest,
        named["leaves"],
        named["ciphertext_sha256"],
        named["size_bytes"],
        null,
        named["started_at"],
        null,
        null,
        null
    ]]);
    let (_, text, data) = served.fail("lucid_anchorSession", listed.clone()).await;
    assert_eq!(data.unwrap()["code"], "LUCID_ERR_2001", "{text}");
    let anchor = bearer(Scope::Anchor);
    let body = request("lucid_anchorSession", listed).to_string();
    let answer = post_with(served.server.local_addr(), &anchor, body.as_bytes()).await.json();
    assert!(answer["result"].is_object(), "{answer}");
}

/// Two programs on the way to the node could each judge another of two.
#[tokio::test]
async fn a_request_that_contradicts_itself_is_refused_with_a_sentence() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let good = bearer(Scope::Read);
    for (lines, what) in [
        (format!("Host: {address}\r\n"), "more than one host header"),
        ("Host: evil.com\r\n".into(), "more than one host header"),
        (format!("{good}{good}"), "more than one authorization header"),
        (format!("{good}Authorization: Bearer nonsense\r\n"), "more than one authorization header"),
        ("Origin: http://localhost\r\nOrigin: https://evil.com\r\n".into(), "more than one origin header"),
    ] {
        let answer = post_with(address, &lines, body.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (400, -32600), "{lines}");
        assert!(answer.body.contains(what), "{lines}: {}", answer.body);
    }
    let socket = "Origin: http://localhost\r\nOrigin: https://evil.com\r\n";
    assert_eq!(WebSocket::open_with(address, &address.to_string(), "/", socket).await.err(), Some(400));
    for (host, status) in [("Host: \r\n", 400), ("", 400), ("Host: 127.0.0.1:+PORT\r\n", 403), ("Host: :PORT\r\n", 403)]
    {
        let host = host.replace("PORT", &address.port().to_string());
        let head = format!(
            "POST / HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let answer = raw(address, &head, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
        if status == 400 {
            assert!(answer.code() == -32600 && answer.body.contains("host"), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_good_token_hides_no_wrong_one() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let (good, wrong) = (token(Scope::Read).to_hex(), Token::from_bytes([9; 32]).to_hex());
    for (path, header, status) in [(&good, &good, 200), (&wrong, &good, 401), (&good, &wrong, 401)] {
        let head = format!(
            "POST /{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Authorization: Bearer {header}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        assert_eq!(raw(address, &head, body.as_bytes()).await.status, status, "{path} {header}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_shows_no_token() {
    let (_server, address) = exposed(tokens()).await;
    let body = request("eth_chainId", json!([])).to_string();
    let wrong = Token::from_bytes([9; 32]).to_hex();
    let line = format!("Authorization: Bearer {wrong}\r\n");
    for (lines, words) in [("", ["tokens/read", "Authorization: Bearer"]), (&line, ["not known", "folder tokens"])] {
        let answer = post_with(address, lines, body.as_bytes()).await;
        assert_eq!(answer.status, 401);
        for word in words {
            assert!(answer.json()["error"]["message"].as_str().unwrap().contains(word), "{}", answer.body);
        }
        assert!(!answer.body.contains(&wrong), "{}", answer.body);
    }
    let named = post_as(address, "node.example", "application/json", body.as_bytes()).await;
    assert!(named.status == 403 && named.body.contains("http.allowed-hosts"), "{}", named.body);
    let page = WebSocket::open_with(address, &address.to_string(), "/", "Origin: https://evil.com\r\n").await;
    assert_eq!(page.err(), Some(403));
}

#[tokio::test]
async fn care_for_the_store_needs_the_scope_admin() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let url = format!("http://{}", served.server.local_addr());
    for method in [
        "admin_dbStats",
        "admin_dbVerify",
        "admin_dbBackup",
        "admin_dbReindex",
        "admin_dbCompact",
        "admin_dbJob",
        "admin_exportState",
    ] {
        let (code, text, data) = served.fail(method, json!([])).await;
        assert_eq!((code, &data.unwrap()["code"]), (-32000, &json!("LUCID_ERR_2001")), "{method}: {text}");
    }
    for scope in Scope::ALL {
        let client = Client::with_token(&url, &token(scope)).unwrap();
        let stats = client.db_stats(false).await;
        match scope {
            Scope::Admin => assert_eq!(stats.unwrap().sequence, 7),
            _ => assert_eq!(stats.unwrap_err().fault().unwrap().lucid_code(), Some("LUCID_ERR_2004"), "{scope}"),
        }
    }
    let admin = Client::with_token(&url, &token(Scope::Admin)).unwrap();
    assert_eq!(Some(admin.db_verify().await.unwrap()), admin.db_job().await.unwrap());
    let busy = admin.db_backup().await.unwrap_err();
    assert!(busy.fault().unwrap().message.starts_with("a verify of the store is under way"), "{busy}");
    assert_eq!(busy.fault().unwrap().lucid_code(), Some("LUCID_ERR_3001"));
}

#[tokio::test]
async fn a_wrong_token_is_refused_even_where_none_is_needed() {
    let served = serve_with(TestChain::short(), tokens()).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let stranger = Token::from_bytes([9; 32]).to_hex();
    for line in [
        format!("Authorization: Bearer {stranger}\r\n"),
        "Authorization: Bearer \r\n".into(),
        "Authorization: Basic dXNlcjpwYXNz\r\n".into(),
        format!("Authorization: {}\r\n", token(Scope::Read).to_hex()),
    ] {
        let answer = post_with(address, &line, body.as_bytes()).await;
        assert_eq!((answer.status, answer.code()), (401, -32000), "{line}");
        assert_eq!(answer.json()["error"]["data"]["code"], "LUCID_ERR_2001");
        assert!(!answer.body.contains(&stranger));
    }
    let host = address.to_string();
    let path = format!("/{stranger}");
    assert_eq!(WebSocket::open_with(address, &host, &path, "").await.err(), Some(401));
    for line in [bearer(Scope::Read), bearer(Scope::Admin).replace("Bearer", "bearer")] {
        assert_eq!(post_with(address, &line, body.as_bytes()).await.status, 200, "{line}");
    }
}

#[tokio::test]
async fn beyond_loopback_every_request_needs_a_token_in_a_header_or_in_the_path() {
    let (_server, address) = exposed(tokens()).await;
    let body = request("eth_chainId", json!([])).to_string();
    let answer = post_with(address, "", body.as_bytes()).await;
    assert_eq!((answer.status, &answer.json()["error"]["data"]["code"]), (401, &json!("LUCID_ERR_2001")));
    for scope in Scope::ALL {
        assert_eq!(post_with(address, &bearer(scope), body.as_bytes()).await.status, 200, "{scope}");
    }
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        )
    };
    let read = token(Scope::Read).to_hex();
    for (path, status) in
        [(format!("/{read}"), 200), (format!("/{read}/"), 200), (format!("/{}", &read[1..]), 401), ("/".into(), 401)]
    {
        assert_eq!(raw(address, &head(&path), body.as_bytes()).await.status, status, "{path}");
    }
    let host = address.to_string();
    assert_eq!(WebSocket::open_with(address, &host, "/", "").await.err(), Some(401));
    let mut socket = WebSocket::open_with(address, &host, &format!("/{read}"), "").await.ok().unwrap();
    assert_eq!(socket.call("eth_chainId", json!([])).await, "0x7a69");
    let answer = socket.request("lucid_anchorSession", json!([anchoring()])).await;
    assert_eq!(answer["error"]["data"]["code"], "LUCID_ERR_2004");
}

#[tokio::test]
async fn beyond_loopback_the_pool_is_shown_only_where_it_was_named() {
    let body = request("txpool_status", json!([])).to_string();
    let (_server, address) = exposed(tokens()).await;
    let answer = post_with(address, &bearer(Scope::Admin), body.as_bytes()).await;
    assert_eq!(answer.code(), -32601);
    let named = Access { namespaces: BTreeSet::from([Namespace::Txpool]), ..tokens() };
    let (_server, address) = exposed(named).await;
    let answer = post_with(address, &bearer(Scope::Read), body.as_bytes()).await;
    assert_eq!(answer.json()["result"]["queued"], "0x11");
}

#[tokio::test]
async fn a_client_shows_its_token_and_keeps_it_to_itself() {
    let (server, address) = exposed(tokens()).await;
    let url = format!("http://{address}");
    assert_eq!(Client::with_token(&url, &token(Scope::Read)).unwrap().chain_id().await.unwrap(), 31_337);
    let in_path = format!("{url}/{}", token(Scope::Read).to_hex());
    assert_eq!(Client::new(&in_path).unwrap().chain_id().await.unwrap(), 31_337);
    assert!(Client::new(&url).unwrap().chain_id().await.is_err());
    server.stop().await;
    let error = Client::new(&in_path).unwrap().chain_id().await.unwrap_err().to_string();
    assert!(error.contains(&url) && !error.contains(&token(Scope::Read).to_hex()), "{error}");
}

#[tokio::test]
async fn a_server_that_others_reach_does_not_start_without_tokens() {
    let node = Arc::new(StandIn::new(TestChain::short()));
    let error =
        RpcServer::start(([0, 0, 0, 0], 0).into(), Access::default(), MemoryShare::default(), node).await.unwrap_err();
    assert!(matches!(error, StartError::Unprotected(_)), "{error}");
}

/// The head of a request that a page of this origin has its browser send.
fn page_head(served: &Served, method: &str, origin: &str, length: usize) -> String {
    format!(
        "{method} / HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\n\
         Access-Control-Request-Method: POST\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
        served.server.local_addr()
    )
}

#[tokio::test]
async fn a_page_reads_answers_only_where_it_is_allowed() {
    let access = Access { allowed_origins: vec!["https://app.example".into()], ..Access::default() };
    let served = serve_with(TestChain::short(), access).await;
    let address = served.server.local_addr();
    let body = request("eth_chainId", json!([])).to_string();
    let allowed = "access-control-allow-origin: https://app.example";

    let asked = raw(address, &page_head(&served, "OPTIONS", "https://app.example", 0), b"").await;
    assert!(asked.status == 204 && asked.head.contains(allowed), "{}", asked.head);
    assert!(asked.head.contains("access-control-allow-headers: content-type, authorization"), "{}", asked.head);
    let head = page_head(&served, "POST", "https://app.example", body.len());
    let answer = raw(address, &head, body.as_bytes()).await;
    assert!(answer.status == 200 && answer.head.contains(allowed), "{}", answer.head);

    for origin in ["https://evil.com", "null", "http://localhost:5173"] {
        let asked = raw(address, &page_head(&served, "OPTIONS", origin, 0), b"").await;
        assert!(asked.status == 405 && !asked.head.contains("access-control"), "{origin}: {}", asked.head);
    }
}
