//! Figures: how far a test goes when a script of `scripts/` asks for its long form, and the lines that `scripts/figures` makes
//! `docs/security/figures.md` of.

use std::fmt::Display;

/// How many, from that variable of the environment, which a script sets; `short` in `./test`.
pub fn how_many(variable: &str, short: usize) -> usize {
    std::env::var(variable).map_or(short, |given| {
        given.parse().unwrap_or_else(|why| panic!("{variable}={given:?} is no number: {why}"))
    })
}

/// Prints what was reached beside what has to be reached in the long form.
pub fn figure(what: impl Display, bar: impl Display, reached: impl Display) {
    println!("figure: {what} | {bar} | {reached}");
}
