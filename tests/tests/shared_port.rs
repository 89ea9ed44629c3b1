//! One data port for all sessions: every connection reaches its own session or none, and who is refused is told why.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use carrack_tests::control::Control;
use carrack_tests::programs::{EVERY_WAY, Tls, lftp, needs};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::{End, Wire};

const SESSIONS: usize = 1000;
/// Sessions that wait at the port at once: all those of a batch are told the port before the first of them connects.
const BATCH: usize = 200;
/// Sessions whose transfers run at once.
const WORKERS: usize = 8;

/// What one of many sessions is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// TLS 1.3, a ticket for each connection.
    Ticket13,
    /// TLS 1.2 with tickets.
    Ticket12,
    /// TLS 1.2 with session ids.
    SessionId12,
    /// Full handshakes, TLS 1.3, alone at its address.
    Full13,
    /// Full handshakes, TLS 1.2, alone at its address.
    Full12,
}

impl Kind {
    fn of(number: usize) -> Kind {
        [Kind::Ticket13, Kind::Ticket12, Kind::SessionId12, Kind::Full13, Kind::Full12][number % 5]
    }

    fn resumes(self) -> bool {
        !matches!(self, Kind::Full13 | Kind::Full12)
    }

    fn client(self) -> TlsClient {
        match self {
            Kind::Ticket13 | Kind::Full13 => TlsClient::new(Tls::V13),
            Kind::Ticket12 | Kind::Full12 => TlsClient::new(Tls::V12),
            Kind::SessionId12 => TlsClient::without_tickets(),
        }
    }

    /// Those that prove themselves share one address, the others have one each.
    fn address(self, number: usize) -> IpAddr {
        match self.resumes() {
            true => Ipv4Addr::LOCALHOST.into(),
            false => Ipv4Addr::new(127, 1, (number / 250) as u8, (number % 250) as u8 + 1).into(),
        }
    }
}

/// One of many sessions: logged in, with the file that only it asks for.
struct Session {
    number: usize,
    kind: Kind,
    control: Control,
    /// What its data connections do their handshakes with.
    data_tls: TlsClient,
}

impl Session {
    fn open(server: &Server, number: usize) -> Session {
        let kind = Kind::of(number);
        let tls = kind.client();
        let wire = Wire::connect_from(kind.address(number), server.explicit).unwrap();
        let mut control = Control::over(wire, &tls);
        control.wait_for(220);
        control.expect("AUTH TLS", 234);
        control.secure();
        control.login(USER);
        control.expect("PBSZ 0", 200);
        control.expect("PROT P", 200);
        control.expect("TYPE I", 200);
        let data_tls = if kind.resumes() { tls } else { tls.with_no_sessions() };
        Session { number, kind, control, data_tls }
    }

    /// Its own bytes: no two sessions have the same.
    fn bytes(&self) -> Vec<u8> {
        tree::bytes(self.number as u64, 40 + self.number * 7 % 2000)
    }

    /// The one transfer that the session's port was announced for.
    fn transfer(&mut self, port: u16) {
        let to = (Ipv4Addr::LOCALHOST, port).into();
        let from = self.kind.address(self.number);
        let mut data = Wire::connect_from(from, to).unwrap();
        let hello = data.client_hello(&self.data_tls);
        // Every third is met by its own ClientHello, sent by somebody else before and after it.
        let replays = self.kind.resumes() && self.number.is_multiple_of(3);
        let replay = || replays.then(|| replay(from, port, &hello));
        let upload = self.number.is_multiple_of(2);
        let before = replay();
        let verb = if upload { "STOR up" } else { "RETR down" };
        self.control.expect(&format!("{verb}-{}", self.number), 150);
        let what = format!("session {} {:?}", self.number, self.kind);
        data.secure_with(&hello).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(data.resumed(), self.kind.resumes(), "{what}");
        let after = replay();
        if upload {
            data.send(&self.bytes()).unwrap();
            data.finish().unwrap();
        } else {
            let (bytes, end) = data.read_to_end();
            assert!(bytes == self.bytes() && end == End::Clean, "{what}: not its file");
            drop(data.finish());
        }
        self.control.wait_for(226);
        // Whoever sent somebody else's ClientHello is left with nothing readable.
        for mut thief in [before, after].into_iter().flatten() {
            let _ = thief.send(b"not yours");
        }
    }
}

/// A connection that says what somebody else said.
fn replay(from: IpAddr, port: u16, hello: &[u8]) -> Wire {
    let mut wire = Wire::connect_from(from, (Ipv4Addr::LOCALHOST, port).into()).unwrap();
    wire.send(hello).unwrap();
    wire
}

/// Does `work` with every one of `items`, several at a time.
fn side_by_side<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (items, done) = (Mutex::new(items), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(item) = items.lock().unwrap().pop() else { return };
                    let result = work(item);
                    done.lock().unwrap().push(result);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn a_thousand_sessions_share_one_port_and_each_gets_its_own() {
    let server = Setup::new()
        .quick_logins()
        .user(USER, &[EVERYTHING])
        .one_data_port()
        .option("upload", "sync", "false")
        .option("limits", "sessions_per_source", "2000")
        .start();
    let sessions = side_by_side((0..SESSIONS).collect(), |number| Session::open(&server, number));
    for session in &sessions {
        fs::write(server.home().join(format!("down-{}", session.number)), session.bytes()).unwrap();
    }
    let resumed = AtomicUsize::new(0);
    let mut waiting = sessions;
    while !waiting.is_empty() {
        let batch = waiting.split_off(waiting.len().saturating_sub(BATCH));
        // All of them wait at once, and come in another order than they were told.
        let mut batch = side_by_side(batch, |mut session| {
            let port = session.control.passive().port();
            (session, port)
        });
        batch.sort_by_key(|(session, _)| session.number * 7919 % SESSIONS);
        side_by_side(batch, |(mut session, port)| {
            session.transfer(port);
            resumed.fetch_add(session.kind.resumes().into(), Ordering::Relaxed);
            if session.number.is_multiple_of(2) {
                let path = server.home().join(format!("up-{}", session.number));
                assert!(
                    fs::read(path).unwrap() == session.bytes(),
                    "session {}: not its bytes",
                    session.number
                );
            }
            // Those that are done stay: their sessions are alive, and must not be taken for others.
        });
    }
    assert_eq!(resumed.into_inner(), SESSIONS * 3 / 5);
}

/// Everything on one port, deadlines short enough that a refusal is soon said.
fn shared(word: &str) -> Setup {
    Setup::new().quick_logins().one_data_port().listen(&format!("data_tls_reuse = {word:?}"))
}

fn stored(server: &Server, name: &str) -> Option<Vec<u8>> {
    fs::read(server.home().join(Path::new(name))).ok()
}

#[test]
fn the_port_is_the_same_for_all_and_early_connections_are_held() {
    let server = shared("require-own").start();
    for mode in [Mode::Explicit, Mode::Implicit] {
        for version in [Tls::V12, Tls::V13] {
            let tls = TlsClient::new(version);
            let mut one = Control::session(&server, mode, &tls, USER);
            let mut two = Control::session(&server, mode, &TlsClient::new(version), USER);
            let (at, also_at) = (one.passive(), two.passive());
            assert_eq!(at, also_at);
            // The whole handshake begins before there is a command.
            let mut data = Wire::connect(at);
            let hello = data.client_hello(&tls);
            data.socket().write_all(&hello).unwrap();
            one.expect("STOR early", 150);
            data.secure_with(b"").unwrap();
            data.send(b"early").unwrap();
            data.finish().unwrap();
            one.wait_for(226);
            assert_eq!(stored(&server, "early").unwrap(), b"early");
        }
    }
}

#[test]
fn full_handshakes_and_clear_data_go_by_the_address_while_only_one_session_waits_there() {
    for word in ["prefer", "off"] {
        let server = shared(word)
            .explicit("data_protection = \"optional\"")
            .option("timeouts", "data_accept_s", "1")
            .start();
        let tls = TlsClient::new(Tls::V13);
        let mut control = Control::session(&server, Mode::Explicit, &tls, USER);
        control.tls = tls.with_no_sessions();
        control.upload("full", b"alone");
        control.expect("PROT C", 200);
        let mut data = control.data();
        control.expect("STOR clear", 150);
        data.send(b"alone").unwrap();
        data.finish().unwrap();
        control.wait_for(226);
        control.expect("PROT P", 200);

        // A second one waits now.
        let mut other = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), USER);
        other.passive();
        let reply = control.try_store("STOR not", b"whose?");
        assert_eq!(reply.code, 522, "{word}: {reply}");
        assert!(reply.to_string().contains("enable TLS session reuse"), "{word}: {reply}");
        assert_eq!(stored(&server, "not"), None);
        control.expect("PROT C", 200);
        let mut data = control.data();
        control.expect("STOR not", 150);
        let _ = data.send(b"whose?");
        drop(data.finish());
        let reply = control.reply();
        assert!(reply.code == 425 && reply.to_string().contains("send PROT P"), "{word}: {reply}");
        assert_eq!(stored(&server, "not"), None);
        // The one that waits was disturbed by nothing of this.
        let mut data = other.data();
        other.expect("STOR others", 150);
        data.secure(&other.tls).unwrap();
        data.send(b"mine").unwrap();
        data.finish().unwrap();
        other.wait_for(226);
    }
}

#[test]
fn full_handshakes_are_refused_where_resumption_is_required_although_one_waits_alone() {
    for word in ["require", "require-own"] {
        let server = shared(word).option("timeouts", "data_accept_s", "1").start();
        let tls = TlsClient::new(Tls::V12);
        let mut control = Control::session(&server, Mode::Implicit, &tls, USER);
        control.tls = tls.with_no_sessions();
        let reply = control.try_store("STOR not", b"bytes");
        assert!(reply.code == 522 && reply.to_string().contains("session reuse"), "{word}: {reply}");
        control.tls = tls;
        control.upload("file", b"bytes");
    }
}

#[test]
fn nobody_reaches_a_session_from_another_address_or_with_anothers_session() {
    let server = shared("prefer").user("mallory", &[EVERYTHING]).start();
    fs::write(server.home().join("secret"), "for her eyes").unwrap();
    for version in [Tls::V12, Tls::V13] {
        let (hers, his) = (TlsClient::new(version), TlsClient::new(version));
        let mut victim = Control::session(&server, Mode::Explicit, &hers, USER);
        let mut thief = Control::session(&server, Mode::Explicit, &his, "mallory");
        thief.expect("NOOP", 200);
        let port = victim.passive();
        // With her own ClientHello from elsewhere, and with a live session of his own from her address.
        let mut owner = Wire::connect(port);
        let hello = owner.client_hello(&hers);
        let mut far = Wire::connect_from(Ipv4Addr::new(127, 0, 0, 9).into(), port).unwrap();
        let _ = far.send(&hello);
        let mut near = Wire::connect(port);
        let before = near.client_hello(&his);
        near.socket().write_all(&before).unwrap();
        victim.expect("RETR secret", 150);
        owner.secure_with(&hello).unwrap();
        let (bytes, end) = owner.read_to_end();
        assert_eq!((bytes.as_slice(), end), (&b"for her eyes"[..], End::Clean), "{version:?}");
        victim.wait_for(226);
        let seen = near.secure_with(b"").map(|_| near.read_to_end().0).unwrap_or_default();
        assert_eq!(seen, b"", "{version:?}");
    }
}

#[test]
fn a_flood_at_the_port_keeps_the_owner_out_for_nothing() {
    let server = shared("prefer").start();
    fs::write(server.home().join("file"), "bytes").unwrap();
    let tls = TlsClient::new(Tls::V13);
    let mut control = Control::session(&server, Mode::Explicit, &tls, USER);
    let at = control.passive();
    // Silent ones, ones that speak something else, and the owner's own words again and again.
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(at).unwrap()).collect();
    for _ in 0..20 {
        let _ = TcpStream::connect(at).unwrap().write_all(b"GET / HTTP/1.1\r\n\r\n");
    }
    let mut owner = Wire::connect(at);
    let hello = owner.client_hello(&tls);
    let replays: Vec<Wire> = (0..6).map(|_| replay(Ipv4Addr::LOCALHOST.into(), at.port(), &hello)).collect();
    control.expect("RETR file", 150);
    owner.secure_with(&hello).unwrap();
    assert_eq!(owner.read_to_end(), (b"bytes".to_vec(), End::Clean));
    control.wait_for(226);
    drop((silent, replays));
}

#[test]
fn a_cache_that_parallel_logins_share_is_noticed_and_never_mixes_their_files() {
    for version in [Tls::V12, Tls::V13] {
        let server = shared("prefer").option("timeouts", "data_accept_s", "1").start();
        // Clones share one cache: the second login offers what the first was given.
        let tls = TlsClient::new(version);
        let mut one = Control::session(&server, Mode::Explicit, &tls, USER);
        let mut two = Control::session(&server, Mode::Explicit, &tls, USER);
        two.expect("NOOP", 200);
        // One at a time works, whichever session is presented.
        one.upload("one", b"1");
        two.upload("two", b"2");
        // While both wait, neither is given what may be the other's.
        two.passive();
        let reply = one.try_store("STOR mixed", b"1");
        assert!(
            reply.code == 425 && reply.to_string().contains("one file at a time"),
            "{version:?}: {reply}"
        );
        assert_eq!(stored(&server, "mixed"), None);
        assert_eq!(
            (stored(&server, "one").unwrap(), stored(&server, "two").unwrap()),
            (b"1".to_vec(), b"2".to_vec())
        );
    }
}

#[test]
fn lftp_moves_a_tree_over_four_connections_at_once() {
    if !needs(&["lftp"]) {
        return;
    }
    let server = Setup::new().one_data_port().start();
    let from = server.scratch().join("from");
    for number in 0..40 {
        tree::file(&from, &format!("file-{number}"), number, 1000 + number as usize);
    }
    for (mode, tls) in EVERY_WAY {
        let to = server.scratch().join("to");
        let script =
            format!("mirror -R --parallel=4 {from:?} /tree\nmirror --parallel=4 /tree {to:?}\nrm -r /tree");
        lftp(&server, mode, tls, &script).run().ok();
        tree::assert_same(&from, &to);
        fs::remove_dir_all(&to).unwrap();
    }
    // Nothing had to be tried twice.
    assert_eq!(server.cut_transfers(), 0);
}
