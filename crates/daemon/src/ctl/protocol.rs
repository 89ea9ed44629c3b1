//! What is said on the control socket: one line of JSON each way. `docs/ctl.md` is the reference; what stands there is kept.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What an operator wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// To know how the server is.
    Status {},
    /// To know who is there.
    Sessions {},
    /// To end sessions: that of a number, or those of a user.
    Kick {
        /// The number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<u64>,
        /// The name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// The virtual server of that user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        virtual_server: Option<String>,
    },
    /// To know who is banned.
    Bans {},
    /// That nobody is let in from an address or a network, and that who is there from it goes.
    Ban {
        /// From where.
        network: String,
        /// For how many seconds; left out: until it is lifted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_s: Option<u64>,
        /// Why, for the log and the list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// That a network is let in again.
    Unban {
        /// As it stands in the list.
        network: String,
    },
    /// That the configuration is read again.
    Reload {},
    /// That the server goes down in order.
    Drain {},
    /// That the program that lies in its place now is started and takes over.
    Upgrade {},
    /// From a new process: the listening sockets.
    TakeOver {},
    /// From the process that has them: that it serves.
    Ready {
        /// Its id.
        process: u32,
        /// Whether it serves the data port that was handed over.
        #[serde(default)]
        data_port: bool,
    },
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// How it is.
    Status(Status),
    /// Who is there, by number.
    Sessions(Vec<Session>),
    /// So many were told to go.
    Kicked {
        /// How many.
        sessions: usize,
    },
    /// Who is banned, those who are let in first at the front.
    Bans(Vec<Ban>),
    /// Nobody is let in from there.
    Banned(Banned),
    /// They are again.
    Unbanned(Unbanned),
    /// New sessions have the configuration of the file.
    Reloaded(Reloaded),
    /// It is going down.
    Draining(Draining),
    /// Another process serves, and this one is going down.
    Upgraded(Upgraded),
    /// These sockets come with it.
    HandedOver(HandedOver),
    /// It was not done.
    Refused(Refusal),
}

/// Who has the server's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgraded {
    /// Its process.
    pub process: u32,
}

/// How a server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the program.
    pub version: String,
    /// Its process.
    pub process: u32,
    /// How far it is on its way down.
    pub state: State,
    /// When it began, in seconds since 1970.
    pub since_s: u64,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Connections that are there.
    pub connections: usize,
    /// Those of them that are logged in.
    pub sessions: usize,
    /// Uploads and downloads that run.
    pub transfers: usize,
    /// What is shown to clients, the default first.
    pub certificates: Vec<Certificate>,
    /// The configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
}

/// How far a server is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It serves.
    Serving,
    /// Nobody new comes in.
    Draining,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `explicit` or `implicit`.
    pub mode: String,
    /// Address and port.
    pub address: String,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its file.
    pub file: String,
    /// Whole days that are left to it; less than 0 behind its end.
    pub days: i64,
}

/// A connection, logged in or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number, as in the log.
    pub session: u64,
    /// Whence.
    pub peer: String,
    /// `ftp` or `ftps`.
    pub protocol: String,
    /// How long it has been here, in seconds.
    pub lasted_s: u64,
    /// Who is logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The virtual server that the client has named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_server: Option<String>,
    /// The TLS of its control connection; left out in clear, and where it did not say in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<String>,
    /// Seconds since the client last said something on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_s: Option<u64>,
    /// Bytes of all its data connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What it is busy with, where that may take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<Errand>,
}

/// What a session is busy with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The command.
    pub command: String,
    /// On what, as the user names it.
    pub path: String,
    /// Bytes that have moved.
    pub bytes: u64,
    /// Bytes a second, since it began.
    pub rate: u64,
    /// How long it has taken so far, in seconds.
    pub lasted_s: u64,
}

/// A network from which nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The network.
    pub network: String,
    /// When it ends, in seconds since 1970; left out where it does not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_s: Option<u64>,
    /// Why.
    pub why: String,
    /// Who said so: `server` or `operator`.
    pub by: String,
}

/// A ban that holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banned {
    /// The network.
    pub network: String,
    /// When it ends, in seconds since 1970; left out where it does not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_s: Option<u64>,
    /// How many sessions from there were told to go.
    pub sessions: usize,
}

/// A ban that was lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbanned {
    /// The network.
    pub network: String,
}

/// A reload that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The keys that count at the next start.
    pub next_start: Vec<String>,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
}

/// A drain that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// Connections that are still there.
    pub connections: usize,
    /// After how many seconds they are cut.
    pub deadline_s: u64,
}

/// The sockets that come with an answer, in their order. Behind them come the lock of the state folder and the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// What each was opened for.
    pub sockets: Vec<Place>,
    /// The data port that all sessions share, where there is one. Its sockets are among the others, and behind them comes one by which
    /// connections are offered that belong to the process before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_port: Option<u16>,
}

/// What a socket was opened for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The address in the configuration.
    pub address: SocketAddr,
    /// `explicit` or `implicit`, where it is that of a `[[listen]]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason, with its mend, for people.
    pub why: String,
    /// Of a reload: each thing that is wrong with the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Wrong>,
}

/// Something that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// The file, where it is another one than the configuration: the users file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1; left out where it is the file as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The key, such as `timeouts.idle_s`; may be empty.
    pub key: String,
    /// What is wrong.
    pub why: String,
    /// What to write instead.
    pub mend: String,
}

impl Answer {
    /// That it was not done.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(Refusal { why: why.into(), problems: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_they_are_documented_and_what_is_not_is_refused() {
        let read = |text: &str| serde_json::from_str::<Request>(text);
        assert_eq!(read(r#"{"command":"status"}"#).unwrap(), Request::Status {});
        let kick = Request::Kick { session: Some(7), user: None, virtual_server: None };
        assert_eq!(read(r#"{"command":"kick","session":7}"#).unwrap(), kick);
        assert_eq!(serde_json::to_string(&kick).unwrap(), r#"{"command":"kick","session":7}"#);
        for wrong in ["", "{}", r#"{"command":"halt"}"#, r#"{"command":"drain","now":true}"#, "\"status\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
