//! The rules flag what they should, however it is written, and leave the rest alone.

use super::rules::{judge, test_modules};
use super::scan::scan;
use std::collections::BTreeSet;

/// What is said about a file, one line for each breach.
fn said(file: &str, text: &str) -> Vec<String> {
    judge(file, text, &BTreeSet::new()).iter().map(ToString::to_string).collect()
}

/// Asserts that there is exactly one breach, on `line`, whose text holds `part`.
fn assert_flagged(file: &str, text: &str, line: usize, part: &str) {
    let said = said(file, text);
    assert_eq!(said.len(), 1, "{text}: {said:?}");
    assert!(said[0].starts_with(&format!("{file}:{line}: ")) && said[0].contains(part), "{text}: {said:?}");
}

fn assert_clean(file: &str, text: &str) {
    assert_eq!(said(file, text), Vec::<String>::new(), "{text}");
}

#[test]
fn a_forbidden_room_is_flagged_in_every_spelling() {
    let part = "`evm` may not use `node` (it may use state)";
    for text in [
        "use crate::node::Node;",
        "use crate::node;",
        "use crate::node as n;",
        "pub use crate::node::*;",
        "pub(crate) use crate::node::Node;",
        "use crate::{node::Node, state::StateReader};",
        "use crate::{state::{self, StateReader}, node};",
        "use {crate::node::Node, std::fmt};",
        "use super::super::node::Node;",
        "use self::super::super::node::Node;",
        "fn f(node: &crate::node::Node) {}",
        "fn f() -> Vec<crate::node::Node> { Vec::new() }",
        "fn f() { assert!(matches!(x, crate::node::Node { .. })) }",
        "mod inner { use super::super::super::node::Node; }",
        "impl crate::node::Node {}",
    ] {
        assert_flagged("src/evm/block.rs", text, 1, part);
    }
}

#[test]
fn the_line_is_that_of_the_path() {
    assert_flagged("src/evm/block.rs", "//! Docs.\n\nuse crate::state::A;\nuse\n  crate::node::B;", 5, "`node`");
    assert_flagged("src/evm/block.rs", "use crate::{\n  node::{A, B},\n  state::C,\n};", 2, "`node`");
}

#[test]
fn what_only_looks_like_a_path_is_left_alone() {
    for text in [
        "// use crate::node::Node;",
        "/* use crate::node::Node; */",
        "/// [`Node`](crate::node::Node)\nfn f() {}",
        "const A: &str = \"use crate::node::Node;\";",
        "const A: &str = r#\"crate::node::Node \" redb::Database\"#;",
        "use crate::state::node::Node;",
        "use crate::evm::node::Node;",
        "use super::node::Node;",
        "mod inner { use super::super::node::Node; }",
        "fn f(redb: u8) -> u8 { redb }",
        "fn f() { my::redb::open() }",
        "fn f<'a>(x: &'a u8) -> char { 'a' }",
    ] {
        assert_clean("src/evm/block.rs", text);
    }
}

#[test]
fn tests_may_use_the_test_room_and_nothing_else_of_it() {
    let text = "#[cfg(test)]\nmod tests { use crate::testing::chain; }";
    assert_clean("src/evm/block.rs", text);
    assert_flagged("src/evm/block.rs", "use crate::testing::chain;", 1, "`testing`");
    let after = "#[cfg(test)]\nmod tests { use crate::testing::chain; }\nuse crate::testing::chain;";
    assert_flagged("src/evm/block.rs", after, 3, "`testing`");
    assert_flagged("src/evm/block.rs", "#[cfg(test)]\nmod tests { use crate::node::Node; }", 2, "`node`");
    assert_clean("src/evm/tests/mod.rs", "use crate::testing::chain;");
}

#[test]
fn a_file_of_tests_is_known_from_where_it_is_declared() {
    let source = scan("mod a;\n#[cfg(test)]\nmod samples;\nmod b;").unwrap();
    let modules = test_modules("src/evm/mod.rs", &source);
    assert_eq!(modules, ["src/evm/samples"]);
    assert_eq!(test_modules("src/evm/block.rs", &source), ["src/evm/block/samples"]);
    let files = modules.into_iter().collect();
    assert!(judge("src/evm/samples.rs", "use crate::testing::chain;", &files).is_empty());
    assert!(judge("src/evm/samples/more.rs", "use crate::testing::chain;", &files).is_empty());
    assert_eq!(judge("src/evm/samples_of.rs", "use crate::testing::chain;", &files).len(), 1);
}

#[test]
fn crates_are_named_where_they_belong() {
    for (file, text, part) in [
        ("src/state/rows.rs", "use redb::Database;", "`redb` is named only in storage/"),
        ("rpc/src/view.rs", "fn f(d: &::redb::Database) {}", "`redb`"),
        ("storage/src/store.rs", "use bincode::config;", "`bincode` is named only in storage/src/codec.rs"),
        ("src/chain/build.rs", "use revm::context;", "`revm`"),
        ("src/chain/build.rs", "use {alloy_evm::Evm, std::fmt};", "`alloy_evm`"),
        ("src/node/launch.rs", "use jsonrpsee::core;", "`jsonrpsee`"),
        ("src/node/launch.rs", "use hyper::Request;", "`hyper`"),
        ("src/node/launch.rs", "fn f() -> anyhow::Result<()> { Ok(()) }", "`anyhow`"),
        ("src/keys/mod.rs", "pub use clap::Parser;", "`clap`"),
        ("src/mempool/pool.rs", "#[tokio::main]\nasync fn f() {}", "`tokio`"),
        ("src/anchoring/calls.rs", "use lucid_rpc::Client;", "`lucid_rpc`"),
        ("src/evm/block.rs", "use k256::ecdsa;", "`k256`"),
        ("src/evm/block.rs", "use k256;", "`k256`"),
        ("src/consensus/solo.rs", "use arc_malachitebft_core_types::Round;", "is named only in src/consensus/bft/"),
        ("src/evm/block.rs", "extern crate k256;", "`k256`"),
    ] {
        assert_flagged(file, text, 1, part);
    }
    assert_clean("src/evm/block.rs", "#[cfg(test)]\nmod tests { use k256::ecdsa; }");
    assert_clean("src/evm/block.rs", "use revm::{context, primitives::U256};");
    assert_clean("src/main.rs", "use lucid_node::cli;\nfn main() -> anyhow::Result<()> { cli::run() }");
    assert_flagged("src/main.rs", "use lucid_node::node::Node;", 1, "`main.rs` may not use `node`");
}

#[test]
fn pure_rooms_take_the_world_as_arguments() {
    for text in ["use std::fs;", "use std::{fmt, time::{Duration, SystemTime}};", "fn f() { std::thread::yield_now() }"]
    {
        assert_flagged("src/consensus/solo.rs", text, 1, "in a pure room");
        assert_clean("src/node/clock.rs", text);
    }
    assert_clean("src/consensus/solo.rs", "use std::time::Duration;\n#[cfg(test)]\nmod tests { use std::fs; }");
}

#[test]
fn contents_pages_hold_contents() {
    let page = "//! Docs.\n#![deny(missing_docs)]\nmod a;\n#[cfg(test)]\nmod t;\npub mod b;\npub use a::{A, B};\n\
                #[doc(inline)]\npub(crate) use b::C;";
    assert_clean("src/evm/mod.rs", page);
    assert_clean("types/src/lib.rs", page);
    for text in [
        "fn f() {}",
        "use std::fmt;",
        "mod inner {}",
        "const A: [u8; 1] = [0];",
        "pub struct A;",
        "impl A { fn f() {} }",
        "macro_rules! m { () => {} }",
    ] {
        assert_flagged("src/evm/mod.rs", &format!("mod a;\n{text}"), 2, "a contents page holds docs");
        assert_clean("src/evm/block.rs", text);
        assert_clean("src/evm/tests/mod.rs", text);
    }
    assert_flagged("src/anchoring/checker/mod.rs", "mod a;", 1, "need not be");
}

#[test]
fn unfinished_code_is_flagged() {
    assert_flagged("src/evm/block.rs", "fn f() { todo!() }", 1, "`todo!`");
    assert_flagged("storage/src/store.rs", "fn f() { std::unimplemented!() }", 1, "`unimplemented!`");
    assert_clean("src/evm/block.rs", "// todo!()\nfn f(todo: bool) -> bool { todo != true }");
}

#[test]
fn a_file_that_is_no_rust_is_said_to_be_so() {
    assert_flagged("src/evm/block.rs", "fn f( {", 1, "cannot be read as Rust");
}
