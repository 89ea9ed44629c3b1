//! The machine against any bytes, in any pieces; and its clock. What it says command by command is in the transcripts.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::verb::TABLE;

fn policy(mode: Mode, plaintext: Plaintext) -> Policy {
    Policy {
        mode,
        plaintext,
        data_protection: DataProtection::Require,
        compression: Compression::Refused,
        certificates: Certificates::NotAsked,
        clearing: Clearing::Allowed,
        fxp: Fxp::EitherSide,
        tls_timeout: Duration::from_secs(30),
        login_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(300),
        login_failures: 3,
        greeting: "Carrack".to_owned(),
    }
}

fn said(server: &mut Server) -> String {
    String::from_utf8_lossy(&server.transmit().unwrap_or_default()).into_owned()
}

/// Plays a driver that says yes to everything, and begins transfers that end only when `unfinished` is asked to.
struct Driver {
    server: Server,
    now: Instant,
    heard: Vec<String>,
    running: Option<Running>,
}

impl Driver {
    fn new(policy: Policy) -> Driver {
        let now = Instant::now();
        Driver { server: Server::new(policy, now), now, heard: Vec::new(), running: None }
    }

    fn logged_in() -> Driver {
        let mut driver = Driver::new(policy(Mode::Implicit, Plaintext::Refuse));
        driver.receive(b"USER a\r\nPASS b\r\n");
        driver
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.server.receive(bytes, self.now);
        self.pump();
    }

    fn pump(&mut self) {
        let now = self.now;
        while let Some(event) = self.server.next_event(now) {
            self.heard.push(format!("{event:?}"));
            match event {
                Event::BeginTls(pending) => self.server.tls_established(pending, now),
                Event::EndTls(pending) => self.server.tls_ended(pending, now),
                Event::Host { pending, .. } => {
                    self.server.host_accepted(pending, now);
                }
                Event::Introduction { pending, .. } => self.server.password_needed(pending),
                Event::Login { pending, .. } => self.server.login_accepted(pending, Grant::default(), now),
                Event::Passive { pending, .. } => {
                    self.server.listening(pending, SocketAddr::from(([192, 0, 2, 1], 50_000)));
                }
                Event::Active { pending, .. } => self.server.connecting(pending),
                Event::Request { request, pending } => {
                    let code = match request {
                        Request::RenameFrom { .. } => Code::PENDING_FURTHER_INFORMATION,
                        _ => Code::FILE_ACTION_OKAY,
                    };
                    self.server.answer(pending, Reply::new(code, b"\r\n\0\xff yes"), now);
                }
                Event::Transfer { pending, .. } => {
                    self.running = Some(self.server.begin(pending, "Opening."))
                }
                Event::Hash { pending, .. } => {
                    self.server.answer(pending, Reply::new(Code::FILE_STATUS, "SHA-256 0-0 00 a"), now);
                }
                Event::Abort(pending) => {
                    self.end();
                    self.server.answer(pending, Reply::new(Code::CLOSING_DATA_CONNECTION, "Aborted."), now);
                }
                Event::Status(pending) => {
                    let lines = self.server.status();
                    self.server.answer(
                        pending,
                        Reply::lines(Code::SYSTEM_STATUS, "Status", lines, "End"),
                        now,
                    );
                }
                Event::HostForgotten | Event::LoggedOut | Event::CloseDataPort | Event::Close(_) => {}
            }
        }
    }

    fn end(&mut self) {
        if let Some(running) = self.running.take() {
            self.server.end(running, Reply::new(Code::TRANSFER_ABORTED, "Aborted."), self.now);
        }
    }
}

/// Lines as clients and attackers send them: verbs with arguments of all kinds, and noise.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        6 => (0..TABLE.len(), prop::sample::select(vec![
            "", " ", " a", " 0", " -1", " A", " I", " P", " C", " TLS", " ALL", " 2", " -la x", " MLST size;", " 127,0,0,1,9,9",
            " |1|127.0.0.1|2000|", "\t", " a\0b", " \u{fc}",
        ]))
            .prop_map(|(row, argument)| format!("{}{argument}\r\n", TABLE[row].name).into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(b"\xff\xf4\xff\xf2".to_vec()),
        1 => Just([&[b'x'; 5000][..], b"\r\n"].concat()),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// Whether bytes may stand on the control connection: lines of a code and printable text. Telnet's own bytes are taken out.
fn is_wire(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "");
    !text.contains(|byte: char| byte.is_ascii_control())
}

/// Without the Telnet refusals, whose option byte may be any.
fn without_telnet(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match rest {
            [0xff, 0xfc | 0xfe, _, behind @ ..] => behind,
            _ => {
                text.push(byte);
                behind
            }
        };
    }
    text
}

#[test]
fn an_end_right_behind_auth_is_an_end() {
    let now = Instant::now();
    let mut server = Server::new(policy(Mode::Explicit, Plaintext::Refuse), now);
    server.receive(b"AUTH TLS\r\n", now);
    server.end_of_input();
    assert!(matches!(server.next_event(now), Some(Event::BeginTls(_))));
    assert_eq!(server.next_event(now), Some(Event::Close(CloseReason::EndOfInput)));
    assert_eq!(server.next_event(now), None);
}

proptest! {
    #[test]
    fn any_split_of_any_bytes_gives_the_same_events_and_replies(bytes in input(), cuts: [prop::sample::Index; 4], logged_in: bool) {
        let start = || if logged_in { Driver::logged_in() } else {
            Driver::new(policy(Mode::Explicit, Plaintext::Allow { except: Vec::new() }))
        };
        // Behind AUTH the split decides what has arrived before TLS: that is its whole point, and a transcript's subject.
        prop_assume!(!bytes.to_ascii_uppercase().windows(5).any(|window| window == b"AUTH "));
        let mut whole = start();
        whole.receive(&bytes);
        let mut pieces = start();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            pieces.receive(&bytes[from..cut]);
            from = cut;
        }
        prop_assert_eq!(&whole.heard, &pieces.heard);
        // Telnet's refusals are given while bytes come in, replies while commands are carried out: their order may differ.
        let [output, in_pieces] = [whole, pieces].map(|mut driver| without_telnet(&driver.server.transmit().unwrap_or_default()));
        prop_assert_eq!(&output, &in_pieces);
        prop_assert!(is_wire(&output));
    }

    #[test]
    fn any_bytes_in_any_state_are_survived(before in input(), noise: Vec<u8>, after in input()) {
        for mut driver in [Driver::new(policy(Mode::Explicit, Plaintext::Allow { except: Vec::new() })), Driver::logged_in()] {
            driver.receive(&before);
            driver.receive(&noise);
            driver.receive(&after);
            driver.end();
            driver.pump();
            driver.server.end_of_input();
            driver.pump();
            driver.end();
            driver.pump();
            let last = driver.heard.last().cloned().unwrap_or_default();
            prop_assert!(last.starts_with("Close("), "{last}");
            prop_assert_eq!(driver.heard.iter().filter(|event| event.starts_with("Close(")).count(), 1);
        }
    }
}

fn other(plaintext: Plaintext) -> Policy {
    Policy { greeting: "Other\nof two lines".to_owned(), ..policy(Mode::Explicit, plaintext) }
}

#[test]
fn a_greeting_that_nobody_has_read_gives_way_and_a_later_one_is_said_once() {
    let allow = || Plaintext::Allow { except: Vec::new() };
    let mut driver = Driver::new(policy(Mode::Explicit, allow()));
    driver.server.hold_to(other(allow()), driver.now);
    assert_eq!(said(&mut driver.server), "220-Other\r\n220 of two lines\r\n");
    driver.receive(b"USER a\r\nPASS b\r\n");
    assert!(said(&mut driver.server).ends_with("\r\n230 Logged in.\r\n"), "it was said");

    let mut driver = Driver::new(policy(Mode::Explicit, allow()));
    assert_eq!(said(&mut driver.server), "220 Carrack\r\n");
    driver.server.hold_to(other(allow()), driver.now);
    assert_eq!(said(&mut driver.server), "");
    driver.receive(b"USER a\r\nPASS b\r\n");
    let told = said(&mut driver.server);
    assert!(told.ends_with("\r\n230-Other\r\n of two lines\r\n230 Logged in.\r\n"), "{told}");

    let mut driver = Driver::new(policy(Mode::Explicit, allow()));
    said(&mut driver.server);
    driver.server.hold_to(other(allow()), driver.now);
    driver.receive(b"HOST b\r\nHOST b\r\n");
    assert_eq!(
        said(&mut driver.server),
        "220-Other\r\n of two lines\r\n220 Host accepted.\r\n220 Host accepted.\r\n"
    );
}

#[test]
fn what_is_held_to_counts_for_the_next_command_and_asks_for_tls_in_time() {
    let mut driver = Driver::new(policy(Mode::Explicit, Plaintext::Allow { except: Vec::new() }));
    let begin = driver.now;
    driver.receive(b"USER a\r\n");
    assert!(said(&mut driver.server).ends_with("331 Password required.\r\n"));
    driver.now = begin + Duration::from_secs(7);
    let stricter = Policy { tls_timeout: Duration::from_secs(5), ..other(Plaintext::Refuse) };
    driver.server.hold_to(stricter.clone(), driver.now);
    driver.receive(b"USER a\r\n");
    assert!(said(&mut driver.server).starts_with("530 This server wants TLS"));
    assert_eq!(driver.server.deadline(), Some(begin + Duration::from_secs(12)));
    driver.server.hold_to(stricter, begin + Duration::from_secs(11));
    assert_eq!(driver.server.deadline(), Some(begin + Duration::from_secs(12)), "nothing prolongs it");
}

#[test]
fn the_login_deadline_is_absolute() {
    let mut driver = Driver::new(policy(Mode::Implicit, Plaintext::Refuse));
    let begin = driver.now;
    driver.now = begin + Duration::from_secs(29);
    driver.receive(b"NOOP\r\nUSER a\r\n");
    assert_eq!(driver.server.deadline(), Some(begin + Duration::from_secs(30)));
    driver.server.expire(driver.now);
    assert_eq!(driver.server.next_event(driver.now), None);
    driver.now = begin + Duration::from_secs(30);
    driver.server.expire(driver.now);
    assert_eq!(driver.server.next_event(driver.now), Some(Event::Close(CloseReason::LoginTimeout)));
    assert!(said(&mut driver.server).ends_with("421 No login within 30 seconds; closing.\r\n"));
    assert_eq!(driver.server.deadline(), None);
}

#[test]
fn the_idle_deadline_counts_from_the_last_command_or_the_transfers_end() {
    let mut driver = Driver::logged_in();
    let begin = driver.now;
    let after = |seconds| begin + Duration::from_secs(seconds);
    driver.now = after(10);
    driver.receive(b"PWD\r\nPW");
    driver.now = after(20);
    driver.receive(b"D");
    assert_eq!(driver.server.deadline(), Some(after(310)), "bytes that are no command prolong nothing");
    driver.receive(b"\r\nPASV\r\nRETR x\r\n");
    assert_eq!(driver.server.deadline(), None, "a transfer has its own deadlines");
    driver.now = after(1000);
    driver.end();
    assert_eq!(driver.server.deadline(), Some(after(1300)));
}

#[test]
fn neither_noop_nor_what_is_refused_keeps_a_session() {
    let mut driver = Driver::logged_in();
    let begin = driver.now;
    let after = |seconds| begin + Duration::from_secs(seconds);
    for (second, line) in
        [(10, "NOOP"), (20, "noop"), (30, "XYZZY"), (40, "TYPE"), (50, "PASS b"), (60, "MODE B")]
    {
        driver.now = after(second);
        driver.receive(format!("{line}\r\n").as_bytes());
        assert_eq!(driver.server.deadline(), Some(after(300)), "{line}");
    }
    driver.receive(b"TYPE I\r\n");
    assert_eq!(driver.server.deadline(), Some(after(360)));
}

#[test]
fn the_deadline_for_tls_is_there_where_nobody_may_go_without() {
    let sooner = |mode, plaintext| Policy { tls_timeout: Duration::from_secs(10), ..policy(mode, plaintext) };
    let mut driver = Driver::new(sooner(Mode::Explicit, Plaintext::Refuse));
    let begin = driver.now;
    let after = |seconds| begin + Duration::from_secs(seconds);
    driver.now = after(5);
    driver.receive(b"NOOP\r\nUSER a\r\n");
    assert_eq!(driver.server.deadline(), Some(after(10)));
    driver.now = after(10);
    driver.server.expire(driver.now);
    assert_eq!(driver.server.next_event(driver.now), Some(Event::Close(CloseReason::TlsTimeout)));
    assert!(said(&mut driver.server).ends_with("421 No TLS within 10 seconds; closing.\r\n"));

    let mut driver = Driver::new(sooner(Mode::Explicit, Plaintext::Refuse));
    driver.receive(b"AUTH TLS\r\n");
    assert_eq!(driver.server.deadline(), Some(driver.now + Duration::from_secs(30)), "TLS is there");
    let limited = Plaintext::Limit { users: vec!["a".to_owned()] };
    for plaintext in [limited, Plaintext::Allow { except: Vec::new() }] {
        let driver = Driver::new(sooner(Mode::Explicit, plaintext));
        assert_eq!(driver.server.deadline(), Some(driver.now + Duration::from_secs(30)));
        assert_eq!(driver.server.handshake_deadline(), driver.server.deadline());
    }
    let driver = Driver::new(sooner(Mode::Implicit, Plaintext::Refuse));
    assert_eq!(driver.server.handshake_deadline(), Some(driver.now + Duration::from_secs(10)));
    assert_eq!(driver.server.deadline(), Some(driver.now + Duration::from_secs(30)));
}

#[test]
fn plaintext_is_for_some_users_and_no_other_name_is_told() {
    let answer = |plaintext: &Plaintext, user: &str| {
        let mut driver = Driver::new(policy(Mode::Explicit, plaintext.clone()));
        let _ = said(&mut driver.server);
        driver.receive(format!("USER {user}\r\n").as_bytes());
        said(&mut driver.server)
    };
    let limited = Plaintext::Limit { users: vec!["anonymous".to_owned(), "scanner".to_owned()] };
    let allowed = Plaintext::Allow { except: vec!["alice".to_owned()] };
    assert!(
        answer(&limited, "scanner").starts_with("331") && answer(&limited, "anonymous").starts_with("331")
    );
    assert!(answer(&allowed, "bob").starts_with("331"));
    for refused in [answer(&limited, "alice"), answer(&limited, "nobody"), answer(&allowed, "alice")] {
        assert!(refused.starts_with("530") && refused.contains("AUTH TLS"), "{refused}");
        assert!(!refused.contains("anonymous") && !refused.contains("scanner"), "{refused}");
    }
}

#[test]
fn logging_out_gives_the_next_login_its_own_time() {
    let mut driver = Driver::logged_in();
    driver.now += Duration::from_secs(100);
    driver.receive(b"USER b\r\n");
    assert_eq!(driver.server.deadline(), Some(driver.now + Duration::from_secs(30)));
}

#[test]
fn a_pipeline_is_bounded() {
    let mut driver = Driver::logged_in();
    driver.receive(b"PASV\r\nRETR x\r\n");
    let mut taken = 0;
    while driver.server.wants_bytes() {
        driver.receive(b"CWD a\r\n");
        taken += 1;
    }
    assert_eq!(taken, limits::PIPELINED_COMMANDS);
    driver.end();
    driver.pump();
    assert!(driver.server.wants_bytes());
}

#[test]
fn a_late_answer_does_nothing() {
    let mut driver = Driver::logged_in();
    let now = driver.now;
    driver.server.receive(b"CWD a\r\n", now);
    let Some(Event::Request { pending, .. }) = driver.server.next_event(now) else { panic!("no request") };
    driver.server.answer(pending, Reply::new(Code::SERVICE_NOT_AVAILABLE, "The disk is gone; closing."), now);
    assert_eq!(driver.server.next_event(now), Some(Event::Close(CloseReason::ServiceNotAvailable)));
    let _ = said(&mut driver.server);
    driver.server.receive(b"NOOP\r\n", now);
    driver.server.answer(
        Pending::<RequestKind>::new(Serial::default()),
        Reply::new(Code::COMMAND_OKAY, "?"),
        now,
    );
    assert_eq!(driver.server.next_event(now), None);
    assert_eq!(driver.server.transmit(), None);
}

#[test]
fn a_password_is_never_shown() {
    assert_eq!(format!("{:?}", Password::new(b"sesame".to_vec())), "Password(****)");
}

#[test]
fn a_refusal_names_its_command_and_its_option_and_there_is_an_end_to_them() {
    let now = Instant::now();
    let mut server = Server::new(policy(Mode::Explicit, Plaintext::Refuse), now);
    server.receive(b"USER alice\r\nWHAT\r\n", now);
    while server.next_event(now).is_some() {}
    let refusals = server.take_refusals();
    let shown: Vec<_> = refusals.iter().map(|one| (one.verb, one.code.number(), one.option)).collect();
    assert_eq!(shown, [(Some(Verb::User), 530, Some("listen.plaintext")), (None, 500, None)]);
    assert!(server.take_refusals().is_empty());
    let mut driver = Driver::logged_in();
    driver.receive(&b"WHAT\r\n".repeat(200));
    assert_eq!(driver.server.take_refusals().len(), refusal::MOST);
}
