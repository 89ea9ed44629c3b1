//! The rules of sessions and uploads, run against every store; and what only a disk can get wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod at_once;
mod attributes;
mod combining;
mod crash;
mod digests;
mod disk;
mod faults;
mod machine;
mod permissions;
mod resuming;
mod uploads;
mod world;
