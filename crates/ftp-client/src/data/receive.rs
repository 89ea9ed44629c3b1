//! A download's bytes into a local file, from where they were opened: no copy lies between.

use std::fs::File;
use std::io::{self, IoSlice, Write};
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
    whereto: Whereto,
    moved: u64,
}

/// Where in the file the next bytes go.
#[derive(Clone, Copy, Debug)]
enum Whereto {
    /// To this byte, whatever the file's own position.
    At(u64),
    /// Where the file stands: all that a pipe knows.
    Next,
}

impl<'f> Receiver<'f> {
    /// Writes to `file` from byte `at` on.
    pub(crate) fn at(stream: DataStream, file: &'f File, at: u64) -> Receiver<'f> {
        Receiver { stream, file: Held::Lent(file), whereto: Whereto::At(at), moved: 0 }
    }

    /// Writes to `file` from where it stands.
    pub(crate) fn next(stream: DataStream, file: &'f File) -> Receiver<'f> {
        Receiver { stream, file: Held::Lent(file), whereto: Whereto::Next, moved: 0 }
    }
}

impl Pump for Receiver<'_> {
    type Owned = Receiver<'static>;

    const INTEREST: Interest = Interest::Readable;

    fn step(&mut self) -> Step {
        let Receiver { stream, file, whereto, moved } = self;
        let mut failed = None;
        let received = stream.read_to(&mut |pieces| {
            let written = match *whereto {
                Whereto::At(at) => write_all_at(file.file(), pieces, at),
                Whereto::Next => write_all(file.file(), pieces),
            };
            written.map_err(|error| {
                let kind = error.kind();
                failed = Some(error);
                kind.into()
            })
        });
        match (failed, received) {
            (Some(error), _) => Step::Local(error),
            (None, Ok(Received::Bytes(bytes))) => {
                if let Whereto::At(at) = whereto {
                    *at += bytes as u64;
                }
                *moved += bytes as u64;
                Step::Moved(bytes as u64)
            }
            (None, received) => ended(received),
        }
    }

    fn stream(&mut self) -> &mut DataStream {
        &mut self.stream
    }

    fn into_owned(self) -> io::Result<Receiver<'static>> {
        let Receiver { stream, file, whereto, moved } = self;
        Ok(Receiver { stream, file: file.into_owned()?, whereto, moved })
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

/// Writes all pieces where the file stands, in one system call as a rule.
fn write_all(mut file: &File, pieces: &[IoSlice<'_>]) -> io::Result<()> {
    let mut written = file.write_vectored(pieces).or_else(|error| match error.kind() {
        io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    })?;
    for piece in pieces {
        let skipped = written.min(piece.len());
        written -= skipped;
        file.write_all(piece.get(skipped..).unwrap_or_default())?;
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

    #[test]
    fn a_pipe_takes_more_than_it_holds() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        let pieces: Vec<Vec<u8>> = (0..64u8).map(|n| vec![n; 16_000]).collect();
        let expected = pieces.concat();
        let reading = std::thread::spawn(move || {
            let mut read = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut read).unwrap();
            read
        });
        let slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        write_all(&writer, &slices).unwrap();
        drop(writer);
        assert!(reading.join().unwrap() == expected);
    }
}
