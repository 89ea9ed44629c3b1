//! How does one file come from the server to this machine?

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use carrack_ftp_proto::client::{EntryName, Modified, RemotePath};

use crate::copy::retries::{Attempts, is_refusal};
use crate::copy::telling::{End, Transfer};
use crate::copy::terms::Terms;
use crate::copy::verify::{Complete, SizeTold};
use crate::copy::{Existing, Failure, Note, Place, Resume, Times, Verified};
use crate::journal::{Claim, Key, Moment, Transfer as Standing, Version, to_text};
use crate::local::folder::{Folder, Kind, Missing};
use crate::local::in_place::InPlace;
use crate::local::partial::{Begin, Partial, set_modified};
use crate::{Client, Download, LocalFailure};

/// How much more may come than was told before: a log that is written to while it is read. A server that sends without end
/// is left then.
const GROWTH_BYTES: u64 = 64 * 1024 * 1024;

/// One file to be received.
pub(super) struct Incoming<'t> {
    pub(super) terms: &'t Terms,
    pub(super) source: RemotePath,
    /// The folder it goes to, and its name there.
    pub(super) folder: Arc<Folder>,
    pub(super) name: EntryName,
    /// What the server has told of it.
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Modified>,
}

impl Incoming<'_> {
    /// Receives it, and tells how that went. Fails only where no connection is to be had.
    pub(super) async fn receive(mut self, client: &mut Client) -> Result<(), Failure> {
        let (source, target) = (Place::Remote(self.source.clone()), Place::Local(self.path()));
        let mut transfer = Transfer::begin(&self.terms.telling, source, target, self.size);
        let outcome = match (self.terms.existing, self.terms.resume) {
            (Existing::Append, _) => self.append(client, &mut transfer).await,
            (Existing::Replace, Resume::BySize) => self.by_size(client, &mut transfer).await,
            (Existing::Replace, Resume::Journal | Resume::Never) => {
                self.by_journal(client, &mut transfer).await
            }
        };
        transfer.end(outcome)
    }

    fn path(&self) -> PathBuf {
        self.folder.path_of(self.name.as_bytes())
    }

    /// From where an interrupted transfer of this very file got to, else from the first byte.
    async fn by_journal(&mut self, client: &mut Client, transfer: &mut Transfer) -> Result<End, Failure> {
        let key = || {
            let local = std::path::absolute(self.path()).unwrap_or_else(|_| self.path());
            Key::download(&self.terms.server, &self.source, &local)
        };
        let mut claim = self.terms.claim(key, self.size)?;
        if self.terms.resume == Resume::Never {
            claim.iter_mut().for_each(Claim::disregard);
        }
        let begin = if claim.is_some() { Begin::Continue } else { Begin::Anew };
        let mut partial = Partial::open(Arc::clone(&self.folder), self.name.clone(), begin)?;
        let mut outcome = self.attempts(client, &mut partial, &mut claim, transfer).await;
        if is_mixed(&outcome) && transfer.from() > 0 {
            // Another version than was begun with, though size and time are the same.
            claim.iter_mut().for_each(Claim::disregard);
            partial.restart()?;
            outcome = self.attempts(client, &mut partial, &mut claim, transfer).await;
        }
        if is_mixed(&outcome) || (outcome.is_err() && partial.length()? == 0) {
            // There is nothing that would be worth going on from.
            partial.give_up();
            claim.take().into_iter().for_each(Claim::end);
        }
        let verified = outcome?;
        partial.publish(self.time_to_keep(client).await?)?;
        claim.into_iter().for_each(Claim::end);
        Ok(End::Done(verified))
    }

    async fn attempts(
        &mut self,
        client: &mut Client,
        partial: &mut Partial,
        claim: &mut Option<Claim>,
        transfer: &mut Transfer,
    ) -> Result<Verified, Failure> {
        let mut attempts = self.terms.attempts();
        loop {
            match self.attempt(client, partial, claim, transfer, &mut attempts).await {
                Ok(verified) => return Ok(verified),
                Err(failure) => attempts.again(failure, &self.terms.telling, Some(transfer.id())).await?,
            }
        }
    }

    async fn attempt(
        &mut self,
        client: &mut Client,
        partial: &mut Partial,
        claim: &mut Option<Claim>,
        transfer: &mut Transfer,
        attempts: &mut Attempts,
    ) -> Result<Verified, Failure> {
        if attempts.is_repeated() {
            self.look_again(client).await?;
        }
        let from = match claim {
            Some(claim) => self.begin(client, partial, claim, transfer).await?,
            None if attempts.is_repeated() => {
                partial.restart()?;
                0
            }
            None => 0,
        };
        attempts.begins_at(from);
        let length = self.fetch_or_restart(client, partial, from, transfer).await?;
        self.verify(client, partial.file(), length, transfer).await
    }

    /// Where the transfer begins; it is written down before its first byte.
    async fn begin(
        &mut self,
        client: &mut Client,
        partial: &mut Partial,
        claim: &mut Claim,
        transfer: &mut Transfer,
    ) -> Result<u64, Failure> {
        let source = self.version(client).await?;
        if let Some(Standing::Download { source: begun, .. }) = claim.found()
            && source.is_some_and(|source| source.is_certainly(begun))
            && partial.length()? <= begun.size
        {
            partial.keep();
            transfer.is_resumable();
            return Ok(partial.length()?);
        }
        partial.restart()?;
        let Some(source) = source.filter(|source| source.modified.is_some()) else { return Ok(0) };
        match claim.write(Standing::Download { source, partial: to_text(partial.name()) }) {
            Ok(()) => {
                partial.keep();
                transfer.is_resumable();
            }
            Err(why) => self.terms.telling.note(Note::NoJournal(why)),
        }
        Ok(0)
    }

    /// Which version of the file the server has.
    async fn version(&mut self, client: &mut Client) -> Result<Option<Version>, Failure> {
        let Some(size) = self.size else { return Ok(None) };
        Ok(Some(Version { size, modified: self.moment(client).await? }))
    }

    /// When it was modified, to the second, if the server tells.
    async fn moment(&mut self, client: &mut Client) -> Result<Option<Moment>, Failure> {
        if let Some(moment) = self.modified.and_then(Moment::told) {
            return Ok(Some(moment));
        }
        self.modified = client.modified(&self.source).await?;
        Ok(self.modified.and_then(Moment::told))
    }

    /// The file may have changed since it was listed, or since the connection was lost.
    async fn look_again(&mut self, client: &mut Client) -> Result<(), Failure> {
        let facts = client.stat(&self.source).await?;
        (self.size, self.modified) = (facts.size, facts.modified);
        Ok(())
    }

    /// The same as [`fetch`](Incoming::fetch), from the first byte where the server does not begin in the middle.
    async fn fetch_or_restart(
        &self,
        client: &mut Client,
        partial: &mut Partial,
        from: u64,
        transfer: &mut Transfer,
    ) -> Result<u64, Failure> {
        match self.fetch(client, partial.file(), from, from, transfer).await {
            Err(Failure::Server(error)) if from > 0 && is_refusal(&error) => {
                partial.restart()?;
                self.fetch(client, partial.file(), 0, 0, transfer).await
            }
            outcome => outcome,
        }
    }

    /// Writes what the server has from byte `from` on into `file` at `at`; how many bytes of the server's file are there then.
    async fn fetch(
        &self,
        client: &mut Client,
        file: &File,
        at: u64,
        from: u64,
        transfer: &mut Transfer,
    ) -> Result<u64, Failure> {
        transfer.restarted(from);
        if from > 0 && Some(from) == self.size {
            return Ok(from);
        }
        let most = self.size.map_or(u64::MAX, |size| size.saturating_sub(from).saturating_add(GROWTH_BYTES));
        let meter = Arc::new(transfer.meter(self.terms.limiter.as_ref(), &self.terms.stop, most));
        let download: Download<'_> = client.retrieve(&self.source, from).await?;
        match download.save(file, at, meter.clone()).await {
            Ok(moved) => Ok(from.saturating_add(moved)),
            Err(_) if meter.was_exceeded() => Err(self.size_differs(from.saturating_add(most))),
            Err(error) => Err(error.into()),
        }
    }

    async fn verify(
        &self,
        client: &mut Client,
        file: &File,
        length: u64,
        transfer: &Transfer,
    ) -> Result<Verified, Failure> {
        let size = self.compare_size(client, length, transfer).await?;
        Complete { remote: &self.source, file, path: &self.path(), length, size }
            .verify(self.terms, client)
            .await
    }

    async fn compare_size(
        &self,
        client: &mut Client,
        length: u64,
        transfer: &Transfer,
    ) -> Result<SizeTold, Failure> {
        match self.size {
            None => Ok(SizeTold::NotAsked),
            Some(size) if size == length => Ok(SizeTold::Same),
            // Changed between the listing and the transfer; all of it is of one version if it came in one piece.
            Some(_) if transfer.from() == 0 && client.size(&self.source).await? == Some(length) => {
                Ok(SizeTold::Same)
            }
            Some(_) => Err(self.size_differs(length)),
        }
    }

    fn size_differs(&self, arrived: u64) -> Failure {
        let place = Place::Remote(self.source.clone());
        Failure::SizeDiffers { place, expected: self.size.unwrap_or(0), arrived }
    }

    async fn time_to_keep(&mut self, client: &mut Client) -> Result<Option<(i64, u32)>, Failure> {
        if self.terms.times == Times::New {
            return Ok(None);
        }
        let moment = self.moment(client).await?;
        if moment.is_none() {
            self.terms.telling.note(Note::TimesNotTold);
        }
        Ok(moment.map(|moment| (moment.unix_s, moment.nanos)))
    }

    /// Behind what is there, whatever it is: what the user asked for.
    async fn by_size(&mut self, client: &mut Client, transfer: &mut Transfer) -> Result<End, Failure> {
        let mut attempts = self.terms.attempts();
        loop {
            match self.attempt_by_size(client, transfer, &mut attempts).await {
                Ok(end) => return Ok(end),
                Err(failure) => attempts.again(failure, &self.terms.telling, Some(transfer.id())).await?,
            }
        }
    }

    async fn attempt_by_size(
        &mut self,
        client: &mut Client,
        transfer: &mut Transfer,
        attempts: &mut Attempts,
    ) -> Result<End, Failure> {
        if self.size.is_none() || attempts.is_repeated() {
            self.size = client.size(&self.source).await?;
        }
        let Some(size) = self.size else { return Err(Failure::NoSize(Place::Remote(self.source.clone()))) };
        transfer.is_resumable();
        match self.folder.find(self.name.as_bytes())?.map(|found| (found.kind, found.size)) {
            Some((Kind::File, there)) if there == size => return Ok(End::Left(size)),
            Some((Kind::File, there)) if there > size => {
                return Err(Failure::Larger { place: Place::Local(self.path()), there, source_bytes: size });
            }
            Some((Kind::File, there)) if there > 0 => {
                let open = InPlace::open(&self.folder, &self.name, Missing::Fail)?;
                attempts.begins_at(open.length);
                let length = self.fetch(client, &open.file, open.length, open.length, transfer).await?;
                let verified = self.verify(client, &open.file, length, transfer).await?;
                if let Some((seconds, nanos)) = self.time_to_keep(client).await? {
                    let set = set_modified(&open.file, seconds, nanos);
                    set.map_err(|errno| LocalFailure::io("set the time of", &self.path(), errno))?;
                }
                return Ok(End::Done(verified));
            }
            _ => {}
        }
        let mut partial = Partial::open(Arc::clone(&self.folder), self.name.clone(), Begin::Continue)?;
        partial.keep();
        if partial.length()? > size {
            partial.restart()?;
        }
        let from = partial.length()?;
        attempts.begins_at(from);
        let length = self.fetch_or_restart(client, &mut partial, from, transfer).await?;
        let verified = self.verify(client, partial.file(), length, transfer).await?;
        partial.publish(self.time_to_keep(client).await?)?;
        Ok(End::Done(verified))
    }

    /// Behind what the local file has. Never a second time once bytes have come: it would have them twice.
    async fn append(&mut self, client: &mut Client, transfer: &mut Transfer) -> Result<End, Failure> {
        let open = InPlace::open(&self.folder, &self.name, Missing::Make)?;
        let mut attempts = self.terms.attempts();
        loop {
            match self.fetch(client, &open.file, open.length, 0, transfer).await {
                Ok(length) => {
                    return Ok(End::Done(match self.compare_size(client, length, transfer).await? {
                        SizeTold::Same => Verified::Size,
                        SizeTold::NotAsked => Verified::Nothing,
                    }));
                }
                Err(failure) if transfer.has_moved() => return Err(failure),
                Err(failure) => attempts.again(failure, &self.terms.telling, Some(transfer.id())).await?,
            }
        }
    }
}

/// Whether what was received cannot be the server's file, so that nothing of it is of use.
fn is_mixed<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(Failure::HashDiffers { .. } | Failure::SizeDiffers { .. }))
}
