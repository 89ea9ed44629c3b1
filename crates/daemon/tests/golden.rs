//! Does each configuration give the values, or the errors, that are written beside it?
//!
//! `CARRACK_BLESS=1 cargo test -p carrack-daemon` rewrites what is expected; the difference is then read in review.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use carrack_daemon::config;
use carrack_tls::Identity;

fn bless() -> bool {
    std::env::var_os("CARRACK_BLESS").is_some()
}

/// A folder with all that the golden files name.
fn world() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["home", "other"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    fs::write(dir.path().join("file"), "").unwrap();
    let hash =
        "$argon2id$v=19$m=8,t=1,p=1$+4fpg6OqNcEye+w89WKBHg$wQqyvJlgjyuPFQxUGRaL0pRLOvWGcYFVDQXUBLbDchY";
    let users =
        |more: &str| format!("[[user]]\nname = \"bob\"\npassword = \"{hash}\"\nhome = \"home\"\n{more}");
    fs::write(dir.path().join("users.toml"), users("")).unwrap();
    let more = "passwrd = \"hunter2\"\n[[user]]\nname = \"alice\"\nhome = \"other\"\n[listen]\n";
    fs::write(dir.path().join("malformed-users.toml"), users(more)).unwrap();
    let more = format!("[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nhome = \"nowhere\"\n");
    fs::write(dir.path().join("double-users.toml"), users(&more)).unwrap();
    let more = "[[user]]\nname = \"carol\"\nhome = \"nowhere\"\n";
    fs::write(dir.path().join("wrong-users.toml"), users(more)).unwrap();
    fs::write(dir.path().join("hook-secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let names = ["localhost".to_owned()];
    let (one, two) = (Identity::self_signed(&names).unwrap(), Identity::self_signed(&names).unwrap());
    fs::write(dir.path().join("cert.pem"), one.certificate_pem).unwrap();
    fs::write(dir.path().join("key.pem"), one.key_pem.as_bytes()).unwrap();
    fs::write(dir.path().join("other-key.pem"), two.key_pem.as_bytes()).unwrap();
    fs::copy(dir.path().join("key.pem"), dir.path().join("open-key.pem")).unwrap();
    let stapled = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tls/src/identity/fixtures/staple");
    for (name, fixture) in [
        ("a-cert.pem", "chain.pem"),
        ("a-key.pem", "leaf.key.pem"),
        ("open-key-of-a.pem", "leaf.key.pem"),
        ("a-staple.der", "good.der"),
        ("b-staple.der", "other.der"),
    ] {
        fs::copy(stapled.join(fixture), dir.path().join(name)).unwrap();
    }
    // The issuer before its own.
    let chain = fs::read_to_string(dir.path().join("a-cert.pem")).unwrap();
    let second = chain.rfind("-----BEGIN").unwrap();
    fs::write(dir.path().join("disordered.pem"), format!("{}{}", &chain[second..], &chain[..second]))
        .unwrap();
    for (key, mode) in [
        ("a-key.pem", 0o600),
        ("key.pem", 0o600),
        ("hook-secret", 0o600),
        ("other-key.pem", 0o600),
        ("open-key.pem", 0o640),
    ] {
        fs::set_permissions(dir.path().join(key), fs::Permissions::from_mode(mode)).unwrap();
    }
    dir
}

fn outcome(file: &Path, text: &str, base: &Path) -> String {
    let mut out = String::new();
    match config::parse(text, base) {
        Ok(checked) => {
            out.push_str(&config::show(&checked.own_config()));
            for warning in &checked.warnings {
                let _ = writeln!(out, "\nwarning: {warning}");
            }
        }
        Err(problems) => {
            let file = file.file_name().unwrap().to_string_lossy().into_owned();
            let _ = write!(out, "{}", config::Problems { file, problems });
        }
    }
    let real = fs::canonicalize(base).unwrap();
    out.replace(&*real.to_string_lossy(), "BASE").replace(&*base.to_string_lossy(), "BASE")
}

#[test]
fn configurations() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config");
    let world = world();
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() > 20, "the golden files are gone");
    let mut wrong = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let found = outcome(&file, &text, world.path());
        for secret in ["hunter2", "$argon2id$v=19$m=8", "$pbkdf2-sha512$i=1", "1234"] {
            assert!(!found.contains(secret), "{} gives a password away:\n{found}", file.display());
        }
        let beside = file.with_extension("expected");
        if bless() {
            fs::write(&beside, &found).unwrap();
        } else if fs::read_to_string(&beside).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n\n{}", wrong.join("\n\n"));
}

/// `config show` is itself a configuration that means the same, but for the passwords that it leaves out.
#[test]
fn shown_values_read_back() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config");
    let world = world();
    let text = fs::read_to_string(folder.join("everything.toml")).unwrap();
    let hash = text.lines().find(|line| line.starts_with("password")).unwrap();
    let checked = config::parse(&text, world.path()).unwrap();
    let shown = config::show(&checked.own_config()).replace("# password is set", hash);
    let again =
        config::parse(&shown, Path::new("/")).unwrap_or_else(|problems| panic!("{problems:?}\n{shown}"));
    assert_eq!(again.config, checked.config);
}

#[test]
fn the_manual_is_fresh() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let manual = config::manual();
    if bless() {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &manual).unwrap();
    }
    let stands = fs::read_to_string(&page).unwrap_or_default();
    assert!(stands == manual, "docs/configuration.md is stale; CARRACK_BLESS=1 cargo test -p carrack-daemon");
}

/// Every row is in the schema with its help, and nothing else is allowed.
#[test]
fn the_schema_has_every_row() {
    fn walk(shape: &config::Shape, schema: &serde_json::Value) {
        assert_eq!(schema["additionalProperties"], false);
        for row in shape.rows {
            let property = &schema["properties"][row.key];
            assert!(property["description"].as_str().is_some_and(|help| help.ends_with('.')), "{}", row.key);
            match row.kind {
                config::Kind::Table(inner) => walk(inner, property),
                config::Kind::Tables(inner) => walk(inner, &property["items"]),
                _ => {}
            }
        }
    }
    let schema = config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    walk(&<config::Config as config::Section>::SHAPE, &schema);
    assert_eq!(schema["properties"]["timeouts"]["properties"]["idle_s"]["default"], 300);
}
