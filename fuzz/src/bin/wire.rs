//! libFuzzer over the targets of `carrack_fuzz::wire`.
#![no_main]

use std::sync::LazyLock;

use carrack_fuzz::{Target, chosen, wire};

static TARGET: LazyLock<&Target> = LazyLock::new(|| chosen(wire::TARGETS));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
