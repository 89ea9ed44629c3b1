//! What an end of the server leaves behind: after SIGKILL parts and partials to go on with (`kills.rs` has the files that were
//! acknowledged), after SIGTERM every transfer finished.

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::Mode;
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::End;
use carrack_tests::{tree, wait};
use rustix::process::Signal;

#[test]
fn kill_nine_while_parts_are_combined_loses_none() {
    let mut server = Setup::new().start();
    let parts: Vec<Vec<u8>> = (0..3).map(|seed| tree::bytes(seed, 20_000_000)).collect();
    let whole = [b"old".to_vec(), parts.concat()].concat();
    fs::write(server.home().join("target"), "old").unwrap();
    for (number, part) in parts.iter().enumerate() {
        fs::write(server.home().join(format!("part{number}")), part).unwrap();
    }
    let mut control = Control::open(&server);
    control.say("COMB target part0 part1 part2");
    wait::until_true("the work to begin", || {
        fs::read_dir(server.home()).unwrap().any(|entry| {
            let entry = entry.unwrap();
            // A part that is gone means that it was over before it was seen.
            entry.file_name().to_string_lossy().starts_with(".carrack-")
        }) || !server.home().join("part0").exists()
    });
    server.signal(Signal::KILL);
    server = server.start_again();
    let target = fs::read(server.home().join("target")).unwrap();
    if target == b"old" {
        for (number, part) in parts.iter().enumerate() {
            assert!(fs::read(server.home().join(format!("part{number}"))).unwrap() == *part, "part{number}");
        }
        // What was left of it is in nobody's way.
        let mut control = Control::open(&server);
        assert_eq!(control.expect("SIZE target", 213).to_string(), "213 3");
        control.expect("COMB target part0 part1 part2", 250);
        assert_eq!(tree::names(&server.home()), ["target"]);
        assert!(fs::read(server.home().join("target")).unwrap() == whole);
    } else {
        assert!(target == whole, "neither the old target nor the whole one");
    }
}

#[test]
fn an_upload_cut_by_a_kill_is_resumed_at_the_next_start() {
    let server = Setup::new().start();
    let bytes = tree::bytes(3, 3_000_000);
    fs::write(server.home().join("file"), "the old one").unwrap();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(&bytes[..2_000_000]).unwrap();
    let mut other = Control::open(&server);
    wait::until_true("bytes at rest", || {
        let size = other.cmd("SIZE file").to_string();
        size.strip_prefix("213 ")
            .and_then(|size| size.parse().ok())
            .is_some_and(|size: usize| size > 1_000_000)
    });
    let server = server.start_again();
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"the old one");
    let mut control = Control::open(&server);
    assert_eq!(control.download("file"), b"the old one");
    let size = control.expect("SIZE file", 213).to_string();
    let length: usize = size.trim_start_matches("213 ").parse().unwrap();
    assert!(length > 0 && length <= 2_000_000, "{length}");
    let mut data = control.data();
    control.expect(&format!("REST {length}"), 350);
    control.expect("STOR file", 150);
    data.secure(&control.tls.clone()).unwrap();
    data.send(&bytes[length..]).unwrap();
    data.finish().unwrap();
    control.wait_for(226);
    assert!(fs::read(server.home().join("file")).unwrap() == bytes);
}

#[test]
fn sigterm_dismisses_idle_sessions_and_lets_transfers_finish() {
    let mut server = Setup::new().option("timeouts", "drain_s", "120").start();
    let bytes = tree::bytes(4, 2_000_000);
    fs::write(server.home().join("down"), &bytes).unwrap();
    let mut idle = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V12), USER);
    let mut implicit = Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V13), USER);
    let mut stranger = Control::clear(&server);
    let mut uploading = Control::open(&server);
    let mut up = uploading.begin("STOR up");
    up.send(&bytes[..1_000_000]).unwrap();
    let mut downloading = Control::open(&server);
    let mut down = downloading.begin("RETR down");
    server.signal(Signal::TERM);
    for session in [&mut idle, &mut implicit] {
        let (replies, end) = session.replies_to_end();
        assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), [421]);
        assert_eq!(end, End::Clean);
    }
    assert!(stranger.replies_to_end().0.iter().all(|reply| reply.code == 421));
    // Nobody new is let in, those who move bytes go on.
    wait::until_true("the closed door", || std::net::TcpStream::connect(server.explicit).is_err());
    up.send(&bytes[1_000_000..]).unwrap();
    up.finish().unwrap();
    uploading.wait_for(226);
    assert_eq!(down.read_to_end(), (bytes.clone(), End::Clean));
    down.finish().unwrap();
    downloading.wait_for(226);
    for session in [&mut uploading, &mut downloading] {
        let (replies, _) = session.replies_to_end();
        assert!(replies.iter().all(|reply| reply.code == 421), "{replies:?}");
    }
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(fs::read(server.home().join("up")).unwrap() == bytes);
}

#[test]
fn a_drain_has_an_end_even_when_a_transfer_has_none() {
    let mut server = Setup::new().option("timeouts", "drain_s", "1").start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR endless");
    data.send(b"some bytes").unwrap();
    server.signal(Signal::TERM);
    let (replies, _) = control.replies_to_end();
    assert!(replies.iter().all(|reply| (400..500).contains(&reply.code)), "{replies:?}");
    server.wait();
    assert!(!server.home().join("endless").exists());
}

#[test]
fn a_stopped_server_goes_on_where_it_was() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    let bytes = tree::bytes(5, 500_000);
    data.send(&bytes[..250_000]).unwrap();
    server.signal(Signal::STOP);
    control.say("NOOP");
    server.signal(Signal::CONT);
    control.wait_for(200);
    data.send(&bytes[250_000..]).unwrap();
    data.finish().unwrap();
    control.wait_for(226);
    assert!(fs::read(server.home().join("file")).unwrap() == bytes);
}

#[test]
fn sighup_interrupts_nobody() {
    let mut server = Setup::new().start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(b"before ").unwrap();
    server.signal(Signal::HUP);
    Control::open(&server).upload("other", b"bytes");
    data.send(b"after").unwrap();
    data.finish().unwrap();
    control.wait_for(226);
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"before after");
    assert!(server.runs());
}
