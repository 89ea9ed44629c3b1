//! Why does a server not come up, and what is the mend?

use std::io;
use std::net::SocketAddr;

use carrack_tls::fips::NotApproved;

use crate::config::Mode;
use crate::state::StateError;
use crate::wiring::WiringError;

/// Why a server did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// Accounts and homes.
    #[error(transparent)]
    Wiring(#[from] WiringError),
    /// The journal of unfinished uploads.
    #[error(
        "the journal of unfinished uploads in {folder} cannot be read: {source}\n  mend: make it readable for this user, or move it away"
    )]
    Journal {
        /// The state folder.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {}\n  mend: {}", listen_failure(source), listen_mend(*mode, source))]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What for.
        mode: Mode,
        /// What the system said.
        source: io::Error,
    },
    /// The shared data port cannot be listened on.
    #[error(
        "cannot listen on {address}, the data port: {}\n  mend: {}",
        listen_failure(source),
        data_port_mend(source)
    )]
    DataPort {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing can vouch for the ACME server.
    #[error(
        "nobody can vouch for the ACME server: {why}\n  mend: name a file of certificates, PEM, in acme.ca; without it the system's \
         authorities count"
    )]
    AcmeTrust {
        /// What is wrong with its authorities.
        why: String,
    },
    /// The address at which certificate authorities ask cannot be listened on.
    #[error(
        "cannot listen on {address}, where certificate authorities ask: {}\n  mend: stop the other program, choose another address with \
         {key} in [acme], or use challenge = \"dns-01\"",
        listen_failure(source)
    )]
    Challenges {
        /// Which.
        address: String,
        /// The key that says so.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The address of the metrics cannot be listened on.
    #[error(
        "cannot listen on {address} for metrics: {}\n  mend: stop the other program, or choose another address in metrics.address",
        listen_failure(source)
    )]
    Metrics {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The identity cannot be used for TLS.
    #[error("the certificate cannot be used: {0}")]
    Tls(String),
    /// FIPS 140-3 was asked for and cannot be promised.
    #[error(transparent)]
    Fips(#[from] NotApproved),
    /// Signals or threads.
    #[error("the system refuses what every server needs: {0}")]
    System(io::Error),
}

fn listen_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "something else listens there already".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root".to_owned(),
        _ => error.to_string(),
    }
}

fn data_port_mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "choose a higher port in passive.ports, or grant the program CAP_NET_BIND_SERVICE"
        }
        _ => "stop the other program, or choose another port in passive.ports",
    }
}

fn listen_mend(mode: Mode, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => "0.0.0.0 stands for all addresses of this machine".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("choose a higher port with --{mode} ADDR:PORT, or grant the program CAP_NET_BIND_SERVICE")
        }
        _ => format!(
            "stop the other program, or choose another port with --{mode} ADDR:PORT (`address` in the file)"
        ),
    }
}
