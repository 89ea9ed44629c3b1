//! libFuzzer over the targets of `carrack_fuzz::files`.
#![no_main]

use std::sync::LazyLock;

use carrack_fuzz::{Target, chosen, files};

static TARGET: LazyLock<&Target> = LazyLock::new(|| chosen(files::TARGETS));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
