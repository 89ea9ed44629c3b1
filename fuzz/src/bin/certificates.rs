//! libFuzzer over the targets of `carrack_fuzz::certificates`.
#![no_main]

use std::sync::LazyLock;

use carrack_fuzz::{Target, certificates, chosen};

static TARGET: LazyLock<&Target> = LazyLock::new(|| chosen(certificates::TARGETS));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
