//! Is what arrived what was sent? What the server says of its file, against the file here.

use std::fs::File;

use carrack_ftp_proto::client::RemotePath;

use super::terms::Terms;
use super::{Failure, Note, Place, Verified, Verify, digest};
use crate::{Client, LocalFailure};

/// A complete file on both sides.
pub(super) struct Complete<'f> {
    pub(super) remote: &'f RemotePath,
    pub(super) file: &'f File,
    /// Of the file here, for messages.
    pub(super) path: &'f std::path::Path,
    /// Bytes of the file here.
    pub(super) length: u64,
    pub(super) size: SizeTold,
}

/// What the server has said of the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SizeTold {
    /// It is the same.
    Same,
    /// It was not asked since the file is complete.
    NotAsked,
}

impl Complete<'_> {
    /// Verifies it as well as the plan wants and the server can.
    pub(super) async fn verify(&self, terms: &Terms, client: &mut Client) -> Result<Verified, Failure> {
        match terms.verify {
            Verify::Off => Ok(Verified::Nothing),
            Verify::Size => self.by_size(client).await,
            Verify::Auto => match self.by_hash(terms, client).await? {
                Some(verified) => Ok(verified),
                None => self.by_size(client).await,
            },
        }
    }

    async fn by_size(&self, client: &mut Client) -> Result<Verified, Failure> {
        let there = match self.size {
            SizeTold::Same => return Ok(Verified::Size),
            SizeTold::NotAsked => client.size(self.remote).await?,
        };
        match there {
            None => Ok(Verified::Nothing),
            Some(there) if there == self.length => Ok(Verified::Size),
            Some(there) => Err(Failure::SizeDiffers {
                place: Place::Remote(self.remote.clone()),
                expected: self.length,
                arrived: there,
            }),
        }
    }

    /// `None` where the server makes no hash, of this file or at all.
    async fn by_hash(&self, terms: &Terms, client: &mut Client) -> Result<Option<Verified>, Failure> {
        let Some(algorithm) = digest::offered(client.features()) else { return Ok(None) };
        let place = || Place::Remote(self.remote.clone());
        let there = match client.hash(self.remote, algorithm).await {
            Ok(Some(there)) => there,
            // A server may be too slow for a large file, or refuse for reasons of its own; the size is left then.
            Ok(None) | Err(_) => {
                terms.telling.note(Note::NoHash(place()));
                return Ok(None);
            }
        };
        let here = digest::of_file(self.file, self.length, algorithm).await;
        let Some(here) = here.map_err(|error| LocalFailure::io("read", self.path, error))? else {
            return Ok(None);
        };
        if here == there {
            return Ok(Some(Verified::Hash(algorithm)));
        }
        Err(Failure::HashDiffers {
            place: place(),
            algorithm: algorithm.name(),
            here: here.to_string(),
            there: there.to_string(),
        })
    }
}
