//! The rules of the house that a program can check: which crate may know which, what may come in, and how files look.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

mod deny;

/// For each crate of ours, the crates of ours that it may know. Everything else is an arrow that points up.
const ARROWS: [(&str, &[&str]); 12] = [
    ("core", &[]),
    ("ftp-proto", &[]),
    ("tls", &[]),
    ("net", &["tls"]),
    ("storage", &["core"]),
    ("records", &["core"]),
    ("ftp-server", &["ftp-proto", "tls", "net", "core"]),
    ("ftp-client", &["ftp-proto", "tls"]),
    ("daemon", &["ftp-server", "storage", "records", "core", "net", "tls"]),
    ("cli", &["daemon", "ftp-client", "ftp-proto", "tls", "core"]),
    ("fuzz", &["core", "daemon", "ftp-client", "ftp-proto", "ftp-server", "net", "tls"]),
    ("tests", &["core", "ftp-proto", "records", "storage", "tls"]),
];

/// What a crate may use beside in its own tests.
const TEST_ARROWS: [(&str, &[&str]); 2] = [("ftp-server", &["storage"]), ("tests", &["ftp-server", "net"])];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "common", "helpers", "misc", "manager"];

/// The files with unsafe code: calls of the operating system that no safe crate makes. `SECURITY.md` names them, and `scripts/sanitizers`
/// watches them.
const UNSAFE: [&str; 3] =
    ["crates/storage/src/local/sys.rs", "crates/tls/src/data/sys.rs", "crates/daemon/src/sandbox/sys.rs"];

/// Files above 500 lines, each with the reason why it is one file.
const LONG: [(&str, &str); 0] = [];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What cargo prints, without asking any registry.
fn cargo(arguments: &[&str]) -> Vec<u8> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(program).args(arguments).arg("--offline").current_dir(root()).output().unwrap();
    assert!(run.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

/// Every file of the project with one of these endings, as path relative to the root.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with("target") && (!name.starts_with('.') || name == ".ci") {
                    walk(&path, endings, found);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), endings, &mut found);
    found.iter().map(|path| path.strip_prefix(root()).unwrap().to_owned()).collect()
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned()
}

/// Lines that break a rule, as `path:line: text`.
fn lines_with(files: &[PathBuf], breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in files {
        for (number, line) in text(path).lines().enumerate().filter(|(_, line)| breaks(line)) {
            found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
        }
    }
    found
}

#[test]
fn arrows_point_down() {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let short = |name: &Value| name.as_str().unwrap().strip_prefix("carrack-").map(str::to_owned);
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into();
    let in_tests: BTreeMap<&str, &[&str]> = TEST_ARROWS.into();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let from = short(&package["name"]).expect("every package is named carrack-…");
        let Some(may) = allowed.get(from.as_str()) else {
            wrong.push(format!("{from} is not in the list of crates"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(to) = short(&dependency["name"]) else { continue };
            let in_test = dependency["kind"] == "dev"
                && in_tests.get(from.as_str()).is_some_and(|may| may.contains(&&*to));
            if !may.contains(&to.as_str()) && !in_test {
                wrong.push(format!("{from} must not know {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is built in a workspace for these systems, with what its tests and builds take.
fn built(manifest: &str, targets: &[&str]) -> BTreeSet<deny::Built> {
    // Not the lock file: it also names what only a feature that nobody switches on would bring.
    let mut arguments = vec!["tree", "--locked", "--workspace", "--manifest-path", manifest];
    arguments.extend(["--edges", "normal,build,dev", "--prefix", "none", "--format", deny::FORMAT]);
    arguments.extend(targets.iter().flat_map(|target| ["--target", *target]));
    deny::built(&String::from_utf8(cargo(&arguments)).unwrap())
}

#[test]
fn what_is_built_keeps_to_deny_toml() {
    let rules = deny::Rules::read(&text(Path::new("deny.toml")));
    let mut skipped: BTreeSet<&str> = rules.skipped().collect();
    for workspace in ["", "fips/"] {
        let crates = built(&format!("{workspace}Cargo.toml"), &rules.targets());
        assert!(crates.len() > 100, "{workspace}: {}", crates.len());
        let broken = rules.broken_by(&crates);
        assert!(broken.is_empty(), "{workspace}Cargo.toml: {broken:#?}");
        let unknown = rules.unknown_sources(&text(Path::new(&format!("{workspace}Cargo.lock"))));
        assert!(unknown.is_empty(), "{workspace}Cargo.lock: {unknown:#?}");
        skipped.retain(|spec| !crates.iter().any(|one| one.is(spec)));
    }
    assert!(skipped.is_empty(), "skipped, and not there any more: {skipped:?}");
}

#[test]
fn what_breaks_deny_toml_is_told() {
    let rules = deny::Rules::read(&text(Path::new("deny.toml")));
    let broken = |tree: &str| rules.broken_by(&deny::built(tree));
    let right = "MIT/Apache-2.0|tokio v1.54.0\nMIT/Apache-2.0|tokio v1.54.0 (*)\n\n\
        (MPL-2.0 OR MIT) AND Unicode-3.0|one v1.0.0 (proc-macro)\nISC AND OpenSSL|aws-lc-fips-sys v0.13.17 (*)\n\
        MIT|syn v2.0.119\nMIT|syn v3.0.9\n";
    assert_eq!(broken(right), [""; 0]);
    for (tree, told) in [
        ("GPL-3.0-only|one v1.0.0", r#"one 1.0.0 is under "GPL-3.0-only""#),
        ("|one v1.0.0", r#"one 1.0.0 is under """#),
        ("MIT AND (MPL-2.0 OR GPL-2.0-only)|one v1.0.0", r#"under "MIT AND"#),
        ("MIT AND MPL-2.0 OR GPL-2.0-only|one v1.0.0", r#"under "MIT AND"#),
        ("Apache-2.0 WITH LLVM-exception|one v1.0.0", "WITH LLVM-exception"),
        ("OpenSSL|one v1.0.0", r#"one 1.0.0 is under "OpenSSL""#),
        ("MIT|ring v0.17.14", "ring 0.17.14 is banned"),
        ("MIT|one v1.0.0\nMIT|one v1.1.0 (*)", r#"one is there as ["1.0.0", "1.1.0"]"#),
        (
            "MIT|syn v2.0.119\nMIT|syn v2.1.0\nMIT|syn v3.0.9\nMIT|syn v20.0.0",
            r#"syn is there as ["20.0.0", "3.0.9"]"#,
        ),
    ] {
        let broken = broken(tree);
        assert!(broken.len() == 1 && broken[0].contains(told), "{tree}: {broken:?}");
    }
    let lock = |source: &str| rules.unknown_sources(&format!("[[package]]\nname = \"one\"\n{source}"));
    assert_eq!(lock(""), [""; 0]);
    for source in
        ["registry+https://crates.example/index", "git+https://github.com/rust-lang/crates.io-index#0"]
    {
        assert_eq!(lock(&format!("source = {source:?}")), [source]);
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    let silent: Vec<_> = files(&[".rs"]).into_iter().filter(|path| !text(path).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "no first sentence (//!): {silent:#?}");
}

#[test]
fn no_file_is_longer_than_500_lines_without_a_reason() {
    let excused: BTreeMap<&str, &str> = LONG.into();
    let long: Vec<_> = files(&[".rs"])
        .into_iter()
        .filter(|path| !excused.contains_key(path.to_str().unwrap()) && text(path).lines().count() > 500)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn names_say_what_is_inside() {
    let empty: Vec<_> = files(&[".rs"])
        .into_iter()
        .filter(|path| {
            path.iter().any(|part| EMPTY_NAMES.contains(&part.to_str().unwrap().trim_end_matches(".rs")))
        })
        .collect();
    assert!(empty.is_empty(), "{empty:#?}");
}

#[test]
fn nothing_is_left_to_do_and_no_test_sleeps() {
    // Spelled in two parts, so that this file does not break its own rules.
    let unfinished = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("db", "g!(")];
    let found = lines_with(&files(&[".rs"]), |line| unfinished.iter().any(|word| line.contains(word)));
    assert!(found.is_empty(), "{found:#?}");
    let is_test = |path: &PathBuf| path.starts_with("tests") || path.ends_with("tests.rs");
    let tests: Vec<PathBuf> = files(&[".rs", ".py"]).into_iter().filter(is_test).collect();
    let found = lines_with(&tests, |line| line.contains(concat!("sle", "ep(")));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/."), concat!("/tmp/", "carrack")];
    let found = lines_with(
        &files(&[".rs", ".toml", ".md", ".py", ".sh", "test", "run", "big-files", "peers"]),
        |line| folders.iter().any(|folder| line.contains(folder)),
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_code_stands_only_where_the_operating_system_is_called() {
    let (inside, outside): (Vec<PathBuf>, Vec<PathBuf>) =
        files(&[".rs"]).into_iter().partition(|path| UNSAFE.contains(&path.to_str().unwrap()));
    let word = concat!("uns", "afe");
    let has_some = |line: &str| {
        let code = line.split("//").next().unwrap();
        // Every crate denies it, and may be told otherwise.
        [" {", " fn ", " impl ", " extern ", "(", "_code)"]
            .iter()
            .any(|next| code.contains(&format!("{word}{next}")))
            && !["deny(", "forbid("].iter().any(|lint| code.contains(&format!("{lint}{word}_code)")))
    };
    let found = lines_with(&outside, has_some);
    assert!(found.is_empty(), "{found:#?}");
    for path in &inside {
        let text = text(path);
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("#![allow")).collect();
        let blocks: Vec<usize> = (0..lines.len()).filter(|&at| has_some(lines[at])).collect();
        assert!(!blocks.is_empty(), "{path:?} has none any more");
        for at in blocks {
            let argued = lines[at.saturating_sub(4)..at].iter().any(|line| line.contains("// SAFETY: "));
            assert!(argued, "{path:?}: why is this sound? {}", lines[at]);
        }
    }
    assert_eq!(inside.len(), UNSAFE.len(), "{inside:?}");
    let page = text(Path::new("SECURITY.md"));
    for path in UNSAFE {
        assert!(page.contains(path.strip_prefix("crates/").unwrap()), "SECURITY.md does not name {path}");
    }
}

#[test]
fn every_file_of_tests_is_in_the_program() {
    let folder = root().join("tests/tests");
    let program = fs::read_to_string(folder.join("all.rs")).unwrap();
    let named: BTreeSet<&str> =
        program.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    let there: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let there: BTreeSet<&str> = there
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap())
        .filter(|name| *name != "all")
        .collect();
    assert_eq!(named, there);
}
