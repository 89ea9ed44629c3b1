//! Peers that mean harm or know no better: each gets a clear answer, and everybody else is served as before.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::symlink;

use carrack_tests::control::Control;
use carrack_tests::programs::{Program, Tls, curl, needs, url};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::{End, Wire};

/// Somebody else logs in and moves a file: the server is none the worse.
fn assert_serves(server: &Server) {
    for (mode, version) in [(Mode::Explicit, Tls::V13), (Mode::Implicit, Tls::V12)] {
        let mut other = Control::session(server, mode, &TlsClient::new(version), USER);
        other.upload("still-served", b"bytes");
        assert_eq!(other.download("still-served"), b"bytes");
        other.expect("DELE still-served", 250);
        other.expect("QUIT", 221);
    }
}

#[test]
fn no_path_leads_out_of_the_root() {
    let server = Setup::new().start();
    let outside = server.home().parent().unwrap().join("outside");
    fs::write(&outside, "not yours").unwrap();
    fs::create_dir(server.home().join("inside")).unwrap();
    symlink(&outside, server.home().join("link-to-file")).unwrap();
    symlink(outside.parent().unwrap(), server.home().join("link-to-folder")).unwrap();
    symlink("../../outside", server.home().join("inside/relative-link")).unwrap();
    let mut control = Control::open(&server);
    let absolute = outside.to_str().unwrap().to_owned();
    for path in [
        "../outside",
        "/../outside",
        "inside/../../outside",
        "/inside/../../../../../../../../../../etc/passwd",
        "..//..//outside",
        "./../outside",
        "link-to-file",
        "link-to-folder/outside",
        "inside/relative-link",
        &absolute,
    ] {
        control.data();
        let reply = control.cmd(&format!("RETR {path}"));
        assert!((500..600).contains(&reply.code), "RETR {path}: {reply}");
        for verb in ["SIZE", "MDTM", "DELE", "RNFR"] {
            let reply = control.cmd(&format!("{verb} {path}"));
            // A link itself may be removed or renamed; what it points at may not be touched.
            if !(path.contains("link") && (verb == "DELE" || verb == "RNFR")) {
                assert!((500..600).contains(&reply.code), "{verb} {path}: {reply}");
            }
        }
        assert_eq!(fs::read_to_string(&outside).unwrap(), "not yours", "{path}");
    }
    for path in ["..", "../..", "/../../..", "/"] {
        control.expect(&format!("CWD {path}"), 250);
        assert!(control.expect("PWD", 257).to_string().starts_with("257 \"/\""), "{path}");
    }
    assert!(control.cmd("CWD link-to-folder").code >= 500);
    symlink(&outside, server.home().join("link-again")).unwrap();
    let reply = control.try_store("STOR link-again", b"overwritten");
    assert!(reply.code >= 500, "{reply}");
    for path in ["../dropped", "link-to-folder/dropped", "/inside/../../dropped"] {
        let _ = control.try_store(&format!("STOR {path}"), b"bytes");
        assert!(!outside.parent().unwrap().join("dropped").exists(), "{path}");
    }
    assert_eq!(fs::read_to_string(&outside).unwrap(), "not yours");
    assert_serves(&server);
}

#[test]
fn control_bytes_in_names_are_refused_and_names_with_them_on_the_disk_do_no_harm() {
    let server = Setup::new().start();
    let forged = ["a\r\n226 forged", "line\nfeed", "bell\u{7}", "escape\u{1b}[31m"];
    for name in forged {
        fs::write(server.home().join(name), "bytes").unwrap();
    }
    fs::write(server.home().join("honest"), "bytes").unwrap();
    let mut control = Control::open(&server);
    for command in ["LIST", "NLST", "MLSD"] {
        let listed = control.listing(command);
        assert!(
            listed.lines().all(|line| line.ends_with("honest") || line.contains("type=cdir")),
            "{listed:?}"
        );
        let clean = |byte: u8| byte >= b' ' || byte == b'\r' || byte == b'\n';
        assert!(listed.bytes().all(clean), "{command}: {listed:?}");
    }
    for line in [&b"MKD a\0b\r\n"[..], b"STOR a\0b\r\n", b"RETR \0\r\n", b"CWD a\rb\r\n"] {
        control.send(line);
        let reply = control.reply();
        assert!((500..600).contains(&reply.code), "{line:?}: {reply}");
    }
    let stat = control.cmd("STAT /");
    assert!(!stat.to_string().contains("forged"), "{stat}");
    control.expect("NOOP", 200);
    let log = server.logs.lines();
    assert!(log.iter().all(|line| line.is_json()), "a log line was broken up");
    assert_serves(&server);
}

#[test]
fn a_line_of_5_kib_is_refused_whole() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    control.say(&format!("MKD {}", "x".repeat(5 << 10)));
    let reply = control.reply();
    assert_eq!(reply.code, 500, "{reply}");
    // The rest of the long line is no command of its own.
    control.expect("NOOP", 200);
    let mut early = Control::clear(&server);
    early.send(&b"x".repeat(5 << 10));
    early.send(b"\r\n");
    let reply = early.reply_or_end();
    assert!(reply.is_err() || reply.as_ref().is_ok_and(|reply| reply.code >= 400), "{reply:?}");
    let mut endless = Control::clear(&server);
    for _ in 0..64 {
        if endless.wire.send(&b"y".repeat(64 << 10)).is_err() {
            break;
        }
    }
    drop(endless);
    assert!(tree::names(&server.home()).is_empty());
    assert_serves(&server);
}

#[test]
fn commands_out_of_order_change_nothing() {
    let server = Setup::new().start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    for mode in [Mode::Explicit, Mode::Implicit] {
        let mut control = Control::greeted(&server, mode, &TlsClient::new(Tls::V13));
        for line in
            ["PASS secret", "CWD /", "PASV", "EPSV", "RETR file", "STOR file", "DELE file", "MKD x", "LIST"]
        {
            let reply = control.cmd(line);
            assert!(matches!(reply.code, 503 | 530), "{line} before a login: {reply}");
        }
        control.login(USER);
        control.expect("RNTO other", 503);
        control.expect("RNFR file", 350);
        control.expect("NOOP", 200);
        control.expect("RNTO other", 503);
        control.expect("PBSZ 0", 200);
        control.expect("PROT P", 200);
        control.expect("RETR file", 425);
        control.expect("REST -1", 501);
        control.expect("REST abc", 501);
        control.expect("REST 99999999999999999999999", 501);
        let reply = control.cmd("NONSENSE argument");
        assert!(reply.code == 500 && !reply.to_string().contains("argument"), "{reply}");
        control.expect("QUIT", 221);
        assert_eq!(control.replies_to_end(), (Vec::new(), End::Clean));
    }
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"bytes");
    assert_serves(&server);
}

#[test]
fn a_passive_port_that_nobody_connects_to_is_given_up() {
    let server = Setup::new().option("timeouts", "data_accept_s", "1").start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let mut control = Control::open(&server);
    control.passive();
    control.expect("RETR file", 150);
    let reply = control.reply();
    assert_eq!(reply.code, 425, "{reply}");
    assert_eq!(control.download("file"), b"bytes");
    control.passive();
    control.expect("NOOP", 200);
    assert_serves(&server);
}

#[test]
fn a_stranger_at_the_passive_port_is_dropped_and_the_owner_served() {
    let server = Setup::new().start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    for command in ["RETR file", "STOR other"] {
        let mut control = Control::open(&server);
        let port = control.passive();
        let mut strangers: Vec<Wire> = (0..3).map(|_| Wire::connect_from(elsewhere, port).unwrap()).collect();
        control.expect(command, 150);
        for stranger in &mut strangers {
            assert_eq!(stranger.read_to_end().0, b"");
        }
        let mut data = Wire::connect(port);
        data.secure(&control.tls.clone()).unwrap();
        if command.starts_with("RETR") {
            assert_eq!(data.read_to_end(), (b"bytes".to_vec(), End::Clean));
        }
        data.finish().unwrap();
        control.wait_for(226);
    }
    assert_serves(&server);
}

#[test]
fn a_data_handshake_that_stalls_leaves_the_control_connection_alive() {
    let server = Setup::new().start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let mut control = Control::open(&server);
    for command in ["RETR file", "STOR other"] {
        let stalled = control.data();
        control.expect(command, 150);
        control.expect("NOOP", 200);
        let status = control.cmd("STAT");
        assert!(matches!(status.code, 211 | 213), "{status}");
        control.expect("ABOR", 426);
        control.wait_for(226);
        drop(stalled);
        control.upload("after", b"bytes");
    }
    assert!(!server.home().join("other").exists());
    assert_serves(&server);
}

#[test]
fn a_transfer_that_stalls_is_answered_for_and_ends_in_time() {
    let server = Setup::new().option("timeouts", "data_stall_s", "1").start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR slow");
    data.send(b"some").unwrap();
    control.expect("NOOP", 200);
    let reply = control.reply();
    assert!((400..500).contains(&reply.code), "{reply}");
    assert!(!server.home().join("slow").exists());
    // A client that never reads.
    fs::write(server.home().join("large"), tree::bytes(1, 30 << 20)).unwrap();
    let _unread = control.begin("RETR large");
    let reply = control.reply();
    assert!((400..500).contains(&reply.code), "{reply}");
    control.expect("NOOP", 200);
    assert_serves(&server);
}

#[test]
fn abor_and_quit_are_answered_while_a_transfer_runs() {
    let server = Setup::new().start();
    fs::write(server.home().join("large"), tree::bytes(2, 30 << 20)).unwrap();
    let mut control = Control::open(&server);
    let data = control.begin("RETR large");
    control.expect("ABOR", 426);
    control.wait_for(226);
    drop(data);
    let mut upload = control.begin("STOR file");
    upload.send(b"all there is").unwrap();
    control.expect("QUIT", 221);
    upload.finish().unwrap();
    control.wait_for(226);
    assert_eq!(control.replies_to_end(), (Vec::new(), End::Clean));
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"all there is");
    assert_serves(&server);
}

#[test]
fn an_http_client_is_sent_away() {
    let server = Setup::new().start();
    let mut http = Control::clear(&server);
    http.send(b"GET /<script> HTTP/1.1\r\nHost: 127.0.0.1\r\nUSER carrack\r\n\r\n");
    let (replies, _) = http.replies_to_end();
    assert!(replies.len() <= 1, "{replies:?}");
    assert!(
        replies.iter().all(|reply| reply.code >= 400 && !reply.to_string().contains("script")),
        "{replies:?}"
    );
    let mut http = Control::greeted(&server, Mode::Implicit, &TlsClient::new(Tls::V13));
    http.send(b"POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nUSER carrack\r\n");
    let (replies, _) = http.replies_to_end();
    assert!(replies.len() <= 1, "{replies:?}");
    let browser = TlsClient::with(Tls::V13, |config| {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    });
    assert!(Wire::connect(server.implicit).secure(&browser).is_err(), "a browser's handshake went through");
    let ftp = TlsClient::with(Tls::V13, |config| config.alpn_protocols = vec![b"ftp".to_vec()]);
    Wire::connect(server.implicit).secure(&ftp).unwrap();
    if needs(&["curl"]) {
        for at in [server.explicit, server.implicit] {
            // Each listener says a line of FTP, which is no HTTP, and hangs up.
            let plain = format!("http://{at}/");
            let told =
                Program::new("curl").args(["-q", "-sS", "--http0.9", "--max-time", "60", &plain]).run();
            assert!(!told.stdout.contains("HTTP/"), "{at}: {}", told.stdout);
            Program::new("curl").args(["-q", "-sS", "--max-time", "60", &plain]).run().fails();
        }
        server.logged("disconnected", |line| line.text("why") == "the client speaks HTTP");
        let secure = format!("https://{}/", server.implicit);
        Program::new("curl").args(["-q", "-sSk", "--max-time", "60", &secure]).run().fails();
    }
    assert_serves(&server);
}

#[test]
fn the_wrong_language_at_either_door_is_no_harm() {
    let server = Setup::new().start();
    let mut plain = Wire::connect(server.implicit);
    plain.send(b"USER carrack\r\nPASS secret\r\n").unwrap();
    let (said, _) = plain.read_to_end();
    assert!(!said.starts_with(b"220") && !said.starts_with(b"331"), "{said:?}");
    // A client that begins TLS where AUTH TLS was due.
    let mut control = Control::connect(server.explicit, &TlsClient::new(Tls::V13));
    let tls = control.tls.clone();
    assert!(control.wire.secure(&tls).is_err());
    // A handshake that never goes on, at both doors.
    let _silent = Wire::connect(server.implicit);
    let mut stalled = Control::clear(&server);
    stalled.expect("AUTH TLS", 234);
    assert_serves(&server);
}

#[test]
fn three_hundred_passive_ports_in_a_row_cost_nobody_else() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    for _ in 0..150 {
        control.expect("PASV", 227);
        control.expect("EPSV", 229);
    }
    control.upload("file", b"bytes");
    assert_eq!(control.download("file"), b"bytes");
    let held = server.descriptors();
    assert!(held < 60, "{held} descriptors are open after 300 passive ports");
    assert_serves(&server);
}

#[test]
fn nothing_that_came_before_tls_is_interpreted_after_it() {
    let server = Setup::new().start();
    let mut control = Control::clear(&server);
    control.send(b"AUTH TLS\r\nUSER carrack\r\nMKD injected\r\n");
    // The connection ends, at once or behind the 234; in no case do the injected commands get an answer.
    let (replies, _) = control.replies_to_end();
    assert!(replies.iter().all(|reply| reply.code == 234 || reply.code >= 400), "{replies:?}");
    assert!(replies.len() <= 1, "{replies:?}");
    let mut control = Control::clear(&server);
    control.cmd(&format!("USER {USER}"));
    control.expect("AUTH TLS", 234);
    control.secure();
    // The name said in clear is forgotten with everything else (RFC 4217 §4).
    let reply = control.cmd(&format!("PASS {}", server.password()));
    assert_eq!(reply.code, 503, "{reply}");
    assert_serves(&server);
}

#[test]
fn special_files_are_never_opened() {
    let server = Setup::new().start();
    let fifo = server.home().join("fifo");
    Program::new("mkfifo").arg(&fifo).run().ok();
    let socket = std::os::unix::net::UnixListener::bind(server.home().join("socket")).unwrap();
    let mut control = Control::open(&server);
    for name in ["fifo", "socket"] {
        control.data();
        let reply = control.cmd(&format!("RETR {name}"));
        assert_eq!(reply.code, 550, "RETR {name}: {reply}");
        let reply = control.try_store(&format!("APPE {name}"), b"bytes");
        assert!(reply.code >= 500, "APPE {name}: {reply}");
        let reply = control.try_store(&format!("STOR {name}"), b"bytes");
        assert!(reply.code >= 500, "STOR {name}: {reply}");
    }
    control.listing("LIST");
    drop(socket);
    assert_serves(&server);
}

#[test]
fn the_servers_port_command_reaches_nobody_else() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    for command in
        ["PORT 127,0,0,2,200,1", "EPRT |1|192.0.2.1|50000|", "PORT 127,0,0,1,0,22", "EPRT |1|127.0.0.1|25|"]
    {
        let reply = control.cmd(command);
        assert!((500..600).contains(&reply.code), "{command}: {reply}");
    }
    control.expect("EPSV ALL", 200);
    let reply = control.cmd("PORT 127,0,0,1,200,1");
    assert!((500..600).contains(&reply.code), "{reply}");
    assert_serves(&server);
}

#[test]
fn names_that_partials_have_are_nobodys_to_use() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    for path in [".carrack-secret", "/.carrack-x/y"] {
        for verb in ["MKD", "DELE", "SIZE", "CWD", "RNFR"] {
            let reply = control.cmd(&format!("{verb} {path}"));
            assert!((500..600).contains(&reply.code), "{verb} {path}: {reply}");
        }
        let reply = control.try_store(&format!("STOR {path}"), b"bytes");
        assert!((500..600).contains(&reply.code), "{reply}");
    }
    assert_serves(&server);
}

#[test]
fn curl_still_works_beside_a_hundred_silent_connections() {
    if !needs(&["curl"]) {
        return;
    }
    let server = Setup::new().start();
    let _silent: Vec<Wire> = (0..100)
        .map(|number| Wire::connect(if number % 2 == 0 { server.explicit } else { server.implicit }))
        .collect();
    let local = tree::file(&server.scratch(), "file", 1, 100_000);
    let at = url(&server, Mode::Implicit, "/file");
    curl(&server, Mode::Implicit, Tls::V13).arg("-T").arg(&local).arg(&at).run().ok();
    assert_eq!(tree::sha256_of(&local), tree::sha256_of(&server.home().join("file")));
}
