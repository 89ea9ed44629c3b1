//! How is standard output written, whose reader may go away as `head` does?
//!
//! Each leaves the function with what came of it: a reader that has gone ends the command well ([`Failure`](crate::exit::Failure)).

/// Writes a line.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($words)*)?
    }};
}

/// Writes a text that has its lines already.
macro_rules! say_text {
    ($text:expr) => {{
        use std::io::Write as _;
        std::io::stdout().write_all($text.as_bytes())?
    }};
}
