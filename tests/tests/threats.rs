//! Is every test there that docs/security/threats.md names, and every rule's row whole?

use std::fs;
use std::path::{Path, PathBuf};

use carrack_tests::pages;

const PAGE: &str = "docs/security/threats.md";

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = pages::read(PAGE);
    let named: Vec<_> =
        page.split('`').skip(1).step_by(2).filter_map(|code| code.rsplit_once("::")).collect();
    assert!(named.len() > 100, "{}", named.len());
    for (file, test) in named {
        let text = fs::read_to_string(source(file)).unwrap_or_else(|error| panic!("{file}::{test}: {error}"));
        // Those that run for many servers or listeners are made by a macro, from their name.
        let is_there = text.contains(&format!("fn {test}()")) || text.contains(&format!("fn {test}("));
        assert!(is_there, "{file} has no {test}");
    }
}

#[test]
fn every_rule_has_a_test_or_a_reason() {
    let page = pages::read(PAGE);
    let mut rules = 0;
    for row in page.lines().filter(|line| line.starts_with("| T")) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [rule, right, _cases, tests] = cells[..] else { panic!("four cells: {row}") };
        assert!(!right.is_empty() && !tests.is_empty(), "{rule} says nothing");
        rules += 1;
    }
    assert!(rules > 60, "{rules}");
}

/// Where a test stands: `crates/…` as it is, one word in `tests/tests/`.
fn source(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match file.starts_with("crates/") {
        true => root.join(file),
        false => root.join("tests/tests").join(file).with_extension("rs"),
    }
}
