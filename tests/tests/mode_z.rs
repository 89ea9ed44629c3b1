//! MODE Z against the real program: what goes in comes out, cut and poisoned streams never are a success, lftp speaks it.

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Program, lftp, needs};
use carrack_tests::server::Server;
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::End;

fn server() -> Server {
    Setup::new().listen("deflate = true").start()
}

/// What Python's zlib makes of a file: an oracle that is not ours.
fn python_zlib(server: &Server, code: &str, bytes: &[u8]) -> Vec<u8> {
    let (from, to) = (server.scratch().join("zlib-from"), server.scratch().join("zlib-to"));
    fs::write(&from, bytes).unwrap();
    let program = format!(
        "import sys, zlib\ndata = open(sys.argv[1], 'rb').read()\nopen(sys.argv[2], 'wb').write({code})"
    );
    Program::new("python3").args(["-c", &program]).arg(&from).arg(&to).run().ok();
    fs::read(&to).unwrap()
}

fn compressed(server: &Server, bytes: &[u8]) -> Vec<u8> {
    python_zlib(server, "zlib.compress(data, 9)", bytes)
}

fn text(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|line| format!("line {line}\n").into_bytes()).take(length).collect()
}

#[test]
fn python_reads_what_is_sent_and_writes_what_is_read() {
    if !needs(&["python3"]) {
        return;
    }
    let server = server();
    for (mode, tls) in EVERY_WAY {
        let mut control = Control::session(&server, mode, &TlsClient::new(tls), USER);
        control.expect("MODE Z", 200);
        for bytes in [Vec::new(), b"x".to_vec(), text(2_000_000), tree::bytes(1, 300_000)] {
            control.upload("file", &compressed(&server, &bytes));
            assert_eq!(fs::read(server.home().join("file")).unwrap(), bytes);
            for level in [0, 1, 9] {
                control.expect(&format!("OPTS MODE Z LEVEL {level}"), 200);
                let sent = control.download("file");
                assert!(python_zlib(&server, "zlib.decompress(data)", &sent) == bytes);
            }
        }
        // A restart counts bytes of the file.
        fs::write(server.home().join("file"), text(1000)).unwrap();
        control.data();
        control.expect("REST 990", 350);
        let sent = control.download("file");
        assert_eq!(python_zlib(&server, "zlib.decompress(data)", &sent), text(1000)[990..]);
        let listing = control.fetch("MLSD");
        let listing = python_zlib(&server, "zlib.decompress(data)", &listing);
        assert!(String::from_utf8_lossy(&listing).contains("Size=1000;"), "{listing:?}");
        // TYPE A is converted before it is compressed.
        control.expect("TYPE A", 200);
        control.upload("lines", &compressed(&server, b"one\r\ntwo\r\n"));
        assert_eq!(fs::read(server.home().join("lines")).unwrap(), b"one\ntwo\n");
        let sent = control.download("lines");
        assert_eq!(python_zlib(&server, "zlib.decompress(data)", &sent), b"one\r\ntwo\r\n");
        control.expect("TYPE I", 200);
        control.expect("MODE S", 200);
        assert_eq!(control.download("lines"), b"one\ntwo\n");
        control.expect("DELE lines", 250);
        control.expect("DELE file", 250);
    }
}

#[test]
fn cut_and_damaged_streams_are_no_success_and_leave_the_old_file() {
    if !needs(&["python3"]) {
        return;
    }
    let server = server();
    let stream = compressed(&server, &text(300_000));
    let mut damaged = stream.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let wrong = [
        stream[..stream.len() / 2].to_vec(),
        stream[..stream.len() - 1].to_vec(),
        Vec::new(),
        damaged,
        [&stream[..], b"tail"].concat(),
        b"not compressed at all".to_vec(),
    ];
    for (number, bytes) in wrong.iter().enumerate() {
        let mut control = Control::open(&server);
        fs::write(server.home().join("file"), "old").unwrap();
        control.expect("MODE Z", 200);
        let reply = control.try_store("STOR file", bytes);
        assert_eq!(reply.code, 426, "stream {number}: {reply}");
        assert!(reply.to_string().contains("decompressed"), "{reply}");
        assert_eq!(fs::read(server.home().join("file")).unwrap(), b"old");
        // The connection goes on.
        control.upload("file", &stream);
        assert_eq!(fs::read(server.home().join("file")).unwrap(), text(300_000));
    }
    let line = server.logged("transfer", |line| line.text("complete") == "false");
    assert!(line.text("why").contains("decoded"), "{}", line.raw);
}

#[test]
fn a_bomb_ends_at_the_limit() {
    if !needs(&["python3"]) {
        return;
    }
    let server = server();
    let bomb = compressed(&server, &vec![0; 200 * 1024 * 1024]);
    assert!(bomb.len() < 300_000);
    let mut control = Control::open(&server);
    control.expect("MODE Z", 200);
    let reply = control.try_store("STOR bomb", &bomb);
    assert_eq!(reply.code, 426, "{reply}");
    assert!(reply.to_string().contains("200-fold"), "{reply}");
    assert!(tree::names(&server.home()).is_empty());
    let moved = server.logged("transfer", |line| line.text("path") == "/bomb");
    let moved: u64 = moved.text("bytes").parse().unwrap();
    assert!(moved < 100 * 1024 * 1024, "{moved} bytes were written");
}

#[test]
fn a_cut_connection_leaves_a_partial_that_goes_on_in_either_mode() {
    if !needs(&["python3"]) {
        return;
    }
    let server = server();
    let whole = text(3_000_000);
    let stream = compressed(&server, &whole);
    let mut control = Control::open(&server);
    control.expect("MODE Z", 200);
    let before = server.cut_transfers();
    let mut data = control.begin("STOR file");
    data.send(&stream[..stream.len() / 2]).unwrap();
    data.reset();
    control.wait_for(426);
    server.wait_for_cut_after(before);
    control.expect("MODE S", 200);
    let size: usize = control.expect("SIZE file", 213).to_string()[4..].parse().unwrap();
    assert!(size < whole.len());
    assert_eq!(control.try_store("APPE file", &whole[size..]).code, 226);
    assert_eq!(fs::read(server.home().join("file")).unwrap(), whole);
}

#[test]
fn lftp_moves_files_and_trees_compressed() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = server();
    let from = server.scratch().join("from");
    fs::create_dir_all(&from).unwrap();
    fs::write(from.join("text"), text(1_500_000)).unwrap();
    fs::write(from.join("empty"), "").unwrap();
    tree::file(&from, "noise", 3, 400_000);
    for (mode, tls) in EVERY_WAY {
        let to = server.scratch().join("to");
        let settings = "set ftp:use-mode-z yes\nset ftp:mode-z-level 9\nset ftp:compressed-re \"\"";
        let script =
            format!("{settings}\ndebug 5\nmirror -R {from:?} /tree\nmirror /tree {to:?}\nrm -r /tree");
        let run = lftp(&server, mode, tls, &script).run().ok();
        assert!(run.report().contains("MODE Z"), "{}", run.report());
        tree::assert_same(&from, &to);
        fs::remove_dir_all(&to).unwrap();
    }
}

#[test]
fn where_it_is_not_offered_it_is_refused() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    control.expect("MODE Z", 504);
    assert!(!control.expect("FEAT", 211).to_string().contains("MODE Z"));
    control.upload("file", b"bytes");
    let mut data = control.begin("RETR file");
    assert_eq!(data.read_to_end(), (b"bytes".to_vec(), End::Clean));
}
