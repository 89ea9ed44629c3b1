//! Commands and transfers: which replies they may have.

use super::*;

#[test]
fn a_passive_download() {
    let mut talk = Talk::logged_in();
    talk.begins(retrieve(0)).hears("229 ok (|||50000|)\r\n");
    assert!(matches!(talk.events.as_slice(), [Event::Dial(50_000)]));
    assert_eq!(talk.machine.awaited(), None);
    talk.connected().hears("150 here\r\n").hears("226 there\r\n");
    assert_eq!(talk.said(), ["EPSV", "RETR /f"]);
    assert!(matches!(talk.events.as_slice(), [Event::Dial(_), Event::Begun(_), Event::Completed(_)]));
    talk.begins(retrieve(7)).hears("229 ok (|||50001|)\r\n").connected().hears("350 from 7\r\n");
    assert_eq!(talk.said()[2..], ["EPSV", "REST 7", "RETR /f"]);
}

#[test]
fn a_server_without_epsv_is_asked_once() {
    for code in [500, 501, 502, 504, 522] {
        let mut talk = Talk::logged_in();
        talk.begins(retrieve(0)).hears(&format!("{code} EPSV?\r\n")).hears("227 ok (10,9,8,7,195,80)\r\n");
        assert_eq!(talk.said(), ["EPSV", "PASV"], "{code}");
        assert!(matches!(talk.events.as_slice(), [Event::Dial(50_000)]));
        talk.connected().hears("150 here\r\n").hears("226 there\r\n");
        assert_eq!(talk.machine.extended(), Extended::Unknown);
        talk.begins(retrieve(0));
        assert_eq!(talk.said().last(), Some(&"PASV"));
    }
    let mut talk = Talk::logged_in();
    talk.begins(retrieve(0)).hears("425 no ports\r\n");
    assert!(matches!(talk.events.as_slice(), [Event::Refused { command: "EPSV", .. }]));
}

#[test]
fn a_port_that_cannot_be_read_ends_the_connection() {
    for (first, reply) in [("", "229 ok (|||0|)\r\n"), ("", "229 yes\r\n"), ("500 ?\r\n", "227 yes\r\n")] {
        let mut talk = Talk::logged_in();
        talk.begins(retrieve(0)).hears(first).hears(reply);
        assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Unreadable { .. }))), "{reply}");
    }
}

#[test]
fn active_transfers_tell_the_address_they_are_given() {
    let ipv4: std::net::SocketAddr = "192.0.2.7:50000".parse().unwrap();
    let ipv6: std::net::SocketAddr = "[2001:db8::7]:50000".parse().unwrap();
    let mut talk = Talk::logged_in();
    talk.machine.transfer(retrieve(0), Route::Active(ipv4));
    talk.pump();
    talk.hears("500 EPRT?\r\n").hears("200 ok\r\n").hears("150 here\r\n").hears("226 there\r\n");
    assert_eq!(talk.said(), ["EPRT |1|192.0.2.7|50000|", "PORT 192,0,2,7,195,80", "RETR /f"]);
    talk.machine.transfer(retrieve(0), Route::Active(ipv6));
    talk.pump();
    talk.hears("522 not that\r\n");
    assert_eq!(talk.said().last(), Some(&"EPRT |2|2001:db8::7|50000|"));
    assert!(matches!(talk.events.last(), Some(Event::Refused { command: "EPRT", .. })));
}

#[test]
fn transfers_that_do_not_happen() {
    let begun = |from| {
        let mut talk = Talk::logged_in();
        talk.begins(retrieve(from)).hears("229 ok (|||50000|)\r\n").connected();
        talk.events.clear();
        talk
    };
    let mut talk = begun(0);
    talk.hears("550 no such file\r\n");
    assert!(matches!(talk.events.as_slice(), [Event::Refused { command: "RETR", .. }]));
    // The connection is as good as before.
    talk.asks(&Command::Size(path("/g")));
    assert_eq!(talk.said().last(), Some(&"SIZE /g"));
    // A REST that is not granted must not become a download from the beginning.
    for reply in ["502 REST?\r\n", "501 no\r\n", "200 as you like\r\n"] {
        let mut talk = begun(7);
        talk.hears(reply);
        assert_eq!(talk.said().last(), Some(&"REST 7"), "{reply}");
        assert!(matches!(
            talk.events.as_slice(),
            [Event::Refused { command: "REST", .. } | Event::Failed(Failure::Violation(_))]
        ));
    }
    let mut talk = begun(0);
    talk.hears("150 here\r\n").hears("426 cut\r\n");
    assert!(matches!(talk.events.as_slice(), [Event::Begun(_), Event::Refused { command: "RETR", .. }]));
}

#[test]
fn oddities_of_real_servers_are_understood() {
    let begun = || {
        let mut talk = Talk::logged_in();
        talk.begins(retrieve(0)).hears("229 ok (|||50000|)\r\n").connected();
        talk.events.clear();
        talk
    };
    for replies in [
        &["125 open already\r\n", "250 done\r\n"][..],
        &["150 here\r\n", "125 and open\r\n", "226 done\r\n"],
        &["150 here\r\n226 done already\r\n"],
        &["226-done\r\n226 before it began\r\n"],
        &["150-here\r\n150 it is\r\n226-File done\r\n226 0.01 seconds\r\n"],
    ] {
        let mut talk = begun();
        for reply in replies {
            talk.hears(reply);
        }
        assert!(
            matches!(talk.events.as_slice(), [Event::Begun(_), Event::Completed(_)]),
            "{replies:?}: {:?}",
            talk.events
        );
    }
}

#[test]
fn one_operation_at_a_time() {
    let mut talk = Talk::logged_in();
    talk.asks(&Command::Size(path("/a"))).asks(&Command::Size(path("/b")));
    assert_eq!(talk.failure(), Some(&Failure::Busy));
    assert_eq!(talk.said(), ["SIZE /a"]);
    let mut talk = Talk::explicit();
    talk.begins(retrieve(0));
    assert_eq!(talk.failure(), Some(&Failure::Busy), "not before the login");
}

#[test]
fn endless_patience_is_not_asked_for() {
    let mut talk = Talk::logged_in();
    talk.asks(&Command::Hash(path("/a")));
    for _ in 0..limits::PRELIMINARY_REPLIES {
        talk.hears("150 still computing\r\n");
    }
    assert!(talk.events.is_empty());
    talk.hears("150 still computing\r\n");
    assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Undecided { command: "HASH" }))));
}

#[test]
fn commands_are_one_line_each() {
    use crate::client::HashAlgorithm;
    let odd = RemotePath::parse(b"/a \"b\"\xff").unwrap();
    for (command, line) in [
        (Command::MakeFolder(odd.clone()), &b"MKD /a \"b\"\xff\xff\r\n"[..]),
        (Command::SetModified(odd.clone(), 0), b"MFMT 19700101000000 /a \"b\"\xff\xff\r\n"),
        (Command::SetModifiedByMdtm(path("/a"), 1), b"MDTM 19700101000001 /a\r\n"),
        (Command::SelectHash(HashAlgorithm::Sha256), b"OPTS HASH SHA-256\r\n"),
        (Command::HashByName("XSHA256", path("/a b")), b"XSHA256 \"/a b\"\r\n"),
        (Command::Quit, b"QUIT\r\n"),
    ] {
        let mut talk = Talk::logged_in();
        talk.machine.ask(&command);
        assert_eq!(talk.machine.transmit().unwrap().bytes(), line);
    }
}

proptest! {
    /// Whatever bytes somebody calls a path: it is one line on the wire, or no path.
    #[test]
    fn any_bytes_are_one_line_or_no_path(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n\0\xff/. "[..])], 0..24),
    ) {
        let Ok(path) = RemotePath::root().join(&bytes) else { return Ok(()) };
        let commands: [fn(RemotePath) -> Command; 6] = [
            Command::ChangeFolder,
            Command::RemoveFile,
            Command::RenameTo,
            Command::Facts,
            |path| Command::SetModified(path, 0),
            |path| Command::HashByName("XCRC", path),
        ];
        for command in commands {
            let mut talk = Talk::logged_in();
            talk.machine.ask(&command(path.clone()));
            let line = talk.machine.transmit().unwrap();
            let text = line.bytes().strip_suffix(b"\r\n").unwrap();
            prop_assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
            // Telnet's commands begin with one 255; here they all come in pairs.
            prop_assert!(text.split(|byte| *byte != 255).all(|run| run.len() % 2 == 0));
        }
    }
}
