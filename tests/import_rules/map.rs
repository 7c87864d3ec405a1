//! The code map in `ARCHITECTURE.md` is the tree as it is.

use super::{holds_files, names, read, root};

/// Folders that headings of the section "Code map" name.
fn mapped_folders(page: &str) -> Vec<String> {
    let section = page.split("\n## ").find(|section| section.starts_with("Code map\n"));
    let section = section.unwrap_or_else(|| panic!("ARCHITECTURE.md has no section \"Code map\""));
    let headings = section.lines().filter(|line| line.starts_with("### ") || line.starts_with("#### "));
    let quoted = headings.flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.map(|name| name.trim_end_matches('/').to_owned()).collect()
}

#[test]
fn the_code_map_names_every_folder_and_no_other() {
    let mapped = mapped_folders(&read("ARCHITECTURE.md"));
    for folder in &mapped {
        assert!(root().join(folder).is_dir(), "ARCHITECTURE.md names {folder}, which is not there");
    }
    let top = names(root());
    let rooms = names(&root().join("src")).into_iter().map(|name| format!("src/{name}"));
    for folder in top.into_iter().chain(rooms) {
        let path = root().join(&folder);
        if path.is_dir() && holds_files(&path) {
            assert!(mapped.contains(&folder), "ARCHITECTURE.md does not name {folder}");
        }
    }
}

#[test]
fn headings_of_the_code_map_are_read() {
    let page = "# A\n\n## Code map\n\n### `rpc/`, a crate\n`docs`\n\n#### `src/keys`\n\n## Else\n\n### `gone`\n";
    assert_eq!(mapped_folders(page), ["rpc", "src/keys"]);
}
