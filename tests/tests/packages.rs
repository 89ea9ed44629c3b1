//! What the packages are made of is whole and right, without making them; `scripts/packages` makes and tries them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use carrack_tests::pages::{read, top};
use carrack_tests::programs::{Program, needs};
use carrack_tests::server::program;
use carrack_tests::setup::password_hash;
use serde_json::Value;

fn check(text: &str) -> carrack_tests::programs::Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("carrack.toml");
    let here = |text: &str, name: &str| {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        text.replace(&format!("\"/{name}"), &format!("\"{}", folder.path().join(name).display()))
    };
    fs::write(&file, here(&here(text, "srv"), "var")).unwrap();
    fs::create_dir_all(folder.path().join("srv/alice")).unwrap();
    Program::new(program()).args(["config", "check"]).arg(&file).run()
}

#[test]
fn the_configuration_of_the_package_lets_nobody_in_and_its_example_passes() {
    let shipped = read("packaging/deb/carrack.toml");
    let run = check(&shipped).fails();
    assert!(run.stderr.contains("there is no [[user]]"), "{}", run.report());
    assert_eq!(run.stderr.matches("mend:").count(), 1, "nothing else is wrong with it: {}", run.report());
    let (before, user) = shipped.split_once("# [[user]]").unwrap();
    let user: String = user.lines().map(|line| line.trim_start_matches("# ")).collect::<Vec<_>>().join("\n");
    let user = user.replace("$argon2id$…", &password_hash("a password"));
    check(&format!("{before}[[user]]{user}")).ok();
}

#[test]
fn maintainer_scripts_and_ours_are_sound_shell() {
    if !needs(&["shellcheck"]) {
        return;
    }
    let scripts =
        fs::read_dir(top().join("packaging/deb/scripts")).unwrap().map(|entry| entry.unwrap().path());
    let scripts: Vec<_> = scripts.collect();
    assert_eq!(scripts.len(), 3, "{scripts:?}");
    Program::new("shellcheck").args(&scripts).run().ok();
    let ours = [
        "package",
        "packages",
        "figures.sh",
        "torture",
        "kills",
        "cuts",
        "lossy",
        "load",
        "soak",
        "deny",
        "sanitizers",
    ]
    .map(|script| top().join("scripts").join(script));
    Program::new("shellcheck").args(["-x", "--severity=warning"]).args(ours).folder(top()).run().ok();
}

#[test]
fn every_file_of_the_package_is_there() {
    let manifest = read("crates/cli/Cargo.toml");
    let assets: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("    [\"")).collect();
    assert!(assets.len() > 10, "{assets:?}");
    for asset in assets {
        let source = asset.split('"').next().unwrap();
        // Those are made by scripts/package.
        if source.starts_with("target/") || source.starts_with("../../target/") {
            continue;
        }
        let path = top().join("crates/cli").join(source.split('*').next().unwrap());
        assert!(path.exists(), "{source}");
    }
    assert!(manifest.contains("maintainer-scripts = \"../../packaging/deb/scripts\""));
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    if !needs(&["systemd-analyze"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = read("packaging/systemd/carrack.service");
    // It takes openat2, by which paths are resolved, away.
    assert!(!unit.lines().any(|line| line.starts_with("RestrictSUIDSGID=")), "no path can be resolved then");
    let file = folder.path().join("carrack.service");
    fs::write(&file, unit.replace("/usr/bin/carrack", &program().display().to_string())).unwrap();
    let run = Program::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).run().ok();
    assert!(!run.stderr.contains("carrack.service"), "{}", run.report());
}

#[test]
fn the_sbom_has_what_is_linked_and_nothing_of_the_tests() {
    if !needs(&["python3", "cargo"]) {
        return;
    }
    let run = Program::new(top().join("packaging/sbom")).run().ok();
    let bill: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    let components = bill["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components.iter().map(|one| one["name"].as_str().unwrap()).collect();
    for linked in ["rustls", "aws-lc-sys", "tokio", "carrack-core"] {
        assert!(names.contains(linked), "{linked} is not in it");
    }
    for of_tests in ["criterion", "proptest", "tempfile", "carrack-tests"] {
        assert!(!names.contains(of_tests), "{of_tests} is in it");
    }
    for one in components {
        let is_ours = one["name"].as_str().unwrap().starts_with("carrack-");
        assert!(one["licenses"][0]["expression"].is_string(), "{one}");
        assert_eq!(one["hashes"][0]["content"].as_str().map(str::len), (!is_ours).then_some(64), "{one}");
    }
    let refs: BTreeSet<&str> = components
        .iter()
        .chain([&bill["metadata"]["component"]])
        .map(|one| one["bom-ref"].as_str().unwrap())
        .collect();
    for dependency in bill["dependencies"].as_array().unwrap() {
        for needed in dependency["dependsOn"].as_array().unwrap() {
            assert!(refs.contains(needed.as_str().unwrap()), "{needed}");
        }
    }
    assert!(Path::new(&top().join("packaging/Containerfile")).exists());
}
