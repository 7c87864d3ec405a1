//! Reads a source file as tokens, so that comments, strings and line breaks cannot hide a path or make one up.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path such as `crate::chain::build` where the code names it. A group in braces gives one path for each member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedPath {
    /// Line of its last segment, from 1: in a group over many lines, that of the member.
    pub(super) line: usize,
    /// Its segments, `*` for a glob.
    pub(super) segments: Vec<String>,
    /// Whether it lies in an item that is only compiled for tests.
    pub(super) in_tests: bool,
    /// How many modules in this file surround it.
    pub(super) nesting: usize,
}

/// What the rules are judged by.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Every path of more than one segment, and whatever `use` names.
    pub(super) paths: Vec<NamedPath>,
    /// Macros that are called, with their lines.
    pub(super) macros: Vec<(usize, String)>,
    /// Modules in files of their own that are only compiled for tests.
    pub(super) test_modules: Vec<String>,
    /// Lines of items that a contents page may not have: anything but `mod name;` and a `use` with a visibility.
    pub(super) other_items: Vec<usize>,
}

/// Reads one file.
pub(super) fn scan(text: &str) -> Result<Source, String> {
    let tokens: TokenStream = text.parse().map_err(|error: proc_macro2::LexError| error.to_string())?;
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut source = Source { other_items: other_items(&tokens), ..Source::default() };
    walk(&tokens, Scope { in_tests: false, nesting: 0 }, &mut source);
    Ok(source)
}

#[derive(Clone, Copy)]
struct Scope {
    in_tests: bool,
    nesting: usize,
}

fn walk(tokens: &[TokenTree], outer: Scope, source: &mut Source) {
    let mut scope = outer;
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                if is_punct(tokens, at.wrapping_sub(1), '#') && is_test_only(group.stream()) {
                    scope.in_tests = true;
                }
                let is_module = at >= 2 && is_ident(tokens, at - 2, "mod");
                let inner = Scope { nesting: scope.nesting + usize::from(is_module), ..scope };
                let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                walk(&tokens, inner, source);
                if group.delimiter() == Delimiter::Brace {
                    scope = outer;
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                if scope.in_tests && at >= 2 && is_ident(tokens, at - 2, "mod") {
                    source.test_modules.push(tokens[at - 1].to_string());
                }
                scope = outer;
            }
            TokenTree::Ident(_) if starts_path(tokens, at) => {
                let mut found = Vec::new();
                let end = read_path(tokens, at, Vec::new(), &mut found);
                if is_call(tokens, end) {
                    source.macros.extend(found.iter().filter_map(|(line, path)| Some((*line, path.last()?.clone()))));
                }
                let (in_tests, nesting) = (scope.in_tests, scope.nesting);
                source.paths.extend(found.into_iter().map(|(line, segments)| NamedPath {
                    line,
                    segments,
                    in_tests,
                    nesting,
                }));
                at = end;
                continue;
            }
            TokenTree::Ident(ident) if is_call(tokens, at + 1) => {
                source.macros.push((ident.span().start().line, ident.to_string()));
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether a path begins here: a name before `::`, or what `use` or `extern crate` is followed by.
fn starts_path(tokens: &[TokenTree], at: usize) -> bool {
    let before = at.wrapping_sub(1);
    // `<T as Trait>::name::more` goes on from a type; a leading `::name` begins a path.
    let goes_on = is_colons(tokens, at.wrapping_sub(2)) && is_punct(tokens, at.wrapping_sub(3), '>');
    !goes_on && (is_colons(tokens, at + 1) || is_ident(tokens, before, "use") || is_ident(tokens, before, "crate"))
}

/// Line and segments of a path.
type Found = (usize, Vec<String>);

/// Reads the path that begins at `at`, and gives the place after it.
fn read_path(tokens: &[TokenTree], mut at: usize, mut segments: Vec<String>, found: &mut Vec<Found>) -> usize {
    let mut line = 0;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => {
                line = ident.span().start().line;
                segments.push(ident.to_string());
            }
            Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => {
                line = punct.span().start().line;
                segments.push("*".to_owned());
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace && !segments.is_empty() => {
                let members: Vec<TokenTree> = group.stream().into_iter().collect();
                for member in members.split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ','))
                {
                    if !member.is_empty() {
                        read_path(member, 0, segments.clone(), found);
                    }
                }
                return at + 1;
            }
            // `Vec::<u8>::new` names nothing more before its `<`.
            _ => {
                found.push((line, segments));
                return at;
            }
        }
        at += 1;
        if !is_colons(tokens, at) {
            found.push((line, segments));
            return at;
        }
        at += 2;
    }
}

/// First lines of the items that a contents page may not have.
fn other_items(tokens: &[TokenTree]) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_punct(tokens, at, '#') {
            at += if is_punct(tokens, at + 1, '!') { 3 } else { 2 };
            continue;
        }
        let start = at;
        while at < tokens.len() && !is_punct(tokens, at, ';') && !is_body(tokens, at) {
            at += 1;
        }
        let public = is_ident(tokens, start, "pub");
        let restricted = public && matches!(&tokens.get(start + 1), Some(TokenTree::Group(_)));
        let keyword = start + usize::from(public) + usize::from(restricted);
        let is_module = is_ident(tokens, keyword, "mod") && is_punct(tokens, at, ';');
        let is_export = public && is_ident(tokens, keyword, "use");
        if !is_module && !is_export {
            lines.push(tokens[start].span().start().line);
        }
        at += 1;
    }
    lines
}

/// Braces that end an item, unlike those of a group of paths.
fn is_body(tokens: &[TokenTree], at: usize) -> bool {
    matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
        && !is_colons(tokens, at.wrapping_sub(2))
}

/// Whether the name before is that of a macro that is called.
fn is_call(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, '!') && matches!(tokens.get(at + 1), Some(TokenTree::Group(_)))
}

/// Whether an attribute is `cfg(test)`, alone or with more conditions.
fn is_test_only(attribute: TokenStream) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text.starts_with("cfg(test)") || text.starts_with("cfg(all(test,")
}

fn is_ident(tokens: &[TokenTree], at: usize, name: &str) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if ident == name)
}

fn is_punct(tokens: &[TokenTree], at: usize, character: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    // `name: ::path` has three, of which the first stands alone.
    matches!(tokens.get(at), Some(TokenTree::Punct(first)) if first.as_char() == ':' && first.spacing() == Spacing::Joint)
        && is_punct(tokens, at + 1, ':')
}
