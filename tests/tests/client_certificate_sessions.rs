//! What becomes of sessions that came with a certificate: their data connections, revocation meanwhile, other listeners.

use std::fs;
use std::path::{Path, PathBuf};

use carrack_tests::certificates::Identity;
use carrack_tests::client_certificates::{ClientAuthority, showing, user, with_authority};
use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Program, Tls, lftp_at, needs, url};
use carrack_tests::server::{Mode, Server, program};
use carrack_tests::setup::{EVERYTHING, Setup, password};
use carrack_tests::tls_client::TlsClient;
use rustix::process::Signal;

/// The name of the authority that servers here believe.
const CA: &str = "Example CA";

/// `login = "certificate"` by the subject `CN=name`.
fn by_subject(name: &str) -> String {
    format!("login = \"certificate\"\n[[user.certificate]]\nissuer = \"CN={CA}\"\nsubject = \"CN={name}\"\n")
}

/// Alice (serial 7) and Bob (serial 8), and a list that revokes neither.
struct World {
    authority: ClientAuthority,
    alice: Identity,
    bob: Identity,
    list: PathBuf,
    server: Server,
}

impl World {
    fn new(change: impl FnOnce(Setup, &Identity) -> Setup) -> World {
        let authority = ClientAuthority::named(CA);
        let setup = with_authority(Setup::new(), &authority).listen("client_certificate = \"required\"");
        let list = setup.scratch().join("ca.crl");
        fs::write(&list, authority.list(&[], 10)).unwrap();
        let setup = setup.option("tls", "crl", &format!("[{list:?}]"));
        let setup = user(user(setup, "alice", &by_subject("alice")), "bob", &by_subject("bob"));
        let (alice, bob) = (authority.issue_numbered("alice", 7), authority.issue_numbered("bob", 8));
        let server = change(setup, &alice).start();
        World { authority, alice, bob, list, server }
    }

    /// Has the server read its files again, and waits until it says `event` once more.
    fn reload(&self, event: &str) {
        let told = || self.server.logs.lines().iter().filter(|line| line.is(event)).count();
        let before = told();
        self.server.signal(Signal::HUP);
        self.server.logs.wait_for(event, |lines| {
            (lines.iter().filter(|line| line.is(event)).count() > before).then_some(())
        });
    }
}

/// A session by certificate with `PROT P` in force.
fn session(server: &Server, mode: Mode, tls: &TlsClient, user: &str) -> Control {
    let mut control = Control::greeted(server, mode, tls);
    control.expect(&format!("USER {user}"), 232);
    for command in ["PBSZ 0", "PROT P", "TYPE I"] {
        control.expect(command, 200);
    }
    control
}

/// Whether a client with that certificate is let in.
fn comes_in(server: &Server, mode: Mode, tls: Tls, identity: &Identity) -> bool {
    let mut control = Control::connect(server.address(mode), &showing(tls, identity));
    if mode == Mode::Explicit {
        control.wait_for(220);
        control.expect("AUTH TLS", 234);
    }
    let client = control.tls.clone();
    // Under TLS 1.3 the client is through before the server has judged it.
    control.wire.secure(&client).is_ok()
        && control.wire.send(b"NOOP\r\n").is_ok()
        && control.reply_or_end().is_ok()
}

#[test]
fn a_data_connection_resumes_or_shows_the_same_certificate() {
    let world = World::new(|setup, _| setup);
    for (mode, tls) in EVERY_WAY {
        let alice = showing(tls, &world.alice);
        let mut control = session(&world.server, mode, &alice, "alice");
        control.upload("resumed", b"bytes");
        control.tls = alice.with_no_sessions();
        control.upload("shown again", b"bytes");
        control.tls = TlsClient::new(tls);
        let refused = control.try_store("STOR none", b"bytes");
        assert_eq!(refused.code, 522, "{mode:?} {tls:?} {refused}");
        assert!(refused.to_string().contains("This login showed a certificate"), "{refused}");
        control.tls = showing(tls, &world.bob);
        let refused = control.try_store("STOR bobs", b"bytes");
        assert_eq!(refused.code, 522, "{mode:?} {tls:?} {refused}");
        assert!(refused.to_string().contains("not the one of the control connection"), "{refused}");
        control.tls = alice;
        control.upload("resumed again", b"bytes");
    }
}

#[test]
fn a_revoked_certificate_ends_its_sessions_on_reload_and_no_others() {
    let world = World::new(|setup, _| setup);
    for (round, (mode, tls)) in EVERY_WAY.into_iter().enumerate() {
        fs::write(&world.list, world.authority.list(&[], 10)).unwrap();
        world.reload("client_trust_replaced");
        let mut alice = session(&world.server, mode, &showing(tls, &world.alice), "alice");
        let mut bob = session(&world.server, mode, &showing(tls, &world.bob), "bob");
        fs::write(&world.list, world.authority.list(&[7], 10)).unwrap();
        world.reload("client_trust_replaced");
        assert_eq!(alice.replies_to_end().0.last().map(|reply| reply.code), Some(421), "{mode:?} {tls:?}");
        bob.upload(&format!("bobs {round}"), b"bytes");
        assert!(!comes_in(&world.server, mode, tls, &world.alice), "{mode:?} {tls:?}");
        assert!(comes_in(&world.server, mode, tls, &world.bob), "{mode:?} {tls:?}");
    }
    world.server.logged("disconnected", |line| line.text("why") == "the client's certificate was revoked");
}

#[test]
fn a_session_that_is_kept_touches_no_file_and_logs_in_no_more() {
    let by_password =
        format!("login = \"either\"\n[[user.certificate]]\nissuer = \"CN={CA}\"\nsubject = \"CN=x\"");
    let world = World::new(|setup, _| {
        let setup = setup.quick_logins().option("tls", "revoked_sessions", "\"keep\"");
        setup.user("carol", &[EVERYTHING, &by_password])
    });
    let mut alice = session(&world.server, Mode::Explicit, &showing(Tls::V13, &world.alice), "alice");
    alice.upload("before", b"bytes");
    fs::write(&world.list, world.authority.list(&[7], 10)).unwrap();
    world.reload("client_trust_replaced");
    alice.expect("NOOP", 200);
    for command in
        ["PWD", "CWD /", "SIZE before", "MLST before", "DELE before", "RNFR before", "MKD new", "HASH before"]
    {
        let refused = alice.expect(command, 530);
        assert!(refused.to_string().contains("no longer accepted"), "{command}: {refused}");
    }
    for command in ["STOR behind", "STOR before"] {
        let refused = alice.try_store(command, b"bytes");
        assert_eq!(refused.code, 425, "{refused}");
        assert!(refused.to_string().contains("no longer accepted"), "{refused}");
    }
    let home = world.server.home_of("alice");
    assert!(!home.join("behind").exists() && home.join("before").exists());
    alice.expect("USER alice", 331);
    alice.expect("PASS x", 530);
    // A bad certificate is not none: the right password does not help on this listener.
    alice.expect("USER carol", 331);
    alice.expect(&format!("PASS {}", password("carol")), 530);
    let login = world.server.logged("login_failed", |line| line.text("user") == "carol");
    assert!(login.text("why").contains("no longer accepted"));
    let told = world.server.logs.lines().iter().filter(|line| line.is("client_certificate_refused")).count();
    assert_eq!(told, 1, "a line for the revocation, and not for each command");
    let mut bob = session(&world.server, Mode::Explicit, &showing(Tls::V13, &world.bob), "bob");
    bob.expect("USER carol", 331);
    bob.expect(&format!("PASS {}", password("carol")), 230);
}

#[test]
fn names_that_only_a_removed_authority_vouched_for_prove_nobody() {
    let world = World::new(|setup, alice| {
        let pin = alice.description().spki_fingerprint;
        user(setup, "key", &format!("login = \"certificate\"\nspki_sha256 = [\"{pin}\"]\n"))
    });
    let mut alice = session(&world.server, Mode::Explicit, &showing(Tls::V13, &world.alice), "alice");
    let other = ClientAuthority::named("Other CA");
    fs::write(world.server.scratch().join("ca.pem"), other.pem()).unwrap();
    world.reload("client_trust_replaced");
    alice.expect("USER key", 232);
    alice.expect("USER alice", 331);
    alice.expect("PASS x", 530);
}

#[test]
fn lists_that_are_of_no_use_leave_the_old_ones_in_force() {
    let world = World::new(|setup, _| setup);
    fs::write(&world.list, world.authority.list(&[7], 10)).unwrap();
    world.reload("client_trust_replaced");
    fs::write(&world.list, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
    world.reload("client_trust_refused");
    assert!(!comes_in(&world.server, Mode::Implicit, Tls::V13, &world.alice));
    assert!(comes_in(&world.server, Mode::Implicit, Tls::V13, &world.bob));
    // Another authority in place of the old one: nobody comes in any more.
    fs::write(&world.list, world.authority.list(&[], 10)).unwrap();
    fs::write(world.server.scratch().join("ca.pem"), ClientAuthority::named("Other CA").pem()).unwrap();
    world.reload("client_trust_replaced");
    assert!(!comes_in(&world.server, Mode::Implicit, Tls::V13, &world.bob));
}

#[test]
fn a_ticket_of_one_listener_is_a_strangers_on_another() {
    let authority = ClientAuthority::named(CA);
    let setup = with_authority(Setup::new().quick_logins(), &authority)
        .explicit("client_certificate = \"required\"")
        .one_data_port();
    let certificate = format!("[[user.certificate]]\nissuer = \"CN={CA}\"\nsubject = \"CN=alice\"");
    let server = setup.user("alice", &[EVERYTHING, "login = \"either\"", &certificate]).start();
    let alice = authority.issue("alice", |_| ());
    for tls in [Tls::V12, Tls::V13] {
        let without = TlsClient::new(tls);
        let _elsewhere = Control::session(&server, Mode::Implicit, &without, "alice");
        let shown = showing(tls, &alice);
        let mut control = session(&server, Mode::Explicit, &shown, "alice");
        // The same user at the same address: a sibling, but for the listener's policy.
        control.tls = without;
        let refused = control.try_store("STOR stolen", b"bytes");
        assert_eq!(refused.code, 522, "{tls:?} {refused}");
        assert!(refused.to_string().contains("another login"), "{tls:?} {refused}");
        // On its own listener a sibling's ticket is welcome.
        let sibling = showing(tls, &alice);
        let _other = session(&server, Mode::Explicit, &sibling, "alice");
        control.tls = sibling;
        control.upload("by a sibling", b"bytes");
        control.tls = shown;
        control.upload("by its own", b"bytes");
    }
}

#[test]
fn other_peoples_clients_go_on_behind_232() {
    if !needs(&["lftp", "python3"]) {
        return;
    }
    let world = World::new(|setup, _| setup);
    fs::write(world.server.home_of("alice").join("file"), "bytes").unwrap();
    let folder = world.server.scratch().join("alice");
    fs::create_dir_all(&folder).unwrap();
    let files = world.alice.files(&folder);
    for tls in [Tls::V12, Tls::V13] {
        let run = lftp_at(
            &world.server,
            &url(&world.server, Mode::Explicit, ""),
            tls,
            &lftp_script(&files.certificate, &files.key, &world.server),
        );
        let listed = run.run().ok().stdout;
        assert!(listed.contains("file"), "{listed}");
    }
    let script = format!(
        "import ftplib, ssl\n\
         c = ssl._create_unverified_context()\n\
         c.load_cert_chain({:?}, {:?})\n\
         f = ftplib.FTP_TLS(context=c)\n\
         f.connect('127.0.0.1', {})\n\
         print(f.login('alice', ''))\n\
         f.prot_p()\n\
         print(f.nlst())\n",
        files.certificate,
        files.key,
        world.server.explicit.port()
    );
    let said = Program::new("python3").args(["-c", &script]).run().ok().stdout;
    assert!(said.contains("232 ") && said.contains("'file'"), "{said}");
    for mode in [Mode::Explicit, Mode::Implicit] {
        let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
        let at = format!("{scheme}://alice@{}/", world.server.address(mode));
        let ls = Program::new(program()).args(["ls", "--trust-new", "--cert"]).arg(&files.certificate);
        let ls = ls.arg("--key").arg(&files.key).arg(&at).env("CARRACK_PASSWORD", password("alice"));
        assert!(ls.run().ok().stdout.contains("file"), "{mode:?}");
    }
}

fn lftp_script(certificate: &Path, key: &Path, server: &Server) -> String {
    format!(
        "close\nset ssl:cert-file {}\nset ssl:key-file {}\nopen -u alice,x {}\ncls\n",
        certificate.display(),
        key.display(),
        url(server, Mode::Explicit, "")
    )
}
