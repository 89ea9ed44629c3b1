//! What meets a stranger's bytes, as fuzz targets: a row each, in one table for each binary.
//!
//! A target is a function that takes any bytes and panics where a promise is broken: not only by crashing, but by reading
//! pieces otherwise than the whole, by a name with a slash in it, by a reply that holds a second one.
//!
//! ```text
//! scripts/fuzz ─► fuzz-language, fuzz-machines … (libFuzzer, coverage) ─┐
//!                                                                        ├─► Target::run(bytes)
//! cargo test   ─► tests/seeds.rs (every seed, and every seed damaged) ───┘
//! ```
//!
//! What it does not do: TLS itself (rustls has fuzz targets of its own), sockets, files.
#![forbid(unsafe_code)]

pub mod certificates;
pub mod files;
pub mod language;
pub mod machines;
pub mod wire;

mod input;

use input::Input;

/// Names the target in the environment of a binary.
pub const CHOICE: &str = "CARRACK_FUZZ_TARGET";

/// One thing that takes any bytes.
#[derive(Debug)]
pub struct Target {
    /// Its name: the folder of its seeds.
    pub name: &'static str,
    /// Takes the bytes; panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// All targets, by the binary that they are in. A binary has what one crate of ours reads, so that libFuzzer need not look
/// at the counters of the others after every run.
pub const GROUPS: [(&str, &[Target]); 5] = [
    ("language", language::TARGETS),
    ("machines", machines::TARGETS),
    ("certificates", certificates::TARGETS),
    ("files", files::TARGETS),
    ("wire", wire::TARGETS),
];

/// The target that the environment names.
///
/// # Panics
/// Where it names none of these.
#[must_use]
pub fn chosen(targets: &'static [Target]) -> &'static Target {
    let name = std::env::var(CHOICE).unwrap_or_default();
    let names = || targets.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    targets
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("{CHOICE} is one of {}", names()))
}
