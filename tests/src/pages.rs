//! The pages of the manual, taken apart: blocks, prose, and what stands in backticks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The top of the repository.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// README and the pages of the manual, relative to the top.
pub fn pages() -> Vec<String> {
    let mut pages = vec![String::from("README.md")];
    for entry in fs::read_dir(top().join("docs")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    pages
}

/// The pages of the examples.
pub fn examples() -> Vec<String> {
    let folders = fs::read_dir(top().join("examples")).unwrap().map(Result::unwrap);
    let folders = folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name());
    let mut pages = vec![String::from("examples/README.md")];
    pages.extend(folders.map(|name| format!("examples/{}/README.md", name.into_string().unwrap())));
    pages
}

/// Pages that are made from tables.
const MADE: [&str; 4] = ["/configuration.md", "/conformance.md", "/interop.md", "/peers.md"];

/// The pages that people wrote; the others are made from tables.
pub fn written_pages() -> Vec<String> {
    pages().into_iter().filter(|page| !MADE.iter().any(|made| page.ends_with(made))).collect()
}

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// What stands behind the fence.
    pub word: String,
    /// The line of the page that it begins on.
    pub line: usize,
    /// What it holds.
    pub text: String,
}

/// The fenced blocks of a page, and the rest of it.
pub fn split(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose) = (Vec::new(), String::new());
    let mut open: Option<Block> = None;
    for (number, line) in read(page).lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(word)) => {
                open = Some(Block { word: word.to_owned(), line: number + 1, text: String::new() });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text += &format!("{line}\n"),
            (None, None) => prose += &format!("{line}\n"),
        }
    }
    assert!(open.is_none(), "{page}: a fence is left open: {open:?}");
    (blocks, prose)
}

/// The blocks of a page that are fenced with this word.
pub fn blocks(page: &str, word: &str) -> Vec<Block> {
    split(page).0.into_iter().filter(|block| block.word == word).collect()
}

/// What stands in backticks in the prose of a page.
pub fn quoted(page: &str) -> BTreeSet<String> {
    split(page).1.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The series that the source registers, without prefix and suffix.
pub fn series() -> BTreeSet<String> {
    let read = |file: &str| read(&format!("crates/daemon/src/metrics/{file}.rs"));
    let counted = read("mod") + &read("users");
    // However it is folded.
    let asked = read("load").split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let registered = counted.split("registry.register(").skip(1);
    let encoded = asked.split("gauge(encoder, ").skip(1).chain(asked.split("encode_descriptor(").skip(1));
    // A row is a name and a sentence.
    let has_help =
        |rest: &&str| rest.split('"').nth(2).is_some_and(|help| help.starts_with(char::is_uppercase));
    let rows = asked.split(" (\"").skip(1).filter(has_help).map(|rest| format!("\"{rest}"));
    let named = registered.chain(encoded).map(str::to_owned).chain(rows);
    let names =
        named.filter_map(|rest| Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned()));
    names.collect()
}

/// The arguments of a macro whose opening parenthesis has just been read.
pub fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut depth, mut in_string, mut current) = (Vec::new(), 0, false, String::new());
    for c in text.chars() {
        match c {
            '"' => in_string = !in_string,
            '(' | '[' | '{' if !in_string => depth += 1,
            ')' if !in_string && depth == 0 => break,
            ')' | ']' | '}' if !in_string => depth -= 1,
            ',' if !in_string && depth == 0 => {
                found.push(std::mem::take(&mut current).trim().to_owned());
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    found.push(current.trim().to_owned());
    found.retain(|argument| !argument.is_empty());
    found
}
