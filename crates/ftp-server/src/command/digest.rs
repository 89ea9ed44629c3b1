//! HASH, XCRC, XMD5, XSHA1, XSHA256 and XSHA512 (draft-bryan-ftpext-hash).

use std::time::{Duration, Instant};

use carrack_core::digest::{Algorithm, Digest};
use carrack_core::error::ErrorKind;
use carrack_core::session::Digesting;
use carrack_ftp_proto::hash::HashAlgorithm;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{Hash, HashForm};

use super::{ClearData, demand_protection};
use crate::reply_for;
use crate::transfer::Interrupt;
use crate::visitor::Visitor;

/// How long one digest is computed before others get their turn.
const SLICE: Duration = Duration::from_millis(100);

/// Computes a digest, as long as nobody stops it.
pub(crate) async fn answer(at: Visitor, hash: Hash, clear: ClearData, interrupt: Interrupt) -> Reply {
    compute(&at, hash, clear, &interrupt).await.unwrap_or_else(|refusal| refusal)
}

async fn compute(at: &Visitor, hash: Hash, clear: ClearData, interrupt: &Interrupt) -> Result<Reply, Reply> {
    let Hash { path: asked, algorithm, span, form } = hash;
    let path = at.resolve(&asked)?;
    // SECURITY: hashes of a few octets each tell the octets, so they go where the file itself may go.
    demand_protection(at, &path, clear)?;
    let opened = at.session_on_disk(move |session| {
        session.open_digest(&path, algorithm_of(algorithm), span.first, span.end)
    });
    let digesting = opened.await.map_err(|kind| reply_for::digest(kind, form))?;
    // A client that names an end of its own has bytes up to there: a digest of fewer would not be an answer.
    if let (HashForm::Digits, Some(end)) = (form, span.end)
        && end > digesting.length()
    {
        return Err(reply_for::kind(ErrorKind::BeyondEnd { length: digesting.length() }));
    }
    let range = digesting.range();
    // No range that can be written down has no octets.
    if form == HashForm::Described && range.is_empty() && digesting.length() > 0 {
        return Err(reply_for::kind(ErrorKind::BeyondEnd { length: digesting.length() }));
    }
    let digest = finish(at, digesting, interrupt).await?;
    Ok(match form {
        HashForm::Digits => Reply::new(Code::FILE_ACTION_OKAY, digest.to_string()),
        HashForm::Described => {
            // The last octet, and never less than the first: of an empty file `0-0` is all that the syntax leaves.
            let last = range.end.saturating_sub(1).max(range.start);
            let text = format!("{} {}-{last} {digest} ", algorithm.name(), range.start);
            Reply::new(Code::FILE_STATUS, [text.as_bytes(), asked.as_bytes()].concat())
        }
    })
}

/// Sees a digest to its end, a slice at a time on the disk's threads.
async fn finish(at: &Visitor, mut digesting: Digesting, interrupt: &Interrupt) -> Result<Digest, Reply> {
    loop {
        if let Some(digest) = digesting.digest() {
            return Ok(digest.clone());
        }
        let turn = tokio::select! {
            turn = at.session().digest_turn() => turn,
            why = interrupt.stopped() => return Err(reply_for::digest_stopped(&why)),
        };
        let stop = interrupt.clone();
        let slice = at.disk().run(move || {
            let ends = Instant::now() + SLICE;
            let outcome = loop {
                match digesting.step(&turn) {
                    Ok(false) if stop.reason().is_none() && Instant::now() < ends => {}
                    outcome => break outcome,
                }
            };
            (digesting, outcome)
        });
        let Some((returned, outcome)) = slice.await else { return Err(reply_for::kind(ErrorKind::Io)) };
        outcome.map_err(|error| reply_for::error(&error))?;
        interrupt.note_moved(returned.done());
        if let (Some(why), None) = (interrupt.reason(), returned.digest()) {
            return Err(reply_for::digest_stopped(&why));
        }
        digesting = returned;
    }
}

fn algorithm_of(algorithm: HashAlgorithm) -> Algorithm {
    match algorithm {
        HashAlgorithm::Crc32 => Algorithm::Crc32,
        HashAlgorithm::Md5 => Algorithm::Md5,
        HashAlgorithm::Sha1 => Algorithm::Sha1,
        HashAlgorithm::Sha256 => Algorithm::Sha256,
        HashAlgorithm::Sha512 => Algorithm::Sha512,
    }
}
