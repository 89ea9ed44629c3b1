//! What do clients get that name one server of several, by SNI or HOST?

use std::sync::Arc;

use carrack_tls::ServerTls;

use crate::settings::{DataProtection, Plaintext};

/// A server that clients name, behind a listener that it shares with others. What is not said here is the listener's.
#[derive(Debug)]
pub struct VirtualServer {
    /// What accounts and events call it.
    pub name: Arc<str>,
    /// The text of its `220`.
    pub greeting: String,
    /// What a client gets that has named it and does not ask for TLS.
    pub plaintext: Plaintext,
    /// Which data connections there are, where the folder at hand does not say it.
    pub data_protection: DataProtection,
    /// Its own options that stand in the place of the listener's, each behind that one.
    pub own_options: Vec<[&'static str; 2]>,
    /// The TLS of clients that name it. Sessions of one server's TLS are never resumed under another's.
    pub tls: Arc<ServerTls>,
}
