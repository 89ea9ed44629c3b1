//! X.509 and TLS for FTP: identities, trust, the binding of data to control connections, the record path.
//!
//! **What it does.** It loads and makes identities and describes certificates; it makes keys, requests, certificates and
//! revocation lists by a small authority ([`issue`]), and says what others would find wrong with a certificate ([`verify`]). It secures control connections and data
//! connections (TLS 1.2 and 1.3, rustls with aws-lc-rs), on the server's and on the client's side, each control connection
//! with a session of its own. The server says of every data connection what it has proved about whose it is; the client
//! judges the server's certificate, resumes the session on data connections and counts what is left to resume with. It
//! moves the bytes of data connections, clear or TLS, in large steps and tells a complete transfer from a cut one.
//!
//! **What it does not.** It knows no FTP command, no user and no file. It opens no port, bounds no time, asks nobody and
//! logs nothing: whoever calls it does. It remembers no keys between runs. It starts no thread and no task.
//!
//! ```text
//!  server   Identity ─► ServerTls ──control(peer)──► ControlTls ──accept──► ControlStream             replies and commands
//!                                                        │ logged_in(user)
//!                                                        └──accept_data──► DataStream + Proof         files and listings
//!                                                                                        │
//!                                               judge(policy, proof, circumstances) ─► carry, or refuse and say why
//!
//!  client   Trust ─► ClientTls ──control()──► ClientControlTls ──connect──► ClientControlStream       commands and replies
//!                                                  │ tickets, the certificate     │ Untrusted: a question, or a refusal
//!                                                  └──connect_data──► DataStream                      files and listings
//! ```
//!
//! A server, a client that has been told the fingerprint of its certificate, and one file from the one to the other:
//!
//! ```
//! use std::{net::Ipv4Addr, sync::Arc};
//! use carrack_tls::{
//!     ClientSettings, ClientTls, Direction, Identity, Interest, Received, ServerTls, Settings, Trust, Version, Versions,
//! };
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let made = Identity::self_signed(&["ftp.example".into()])?;
//! let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes())?;
//! let trust = Trust::Pinned(identity.fingerprint());
//!
//! let server = Arc::new(ServerTls::new(Settings::new(identity))?);
//! let client = ClientTls::new("ftp.example", ClientSettings { trust, versions: Versions::Any, identity: None })?;
//!
//! let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
//! let far = TcpStream::connect(port.local_addr()?).await?;
//! let (near, peer) = port.accept().await?;
//! let (on_server, on_client) = (server.control(peer.ip()), client.control());
//! let (accepted, connected) = tokio::join!(on_server.accept(near), on_client.connect(far));
//! let (_control, _commands) = (accepted?, connected?);
//!
//! let far = TcpStream::connect(port.local_addr()?).await?;
//! let near = port.accept().await?.0;
//! let sending = async {
//!     let (mut data, _proof) = on_server.accept_data(near, Direction::ToClient).await?;
//!     data.write_last(b"a file")?;
//!     data.finish()?;
//!     Ok::<_, Box<dyn std::error::Error>>(data)
//! };
//! let (sent, received) = tokio::join!(sending, on_client.connect_data(far));
//! let (_sent, mut data) = (sent?, received?);
//! let (mut file, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
//! loop {
//!     match data.read(&mut buf) {
//!         Ok(Received::Bytes(n)) => file.extend_from_slice(&buf[..n]),
//!         Ok(end) => break assert_eq!(end, Received::End, "a cut file is no file"),
//!         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => data.ready(Interest::Readable).await?,
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! assert_eq!(file, b"a file");
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)] // but for data/sys.rs

mod alpn;
mod armour;
pub mod binding;
mod broken;
mod caller;
mod certificate;
pub mod challenge;
pub mod client;
pub mod client_certificate;
mod control;
pub mod data;
pub mod fips;
mod first_flight;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
pub mod identity;
mod info;
pub mod issue;
mod names;
pub mod ocsp;
mod policy;
pub mod revocation;
pub mod server;
#[cfg(test)]
mod testkit;
pub mod verify;

pub use armour::pem_fault;
pub use binding::{Circumstances, DataReuse, Proof, Refusal, judge};
pub use caller::{Caller, Named};
pub use client::{
    Authorities, Believed, ClientControlStream, ClientControlTls, ClientSettings, ClientTls, ClientTlsError,
    ConnectError, Distrust, PartnerTls, RememberedKey, RevocationLists, Seen, Stapled, Supply, Trust,
    TrustNote, Untrusted, Versions, WebTls,
};
pub use client_certificate::{
    AcceptedClients, ClientCertificates, ClientDistrust, ClientIdentity, ClientNames, ClientRefusal,
    ClientTrust, ClientTrustError, ClientTrustSettings, UnknownRevocation, load_revocations,
};
pub use data::{Breaker, DataStream, Drained, Interest, Received, WornOut};
pub use first_flight::FirstData;
pub use identity::{
    CertificateDescription, Identities, Identity, IdentityError, NotAFingerprint, SelfSigned, Set,
    Sha256Fingerprint, Staple, Timestamp, describe,
};
pub use info::{TlsInfo, Version};
pub use names::ByName;
pub use policy::{Approval, Group, PolicyError, Standing, Suite, TlsPolicy};
pub use rustls_pki_types::CertificateDer;
pub use server::{
    ControlStream, ControlTls, Direction, HandshakeError, Newcomer, ServerTls, Sessions, Settings,
};
