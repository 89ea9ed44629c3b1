//! A local file, lent to the task or owned by a thread.

use std::fs::File;
use std::io;

/// A file. Only a large one, which goes to a thread, needs a descriptor of its own.
pub(crate) enum Held<'f> {
    Lent(&'f File),
    Owned(File),
}

impl Held<'_> {
    pub(crate) fn file(&self) -> &File {
        match self {
            Held::Lent(file) => file,
            Held::Owned(file) => file,
        }
    }

    pub(crate) fn into_owned(self) -> io::Result<Held<'static>> {
        Ok(Held::Owned(match self {
            Held::Lent(file) => file.try_clone()?,
            Held::Owned(file) => file,
        }))
    }
}
