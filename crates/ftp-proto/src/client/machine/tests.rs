//! The machine against servers of all kinds, line by line. How it fares with our own server is in `simulation`.

mod opening;
mod operations;
mod simulation;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::client::RemotePath;

/// A machine, everything it has said, and everything that has happened.
struct Talk {
    machine: Machine,
    said: Vec<String>,
    events: Vec<Event>,
}

impl Talk {
    fn begin(security: Security, data_protection: DataProtection) -> Talk {
        Talk::with(security, data_protection, Some("sesame"))
    }

    fn with(security: Security, data_protection: DataProtection, password: Option<&str>) -> Talk {
        let login = Login::new("alice", password.map(|text| Zeroizing::new(text.to_owned()))).unwrap();
        let plan = Plan { security, data_protection, login };
        let mut talk =
            Talk { machine: Machine::new(plan, Extended::default()), said: Vec::new(), events: Vec::new() };
        talk.pump();
        talk
    }

    fn explicit() -> Talk {
        Talk::begin(Security::Explicit, DataProtection::Private)
    }

    /// Behind the login, in TLS. What was said until then is forgotten.
    fn logged_in() -> Talk {
        let mut talk = Talk::explicit();
        talk.hears("220 hi\r\n").hears("234 go\r\n").secured();
        talk.hears("331 ?\r\n").hears("230 in\r\n").hears("200 ok\r\n").hears("200 ok\r\n");
        talk.hears("500 FEAT?\r\n").hears("200 I\r\n").hears("257 \"/home\"\r\n");
        assert!(matches!(talk.events.as_slice(), [Event::LoggedIn(_)]), "{:?}", talk.events);
        talk.said.clear();
        talk.events.clear();
        talk
    }

    fn hears(&mut self, text: &str) -> &mut Talk {
        self.machine.receive(text.as_bytes());
        self.pump();
        self
    }

    fn secured(&mut self) -> &mut Talk {
        let Some(Event::BeginTls(upgrade)) = self.events.pop() else { panic!("no TLS: {:?}", self.events) };
        self.machine.tls_established(upgrade);
        self.pump();
        self
    }

    fn begins(&mut self, transfer: Transfer) -> &mut Talk {
        self.machine.transfer(transfer, Route::Passive);
        self.pump();
        self
    }

    fn asks(&mut self, command: &Command) -> &mut Talk {
        self.machine.ask(command);
        self.pump();
        self
    }

    fn connected(&mut self) -> &mut Talk {
        self.machine.channel_connected();
        self.pump();
        self
    }

    fn pump(&mut self) {
        while let Some(event) = self.machine.next_event() {
            self.events.push(event);
        }
        if let Some(line) = self.machine.transmit() {
            assert!(
                line.bytes().ends_with(b"\r\n") && line.bytes().iter().filter(|b| **b == b'\n').count() == 1
            );
            self.said.push(line.shown());
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match self.events.last() {
            Some(Event::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    fn said(&self) -> Vec<&str> {
        self.said.iter().map(String::as_str).collect()
    }
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text.as_bytes()).unwrap()
}

fn retrieve(from: u64) -> Transfer {
    Transfer::Retrieve(path("/f"), from)
}

#[test]
fn replies_to_nothing_end_the_connection() {
    let mut talk = Talk::logged_in();
    talk.hears("226 again\r\n");
    assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))));
    let mut talk = Talk::logged_in();
    talk.begins(retrieve(0)).hears("229 ok (|||50000|)\r\n").hears("150 too early\r\n");
    assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))));
    // Two for one: the second would be taken for the answer to RNTO.
    let mut talk = Talk::logged_in();
    talk.asks(&Command::RenameFrom(path("/a"))).hears("350 ok\r\n250 renamed\r\n");
    assert!(matches!(talk.events.first(), Some(Event::Answered(_))));
    assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))));
    assert_eq!(talk.said(), ["RNFR /a"]);
}

#[test]
fn a_reply_to_a_line_that_was_not_sent_is_none() {
    let mut talk = Talk::logged_in();
    talk.machine.ask(&Command::RemoveFile(path("/a")));
    talk.hears("250 removed\r\n");
    assert!(
        matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))),
        "{:?}",
        talk.events
    );
    assert_eq!(talk.said(), Vec::<&str>::new(), "and it is not sent any more");
}

#[test]
fn a_421_that_has_begun_to_come_is_waited_for() {
    let asks = |begun: &str, rest: &str| {
        let mut talk = Talk::logged_in();
        talk.hears(begun);
        talk.machine.ask(&Command::Quit);
        talk.pump();
        assert!(talk.said.is_empty(), "nothing is said behind what has begun to come: {:?}", talk.said);
        talk.hears(rest);
        assert!(talk.said.is_empty(), "{:?}", talk.said);
        talk
    };
    let talk = asks("421 No command for", " 300 seconds\r\n");
    assert!(matches!(talk.failure(), Some(Failure::ServiceClosed(_))), "{:?}", talk.events);
    // And anything else is no answer, whenever its end comes.
    let talk = asks("22", "1 slipped in\r\n");
    assert!(
        matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))),
        "{:?}",
        talk.events
    );
}

#[test]
fn a_421_ends_everything_at_any_time() {
    for steps in 0..6 {
        let mut talk = Talk::logged_in();
        if steps > 0 {
            talk.begins(retrieve(3));
        }
        if steps > 1 {
            talk.hears("229 ok (|||50000|)\r\n");
        }
        if steps > 2 {
            talk.connected();
        }
        if steps > 3 {
            talk.hears("350 ok\r\n");
        }
        if steps > 4 {
            talk.hears("150 ok\r\n");
        }
        talk.hears("421 going down\r\n");
        assert!(matches!(talk.failure(), Some(Failure::ServiceClosed(_))), "step {steps}: {:?}", talk.events);
        talk.hears("226 x\r\n");
        assert!(matches!(talk.failure(), Some(Failure::ServiceClosed(_))), "nothing comes behind it");
    }
}

#[test]
fn an_end_without_a_word_counts_behind_what_was_said() {
    let mut talk = Talk::logged_in();
    talk.asks(&Command::Quit);
    talk.machine.receive(b"221 bye\r\n");
    talk.machine.end_of_input();
    talk.pump();
    assert!(
        matches!(talk.events.as_slice(), [Event::Answered(_), Event::Failed(Failure::Ended)]),
        "{:?}",
        talk.events
    );
}

/// Replies as servers and attackers send them, in any order.
fn replies() -> impl Strategy<Value = Vec<String>> {
    let reply = prop_oneof![
        8 => (prop::sample::select(vec![
            120u16, 125, 150, 200, 202, 211, 213, 220, 226, 227, 229, 230, 232, 234, 250, 257, 331, 332, 334, 350, 421, 425,
            500, 502, 522, 530, 534, 550,
        ]), prop::sample::select(vec!["ok", "(|||5|)", "(1,2,3,4,5,6)", "\"/\"", ""]))
            .prop_map(|(code, text)| format!("{code} {text}\r\n")),
        1 => Just("220-a\r\n b\r\n220 c\r\n".to_owned()),
        1 => "[ -~]{0,8}\r\n",
        1 => "[0-9]{1,3}",
    ];
    prop::collection::vec(reply, 0..24)
}

proptest! {
    /// The one rule that nothing may break: no USER and no PASS before the handshake, whatever a server says.
    #[test]
    fn no_server_gets_a_login_in_clear(replies in replies()) {
        let mut talk = Talk::explicit();
        for reply in &replies {
            talk.hears(reply);
        }
        prop_assert!(talk.said.iter().all(|line| line == "AUTH TLS"), "{:?}", talk.said);
    }

    #[test]
    fn any_bytes_are_survived_and_failures_are_final(replies in replies(), noise: Vec<u8>) {
        for mut talk in [Talk::begin(Security::Plaintext, DataProtection::Private), Talk::logged_in()] {
            for reply in &replies {
                talk.hears(reply);
                if matches!(talk.events.last(), Some(Event::Dial(_))) {
                    talk.connected();
                }
                if matches!(talk.events.last(), Some(Event::LoggedIn(_))) {
                    talk.begins(retrieve(1));
                }
            }
            talk.machine.receive(&noise);
            talk.machine.end_of_input();
            talk.pump();
            let failures = talk.events.iter().filter(|event| matches!(event, Event::Failed(_))).count();
            prop_assert_eq!(failures, 1);
            prop_assert!(talk.failure().is_some());
        }
    }
}
