//! MODE Z: how is a transfer's data compressed on its way out and read on its way in? (draft-preston-ftpext-deflate, RFC 1950)

use std::net::IpAddr;

use carrack_core::error::{Error, ErrorKind};
use carrack_core::event::{Incomplete, Protection};
use carrack_core::limits::Pace;
use carrack_ftp_proto::server::{CompressionLevel, Transfer, TransferMode};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Source;

/// Bytes that come out of the decompressor at a time.
const PIECE: usize = 64 * 1024;

/// How many bytes one compressed byte may become, counted over the whole upload. Text becomes 5 to 30, logs up to 100;
/// zlib could make 1,032 of it, and then a client fills a disk with a thousandth of its line.
const EXPANSION: u64 = 200;

/// Bytes that an upload may have before [`EXPANSION`] counts: what is small does no harm.
const FREE: u64 = 16 * 1024 * 1024;

/// How the bytes of a transfer travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As they are.
    Plain,
    /// In one zlib stream.
    Deflate(CompressionLevel),
}

impl Coding {
    pub(crate) fn of(transfer: &Transfer) -> Self {
        match transfer.mode {
            TransferMode::Stream => Self::Plain,
            TransferMode::Deflate => Self::Deflate(transfer.level),
        }
    }

    /// A source whose bytes travel this way.
    pub(crate) fn apply(self, source: Box<dyn Source>) -> Box<dyn Source> {
        match self {
            Self::Plain => source,
            Self::Deflate(level) => Box::new(DeflateSource::new(source, level)),
        }
    }
}

/// Another source's bytes, compressed.
struct DeflateSource {
    plain: Box<dyn Source>,
    compress: Compress,
    input: Vec<u8>,
    ended: bool,
}

impl DeflateSource {
    fn new(plain: Box<dyn Source>, level: CompressionLevel) -> Self {
        let compress = Compress::new(Compression::new(level.number().into()), true);
        Self { plain, compress, input: Vec::new(), ended: false }
    }

    /// Compresses what was read; with no bytes, the end of the stream.
    fn compress_input(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let flush = if self.input.is_empty() { FlushCompress::Finish } else { FlushCompress::None };
        let mut rest = self.input.as_slice();
        loop {
            out.reserve(PIECE);
            let before = self.compress.total_in();
            let status = self.compress.compress_vec(rest, out, flush).map_err(|_| ErrorKind::Io)?;
            let taken = usize::try_from(self.compress.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            self.ended = status == Status::StreamEnd;
            if self.ended || (rest.is_empty() && flush == FlushCompress::None) {
                return Ok(());
            }
        }
    }
}

impl Source for DeflateSource {
    fn fill(&mut self, out: &mut Vec<u8>, step: usize) -> Result<(), Error> {
        let full = out.len() + step;
        while out.len() < full && !self.ended {
            self.input.clear();
            self.plain.fill(&mut self.input, step)?;
            self.compress_input(out)?;
        }
        Ok(())
    }

    fn take_pace(&mut self) -> Option<Pace> {
        self.plain.take_pace()
    }

    fn protected_by(&mut self, protection: Protection) {
        self.plain.protected_by(protection);
    }

    fn exchanged_with(&mut self, partner: IpAddr) {
        self.plain.exchanged_with(partner);
    }

    fn settles_at_once(&self) -> bool {
        self.plain.settles_at_once()
    }

    fn settle(self: Box<Self>, outcome: Result<(), Incomplete>) {
        self.plain.settle(outcome);
    }
}

/// Reads a zlib stream.
pub(crate) struct Inflater {
    decompress: Decompress,
    out: Vec<u8>,
    ended: bool,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { decompress: Decompress::new(true), out: Vec::new(), ended: false }
    }

    /// Takes compressed bytes, and hands what they mean to `take`, a bounded piece at a time.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        take: &mut dyn FnMut(&[u8]) -> Result<(), Incomplete>,
    ) -> Result<(), Incomplete> {
        let mut rest = bytes;
        loop {
            if self.ended {
                // Whatever stands behind the stream is not part of the file.
                return if rest.is_empty() { Ok(()) } else { Err(CORRUPT) };
            }
            self.out.clear();
            self.out.reserve(PIECE);
            let before = self.decompress.total_in();
            let status = self.decompress.decompress_vec(rest, &mut self.out, FlushDecompress::None);
            self.ended = status.map_err(|_| CORRUPT)? == Status::StreamEnd;
            let taken = usize::try_from(self.decompress.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            // SECURITY: a few bytes may mean a great many; the disk and the quota are told of each, and this is the limit
            // on how cheaply they are had.
            if self.decompress.total_out() > FREE + self.decompress.total_in().saturating_mul(EXPANSION) {
                return Err(EXPANDS);
            }
            if !self.out.is_empty() {
                take(&self.out)?;
            } else if rest.is_empty() || (taken == 0 && !self.ended) {
                return if rest.is_empty() { Ok(()) } else { Err(CORRUPT) };
            }
        }
    }

    /// Whether the stream is whole, its checksum included.
    pub(crate) fn finish(&self) -> Result<(), Incomplete> {
        if self.ended { Ok(()) } else { Err(CUT) }
    }

    /// Gives memory back while nothing comes.
    pub(crate) fn rest(&mut self) {
        self.out = Vec::new();
    }
}

const CORRUPT: Incomplete = Incomplete::Undecodable("it is not a zlib stream, or a damaged one");
const CUT: Incomplete = Incomplete::Undecodable("the zlib stream ends before its end");
const EXPANDS: Incomplete =
    Incomplete::Undecodable("it grows more than 200-fold, which is not taken: send it in MODE S");

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::write::ZlibEncoder;

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(9));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What a stream means, fed in pieces.
    fn inflate(stream: &[u8], piece: usize) -> Result<Vec<u8>, Incomplete> {
        let (mut inflater, mut out) = (Inflater::new(), Vec::new());
        for bytes in stream.chunks(piece) {
            inflater.feed(bytes, &mut |bytes| {
                assert!(bytes.len() <= PIECE);
                out.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        inflater.finish().map(|()| out)
    }

    struct Bytes(Vec<u8>, usize);

    impl Source for Bytes {
        fn fill(&mut self, out: &mut Vec<u8>, step: usize) -> Result<(), Error> {
            let end = (self.1 + step).min(self.0.len());
            out.extend_from_slice(&self.0[self.1..end]);
            self.1 = end;
            Ok(())
        }

        fn take_pace(&mut self) -> Option<Pace> {
            None
        }

        fn protected_by(&mut self, _: Protection) {}

        fn exchanged_with(&mut self, _: IpAddr) {}

        fn settles_at_once(&self) -> bool {
            true
        }

        fn settle(self: Box<Self>, _: Result<(), Incomplete>) {}
    }

    /// Text that repeats itself, but not too much.
    fn text(length: usize) -> Vec<u8> {
        (0_u32..)
            .flat_map(|number| format!("line {}\n", number.wrapping_mul(2_654_435_761)).into_bytes())
            .take(length)
            .collect()
    }

    #[test]
    fn what_goes_out_comes_in_again() {
        for length in [0, 1, 1000, 65_536, 3_000_000] {
            let plain = text(length);
            for level in [0, 1, 9] {
                let mut source =
                    Coding::Deflate(CompressionLevel::of(level)).apply(Box::new(Bytes(plain.clone(), 0)));
                let mut stream = Vec::new();
                loop {
                    let before = stream.len();
                    source.fill(&mut stream, 10_000).unwrap();
                    if stream.len() == before {
                        break;
                    }
                }
                assert!(level == 0 || length < 1000 || stream.len() < length);
                assert_eq!(inflate(&stream, 16 * 1024).unwrap(), plain, "{length} bytes, level {level}");
            }
        }
    }

    #[test]
    fn a_stream_is_whole_or_an_error() {
        let plain = text(100_000);
        let stream = zlib(&plain);
        assert_eq!(inflate(&stream, 1).unwrap(), plain);
        for cut in [0, 1, 2, stream.len() / 2, stream.len() - 1] {
            assert_eq!(inflate(&stream[..cut], 777), Err(CUT), "cut at {cut}");
        }
        let mut damaged = stream.clone();
        damaged[stream.len() - 1] ^= 1;
        assert_eq!(inflate(&damaged, 777), Err(CORRUPT), "the checksum counts");
        assert_eq!(inflate(&[&stream[..], b"x"].concat(), 777), Err(CORRUPT));
        assert_eq!(inflate(&[&stream[..], b"x"].concat(), stream.len()), Err(CORRUPT));
        assert_eq!(inflate(b"plain text", 4), Err(CORRUPT));
    }

    #[test]
    fn what_expands_too_much_ends_at_the_limit() {
        let bomb = zlib(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < 100_000);
        let (mut inflater, mut written) = (Inflater::new(), 0_u64);
        let outcome = bomb.chunks(16 * 1024).try_for_each(|bytes| {
            inflater.feed(bytes, &mut |bytes| {
                written += bytes.len() as u64;
                Ok(())
            })
        });
        assert_eq!(outcome, Err(EXPANDS));
        assert!(written < FREE + bomb.len() as u64 * EXPANSION, "{written}");
    }
}
