//! Whom the client believes: every kind of certificate with every option of trust, the questions it cannot ask without a
//! terminal, and keys that are remembered, renewed, changed and forgotten.

use std::fs;

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::client::Client;
use carrack_tests::hostile_server::{FILE, HostileServer, Misbehaviour};
use carrack_tests::programs::{Program, Run};
use carrack_tests::server::{Mode, program};

fn server() -> HostileServer {
    HostileServer::start(Misbehaviour::None)
}

fn show(server: &HostileServer, kind: Kind) {
    let names = server.names();
    server.set_identity(server.authority.issue(kind, &[&names[0], &names[1]]));
}

/// Nobody has logged in.
fn kept_secret(server: &HostileServer, run: &Run) {
    assert_eq!(run.status.code(), Some(4), "{}", run.report());
    assert_eq!(server.count("USER") + server.count("PASS"), 0, "{}", run.report());
}

#[test]
fn an_authority_vouches_for_what_is_right_and_for_nothing_else() {
    for (kind, words) in [
        (Kind::Good, &[][..]),
        (Kind::SelfSigned, &["self-signed"]),
        (Kind::Expired, &["expired"]),
        (Kind::NotYetValid, &["valid only from"]),
        (Kind::WrongHost, &["elsewhere.example"]),
        (Kind::UnknownAuthority, &["authority"]),
        (Kind::ForClients, &["server"]),
    ] {
        for mode in [Mode::Explicit, Mode::Implicit] {
            let server = HostileServer::start_in(mode, Misbehaviour::None);
            show(&server, kind);
            let run = Client::victim(&server).run(["ls", &server.url("/")]);
            if kind == Kind::Good {
                run.ok();
                continue;
            }
            kept_secret(&server, &run);
            for word in words {
                assert!(run.stderr.contains(word), "{kind:?}: {}", run.report());
            }
        }
    }
}

#[test]
fn a_name_is_verified_as_it_was_typed() {
    let server = server();
    server.set_identity(server.authority.issue(Kind::Good, &["localhost"]));
    let run = Client::victim(&server).run(["ls", &server.url("/")]);
    kept_secret(&server, &run);
    assert!(run.stderr.contains("localhost"), "the names are not shown: {}", run.report());
}

#[test]
fn an_authority_of_this_run_replaces_the_systems() {
    let server = server();
    let run = Client::new(&server.password()).trusting(&Authority::new()).run(["ls", &server.url("/")]);
    kept_secret(&server, &run);
    let nobody = Client::new(&server.password()).run(["ls", &server.url("/")]);
    kept_secret(&server, &nobody);
}

#[test]
fn without_a_terminal_the_command_to_remember_is_told_and_works() {
    let server = server();
    show(&server, Kind::SelfSigned);
    let client = Client::new(&server.password());
    let run = client.run(["ls", &server.url("/")]);
    kept_secret(&server, &run);
    let description = server.identity().description();
    for what in [description.fingerprint.to_string(), description.spki_fingerprint.to_string()] {
        assert!(run.stderr.contains(&what), "{}", run.report());
    }
    let told = run.stderr.lines().find_map(|line| line.find("carrack trust add").map(|at| &line[at..]));
    let told = told.unwrap_or_else(|| panic!("{}", run.report())).trim_end_matches(['.', '`', '\'', '"']);
    let words: Vec<&str> = told.split_whitespace().skip(1).collect();
    Program::new(program()).args(words).run().ok();
    client.prints(["ls", &server.url("/")]);
    assert!(client.prints(["trust", "list"]).contains(&server.address.to_string()));
}

#[test]
fn a_pin_is_for_one_certificate_and_for_one_run() {
    let server = server();
    let client = Client::new(&server.password());
    // What is pinned is this very certificate: dates and names are not asked any more.
    for kind in [Kind::SelfSigned, Kind::UnknownAuthority, Kind::Expired, Kind::WrongHost] {
        show(&server, kind);
        let pin = server.identity().description().fingerprint.to_string();
        client.prints(["ls", "--pin", &pin, &server.url("/")]);
        client.prints(["ls", "--pin", &pin.replace(':', "").to_lowercase(), &server.url("/")]);
    }
    let identity = server.identity();
    let pin = identity.description().fingerprint.to_string();
    let before = server.count("USER");
    client.ends_with(4, ["ls", &server.url("/")]);
    // The same key in another certificate is another certificate.
    let names = server.names();
    server.set_identity(server.authority.renew(&identity, Kind::Good, &[&names[0], &names[1]]));
    let run = client.ends_with(4, ["ls", "--pin", &pin, &server.url("/")]);
    assert!(run.stderr.contains(&pin), "{}", run.report());
    assert_eq!(server.count("USER"), before);
}

#[test]
fn a_key_is_remembered_renewed_changed_and_forgotten() {
    let server = server();
    show(&server, Kind::SelfSigned);
    let (client, url) = (Client::new(&server.password()), server.url("/"));
    let first = server.identity();
    client.prints(["ls", "--trust-new", &url]);
    client.prints(["ls", &url]);
    let names = server.names();
    // Another certificate for the key, however old, is accepted and noted once.
    server.set_identity(server.authority.renew(&first, Kind::SelfSigned, &[&names[1]]));
    let renewed = client.run(["ls", &url]).ok();
    assert!(renewed.stderr.contains("renewed"), "{}", renewed.report());
    let again = client.run(["ls", &url]).ok();
    assert!(!again.stderr.contains("renewed"), "{}", again.report());
    // Another key is refused, also when the user would accept anything new.
    show(&server, Kind::SelfSigned);
    let second = server.identity();
    let logins = server.count("USER");
    for flags in [&["ls"][..], &["ls", "--trust-new"]] {
        let run = client.ends_with(4, [flags, &[&url]].concat());
        for identity in [&first, &second] {
            let key = identity.description().spki_fingerprint.to_string();
            assert!(run.stderr.contains(&key), "{}", run.report());
        }
        assert!(run.stderr.contains("carrack trust remove"), "{}", run.report());
    }
    assert_eq!(server.count("USER"), logins);
    client.prints(["trust", "remove", &server.address.to_string()]);
    client.ends_with(4, ["ls", &url]);
    client.prints(["ls", "--trust-new", &url]);
}

/// A good certificate by an authority does not help somebody whose key is not the one that was remembered.
#[test]
fn a_remembered_key_goes_before_the_authorities_of_the_system() {
    let server = server();
    show(&server, Kind::SelfSigned);
    let client = Client::new(&server.password());
    client.prints(["ls", "--trust-new", &server.url("/")]);
    show(&server, Kind::Good);
    client.ends_with(4, ["ls", &server.url("/")]);
}

#[test]
fn trust_new_is_for_first_meetings_with_doubtful_certificates_not_for_wrong_ones() {
    for kind in [Kind::Expired, Kind::NotYetValid, Kind::WrongHost] {
        let server = server();
        // Signed by an authority that the client does not know either.
        show(&server, kind);
        let client = Client::new(&server.password());
        let run = client.run(["ls", "--trust-new", &server.url("/")]);
        // Whether it was the date, the name or the authority that was looked at first: what is remembered is a key, and a
        // key has neither date nor name.
        if run.status.success() {
            assert!(client.prints(["trust", "list"]).contains(&server.address.to_string()), "{kind:?}");
        } else {
            kept_secret(&server, &run);
        }
    }
}

#[test]
fn a_key_is_remembered_for_one_port() {
    let (one, other) = (server(), server());
    let client = Client::new(&one.password());
    client.prints(["ls", "--trust-new", &one.url("/")]);
    let run = client.run(["ls", &other.url("/")]);
    kept_secret(&other, &run);
}

#[test]
fn what_is_remembered_can_be_brought_along() {
    let server = server();
    let client = Client::new(&server.password());
    let identity = server.identity();
    let files = identity.files(client.folder());
    let address = server.address.to_string();
    let (file, key) =
        (files.certificate.to_str().unwrap(), identity.description().spki_fingerprint.to_string());
    for add in [["--certificate", file], ["--key", &key]] {
        client.prints([&["trust", "add", &address], &add[..]].concat());
        client.prints(["ls", &server.url("/")]);
        client.prints(["trust", "remove", &address]);
        client.ends_with(4, ["ls", &server.url("/")]);
    }
    client.prints(["trust", "add", "--yes", &server.url("/")]);
    client.prints(["ls", &server.url("/")]);
}

#[test]
fn a_broken_memory_is_an_error_and_not_a_first_meeting() {
    let server = server();
    let client = Client::new(&server.password());
    client.prints(["ls", "--trust-new", &server.url("/")]);
    let state = client.path("state");
    let files: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
    let known = files.iter().find(|path| {
        path.is_file()
            && fs::read_to_string(path).unwrap_or_default().contains(&server.address.ip().to_string())
    });
    let known = known.unwrap_or_else(|| panic!("{files:?}"));
    fs::write(known, "nonsense\n").unwrap();
    let run = client.run(["ls", "--trust-new", &server.url("/")]).fails();
    assert!(run.stderr.contains(known.to_str().unwrap()), "{}", run.report());
    assert_eq!(fs::read_to_string(known).unwrap(), "nonsense\n", "it was overwritten");
}

#[test]
fn a_wrong_password_is_no_question_of_trust() {
    let server = HostileServer::start(Misbehaviour::Answers { verb: "PASS", by: b"530 no\r\n" });
    let run = Client::victim(&server).ends_with(5, ["cat", &server.url(FILE)]);
    assert!(run.stderr.contains("530 no"), "{}", run.report());
}
