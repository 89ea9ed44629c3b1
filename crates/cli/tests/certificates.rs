//! Passwords of keys are asked for where nobody has given them, and never shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod running;

use std::fs;

use running::client::Home;

#[test]
fn a_new_password_is_asked_for_twice_and_a_known_one_once() {
    let top = tempfile::tempdir().unwrap();
    let home = Home::new(&top.path().join("home"));
    let make = ["cert", "self-signed", "--name", "ftp.example", "--encrypt-key", "--out", "own"];
    let mut terminal = home.at_terminal(None, make);
    terminal.wait_for("Password: ").say("correct horse\n").wait_for("Once more: ").say("correct house\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("differ") && !home.dir.join("own").exists(), "{shown}");

    let mut terminal = home.at_terminal(None, make);
    terminal.wait_for("Password: ").say("correct horse\n").wait_for("Once more: ").say("correct horse\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("correct") && !shown.contains("PRIVATE KEY"), "{shown}");
    let key = fs::read_to_string(home.dir.join("own/key.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));

    let renew = ["cert", "renew", "own/cert.pem", "--key", "own/key.pem"];
    let mut terminal = home.at_terminal(None, renew);
    terminal.wait_for("Password of own/key.pem: ").say("correct horse\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(0), "{shown}");
    let before = fs::read(home.dir.join("own/cert.pem")).unwrap();
    let mut terminal = home.at_terminal(None, renew);
    terminal.wait_for("Password of own/key.pem: ").say("battery staple\n");
    let (status, shown) = terminal.end();
    assert_eq!(status, Some(1), "{shown}");
    assert!(shown.contains("own/key.pem: holds"), "{shown}");
    assert_eq!(fs::read(home.dir.join("own/cert.pem")).unwrap(), before, "the old one stays");
    assert!(home.run(renew).failed(2).contains("--key-password-file"));
}

#[test]
fn the_password_of_a_client_key_is_asked_for_once() {
    let top = tempfile::tempdir().unwrap();
    let home = Home::new(&top.path().join("home"));
    fs::write(home.dir.join("password"), "correct horse\n").unwrap();
    let make = "cert self-signed --name alice --client --encrypt-key --key-password-file password --out own";
    home.run(make.split(' ')).done();
    let export = "cert export own/cert.pem --key own/key.pem --key-password-file password --password-file password --out own.p12";
    home.run(export.split(' ')).done();
    for (flags, file) in
        [("--cert own/cert.pem --key own/key.pem", "own/key.pem"), ("--cert own.p12", "own.p12")]
    {
        // Nobody listens there: with the right password the connection is what fails.
        let list = format!("ls {flags} ftpes://127.0.0.1:1/ ftps://127.0.0.1:1/");
        for (password, status) in [("correct horse", 3), ("battery staple", 2)] {
            let mut terminal = home.at_terminal(None, list.split(' '));
            terminal.wait_for(&format!("Password of {file}: ")).say(&format!("{password}\n"));
            let (ended, shown) = terminal.end();
            assert_eq!(ended, Some(status), "{shown}");
            assert!(!shown.contains(password), "it is not shown: {shown}");
            assert_eq!(shown.matches("Password of").count(), 1, "{shown}");
        }
        let said = home.run(list.split(' ')).failed(2);
        assert!(said.contains("--key-password-file FILE or CARRACK_KEY_PASSWORD"), "{said}");
    }
}
