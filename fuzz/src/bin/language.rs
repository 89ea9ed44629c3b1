//! libFuzzer over the targets of `carrack_fuzz::language`.
#![no_main]

use std::sync::LazyLock;

use carrack_fuzz::{Target, chosen, language};

static TARGET: LazyLock<&Target> = LazyLock::new(|| chosen(language::TARGETS));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
