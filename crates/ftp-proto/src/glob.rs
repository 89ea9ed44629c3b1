//! Which names does a pattern like `*.txt` mean? (the "file group descriptor" of RFC 959 §4.1.3, NLST)
//!
//! The patterns of a shell, without braces: `*` any bytes, `?` one byte, `[a-z]` and `[!a-z]` one byte of a set. Matching
//! takes at most `pattern × name` steps and no memory, whatever the pattern (CVE-2010-2632 and its kin did not).

/// Whether `text` is a pattern at all.
#[must_use]
pub fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether `name` is one of the names that `pattern` means.
///
/// As in a shell, a name that begins with a dot is meant only by a pattern that does.
///
/// ```
/// use carrack_ftp_proto::glob::matches;
/// assert!(matches(b"*.txt", b"letter.txt"));
/// assert!(matches(b"log-[0-9]?", b"log-42"));
/// assert!(!matches(b"*", b".hidden"));
/// ```
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // Behind the last closing bracket no set is closed: without this each step would search the pattern to its end for one.
    let open = pattern.iter().rev().take_while(|byte| **byte != b']').count();
    let (mut pattern, mut rest) = (pattern, name);
    // Where to go on when what follows the last star does not match: one byte further for the star. Earlier stars
    // need no second try, because the last one takes whatever they would.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', behind @ ..] = pattern {
            pattern = behind;
            retry = Some((behind, rest));
            continue;
        }
        match (one(pattern, open, rest.first().copied()), rest) {
            (Some(behind), [_, tail @ ..]) => (pattern, rest) = (behind, tail),
            _ if pattern.is_empty() && rest.is_empty() => return true,
            _ => match retry {
                Some((behind, [_, tail @ ..])) => {
                    retry = Some((behind, tail));
                    (pattern, rest) = (behind, tail);
                }
                _ => return false,
            },
        }
    }
}

/// What is left of the pattern once its first element has matched `byte`. No bracket closes in its last `open` bytes.
fn one(pattern: &[u8], open: usize, byte: Option<u8>) -> Option<&[u8]> {
    let byte = byte?;
    match pattern {
        [b'?', behind @ ..] => Some(behind),
        [b'[', set @ ..] => match Some(set).filter(|set| set.len() > open).and_then(closed) {
            Some((set, behind)) => in_set(set, byte).then_some(behind),
            // A bracket that is never closed is a bracket.
            None => (byte == b'[').then_some(set),
        },
        [literal, behind @ ..] => (*literal == byte).then_some(behind),
        [] => None,
    }
}

/// Splits `a-z]rest` at the bracket that closes the set; one that stands first belongs to the set.
fn closed(set: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = usize::from(set.first() == Some(&b'!')) + 1;
    let end = first + set.get(first..)?.iter().position(|byte| *byte == b']')?;
    Some((set.get(..end)?, set.get(end + 1..)?))
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (set, wanted) = match set {
        [b'!', set @ ..] => (set, false),
        set => (set, true),
    };
    let mut rest = set;
    let mut found = false;
    while !rest.is_empty() {
        rest = match rest {
            [from, b'-', to, tail @ ..] => {
                found |= (*from..=*to).contains(&byte);
                tail
            }
            [single, tail @ ..] => {
                found |= *single == byte;
                tail
            }
            [] => rest,
        };
    }
    found == wanted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_mean_what_a_shell_has_them_mean() {
        for (pattern, name, meant) in [
            (&b"*"[..], &b"a"[..], true),
            (b"*", b"", true),
            (b"a*b*c", b"a-b-b-c", true),
            (b"a*b*c", b"a-b-b", false),
            (b"?", b"", false),
            (b"[abc]x", b"bx", true),
            (b"[!abc]x", b"bx", false),
            (b"[]]", b"]", true),
            (b"[!]]", b"a", true),
            (b"[a-", b"[a-", true),
            (b"[", b"[", true),
            (b"*.TXT", b"a.txt", false),
            (b".*", b".profile", true),
            (b"?profile", b".profile", false),
        ] {
            assert_eq!(matches(pattern, name), meant, "{} {}", pattern.escape_ascii(), name.escape_ascii());
        }
    }

    #[test]
    fn a_pattern_of_stars_is_no_bomb() {
        let pattern: Vec<u8> = b"*a".repeat(120);
        assert!(!matches(&pattern, &[b'b'; 255]));
        assert!(matches(&pattern, &[b'a'; 255]));
    }

    /// The definition, without regard to cost.
    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([b'*', behind @ ..], _) => (0..=name.len()).any(|n| by_definition(behind, &name[n..])),
            ([b'?', behind @ ..], [_, tail @ ..]) => by_definition(behind, tail),
            ([literal, behind @ ..], [byte, tail @ ..]) => literal == byte && by_definition(behind, tail),
            ([], []) => true,
            _ => false,
        }
    }

    #[test]
    fn brackets_that_are_never_closed_cost_no_search() {
        // 4096 × 1024 steps at most; with a search to the pattern's end in each this would be 10^9 and more.
        let pattern = [b"*".to_vec(), vec![b'['; 4000], b"x".to_vec()].concat();
        assert!(!matches(&pattern, &[b'['; 1000]));
        let pattern = [b"*[]".to_vec(), vec![b'['; 4000]].concat();
        assert!(!matches(&pattern, &[b'['; 1000]));
    }

    proptest! {
        #[test]
        fn matching_is_what_the_definition_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                by_definition(pattern.as_bytes(), name.as_bytes())
            );
        }

        #[test]
        fn any_bytes_are_a_pattern(pattern: Vec<u8>, name: Vec<u8>) {
            let _ = matches(&pattern, &name);
        }
    }
}
