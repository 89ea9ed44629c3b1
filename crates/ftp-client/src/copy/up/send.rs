//! How does one file go from this machine to the server?

use std::sync::{Arc, Mutex, PoisonError};

use carrack_ftp_proto::client::{Modified, RemotePath};

use crate::copy::retries::{Attempts, is_refusal};
use crate::copy::telling::{End, Transfer};
use crate::copy::terms::Terms;
use crate::copy::verify::{Complete, SizeTold};
use crate::copy::{Existing, Failure, Note, Place, Resume, Times, Verified};
use crate::journal::{Begun, Claim, Key, Moment, Transfer as Standing, Version};
use crate::local::source::SourceFile;
use crate::{Client, Error, Store, Upload};

/// One file to be sent.
pub(super) struct Outgoing<'t> {
    pub(super) terms: &'t Terms,
    pub(super) source: SourceFile,
    pub(super) target: RemotePath,
}

/// A transfer's entry in the journal, shared with whoever watches its first bytes.
type Entry = Arc<Mutex<Claim>>;

impl Outgoing<'_> {
    /// Sends it, and tells how that went. Fails only where no connection is to be had.
    pub(super) async fn send(self, client: &mut Client) -> Result<(), Failure> {
        let source = Place::Local(self.source.path().to_owned());
        let target = Place::Remote(self.target.clone());
        let mut transfer = Transfer::begin(&self.terms.telling, source, target, Some(self.size()));
        let outcome = match (self.terms.existing, self.terms.resume) {
            (Existing::Append, _) => self.append(client, &mut transfer).await,
            (Existing::Replace, Resume::BySize) => self.by_size(client, &mut transfer).await,
            (Existing::Replace, Resume::Journal | Resume::Never) => {
                self.by_journal(client, &mut transfer).await
            }
        };
        transfer.end(outcome)
    }

    fn size(&self) -> u64 {
        self.source.version().size
    }

    /// From where an interrupted transfer of this very file got to, else from the first byte.
    async fn by_journal(&self, client: &mut Client, transfer: &mut Transfer) -> Result<End, Failure> {
        let entry = self.entry()?;
        let mut outcome = self.attempts(client, &entry, transfer).await;
        if is_mixed(&outcome) && transfer.from() > 0 {
            // Somebody else wrote to the target meanwhile.
            entry.iter().for_each(|entry| locked(entry).disregard());
            outcome = self.attempts(client, &entry, transfer).await;
        }
        for mut entry in entry.iter().map(locked) {
            let begun = matches!(entry.found(), Some(Standing::Upload { begun: Begun::Yes, .. }));
            if outcome.is_ok() || is_mixed(&outcome) || !begun {
                // There is nothing to go on from, or nothing left to do.
                entry.disregard();
            }
        }
        outcome.map(End::Done)
    }

    fn entry(&self) -> Result<Option<Entry>, Failure> {
        let key = || {
            let path = self.source.path();
            let local = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            Key::upload(&self.terms.server, &local, &self.target)
        };
        let mut claim = self.terms.claim(key, Some(self.size()))?;
        if self.terms.resume == Resume::Never {
            claim.iter_mut().for_each(Claim::disregard);
        }
        Ok(claim.map(|claim| Arc::new(Mutex::new(claim))))
    }

    async fn attempts(
        &self,
        client: &mut Client,
        entry: &Option<Entry>,
        transfer: &mut Transfer,
    ) -> Result<Verified, Failure> {
        let mut attempts = self.terms.attempts();
        loop {
            match self.attempt(client, entry.as_ref(), transfer, &mut attempts).await {
                Ok(verified) => return Ok(verified),
                Err(failure) => attempts.again(failure, &self.terms.telling, Some(transfer.id())).await?,
            }
        }
    }

    async fn attempt(
        &self,
        client: &mut Client,
        entry: Option<&Entry>,
        transfer: &mut Transfer,
        attempts: &mut Attempts,
    ) -> Result<Verified, Failure> {
        let from = match entry {
            Some(entry) => self.begin(client, entry).await?,
            None => 0,
        };
        attempts.begins_at(from);
        match self.transmit(client, from, entry, transfer).await {
            // The server has no REST before STOR: behind what it has, which is exactly so much, goes APPE as well.
            Err(Failure::Server(error)) if from > 0 && is_refusal(&error) => {
                self.transmit_behind(client, from, entry, transfer).await?;
            }
            outcome => outcome?,
        }
        self.finish(client).await
    }

    /// Where the transfer begins. What it needs to be gone on with is written down before its first byte.
    async fn begin(&self, client: &mut Client, entry: &Entry) -> Result<u64, Failure> {
        let found = locked(entry).found().cloned();
        let there = self.there(client).await?;
        if let Some(Standing::Upload { source, before, begun: Begun::Yes }) = found
            && source == self.source.version()
            && let Some(there) = there
            && there.size <= source.size
            // A server that hides what it receives shows the old file still: it is no beginning of this one.
            && !before.is_some_and(|before| before.may_be(&there))
        {
            return Ok(there.size);
        }
        let begins = Standing::Upload { source: self.source.version(), before: there, begun: Begun::No };
        if let Err(why) = locked(entry).write(begins) {
            self.terms.telling.note(Note::NoJournal(why));
        }
        Ok(0)
    }

    /// What stands at the target; `None` where nothing does or nobody tells its size.
    async fn there(&self, client: &mut Client) -> Result<Option<Version>, Failure> {
        let size = match client.size(&self.target).await {
            Ok(Some(size)) => size,
            Ok(None) => return Ok(None),
            Err(error) if is_refusal(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let modified: Option<Modified> = match client.modified(&self.target).await {
            Ok(modified) => modified,
            Err(error) if is_refusal(&error) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Version { size, modified: modified.and_then(Moment::told) }))
    }

    async fn transmit(
        &self,
        client: &mut Client,
        from: u64,
        entry: Option<&Entry>,
        transfer: &mut Transfer,
    ) -> Result<(), Failure> {
        transfer.restarted(from);
        let how = if from == 0 { Store::Replace } else { Store::From(from) };
        let upload = client.store(&self.target, how).await?;
        self.pass(upload, from, entry, transfer).await
    }

    /// The same by APPE where the target has exactly the bytes up to `from`, else all of it.
    async fn transmit_behind(
        &self,
        client: &mut Client,
        from: u64,
        entry: Option<&Entry>,
        transfer: &mut Transfer,
    ) -> Result<(), Failure> {
        if client.size(&self.target).await? == Some(from) {
            match client.store(&self.target, Store::Append).await {
                Ok(upload) => return self.pass(upload, from, entry, transfer).await,
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.transmit(client, 0, entry, transfer).await
    }

    async fn pass(
        &self,
        upload: Upload<'_>,
        from: u64,
        entry: Option<&Entry>,
        transfer: &mut Transfer,
    ) -> Result<(), Failure> {
        // More than there was is as much a change as less.
        let most = self.size().saturating_sub(from);
        let mut meter = transfer.meter(self.terms.limiter.as_ref(), &self.terms.stop, most);
        if let Some(entry) = entry {
            transfer.is_resumable();
            meter = meter.at_first(self.note_begun(entry));
        }
        let meter = Arc::new(meter);
        match upload.send(self.source.file(), from, meter.clone()).await {
            Ok(moved) if from.saturating_add(moved) == self.size() && self.source.is_unchanged()? => Ok(()),
            Err(error) if !meter.was_exceeded() => Err(error.into()),
            Ok(_) | Err(_) => Err(self.changed()),
        }
    }

    /// Writes down that the target is ours from now on.
    fn note_begun(&self, entry: &Entry) -> impl FnOnce() + Send + 'static {
        let (entry, telling) = (Arc::clone(entry), Arc::clone(&self.terms.telling));
        move || {
            let mut entry = locked(&entry);
            if let Some(Standing::Upload { source, before, begun: Begun::No }) = entry.found().cloned()
                && let Err(why) = entry.write(Standing::Upload { source, before, begun: Begun::Yes })
            {
                telling.note(Note::NoJournal(why));
            }
        }
    }

    /// Verifies what arrived, and sets its time.
    async fn finish(&self, client: &mut Client) -> Result<Verified, Failure> {
        let complete = Complete {
            remote: &self.target,
            file: self.source.file(),
            path: self.source.path(),
            length: self.size(),
            size: SizeTold::NotAsked,
        };
        let verified = complete.verify(self.terms, client).await?;
        if self.terms.times == Times::Keep
            && let Some(Moment { unix_s, .. }) = self.source.version().modified
        {
            match client.set_modified(&self.target, unix_s).await {
                Ok(true) => {}
                Ok(false) => self.terms.telling.note(Note::TimesNotSet),
                Err(error) if is_refusal(&error) => self.terms.telling.note(Note::TimesNotSet),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(verified)
    }

    fn changed(&self) -> Failure {
        Failure::SourceChanged(Place::Local(self.source.path().to_owned()))
    }

    /// Behind what is there, whatever it is: what the user asked for.
    async fn by_size(&self, client: &mut Client, transfer: &mut Transfer) -> Result<End, Failure> {
        let mut attempts = self.terms.attempts();
        loop {
            match self.attempt_by_size(client, transfer, &mut attempts).await {
                Ok(end) => return Ok(end),
                Err(failure) => attempts.again(failure, &self.terms.telling, Some(transfer.id())).await?,
            }
        }
    }

    async fn attempt_by_size(
        &self,
        client: &mut Client,
        transfer: &mut Transfer,
        attempts: &mut Attempts,
    ) -> Result<End, Failure> {
        let there = match client.size(&self.target).await {
            Ok(there) => there,
            Err(error) if is_refusal(&error) => None,
            Err(error) => return Err(error.into()),
        };
        transfer.is_resumable();
        let from = match there.unwrap_or(0) {
            there if there == self.size() && there > 0 => return Ok(End::Left(there)),
            there if there > self.size() => {
                let place = Place::Remote(self.target.clone());
                return Err(Failure::Larger { place, there, source_bytes: self.size() });
            }
            there => there,
        };
        attempts.begins_at(from);
        match self.transmit(client, from, None, transfer).await {
            Err(Failure::Server(error)) if from > 0 && is_refusal(&error) => {
                self.transmit_behind(client, from, None, transfer).await?;
            }
            outcome => outcome?,
        }
        Ok(End::Done(self.finish(client).await?))
    }

    /// By APPE. Never a second time once bytes have gone: the target would have them twice.
    async fn append(&self, client: &mut Client, transfer: &mut Transfer) -> Result<End, Failure> {
        let mut attempts = self.terms.attempts();
        loop {
            transfer.restarted(0);
            let outcome = match client.store(&self.target, Store::Append).await {
                Ok(upload) => self.pass(upload, 0, None, transfer).await,
                Err(error) => Err(Error::into(error)),
            };
            match outcome {
                // What is there now has the size of both together, which nobody here knows.
                Ok(()) => return Ok(End::Done(Verified::Nothing)),
                Err(failure) if transfer.has_moved() => return Err(failure),
                Err(failure) => attempts.again(failure, &self.terms.telling, Some(transfer.id())).await?,
            }
        }
    }
}

/// Whether what arrived cannot be the source, so that nothing of it is of use.
fn is_mixed<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(
        outcome,
        Err(Failure::HashDiffers { .. } | Failure::SizeDiffers { .. } | Failure::SourceChanged(_))
    )
}

/// Nothing panics while it is held.
fn locked(entry: &Entry) -> std::sync::MutexGuard<'_, Claim> {
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}
