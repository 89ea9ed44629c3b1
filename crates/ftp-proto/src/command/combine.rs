//! Which parts does COMB name? `"target" "part" "part"...`, every name in quotes or without spaces.

use super::{PathArgument, malformed};
use crate::limits;
use crate::reply::Reply;
use crate::verb::Verb;

/// Files to be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Combine {
    /// Where they go, behind what is there.
    pub target: PathArgument,
    /// What goes there, in this order; at least one.
    pub parts: Vec<PathArgument>,
}

impl Combine {
    pub(super) fn read(argument: &[u8]) -> Result<Combine, Reply> {
        Combine::names(argument).ok_or_else(|| malformed(Verb::Comb))
    }

    fn names(argument: &[u8]) -> Option<Combine> {
        let (target, mut rest) = name(argument)?;
        let mut parts = Vec::new();
        while let Some(behind) = rest.strip_prefix(b" ") {
            let (part, behind) = name(behind)?;
            parts.push(part);
            rest = behind;
        }
        let right = rest.is_empty() && (1..=limits::COMBINED_PARTS).contains(&parts.len());
        right.then_some(Combine { target, parts })
    }
}

/// The first name, and what is behind it. A quote within quotes is doubled, as in a `257` (RFC 959 appendix II).
fn name(text: &[u8]) -> Option<(PathArgument, &[u8])> {
    let Some(mut rest) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        return Some((PathArgument::new(word)?, rest));
    };
    let mut name = Vec::new();
    loop {
        match rest {
            [b'"', b'"', behind @ ..] => {
                name.push(b'"');
                rest = behind;
            }
            [b'"', behind @ ..] => return Some((PathArgument::new(&name)?, behind)),
            [byte, behind @ ..] => {
                name.push(*byte);
                rest = behind;
            }
            [] => return None,
        }
    }
}
