//! THE TABLE: which commands are there, and what holds for each?
//!
//! One row per verb. The gate, the parser, HELP, FEAT, the conformance page and the tests read the row; a fact about a
//! command that stands anywhere else stands in the wrong place.

use crate::hash::HashAlgorithm;
use crate::listing::FactSet;

/// Everything about one verb that is not its action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which verb.
    pub verb: Verb,
    /// Its spelling, in capitals. Any case is understood (RFC 959 §5.3).
    pub name: &'static str,
    /// What stands behind it.
    pub argument: Argument,
    /// Who may say it.
    pub phase: Phase,
    /// What it has to do with the data connection.
    pub data: Data,
    /// What happens to it while a transfer is pending or running.
    pub during_transfer: DuringTransfer,
    /// What it does to a restart marker (RFC 3659 §5.3).
    pub restart: Restart,
    /// What FEAT says because of it (RFC 2389 §3.2).
    pub features: &'static [Feature],
    /// Where it is defined.
    pub rfc: &'static str,
    /// Its argument as HELP shows it; empty where there is none.
    pub syntax: &'static str,
    /// Whether it does anything.
    pub support: Support,
}

/// What stands behind a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing; anything is a `501`.
    None,
    /// Text that must be there.
    Text,
    /// Text that may be left out.
    OptionalText,
    /// A decimal number.
    Number,
    /// A path: every byte behind the one space.
    Path,
    /// A path, or nothing for the working directory.
    OptionalPath,
    /// A path, which may stand in quotes and then have an octet range behind it.
    QuotedPath,
    /// A path or nothing, perhaps behind options as `ls` has them (`-la`), which are dropped.
    ListPath,
    /// An address and a port.
    Address,
    /// Whatever: the verb is refused anyhow, and its argument not looked at.
    Ignored,
}

/// Who may say a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everybody.
    Any,
    /// Who is not logged in and has said USER.
    Password,
    /// Who is not logged in.
    BeforeLogin,
    /// Who is logged in.
    LoggedIn,
}

/// What a verb has to do with the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nothing.
    None,
    /// It says where the data connection is to be.
    Arms,
    /// It moves bytes over it.
    Uses,
}

/// What happens to a verb while a transfer is pending or running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuringTransfer {
    /// It waits for the transfer's end.
    Waits,
    /// It is answered at once (RFC 959 §4.1.3, RFC 1123 §4.1.3.3).
    Answered,
    /// It is answered at once, but waits if it has an argument.
    AnsweredBare,
}

/// What a verb does to a restart marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The marker is gone behind it.
    Dropped,
    /// The marker lives on: clients say this between REST and the transfer.
    Kept,
}

/// A line of FEAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// As it stands.
    Line(&'static str),
    /// As it stands, but only where TLS begins with AUTH.
    Explicit(&'static str),
    /// As it stands, but only where compression is offered.
    Deflate(&'static str),
    /// As it stands, but only where the policy allows CCC.
    Clearing(&'static str),
    /// As it stands, but only where the server may be either side of TLS towards another server.
    Fxp(&'static str),
    /// `MLST` and its facts, the chosen ones starred (RFC 3659 §7.8).
    Facts,
    /// `HASH` and its algorithms, the chosen one starred (draft-bryan-ftpext-hash §3.1).
    Hashes,
}

/// What a connection has chosen of that which FEAT shows with stars.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chosen {
    /// By OPTS MLST.
    pub facts: FactSet,
    /// By OPTS HASH.
    pub hash: HashAlgorithm,
}

impl Feature {
    /// The line for a connection that has chosen this.
    #[must_use]
    pub fn line(self, chosen: Chosen) -> String {
        match self {
            Feature::Line(line)
            | Feature::Explicit(line)
            | Feature::Clearing(line)
            | Feature::Deflate(line)
            | Feature::Fxp(line) => line.to_owned(),
            Feature::Facts => format!("MLST {}", chosen.facts.starred()),
            Feature::Hashes => format!("HASH {}", HashAlgorithm::starred(chosen.hash)),
        }
    }
}

/// Whether a verb does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what its RFC says.
    Full,
    /// It is known, and refused with the code its RFC has for that.
    Refused,
}

/// One row of the table per line; the columns are those of [`Row`].
macro_rules! table {
    ($($verb:ident $name:literal $argument:ident $phase:ident $data:ident $during:ident $restart:ident $support:ident
       [$($feature:ident $(($line:literal))?),*] $rfc:literal $syntax:literal;)*) => {
        /// A command of the protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb {
            $(#[doc = concat!("`", $name, "` (", $rfc, ")")] $verb,)*
        }

        impl Verb {
            /// What holds for the verb.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Verb::$verb => const { &Row {
                        verb: Verb::$verb,
                        name: $name,
                        argument: Argument::$argument,
                        phase: Phase::$phase,
                        data: Data::$data,
                        during_transfer: DuringTransfer::$during,
                        restart: Restart::$restart,
                        features: &[$(Feature::$feature $(($line))?),*],
                        rfc: $rfc,
                        syntax: $syntax,
                        support: Support::$support,
                    } },)*
                }
            }
        }

        /// THE TABLE, a row per verb.
        pub static TABLE: &[Row] = &[$(*Verb::$verb.row()),*];
    };
}

#[rustfmt::skip]
table! {
//  verb  name   argument     phase    data during       restart support features               RFC                syntax
    User "USER"  Text         Any      None Waits        Dropped Full    []                     "RFC 959 §4.1.1"   "<username>";
    Pass "PASS"  OptionalText Password None Waits        Dropped Full    []                     "RFC 959 §4.1.1"   "<password>";
    Acct "ACCT"  Text         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.1"   "<account>";
    Host "HOST"  Text         BeforeLogin None Waits      Dropped Full    [Line("HOST")]         "RFC 7151 §3"      "<hostname>";
    Rein "REIN"  None         Any      None Waits        Dropped Full    []                     "RFC 959 §4.1.1"   "";
    Quit "QUIT"  None         Any      None Answered     Dropped Full    []                     "RFC 959 §4.1.1"   "";
    Smnt "SMNT"  Ignored      Any      None Waits        Dropped Refused []                     "RFC 959 §4.1.1"   "<pathname>";

    Auth "AUTH"  Text         Any      None Waits        Dropped Full    [Explicit("AUTH TLS;TLS-C;SSL;TLS-P;")] "RFC 2228 §3, RFC 4217 §4" "TLS | TLS-C | SSL | TLS-P";
    Pbsz "PBSZ"  Number       Any      None Waits        Dropped Full    [Line("PBSZ")]         "RFC 2228 §3, RFC 4217 §9" "0";
    Prot "PROT"  Text         Any      None Waits        Dropped Full    [Line("PROT")]         "RFC 2228 §3, RFC 4217 §9" "P | C";
    Sscn "SSCN"  OptionalText LoggedIn None Waits        Kept    Full    [Fxp("SSCN")]          "no RFC: ProFTPD, glFTPd" "[ON | OFF]";
    Ccc  "CCC"   None         Any      None Waits        Dropped Full    [Clearing("CCC")]      "RFC 2228 §3, RFC 4217 §5" "";
    Adat "ADAT"  Ignored      Any      None Waits        Dropped Refused []                     "RFC 2228 §3"      "<base64data>";
    Mic  "MIC"   Ignored      Any      None Waits        Dropped Refused []                     "RFC 2228 §3"      "<base64data>";
    Conf "CONF"  Ignored      Any      None Waits        Dropped Refused []                     "RFC 2228 §3"      "<base64data>";
    Enc  "ENC"   Ignored      Any      None Waits        Dropped Refused []                     "RFC 2228 §3"      "<base64data>";

    Feat "FEAT"  None         Any      None Waits        Dropped Full    []                     "RFC 2389 §3"      "";
    Opts "OPTS"  Text         Any      None Waits        Dropped Full    [Line("UTF8")]         "RFC 2389 §4, RFC 2640 §3" "UTF8 ON | UTF8 OFF | MLST <fact>;... | HASH [<algorithm>] | MODE Z LEVEL <0 to 9>";
    Lang "LANG"  OptionalText Any      None Waits        Dropped Full    [Line("LANG EN*")]     "RFC 2640 §4"      "[EN]";
    Clnt "CLNT"  Text         Any      None Waits        Dropped Full    [Line("CLNT")]         "by usage"         "<client name>";
    Csid "CSID"  Text         Any      None Waits        Dropped Full    [Line("CSID")]         "draft-peterson-streamlined-ftp-command-extensions §6" "Name=<name>; Version=<version>;";
    Syst "SYST"  None         Any      None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "";
    Help "HELP"  OptionalText Any      None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "[<verb>]";
    Noop "NOOP"  None         Any      None Answered     Kept    Full    []                     "RFC 959 §4.1.3"   "";
    Stat "STAT"  OptionalPath LoggedIn None AnsweredBare Dropped Full    []                     "RFC 959 §4.1.3"   "[<pathname>]";
    Site "SITE"  Text         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "HELP | <command> ...";

    Type "TYPE"  Text         LoggedIn None Waits        Kept    Full    []                     "RFC 959 §4.1.2"   "A [N] | I | L 8";
    Mode "MODE"  Text         LoggedIn None Waits        Dropped Full    [Deflate("MODE Z")]    "RFC 959 §4.1.2, draft-preston-ftpext-deflate §3" "S | Z";
    Stru "STRU"  Text         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.2"   "F";
    Pasv "PASV"  None         LoggedIn Arms Waits        Kept    Full    []                     "RFC 959 §4.1.2"   "";
    Epsv "EPSV"  OptionalText LoggedIn Arms Waits        Kept    Full    [Line("EPSV")]         "RFC 2428 §3"      "[1 | 2 | ALL]";
    Cpsv "CPSV"  None         LoggedIn Arms Waits        Kept    Full    [Fxp("CPSV")]          "no RFC: glFTPd, DrFTPD" "";
    Port "PORT"  Address      LoggedIn Arms Waits        Kept    Full    []                     "RFC 959 §4.1.2"   "<h1,h2,h3,h4,p1,p2>";
    Eprt "EPRT"  Address      LoggedIn Arms Waits        Kept    Full    [Line("EPRT")]         "RFC 2428 §2"      "|<1 or 2>|<address>|<port>|";

    Pwd  "PWD"   None         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "";
    Cwd  "CWD"   Path         LoggedIn None Waits        Dropped Full    [Line("TVFS")]         "RFC 959 §4.1.1, RFC 3659 §6" "<pathname>";
    Cdup "CDUP"  None         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.1"   "";
    Mkd  "MKD"   Path         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Rmd  "RMD"   Path         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Dele "DELE"  Path         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Rnfr "RNFR"  Path         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Rnto "RNTO"  Path         LoggedIn None Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Size "SIZE"  Path         LoggedIn None Waits        Dropped Full    [Line("SIZE")]         "RFC 3659 §4"      "<pathname>";
    Mdtm "MDTM"  Path         LoggedIn None Waits        Dropped Full    [Line("MDTM")]         "RFC 3659 §3"      "[<time>] <pathname>";
    Mlst "MLST"  OptionalPath LoggedIn None Waits        Dropped Full    [Facts]                "RFC 3659 §7"      "[<pathname>]";
    Mfmt "MFMT"  Text         LoggedIn None Waits        Dropped Full    [Line("MFMT")]         "draft-somers-ftp-mfxx §3" "<time> <pathname>";
    Mff  "MFF"   Text         LoggedIn None Waits        Dropped Full    [Line("MFF Modify;UNIX.mode;")] "draft-somers-ftp-mfxx §5" "[Modify=<time>;][UNIX.mode=<000-777>;] <pathname>";
    Mfct "MFCT"  Ignored      Any      None Waits        Dropped Refused []                     "draft-somers-ftp-mfxx §4" "<time> <pathname>";
    Avbl "AVBL"  OptionalPath LoggedIn None Waits        Dropped Full    [Line("AVBL")]         "draft-peterson-streamlined-ftp-command-extensions" "[<pathname>]";
    Comb "COMB"  Text         LoggedIn None Waits        Dropped Full    [Line("COMB target;source_list")] "CuteFTP's, by nobody's RFC" "\"<target>\" \"<part>\"...";
    Hash "HASH"  Path         LoggedIn None Waits        Dropped Full    [Hashes]               "draft-bryan-ftpext-hash §3" "<pathname>";
    Xcrc "XCRC"  QuotedPath   LoggedIn None Waits        Dropped Full    [Line("XCRC")]         "draft-bryan-ftpext-hash §B" "<pathname> | \"<pathname>\" [<start> [<end>]]";
    Xmd5 "XMD5"  QuotedPath   LoggedIn None Waits        Dropped Full    [Line("XMD5")]         "draft-bryan-ftpext-hash §B" "<pathname> | \"<pathname>\" [<start> [<end>]]";
    Xsha1 "XSHA1" QuotedPath  LoggedIn None Waits        Dropped Full    [Line("XSHA1")]        "draft-bryan-ftpext-hash §B" "<pathname> | \"<pathname>\" [<start> [<end>]]";
    Xsha256 "XSHA256" QuotedPath LoggedIn None Waits     Dropped Full    [Line("XSHA256")]      "draft-bryan-ftpext-hash §B" "<pathname> | \"<pathname>\" [<start> [<end>]]";
    Xsha512 "XSHA512" QuotedPath LoggedIn None Waits     Dropped Full    [Line("XSHA512")]      "draft-bryan-ftpext-hash §B" "<pathname> | \"<pathname>\" [<start> [<end>]]";
    Xpwd "XPWD"  None         LoggedIn None Waits        Dropped Full    []                     "RFC 1123 §4.1.3.1" "";
    Xcwd "XCWD"  Path         LoggedIn None Waits        Dropped Full    []                     "RFC 1123 §4.1.3.1" "<pathname>";
    Xcup "XCUP"  None         LoggedIn None Waits        Dropped Full    []                     "RFC 1123 §4.1.3.1" "";
    Xmkd "XMKD"  Path         LoggedIn None Waits        Dropped Full    []                     "RFC 1123 §4.1.3.1" "<pathname>";
    Xrmd "XRMD"  Path         LoggedIn None Waits        Dropped Full    []                     "RFC 1123 §4.1.3.1" "<pathname>";

    Rest "REST"  Number       LoggedIn None Waits        Dropped Full    [Line("REST STREAM")]  "RFC 3659 §5"      "<offset>";
    Rang "RANG"  Text         LoggedIn None Waits        Dropped Full    [Line("RANG STREAM")]  "draft-bryan-ftp-range §3" "<first octet> <last octet>";
    Allo "ALLO"  Text         LoggedIn None Waits        Kept    Full    []                     "RFC 959 §4.1.3"   "<bytes> [R <bytes>]";
    Retr "RETR"  Path         LoggedIn Uses Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Stor "STOR"  Path         LoggedIn Uses Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Appe "APPE"  Path         LoggedIn Uses Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "<pathname>";
    Stou "STOU"  OptionalPath LoggedIn Uses Waits        Dropped Full    []                     "RFC 959 §4.1.3, RFC 1123 §4.1.2.9" "[<pathname>]";
    List "LIST"  ListPath     LoggedIn Uses Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "[<pathname>]";
    Nlst "NLST"  ListPath     LoggedIn Uses Waits        Dropped Full    []                     "RFC 959 §4.1.3"   "[<pathname>]";
    Mlsd "MLSD"  OptionalPath LoggedIn Uses Waits        Dropped Full    []                     "RFC 3659 §7"      "[<pathname>]";
    Abor "ABOR"  None         Any      None Answered     Dropped Full    []                     "RFC 959 §4.1.3"   "";
}

impl Verb {
    /// The verb of this spelling, in any case.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Verb> {
        TABLE.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name)).map(|row| row.verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for row in TABLE {
            assert_eq!(Verb::named(row.name.to_ascii_lowercase().as_bytes()), Some(row.verb));
            assert_eq!(row.verb.row(), row);
        }
        assert_eq!(Verb::named(b""), None);
        assert_eq!(Verb::named(b"RETRO"), None);
    }

    #[test]
    fn what_touches_data_or_files_needs_a_login() {
        for row in TABLE {
            let touches = row.data != Data::None
                || matches!(
                    row.argument,
                    Argument::Path | Argument::QuotedPath | Argument::OptionalPath | Argument::ListPath
                );
            assert!(!touches || row.phase == Phase::LoggedIn, "{} must need a login", row.name);
        }
    }
}
