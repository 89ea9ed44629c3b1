//! FileZilla (GnuTLS) in a window that nobody sees: a queue of transfers, and the listings it reads for them.

use std::fs;

use super::visit::OFFERED;
use super::{Can, Client, IN_CLEAR, Verb, Visit};
use crate::filezilla::{PROGRAMS, Screen, press_process_queue, start};
use crate::wait;

const BY_HAND: Can = Can::Untried(
    "its queue moves files only, and nobody sits at the window; the commands are RNFR, RNTO and DELE",
);

pub(super) const CLIENT: Client = Client {
    name: "FileZilla",
    origin: "Debian's `filezilla` under Xvfb (GnuTLS)",
    programs: &PROGRAMS,
    files: &[],
    ways: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, IN_CLEAR],
    resumes: [Can::Yes; 2],
    verbs: [Can::Yes, Can::Yes, Can::Yes, Can::Yes, Can::Yes, BY_HAND, BY_HAND],
    drive,
};

const QUEUE: [&str; 4] = ["--up=up", "--down=down", "--resume-down=cut", "--resume=half"];

fn drive(visit: &Visit<'_>) -> String {
    let (server, screen) = (visit.server, Screen::start());
    let home = tempfile::Builder::new().prefix("home-").tempdir_in(server.scratch()).unwrap();
    let log = home.path().join("dialogue.log");
    let logging = format!("--log={}", log.display());
    let queue: Vec<&str> = QUEUE.iter().copied().chain([logging.as_str()]).collect();
    let (mode, program) = (visit.mode(), visit.program("filezilla"));
    let logins = || server.logs.lines().iter().filter(|line| line.is("login")).count();
    let _running = start(program, server, mode, &screen, &home.path().join("home"), &visit.local, &queue);
    let before = logins();
    press_process_queue(&screen, || logins() > before);
    // It stays, so that its end is when everything is there, or as many transfers as it had to do have ended.
    let ended = || visit.so_far().iter().filter(|line| line.is("transfer")).count() >= QUEUE.len();
    let printed = || fs::read_to_string(&log).unwrap_or_default();
    let verbs = [Verb::Upload, Verb::Download, Verb::ResumeDownload, Verb::ResumeUpload];
    wait::until_true("the end of the queue", || {
        ended() && verbs.iter().all(|&verb| visit.has_done(verb, ""))
    });
    let dialogue = printed();
    eprintln!("{dialogue}");
    if has_read_a_listing(&dialogue) { visit.listed() } else { String::new() }
}

/// It prints no listing. But it went on with the upload exactly where only the listing said that it ends.
fn has_read_a_listing(dialogue: &str) -> bool {
    let says = |command: &str| dialogue.contains(&format!("Command: {command}"));
    says("MLSD") && says(&format!("REST {OFFERED}")) && !says("SIZE")
}
