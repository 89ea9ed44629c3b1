//! "Why was I refused?": every refusal that a client can meet is provoked, and the log has to name the option that it was because of.

mod rows;
mod ways;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use carrack_tests::pages::read;
use carrack_tests::programs::needs;

use rows::{CONNECTIONS, DEADLINES, LIMITS, LOGINS, RIGHTS, Row, TLS};

/// What only meets who comes from another machine.
const FROM_AFAR: &[(&str, &str)] =
    &[("passive.public_address", "tests/tests/addresses.rs: a client of this machine is told where it came")];

/// All of them.
fn rows() -> impl Iterator<Item = &'static Row> {
    [CONNECTIONS, DEADLINES, TLS, LOGINS, LIMITS, RIGHTS].into_iter().flatten()
}

/// Provokes each, and insists on the line that says why.
fn walk(rows: &[Row]) {
    if !needs(&["openssl"]) {
        return;
    }
    for Row { option, event, why, provoke } in rows {
        let server = provoke();
        let line =
            server.logged(event, |line| line.text("option") == *option && line.text("why").contains(why));
        assert!(!line.text("why").is_empty() || line.is("limit_reached"), "{}", line.raw);
    }
}

#[test]
fn connections_that_are_not_let_in() {
    walk(CONNECTIONS);
}

#[test]
fn time_that_is_over() {
    walk(DEADLINES);
}

#[test]
fn what_is_not_protected_as_it_has_to_be() {
    walk(TLS);
}

#[test]
fn logins() {
    walk(LOGINS);
}

#[test]
fn limits() {
    walk(LIMITS);
}

#[test]
fn what_a_user_may_not_do() {
    walk(RIGHTS);
}

/// Keys of the configuration, as docs/configuration.md has them.
fn keys() -> BTreeSet<String> {
    let page = read("docs/configuration.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("### `"));
    headings.map(|heading| heading.trim_end_matches('`').to_owned()).collect()
}

#[test]
fn every_option_that_is_named_can_be_set() {
    let keys = keys();
    for Row { option, .. } in rows() {
        let is_a_word = *option == "ban by the operator" || option.is_empty();
        assert!(is_a_word || keys.contains(*option), "there is no option {option}");
    }
}

/// The words in quotes behind `begin` in a source, up to its `end`.
fn quoted_between(source: &str, begin: &str, end: &str) -> Vec<String> {
    let text = read(source);
    let mut found = Vec::new();
    // What is only declared has no body, and names nothing.
    let has_body = |piece: &&str| piece.lines().next().is_some_and(|line| !line.ends_with("str;"));
    for piece in text.split(begin).skip(1).filter(has_body) {
        let piece = piece.split(end).next().unwrap();
        found.extend(piece.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    found
}

/// Every source of a crate.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}

#[test]
fn every_refusal_of_the_source_has_its_row() {
    let walked: BTreeSet<&str> =
        rows().map(|row| row.option).chain(FROM_AFAR.iter().map(|far| far.0)).collect();
    let mut named = BTreeSet::new();
    let top = carrack_tests::pages::top();
    for folder in [
        "crates/core/src",
        "crates/net/src",
        "crates/ftp-proto/src",
        "crates/ftp-server/src",
        "crates/tls/src",
    ] {
        for source in sources(&top.join(folder)) {
            named.extend(quoted_between(&source, ".because_of(", ")"));
            named.extend(quoted_between(&source, "fn option(", "\n    }\n"));
            named.extend(quoted_between(&source, "const OF_", ";"));
        }
    }
    // Limits are named where they are read.
    named.extend(quoted_between("crates/daemon/src/limits.rs", "nearest(", "),\n        "));
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|option| !walked.contains(option.as_str())).collect();
    assert!(missing.is_empty(), "no row provokes {missing:?}");
    // Reasons that no option is behind.
    let reasons = quoted_between("crates/core/src/login.rs", "pub const fn as_str(self)", "\n    }\n");
    assert!(reasons.len() > 4);
    for reason in reasons {
        assert!(
            rows().any(|row| !row.why.is_empty() && reason.contains(row.why)),
            "no row provokes {reason:?}"
        );
    }
}
