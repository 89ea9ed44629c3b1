//! What is one thing that waits to be copied, in memory and on the disk?

use carrack_ftp_proto::client::{Modified, Precision};

use crate::relative::Relative;

/// A file to be moved, or a folder to be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Which of the copy's roots it lies beneath: an index.
    pub(super) root: u32,
    /// Where beneath; empty for the root itself.
    pub(super) path: Relative,
    pub(super) kind: TaskKind,
    /// Bytes, where the listing told them.
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Modified>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    File,
    Folder,
    /// The server's listing did not say.
    Unknown,
}

/// A path's length, a kind and a precision, a size, seconds and nanoseconds, a root.
const HEAD: usize = 2 + 1 + 1 + 8 + 8 + 4 + 4;
/// The size that stands for none: no file is that large.
const NO_SIZE: u64 = u64::MAX;
const NO_TIME: u8 = 0;

impl Task {
    /// How much memory it takes, about.
    pub(super) fn cost(&self) -> usize {
        size_of::<Task>() + self.path.as_bytes().len()
    }

    /// Appends it to what [`read`](Task::read) takes from.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        // `Relative` is never longer than 4,096 bytes.
        let length = u16::try_from(self.path.as_bytes().len()).unwrap_or(u16::MAX);
        let kind = match self.kind {
            TaskKind::File => 0,
            TaskKind::Folder => 1,
            TaskKind::Unknown => 2,
        };
        let (precision, unix_s, nanos) = match self.modified {
            None => (NO_TIME, 0, 0),
            Some(Modified { unix_s, nanos, precision }) => (precision_number(precision), unix_s, nanos),
        };
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(&[kind, precision]);
        to.extend_from_slice(&self.size.unwrap_or(NO_SIZE).to_le_bytes());
        to.extend_from_slice(&unix_s.to_le_bytes());
        to.extend_from_slice(&nanos.to_le_bytes());
        to.extend_from_slice(&self.root.to_le_bytes());
        to.extend_from_slice(self.path.as_bytes());
    }

    /// Takes the first task off `from`; `None` at its end, and where it is not what was written.
    pub(super) fn read(from: &mut &[u8]) -> Option<Task> {
        let (head, rest) = from.split_first_chunk::<HEAD>()?;
        let (length, head) = head.split_first_chunk::<2>()?;
        let (&[kind, precision], head) = head.split_first_chunk::<2>()?;
        let (size, head) = head.split_first_chunk::<8>()?;
        let (unix_s, head) = head.split_first_chunk::<8>()?;
        let (nanos, head) = head.split_first_chunk::<4>()?;
        let root = u32::from_le_bytes(*head.first_chunk::<4>()?);
        let (path, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        *from = rest;
        let kind = match kind {
            0 => TaskKind::File,
            1 => TaskKind::Folder,
            _ => TaskKind::Unknown,
        };
        let size = Some(u64::from_le_bytes(*size)).filter(|size| *size != NO_SIZE);
        let modified = precision_of(precision).map(|precision| Modified {
            unix_s: i64::from_le_bytes(*unix_s),
            nanos: u32::from_le_bytes(*nanos),
            precision,
        });
        Some(Task { root, path: Relative::parse(path).ok()?, kind, size, modified })
    }
}

fn precision_number(precision: Precision) -> u8 {
    match precision {
        Precision::Subsecond => 1,
        Precision::Second => 2,
        Precision::Minute => 3,
        Precision::Day => 4,
    }
}

fn precision_of(number: u8) -> Option<Precision> {
    match number {
        1 => Some(Precision::Subsecond),
        2 => Some(Precision::Second),
        3 => Some(Precision::Minute),
        4 => Some(Precision::Day),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let times = [
            None,
            Some(Modified { unix_s: -1, nanos: 999_999_999, precision: Precision::Subsecond }),
            Some(Modified { unix_s: 1, nanos: 0, precision: Precision::Second }),
            Some(Modified { unix_s: i64::MAX, nanos: 0, precision: Precision::Minute }),
            Some(Modified { unix_s: 0, nanos: 0, precision: Precision::Day }),
        ];
        let mut tasks = Vec::new();
        for (path, size) in
            [(&b""[..], None), (b"a/b", Some(0)), (&[b'x'; 255], Some(u64::MAX - 1)), (b"\xff", Some(1))]
        {
            for kind in [TaskKind::File, TaskKind::Folder, TaskKind::Unknown] {
                for modified in times {
                    tasks.push(Task { root: 7, path: Relative::parse(path).unwrap(), kind, size, modified });
                }
            }
        }
        let mut bytes = Vec::new();
        tasks.iter().for_each(|task| task.write(&mut bytes));
        let mut rest = bytes.as_slice();
        for task in tasks {
            assert_eq!(Task::read(&mut rest), Some(task));
        }
        assert_eq!(Task::read(&mut rest), None);
        assert!(rest.is_empty());
        assert_eq!(Task::read(&mut &bytes[..HEAD - 1]), None);
    }
}
