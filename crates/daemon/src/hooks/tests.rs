//! What is told of each event, and of what a stranger sends.

use super::*;
use std::time::Duration;

use carrack_core::account::User;
use carrack_core::certificate::Certificate;
use carrack_core::error::ErrorKind;
use carrack_core::event::{
    Agreed, Change, Direction, Incomplete, Origin, Outcome, Protection, SessionId, TransferFinished,
};
use carrack_core::limits::{Limit, Most};
use carrack_core::login::{LoginError, Why};
use carrack_core::path::VirtualPath;

fn path(text: &[u8]) -> VirtualPath {
    VirtualPath::parse(text).unwrap()
}

fn origin() -> Origin {
    Origin { id: SessionId(3), peer: "192.0.2.7:4711".parse().unwrap(), protocol: "ftp", server: None }
}

/// The same at a virtual server.
fn elsewhere() -> Origin {
    Origin { server: Some("ftp.example.org".into()), ..origin() }
}

fn transfer(direction: Direction, outcome: Outcome) -> Event {
    let suite = "TLS_AES_256_GCM_SHA384";
    let tls = Agreed { version: "TLSv1.3", suite, group: None, alpn: None, resumed: true };
    Event::TransferFinished(TransferFinished {
        origin: origin(),
        user: "alice".to_owned(),
        direction,
        path: path(b"/in/report.csv"),
        bytes: 1024,
        lasted: Duration::from_millis(12),
        text: false,
        protection: Protection::Tls(tls),
        partner: None,
        outcome,
    })
}

fn changed(change: Change) -> Event {
    Event::FileChanged { origin: origin(), user: "alice".to_owned(), change }
}

/// One of each kind that is told.
fn examples() -> Vec<Event> {
    let (user, cut) = ("alice".to_owned(), Outcome::Incomplete(Incomplete::ConnectionLost));
    let certificate = Certificate { subject: "CN=alice".to_owned(), ..Certificate::default() };
    vec![
        Event::Login {
            origin: origin(),
            user: user.clone(),
            certificate: Some(Arc::new(certificate)),
            outcome: Ok(()),
        },
        transfer(Direction::Upload, Outcome::Complete),
        transfer(Direction::Upload, cut),
        transfer(Direction::Download, Outcome::Complete),
        transfer(Direction::Download, cut),
        changed(Change::Deleted(path(b"/in/report.csv"))),
        changed(Change::Renamed { from: path(b"/in/th\xe9"), to: path(b"/in/caf\xe9") }),
        changed(Change::MadeDirectory(path(b"/in"))),
        changed(Change::RemovedDirectory(path(b"/in"))),
        Event::ConnectionRefused {
            peer: "192.0.2.7:4711".parse().unwrap(),
            reason: "sessions_per_source",
            option: "limits.sessions_per_source".to_owned(),
            why: "too many sessions from your address, close one first".to_owned(),
        },
        Event::LimitReached {
            origin: origin(),
            user: user.clone(),
            limit: Limit::Files(Most { count: 100, option: "limits.files_per_session" }),
        },
        Event::Login {
            origin: origin(),
            user: user.clone(),
            certificate: None,
            outcome: Err(LoginError::Refused(Why::WrongPassword)),
        },
        Event::CertificateRefused {
            origin: origin(),
            certificate: None,
            option: "tls.client_ca",
            why: "it has expired".to_owned(),
        },
        Event::ServerRefused {
            origin: origin(),
            name: "www.example.org".to_owned(),
            option: Some("listen.hosts"),
            why: "No such host here.",
        },
        Event::OperationRefused {
            origin: origin(),
            user,
            path: Some(path(b"/in/report.csv")),
            option: None,
            kind: ErrorKind::Denied,
        },
    ]
}

/// An event as the manual shows it.
fn shown(event: &Event) -> String {
    let there = elsewhere();
    let homes = [(User::from("alice"), "/srv/alice"), (User::of(&there, "alice"), "/srv/other")];
    let homes = homes.map(|(user, home)| (user.id().into_owned(), PathBuf::from(home))).into();
    let at = SystemTime::UNIX_EPOCH + Duration::new(1_795_348_800, 250_000_000);
    let text = Told::of(event).unwrap().text("evt_8f0c6f5ad2b1e3470000000000000007", at, Some(&homes));
    assert!(!text.contains(&b'\n'));
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn the_manual_shows_each_event_as_it_is_told() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/hooks.md");
    let (head, rest) = ("## What is told of each\n", "\n## ");
    let text = std::fs::read_to_string(page).unwrap();
    let begin = text.find(head).unwrap() + head.len();
    let end = begin + text[begin..].find(rest).unwrap();
    let blocks: Vec<String> =
        examples().iter().map(|event| format!("```text\n{}\n```\n", shown(event))).collect();
    let wanted = format!("\n{}", blocks.join("\n"));
    if std::env::var_os("CARRACK_BLESS").is_some() {
        std::fs::write(page, format!("{}{wanted}{}", &text[..begin], &text[end..])).unwrap();
    } else {
        assert_eq!(&text[begin..end], wanted);
    }
}

#[test]
fn the_same_name_at_a_virtual_server_is_somebody_else_with_another_home() {
    let change = Change::Deleted(path(b"/in/report.csv"));
    let event = Event::FileChanged { origin: elsewhere(), user: "alice".to_owned(), change };
    let value: serde_json::Value = serde_json::from_str(&shown(&event)).unwrap();
    assert_eq!(
        (&value["data"]["user"], &value["data"]["virtual_server"]),
        (&"alice".into(), &"ftp.example.org".into())
    );
    assert_eq!(value["data"]["file"], "/srv/other/in/report.csv");
}

#[test]
fn a_stranger_cannot_make_an_event_long() {
    let long = "x".repeat(100_000);
    let event = Event::Login {
        origin: origin(),
        user: long.clone(),
        certificate: None,
        outcome: Err(LoginError::Overloaded),
    };
    assert!(shown(&event).len() < 2000);
    let event =
        Event::CertificateRefused { origin: origin(), certificate: None, option: "tls.client_ca", why: long };
    assert!(shown(&event).len() < 2000);
}

#[test]
fn what_is_no_refusal_by_policy_is_told_to_nobody() {
    for kind in [ErrorKind::NotFound, ErrorKind::Exists, ErrorKind::Io] {
        let event = Event::OperationRefused {
            origin: origin(),
            user: "alice".to_owned(),
            path: None,
            option: None,
            kind,
        };
        assert!(Told::of(&event).is_none(), "{kind}");
    }
}
