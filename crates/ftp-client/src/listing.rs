//! The contents of a folder, entry by entry.

use std::future::poll_fn;
use std::time::{SystemTime, UNIX_EPOCH};

use carrack_ftp_proto::client::machine::{Hidden, Transfer};
use carrack_ftp_proto::client::{Format, Listed, ListingReader, RemotePath};

use crate::client::{Client, MachineListings, Wanted};
use crate::download::Download;
use crate::error::{Error, ErrorKind, Operation};

/// Bytes read at a time.
const STEP: usize = 32 * 1024;

/// Bytes in which a listing may name nothing: `total` lines, `.` and `..`, the rest of a line that is too long. Real servers
/// have a few hundred; a hostile one would keep us reading for ever.
const IN_VAIN: usize = 1024 * 1024;

impl Client {
    /// Begins to list a folder: with MLSD where the server knows it, else with LIST, whose times are rough and whose names
    /// depend on the server's taste.
    ///
    /// LIST is given no path, because many servers read one as options and wildcards: CWD goes there first. It is asked for
    /// names that begin with a dot (`LIST -a`), which many servers leave out otherwise. Where that is refused or brings
    /// nothing at all, not even `.`, the server did not understand it, and plain LIST is asked.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`](crate::ErrorKind::NotFoundOrDenied) where there is no such folder, and whatever else
    /// can happen on the way. A file in the place of a folder is an error on some servers, a listing of itself or an empty
    /// one on others: [`Client::stat`] tells.
    pub async fn list(&mut self, folder: &RemotePath) -> Result<Listing<'_>, Error> {
        let error = |kind| Error::new(Operation::List, folder, kind);
        if self.learnt.machine_listings == MachineListings::Tried {
            match self.try_begin(&Wanted::anywhere(Transfer::ListFacts(folder.clone()))).await {
                Err(kind) if kind.is_unknown_command() => {
                    self.learnt.machine_listings = MachineListings::Unknown;
                }
                begun => {
                    let begun = begun.map_err(error)?;
                    let download = Download::over(self, begun, Operation::List, folder);
                    return Ok(Listing::new(download, Format::Facts));
                }
            }
        }
        if !folder.as_bytes().starts_with(b"/") {
            // The server does not tell where its login folder is, so no CWD would lead back there.
            let wanted = Wanted::anywhere(Transfer::ListPath(folder.clone()));
            return Ok(Listing::new(self.download(Operation::List, folder, wanted).await?, Format::Long));
        }
        let in_folder = |hidden| Wanted::within(folder.clone(), Transfer::List(hidden));
        if self.learnt.hidden == Hidden::NotAsked {
            let wanted = in_folder(Hidden::NotAsked);
            return Ok(Listing::new(self.download(Operation::List, folder, wanted).await?, Format::Long));
        }
        let begun = match self.try_begin(&in_folder(Hidden::Asked)).await {
            // A refusal of the folder itself comes again.
            Err(kind) if kind.is_answer() => {
                let begun = self.try_begin(&in_folder(Hidden::NotAsked)).await;
                if begun.is_ok() {
                    self.learnt.hidden = Hidden::NotAsked;
                }
                begun
            }
            begun => begun,
        };
        let begun = begun.map_err(error)?;
        let listing = Listing::new(Download::over(self, begun, Operation::List, folder), Format::Long);
        listing.or_without_hidden(folder, in_folder(Hidden::NotAsked)).await
    }
}

/// A listing on its way. It is complete when [`Listing::next`] has said `None` and no error came before: a listing that was
/// cut short ends with an error.
///
/// Dropping it before its end closes the control connection too; the next operation opens another.
pub struct Listing<'c> {
    download: Download<'c>,
    reader: ListingReader,
    buffer: Vec<u8>,
    /// Bytes read since something was named.
    in_vain: usize,
    ended: bool,
}

impl<'c> Listing<'c> {
    fn new(download: Download<'c>, format: Format) -> Listing<'c> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let reader = ListingReader::new(format, i64::try_from(now).unwrap_or(i64::MAX));
        Listing { download, reader, buffer: vec![0; STEP], in_vain: 0, ended: false }
    }

    /// The next entry, or a line that is none and why. `None` behind the last one, and behind an error. Cancellation safe.
    pub async fn next(&mut self) -> Option<Result<Listed, Error>> {
        loop {
            if let Some(listed) = self.reader.next() {
                if !matches!(listed, Listed::Current(_)) {
                    self.in_vain = 0;
                }
                return Some(Ok(listed));
            }
            if self.ended {
                return None;
            }
            if self.in_vain >= IN_VAIN {
                self.ended = true;
                return Some(Err(self.download.failed(ErrorKind::NothingListed)));
            }
            if let Err(error) = self.fill().await {
                return Some(Err(error));
            }
        }
    }

    /// Reads the next bytes, or the end.
    async fn fill(&mut self) -> Result<(), Error> {
        let Listing { download, reader, buffer, in_vain, ended } = self;
        match poll_fn(|cx| download.poll_receive(cx, buffer)).await {
            Ok(0) => {
                reader.finish();
                *ended = true;
                Ok(())
            }
            Ok(bytes) => {
                *in_vain += bytes;
                reader.feed(buffer.get(..bytes).unwrap_or_default());
                Ok(())
            }
            Err(error) => {
                *ended = true;
                Err(error)
            }
        }
    }

    /// The same listing, or where it is empty, one that was asked for without `-a`.
    async fn or_without_hidden(mut self, folder: &RemotePath, without: Wanted) -> Result<Listing<'c>, Error> {
        self.fill().await?;
        if !self.ended {
            return Ok(self);
        }
        let client = self.download.into_client();
        client.learnt.hidden = Hidden::NotAsked;
        Ok(Listing::new(client.download(Operation::List, folder, without).await?, Format::Long))
    }
}
