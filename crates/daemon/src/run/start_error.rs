//! Why does a server not come up, and what is the mend?

use std::io;
use std::net::SocketAddr;

use carrack_tls::fips::NotApproved;

use crate::config::Mode;
use crate::hooks::HookError;
use crate::log::LogFileError;
use crate::state::StateError;
use crate::wiring::WiringError;

/// Why a server did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// A hook.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A file of the log.
    #[error(transparent)]
    Log(#[from] LogFileError),
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
    #[error("cannot listen on {address}: {}\n  mend: {}", listen_failure(source), mend(&listen_key(*mode), source))]
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
        mend("passive.ports", source)
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
        "cannot listen on {address}, where certificate authorities ask: {}\n  mend: {}, or use challenge = \"dns-01\"",
        listen_failure(source),
        mend(&format!("{key} in [acme], to which their port is led"), source)
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
        "cannot listen on {address} for metrics: {}\n  mend: {}",
        listen_failure(source),
        mend("metrics.address", source)
    )]
    Metrics {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A socket that was handed to this process is of no use.
    #[error(
        "the socket {name:?} that this process was given is no listening TCP socket: {source}\n  mend: let systemd open ListenStream= addresses alone"
    )]
    Handed {
        /// Its name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody would accept what comes to a socket that was handed to this process.
    #[error(
        "the socket {name:?} at {address} that this process was given is that of no listener\n  mend: add a [[listen]] with that address, or take it out of the socket unit"
    )]
    HandedToNobody {
        /// Its name.
        name: String,
        /// Where it listens.
        address: SocketAddr,
    },
    /// The control socket cannot be had.
    #[error(
        "cannot make the control socket in {folder}: {source}\n  mend: make the folder writable for this user, on a file system that has sockets"
    )]
    Control {
        /// The state folder.
        folder: String,
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

/// The mend, where the address can be chosen with `key`.
fn mend(key: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            format!("0.0.0.0 stands for all addresses of this machine; choose with {key}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("choose a higher port with {key}, or grant the program CAP_NET_BIND_SERVICE")
        }
        _ => format!("stop the other program, or choose another port with {key}"),
    }
}

fn listen_key(mode: Mode) -> String {
    format!("--{mode} ADDR:PORT (`address` in the file)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_for_root_alone_has_the_same_mend_for_every_address() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let address: SocketAddr = "0.0.0.0:80".parse().unwrap();
        for (error, key) in [
            (StartError::Listen { address, mode: Mode::Explicit, source: denied() }, "--explicit ADDR:PORT"),
            (StartError::DataPort { address, source: denied() }, "passive.ports"),
            (StartError::Metrics { address, source: denied() }, "metrics.address"),
            (
                StartError::Challenges {
                    address: address.to_string(),
                    key: "http_address",
                    source: denied(),
                },
                "http_address in [acme]",
            ),
        ] {
            let text = error.to_string();
            assert!(text.contains("ports below 1024") && text.contains("CAP_NET_BIND_SERVICE"), "{text}");
            assert!(text.contains(&format!("choose a higher port with {key}")), "{text}");
        }
    }
}
