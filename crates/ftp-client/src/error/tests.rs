//! What is said of each error, and which may be tried again?

use std::io;

use carrack_ftp_proto::client::Violation;
use carrack_ftp_proto::client::machine::{
    DataProtection, Event, Extended, Failure, Login, Machine, Plan, Security,
};
use carrack_tls::ConnectError;

use super::*;

/// A reply as a server says it.
fn reply(line: &str) -> Reply {
    let login = Login::new("a", None).unwrap();
    let plan = Plan { security: Security::Plaintext, data_protection: DataProtection::Private, login };
    let mut machine = Machine::new(plan, Extended::default());
    machine.receive(b"220 hi\r\n");
    assert!(machine.next_event().is_none());
    assert!(machine.transmit().is_some());
    machine.receive(format!("{line}\r\n").as_bytes());
    match machine.next_event() {
        Some(Event::Failed(Failure::LoginRefused(reply) | Failure::ServiceClosed(reply))) => reply,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_is_one_sentence_with_the_mend() {
    for (kind, sentence) in [
        (
            ErrorKind::ProtectionRefused { asked: "PROT P", reply: reply("534 not here") },
            "cannot download /a b: the server refused PROT P (534 not here): it will not protect data; ask its \
             administrator, or send files in clear with --clear-data",
        ),
        (
            ErrorKind::transfer_refused("RETR", reply("550 no such file")),
            "cannot download /a b: the server says that it does not exist or may not be used so (550 no such file)",
        ),
        (
            ErrorKind::Truncated,
            "cannot download /a b: the server, or somebody on the way, ended the data without TLS's close_notify: what came \
             may be a part",
        ),
        (
            ErrorKind::TimedOut(Stage::Reply("RETR")),
            "cannot download /a b: the server did not answer RETR in time",
        ),
        (
            ErrorKind::NothingListed,
            "cannot download /a b: the server sent a listing without end in which nothing is named",
        ),
    ] {
        assert_eq!(Error::new(Operation::Download, "/a b", kind).to_string(), sentence);
    }
}

#[test]
fn whose_fault_and_whether_to_try_again() {
    let later = reply("450 busy");
    let never = reply("550 no");
    for (kind, fault, retry) in [
        (ErrorKind::Connect(io::ErrorKind::ConnectionRefused.into()), Fault::Network, Retry::Later),
        (ErrorKind::PasswordNeeded, Fault::User, Retry::Never),
        (ErrorKind::LoginRefused(never.clone()), Fault::User, Retry::Never),
        (ErrorKind::LoginRefused(later.clone()), Fault::User, Retry::Later),
        (ErrorKind::refused("DELE", never.clone()), Fault::User, Retry::Never),
        (ErrorKind::refused("DELE", later.clone()), Fault::Server, Retry::Later),
        (ErrorKind::transfer_refused("RETR", reply("425 no")), Fault::Server, Retry::Later),
        (ErrorKind::transfer_refused("RETR", reply("522 no")), Fault::Server, Retry::Never),
        (ErrorKind::ServiceClosed(reply("421 bye")), Fault::Server, Retry::Later),
        (ErrorKind::ConnectionLost, Fault::Network, Retry::OnNewConnection),
        (ErrorKind::Truncated, Fault::Server, Retry::OnNewConnection),
        (ErrorKind::KeysWornOut, Fault::Network, Retry::OnNewConnection),
        (ErrorKind::Protocol(Violation::BytesBehindAuth), Fault::Server, Retry::Never),
        (ErrorKind::Tls(ConnectError::CertificateRequired), Fault::User, Retry::Never),
        (ErrorKind::Tls(ConnectError::Closed), Fault::Server, Retry::Later),
        (ErrorKind::Local(io::ErrorKind::StorageFull.into()), Fault::Client, Retry::Never),
        (ErrorKind::Stopped, Fault::User, Retry::Never),
    ] {
        let error = Error::new(Operation::Upload, "/f", kind);
        assert_eq!((error.fault(), error.retry()), (fault, retry), "{error}");
    }
}
