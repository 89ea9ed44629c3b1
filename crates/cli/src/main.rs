//! The program `carrack`.
fn main() {}
