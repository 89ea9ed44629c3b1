//! Receiving: the client's bytes into an upload, and the difference between an end and a cut.

use std::io;
use std::time::Duration;

use carrack_core::event::Incomplete;
use carrack_core::upload::Upload;
use carrack_ftp_proto::ascii::FromWire;
use carrack_tls::{DataStream, Interest, Received};

use super::deflate::Inflater;
use super::{Coding, Progress, Pump};
use crate::settings::DataClose;

/// Bytes taken from the stream and written to the file per step: sixteen records opened for one
/// system call on each side.
const RECEIVE_STEP: usize = 256 * 1024;

/// The same of a compressed upload: with what they may become, still some hundredths of a second of work.
const COMPRESSED_STEP: usize = 16 * 1024;

/// Receives into an upload.
pub(crate) struct ReceivePump {
    upload: Box<Upload>,
    stream: DataStream,
    buffer: Vec<u8>,
    /// The decompression of `MODE Z`.
    inflater: Option<Inflater>,
    /// The conversion of `TYPE A`, and where its bytes go before the file takes them.
    ascii: Option<(FromWire, Vec<u8>)>,
    close: DataClose,
    /// Whether the file is ready for the first byte, and the pieces of work that took so far.
    prepared: bool,
    pieces: u64,
    moved: u64,
}

impl ReceivePump {
    pub(crate) fn new(
        upload: Box<Upload>,
        ascii: bool,
        coding: Coding,
        close: DataClose,
        stream: DataStream,
    ) -> Self {
        let inflater = matches!(coding, Coding::Deflate(_)).then(Inflater::new);
        let ascii = ascii.then(|| (FromWire::default(), Vec::new()));
        Self {
            upload,
            stream,
            buffer: Vec::new(),
            inflater,
            ascii,
            close,
            prepared: false,
            pieces: 0,
            moved: 0,
        }
    }

    /// The parts, to settle the file and the connection with.
    pub(crate) fn into_parts(self) -> (Box<Upload>, DataStream) {
        (self.upload, self.stream)
    }

    /// Writes the first `count` received bytes.
    fn store(&mut self, count: usize) -> Result<(), Incomplete> {
        let received = self.buffer.get(..count).unwrap_or_default();
        let (upload, ascii) = (&mut self.upload, &mut self.ascii);
        let mut write = |bytes: &[u8]| {
            let written = match ascii {
                Some((convert, text)) => {
                    text.clear();
                    convert.convert(bytes, text);
                    upload.write(text)
                }
                None => upload.write(bytes),
            };
            written.map_err(|error| Incomplete::Storage(error.kind()))
        };
        match &mut self.inflater {
            Some(inflater) => inflater.feed(received, &mut write),
            None => write(received),
        }
    }

    /// The data ended: what the conversion still holds back (a CR at the very end) belongs to the file.
    fn end(&mut self) -> Result<Progress, Incomplete> {
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        if let Some((convert, mut text)) = self.ascii.take() {
            text.clear();
            convert.finish(&mut text);
            self.upload.write(&text).map_err(|error| Incomplete::Storage(error.kind()))?;
        }
        Ok(Progress::Done)
    }
}

impl Pump for ReceivePump {
    fn step(&mut self) -> Result<Progress, Incomplete> {
        // Piece by piece, so that it can be stopped: a restart in a complete file copies what stands
        // before the marker.
        if !self.prepared {
            self.prepared = self.upload.prepare().map_err(|error| Incomplete::Storage(error.kind()))?;
            self.pieces += 1;
            return Ok(Progress::More);
        }
        let step = if self.inflater.is_some() { COMPRESSED_STEP } else { RECEIVE_STEP };
        self.buffer.resize(step, 0);
        match self.stream.read(&mut self.buffer) {
            Ok(Received::Bytes(count)) => {
                self.store(count)?;
                self.moved += count as u64;
                Ok(Progress::More)
            }
            Ok(Received::End) => self.end(),
            // SECURITY: an end that the peer did not say under TLS may be anybody's (RFC 8446 §6.1):
            // what came is an unfinished upload, unless the operator trusts plain FINs.
            Ok(Received::Truncated) => match self.close {
                DataClose::Strict => Err(Incomplete::Truncated),
                DataClose::Lenient => self.end(),
            },
            Ok(Received::Lost) => Err(Incomplete::ConnectionLost),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(Progress::Waiting(Interest::Readable))
            }
            Err(_) => Err(Incomplete::ConnectionLost),
        }
    }

    fn may_block(&self) -> bool {
        true
    }

    fn stream(&mut self) -> &mut DataStream {
        &mut self.stream
    }

    fn moved(&self) -> u64 {
        self.moved
    }

    fn progress(&self) -> u64 {
        self.moved + self.pieces
    }

    fn patience(&self, stall: Duration) -> Duration {
        stall
    }

    fn rest(&mut self) {
        self.buffer = Vec::new();
        if let Some(inflater) = &mut self.inflater {
            inflater.rest();
        }
        self.stream.release_buffers();
    }
}
