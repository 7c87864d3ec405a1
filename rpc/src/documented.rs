//! Holds docs/rpc.md against the program: its methods with what they need, and its bounds with their values.

use crate::{
    access::Scope,
    interface::{METHODS, Need},
};
use std::{collections::BTreeSet, fs, path::Path};

/// The page.
pub(crate) fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rpc.md")).unwrap()
}

/// The rows of the page's tables whose first cell is code, as name and second cell.
fn rows() -> BTreeSet<(String, String)> {
    let page = page();
    let rows = page.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let cell = rest.split('|').next()?.trim();
        Some((name.to_owned(), cell.to_owned()))
    });
    rows.collect()
}

#[test]
fn every_method_is_there_with_what_it_needs() {
    let need = |need: Need| match need {
        Need::Nothing => String::new(),
        Need::Token(scope) => format!("scope `{scope}`"),
        Need::ToSign(scope) => format!("scope `{scope}`, where the node is to sign"),
        Need::Namespace(namespace) => format!("on loopback, or where `{namespace}` is offered by name"),
    };
    let expected: BTreeSet<_> = METHODS.iter().map(|(name, what)| ((*name).to_owned(), need(*what))).collect();
    let is_method = |name: &str| name.contains('_') && name.starts_with(|first: char| first.is_lowercase());
    let found: BTreeSet<_> = rows().into_iter().filter(|(name, _)| is_method(name)).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_bound_is_there_with_its_value() {
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/limits.rs")).unwrap();
    let mut expected = BTreeSet::new();
    for line in source.lines() {
        let Some((name, value)) = line.strip_prefix("pub const ").and_then(|line| line.split_once(": ")) else {
            continue;
        };
        let value = value.split_once(" = ").unwrap().1.trim_end_matches(';');
        let value: u64 =
            value.split('*').map(|factor| factor.trim().replace('_', "").parse::<u64>().unwrap()).product();
        // Those of the client bound nobody but ourselves.
        if !name.starts_with("CLIENT_") {
            expected.insert((name.to_owned(), grouped(value)));
        }
    }
    let is_bound = |name: &str| name.contains('_') && !name.contains("LUCID") && *name == name.to_uppercase();
    let found: BTreeSet<_> = rows().into_iter().filter(|(name, _)| is_bound(name)).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_scope_is_there() {
    for scope in Scope::ALL {
        assert_eq!(rows().iter().filter(|(name, _)| name == scope.name()).count(), 1, "{scope}");
        assert!(page().contains(&format!("tokens/{scope}")), "{scope}");
    }
}

/// A number with its thousands apart.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
