//! The words of FTP: command lines, replies, listings, addresses, patterns, paths and character sets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use carrack_core::path::{Name, VirtualPath};
use carrack_ftp_proto::charset::Charset;
use carrack_ftp_proto::client::{
    EntryName, Features, Format, HashAlgorithm, Listed, ListingReader, RemotePath, epsv_port, escaped,
    facts_line, moment, pasv_port, pathname, size,
};
use carrack_ftp_proto::command::{Command, HostName};
use carrack_ftp_proto::listing::FactSet;
use carrack_ftp_proto::server::{
    Certificates, Clearing, Compression, DataProtection, Fxp, Mode, Plaintext, Policy, Server,
};
use carrack_ftp_proto::verb::{Argument, TABLE, Verb};
use carrack_ftp_proto::{fuzzing, glob, limits};

use crate::{Input, Target};

/// What is read of the language of FTP.
pub const TARGETS: &[Target] = &[
    Target { name: "command_line", run: command_line },
    Target { name: "pipeline", run: pipeline },
    Target { name: "reply", run: reply },
    Target { name: "listing", run: listing },
    Target { name: "facts", run: facts },
    Target { name: "address", run: address },
    Target { name: "glob", run: pattern },
    Target { name: "path", run: path },
    Target { name: "charset", run: charset },
    Target { name: "features", run: features },
];

/// Bytes that no name, path or user may have: they would end a command line, or a C string.
fn may_stand_in_a_line(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}

/// One line of a client: a verb and its argument.
fn command_line(line: &[u8]) {
    let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (name, argument) = (&line[..space], line.get(space + 1..).unwrap_or_default());
    let Some(verb) = Verb::named(name) else { return };
    match Command::read(verb, argument) {
        Ok(command) => {
            assert!(may_stand_in_a_line(argument), "{command:?}");
            let shown = format!("{command:?}");
            assert!(!shown.contains('\n'), "{shown}");
            if let Command::Retr(path) = &command {
                assert_eq!(path.as_bytes(), argument, "a path is every byte behind the one space");
            }
            if let Command::Pass(_) = &command {
                assert_eq!(shown, "Pass(Password(****))");
            }
        }
        Err(reply) => assert_is_one_reply(&reply),
    }
    assert!(
        verb.row().argument != Argument::None
            || argument.is_empty()
            || Command::read(verb, argument).is_err()
    );
}

fn assert_is_one_reply(reply: &carrack_ftp_proto::reply::Reply) {
    let mut wire = Vec::new();
    reply.encode(&mut wire);
    assert_eq!(fuzzing::replies(&wire, wire.len()).0.len(), 1, "{}", wire.escape_ascii());
}

/// Many lines, whole and in pieces: the machine hears the same.
fn pipeline(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece = usize::from(input.byte()) + 1;
    let bytes = input.rest();
    // What waits is limited, so what a reader is fed at once is not all the same as what it is fed between answers.
    let bytes = &bytes[..bytes.len().min(limits::PIPELINED_BYTES / 4)];
    assert_eq!(said(bytes, bytes.len().max(1)), said(bytes, piece), "{}", bytes.escape_ascii());
}

/// What a server says to a client that is not logged in.
fn said(bytes: &[u8], piece: usize) -> Vec<u8> {
    let now = Instant::now();
    // Behind AUTH, where a piece ends would matter: what comes with it in clear ends the connection.
    let policy = Policy { mode: Mode::Implicit, ..policy(Plaintext::Refuse) };
    let mut server = Server::new(policy, now);
    let mut said = Vec::new();
    for piece in bytes.chunks(piece) {
        server.receive(piece, now);
        if let Some(event) = server.next_event(now) {
            // Nothing but the end and a login is asked for without one, and behind either nothing more is heard here.
            said.extend_from_slice(format!("{event:?}").as_bytes());
            break;
        }
    }
    said.extend(server.transmit().unwrap_or_default());
    without_telnet(&said)
}

/// Without the refusals of Telnet's options, which are said at once and not in their turn (RFC 854).
pub(crate) fn without_telnet(said: &[u8]) -> Vec<u8> {
    let mut rest = said;
    let mut kept = Vec::new();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            255 => rest = rest.get(2..).unwrap_or_default(),
            _ => kept.push(*byte),
        }
    }
    kept
}

/// What an operator might demand.
pub(crate) fn policy(plaintext: Plaintext) -> Policy {
    Policy {
        mode: Mode::Explicit,
        plaintext,
        data_protection: DataProtection::Require,
        compression: Compression::Offered,
        clearing: Clearing::Allowed,
        certificates: Certificates::NotAsked,
        fxp: Fxp::EitherSide,
        tls_timeout: Duration::from_secs(30),
        login_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(300),
        login_failures: 3,
        greeting: "Carrack".to_owned(),
    }
}

/// What a server answers, whole and in pieces.
fn reply(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece = usize::from(input.byte()) + 1;
    let bytes = input.rest();
    let (whole, pieces) = (fuzzing::replies(bytes, bytes.len()), fuzzing::replies(bytes, piece));
    assert_eq!(whole, pieces);
    for reply in &whole.0 {
        let (mut lines, mut length) = (0, 0);
        for line in reply.lines() {
            assert!(!line.contains(&b'\n'));
            (lines, length) = (lines + 1, length + line.len());
        }
        assert!((1..=limits::REPLY_LINES).contains(&lines) && length <= limits::REPLY_BYTES);
        assert!((100..600).contains(&reply.code().number()), "{reply:?}");
        let _ = (reply.body().count(), reply.last_line(), epsv_port(reply.last_line()));
        assert!(!reply.to_string().contains(char::is_control), "{reply}");
    }
}

/// The listing of a folder, whole and in pieces.
fn listing(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let format = input.one_of(&[Format::Long, Format::Facts, Format::Names]);
    let piece = usize::from(input.byte()) + 1;
    let bytes = input.rest();
    let whole = listed(format, bytes, bytes.len().max(1));
    assert_eq!(whole, listed(format, bytes, piece));
    for listed in whole {
        match listed {
            Listed::Entry(entry) => {
                assert!(is_one_name(entry.name.as_bytes()), "{entry:?}");
                assert!(entry.mode.is_none_or(|mode| mode <= 0o7777), "{entry:?}");
            }
            Listed::Current(_) => {}
            Listed::Skipped { line, why } => {
                assert!(line.len() <= limits::SKIPPED_SHOWN, "{why}");
                assert!(!escaped(&line).to_string().contains(char::is_control));
            }
        }
    }
}

fn listed(format: Format, bytes: &[u8], piece: usize) -> Vec<Listed> {
    // 2026-11-22 16:30 UTC.
    let mut reader = ListingReader::new(format, 1_795_365_000);
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.feed(piece);
        all.extend(reader.by_ref());
    }
    reader.finish();
    all.extend(reader);
    all
}

/// Whether it is one component of a path.
fn is_one_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && !name.contains(&b'/')
        && may_stand_in_a_line(name)
        && name.len() <= limits::NAME
}

/// A line of MLSx, and the values in it.
fn facts(line: &[u8]) {
    if let Ok(found) = facts_line(line)
        && let Ok(entry) = found.entry()
    {
        assert!(is_one_name(entry.name.as_bytes()), "{entry:?}");
    }
    let _ = (moment(line), size(line), FactSet::named(line));
}

/// Where the data connection is: PORT, EPRT and EPSV of a client, the texts of 227, 229 and 257 of a server.
fn address(text: &[u8]) {
    for verb in [Verb::Port, Verb::Eprt] {
        if let Ok(Command::Active(address)) = Command::read(verb, text) {
            // Port 0 is read here, and refused with all below 1024 by who would dial it (RFC 2577 §3.1).
            assert!(address.is_ipv4() || verb == Verb::Eprt);
            if let SocketAddr::V6(address) = address {
                assert_eq!((address.scope_id(), address.flowinfo()), (0, 0));
            }
        }
    }
    let _ = Command::read(Verb::Epsv, text);
    assert!(pasv_port(text).is_none_or(|(_, port)| port != 0));
    assert!(epsv_port(text).is_none_or(|port| port != 0));
    assert!(pathname(text).is_none_or(|path| !path.is_empty() && path.len() < text.len()));
}

/// A pattern on the first line, a name on the second; held against a slow and plain reading of the same rules.
fn pattern(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (pattern, name) = (input.line(), input.rest());
    let matches = glob::matches(pattern, name);
    if !glob::is_pattern(pattern) {
        assert_eq!(matches, pattern == name);
    }
    if pattern.len() <= 12 && name.len() <= 12 {
        let hidden = name.first() == Some(&b'.') && pattern.first() != Some(&b'.');
        assert_eq!(matches, !hidden && plainly(pattern, name), "{bytes:?}");
    }
}

fn plainly(pattern: &[u8], name: &[u8]) -> bool {
    let closing = |set: &[u8]| {
        let first = if set.first() == Some(&b'!') { 2 } else { 1 };
        (first..set.len()).find(|at| set[*at] == b']')
    };
    match (pattern, name) {
        ([], _) => name.is_empty(),
        ([b'*', behind @ ..], _) => (0..=name.len()).any(|at| plainly(behind, &name[at..])),
        (_, []) => false,
        ([b'?', behind @ ..], [_, rest @ ..]) => plainly(behind, rest),
        ([b'[', set @ ..], [byte, rest @ ..]) if let Some(end) = closing(set) => {
            let (negated, mut members) = match &set[..end] {
                [b'!', members @ ..] => (true, members),
                members => (false, members),
            };
            let mut found = false;
            while let [first, behind @ ..] = members {
                members = behind;
                if let [b'-', last, behind @ ..] = behind {
                    members = behind;
                    found |= first <= byte && byte <= last;
                } else {
                    found |= first == byte;
                }
            }
            found != negated && plainly(&set[end + 1..], rest)
        }
        ([first, behind @ ..], [byte, rest @ ..]) => first == byte && plainly(behind, rest),
    }
}

/// A folder on the first line and what is looked for from there: on our side, and on a server's.
fn path(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (folder, argument) = (input.line(), input.rest());
    let folders = [VirtualPath::root()].into_iter().chain(VirtualPath::parse(folder));
    for path in folders.filter_map(|folder| folder.join(argument).ok()) {
        let bytes = path.as_bytes();
        assert!(bytes.starts_with(b"/") && may_stand_in_a_line(bytes) && !bytes.ends_with(b"//"), "{path:?}");
        assert!(
            path.components().all(|name| Name::parse(name).is_ok() && is_one_component(name)),
            "{path:?}"
        );
        assert_eq!(VirtualPath::parse(bytes).as_ref(), Ok(&path));
        assert!(path.starts_with(&VirtualPath::root()));
        if let (Some(parent), Some(name)) = (path.parent(), path.name()) {
            assert_eq!(parent.child(&name).as_ref(), Ok(&path));
            assert!(path.starts_with(&parent) && !parent.starts_with(&path));
        }
    }
    let folders = [RemotePath::root()].into_iter().chain(RemotePath::parse(folder));
    for path in folders.filter_map(|folder| folder.join(argument).ok()) {
        assert!(path.as_bytes().starts_with(b"/") && may_stand_in_a_line(path.as_bytes()), "{path:?}");
        assert!(path.components().all(is_one_component), "{path:?}");
        assert_eq!(RemotePath::parse(path.as_bytes()).as_ref(), Ok(&path));
        assert!(path.is_within(&RemotePath::root()));
        assert!(!path.escaped().to_string().contains(char::is_control));
    }
    if let Ok(name) = EntryName::parse(argument) {
        assert!(is_one_name(name.as_bytes()));
        assert_eq!(RemotePath::root().child(&name).name(), Some(argument));
    }
}

fn is_one_component(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/')
}

/// A name in another character set: one spelling, there and back.
fn charset(bytes: &[u8]) {
    const SETS: [&str; 10] = [
        "latin1",
        "iso-8859-15",
        "windows-1251",
        "koi8-r",
        "gbk",
        "gb18030",
        "big5",
        "shift_jis",
        "euc-jp",
        "euc-kr",
    ];
    let mut input = Input::new(bytes);
    let label = input.one_of(&SETS);
    let text = input.rest();
    let Some(set) = Charset::named(label) else { panic!("{label} is a set") };
    assert_eq!(set.decode(&set.encode(text)).as_deref(), Some(text));
    if let Some(name) = set.decode(text) {
        assert_eq!(set.encode(&name), text);
    }
    let _ = std::str::from_utf8(text).map(Charset::named);
}

/// What each side says of what it can: the lines of FEAT, the arguments of OPTS, HASH, HOST, SITE and their like.
fn features(bytes: &[u8]) {
    let found = Features::parse(bytes.split(|byte| *byte == b'\n'));
    if let Some(asked) = found.facts_to_ask() {
        assert!(may_stand_in_a_line(asked.as_bytes()) && asked.len() < limits::COMMAND_LINE);
    }
    for row in
        TABLE.iter().filter(|row| matches!(row.name, "OPTS" | "HASH" | "HOST" | "SITE" | "RANG" | "MFF"))
    {
        let Some(verb) = Verb::named(row.name.as_bytes()) else { panic!("{} is in the table", row.name) };
        if let Err(reply) = Command::read(verb, bytes) {
            assert_is_one_reply(&reply);
        }
    }
    let _ = (HashAlgorithm::named(bytes), HostName::parse(bytes), FactSet::named(bytes));
}
