//! What a hostile server does wrong.

/// The one thing that a server does wrong.
#[derive(Clone, Debug)]
pub enum Misbehaviour {
    /// Nothing at all.
    None,
    /// It breaks off, or goes quiet, there.
    At(Stage, Fault),
    /// A greeting that is one line without an end.
    GreetingWithoutEnd,
    /// `verb` is answered by these bytes as they are. A final 234 to `AUTH` is followed by the handshake all the same.
    Answers {
        /// The command.
        verb: &'static str,
        /// The answer with its line ends.
        by: &'static [u8],
    },
    /// These bytes follow the greeting, unasked, in the same segment.
    BehindGreeting(&'static [u8]),
    /// That many lines before the last line of the answer to `FEAT`.
    ReplyLines(usize),
    /// `FEAT` is answered by lines without an end.
    ReplyWithoutEnd,
    /// `PROT P` is answered 200, and then data connections are clear.
    ClearData,
    /// `EPSV` is refused, and `PASV` names another host at the right port.
    PassiveElsewhere,
    /// Data connections show another certificate, and resume nothing.
    OtherDataCertificate,
    /// The login folder's listing is these bytes as they are.
    Listing(Format, Vec<u8>),
    /// Every listing has a million entries, which are files.
    MillionEntries,
    /// Every listing has entries without an end.
    EntriesWithoutEnd,
    /// Every folder holds a folder.
    FoldersWithoutEnd,
    /// Downloads never end.
    DataWithoutEnd,
    /// All data, then a bare FIN instead of close_notify, then 226.
    NoCloseNotify,
    /// All data, a clean end, and this reply.
    AfterData(&'static [u8]),
    /// `SIZE` and the facts are off by that many bytes.
    SizeOff(i64),
}

/// In which form listings come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `MLSD` (RFC 3659).
    Facts,
    /// `LIST` in the manner of Unix, and no `MLSD`.
    Long,
}

/// Where a dialogue is broken off: just before the server does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The greeting.
    Greeting,
    /// The reply to `AUTH`.
    Auth,
    /// The handshake on the control connection.
    ControlTls,
    /// The reply to `USER`.
    User,
    /// The reply to `PASS`.
    Pass,
    /// The reply to `EPSV`.
    Passive,
    /// The 150 of a transfer.
    Transfer,
    /// What follows the 150: the data connection is not taken.
    After150,
    /// The handshake on the data connection.
    DataTls,
    /// The second half of the data, in either direction.
    Data,
    /// The end of the data connection.
    DataEnd,
    /// The final reply of a transfer.
    FinalReply,
}

impl Stage {
    /// Every stage, in the order in which a download comes by.
    pub const ALL: [Stage; 12] = [
        Stage::Greeting,
        Stage::Auth,
        Stage::ControlTls,
        Stage::User,
        Stage::Pass,
        Stage::Passive,
        Stage::Transfer,
        Stage::After150,
        Stage::DataTls,
        Stage::Data,
        Stage::DataEnd,
        Stage::FinalReply,
    ];
}

/// How a dialogue is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Silence, until the client goes.
    Stall,
    /// A reset of the connection that the stage is on.
    Reset,
    /// The end of that connection without a word.
    Close,
}
