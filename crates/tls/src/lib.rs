//! X.509 and TLS for FTP: identities, the binding of data to control connections, the record path.
//!
//! **What it does.** It loads and makes server identities and describes certificates. It secures control connections and
//! data connections (TLS 1.2 and 1.3, rustls with aws-lc-rs), each control connection with a session of its own, and says
//! of every data connection what it has proved about whose it is. It moves the bytes of data connections, clear or TLS, in
//! large steps and tells a complete upload from a cut one.
//!
//! **What it does not.** It knows no FTP command, no user and no file. It opens no port, bounds no time and logs nothing:
//! whoever calls it does. It starts no thread and no task.
//!
//! ```text
//!  Identity ─► ServerTls ──control(peer)──► ControlTls ──accept──► ControlStream        replies and commands
//!                                               │ logged_in(user)
//!                                               └──accept_data──► DataStream + Proof    files and listings
//!                                                                               │
//!                                                      judge(policy, proof, circumstances) ─► carry, or refuse and say why
//! ```
//!
//! ```
//! use std::{net::Ipv4Addr, sync::Arc};
//! use carrack_tls::{Identity, ServerTls, Settings, Version};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let made = Identity::self_signed(&["ftp.example".into()])?;
//! let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes())?;
//! println!("SHA-256 {}", identity.fingerprint());
//!
//! let server = Arc::new(ServerTls::new(Settings { identity, minimum: Version::Tls12 })?);
//! let control = server.control(Ipv4Addr::LOCALHOST.into());
//! // control.accept(socket).await, later control.accept_data(socket, direction).await
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)] // one function in data/sys.rs

mod alpn;
pub mod binding;
mod certificate;
pub mod client;
pub mod data;
mod handshake;
pub mod identity;
pub mod server;
#[cfg(test)]
mod testkit;

pub use binding::{Circumstances, DataReuse, Proof, Refusal, judge};
pub use client::{
    Authorities, ClientControlStream, ClientControlTls, ClientSettings, ClientTls, ClientTlsError,
    ConnectError, Distrust, RememberedKey, Supply, Trust, TrustNote, Untrusted, Versions,
};
pub use data::{Breaker, DataStream, Drained, Interest, Received};
pub use identity::{
    CertificateDescription, Identity, IdentityError, NotAFingerprint, SelfSigned, Sha256Fingerprint,
    Timestamp, describe,
};
pub use rustls_pki_types::CertificateDer;
pub use server::{
    ControlStream, ControlTls, Direction, HandshakeError, ServerTls, Settings, TlsInfo, Version,
};
