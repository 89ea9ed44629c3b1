//! libFuzzer over the targets of `carrack_fuzz::machines`.
#![no_main]

use std::sync::LazyLock;

use carrack_fuzz::{Target, chosen, machines};

static TARGET: LazyLock<&Target> = LazyLock::new(|| chosen(machines::TARGETS));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
