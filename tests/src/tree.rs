//! Files to move: bytes made from a seed, trees of them, and the comparison by SHA-256.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

/// The sizes at which transfers break: nothing, one byte, both sides of a buffer, and several MiB.
pub const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 5 << 20];

/// Names that clients and servers quote, split or take for options.
pub const NAMES: [&str; 8] = [
    "plain.txt",
    "two words.txt",
    " leading space",
    "-leading-dash",
    "--help",
    "Grüße aus Köln.txt",
    "東京.bin",
    "semi;colon & 'quote' \"double\" #hash %41",
];

/// `length` bytes that look random and are the same for the same seed (SplitMix64).
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        out.extend_from_slice(&(word ^ (word >> 31)).to_le_bytes());
    }
    out.truncate(length);
    out
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of bytes in memory.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(aws_lc_rs::digest::digest(&SHA256, bytes).as_ref())
}

/// The SHA-256 of a file, read in pieces.
pub fn sha256_of(path: &Path) -> String {
    let mut file = File::open(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return hexadecimal(context.finish().as_ref()),
            read => context.update(&buffer[..read]),
        }
    }
}

/// Writes a file of seeded bytes, with the folders above it, and says where it is.
pub fn file(folder: &Path, name: &str, seed: u64, length: usize) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes(seed, length)).unwrap();
    path
}

/// Makes `count` small files (0 to about 4 KiB) spread over folders of a hundred.
pub fn many_small_files(folder: &Path, count: usize) {
    for number in 0..count {
        let name = format!("folder {:02}/file-{number:05}.bin", number / 100);
        file(folder, &name, number as u64, number * 37 % 4096);
    }
}

/// Every file beneath a folder with its SHA-256, by path relative to the folder. Folders end in `/`; sockets hold nothing.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
    fn walk(top: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let relative = path.strip_prefix(top).unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                found.insert(relative.join(""), String::from("folder"));
                walk(top, &path, found);
            } else if entry.file_type().unwrap().is_file() {
                found.insert(relative, sha256_of(&path));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

/// Panics unless both folders hold the same names with the same bytes.
pub fn assert_same(expected: &Path, got: &Path) {
    let (expected, got) = (contents(expected), contents(got));
    let missing: Vec<_> =
        expected.iter().filter(|(path, hash)| got.get(*path) != Some(hash)).take(5).collect();
    let surplus: Vec<_> = got.keys().filter(|path| !expected.contains_key(*path)).take(5).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing or different: {missing:?}; surplus: {surplus:?}"
    );
}

/// The names in a folder of the disk, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
