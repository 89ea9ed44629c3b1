//! What the broker starts, and what it does not, whoever asks.

use std::os::fd::AsFd;

use rustix::net::{RecvFlags, recv};

use super::*;
use crate::program::{self, Beside};

fn listed(purpose: Purpose, words: &[&str]) -> Listed {
    Listed { purpose, words: words.iter().map(OsString::from).collect() }
}

fn beside(arguments: &[&str], environment: &[(&str, &str)]) -> Beside {
    Beside {
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

/// The only program of a broker.
fn only(purpose: Purpose, words: &[&str]) -> Program {
    let one = listed(purpose, words);
    let words = one.words.clone();
    Programs::in_this_process(vec![one]).find(purpose, &words).unwrap()
}

#[tokio::test]
async fn a_program_is_told_its_input_and_answers() {
    let program = only(Purpose::Users, &["/bin/sh", "-c", "read line; echo \"heard $line\"; env"]);
    let answer = program::ask(&program, b"a question\n", 4096).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("heard a question\n"), "{answer}");
    assert!(!answer.contains("PATH=/") || !answer.contains("CARGO"), "nothing of any environment: {answer}");
    assert!(program::ask(&program, b"x\n", 3).await.unwrap_err().contains("more than 3 bytes"));
}

#[tokio::test]
async fn how_it_ended_is_told() {
    let program = only(Purpose::Hook, &["/bin/sh", "-c", "echo \"no $CARRACK_USER\" >&2; exit 7"]);
    let why = program::run(&program, beside(&[], &[("CARRACK_USER", "alice")]), b"").await.unwrap_err();
    assert_eq!(why, "exit status: 7: no alice");
    let why =
        program::run(&only(Purpose::Hook, &["/nowhere/hook"]), Beside::default(), b"").await.unwrap_err();
    assert!(why.starts_with("No such file"), "{why}");
}

#[tokio::test]
async fn nothing_is_added_to_a_program_that_it_may_not_be_told() {
    let hook = only(Purpose::Hook, &["/bin/true"]);
    let dns = only(Purpose::Dns, &["/bin/true"]);
    let users = only(Purpose::Users, &["/bin/true"]);
    for (program, beside) in [
        (&hook, beside(&["--evil"], &[])),
        (&hook, beside(&[], &[("LD_PRELOAD", "/srv/evil.so")])),
        (&hook, beside(&[], &[("CARRACK_x", "1")])),
        (&users, beside(&["--evil"], &[])),
        (&users, beside(&[], &[("CARRACK_USER", "alice")])),
        (&dns, beside(&["present", "ftp.example.com", "v"], &[])),
        (&dns, beside(&["--evil", "_acme-challenge.example.com", "v"], &[])),
        (&dns, beside(&["present", "_acme-challenge.example.com"], &[])),
        (&dns, beside(&["present", "_acme-challenge.example.com", "v"], &[("CARRACK_USER", "alice")])),
    ] {
        let why = program::run(program, beside, b"").await.unwrap_err();
        assert_eq!(why, "it may not be told that");
    }
    program::run(&hook, beside(&[], &[("CARRACK_EVENT", "upload")]), b"").await.unwrap();
    program::run(&dns, beside(&["present", "_acme-challenge.example.com", "v"], &[]), b"").await.unwrap();
}

#[tokio::test]
async fn only_what_was_listed_is_started() {
    let programs = Programs::in_this_process(vec![listed(Purpose::Hook, &["/bin/true"])]);
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    assert!(programs.knows(Purpose::Hook, &words(&["/bin/true"])));
    assert!(!programs.knows(Purpose::Users, &words(&["/bin/true"])), "for another purpose");
    assert!(!programs.knows(Purpose::Hook, &words(&["/bin/true", "more"])));
    let link = programs.0.clone().unwrap();
    // Who has broken into the server says what it likes.
    send(&link.socket, &Said::Listed(listed(Purpose::Hook, &["/bin/false"])), &[]).unwrap();
    let evil = Program { link: Arc::clone(&link), which: 1 };
    assert_eq!(program::run(&evil, Beside::default(), b"").await.unwrap_err(), "there is no such program");
    rustix::net::send(&link.socket, b"nonsense", rustix::net::SendFlags::empty()).unwrap();
    rustix::net::send(&link.socket, &[b'x'; 100_000], rustix::net::SendFlags::empty()).unwrap();
    let known = programs.find(Purpose::Hook, &words(&["/bin/true"])).unwrap();
    program::run(&known, Beside::default(), b"").await.unwrap();
    let long = beside(&[], &[("CARRACK_PATH", &"x".repeat(100_000))]);
    assert!(program::run(&known, long, b"").await.unwrap_err().contains("no more than"));
    let long = beside(&[], &[("CARRACK_PATH", &"x".repeat(20_000))]);
    assert_eq!(program::run(&known, long, b"").await.unwrap_err(), "it may not be told that");
}

#[tokio::test]
async fn the_list_is_taken_before_anything_is_started() {
    let (ours, theirs) = pair().unwrap();
    std::thread::spawn(move || serve::serve(theirs));
    let (life, not_ours) = std::os::unix::net::UnixStream::pair().unwrap();
    send(&ours, &Said::Listed(listed(Purpose::Hook, &["/bin/true"])), &[]).unwrap();
    send(&ours, &Said::Start(Start::default()), &[not_ours.as_fd()]).unwrap();
    drop(not_ours);
    // It is put away, and its life with it.
    let mut answer = [0; 64];
    let (read, _) = recv(&life, &mut answer, RecvFlags::empty()).unwrap();
    assert_eq!(read, 0);
}

#[tokio::test]
async fn without_a_broker_it_is_said_and_nobody_hangs() {
    let (ours, theirs) = pair().unwrap();
    let serving = std::thread::spawn(move || {
        drop(theirs);
    });
    serving.join().unwrap();
    let link =
        Link { socket: ours, listed: vec![listed(Purpose::Hook, &["/bin/true"])], process: Mutex::new(None) };
    let programs = Programs(Some(Arc::new(link)));
    assert!(matches!(programs.told().await, Told::Lost(None)));
    let words = [OsString::from("/bin/true")];
    let program = programs.find(Purpose::Hook, &words).unwrap();
    let why = program::run(&program, Beside::default(), b"").await.unwrap_err();
    assert_eq!(why, NO_BROKER);
    let none = Programs::default().find(Purpose::Hook, &words).unwrap_err();
    assert_eq!(none, "nothing here starts programs");
}
