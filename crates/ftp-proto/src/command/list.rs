//! Where does the path begin in `LIST -la dir`?
//!
//! RFC 959 knows no options, and clients send those of `ls`. They are dropped, for a listing already shows what `-a` and
//! `-l` ask for and is never recursive. A name that begins with a dash is reached by `./-name` or behind `--`.

use super::PathArgument;

/// The path behind any number of options, or nothing.
pub(super) fn path_behind_options(argument: &[u8]) -> Option<PathArgument> {
    let mut rest = argument;
    loop {
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end)?;
        let behind = behind.strip_prefix(b" ").unwrap_or(behind);
        match word {
            b"--" => return PathArgument::new(behind),
            [b'-', letters @ ..] if !letters.is_empty() && letters.iter().all(u8::is_ascii_alphanumeric) => {
                rest = behind;
            }
            _ => return PathArgument::new(rest),
        }
    }
}
