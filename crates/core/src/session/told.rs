//! Which lengths was this client told? What it sends behind a file belongs behind the bytes that it knows of.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::path::VirtualPath;

/// How many paths are remembered: a client asks for the length right before it goes on with an upload.
const MOST: usize = 64;

/// The lengths that one session told last.
#[derive(Default)]
pub(super) struct Told {
    /// The oldest first.
    latest: Mutex<VecDeque<(VirtualPath, u64)>>,
}

impl Told {
    /// Remembers that the client was told this length of `path`.
    pub(super) fn remember(&self, path: &VirtualPath, length: u64) {
        let mut latest = self.lock();
        latest.retain(|(told, _)| told != path);
        if latest.len() == MOST {
            latest.pop_front();
        }
        latest.push_back((path.clone(), length));
    }

    /// The length that the client was told of `path`.
    pub(super) fn length(&self, path: &VirtualPath) -> Option<u64> {
        self.lock().iter().find(|(told, _)| told == path).map(|(_, length)| *length)
    }

    /// Forgets what was told of `path`.
    pub(super) fn forget(&self, path: &VirtualPath) {
        self.lock().retain(|(told, _)| told != path);
    }

    /// Forgets `path` and all beneath it, because there is something else now.
    pub(super) fn forget_beneath(&self, path: &VirtualPath) {
        self.lock().retain(|(told, _)| !told.starts_with(path));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(VirtualPath, u64)>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").field("paths", &self.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let told = Told::default();
        let path =
            |number: usize| VirtualPath::parse(format!("/d{}/f{number}", number % 2).as_bytes()).unwrap();
        for number in 0..=MOST {
            told.remember(&path(number), 1);
            told.remember(&path(number), number as u64);
        }
        assert_eq!(told.length(&path(0)), None);
        assert_eq!(told.length(&path(1)), Some(1));
        assert_eq!(told.length(&path(MOST)), Some(MOST as u64));
        told.forget_beneath(&VirtualPath::parse(b"/d1").unwrap());
        assert_eq!((told.length(&path(1)), told.length(&path(2))), (None, Some(2)));
    }
}
