//! Configuration, wiring, running and telemetry: the only crate that knows all servers.
//!
//! **What it does.** Reads and checks a configuration, or makes one for a single folder; opens the state folder, homes and journals; listens;
//! tells in the log what happens; goes down in order.
//!
//! **What it does not.** It speaks no protocol, decides about no path, and prints nothing but its log.
//!
//! ```text
//!  carrack.toml ─► config ──┐
//!                           ├─► Checked ─► run::Server ─► wiring ─► ftp-server · core · storage · records · tls · net
//!  carrack serve DIR ─ quick┘                  │
//!                              state ◄─────────┴────────► log (subscribes to core's events)
//! ```
//!
//! ```
//! use carrack_daemon::config;
//!
//! // Nothing runs before all is well, and all that is wrong is said at once.
//! let problems = config::parse("[timeouts]\nidle = 300\n", std::path::Path::new("/")).unwrap_err();
//! assert_eq!((problems[0].line, problems[0].column), (2, 1));
//! assert_eq!(problems[0].mend, "did you mean `idle_s`?");
//! ```
mod access;
mod acme;
mod addresses;
mod clients;
pub mod config;
pub mod ctl;
mod defence;
mod hooks;
mod hours;
mod housekeeping;
mod http;
mod identities;
mod limits;
pub mod log;
mod metrics;
mod outside;
mod packets;
pub mod panics;
mod places;
mod plaintext;
mod program;
pub mod quick;
mod quota;
pub mod run;
pub mod sandbox;
pub mod state;
mod stores;
mod watch;
mod web;
mod wiring;
