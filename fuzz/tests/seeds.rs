//! Does any seed, or any seed that is damaged in the plainest ways, break a promise? Every target, without libFuzzer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use carrack_ftp_proto::verb::TABLE;
use carrack_fuzz::GROUPS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// What a folder holds, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn names(folder: &Path) -> BTreeSet<String> {
    entries(folder).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// Cut at up to 64 places, and a bit flipped at as many.
fn damaged(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let step = (seed.len() / 64).max(1);
    let places = (0..seed.len()).step_by(step);
    let cut = places.clone().map(|at| seed[..at].to_vec());
    let flipped = places.enumerate().map(|(turn, at)| {
        let mut bytes = seed.to_vec();
        bytes[at] ^= 1 << (turn % 8);
        bytes
    });
    cut.chain(flipped)
}

fn replay(group: &str) {
    let (_, targets) = GROUPS.into_iter().find(|(name, _)| *name == group).unwrap();
    for target in targets {
        let seeds = entries(&folder("seeds").join(group).join(target.name));
        assert!(!seeds.is_empty(), "{} has no seed", target.name);
        for path in seeds {
            let seed = fs::read(&path).unwrap();
            (target.run)(&seed);
            damaged(&seed).for_each(|bytes| (target.run)(&bytes));
        }
        (target.run)(b"");
    }
}

#[test]
fn language() {
    replay("language");
}

#[test]
fn machines() {
    replay("machines");
}

#[test]
fn certificates() {
    replay("certificates");
}

#[test]
fn files() {
    replay("files");
}

#[test]
fn wire() {
    replay("wire");
}

#[test]
fn every_folder_of_seeds_is_a_target_and_they_are_small() {
    let groups: BTreeSet<String> = GROUPS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("seeds")), groups);
    let mut size = 0;
    for (group, targets) in GROUPS {
        let folder = folder("seeds").join(group);
        let targets: BTreeSet<String> = targets.iter().map(|target| target.name.to_owned()).collect();
        assert_eq!(names(&folder), targets);
        for path in entries(&folder).iter().flat_map(|folder| entries(folder)) {
            size += fs::metadata(path).unwrap().len();
        }
    }
    assert!(size < 1 << 20, "{size} bytes of seeds");
}

#[test]
fn the_dictionary_names_every_command() {
    let words = TABLE.iter().map(|row| row.name);
    let dictionary: String = words.map(|word| format!("\"{word}\"\n")).collect();
    let path = folder("commands.dict");
    if std::env::var_os("CARRACK_BLESS").is_some() {
        fs::write(&path, &dictionary).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, dictionary, "CARRACK_BLESS=1 cargo test -p carrack-fuzz writes it anew");
}
