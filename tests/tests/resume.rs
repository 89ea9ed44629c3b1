//! Cut transfers: nothing is acknowledged, nothing half shows, and curl and lftp go on where they stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Program, Tls, curl, lftp, lftp_at, needs, url};
use carrack_tests::proxy::{Cut, How, Proxy, Way};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::wire::Wire;
use carrack_tests::{tree, wait};

/// The whole new file.
const LENGTH: usize = 6_000_000;
/// Where the cut comes: in the middle of a TLS record.
const CUT: u64 = 3_333_333;
/// An old file longer than what arrives before the cut, and one shorter.
const OLD: [Option<usize>; 3] = [None, Some(5_000_000), Some(1_000_000)];

/// A server behind a proxy; the address is the proxy's.
fn proxied(mode: Mode) -> (Server, Proxy, SocketAddr) {
    let mut proxy = Proxy::reserve();
    let server = Setup::new().option("passive", "ports", &proxy.passive_ports()).start();
    let address = proxy.forward(server.address(mode));
    (server, proxy, address)
}

/// The URL of a path through the proxy.
fn through(address: SocketAddr, mode: Mode, path: &str) -> String {
    let scheme = if mode == Mode::Explicit { "ftp" } else { "ftps" };
    format!("{scheme}://{address}/{path}")
}

/// Puts the old file in place, or nothing.
fn put_old(server: &Server, old: Option<usize>) -> Option<Vec<u8>> {
    let bytes = old.map(|length| tree::bytes(99, length));
    match &bytes {
        Some(bytes) => fs::write(server.home().join("file"), bytes).unwrap(),
        None => drop(fs::remove_file(server.home().join("file"))),
    }
    bytes
}

/// After a cut upload everybody still sees the old file whole, or none.
fn assert_old_is_whole(server: &Server, old: Option<&Vec<u8>>, what: &str) {
    assert_eq!(fs::read(server.home().join("file")).ok().as_ref(), old, "{what}: at rest");
    let mut other = Control::open(server);
    match old {
        Some(bytes) => assert!(other.download("file") == *bytes, "{what}: by RETR"),
        None => {
            other.data();
            other.expect("RETR file", 550);
            assert_eq!(other.listing("NLST"), "", "{what}: by NLST");
        }
    }
}

/// Uploads through a cut with one program, resumes with it, and compares.
///
/// The first program is ended when the server has noticed the cut: lftp would go on by itself.
fn cut_and_resume(upload: impl Fn(&Server, SocketAddr, Mode, Tls, &Path, bool) -> Program) {
    for (mode, tls) in EVERY_WAY {
        let (server, proxy, address) = proxied(mode);
        let local = tree::file(&server.scratch(), "local", 42, LENGTH);
        for how in [How::Fin, How::Reset] {
            for old in OLD {
                let what = format!("{mode:?} {tls:?} {how:?} over {old:?}");
                let old = put_old(&server, old);
                proxy.cut_next(Cut { way: Way::Up, after: CUT, how });
                let before = server.cut_transfers();
                let running = upload(&server, address, mode, tls, &local, false).spawn();
                server.wait_for_cut_after(before);
                running.kill();
                assert!(proxy.was_used(), "{what}: no data connection was cut");
                assert_old_is_whole(&server, old.as_ref(), &what);
                upload(&server, address, mode, tls, &local, true).run().ok();
                let got = tree::sha256_of(&server.home().join("file"));
                assert_eq!(got, tree::sha256_of(&local), "{what}: after resuming");
                assert_eq!(tree::names(&server.home()), ["file"], "{what}: something is left over");
            }
        }
    }
}

#[test]
fn curl_resumes_cut_uploads_over_longer_and_shorter_files() {
    if !needs(&["curl"]) {
        return;
    }
    cut_and_resume(|server, address, mode, tls, local, again| {
        let resume: &[&str] = if again { &["-C", "-"] } else { &[] };
        curl(server, mode, tls).args(resume).arg("-T").arg(local).arg(through(address, mode, "file"))
    });
}

#[test]
fn lftp_resumes_cut_uploads_over_longer_and_shorter_files() {
    if !needs(&["lftp"]) {
        return;
    }
    cut_and_resume(|server, address, mode, tls, local, again| {
        let resume = if again { "put -c" } else { "put" };
        lftp_at(server, &through(address, mode, ""), tls, &format!("{resume} {local:?} -o file"))
    });
}

#[test]
fn curl_reports_a_cut_upload_and_lftp_goes_on_by_itself() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    let (server, proxy, address) = proxied(Mode::Explicit);
    let local = tree::file(&server.scratch(), "local", 51, LENGTH);
    for old in OLD {
        for how in [How::Fin, How::Reset] {
            let cut = Cut { way: Way::Up, after: CUT, how };
            put_old(&server, old);
            proxy.cut_next(cut);
            let at = through(address, Mode::Explicit, "by-curl");
            curl(&server, Mode::Explicit, Tls::V13).arg("-T").arg(&local).arg(at).run().fails();
            proxy.cut_next(cut);
            let script = format!("set net:reconnect-interval-base 1\nput {local:?} -o file");
            lftp_at(&server, &through(address, Mode::Explicit, ""), Tls::V13, &script).run().ok();
            assert!(proxy.was_used());
            let got = tree::sha256_of(&server.home().join("file"));
            assert_eq!(got, tree::sha256_of(&local), "{how:?} over {old:?}");
        }
    }
}

#[test]
fn cut_downloads_are_resumed_by_curl_and_lftp() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    for (mode, tls) in EVERY_WAY {
        let (server, proxy, address) = proxied(mode);
        // More than the buffers on the way hold, so that the server cannot have sent all before the cut.
        let local = tree::file(&server.home(), "file", 43, 3 * LENGTH);
        for how in [How::Fin, How::Reset] {
            let cut = Cut { way: Way::Down, after: CUT, how };
            let by_curl = server.scratch().join("by curl");
            let get = |resume: &[&str]| {
                let at = through(address, mode, "file");
                curl(&server, mode, tls).args(resume).arg("-o").arg(&by_curl).arg(at).run()
            };
            let before = server.cut_transfers();
            proxy.cut_next(cut);
            get(&[]).fails();
            server.wait_for_cut_after(before);
            // A reset may take along what the program had not read yet, even all of it.
            let length_of = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
            assert!(length_of(&by_curl) <= CUT);
            get(&["-C", "-"]).ok();
            assert_eq!(tree::sha256_of(&by_curl), tree::sha256_of(&local), "{mode:?} {tls:?} {how:?} curl");
            fs::remove_file(&by_curl).unwrap();

            let by_lftp = server.scratch().join("by lftp");
            let get = |command: &str| {
                let script = format!("set xfer:use-temp-file no\n{command} file -o {by_lftp:?}");
                lftp_at(&server, &through(address, mode, ""), tls, &script)
            };
            let before = server.cut_transfers();
            proxy.cut_next(cut);
            let running = get("get").spawn();
            server.wait_for_cut_after(before);
            running.kill();
            // Whatever it had written down by then, nothing included, it goes on from there.
            get("get -c").run().ok();
            assert_eq!(tree::sha256_of(&by_lftp), tree::sha256_of(&local), "{mode:?} {tls:?} {how:?} lftp");
            fs::remove_file(&by_lftp).unwrap();
        }
    }
}

/// The ways in which an upload can end before its end.
#[derive(Clone, Copy, Debug)]
enum Break {
    Fin,
    Reset,
    MidRecord,
    WholeButUnsaid,
}

#[test]
fn a_cut_upload_is_never_acknowledged_nor_visible() {
    let server = Setup::new().start();
    let bytes = tree::bytes(44, 700_000);
    for how in [Break::Fin, Break::Reset, Break::MidRecord, Break::WholeButUnsaid] {
        for old in OLD {
            let old = put_old(&server, old);
            let mut control = Control::open(&server);
            let mut data = control.begin("STOR file");
            match how {
                Break::Fin => {
                    data.send(&bytes[..345_678]).unwrap();
                    data.fin();
                }
                Break::Reset => {
                    data.send(&bytes[..345_678]).unwrap();
                    data.reset();
                }
                Break::MidRecord => {
                    data.send_half_a_record(&bytes).unwrap();
                    data.fin();
                }
                // Every byte arrived, but the client never said that these are all (close_notify).
                Break::WholeButUnsaid => {
                    data.send(&bytes).unwrap();
                    data.fin();
                }
            }
            let reply = control.reply();
            assert!((400..600).contains(&reply.code), "{how:?}: {reply}");
            assert_old_is_whole(&server, old.as_ref(), &format!("{how:?}"));
            control.expect("NOOP", 200);
            control.expect("DELE file", 250);
        }
    }
}

#[test]
fn a_lenient_listener_takes_a_fin_for_the_end() {
    let server = Setup::new().listen("data_close = \"lenient\"").start();
    let mut control = Control::open(&server);
    let bytes = tree::bytes(45, 100_000);
    let mut data = control.begin("STOR file");
    data.send(&bytes).unwrap();
    data.fin();
    control.wait_for(226);
    assert!(fs::read(server.home().join("file")).unwrap() == bytes);
}

#[test]
fn an_upload_cut_anywhere_goes_on_from_where_it_was_cut() {
    let server = Setup::new().start();
    let bytes = tree::bytes(52, 50_000);
    let client = TlsClient::asking_for_tickets(1);
    let mut control = Control::session(&server, Mode::Explicit, &client, USER);
    // Around the first bytes and record borders, then all over the file.
    let cuts = (0..10).chain(16_380..16_390).chain((1..30).map(|step| step * 1663));
    for cut in cuts {
        let name = format!("cut-at-{cut}");
        let mut data = control.begin(&format!("STOR {name}"));
        data.send(&bytes[..cut]).unwrap();
        data.fin();
        let reply = control.reply();
        assert!((400..600).contains(&reply.code), "{cut}: {reply}");
        // RFC 3659 §4: an upload of which nothing arrived may have no size.
        let size = control.cmd(&format!("SIZE {name}")).to_string();
        let length: usize = size.strip_prefix("213 ").map_or(0, |length| length.parse().unwrap());
        assert!(length <= cut, "{cut}: {length}");
        let reply = control.try_store(&format!("APPE {name}"), &bytes[length..]);
        assert_eq!(reply.code, 226, "{cut}: {reply}");
        assert!(fs::read(server.home().join(&name)).unwrap() == bytes, "{cut}");
    }
}

#[test]
fn two_writers_of_one_name_never_mix() {
    let setup = Setup::new();
    let home = setup.home(USER);
    let server = setup.user_at("colleague", &home, &[EVERYTHING]).start();
    let (one, two) = (vec![b'1'; 300_000], vec![b'2'; 200_000]);
    let mut first = Control::open(&server);
    let mut second = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), "colleague");
    let mut first_data = first.begin("STOR file");
    let mut second_data = second.begin("STOR file");
    for _ in 0..2 {
        first_data.send(&one[..100_000]).unwrap();
        second_data.send(&two[..100_000]).unwrap();
    }
    first_data.send(&one[..100_000]).unwrap();
    second_data.finish().unwrap();
    second.wait_for(226);
    assert!(fs::read(server.home().join("file")).unwrap() == two);
    first_data.finish().unwrap();
    first.wait_for(226);
    assert!(fs::read(server.home().join("file")).unwrap() == one);
    assert_eq!(tree::names(&server.home()), ["file"]);
}

#[test]
fn restart_beyond_the_partial_names_its_length() {
    let server = Setup::new().start();
    let bytes = tree::bytes(46, 100_000);
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(&bytes[..60_000]).unwrap();
    data.fin();
    assert!(control.reply().code >= 400);
    let size = control.expect("SIZE file", 213).to_string();
    let length: usize = size.trim_start_matches("213 ").parse().unwrap();
    assert!(length <= 60_000, "{length}");
    control.data();
    control.expect(&format!("REST {}", length + 1), 350);
    let refusal = control.expect("STOR file", 550).to_string();
    assert!(refusal.contains(&length.to_string()), "{refusal}");
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
fn a_partial_is_its_owners_alone_and_goes_with_dele() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(&tree::bytes(47, 50_000)).unwrap();
    data.fin();
    assert!(control.reply().code >= 400);
    control.expect("SIZE file", 213);
    assert_eq!(control.listing("NLST"), "");
    assert_eq!(control.listing("MLSD").lines().filter(|line| line.contains("Type=file")).count(), 0);
    control.expect("DELE file", 250);
    control.expect("SIZE file", 550);
    wait::until_true("an empty folder", || tree::names(&server.home()).is_empty());
}

#[test]
fn a_resumed_upload_takes_over_from_its_own_stalled_writer() {
    let server = Setup::new().start();
    let bytes = tree::bytes(48, 300_000);
    let mut stalled = Control::open(&server);
    let mut first = stalled.begin("STOR file");
    first.send(&bytes[..100_000]).unwrap();
    let mut again = Control::open(&server);
    let length = wait::until("the stalled upload's bytes", || {
        let size = again.cmd("SIZE file").to_string();
        size.strip_prefix("213 ").and_then(|length| length.parse().ok()).filter(|&length: &usize| length > 0)
    });
    let mut second = again.data();
    again.expect(&format!("REST {length}"), 350);
    let reply = again.cmd("STOR file");
    // The writer may have been given more bytes meanwhile; the refusal then names the length to go on from.
    assert!(reply.code == 150 || reply.code == 550, "{reply}");
    if reply.code == 150 {
        second.secure(&again.tls.clone()).unwrap();
        second.send(&bytes[length..]).unwrap();
        second.finish().unwrap();
        again.wait_for(226);
        assert!(fs::read(server.home().join("file")).unwrap() == bytes);
        assert!(stalled.reply().code >= 400);
    }
}

/// Whoever was told a length by `SIZE` goes on from there, although the old connection brought more meanwhile: a
/// client's system goes on sending what the ended program had left in its buffers.
#[test]
fn an_append_goes_on_from_the_length_that_was_told() {
    let server = Setup::new().start();
    let bytes = tree::bytes(53, 300_000);
    let mut left_behind = Control::open(&server);
    let mut data = left_behind.begin("STOR file");
    data.send(&bytes[..100_000]).unwrap();
    let mut again = Control::open(&server);
    let length = wait::until("bytes at rest", || {
        let size = again.cmd("SIZE file").to_string();
        size.strip_prefix("213 ").and_then(|length| length.parse().ok()).filter(|&length: &usize| length > 0)
    });
    data.send(&bytes[100_000..200_000]).unwrap();
    let mut other = Control::open(&server);
    wait::until_true("more bytes at rest", || {
        let size = other.cmd("SIZE file").to_string();
        size.strip_prefix("213 ").is_some_and(|now| now.parse::<usize>().unwrap() > length)
    });
    let reply = again.try_store("APPE file", &bytes[length..]);
    let at_rest = fs::read(server.home().join("file")).ok();
    // Refusing is as good as going on in the right place; saying 226 to a mixture is not.
    let mixture = at_rest.as_ref().is_some_and(|at_rest| *at_rest != bytes);
    assert!(
        !mixture && (reply.code != 226 || at_rest.is_some()),
        "{reply}, {} bytes",
        at_rest.unwrap().len()
    );
}

/// A reset takes along what lay unread in the server's buffers, all of it where the upload was short. The client then asks
/// for the size and appends the rest of its new file: behind the old one, if that is what it was told of.
#[test]
fn an_upload_cut_before_its_first_byte_is_not_mixed_with_the_old_file() {
    let server = Setup::new().start();
    let (old, new) = (tree::bytes(56, 100_000), tree::bytes(57, 150_000));
    for stage in ["nobody connected", "no handshake", "no byte"] {
        fs::write(server.home().join("file"), &old).unwrap();
        let mut control = Control::open(&server);
        let port = control.passive();
        let before = server.cut_transfers();
        let data = (stage != "nobody connected").then(|| Wire::connect(port));
        control.expect("STOR file", 150);
        if let Some(mut data) = data {
            if stage == "no byte" {
                data.secure(&control.tls.clone()).unwrap();
            }
            data.reset();
        }
        // A program that was ended takes its control connection along.
        drop(control);
        server.wait_for_cut_after(before);
        let mut again = Control::open(&server);
        let size = again.cmd("SIZE file").to_string();
        let length: usize = size.strip_prefix("213 ").map_or(0, |length| length.parse().unwrap());
        let reply = again.try_store("APPE file", &new[length..]);
        let at_rest = fs::read(server.home().join("file")).unwrap();
        assert!(at_rest == new || at_rest == old && reply.code != 226, "{stage}: {size}, then {reply}");
        again.cmd("DELE file");
        again.cmd("DELE file");
    }
}

/// `SIZE` names the partial's length, `RETR` sends the complete file: a client that believes both must not end up
/// with a piece of the file and exit status 0.
#[test]
fn a_download_beside_an_unfinished_upload_is_whole_or_fails() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    let server = Setup::new().start();
    for length in [400_000, 100_000] {
        let whole = tree::file(&server.home(), "file", 54, length);
        let mut control = Control::open(&server);
        let mut data = control.begin("STOR file");
        data.send(&tree::bytes(55, 200_000)).unwrap();
        data.fin();
        control.reply();
        let by_curl = server.scratch().join("by-curl");
        let at = url(&server, Mode::Explicit, "/file");
        let run = curl(&server, Mode::Explicit, Tls::V13).arg("-o").arg(&by_curl).arg(at).run();
        let same = || tree::sha256_of(&by_curl) == tree::sha256_of(&whole);
        assert!(!run.status.success() || same(), "curl took a piece for the whole of {length} bytes");
        let by_lftp = server.scratch().join("by-lftp");
        let script = format!("get file -o {by_lftp:?}");
        let run = lftp(&server, Mode::Explicit, Tls::V13, &script).run();
        let same = || tree::sha256_of(&by_lftp) == tree::sha256_of(&whole);
        assert!(!run.status.success() || same(), "lftp took a piece for the whole of {length} bytes");
        control.expect("DELE file", 250);
        let _ = control.cmd("DELE file");
    }
}

#[test]
fn everybody_else_sees_the_old_file_until_the_new_one_is_whole() {
    let setup = Setup::new();
    let home = setup.home(USER);
    let server = setup.user_at("colleague", &home, &[EVERYTHING]).start();
    let (old, new) = (tree::bytes(49, 10_000), tree::bytes(50, 20_000));
    fs::write(server.home().join("file"), &old).unwrap();
    let mut uploader = Control::open(&server);
    let mut colleague = Control::session(&server, Mode::Implicit, &TlsClient::new(Tls::V12), "colleague");
    let mut data = uploader.begin("STOR file");
    data.send(&new[..15_000]).unwrap();
    assert_eq!(colleague.expect("SIZE file", 213).lines, ["213 10000"]);
    assert!(colleague.download("file") == old);
    assert_eq!(colleague.listing("NLST"), "file\r\n");
    data.send(&new[15_000..]).unwrap();
    data.finish().unwrap();
    uploader.wait_for(226);
    assert_eq!(colleague.expect("SIZE file", 213).lines, ["213 20000"]);
    assert!(colleague.download("file") == new);
}
