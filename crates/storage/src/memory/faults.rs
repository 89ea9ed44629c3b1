//! When does the memory store fail? At operations chosen in advance, so that a test can be repeated.

use carrack_core::error::{Error, ErrorKind, Result};

/// A plan of failures. Every call of the store and of its open files is one operation, counted from 1.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    plan: Plan,
    count: u64,
}

#[derive(Clone, Copy, Debug)]
enum Plan {
    Never,
    At { operation: u64, kind: ErrorKind },
    Seeded { state: u64, one_in: u64, kind: ErrorKind },
}

impl Faults {
    /// No failures.
    pub const NONE: Faults = Faults { plan: Plan::Never, count: 0 };

    /// The `operation`th operation fails in this way, once.
    pub fn at(operation: u64, kind: ErrorKind) -> Faults {
        Faults { plan: Plan::At { operation, kind }, count: 0 }
    }

    /// About one operation in `one_in` fails in this way; the same ones for the same seed.
    pub fn seeded(seed: u64, one_in: u64, kind: ErrorKind) -> Faults {
        Faults { plan: Plan::Seeded { state: seed, one_in: one_in.max(1), kind }, count: 0 }
    }

    /// How many operations there were so far.
    pub fn operations(&self) -> u64 {
        self.count
    }

    /// One more operation: whether it fails.
    pub(super) fn pass(&mut self) -> Result<()> {
        self.count += 1;
        let failing = match &mut self.plan {
            Plan::Never => None,
            Plan::At { operation, kind } => (*operation == self.count).then_some(*kind),
            Plan::Seeded { state, one_in, kind } => split_mix(state).is_multiple_of(*one_in).then_some(*kind),
        };
        failing.map_or(Ok(()), |kind| Err(Error::new(kind)))
    }
}

/// SplitMix64, the generator that needs no state but a counter.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
