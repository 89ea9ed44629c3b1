//! What one listener is told: the policy of its connections and the limits on their time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carrack_core::account::Account;
use carrack_core::limits::Rate;
use carrack_core::path::VirtualPath;
use carrack_core::permission::Permissions;
pub use carrack_ftp_proto::charset::Charset;
pub use carrack_ftp_proto::command::HostName;
pub use carrack_ftp_proto::server::{Clearing, Compression, Mode, Plaintext};
pub use carrack_net::{Access, Network};
pub use carrack_tls::{ByName, DataReuse, PartnerTls};

use crate::public_address::PublicAddresses;
use crate::virtual_server::VirtualServer;

/// The settings of one FTP listener.
#[derive(Clone, Debug)]
pub struct FtpSettings {
    /// Explicit (`AUTH TLS`) or implicit (TLS from the first byte).
    pub mode: Mode,
    /// The text of the `220`.
    pub greeting: String,
    /// The servers that clients can name. Who names none of them is at the server that the rest of this describes.
    pub servers: ByName<Arc<VirtualServer>>,
    /// What a client gets that does not ask for TLS.
    pub plaintext: Plaintext,
    /// By [`Account::id`], like all that is said of single users: what users may reach in a session without TLS, where that is not all they have.
    pub plaintext_grants: HashMap<String, PlaintextGrant>,
    /// What users may reach whom no password holds back, with TLS or without. Who has none here has nothing.
    pub grants_of_anybody: HashMap<String, PlaintextGrant>,
    /// Which data connections there are, where the folder at hand does not say it.
    pub data_protection: DataProtection,
    /// Whether `CCC` may end TLS on the control connection.
    pub clearing: Clearing,
    /// What clients may call this server with `HOST` and in no other way; any name when empty.
    pub hosts: Vec<HostName>,
    /// Which TLS sessions a data connection must resume.
    pub data_tls_reuse: DataReuse,
    /// The same, said for single users.
    pub data_tls_reuse_of_user: HashMap<String, DataReuse>,
    /// In which character set the devices of single users spell names; UTF-8 for all others.
    pub charset_of_user: HashMap<String, Charset>,
    /// What an upload without `close_notify` is.
    pub data_close: DataClose,
    /// Whether data may travel compressed (`MODE Z`).
    pub compression: Compression,
    /// How long what may take.
    pub timeouts: Timeouts,
    /// What becomes of sessions whose certificate is revoked.
    pub revoked_sessions: RevokedSessions,
    /// Control connections that the listener holds at a time; `None`: as many as all together may.
    pub sessions: Option<usize>,
    /// Failed logins that one connection may have.
    pub login_failures: u32,
    /// Whence clients may come; judged before anything is done for them.
    pub access: Access,
    /// The address that `227` names, where it is not the one the client came to.
    pub public_address: PublicAddresses,
    /// The load balancers before the listener: connections from there begin with a PROXY header.
    pub balancers: Arc<[Network]>,
    /// With which servers files are exchanged (FXP); with none where it is `None`.
    pub fxp: Option<PartnerSettings>,
}

/// The servers with which files are exchanged, data connection to data connection.
#[derive(Clone, Debug)]
pub struct PartnerSettings {
    /// Where they are: addresses that data connections may lead to or come from beside the client's own.
    pub partners: Arc<[Network]>,
    /// Whom to believe as their TLS client. `None`: `SSCN ON` and `CPSV` are refused.
    pub tls: Option<Arc<PartnerTls>>,
}

/// Which data connections there are (RFC 4217 §10.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataProtection {
    /// Protected ones; clear ones only for who was let in without TLS.
    Require,
    /// Clear ones too, as the client chooses.
    Optional,
    /// None.
    Refuse,
}

/// What a session without TLS is left of an account.
#[derive(Clone, Debug)]
pub struct PlaintextGrant {
    /// The folders that may be reached.
    pub folders: Vec<VirtualPath>,
    /// What may be done there, as far as the account may.
    pub ceiling: Permissions,
    /// How fast all such sessions of the user together may upload, instead of what the account says.
    pub upload: Option<Rate>,
    /// The same for downloads.
    pub download: Option<Rate>,
}

impl PlaintextGrant {
    /// The account as a plaintext session has it.
    pub(crate) fn narrow(&self, account: &Account) -> Arc<Account> {
        let mut narrowed = account.confined_to(&self.folders);
        let rates = &mut narrowed.limits.rates;
        self.upload.iter().for_each(|upload| rates.upload = upload.clone());
        self.download.iter().for_each(|download| rates.download = download.clone());
        Arc::new(narrowed)
    }
}

/// What becomes of a session when a new revocation list names its certificate. Its commands and data connections are refused
/// either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevokedSessions {
    /// It ends, with what it transfers.
    #[default]
    End,
    /// It goes on until the client ends it, with the transfer that runs and no further command that touches a file.
    Keep,
}

/// What an upload is whose data connection ends without TLS's `close_notify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataClose {
    /// Cut off: `426`, and kept as an unfinished upload.
    Strict,
    /// Complete when the TCP connection was closed in order (FIN); a reset never is.
    Lenient,
}

/// How long things may take; each is counted on the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection's start to the end of its TLS handshake, where nobody may go without TLS.
    pub tls: Duration,
    /// From the connection's start until it is logged in, TLS handshake included.
    pub login: Duration,
    /// From the last command, or the end of the last transfer, to the next command. `NOOP` and refused commands count as none.
    pub idle: Duration,
    /// For a data connection to come or be made, and again for its TLS handshake.
    pub data_accept: Duration,
    /// Without [`data_stall_bytes`](Timeouts::data_stall_bytes) moving on a data connection. Time that a limit on the rate takes
    /// does not count.
    pub data_stall: Duration,
    /// How many bytes have to move within `data_stall`; fewer are as good as none.
    pub data_stall_bytes: u64,
}
