//! Is the folder there that a file goes to on the server?

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use carrack_ftp_proto::client::RemotePath;

use crate::Client;
use crate::copy::known::{Is, Known, is_nothing, known};
use crate::copy::retries::is_refusal;
use crate::copy::terms::Terms;
use crate::copy::{Event, Failure, Place};

/// How many folders are remembered to be there, a megabyte or two. One that is forgotten is asked for again.
const REMEMBERED: usize = 10_000;

/// The folders that are known to be there.
#[derive(Debug, Default)]
pub(super) struct Folders {
    there: Mutex<HashSet<RemotePath>>,
}

impl Folders {
    /// Sees to it that `folder` is there, and what lies between it and `base`, which is not made.
    pub(super) async fn ensure(
        &self,
        terms: &Terms,
        client: &mut Client,
        base: &RemotePath,
        folder: &RemotePath,
    ) -> Result<(), Failure> {
        if folder == base || self.is_there(folder) {
            return Ok(());
        }
        // From the folder up, until one is there or can be made; then down again.
        let mut missing = Vec::new();
        let mut next = folder.clone();
        while next != *base && !self.is_there(&next) {
            if self.made_or_there(terms, client, &next).await? {
                break;
            }
            let parent = next.parent().unwrap_or_else(|| base.clone());
            missing.push(std::mem::replace(&mut next, parent));
        }
        for folder in missing.into_iter().rev() {
            if !self.made_or_there(terms, client, &folder).await? {
                // Made once more for the server's own words.
                client.make_folder(&folder).await?;
            }
        }
        Ok(())
    }

    /// Makes a folder; false where its parent seems to be missing.
    //
    // MKD first, because on the way into an empty target it is the only command there is need of. Servers answer with 521 or
    // 550 to a folder that is there, as they do to a parent that is not (RFC 959 §6 has no code of its own for either).
    async fn made_or_there(
        &self,
        terms: &Terms,
        client: &mut Client,
        folder: &RemotePath,
    ) -> Result<bool, Failure> {
        let mut attempts = terms.attempts();
        loop {
            match client.make_folder(folder).await {
                Ok(()) => break,
                Err(error) if is_refusal(&error) => match known(terms, client, folder).await {
                    Ok(Known { is: Is::Folder, .. }) => break,
                    Ok(_) => return Err(Failure::FileInTheWay(Place::Remote(folder.clone()))),
                    Err(failure) if is_nothing(&failure) => return Ok(false),
                    Err(failure) => return Err(failure),
                },
                Err(error) => attempts.again(error.into(), &terms.telling, None).await?,
            }
        }
        if self.remember(folder) {
            terms.telling.tell(Event::Folder { target: Place::Remote(folder.clone()) });
        }
        Ok(true)
    }

    fn is_there(&self, folder: &RemotePath) -> bool {
        // Nothing panics while it is held.
        self.there.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    /// Whether it is news: another connection may have come first.
    fn remember(&self, folder: &RemotePath) -> bool {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        if there.len() >= REMEMBERED {
            there.clear();
        }
        there.insert(folder.clone())
    }
}
