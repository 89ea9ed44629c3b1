//! What a server can do of what the client asks for. The manual's table of servers is made from it, and the tests hold
//! every server to it: what it can, and that it cannot what it says it cannot.

/// One thing that a server can do or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// It can.
    Yes,
    /// It cannot, and why, in a sentence.
    No(&'static str),
}

impl Ability {
    /// Can it?
    pub fn is_there(self) -> bool {
        self == Ability::Yes
    }
}

/// Everything that servers differ in.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// `AUTH TLS` (RFC 4217).
    pub explicit: Ability,
    /// TLS from the first byte.
    pub implicit: Ability,
    /// It can be held to TLS 1.2; version 1.3 all have.
    pub held_to_tls12: Ability,
    /// Data connections have to resume the control connection's session, by its default.
    pub requires_reuse: Ability,
    /// It can ask clients for certificates.
    pub client_certificates: Ability,
    /// `PORT`, `EPRT`.
    pub active: Ability,
    /// `PROT C`: clear data under a protected control connection.
    pub clear_data: Ability,
    /// `MLSD`, `MLST` (RFC 3659).
    pub machine_listings: Ability,
    /// `MFMT`, or vsftpd's `MDTM` with a time: a file's time can be set.
    pub set_times: Ability,
    /// `HASH`, `XSHA256` and the like.
    pub hash: Ability,
    /// `REST` before `RETR`: an interrupted download goes on.
    pub restart_downloads: Ability,
    /// `REST` before `STOR`, or `APPE`: an interrupted upload goes on.
    pub restart_uploads: Ability,
    /// `APPE`.
    pub append: Ability,
}
