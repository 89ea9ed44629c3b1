//! How is a command written? Every argument is a type that cannot end its line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use zeroize::Zeroizing;

use super::plan::DataProtection;
use crate::client::{HashAlgorithm, RemotePath, escaped, time_value};

/// A command that one reply settles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// CWD: makes a folder the working directory.
    ChangeFolder(RemotePath),
    /// MKD: makes a folder.
    MakeFolder(RemotePath),
    /// RMD: removes an empty folder.
    RemoveFolder(RemotePath),
    /// DELE: removes a file.
    RemoveFile(RemotePath),
    /// RNFR: names what is to be renamed; answered by 350.
    RenameFrom(RemotePath),
    /// RNTO, right behind it: the new name.
    RenameTo(RemotePath),
    /// MLST: the facts of one path (RFC 3659 §7).
    Facts(RemotePath),
    /// SIZE: bytes that a download would bring (RFC 3659 §4).
    Size(RemotePath),
    /// MDTM: the time of modification (RFC 3659 §3).
    Modified(RemotePath),
    /// MFMT: sets the time of modification, Unix seconds.
    SetModified(RemotePath, i64),
    /// `MDTM time path`: the same for servers that read MDTM so. Others look for a file of that odd name.
    SetModifiedByMdtm(RemotePath, i64),
    /// OPTS HASH: which hash HASH answers with.
    SelectHash(HashAlgorithm),
    /// HASH: a hash of a whole file.
    Hash(RemotePath),
    /// XSHA256 and its kin: a hash of a whole file, in a command of its own for each algorithm. The path stands in quotes,
    /// so it must not hold any.
    HashByName(&'static str, RemotePath),
    /// PASV, EPSV or CPSV: opens a port that somebody else than this client connects to.
    Listen(Listen),
    /// PORT, for IPv6 EPRT: the port that the server is to connect to, which somebody else than this client has opened.
    ConnectTo(SocketAddr),
    /// SSCN: which part of TLS the server takes on data connections.
    TakePart(TlsPart),
    /// QUIT.
    Quit,
}

/// How a server is asked for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// PASV (RFC 959 §4.1.2).
    Passive,
    /// EPSV (RFC 2428 §3).
    Extended,
    /// CPSV: as PASV, and the server will be the TLS client there.
    AsTlsClient,
}

/// A server's part of TLS on data connections with another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPart {
    /// It begins.
    Client,
    /// It waits, as RFC 4217 has it.
    Server,
}

/// Every command there is, those among them that the machine alone decides about.
#[derive(Clone, Debug)]
pub(super) enum Line<'a> {
    Auth,
    User(&'a str),
    Pass(&'a str),
    BufferSize,
    Protection(DataProtection),
    Features,
    Utf8,
    /// The facts that MLST and MLSD are to show, `type;size;`.
    Facts(&'a str),
    Image,
    WorkingFolder,
    ExtendedPassive,
    Passive,
    ExtendedActive(SocketAddr),
    Active(SocketAddr),
    Restart(u64),
    Retrieve(&'a RemotePath),
    Store(&'a RemotePath),
    Append(&'a RemotePath),
    ListFacts(&'a RemotePath),
    List(ListArgument<'a>),
    Settled(&'a Command),
}

/// What stands behind LIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListArgument<'a> {
    None,
    Hidden,
    Path(&'a RemotePath),
}

impl Line<'_> {
    /// The verb, with what belongs to it when it is spoken of: `AUTH TLS`.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Line::Auth => "AUTH TLS",
            Line::User(_) => "USER",
            Line::Pass(_) => "PASS",
            Line::BufferSize => "PBSZ 0",
            Line::Protection(DataProtection::Private) => "PROT P",
            Line::Protection(DataProtection::Clear) => "PROT C",
            Line::Features => "FEAT",
            Line::Utf8 => "OPTS UTF8 ON",
            Line::Facts(_) => "OPTS MLST",
            Line::Image => "TYPE I",
            Line::WorkingFolder => "PWD",
            Line::ExtendedPassive => "EPSV",
            Line::Passive => "PASV",
            Line::ExtendedActive(_) => "EPRT",
            Line::Active(_) => "PORT",
            Line::Restart(_) => "REST",
            Line::Retrieve(_) => "RETR",
            Line::Store(_) => "STOR",
            Line::Append(_) => "APPE",
            Line::ListFacts(_) => "MLSD",
            Line::List(_) => "LIST",
            Line::Settled(command) => command.name(),
        }
    }

    /// The whole line as it is sent.
    pub(super) fn transmit(&self) -> Transmit {
        let mut bytes = Zeroizing::new(Vec::with_capacity(ORDINARY_LINE));
        bytes.extend_from_slice(self.name().as_bytes());
        match self {
            Line::Auth
            | Line::BufferSize
            | Line::Protection(_)
            | Line::Features
            | Line::Utf8
            | Line::Image
            | Line::WorkingFolder
            | Line::ExtendedPassive
            | Line::Passive
            | Line::List(ListArgument::None) => {}
            Line::User(name) => argument(&mut bytes, name.as_bytes()),
            Line::Facts(names) => argument(&mut bytes, names.as_bytes()),
            Line::Pass(password) => {
                // SECURITY: a buffer that grew would leave a copy of the password behind that nobody wipes.
                bytes.reserve_exact(2 * password.len() + 3);
                argument(&mut bytes, password.as_bytes());
            }
            Line::ExtendedActive(address) => argument(&mut bytes, eprt(address).as_bytes()),
            Line::Active(address) => argument(&mut bytes, port(address).as_bytes()),
            Line::Restart(offset) => argument(&mut bytes, offset.to_string().as_bytes()),
            Line::Retrieve(path)
            | Line::Store(path)
            | Line::Append(path)
            | Line::ListFacts(path)
            | Line::List(ListArgument::Path(path)) => argument(&mut bytes, path.as_bytes()),
            Line::List(ListArgument::Hidden) => argument(&mut bytes, b"-a"),
            Line::Settled(command) => command.arguments(&mut bytes),
        }
        bytes.extend_from_slice(b"\r\n");
        Transmit { bytes, secret: matches!(self, Line::Pass(_)) }
    }
}

/// Room for most lines.
const ORDINARY_LINE: usize = 128;

impl Command {
    /// The verb.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Command::ChangeFolder(_) => "CWD",
            Command::MakeFolder(_) => "MKD",
            Command::RemoveFolder(_) => "RMD",
            Command::RemoveFile(_) => "DELE",
            Command::RenameFrom(_) => "RNFR",
            Command::RenameTo(_) => "RNTO",
            Command::Facts(_) => "MLST",
            Command::Size(_) => "SIZE",
            Command::Modified(_) | Command::SetModifiedByMdtm(..) => "MDTM",
            Command::SetModified(..) => "MFMT",
            Command::SelectHash(_) => "OPTS HASH",
            Command::Hash(_) => "HASH",
            Command::HashByName(verb, _) => verb,
            Command::Listen(Listen::Passive) => "PASV",
            Command::Listen(Listen::Extended) => "EPSV",
            Command::Listen(Listen::AsTlsClient) => "CPSV",
            Command::ConnectTo(SocketAddr::V4(_)) => "PORT",
            Command::ConnectTo(SocketAddr::V6(_)) => "EPRT",
            Command::TakePart(TlsPart::Client) => "SSCN ON",
            Command::TakePart(TlsPart::Server) => "SSCN OFF",
            Command::Quit => "QUIT",
        }
    }

    fn arguments(&self, line: &mut Vec<u8>) {
        match self {
            Command::ChangeFolder(path)
            | Command::MakeFolder(path)
            | Command::RemoveFolder(path)
            | Command::RemoveFile(path)
            | Command::RenameFrom(path)
            | Command::RenameTo(path)
            | Command::Facts(path)
            | Command::Size(path)
            | Command::Modified(path)
            | Command::Hash(path) => argument(line, path.as_bytes()),
            Command::SetModified(path, unix_s) | Command::SetModifiedByMdtm(path, unix_s) => {
                argument(line, time_value(*unix_s).as_bytes());
                argument(line, path.as_bytes());
            }
            Command::SelectHash(algorithm) => argument(line, algorithm.name().as_bytes()),
            Command::HashByName(_, path) => {
                line.extend_from_slice(b" \"");
                text(line, path.as_bytes());
                line.push(b'"');
            }
            Command::ConnectTo(address @ SocketAddr::V4(_)) => argument(line, port(address).as_bytes()),
            Command::ConnectTo(address @ SocketAddr::V6(_)) => argument(line, eprt(address).as_bytes()),
            Command::Listen(_) | Command::TakePart(_) | Command::Quit => {}
        }
    }
}

/// A space and an argument.
fn argument(line: &mut Vec<u8>, bytes: &[u8]) {
    line.push(b' ');
    text(line, bytes);
}

/// Text as Telnet wants it: byte 255 is sent twice (RFC 854, RFC 959 §4.1).
fn text(line: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if byte == 255 {
            line.push(255);
        }
        line.push(byte);
    }
}

/// RFC 2428 §2.
fn eprt(address: &SocketAddr) -> String {
    let family = if address.is_ipv4() { 1 } else { 2 };
    // The address alone: a scope has no place there and no meaning to the server.
    format!("|{family}|{}|{}|", address.ip(), address.port())
}

/// RFC 959 §4.1.2. An IPv6 address has no such form; it never gets here, because EPRT is final for it.
fn port(address: &SocketAddr) -> String {
    let [high, low] = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{a},{b},{c},{d},{high},{low}")
        }
        IpAddr::V6(_) => format!("0,0,0,0,{high},{low}"),
    }
}

/// One line to be sent, in one write.
pub struct Transmit {
    bytes: Zeroizing<Vec<u8>>,
    secret: bool,
}

impl Transmit {
    /// The bytes, CR LF among them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The line for people: escaped, and of a password nothing.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.secret {
            return "PASS ****".to_owned();
        }
        escaped(self.bytes.trim_ascii_end()).to_string()
    }
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}
