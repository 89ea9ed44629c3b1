//! What comes in on its way into the file: gathered at first, decompressed and converted where that was agreed.

use std::io::IoSlice;

use carrack_core::error::{Error, ErrorKind};
use carrack_core::event::Incomplete;
use carrack_core::upload::{Kept, Upload};
use carrack_ftp_proto::ascii::FromWire;

use super::Coding;
use super::deflate::Inflater;

/// An upload and what happens to its bytes before the file takes them.
pub(super) struct Inflow {
    /// `None` once it is committed.
    upload: Option<Box<Upload>>,
    /// What came and is not written yet.
    gathered: Vec<u8>,
    /// Whether the file is ready for bytes.
    is_prepared: bool,
    /// The decompression of `MODE Z`.
    inflater: Option<Inflater>,
    /// The conversion of `TYPE A`, and where its bytes go before the file takes them.
    ascii: Option<(FromWire, Vec<u8>)>,
}

impl Inflow {
    pub(super) fn new(upload: Box<Upload>, ascii: bool, coding: Coding) -> Self {
        Self {
            upload: Some(upload),
            gathered: Vec::new(),
            is_prepared: false,
            inflater: matches!(coding, Coding::Deflate(_)).then(Inflater::new),
            ascii: ascii.then(|| (FromWire::default(), Vec::new())),
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.inflater.is_some()
    }

    /// How many bytes wait in memory.
    pub(super) fn gathered(&self) -> usize {
        self.gathered.len()
    }

    /// Whether what was gathered is the file as it will rest, from its first byte on.
    pub(super) fn is_as_it_rests(&self) -> bool {
        let begins = self.upload.as_ref().is_some_and(|upload| upload.position() == 0);
        begins && self.inflater.is_none() && self.ascii.is_none()
    }

    /// Takes bytes into memory.
    pub(super) fn gather(&mut self, pieces: &[IoSlice<'_>]) {
        pieces.iter().for_each(|piece| self.gathered.extend_from_slice(piece));
    }

    /// Does a piece of what is due before the first byte, then writes what was gathered; whether that is done. Blocks on the
    /// disk, as all that follows does.
    pub(super) fn prepare(&mut self) -> Result<bool, Incomplete> {
        self.is_prepared = open(&mut self.upload)?.prepare().map_err(stored)?;
        if self.is_prepared {
            self.store_gathered()?;
        }
        Ok(self.is_prepared)
    }

    /// Writes bytes as they came.
    pub(super) fn store(&mut self, pieces: &[IoSlice<'_>]) -> Result<(), Incomplete> {
        let upload = open(&mut self.upload)?;
        if self.inflater.is_none() && self.ascii.is_none() {
            return upload.write_pieces(pieces).map_err(stored);
        }
        let ascii = &mut self.ascii;
        let mut write = |bytes: &[u8]| match ascii {
            Some((convert, text)) => {
                text.clear();
                convert.convert(bytes, text);
                upload.write(text).map_err(stored)
            }
            None => upload.write(bytes).map_err(stored),
        };
        for piece in pieces {
            match &mut self.inflater {
                Some(inflater) => inflater.feed(piece, &mut write)?,
                None => write(piece)?,
            }
        }
        Ok(())
    }

    /// Writes what the conversions still hold back, at the end of the data: a CR at the very end belongs to the file.
    pub(super) fn finish(&mut self) -> Result<(), Incomplete> {
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        if let Some((convert, mut text)) = self.ascii.take() {
            text.clear();
            convert.finish(&mut text);
            open(&mut self.upload)?.write(&text).map_err(stored)?;
        }
        Ok(())
    }

    /// Publishes the file.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        match self.upload.take() {
            Some(upload) if self.is_prepared => upload.commit(),
            Some(upload) => upload.commit_whole(&self.gathered),
            None => Err(ErrorKind::Interrupted.into()),
        }
    }

    /// Ends an upload that is not whole, and says what of it can be resumed.
    pub(super) fn abort(mut self, why: Incomplete) -> Kept {
        // An upload whose disk fails remembers that itself.
        let _ = self.store_gathered();
        let Some(mut upload) = self.upload else { return Kept::Nothing };
        // The checksum that would have told what of it is right stands at the end of the stream.
        if let Incomplete::Undecodable(_) = why {
            upload.discard_if_cut();
        }
        upload.abort(why)
    }

    /// Gives memory back while nothing comes.
    pub(super) fn rest(&mut self) {
        self.gathered.shrink_to_fit();
        if let Some(inflater) = &mut self.inflater {
            inflater.rest();
        }
    }

    fn store_gathered(&mut self) -> Result<(), Incomplete> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        self.store(&[IoSlice::new(&gathered)])
    }
}

fn open(upload: &mut Option<Box<Upload>>) -> Result<&mut Upload, Incomplete> {
    upload.as_deref_mut().ok_or(Incomplete::Storage(ErrorKind::Interrupted))
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands on")]
fn stored(error: Error) -> Incomplete {
    Incomplete::Storage(error.kind())
}
