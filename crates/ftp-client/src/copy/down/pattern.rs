//! Which files of the server does a pattern mean?

use carrack_ftp_proto::client::{Entry, EntryKind, Listed, RemotePath};
use carrack_ftp_proto::glob;

use super::search::LINES;
use crate::Client;
use crate::copy::known::{Is, Known, is_nothing, known};
use crate::copy::terms::Terms;
use crate::copy::{Failure, Place, Side};
use crate::local::glob::MATCHES;
use crate::url::UrlPath;

/// What a path that somebody named means, with what the server told of it.
pub(in crate::copy) type Meant = (RemotePath, Known);

/// What a path means; nothing where that cannot be found out, which is told.
pub(in crate::copy) async fn meant_or_told(
    terms: &Terms,
    client: &mut Client,
    path: &UrlPath,
) -> Result<Vec<Meant>, Failure> {
    match meant(terms, client, path).await {
        Ok(meant) => Ok(meant),
        Err(failure) => {
            terms.go_on_without(Place::Remote(client.resolve(path)), failure)?;
            Ok(Vec::new())
        }
    }
}

/// What a path means: what is there under this very name, else what it means as a pattern.
async fn meant(terms: &Terms, client: &mut Client, path: &UrlPath) -> Result<Vec<Meant>, Failure> {
    let literal = client.resolve(path);
    let refused = match (known(terms, client, &literal).await, path.pattern()) {
        (Ok(known), _) => return Ok(vec![(literal, known)]),
        (Err(failure), Some(_)) if is_nothing(&failure) => failure,
        (Err(failure), _) => return Err(failure),
    };
    let Some(pattern) = path.pattern() else { return Err(refused) };
    let base = if path.is_absolute() { RemotePath::root() } else { client.login_folder().clone() };
    let too_many = || Failure::TooManyMatches(path.to_string());
    let mut found: Vec<(RemotePath, Option<Known>)> = vec![(base, None)];
    for component in pattern.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        let mut next = Vec::new();
        for (folder, known) in found {
            // What is known to be no folder has nothing in it.
            if known.is_some_and(|known| known.is != Is::Folder) {
                continue;
            }
            match literal_of(component) {
                Some(name) => next.extend(folder.join(&name).ok().map(|path| (path, None))),
                None => matches_in(terms, client, &folder, &without_escapes(component), &mut next).await?,
            }
            if next.len() > MATCHES {
                return Err(too_many());
            }
        }
        found = next;
    }
    let mut meant = Vec::with_capacity(found.len());
    for (path, so_far) in found {
        match so_far {
            Some(known) => meant.push((path, known)),
            // A link, or a name behind the last pattern: nobody has looked yet whether there is something.
            None => match known(terms, client, &path).await {
                Ok(known) => meant.push((path, known)),
                Err(failure) if is_nothing(&failure) => {}
                Err(failure) => return Err(failure),
            },
        }
    }
    if path.ends_in_slash() {
        meant.retain(|(_, known)| known.is == Is::Folder);
    }
    if meant.is_empty() {
        return Err(Failure::NoMatch { pattern: path.to_string(), side: Side::Remote });
    }
    meant.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(meant)
}

/// Adds what a pattern means in one folder.
async fn matches_in(
    terms: &Terms,
    client: &mut Client,
    folder: &RemotePath,
    pattern: &[u8],
    found: &mut Vec<(RemotePath, Option<Known>)>,
) -> Result<(), Failure> {
    let before = found.len();
    let mut attempts = terms.attempts();
    loop {
        match list(client, folder, pattern, found).await {
            Ok(()) => return Ok(()),
            // As with a shell: what cannot be listed has nothing that matches.
            Err(failure) if is_nothing(&failure) => return Ok(()),
            Err(failure) => {
                found.truncate(before);
                attempts.again(failure, &terms.telling, None).await?;
            }
        }
    }
}

async fn list(
    client: &mut Client,
    folder: &RemotePath,
    pattern: &[u8],
    found: &mut Vec<(RemotePath, Option<Known>)>,
) -> Result<(), Failure> {
    let mut listing = client.list(folder).await?;
    let mut lines = 0;
    while let Some(listed) = listing.next().await {
        lines += 1;
        if lines > LINES {
            return Err(Failure::EndlessListing(Place::Remote(folder.clone())));
        }
        // Lines that name nothing safe match nothing.
        let Listed::Entry(Entry { name, kind, size, modified, .. }) = listed? else { continue };
        if !glob::matches(pattern, name.as_bytes()) {
            continue;
        }
        let known = match kind {
            EntryKind::File => Some(Known { is: Is::File, size, modified }),
            EntryKind::Folder => Some(Known { is: Is::Folder, size: None, modified }),
            EntryKind::Other => Some(Known { is: Is::Special, size: None, modified }),
            EntryKind::Link { .. } | EntryKind::Unknown => None,
        };
        if found.len() <= MATCHES {
            found.push((folder.child(&name), known));
        }
    }
    Ok(())
}

/// The name that a component of a pattern is, if nothing in it stands for other bytes.
fn literal_of(component: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(component.len());
    let mut bytes = component.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' | b'?' | b'[' => return None,
            b'\\' => name.extend(bytes.next()),
            byte => name.push(*byte),
        }
    }
    Some(name)
}

/// The same pattern for [`glob::matches`], which knows no backslashes: `\*` as `[*]`.
fn without_escapes(component: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(component.len());
    let mut bytes = component.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' {
            pattern.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(special @ (b'*' | b'?' | b'[')) => pattern.extend_from_slice(&[b'[', *special, b']']),
            literal => pattern.extend(literal),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_escaped_stands_for_itself() {
        assert_eq!(literal_of(b"a\\*b").unwrap(), b"a*b");
        assert_eq!(literal_of(b"a\\\\b").unwrap(), b"a\\b");
        assert_eq!(literal_of(b"a*b"), None);
        let matches = |pattern: &[u8], name: &[u8]| glob::matches(&without_escapes(pattern), name);
        assert!(matches(b"\\**", b"*x"));
        assert!(!matches(b"\\**", b"xx"));
        assert!(matches(b"\\[[ab]", b"[a"));
        assert!(matches(b"\\\\?", b"\\x"));
        assert!(matches(b"[ab]\\?", b"a?"));
        assert!(!matches(b"[ab]\\?", b"ab"));
    }
}
