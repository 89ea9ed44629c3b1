//! The client's side of TLS: whom to trust, and one session for each control connection and its data connections.

mod authorities;
mod certificate;
mod error;
mod handshake;
mod look;
mod partner;
mod revocation;
#[cfg(test)]
mod tests;
mod tickets;
mod trust;
mod verifier;
mod web;

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{
    ClientConfig, SupportedProtocolVersion,
    client::{ClientSessionStore, ResolvesClientCert, Resumption, TicketRequest},
    crypto::CryptoProvider,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub use error::ConnectError;
pub use look::Seen;
pub use partner::{Believed, PartnerTls};
pub use revocation::{RevocationLists, Stapled};
pub use tickets::Supply;
pub use trust::{Authorities, Distrust, RememberedKey, Trust, TrustNote, Untrusted};
pub use web::WebTls;

use crate::{
    alpn,
    data::DataStream,
    fips,
    identity::{CertificateDescription, Identity},
    info::{TlsInfo, Version},
    policy::TlsPolicy,
};
use certificate::ClientCertificate;
use tickets::Tickets;
use trust::Rule;
use verifier::Verifier;

/// Tickets asked for on a control connection (RFC 9149 §3). Each one is work for both sides, and many sessions are short, so they
/// are no more than our own server gives unasked.
const TICKETS_ON_CONTROL: u8 = 4;
/// A data connection that resumes asks for tickets where it leaves fewer than these ...
const FEW_TICKETS: usize = 3;
/// ... and then for so many that there are these. All others ask for none: a server that has none to send can end a download with
/// its last byte, and need not wait for our Finished.
const ENOUGH_TICKETS: usize = 8;
/// Tickets asked for on a data connection that had none to use: for itself and a spare one.
const TICKETS_ON_NEW_SESSION: u8 = 2;

/// A control connection under TLS, seen from the client; reads and writes as any async stream. `shutdown` sends
/// close_notify. Errors of its reads become typed by [`ConnectError::from`], which matters for the first: a TLS 1.3 server
/// refuses a client certificate only there.
pub type ClientControlStream = tokio_rustls::client::TlsStream<TcpStream>;

/// The TLS versions a client offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// TLS 1.3 and 1.2; the server chooses.
    #[default]
    Any,
    /// This one and no other.
    Only(Version),
}

/// What a TLS client is made from.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// Why the server is to be trusted.
    pub trust: Trust,
    /// The versions that are offered.
    pub versions: Versions,
    /// The client's own certificate, for servers that ask for one.
    pub identity: Option<Identity>,
}

/// Why no client can be made from some settings.
#[derive(Debug, Error)]
pub enum ClientTlsError {
    /// The host is neither a DNS name nor an address.
    #[error("\"{host}\" can be no server's name; give a DNS name or an IP address")]
    BadName {
        /// The host as it was given.
        host: String,
    },
    /// A certificate among the authorities cannot be read.
    #[error("certificate {position} of the authorities cannot be used: {why}")]
    BadAuthority {
        /// Its place, from 1.
        position: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The list of authorities is empty.
    #[error("no authority is given, so no server could ever be trusted")]
    NoAuthority,
    /// The cryptographic provider lacks something, which cannot happen with the one built in.
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

/// A TLS client for one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    shared: Arc<Shared>,
    versions: Versions,
    /// What all its control connections have in common, where they have anything.
    lasting: Option<Memory>,
}

/// A session that outlives its control connection.
#[derive(Debug, Clone)]
struct Memory {
    verifier: Arc<Verifier>,
    certificate: Arc<ClientCertificate>,
    tickets: Arc<Tickets>,
}

#[derive(Debug)]
struct Shared {
    host: String,
    name: ServerName<'static>,
    rule: Arc<Rule>,
    identity: Option<Identity>,
    provider: Arc<CryptoProvider>,
    any: ClientConfig,
    only_tls12: ClientConfig,
    only_tls13: ClientConfig,
}

/// The TLS session of one control connection: its tickets, and the certificate that the server showed there. Data
/// connections resume it. One value secures one control connection.
#[derive(Debug)]
pub struct ClientControlTls {
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
    certificate: Arc<ClientCertificate>,
    tickets: Arc<Tickets>,
    control: Arc<ClientConfig>,
    data: Arc<ClientConfig>,
    info: Mutex<Option<TlsInfo>>,
}

impl ClientTls {
    /// A client for the server `host`, a DNS name or an IP address (IPv6 without brackets), as the user gave it.
    ///
    /// AES-GCM comes before ChaCha20 among the offered cipher suites and X25519MLKEM768 first among the key exchanges,
    /// with X25519 beside it; servers that want another ask for it once per control connection.
    ///
    /// # Errors
    /// A [`ClientTlsError`]. A machine without any authorities is none: there every server is a stranger
    /// ([`Distrust::NoAuthorities`]).
    pub fn new(host: &str, settings: ClientSettings) -> Result<ClientTls, ClientTlsError> {
        ClientTls::within(host, settings, &TlsPolicy::default())
    }

    /// As [`new`](Self::new), offering no other cipher suites and groups than `policy` has, the latter in its order. The versions
    /// are those of the settings, whatever the policy's lowest.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn within(
        host: &str,
        settings: ClientSettings,
        policy: &TlsPolicy,
    ) -> Result<ClientTls, ClientTlsError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ClientTlsError::BadName { host: host.to_owned() })?;
        let provider = policy.provider();
        let rule = Arc::new(Rule::new(settings.trust, &provider)?);
        let base = |versions: &[&'static SupportedProtocolVersion]| base(&provider, versions);
        let shared = Shared {
            host: host.to_owned(),
            name,
            rule,
            identity: settings.identity,
            any: base(&[&TLS13, &TLS12])?,
            only_tls12: base(&[&TLS12])?,
            only_tls13: base(&[&TLS13])?,
            provider,
        };
        Ok(ClientTls { shared: Arc::new(shared), versions: settings.versions, lasting: None })
    }

    /// The same client with one session for all of its control connections: each offers to resume that of the ones before it. For
    /// one user who comes back to one server. Like data connections, later control connections must show the first one's certificate.
    #[must_use]
    pub fn with_lasting_session(&self) -> ClientTls {
        ClientTls { lasting: Some(self.new_memory()), ..self.clone() }
    }

    fn new_memory(&self) -> Memory {
        let Shared { rule, identity, provider, .. } = &*self.shared;
        let algorithms = provider.signature_verification_algorithms;
        Memory {
            verifier: Arc::new(Verifier::new(Arc::clone(rule), algorithms)),
            certificate: Arc::new(ClientCertificate::new(identity.as_ref())),
            tickets: Arc::default(),
        }
    }

    /// A session for one control connection, with nothing in it unless the session is a [lasting
    /// one](Self::with_lasting_session).
    pub fn control(&self) -> ClientControlTls {
        let Memory { verifier, certificate, tickets } =
            self.lasting.clone().unwrap_or_else(|| self.new_memory());
        let mut config = self.base().clone();
        // rustls resumes only under the very same verifier and client certificate objects.
        config.dangerous().set_certificate_verifier(Arc::clone(&verifier) as _);
        config.client_auth_cert_resolver = Arc::clone(&certificate) as Arc<dyn ResolvesClientCert>;
        config.resumption = Resumption::store(Arc::clone(&tickets) as Arc<dyn ClientSessionStore>);
        let mut data = config.clone();
        data.alpn_protocols = alpn::offer(alpn::DATA);
        data.send_ticket_request =
            Some(TicketRequest { new_session_count: TICKETS_ON_NEW_SESSION, resumption_count: 0 });
        // For `DataStream::read_to`, which opens records with keys of its own.
        data.enable_secret_extraction = true;
        config.alpn_protocols = alpn::offer(alpn::CONTROL);
        config.send_ticket_request = Some(TicketRequest {
            new_session_count: TICKETS_ON_CONTROL,
            resumption_count: TICKETS_ON_CONTROL,
        });
        ClientControlTls {
            name: self.shared.name.clone(),
            verifier,
            certificate,
            tickets,
            control: Arc::new(config),
            data: Arc::new(data),
            info: Mutex::default(),
        }
    }

    fn base(&self) -> &ClientConfig {
        let Shared { any, only_tls12, only_tls13, .. } = &*self.shared;
        match self.versions {
            Versions::Any => any,
            Versions::Only(Version::Tls12) => only_tls12,
            Versions::Only(Version::Tls13) => only_tls13,
        }
    }

    /// The same client held to one version. One that is held to a version already stays as it is: what the user asked for
    /// is never widened.
    #[must_use]
    pub fn limited_to(&self, version: Version) -> ClientTls {
        let versions = match self.versions {
            Versions::Any => Versions::Only(version),
            only => only,
        };
        ClientTls { versions, ..self.clone() }
    }

    /// The versions that are offered.
    pub fn versions(&self) -> Versions {
        self.versions
    }

    /// The server's name as it was given.
    pub fn host(&self) -> &str {
        &self.shared.host
    }
}

fn base(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, ClientTlsError> {
    // Without authorities; every control connection puts its own verifier here.
    let nobody = rustls::RootCertStore::empty();
    let base = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(ClientTlsError::Provider)?
        .with_root_certificates(nobody)
        .with_no_client_auth();
    fips::admit(base.fips()).map_err(ClientTlsError::Provider)?;
    Ok(base)
}

impl ClientControlTls {
    /// Secures the control connection. The caller bounds the time, and has set `TCP_NODELAY`.
    ///
    /// # Errors
    /// The [`ConnectError`], after its alert was sent.
    pub async fn connect(&self, socket: TcpStream) -> Result<ClientControlStream, ConnectError> {
        let connector = TlsConnector::from(Arc::clone(&self.control));
        let stream =
            connector.connect(self.name.clone(), socket).await.map_err(|error| self.explain(error.into()))?;
        *self.info.lock().unwrap_or_else(PoisonError::into_inner) = Some(TlsInfo::of(stream.get_ref().1));
        Ok(stream)
    }

    /// Secures a data connection of this control connection. It resumes the control connection's session where
    /// [`supply`](Self::supply) is not empty and the server agrees; [`DataStream::info`] says whether it did. The caller
    /// bounds the time, and has set `TCP_NODELAY`.
    ///
    /// Tickets that the server gives on a data connection are kept while it is read, also by [`DataStream::drain`] after an
    /// upload.
    ///
    /// # Errors
    /// The [`ConnectError`], after its alert was sent as far as the socket had room. [`Distrust::NotOfControl`] for a full
    /// handshake with another certificate than the control connection's.
    pub async fn connect_data(&self, socket: TcpStream) -> Result<DataStream, ConnectError> {
        handshake::connect(socket, self.data_config(), self.name.clone())
            .await
            .map_err(|error| self.explain(error))
    }

    /// With as many tickets asked for as the next data connection should bring.
    fn data_config(&self) -> Arc<ClientConfig> {
        let Supply::Tickets(held @ 1..=FEW_TICKETS) = self.supply() else { return Arc::clone(&self.data) };
        let mut config = (*self.data).clone();
        config.send_ticket_request = Some(TicketRequest {
            new_session_count: TICKETS_ON_NEW_SESSION,
            resumption_count: u8::try_from(ENOUGH_TICKETS + 1 - held).unwrap_or(u8::MAX),
        });
        Arc::new(config)
    }

    /// How many data connections can still resume the session.
    pub fn supply(&self) -> Supply {
        self.tickets.supply()
    }

    /// How many TLS 1.3 tickets the server has given so far, on the control connection and on its data connections.
    pub fn tickets_received(&self) -> usize {
        self.tickets.received()
    }

    /// The certificate that the server showed on the control connection; `None` before, and where it can be used but not
    /// described.
    pub fn certificate(&self) -> Option<CertificateDescription> {
        self.verifier.certificate()
    }

    /// What the user should be told about the server's certificate although it is trusted.
    pub fn note(&self) -> Option<TrustNote> {
        self.verifier.note()
    }

    /// What the server has stapled to its certificate; `None` before [`connect`](Self::connect) has succeeded.
    pub fn staple(&self) -> Option<Stapled> {
        self.verifier.staple()
    }

    /// What protects the control connection; `None` before [`connect`](Self::connect) has succeeded.
    pub fn info(&self) -> Option<TlsInfo> {
        *self.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what rustls could not tell in the place of its error.
    fn explain(&self, error: ConnectError) -> ConnectError {
        match error {
            ConnectError::Tls(rustls::Error::InvalidCertificate(_)) => match self.verifier.take_refusal() {
                Some(untrusted) => ConnectError::Untrusted(untrusted),
                None => error,
            },
            other => self.certificate.explain(other),
        }
    }
}
