//! What a download sends: a file as it is, a file as NVT-ASCII, a listing.

use std::net::IpAddr;

use carrack_core::backend::Entry;
use carrack_core::download::Download;
use carrack_core::error::{Error, ErrorKind};
use carrack_core::event::{Incomplete, Protection};
use carrack_core::limits::Pace;
use carrack_ftp_proto::ascii;

/// Bytes for the data connection, made as they are needed.
pub(crate) trait Source: Send + 'static {
    /// Appends up to about a step's bytes to `out`; nothing appended means the end.
    fn fill(&mut self, out: &mut Vec<u8>, step: usize) -> Result<(), Error>;

    /// The file whose bytes go out unchanged, where the kernel may send them by itself.
    fn file(&mut self) -> Option<&mut Download> {
        None
    }

    /// How fast the bytes may go; `None` where nothing can limit that. Asked for once.
    fn take_pace(&mut self) -> Option<Pace>;

    /// Says how the bytes crossed the network.
    fn protected_by(&mut self, protection: Protection);

    /// Says that another server is at the other end.
    fn exchanged_with(&mut self, partner: IpAddr);

    /// Whether [`settle`](Source::settle) takes no time worth mentioning.
    fn settles_at_once(&self) -> bool;

    /// Says how it ended.
    fn settle(self: Box<Self>, outcome: Result<(), Incomplete>);
}

fn settle(file: Download, outcome: Result<(), Incomplete>) {
    match outcome {
        Ok(()) => file.finish(),
        Err(why) => file.fail(why),
    }
}

/// A file as it rests (`TYPE I`).
pub(crate) struct FileSource(pub(crate) Download);

impl Source for FileSource {
    fn fill(&mut self, out: &mut Vec<u8>, step: usize) -> Result<(), Error> {
        read_step(&mut self.0, out, step)
    }

    fn file(&mut self) -> Option<&mut Download> {
        Some(&mut self.0)
    }

    fn take_pace(&mut self) -> Option<Pace> {
        self.0.take_pace()
    }

    fn protected_by(&mut self, protection: Protection) {
        self.0.protected_by(protection);
    }

    fn exchanged_with(&mut self, partner: IpAddr) {
        self.0.exchanged_with(partner);
    }

    fn settles_at_once(&self) -> bool {
        self.0.ends_at_once()
    }

    fn settle(self: Box<Self>, outcome: Result<(), Incomplete>) {
        settle(self.0, outcome);
    }
}

/// Reads one step of the file to the end of `out`.
fn read_step(file: &mut Download, out: &mut Vec<u8>, step: usize) -> Result<(), Error> {
    let start = out.len();
    let step = usize::try_from(file.remaining()).map_or(step, |rest| rest.min(step));
    out.resize(start + step, 0);
    let read = match out.get_mut(start..) {
        Some(room) => file.read(room),
        None => Ok(0),
    };
    out.truncate(start + *read.as_ref().unwrap_or(&0));
    read.map(|_| ())
}

/// A text file with its line ends as NVT-ASCII (`TYPE A`, RFC 959 §3.1.1.1).
pub(crate) struct AsciiSource {
    file: Download,
    raw: Vec<u8>,
    /// Where it begins, and how much of what stands before is still to be passed over: bytes as they
    /// are on the wire (RFC 3659 §5), so the file is read from its beginning to find the place.
    begin: u64,
    before: u64,
}

impl AsciiSource {
    pub(crate) fn new(file: Download, begin: u64) -> Self {
        Self { file, raw: Vec::new(), begin, before: begin }
    }
}

impl Source for AsciiSource {
    fn fill(&mut self, out: &mut Vec<u8>, step: usize) -> Result<(), Error> {
        let start = out.len();
        while out.len() == start {
            self.raw.clear();
            read_step(&mut self.file, &mut self.raw, step)?;
            if self.raw.is_empty() {
                break;
            }
            ascii::to_wire(&self.raw, out);
            let made = out.len() - start;
            let passed = usize::try_from(self.before).map_or(made, |before| before.min(made));
            out.drain(start..start + passed);
            self.before -= passed as u64;
        }
        match self.before {
            0 => Ok(()),
            beyond => Err(Error::new(ErrorKind::OffsetMismatch { length: self.begin - beyond })),
        }
    }

    fn take_pace(&mut self) -> Option<Pace> {
        self.file.take_pace()
    }

    fn protected_by(&mut self, protection: Protection) {
        self.file.protected_by(protection);
    }

    fn exchanged_with(&mut self, partner: IpAddr) {
        self.file.exchanged_with(partner);
    }

    fn settles_at_once(&self) -> bool {
        self.file.ends_at_once()
    }

    fn settle(self: Box<Self>, outcome: Result<(), Incomplete>) {
        settle(self.file, outcome);
    }
}

/// How one entry becomes bytes.
pub(crate) type FormatEntry = Box<dyn Fn(&mut Vec<u8>, &Entry) + Send>;

/// A listing, one entry after the other, so that a folder of a million costs no more memory than
/// one of ten.
pub(crate) struct ListingSource {
    entries: Box<dyn Iterator<Item = Result<Entry, Error>> + Send>,
    format: FormatEntry,
}

impl ListingSource {
    pub(crate) fn new(
        entries: Box<dyn Iterator<Item = Result<Entry, Error>> + Send>,
        format: FormatEntry,
    ) -> Self {
        Self { entries, format }
    }
}

impl Source for ListingSource {
    fn fill(&mut self, out: &mut Vec<u8>, step: usize) -> Result<(), Error> {
        let full = out.len() + step;
        while out.len() < full {
            match self.entries.next() {
                Some(entry) => (self.format)(out, &entry?),
                None => break,
            }
        }
        Ok(())
    }

    // A listing is not a transfer of a file: nobody counts it, and limits on transfers are not for it.
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
