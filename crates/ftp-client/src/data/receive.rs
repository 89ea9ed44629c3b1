//! A download's bytes into a local file, from where they were opened: no copy lies between.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;

use carrack_tls::{DataStream, Interest, Received};

use super::drive::{Pump, Step};
use super::file::Held;
use super::{End, data_failed};
use crate::error::ErrorKind;

/// Writes what a data connection brings to a file.
pub(crate) struct Receiver<'f> {
    stream: DataStream,
    file: Held<'f>,
    at: u64,
    moved: u64,
}

impl<'f> Receiver<'f> {
    /// Writes to `file` from byte `at` on.
    pub(crate) fn new(stream: DataStream, file: &'f File, at: u64) -> Receiver<'f> {
        Receiver { stream, file: Held::Lent(file), at, moved: 0 }
    }
}

impl Pump for Receiver<'_> {
    type Owned = Receiver<'static>;

    const INTEREST: Interest = Interest::Readable;

    fn step(&mut self) -> Step {
        let Receiver { stream, file, at, moved } = self;
        let mut failed = None;
        let received = stream.read_to(&mut |pieces| {
            write_all_at(file.file(), pieces, *at).map_err(|error| {
                let kind = error.kind();
                failed = Some(error);
                kind.into()
            })
        });
        match (failed, received) {
            (Some(error), _) => Step::Local(error),
            (None, Ok(Received::Bytes(bytes))) => {
                *at += bytes as u64;
                *moved += bytes as u64;
                Step::Moved(bytes as u64)
            }
            (None, received) => ended(received),
        }
    }

    fn stream(&self) -> &DataStream {
        &self.stream
    }

    fn into_owned(self) -> io::Result<Receiver<'static>> {
        let Receiver { stream, file, at, moved } = self;
        Ok(Receiver { stream, file: file.into_owned()?, at, moved })
    }

    fn into_parts(self) -> (DataStream, u64) {
        (self.stream, self.moved)
    }
}

/// What a read means that brought no bytes.
pub(crate) fn ended(received: io::Result<Received>) -> Step {
    match received {
        Ok(Received::Bytes(_)) => Step::Moved(0),
        Ok(Received::End) => Step::Ended(End::Whole),
        // SECURITY: only close_notify ends the data. A FIN can be anybody's on the way (RFC 8446 §6.1).
        Ok(Received::Truncated) => Step::Ended(End::Broken(ErrorKind::Truncated)),
        Ok(Received::Lost) => Step::Ended(End::Broken(ErrorKind::DataLost)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Blocked,
        Err(error) => Step::Ended(End::Broken(data_failed(error))),
    }
}

/// Writes all pieces, in one system call as a rule.
fn write_all_at(file: &File, pieces: &[IoSlice<'_>], mut at: u64) -> io::Result<()> {
    if let [piece] = pieces {
        return file.write_all_at(piece, at);
    }
    let mut written = rustix::io::retry_on_intr(|| rustix::io::pwritev(file, pieces, at))?;
    // A file takes less only at the edge of what it can take: the rest shows why.
    for piece in pieces {
        let skipped = written.min(piece.len());
        written -= skipped;
        at += skipped as u64;
        if let Some(rest) = piece.get(skipped..).filter(|rest| !rest.is_empty()) {
            file.write_all_at(rest, at)?;
            at += rest.len() as u64;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_land_in_order_behind_the_offset() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"head", 0).unwrap();
        let pieces: Vec<Vec<u8>> = (0..20u8).map(|n| vec![n; 1000 + usize::from(n)]).collect();
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        write_all_at(&file, &slices, 4).unwrap();
        write_all_at(&file, &slices[..1], 2).unwrap();
        let mut expected = b"he".to_vec();
        expected.extend(pieces.concat());
        expected.insert(2, 0);
        expected.insert(3, 0);
        let mut read = vec![0; 4 + pieces.concat().len()];
        file.read_exact_at(&mut read, 0).unwrap();
        assert_eq!(read[..2], *b"he");
        assert_eq!(read[4..], pieces.concat());
    }
}
