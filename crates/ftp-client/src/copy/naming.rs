//! Which name does a source get at the target? The rules of `cp`, with rsync's `/` at the end of a source.

use carrack_ftp_proto::client::EntryName;

/// What is known of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceIs {
    File,
    /// A folder, which goes under its name.
    Folder,
    /// What is in a folder: it was named with a `/` at its end, or has no name (`/`, `.`, `..`).
    Contents,
}

/// What stands at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetIs {
    Folder,
    File,
    /// Nothing, and it was not named as a folder.
    Missing,
    /// Nothing, and it was named with a `/` at its end.
    MissingFolder,
}

/// How many sources there are, patterns expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sources {
    One,
    Several,
}

/// Where a source goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It becomes the target, or its contents go there.
    AsTarget,
    /// Under this name in the target.
    Into(EntryName),
}

/// Why it goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The target must be a folder and is not.
    NoFolder,
    /// The target is a file, and a folder is to go there.
    FileInTheWay,
}

/// Where a source of this name goes. A source without a name is a folder's [`SourceIs::Contents`] always.
pub(super) fn put(
    source: SourceIs,
    name: Option<EntryName>,
    sources: Sources,
    target: TargetIs,
) -> Result<Put, NoPlace> {
    match (source, target, sources) {
        (SourceIs::Folder | SourceIs::Contents, TargetIs::File, _) => Err(NoPlace::FileInTheWay),
        (SourceIs::File, TargetIs::File, Sources::Several) => Err(NoPlace::NoFolder),
        (SourceIs::File | SourceIs::Folder, TargetIs::Folder, _) => Ok(name.map_or(Put::AsTarget, Put::Into)),
        (SourceIs::Contents, TargetIs::Folder, _) => Ok(Put::AsTarget),
        (_, TargetIs::Missing | TargetIs::MissingFolder, Sources::Several) => Err(NoPlace::NoFolder),
        (SourceIs::File, TargetIs::MissingFolder, Sources::One) => Err(NoPlace::NoFolder),
        (SourceIs::File, TargetIs::File | TargetIs::Missing, Sources::One)
        | (
            SourceIs::Folder | SourceIs::Contents,
            TargetIs::Missing | TargetIs::MissingFolder,
            Sources::One,
        ) => Ok(Put::AsTarget),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_go_where_cp_puts_them() {
        use NoPlace::{FileInTheWay, NoFolder};
        use SourceIs::{Contents, File, Folder};
        use Sources::{One, Several};
        let name = EntryName::parse(b"name").unwrap();
        let into = || Ok(Put::Into(name.clone()));
        let as_target = || Ok(Put::AsTarget);
        for (source, sources, folder, file, missing, missing_folder) in [
            (File, One, into(), as_target(), as_target(), Err(NoFolder)),
            (File, Several, into(), Err(NoFolder), Err(NoFolder), Err(NoFolder)),
            (Folder, One, into(), Err(FileInTheWay), as_target(), as_target()),
            (Folder, Several, into(), Err(FileInTheWay), Err(NoFolder), Err(NoFolder)),
            (Contents, One, as_target(), Err(FileInTheWay), as_target(), as_target()),
            (Contents, Several, as_target(), Err(FileInTheWay), Err(NoFolder), Err(NoFolder)),
        ] {
            for (target, expected) in [
                (TargetIs::Folder, folder),
                (TargetIs::File, file),
                (TargetIs::Missing, missing),
                (TargetIs::MissingFolder, missing_folder),
            ] {
                let put = put(source, Some(name.clone()), sources, target);
                assert_eq!(put, expected, "{source:?} {sources:?} {target:?}");
            }
        }
    }
}
