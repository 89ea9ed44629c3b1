//! Thousands of sessions of our client with our server over wires that do what they like; `docs/security/simulation.md`.
//!
//! `./test` tries some thousands; `CARRACK_SIMULATIONS=N` (`scripts/simulate`) tries N. `SEED=N` tries one.

use std::panic::catch_unwind;

use carrack_fuzz::machines::{Ends, simulate};

/// How many sessions `./test` tries.
const SEEDS: u64 = 5_000;

/// How many choices a session has before all goes well.
const CHOICES: usize = 600;

/// The choices of a seed (SplitMix64).
fn choices(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    });
    words.flatten().take(CHOICES).collect()
}

#[test]
fn client_and_server_come_to_the_same_end_whatever_the_wires_do() {
    let given = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let seeds = match given("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("CARRACK_SIMULATIONS").unwrap_or(SEEDS),
    };
    let (mut ends, mut wrong, tried) = (Ends::default(), Vec::new(), seeds.clone().count());
    for seed in seeds {
        match catch_unwind(|| simulate(&choices(seed))) {
            Ok(end) => ends.add(end),
            Err(_) => wrong.push(seed),
        }
    }
    println!("sessions {tried}");
    println!("{ends:?}");
    println!("broken promises {}", wrong.len());
    assert!(wrong.is_empty(), "SEED={} and {} more", wrong[0], wrong.len() - 1);
    if tried > 1_000 {
        // All of it happens.
        let Ends { complete, broken, refused, typed, unreachable, failed } = ends;
        assert!(
            [complete, broken, refused, typed, unreachable, failed].iter().all(|count| *count > 0),
            "{ends:?}"
        );
    }
}
