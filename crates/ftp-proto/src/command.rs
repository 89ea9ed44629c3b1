//! What did the client say? Lines become typed commands, an argument family per file.

mod address;
mod combine;
mod facts;
mod host;
mod line;
mod list;
mod parameter;
mod path;
mod security;
mod site;
mod span;

use std::net::SocketAddr;

pub use combine::Combine;
pub use facts::{FactChanges, SetFacts};
pub use host::HostName;
pub(crate) use line::{Line, LineReader};
pub use parameter::Opts;
pub use path::PathArgument;
pub use security::{Level, Mechanism, Sscn};
pub use site::SiteCommand;
pub use span::Span;

use crate::hash::HashAlgorithm;
use crate::reply::{Code, Reply};
use crate::server::{PassiveStyle, Password, Representation, TransferMode};
use crate::verb::{Argument, Verb};

/// A command with its argument read. X-forms (RFC 1123 §4.1.3.1) are the commands they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the verb of its name; THE TABLE documents the verbs")]
pub enum Command {
    User(String),
    Pass(Password),
    Acct,
    Host(HostName),
    Rein,
    Quit,
    Smnt,
    Auth(Mechanism),
    Pbsz,
    Prot(Level),
    /// `None` asks which is in force.
    Sscn(Option<Sscn>),
    Ccc,
    Adat,
    /// MIC, CONF and ENC: a command inside a command.
    Protected,
    Feat,
    Opts(Opts),
    Lang,
    /// CLNT: whatever the client calls itself, nothing depends on it.
    Clnt,
    Csid,
    Syst,
    Help(Option<Verb>),
    Noop,
    Stat(Option<PathArgument>),
    Site(SiteCommand),
    Type(Representation),
    Mode(TransferMode),
    Stru,
    Passive(PassiveStyle),
    /// `EPSV ALL`.
    EpsvAll,
    /// PORT and EPRT.
    Active(SocketAddr),
    Pwd,
    Cwd(PathArgument),
    Cdup,
    Mkd(PathArgument),
    Rmd(PathArgument),
    Dele(PathArgument),
    Rnfr(PathArgument),
    Rnto(PathArgument),
    Size(PathArgument),
    /// The argument as a path, and what it sets if it is none.
    Mdtm(PathArgument, Option<SetFacts>),
    Mlst(Option<PathArgument>),
    /// MFMT and MFF.
    SetFacts(SetFacts),
    Mfct,
    Avbl(Option<PathArgument>),
    Comb(Combine),
    /// HASH.
    Hash(PathArgument),
    /// XCRC, XMD5, XSHA1, XSHA256 and XSHA512.
    HashByName(HashAlgorithm, PathArgument, Span),
    Rest(u64),
    /// RANG; `None` takes a range back.
    Rang(Option<Span>),
    /// How many bytes the next upload will have.
    Allo(u64),
    Retr(PathArgument),
    Stor(PathArgument),
    Appe(PathArgument),
    Stou(Option<PathArgument>),
    List(Option<PathArgument>),
    Nlst(Option<PathArgument>),
    Mlsd(Option<PathArgument>),
    Abor,
}

impl Command {
    /// Reads what stands behind `verb`: every byte after the one space, which may be missing together with the argument.
    ///
    /// # Errors
    /// The reply that refuses the argument: `501` where it is malformed, `504` (or what the command's RFC has) where it is
    /// well-formed and not implemented. No byte of the argument stands in it.
    pub fn read(verb: Verb, argument: &[u8]) -> Result<Command, Reply> {
        // SECURITY: a bare CR or a NUL is never part of an argument (RFC 854 would have it mean something else).
        let forbidden = argument.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'));
        if forbidden {
            return Err(Reply::new(
                Code::SYNTAX_ERROR_IN_ARGUMENT,
                "An argument may not hold CR, LF or NUL.",
            ));
        }
        match verb.row().argument {
            Argument::None if !argument.is_empty() => return Err(malformed(verb)),
            Argument::Text | Argument::Number | Argument::Address if argument.is_empty() => {
                return Err(malformed(verb));
            }
            _ => {}
        }
        let path = || PathArgument::new(argument).ok_or_else(|| malformed(verb));
        Ok(match verb {
            Verb::User => Command::User(text(verb, argument)?),
            Verb::Pass => Command::Pass(Password::new(argument.to_vec())),
            Verb::Acct => Command::Acct,
            Verb::Host => Command::Host(HostName::read(argument)?),
            Verb::Rein => Command::Rein,
            Verb::Quit => Command::Quit,
            Verb::Smnt => Command::Smnt,
            Verb::Auth => Command::Auth(Mechanism::read(argument)?),
            Verb::Pbsz => security::buffer_size(argument).map(|()| Command::Pbsz)?,
            Verb::Prot => Command::Prot(Level::read(argument)?),
            Verb::Sscn => Command::Sscn(Sscn::read(argument)?),
            Verb::Ccc => Command::Ccc,
            Verb::Adat => Command::Adat,
            Verb::Mic | Verb::Conf | Verb::Enc => Command::Protected,
            Verb::Feat => Command::Feat,
            Verb::Opts => Command::Opts(Opts::read(argument)?),
            Verb::Lang => parameter::language(argument).map(|()| Command::Lang)?,
            Verb::Clnt => Command::Clnt,
            Verb::Csid => Command::Csid,
            Verb::Syst => Command::Syst,
            Verb::Help => Command::Help(parameter::help(argument)?),
            Verb::Noop => Command::Noop,
            Verb::Stat => Command::Stat(PathArgument::new(argument)),
            Verb::Site => Command::Site(SiteCommand::read(argument)?),
            Verb::Type => Command::Type(parameter::representation(argument)?),
            Verb::Mode => Command::Mode(parameter::mode(argument)?),
            Verb::Stru => parameter::structure(argument).map(|()| Command::Stru)?,
            Verb::Pasv => Command::Passive(PassiveStyle::Pasv),
            Verb::Cpsv => Command::Passive(PassiveStyle::Cpsv),
            Verb::Epsv => address::epsv(argument)?,
            Verb::Port => Command::Active(address::port(argument)?),
            Verb::Eprt => Command::Active(address::eprt(argument)?),
            Verb::Pwd | Verb::Xpwd => Command::Pwd,
            Verb::Cwd | Verb::Xcwd => Command::Cwd(path()?),
            Verb::Cdup | Verb::Xcup => Command::Cdup,
            Verb::Mkd | Verb::Xmkd => Command::Mkd(path()?),
            Verb::Rmd | Verb::Xrmd => Command::Rmd(path()?),
            Verb::Dele => Command::Dele(path()?),
            Verb::Rnfr => Command::Rnfr(path()?),
            Verb::Rnto => Command::Rnto(path()?),
            Verb::Size => Command::Size(path()?),
            Verb::Mdtm => Command::Mdtm(path()?, facts::mdtm(argument)),
            Verb::Mlst => Command::Mlst(PathArgument::new(argument)),
            Verb::Mfmt => Command::SetFacts(facts::mfmt(argument)?),
            Verb::Mff => Command::SetFacts(facts::mff(argument)?),
            Verb::Mfct => Command::Mfct,
            Verb::Avbl => Command::Avbl(PathArgument::new(argument)),
            Verb::Comb => Command::Comb(Combine::read(argument)?),
            Verb::Hash => Command::Hash(path()?),
            Verb::Xcrc => span::hash_by_name(verb, HashAlgorithm::Crc32, argument)?,
            Verb::Xmd5 => span::hash_by_name(verb, HashAlgorithm::Md5, argument)?,
            Verb::Xsha1 => span::hash_by_name(verb, HashAlgorithm::Sha1, argument)?,
            Verb::Xsha256 => span::hash_by_name(verb, HashAlgorithm::Sha256, argument)?,
            Verb::Xsha512 => span::hash_by_name(verb, HashAlgorithm::Sha512, argument)?,
            Verb::Rang => Command::Rang(span::range(argument)?),
            Verb::Rest => Command::Rest(parameter::decimal(argument).ok_or_else(|| malformed(verb))?),
            Verb::Allo => Command::Allo(parameter::allocation(argument)?),
            Verb::Retr => Command::Retr(path()?),
            Verb::Stor => Command::Stor(path()?),
            Verb::Appe => Command::Appe(path()?),
            Verb::Stou => Command::Stou(PathArgument::new(argument)),
            Verb::List => Command::List(list::path_behind_options(argument)),
            Verb::Nlst => Command::Nlst(list::path_behind_options(argument)),
            Verb::Mlsd => Command::Mlsd(PathArgument::new(argument)),
            Verb::Abor => Command::Abor,
        })
    }
}

/// `501`, with the syntax from THE TABLE as the mend.
fn malformed(verb: Verb) -> Reply {
    let row = verb.row();
    let space = if row.syntax.is_empty() { "" } else { " " };
    Reply::new(Code::SYNTAX_ERROR_IN_ARGUMENT, format!("Syntax: {}{space}{}", row.name, row.syntax))
}

/// `504`, with the syntax from THE TABLE as the mend.
fn not_implemented(verb: Verb) -> Reply {
    let row = verb.row();
    Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, format!("Implemented: {} {}", row.name, row.syntax))
}

/// Text that must be UTF-8: a user's name is shown in logs and looked up in tables.
fn text(verb: Verb, argument: &[u8]) -> Result<String, Reply> {
    String::from_utf8(argument.to_vec()).map_err(|_| malformed(verb))
}

#[cfg(test)]
mod tests;
