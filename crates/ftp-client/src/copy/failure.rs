//! Why was something not copied?

use std::fmt;
use std::path::PathBuf;

use carrack_ftp_proto::client::{BadName, RemotePath, Skip, escaped};

use crate::Error;
use crate::local::failure::{LocalFailure, shown};
use crate::relative::TooDeep;

/// Why one thing, or the whole copy, did not work. Each text is a sentence with the side at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The server, the network, or a file of this machine while it moved.
    #[error(transparent)]
    Server(#[from] Error),
    /// This machine.
    #[error(transparent)]
    Local(#[from] LocalFailure),
    /// Both sides are on servers.
    #[error("both the source and the target are on a server, and there is a connection to one only")]
    ServerToServer,
    /// Neither side is on a server.
    #[error("neither the source nor the target is on a server: use cp")]
    NothingRemote,
    /// Sources of several kinds, or none, or a stream with something beside it.
    #[error("the sources are all files of this machine, or all on the server, or standard input alone")]
    Sources,
    /// A stream has no name.
    #[error("{0} is a folder, and standard input has no name to be given there: name a file as the target")]
    StreamIntoFolder(Place),
    /// Several sources, or a `/` at the end of the target, and no folder there.
    #[error("{0} is no folder: make it first, or name another target")]
    NoFolder(Place),
    /// A folder among the sources without [`Recursion::Folders`](super::Recursion::Folders).
    #[error("{0} is a folder: use -r to copy it with everything in it")]
    IsFolder(Place),
    /// A folder is to be copied to a stream.
    #[error("{0} is a folder, and only files can be written to standard output")]
    FolderToStream(Place),
    /// A file stands where a folder is needed.
    #[error("{0} is a file, and a folder is needed there: move one of them out of the way")]
    FileInTheWay(Place),
    /// A pattern that means nothing.
    #[error("nothing on {side} is meant by the pattern {pattern}")]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// Whose files it was held against.
        side: Side,
    },
    /// A pattern that means more than is kept in memory.
    #[error("the pattern {0} means more than 100,000 names: copy the folder with -r and --include instead")]
    TooManyMatches(String),
    /// Two sources of the same name go into one folder.
    #[error("{0} was already written by this copy: two of the sources have the same name")]
    SameName(Place),
    /// A copy onto itself, or of a folder into itself.
    #[error("{0} is where it is to be copied to, or that lies in it: give another target")]
    OntoItself(Place),
    /// Folders within folders without end.
    #[error("{place} is left out: {why}")]
    TooDeep {
        /// What is left out.
        place: Place,
        /// Why.
        why: TooDeep,
    },
    /// A line of a listing that is not followed: the file it means is not copied.
    #[error("the server's listing of {} has a line that is left out: {why} (\"{}\")", folder.escaped(), escaped(line))]
    Listing {
        /// The folder that was listed.
        folder: RemotePath,
        /// The line, or its beginning.
        line: Vec<u8>,
        /// What is wrong with it.
        why: Skip,
    },
    /// A name of this machine that cannot be said to a server.
    #[error(
        "{} has a name that FTP cannot carry (a line break, or more than 255 bytes): rename it",
        shown(path)
    )]
    Name {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        why: BadName,
    },
    /// `--resume` where the target is larger than the source.
    #[error("{place} has {there} bytes and the source only {source_bytes}: it is no beginning of it")]
    Larger {
        /// The target.
        place: Place,
        /// Its bytes.
        there: u64,
        /// The source's.
        source_bytes: u64,
    },
    /// `--resume` where the server does not tell sizes.
    #[error("the server does not tell the size of {0}, so nothing can be gone on with by its size")]
    NoSize(Place),
    /// The source changed while it was read.
    #[error(
        "{0} was changed while it was copied: what arrived is neither the old nor the new file; copy it again"
    )]
    SourceChanged(Place),
    /// More or less arrived than there was.
    #[error("{place} has {expected} bytes at the source, and {arrived} arrived")]
    SizeDiffers {
        /// The file that was copied.
        place: Place,
        /// Bytes of the source.
        expected: u64,
        /// Bytes that arrived.
        arrived: u64,
    },
    /// What arrived is something else than what was sent.
    #[error(
        "the {algorithm} hash of {place} here is {here}, and the server's is {there}: what arrived is not what was sent"
    )]
    HashDiffers {
        /// The file on the server.
        place: Place,
        /// Which hash.
        algorithm: &'static str,
        /// Of the local file, in hexadecimal digits.
        here: String,
        /// What the server says.
        there: String,
    },
    /// The hashes that two servers made of a file are not the same.
    #[error(
        "the {algorithm} hash of {place} is {sent} at the source and {arrived} at the target: what arrived is not what \
         was sent"
    )]
    HashesDiffer {
        /// The file at the target.
        place: Place,
        /// Which hash.
        algorithm: &'static str,
        /// In hexadecimal digits.
        sent: String,
        /// In hexadecimal digits.
        arrived: String,
    },
    /// A server, or a way to it, that is of no use now.
    #[error(
        "{0} transfers in a row failed, each after several attempts: the server, or the way to it, is in no state to \
         go on; run the same command later"
    )]
    GaveUp(u32),
    /// What a server sent in place of a listing.
    #[error(
        "the server's listing of {0} has more than 1,000 lines that cannot be used: nothing of it is copied"
    )]
    NoListing(Place),
    /// A folder without end.
    #[error(
        "the server's listing of {0} has more than 10,000,000 lines: no folder is that large, so none is copied"
    )]
    EndlessListing(Place),
    /// The stream that is copied from, or to, broke.
    #[error("{0} broke: {1}")]
    Stream(StreamSide, std::io::Error),
}

/// Something on one of the two sides, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// On this machine.
    Local(PathBuf),
    /// On the server.
    Remote(RemotePath),
    /// On the server that is copied to, where the sources are on another one.
    Across(RemotePath),
    /// Standard input or output.
    Stream,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(path) => shown(path).fmt(f),
            Place::Remote(path) | Place::Across(path) => path.escaped().fmt(f),
            Place::Stream => f.write_str("-"),
        }
    }
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This machine.
    Local,
    /// The server.
    Remote,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Local => "this machine",
            Side::Remote => "the server",
        })
    }
}

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamSide {
    /// The one that is read.
    Input,
    /// The one that is written.
    Output,
}

impl fmt::Display for StreamSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StreamSide::Input => "standard input",
            StreamSide::Output => "standard output",
        })
    }
}
