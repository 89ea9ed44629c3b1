//! FileZilla's client (GnuTLS) in a window that nobody sees: it works off a queue of uploads and downloads.

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::filezilla::{self, PROGRAMS, Screen, press_process_queue};
use carrack_tests::programs::{Program, needs};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::Setup;
use carrack_tests::{tree, wait};

fn complete(server: &Server) -> usize {
    let is_complete =
        |line: &&carrack_tests::logs::Line| line.is("transfer") && line.text("complete") == "true";
    server.logs.lines().iter().filter(is_complete).count()
}

#[test]
fn moves_a_queue_of_files_both_ways_with_resumed_sessions() {
    if !needs(&PROGRAMS) {
        return;
    }
    for mode in [Mode::Explicit, Mode::Implicit] {
        let server = Setup::new().listen("data_tls_reuse = \"require\"").start();
        let (up, down) = (["up 1", "Grüße", "-dash", "empty"], ["down 1", "東京", "large"]);
        let local = server.scratch().join("local");
        for (number, name) in up.iter().enumerate() {
            tree::file(&local, name, number as u64, if *name == "empty" { 0 } else { 70_000 * (number + 1) });
        }
        for (number, name) in down.iter().enumerate() {
            tree::file(&server.home(), name, 10 + number as u64, 900_000 * (number + 1));
        }
        let queue: Vec<String> = (up.iter().map(|name| format!("--up={name}")))
            .chain(down.iter().map(|name| format!("--down={name}")))
            .collect();
        let queue: Vec<&str> = queue.iter().map(String::as_str).collect();
        let screen = Screen::start();
        let home = server.scratch().join("home");
        let _running =
            filezilla::start(Program::new("filezilla"), &server, mode, &screen, &home, &local, &queue);
        press_process_queue(&screen, || server.logs.lines().iter().any(|line| line.is("login")));
        wait::until_true("all transfers", || complete(&server) >= up.len() + down.len());
        // A download is in the file when FileZilla has written it, a little after the server's word.
        wait::until_true("equal folders", || tree::contents(&local) == tree::contents(&server.home()));
        for line in server.logs.lines().iter().filter(|line| line.is("transfer")) {
            assert_eq!(line.text("resumed"), "true", "{}", line.raw);
        }
    }
}

#[test]
fn resumes_a_cut_upload_that_its_listing_shows() {
    if !needs(&PROGRAMS) {
        return;
    }
    let server = Setup::new().option("upload", "partials", "\"owner\"").start();
    let local = server.scratch().join("local");
    let whole = fs::read(tree::file(&local, "file", 5, 900_000)).unwrap();
    let mut control = Control::open(&server);
    let mut data = control.begin("STOR file");
    data.send(&whole[..400_000]).unwrap();
    data.fin();
    assert!(control.reply().code >= 400);
    let screen = Screen::start();
    let home = server.scratch().join("home");
    let _running = filezilla::start(
        Program::new("filezilla"),
        &server,
        Mode::Explicit,
        &screen,
        &home,
        &local,
        &["--resume=file"],
    );
    let logins = || server.logs.lines().iter().filter(|line| line.is("login")).count();
    press_process_queue(&screen, || logins() >= 2);
    wait::until_true("the whole file", || complete(&server) >= 1);
    assert!(fs::read(server.home().join("file")).unwrap() == whole);
    let line = server.logged("transfer", |line| line.text("complete") == "true");
    let moved: usize = line.text("bytes").parse().unwrap();
    assert!(moved < whole.len(), "all of it was sent again: {}", line.raw);
}
