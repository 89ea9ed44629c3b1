//! What does a client need to know about a server before it connects?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use carrack_ftp_proto::client::machine::DataProtection;
use carrack_tls::ClientTls;
use zeroize::Zeroizing;

use crate::dialogue::Dialogue;

/// A server, how it is trusted, and who logs in. Every control connection of a [`Client`](crate::Client) is made from the
/// same settings.
#[derive(Clone)]
pub struct Settings {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// The port of the control connection: 21, and 990 for implicit TLS, unless somebody says otherwise.
    pub port: u16,
    /// How the control connection is protected.
    pub security: Security,
    /// How data connections are protected. Without meaning under [`Security::Plaintext`], where RFC 4217 §9 knows clear
    /// ones only.
    pub data_protection: DataProtection,
    /// Who logs in.
    pub login: Login,
    /// Who connects to whom for data.
    pub data_mode: DataMode,
    /// How long is waited for what.
    pub timeouts: Timeouts,
    /// Who listens to the dialogue.
    pub dialogue: Option<Arc<dyn Dialogue>>,
}

/// How a control connection is protected. No reply of a server lowers it.
#[derive(Clone)]
pub enum Security {
    /// `AUTH TLS` before anything else is said (RFC 4217 §4).
    Explicit(ClientTls),
    /// TLS before the first byte.
    Implicit(ClientTls),
    /// None at all: password, names and bytes are for everybody on the way to read and to change.
    Plaintext,
}

/// Who logs in.
#[derive(Clone)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The password. `None` where there is none to give: a server that asks for one ends the login with
    /// [`ErrorKind::PasswordNeeded`](crate::ErrorKind::PasswordNeeded).
    pub password: Option<Zeroizing<String>>,
}

/// Who connects to whom for data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataMode {
    /// The client to the address of the control connection, whatever address the server names.
    #[default]
    Passive,
    /// The server to the address the client's control connection comes from. Fails behind most firewalls.
    Active,
}

/// How long is waited for what. All are absolute: no trickle of bytes prolongs them, save `stall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TCP connection, control or data; in active mode for the server's.
    pub connect: Duration,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For a reply: the greeting, the answer to a command, the last word about a transfer.
    pub reply: Duration,
    /// Without a byte moved while a transfer runs.
    pub stall: Duration,
}

impl Default for Timeouts {
    /// 30 seconds to connect and for a handshake, 60 for a reply (a server syncs an upload to its disk before the `226`)
    /// and for a stall.
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(30),
            reply: Duration::from_secs(60),
            stall: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// The server as people write it: `host:port`, IPv6 in brackets.
    #[must_use]
    pub fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("server", &self.server())
            .field("security", &self.security)
            .field("data_protection", &self.data_protection)
            .field("login", &self.login)
            .field("data_mode", &self.data_mode)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Security::Explicit(_) => "Explicit",
            Security::Implicit(_) => "Implicit",
            Security::Plaintext => "Plaintext",
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.password.is_some() { "****" } else { "none" };
        write!(f, "Login({:?}, password {password})", self.user)
    }
}
