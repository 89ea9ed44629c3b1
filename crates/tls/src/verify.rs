//! Would others accept a certificate, and if not, for which reasons? For a person who asks; no connection is judged here.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::{
    certificate::{CLIENTS, SERVERS},
    identity::{CertificateDescription, Sha256Fingerprint, Timestamp, describe},
    issue::Purpose,
    revocation::{self, List, Lists, Way},
};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'q> {
    /// The certificate first, what leads to an authority behind it.
    pub chain: &'q [CertificateDer<'q>],
    /// Who is believed.
    pub authorities: &'q [CertificateDer<'q>],
    /// A host name, address or e-mail address that it has to stand for.
    pub name: Option<&'q str>,
    /// What it has to be good for; where nothing is said, for servers or clients.
    pub purpose: Option<Purpose>,
    /// What authorities have revoked. Where there is one, the certificate's own authority must have given one.
    pub revoked: &'q [CertificateRevocationListDer<'q>],
    /// The moment that counts.
    pub at: SystemTime,
}

/// Why the question cannot be answered: what was given is unusable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unanswerable {
    /// There is no certificate.
    #[error("there is no certificate to verify")]
    Nothing,
    /// It is damaged.
    #[error("{0}; copy the file again as it was issued")]
    Certificate(String),
    /// One of those who are to be believed is damaged.
    #[error(
        "the authority's certificate {position} of those given cannot be used: {why}; copy the file again as it was issued"
    )]
    Authority {
        /// Which, from 1.
        position: usize,
        /// What is wrong.
        why: String,
    },
    /// A revocation list is damaged or of a kind that is not supported.
    #[error(
        "revocation list {position} of those given cannot be used: {why}; fetch it again from its authority"
    )]
    Revocations {
        /// Which, from 1.
        position: usize,
        /// What is wrong.
        why: String,
    },
}

/// What a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Whether somebody vouches for it.
    Chain,
    /// For whom it stands.
    Name,
    /// When it is good.
    Time,
    /// What it is good for.
    Purpose,
    /// Whether it was revoked.
    Revocation,
}

impl Subject {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Subject::Chain => "chain",
            Subject::Name => "name",
            Subject::Time => "time",
            Subject::Purpose => "purpose",
            Subject::Revocation => "revocation",
        }
    }
}

/// One reason why others would not accept it, and the mend.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// Nobody but itself vouches for it.
    #[error(
        "it is self-signed and not among the authorities given; give it as --ca-file where you trust it, or let an authority issue one"
    )]
    SelfSigned,
    /// Nothing given leads to an authority.
    #[error(
        "no authority given has issued it: its issuer is \"{issuer}\"; give that one as --ca-file, or put the certificates between them behind it in its file"
    )]
    UnknownIssuer {
        /// Who it says has.
        issuer: String,
    },
    /// An authority of the right name has another key.
    #[error(
        "its signature, or one above it, was not made by the authority of that name; give the authority's certificate that belongs to the key it was signed with"
    )]
    BadSignature,
    /// RFC 5280 §4.2.1.9.
    #[error(
        "it was issued by a certificate that is no authority's, or by more authorities in a row than one of them allows; let the authority itself issue it"
    )]
    NotByAnAuthority,
    /// RFC 5280 §4.2.1.10.
    #[error("an authority above it may not issue for its names; ask one that may")]
    NameConstraints,
    /// An authority's certificate is shown as a server's or client's.
    #[error(
        "it is an authority's certificate, which no server or client may show; issue one for the server with `carrack cert issue`"
    )]
    IsAuthority,
    /// It is over.
    #[error("it ended at {not_after}; renew it")]
    Expired {
        /// Its end.
        not_after: Timestamp,
    },
    /// It has not begun.
    #[error("it is good only from {not_before} on; wait, or set the clock right")]
    NotYetValid {
        /// Its beginning.
        not_before: Timestamp,
    },
    /// An authority is over, or has not begun.
    #[error(
        "a certificate above it is out of its time; let its authority be renewed, and put the renewed certificate in its place"
    )]
    ChainOutOfTime,
    /// It stands for others.
    #[error("it does not stand for \"{wanted}\" but for {}; use one of these names, or issue one for that name", list(.names))]
    WrongName {
        /// What was asked.
        wanted: String,
        /// What it has.
        names: Vec<String>,
    },
    /// It is good for something else.
    #[error("it is not for {wanted} but for {}; issue one with --{}", list(.purposes), .wanted.trim_end_matches('s'))]
    WrongPurpose {
        /// What was asked.
        wanted: &'static str,
        /// What it is good for.
        purposes: Vec<String>,
    },
    /// RFC 5280 §4.2.1.12, as it is taken of authorities.
    #[error("an authority above it may not issue for this purpose; ask one that may")]
    PurposeOfChain,
    /// Its authority, or one above, took it back.
    #[error(
        "{whose} was revoked; have a new one issued, with a new key where the old one may be known to others"
    )]
    Revoked {
        /// It, or an authority above.
        whose: &'static str,
    },
    /// The list is old.
    #[error(
        "the revocation list was to be replaced at {next_update}; fetch a new one, or make one with `carrack cert crl`"
    )]
    RevocationsStale {
        /// When.
        next_update: Timestamp,
    },
    /// The lists are others'.
    #[error("no revocation list given is by its authority, \"{issuer}\"; give that one")]
    RevocationsMissing {
        /// Whose is missing.
        issuer: String,
    },
    /// The list is not by its authority.
    #[error("the revocation list is not signed by the authority whose name it has; fetch it again")]
    RevocationsForged,
    /// Anything else.
    #[error("it cannot be accepted: {0}; have another one issued")]
    Other(String),
}

impl Fault {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        match self {
            Fault::SelfSigned
            | Fault::UnknownIssuer { .. }
            | Fault::BadSignature
            | Fault::NotByAnAuthority
            | Fault::NameConstraints
            | Fault::Other(_) => Subject::Chain,
            Fault::WrongName { .. } => Subject::Name,
            Fault::Expired { .. } | Fault::NotYetValid { .. } | Fault::ChainOutOfTime => Subject::Time,
            Fault::IsAuthority | Fault::WrongPurpose { .. } | Fault::PurposeOfChain => Subject::Purpose,
            Fault::Revoked { .. }
            | Fault::RevocationsStale { .. }
            | Fault::RevocationsMissing { .. }
            | Fault::RevocationsForged => Subject::Revocation,
        }
    }
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// All that is wrong with a certificate; nothing where others would accept it.
///
/// # Errors
/// [`Unanswerable`] where what was given cannot be read.
pub fn verify(question: &Question<'_>) -> Result<Vec<Fault>, Unanswerable> {
    let leaf = question.chain.first().ok_or(Unanswerable::Nothing)?;
    let unreadable = |why: &dyn std::fmt::Display| Unanswerable::Certificate(why.to_string());
    let about = describe(leaf).map_err(|error| unreadable(&error))?;
    let lists = question
        .revoked
        .iter()
        .zip(1..)
        .map(|(list, position)| {
            List::from_der(list).map_err(|why| Unanswerable::Revocations { position, why })
        })
        .collect::<Result<_, _>>()
        .map(Lists::newest_of)?;
    let mut anchors = Vec::new();
    for (authority, position) in question.authorities.iter().zip(1..) {
        let anchor = anchor_from_trusted_cert(authority)
            .map_err(|error| Unanswerable::Authority { position, why: error.to_string() })?;
        anchors.push(anchor);
    }

    let mut faults = Vec::new();
    let at = unix_time(question.at);
    faults.extend(out_of_time(&about, at));
    faults.extend(question.name.and_then(|name| wrong_name(leaf, &about, name)));
    let wrong = wrong_purposes(&about, question.purpose);
    let is_believed_itself =
        question.authorities.iter().any(|authority| Sha256Fingerprint::of(authority) == about.fingerprint);
    if is_believed_itself && about.subject == about.issuer {
        faults.extend(wrong);
        return Ok(faults);
    }
    // Dates and purposes of its own are told already; the chain is judged as if they were right.
    let at = match faults.first() {
        Some(Fault::Expired { .. }) => unix_time(about.not_after.into()),
        Some(Fault::NotYetValid { .. }) => unix_time(about.not_before.into()),
        _ => at,
    };
    let is_for_servers = about.purposes.is_empty() || about.purposes.iter().any(|word| word == SERVERS);
    let usage = match question.purpose {
        Some(Purpose::Client) if wrong.is_empty() => KeyUsage::client_auth(),
        _ if is_for_servers => KeyUsage::server_auth(),
        _ => KeyUsage::client_auth(),
    };
    let path = Way {
        leaf,
        intermediates: question.chain.get(1..).unwrap_or_default(),
        anchors: &anchors,
        algorithms: crate::policy::provider().signature_verification_algorithms,
        usage,
        now: at,
    };
    let vouched = path.verify(&Lists::default(), revocation::Question::Itself);
    match vouched.map_err(|error| fault(error, &about)) {
        Ok(()) => faults.extend(revoked(&path, &about, &lists)),
        // It says that a purpose is wrong which was found wrong already.
        Err(Fault::PurposeOfChain | Fault::IsAuthority) if !wrong.is_empty() => {}
        Err(fault) => faults.push(fault),
    }
    faults.extend(wrong);
    Ok(faults)
}

/// Whether it, or an authority above it, is revoked. Its own authority must have a list among those given; the ones above
/// may.
fn revoked(path: &Way<'_>, about: &CertificateDescription, lists: &Lists) -> Option<Fault> {
    if lists.is_empty() {
        return None;
    }
    let judged = |question| path.verify(lists, question).err().map(|error| fault(error, about));
    judged(revocation::Question::Itself).or_else(|| match judged(revocation::Question::Above)? {
        Fault::Revoked { .. } => Some(Fault::Revoked { whose: "an authority above it" }),
        other => Some(other),
    })
}

fn out_of_time(about: &CertificateDescription, at: UnixTime) -> Option<Fault> {
    if at > unix_time(about.not_after.into()) {
        Some(Fault::Expired { not_after: about.not_after })
    } else if at < unix_time(about.not_before.into()) {
        Some(Fault::NotYetValid { not_before: about.not_before })
    } else {
        None
    }
}

fn wrong_name(leaf: &CertificateDer<'_>, about: &CertificateDescription, wanted: &str) -> Option<Fault> {
    let stands = if wanted.contains('@') {
        about.emails.iter().any(|email| is_same_mailbox(email, wanted))
    } else {
        let leaf = EndEntityCert::try_from(leaf);
        let name = ServerName::try_from(wanted);
        matches!((leaf, name), (Ok(leaf), Ok(name)) if leaf.verify_is_valid_for_subject_name(&name).is_ok())
    };
    let names = about.names.iter().chain(&about.emails).cloned().collect();
    (!stands).then(|| Fault::WrongName { wanted: wanted.to_owned(), names })
}

/// RFC 5280 §7.5: the part before the @ as it is, the host in either case.
fn is_same_mailbox(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((local, host)), Some((wanted, wanted_host))) => {
            local == wanted && host.eq_ignore_ascii_case(wanted_host)
        }
        _ => false,
    }
}

fn wrong_purposes(about: &CertificateDescription, wanted: Option<Purpose>) -> Vec<Fault> {
    if about.is_authority && about.subject != about.issuer {
        return vec![Fault::IsAuthority];
    }
    let says = |word: &str| about.purposes.is_empty() || about.purposes.iter().any(|said| said == word);
    let wrong = |wanted| Fault::WrongPurpose { wanted, purposes: about.purposes.clone() };
    let all: &[&'static str] = match wanted {
        Some(Purpose::Server) => &[SERVERS],
        Some(Purpose::Client) => &[CLIENTS],
        Some(Purpose::Both) => &[SERVERS, CLIENTS],
        None if says(CLIENTS) => &[],
        None => &[SERVERS],
    };
    all.iter().filter(|word| !says(word)).map(|word| wrong(*word)).collect()
}

/// webpki's verdict in our words.
fn fault(error: webpki::Error, about: &CertificateDescription) -> Fault {
    use webpki::Error;
    let issuer = || about.issuer.clone();
    match error {
        Error::UnknownIssuer if about.issuer == about.subject => Fault::SelfSigned,
        Error::UnknownIssuer => Fault::UnknownIssuer { issuer: issuer() },
        Error::CaUsedAsEndEntity if about.issuer == about.subject => Fault::SelfSigned,
        Error::CaUsedAsEndEntity => Fault::IsAuthority,
        Error::InvalidSignatureForPublicKey
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | Error::SignatureAlgorithmMismatch => Fault::BadSignature,
        Error::EndEntityUsedAsCa | Error::PathLenConstraintViolated => Fault::NotByAnAuthority,
        Error::NameConstraintViolation => Fault::NameConstraints,
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => Fault::ChainOutOfTime,
        // Its own purposes were looked at before.
        Error::RequiredEkuNotFoundContext(_) => Fault::PurposeOfChain,
        Error::CertRevoked => Fault::Revoked { whose: "it" },
        Error::CrlExpired { next_update, .. } => match timestamp(next_update) {
            Some(next_update) => Fault::RevocationsStale { next_update },
            None => Fault::Other(error.to_string()),
        },
        Error::UnknownRevocationStatus => Fault::RevocationsMissing { issuer: issuer() },
        Error::InvalidCrlSignatureForPublicKey
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
        | Error::IssuerNotCrlSigner => Fault::RevocationsForged,
        other => Fault::Other(other.to_string()),
    }
}

pub(crate) fn unix_time(moment: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
}

fn timestamp(moment: UnixTime) -> Option<Timestamp> {
    Timestamp::from_unix_s(i64::try_from(moment.as_secs()).ok()?)
}
