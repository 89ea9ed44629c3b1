//! Whose certificate is believed, and what happens when it is not?
//!
//! `--pin`, then `--ca`, then the key that is remembered for this host and port, then the machine's authorities: exactly one
//! of them decides. Only where the machine's authorities do not vouch for a certificate, and nothing speaks against it, is
//! there something to ask.

pub(crate) mod add;
pub(crate) mod list;
pub(crate) mod question;
pub(crate) mod remove;

use std::time::SystemTime;

use carrack_ftp_client::known::{Known, KnownServers, Seen};
use carrack_ftp_client::url::Url;
use carrack_tls::{
    Authorities, CertificateDescription, Distrust, RememberedKey, RevocationLists, Trust, TrustNote,
    Untrusted,
};

use super::output::{Output, moment};
use crate::arguments::connection::Whom;
use crate::cert;
use crate::exit::{Failure, Status};
use crate::program::{self, quoted};
use crate::state::State;
use question::Choice;

/// Decides about the servers of one command.
#[derive(Debug)]
pub(crate) struct Gatekeeper {
    flags: Whom,
    state: State,
    /// Read at the first server that is looked up.
    known: Option<KnownServers>,
}

impl Gatekeeper {
    pub(crate) fn new(flags: &Whom) -> Gatekeeper {
        Gatekeeper { flags: flags.clone(), state: State::new(flags.state.folder.as_deref()), known: None }
    }

    /// What the first connection to a server goes by.
    pub(crate) fn rule(&mut self, url: &Url, output: &Output) -> Result<Trust, Failure> {
        if let Some(pinned) = self.flags.pin {
            return Ok(Trust::Pinned(pinned));
        }
        if let Some(file) = &self.flags.ca {
            let authorities = Authorities::load(file).map_err(|error| cert::unusable(&error))?;
            return self.by_authorities(authorities);
        }
        let known = self.known()?.find(&url.host, url.port).map(remembered);
        match known {
            Some(key) => {
                if !self.flags.lists.is_empty() {
                    output.note(&format!(
                        "the key of {} is remembered, which no revocation list takes back: --crl is not asked; give --ca, or forget the key with {}",
                        url.host_port(),
                        self.command(&format!("trust remove {}", quoted(&url.host_port())))
                    ));
                }
                Ok(Trust::Remembered(key))
            }
            None => self.by_authorities(Authorities::Platform),
        }
    }

    fn by_authorities(&self, authorities: Authorities) -> Result<Trust, Failure> {
        if self.flags.lists.is_empty() {
            return Ok(Trust::Authorities(authorities));
        }
        let lists = RevocationLists::load(&self.flags.lists).map_err(|error| cert::unusable(&error))?;
        Ok(Trust::AuthoritiesAndLists(authorities, lists))
    }

    /// What to go on with after a certificate was not trusted: what the user says, or a refusal.
    pub(crate) async fn decide(
        &mut self,
        url: &Url,
        untrusted: &Untrusted,
        output: &Output,
    ) -> Result<Trust, Failure> {
        let by_platform = self.flags.pin.is_none() && self.flags.ca.is_none();
        let leaf = untrusted.chain.first();
        let (Some(leaf), true) = (leaf, by_platform && untrusted.why.may_be_remembered()) else {
            return Err(self.refusal(url, untrusted, output));
        };
        if self.flags.trust_new {
            self.remember(url, leaf)?;
            output.note(&format!(
                "{} is met for the first time; the SHA-256 of its key, {}, is remembered",
                url.host_port(),
                leaf.spki_fingerprint
            ));
            return Ok(Trust::Remembered(key_of(leaf)));
        }
        match question::ask(url, &untrusted.why, leaf).await? {
            Some(Choice::Once) => Ok(Trust::Pinned(leaf.fingerprint)),
            Some(Choice::Always) => {
                self.remember(url, leaf)?;
                Ok(Trust::Remembered(key_of(leaf)))
            }
            Some(Choice::No) => Err(Failure::new(
                Status::Untrusted,
                format!("{} is not trusted; nothing was sent to it", url.host_port()),
            )),
            None => {
                let add = self.command(&format!(
                    "trust add {} --key {}",
                    quoted(&url.host_port()),
                    leaf.spki_fingerprint
                ));
                Err(Failure::new(
                    Status::Untrusted,
                    format!(
                        "the certificate of {} is not trusted: {}\n\n{}\n  mend: compare a fingerprint with the one that the server's administrator has, then run\n    {add}",
                        url.host_port(),
                        untrusted.why,
                        question::shown(leaf),
                    ),
                ))
            }
        }
    }

    /// Tells and keeps what is worth knowing about a certificate that is trusted.
    pub(crate) fn note(
        &mut self,
        url: &Url,
        note: Option<&TrustNote>,
        certificate: Option<&CertificateDescription>,
        output: &Output,
    ) {
        let (Some(TrustNote::Renewed { remembered, now }), Some(certificate)) = (note, certificate) else {
            return;
        };
        let kept = self.known().and_then(|known| {
            let before = known.find(&url.host, url.port).and_then(|known| known.certificate);
            let seen = Seen {
                key: now.spki,
                certificate: now.certificate,
                subject: certificate.subject.clone(),
                at_unix_s: now_unix_s(),
            };
            known.note(&url.host, url.port, &seen).map_err(Failure::failed)?;
            Ok(before)
        });
        match kept {
            // The key was agreed on before any certificate of it was seen.
            Ok(None) => {}
            Ok(Some(_)) => output.note(&format!(
                "{} has renewed its certificate for the key that is remembered\n  SHA-256 before  {}\n  SHA-256 now     {}",
                url.host_port(),
                remembered.certificate,
                now.certificate
            )),
            Err(failure) => output.note(&format!(
                "warning: {} has renewed its certificate, which cannot be kept: {}",
                url.host_port(),
                failure.text()
            )),
        }
    }

    /// A refusal that leaves nothing to ask.
    fn refusal(&mut self, url: &Url, untrusted: &Untrusted, output: &Output) -> Failure {
        let server = url.host_port();
        let text = match (&untrusted.why, untrusted.chain.first()) {
            (Distrust::KeyChanged { remembered }, leaf) => {
                let since =
                    self.known().ok().and_then(|known| known.find(&url.host, url.port)).map(|known| {
                        format!("  since {}", moment::date(known.first_met_unix_s, output.zone()))
                    });
                let now = leaf.map_or("?".to_owned(), |leaf| leaf.spki_fingerprint.to_string());
                let remove = self.command(&format!("trust remove {}", quoted(&server)));
                format!(
                    "{server} shows another key than the one that is remembered: it was set up anew, or somebody is between it and this machine\n  SHA-256 remembered  {}{}\n  SHA-256 now         {now}\n  mend: ask the server's administrator whether the key was changed. Only if it was, run\n    {remove}\n  and connect again",
                    remembered.spki,
                    since.unwrap_or_default(),
                )
            }
            (why, Some(leaf)) => {
                format!("the certificate of {server} is not trusted: {why}\n\n{}", question::shown(leaf))
            }
            (why, None) => format!("the certificate of {server} is not trusted: {why}"),
        };
        Failure::new(Status::Untrusted, text)
    }

    fn remember(&mut self, url: &Url, certificate: &CertificateDescription) -> Result<(), Failure> {
        self.state.make()?;
        let server = met(&url.host, url.port, certificate);
        self.known()?.remember(server).map_err(|error| Failure::new(Status::Untrusted, error))
    }

    fn known(&mut self) -> Result<&mut KnownServers, Failure> {
        let known = match self.known.take() {
            Some(known) => known,
            None => self.state.known_servers()?,
        };
        Ok(self.known.insert(known))
    }

    /// A command of this program to be pasted, with the state folder that this run has.
    fn command(&self, rest: &str) -> String {
        let state = self.flags.state.folder.as_deref().map(|folder| {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            format!(" --state {}", quoted(&folder.to_string_lossy()))
        });
        format!("{} {rest}{}", program::word(), state.unwrap_or_default())
    }
}

/// A server that was met now and showed this certificate.
pub(crate) fn met(host: &str, port: u16, certificate: &CertificateDescription) -> Known {
    Known {
        host: host.to_owned(),
        port,
        key: certificate.spki_fingerprint,
        certificate: Some(certificate.fingerprint),
        subject: Some(certificate.subject.clone()),
        first_met_unix_s: now_unix_s(),
        renewed_unix_s: None,
    }
}

fn key_of(certificate: &CertificateDescription) -> RememberedKey {
    RememberedKey { spki: certificate.spki_fingerprint, certificate: certificate.fingerprint }
}

/// What TLS goes by. A key that came without a certificate has none that could be renewed; the key stands in its place, and
/// [`Gatekeeper::note`] keeps the first certificate that is seen.
fn remembered(known: &Known) -> RememberedKey {
    RememberedKey { spki: known.key, certificate: known.certificate.unwrap_or(known.key) }
}

pub(crate) fn now_unix_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
