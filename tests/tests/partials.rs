//! What `upload.partials` shows on the wire: with "owner" an interrupted upload stands in its uploader's listings, where
//! FileZilla finds how far it came; with "hidden" it stands in nobody's.

use std::fs;

use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;

const LENGTH: usize = 300_000;
const CUT: usize = 120_000;

/// A user, and somebody else who has the same folder.
fn shared_folder(partials: &str) -> Server {
    let setup = Setup::new().option("upload", "partials", partials);
    let home = setup.home(USER);
    setup.user_at("other", &home, &[EVERYTHING]).start()
}

/// Cuts an upload of the user's and says what the whole is.
fn cut(server: &Server) -> Vec<u8> {
    let (whole, before) = (tree::bytes(7, LENGTH), server.cut_transfers());
    let mut control = Control::open(server);
    let mut data = control.begin("STOR file");
    data.send(&whole[..CUT]).unwrap();
    data.fin();
    assert!(control.reply().code >= 400);
    server.wait_for_cut_after(before);
    whole
}

fn session(server: &Server, user: &str) -> Control {
    Control::session(server, Mode::Explicit, &TlsClient::new(Tls::V13), user)
}

/// Whether each form of listing names the file.
fn listings(control: &mut Control) -> [bool; 3] {
    ["LIST", "NLST", "MLSD"].map(|command| {
        let listing = control.listing(command);
        assert!(!listing.contains(".carrack-"), "{command}: {listing}");
        listing.lines().any(|line| line.ends_with("file"))
    })
}

#[test]
fn owner_shows_it_to_its_uploader_and_to_nobody_else() {
    let server = shared_folder("\"owner\"");
    cut(&server);
    let mut uploader = session(&server, USER);
    assert_eq!(listings(&mut uploader), [true; 3]);
    let listing = uploader.listing("MLSD");
    assert!(listing.contains(&format!("Size={};", CUT - 1)), "{listing}");
    assert_eq!(listings(&mut session(&server, "other")), [false; 3]);
}

#[test]
fn hidden_shows_it_to_nobody() {
    let server = shared_folder("\"hidden\"");
    cut(&server);
    assert_eq!(listings(&mut session(&server, USER)), [false; 3]);
    assert_eq!(listings(&mut session(&server, "other")), [false; 3]);
}

/// FileZilla's dialogue: it lists, compares, and appends without another question, or restarts where it was told to.
#[test]
fn what_a_listing_told_is_gone_on_with_by_appe_and_by_rest() {
    let server = shared_folder("\"owner\"");
    for command in ["APPE file", "STOR file"] {
        let whole = cut(&server);
        let mut control = session(&server, USER);
        control.listing("MLSD");
        if command == "STOR file" {
            control.expect(&format!("REST {}", CUT - 1), 350);
        }
        assert_eq!(control.try_store(command, &whole[CUT - 1..]).code, 226, "{control}");
        assert!(fs::read(server.home().join("file")).unwrap() == whole, "{command}");
    }
}

#[test]
fn somebody_else_cannot_go_on_with_it() {
    let server = shared_folder("\"owner\"");
    let whole = cut(&server);
    let mut other = session(&server, "other");
    other.listing("MLSD");
    other.expect(&format!("REST {}", CUT - 1), 350);
    assert_eq!(other.try_store("STOR file", &whole[CUT - 1..]).code, 550, "{other}");
    assert!(!server.home().join("file").exists());
}
