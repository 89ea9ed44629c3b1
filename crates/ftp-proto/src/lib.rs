//! The FTP language as a value: bytes in, events out. No sockets, files, clock or async.
//!
//! A [`Server`](server::Server) is one control connection seen from the server's side. It cuts bytes into commands, decides
//! from one row per verb ([`verb::TABLE`]) whether a command may be carried out now, answers what it can answer itself, and
//! asks its driver for the rest. Whoever holds it owns the sockets, TLS, the files and the clock.
//!
//! ```text
//!    bytes ──► receive ──► lines ──► gate (a row) ──► typed command ──┬──► next_event ──► driver: files, users, sockets
//!  (decrypted)            bounded    login? PROT P?                   │                     │
//!                                                                     ▼                     ▼
//!    bytes ◄── transmit ◄────────── replies, control bytes escaped ◄──┴────────────── answer(Pending, reply)
//! ```
//!
//! What it sees to, by its types or by its gate:
//! - no question about a file without a login, no password in clear where the policy refuses it, no transfer in clear where
//!   `PROT P` is demanded;
//! - no byte that came before TLS has a meaning behind it;
//! - every command has exactly one final reply: a [`Pending`](server::Pending) is used up by its answer;
//! - everything a peer can make grow has a limit with a name ([`limits`]);
//! - no text, whatever its bytes, can forge a reply.
//!
//! What it does not do: TLS, files, rights, and addresses it would rather not connect to. The client's side is [`client`].
//!
//! ```
//! use std::time::{Duration, Instant};
//! use carrack_ftp_proto::server::{
//!     Certificates, Clearing, Compression, DataProtection, Event, Fxp, Grant, Mode, Plaintext, Policy, Server,
//! };
//!
//! let now = Instant::now();
//! let policy = Policy {
//!     mode: Mode::Implicit,
//!     plaintext: Plaintext::Refuse,
//!     data_protection: DataProtection::Require,
//!     compression: Compression::Refused,
//!     certificates: Certificates::NotAsked,
//!     clearing: Clearing::Refused,
//!     fxp: Fxp::Refused,
//!     tls_timeout: Duration::from_secs(30),
//!     login_timeout: Duration::from_secs(30),
//!     idle_timeout: Duration::from_secs(300),
//!     login_failures: 3,
//!     greeting: "Carrack".to_owned(),
//! };
//! let mut server = Server::new(policy, now);
//! server.receive(b"USER alice\r\nPASS sesame\r\n", now);
//! while let Some(event) = server.next_event(now) {
//!     match event {
//!         Event::Login { user, password, pending } => {
//!             assert_eq!((user.as_str(), password.as_bytes()), ("alice", &b"sesame"[..]));
//!             server.login_accepted(pending, Grant::default(), now);
//!         }
//!         other => unreachable!("{other:?}"),
//!     }
//! }
//! let replies = server.transmit().unwrap_or_default();
//! assert_eq!(replies, b"220 Carrack\r\n331 Password required.\r\n230 Logged in.\r\n");
//! ```
#![forbid(unsafe_code)]

pub mod ascii;
pub mod charset;
pub mod client;
pub mod command;
#[doc(hidden)]
pub mod fuzzing;
pub mod glob;
pub mod hash;
pub mod limits;
pub mod listing;
pub mod reply;
pub mod server;
pub mod site;
pub mod verb;
