//! How do lines reach a file that may be renamed, removed or full?

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::queue::Sink;

/// The mode of a file that is made: its group may read it, as with other logs.
const MODE: u32 = 0o640;

/// Tells that lines cannot be written.
pub(super) type Report = Box<dyn Fn(&Path, &io::Error) + Send>;

/// A file that lines are appended to.
pub(super) struct LogFile {
    path: PathBuf,
    /// `None` while it cannot be opened.
    file: Option<File>,
    /// Whether the file ends within a line, of which the rest did not fit.
    torn: bool,
    /// Whether the last lines could not be written.
    failing: bool,
    report: Report,
}

impl LogFile {
    /// Opens the file, or makes it. `report` is called at the first of several failures.
    pub(super) fn open(path: &Path, report: Report) -> io::Result<Self> {
        let file = Some(open(path)?);
        Ok(Self { path: path.to_owned(), file, torn: false, failing: false, report })
    }

    /// Writes lines; the error comes with how much was written before it.
    fn try_write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        // Whoever removed the file wants its lines no more, but those that come now.
        if self.file.as_ref().is_some_and(is_removed) {
            self.reopen();
        }
        if self.file.is_none() {
            self.file = Some(open(&self.path).map_err(|error| (0, error))?);
            self.torn = false;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.torn {
            file.write_all(b"\n").map_err(|error| (0, error))?;
            self.torn = false;
        }
        let mut written = 0;
        while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
            match file.write(rest) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }
}

impl Sink for LogFile {
    fn write(&mut self, lines: &[u8]) -> u64 {
        if lines.is_empty() {
            return 0;
        }
        let (written, error) = match self.try_write(lines) {
            Ok(()) => {
                self.failing = false;
                return 0;
            }
            Err(failure) => failure,
        };
        if !std::mem::replace(&mut self.failing, true) {
            (self.report)(&self.path, &error);
        }
        let (whole, rest) = lines.split_at_checked(written).unwrap_or((lines, &[]));
        self.torn |= whole.last().is_some_and(|byte| *byte != b'\n');
        rest.iter().filter(|byte| **byte == b'\n').count().try_into().unwrap_or(u64::MAX)
    }

    fn reopen(&mut self) {
        self.file = None;
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

/// Whether the open file has no name any more.
fn is_removed(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.nlink() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn opened(path: &Path) -> (LogFile, Arc<AtomicUsize>) {
        let reports = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reports);
        let report = move |_: &Path, _: &io::Error| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        (LogFile::open(path, Box::new(report)).unwrap(), reports)
    }

    #[test]
    fn a_renamed_file_is_written_until_it_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let (mut file, _) = opened(&path);
        assert_eq!(file.write(b"one\n"), 0);
        fs::rename(&path, &old).unwrap();
        assert_eq!(file.write(b"two\n"), 0);
        file.reopen();
        assert_eq!(file.write(b"three\n"), 0);
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&old).as_str(), read(&path).as_str()), ("one\ntwo\n", "three\n"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777 & !MODE, 0);
    }

    #[test]
    fn a_vanished_folder_costs_lines_that_are_counted_and_told_of_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("logs");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("log");
        let (mut file, reports) = opened(&path);
        assert_eq!(file.write(b"one\n"), 0);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(file.write(b"two\nthree\n"), 2);
        assert_eq!(file.write(b"four\n"), 1);
        assert_eq!(reports.load(Ordering::Relaxed), 1);
        fs::create_dir(&folder).unwrap();
        assert_eq!(file.write(b"five\n"), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
    }

    #[test]
    fn a_full_disk_costs_the_lines_that_do_not_fit() {
        let (mut file, reports) = opened(Path::new("/dev/full"));
        assert_eq!(file.write(b"one\ntwo\n"), 2);
        assert_eq!(file.write(b"three\n"), 1);
        assert_eq!(reports.load(Ordering::Relaxed), 1);
    }
}
