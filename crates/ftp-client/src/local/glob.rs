//! Which files of this machine does a pattern mean that no shell has expanded?

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use carrack_ftp_proto::glob;

use super::failure::LocalFailure;

/// How many names a pattern may mean: each is kept in memory. For more, a folder is copied with a filter.
pub(crate) const MATCHES: usize = 100_000;

/// What a pattern means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// The path itself: it is no pattern, or there is something of this very name.
    Literal,
    /// These, in the order of their bytes; none where nothing matches.
    Matches(Vec<PathBuf>),
    /// More than [`MATCHES`].
    TooMany,
}

/// Expands `*`, `?` and `[a-z]` in any component of a path, as a shell does: names with a leading dot only where the
/// pattern has one, links followed on the way.
pub(crate) fn expand(path: &Path) -> Result<Expanded, LocalFailure> {
    if !glob::is_pattern(path.as_os_str().as_bytes()) || std::fs::symlink_metadata(path).is_ok() {
        return Ok(Expanded::Literal);
    }
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        let pattern = component.as_os_str();
        let mut next = Vec::new();
        for base in &found {
            match component {
                Component::Normal(_) if glob::is_pattern(pattern.as_bytes()) => {
                    matches_in(base, pattern, &mut next)?;
                }
                _ => next.push(base.join(pattern)),
            }
            if next.len() > MATCHES {
                return Ok(Expanded::TooMany);
            }
        }
        found = next;
    }
    // Components behind the last pattern were joined unseen.
    found.retain(|path| std::fs::symlink_metadata(path).is_ok());
    found.sort();
    if path.as_os_str().as_bytes().ends_with(b"/") {
        // As with a plain path, the slash at the end says that the contents are meant.
        found = found.into_iter().filter(|path| path.is_dir()).map(|path| path.join("")).collect();
    }
    Ok(Expanded::Matches(found))
}

fn matches_in(folder: &Path, pattern: &OsStr, found: &mut Vec<PathBuf>) -> Result<(), LocalFailure> {
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match std::fs::read_dir(listed) {
        Ok(entries) => entries,
        // A pattern for folders meets files, and folders that are closed to the user: neither has what is looked for.
        Err(_) => return Ok(()),
    };
    for entry in entries {
        let name = entry.map_err(|error| LocalFailure::io("list", listed, error))?.file_name();
        if glob::matches(pattern.as_bytes(), name.as_bytes()) {
            found.push(folder.join(name));
            if found.len() > MATCHES {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn patterns_are_expanded_in_any_component() {
        let disk = tempfile::tempdir().unwrap();
        for path in ["a1/x.txt", "a1/y.txt", "a1/.z.txt", "a2/x.txt", "b/x.txt", "a[1]"] {
            let path = disk.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let expand = |pattern: &str| match expand(&disk.path().join(pattern)).unwrap() {
            Expanded::Matches(found) => found
                .iter()
                .map(|path| {
                    path.to_str().unwrap().strip_prefix(disk.path().to_str().unwrap()).unwrap().to_owned()
                })
                .collect(),
            Expanded::Literal => vec!["literal".to_owned()],
            Expanded::TooMany => vec!["too many".to_owned()],
        };
        assert_eq!(expand("a1/*.txt"), ["/a1/x.txt", "/a1/y.txt"]);
        assert_eq!(expand("a1/.*.txt"), ["/a1/.z.txt"]);
        assert_eq!(expand("a?/x.txt"), ["/a1/x.txt", "/a2/x.txt"]);
        assert_eq!(expand("*/y.txt"), ["/a1/y.txt"]);
        assert_eq!(expand("a*/"), ["/a1/", "/a2/"]);
        assert_eq!(expand("c*"), Vec::<String>::new());
        assert_eq!(expand("b/x.txt"), ["literal"]);
        assert_eq!(expand("nothing"), ["literal"]);
        // A name that looks like a pattern wins over what the pattern would mean.
        assert_eq!(expand("a[1]"), ["literal"]);
        assert_eq!(expand("a[12]"), ["/a1", "/a2"]);
    }
}
