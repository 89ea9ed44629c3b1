//! What a server may say on the way to the login, and what must not move the machine.

use super::*;

#[test]
fn the_whole_opening_of_an_explicit_connection() {
    let mut talk = Talk::explicit();
    assert_eq!(talk.machine.awaited(), Some(GREETING));
    talk.hears("220 hi\r\n").hears("234 go\r\n");
    assert_eq!(talk.machine.awaited(), None);
    talk.secured().hears("331 password?\r\n").hears("230 in\r\n").hears("200 ok\r\n").hears("200 ok\r\n");
    talk.hears("211-Features\r\n UTF8\r\n MLST type*;size;\r\n211 End\r\n")
        .hears("200 ok\r\n")
        .hears("200 ok\r\n");
    talk.hears("200 I\r\n").hears("257 \"/home/al\"\"ice\" is it\r\n");
    assert_eq!(
        talk.said(),
        [
            "AUTH TLS",
            "USER alice",
            "PASS ****",
            "PBSZ 0",
            "PROT P",
            "FEAT",
            "OPTS UTF8 ON",
            "OPTS MLST type;size;",
            "TYPE I",
            "PWD"
        ]
    );
    let [Event::LoggedIn(session)] = talk.events.as_slice() else { panic!("{:?}", talk.events) };
    assert_eq!(session.login_folder, path("/home/al\"ice"));
    assert!(session.features.as_ref().is_some_and(|features| features.utf8));
}

#[test]
fn an_implicit_connection_begins_with_tls() {
    let mut talk = Talk::begin(Security::Implicit, DataProtection::Private);
    assert!(matches!(talk.events.as_slice(), [Event::BeginTls(_)]));
    talk.secured();
    assert_eq!(talk.machine.awaited(), Some(GREETING));
    talk.hears("220 hi\r\n").hears("331 ?\r\n").hears("230 in\r\n").hears("200 ok\r\n").hears("200 ok\r\n");
    assert_eq!(talk.said(), ["USER alice", "PASS ****", "PBSZ 0", "PROT P", "FEAT"]);
}

#[test]
fn an_implicit_server_that_speaks_before_tls_is_not_listened_to() {
    let mut talk = Talk::begin(Security::Implicit, DataProtection::Private);
    talk.hears("220 hi\r\n");
    assert_eq!(talk.failure(), Some(&Failure::Violation(Violation::BytesBehindAuth)));
    assert_eq!(talk.said(), Vec::<&str>::new());
}

/// Nothing that a server answers to AUTH, other than 234, leads on: neither a secret nor any further line is sent.
#[test]
fn only_234_begins_tls() {
    for code in (100..600).filter(|&code| code != 234) {
        let mut talk = Talk::explicit();
        talk.hears("220 hi\r\n").hears(&format!("{code} as you like\r\n")).hears("230 in\r\n");
        assert_eq!(talk.said(), ["AUTH TLS"], "{code}");
        let failure = talk.failure().unwrap_or_else(|| panic!("{code}: {:?}", talk.events));
        match code {
            421 => assert!(matches!(failure, Failure::ServiceClosed(_)), "{failure:?}"),
            400.. => assert!(
                matches!(failure, Failure::ProtectionRefused { asked: "AUTH TLS", .. }),
                "{failure:?}"
            ),
            _ => assert!(matches!(failure, Failure::Violation(Violation::Unexpected { .. })), "{failure:?}"),
        }
        assert_eq!(talk.events.len(), 1);
    }
}

#[test]
fn not_a_byte_may_stand_behind_the_234() {
    for behind in ["2", "\r\n", "230 in\r\n", "331 ?\r\n230 in\r\n", "\u{16}\u{3}\u{3}"] {
        let mut together = Talk::explicit();
        together.hears("220 hi\r\n").hears(&format!("234 go\r\n{behind}"));
        let mut apart = Talk::explicit();
        apart.hears("220 hi\r\n").hears("234 go\r\n").hears(behind);
        for talk in [together, apart] {
            assert_eq!(talk.failure(), Some(&Failure::Violation(Violation::BytesBehindAuth)), "{behind:?}");
            assert_eq!(talk.said(), ["AUTH TLS"]);
        }
    }
}

#[test]
fn a_reply_that_came_before_its_command_is_none() {
    let mut talk = Talk::explicit();
    talk.hears("220 hi\r\n234 go\r\n");
    assert!(
        matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))),
        "{:?}",
        talk.events
    );
    assert_eq!(talk.said(), Vec::<&str>::new());
    let mut talk = Talk::explicit();
    talk.hears("220 hi\r\n23");
    assert_eq!(talk.said(), Vec::<&str>::new());
    talk.hears("4 go\r\n");
    assert!(
        matches!(talk.failure(), Some(Failure::Violation(Violation::Unasked(Some(_))))),
        "{:?}",
        talk.events
    );
    assert_eq!(talk.said(), Vec::<&str>::new());
}

#[test]
fn a_greeting_that_logs_in_is_refused() {
    for (security, code) in [
        (Security::Explicit, 230),
        (Security::Explicit, 232),
        (Security::Plaintext, 230),
        (Security::Explicit, 331),
    ] {
        let mut talk = Talk::begin(security, DataProtection::Private);
        talk.hears(&format!("{code} welcome back\r\n"));
        assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Unexpected { .. }))));
        assert_eq!(talk.said(), Vec::<&str>::new());
    }
}

#[test]
fn greetings() {
    let mut talk = Talk::explicit();
    talk.hears("120 in a minute\r\n").hears("220-hi\r\n220 there\r\n");
    assert_eq!(talk.said(), ["AUTH TLS"]);
    let mut talk = Talk::explicit();
    talk.hears("421 too many\r\n");
    assert!(matches!(talk.failure(), Some(Failure::ServiceClosed(_))));
    let mut talk = Talk::explicit();
    talk.hears("530 not you\r\n");
    assert!(matches!(talk.failure(), Some(Failure::Refused { command: GREETING, .. })));
    let mut talk = Talk::explicit();
    for _ in 0..=limits::PRELIMINARY_REPLIES {
        talk.hears("120 in a minute\r\n");
    }
    assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Undecided { .. }))));
}

#[test]
fn logins() {
    let secured = |password| {
        let mut talk = Talk::with(Security::Explicit, DataProtection::Private, password);
        talk.hears("220 hi\r\n").hears("234 go\r\n").secured();
        talk
    };
    // A certificate was enough.
    for code in [230, 232] {
        let mut talk = secured(None);
        talk.hears(&format!("{code} in\r\n"));
        assert_eq!(talk.said().last(), Some(&"PBSZ 0"));
    }
    let mut talk = secured(None);
    talk.hears("331 password?\r\n");
    assert_eq!(talk.failure(), Some(&Failure::PasswordNeeded));
    for code in [332, 430, 530] {
        let mut talk = secured(Some("x"));
        talk.hears(&format!("{code} no\r\n"));
        assert!(matches!(talk.failure(), Some(Failure::LoginRefused(_))), "{code}");
        let mut talk = secured(Some("x"));
        talk.hears("331 ?\r\n").hears(&format!("{code} no\r\n"));
        assert!(matches!(talk.failure(), Some(Failure::LoginRefused(_))), "{code}");
    }
    let mut talk = secured(Some("x"));
    talk.hears("331 ?\r\n").hears("202 superfluous\r\n");
    assert_eq!(talk.said().last(), Some(&"PBSZ 0"));
    for code in [150, 200, 220, 334, 350] {
        let mut talk = secured(Some("x"));
        talk.hears(&format!("{code} hm\r\n"));
        assert!(matches!(talk.failure(), Some(Failure::Violation(Violation::Unexpected { .. }))), "{code}");
    }
}

#[test]
fn data_is_protected_as_asked_or_there_is_none() {
    let until_prot = |security, protection, reply: &str| {
        let mut talk = Talk::begin(security, protection);
        match security {
            Security::Explicit => talk.hears("220 hi\r\n").hears("234 go\r\n").secured(),
            _ => talk.secured().hears("220 hi\r\n"),
        };
        talk.hears("230 in\r\n").hears("500 PBSZ?\r\n").hears(reply);
        talk
    };
    use DataProtection::{Clear, Private};
    use Security::{Explicit, Implicit};
    for (security, protection, code) in [
        (Explicit, Private, 500),
        (Explicit, Private, 502),
        (Explicit, Private, 504),
        (Explicit, Private, 534),
        (Explicit, Private, 431),
        (Implicit, Private, 534),
        (Explicit, Clear, 534),
        (Explicit, Clear, 500),
        (Implicit, Clear, 534),
        (Implicit, Clear, 502),
    ] {
        let talk = until_prot(security, protection, &format!("{code} no\r\n"));
        let asked = if protection == Private { "PROT P" } else { "PROT C" };
        let failure = talk.failure().unwrap_or_else(|| panic!("{security:?} {protection:?} {code}"));
        assert!(matches!(failure, Failure::ProtectionRefused { asked: a, .. } if *a == asked), "{failure:?}");
        assert_eq!(talk.said().last(), Some(&asked));
    }
    for code in [334, 350, 150] {
        let talk = until_prot(Explicit, Private, &format!("{code} hm\r\n"));
        assert!(matches!(talk.failure(), Some(Failure::Violation(_))), "{code}");
    }
    // There all data is under TLS whether the server knows the command or not.
    assert_eq!(until_prot(Implicit, Private, "502 what?\r\n").said().last(), Some(&"FEAT"));
    assert_eq!(until_prot(Explicit, Clear, "200 ok\r\n").said().last(), Some(&"FEAT"));
}

#[test]
fn plaintext_asks_for_no_protection_and_only_where_it_was_asked_for() {
    let mut talk = Talk::begin(Security::Plaintext, DataProtection::Private);
    talk.hears("220 hi\r\n").hears("331 ?\r\n").hears("230 in\r\n").hears("500 FEAT?\r\n").hears("200 I\r\n");
    assert_eq!(talk.said(), ["USER alice", "PASS ****", "FEAT", "TYPE I", "PWD"]);
}

#[test]
fn a_server_that_does_not_say_where_it_is() {
    for reply in ["502 PWD?\r\n", "257 home\r\n", "257 \"C:\\\\inetpub\"\r\n", "257 \"\"\r\n"] {
        let mut talk = Talk::begin(Security::Plaintext, DataProtection::Private);
        talk.hears("220 hi\r\n").hears("230 in\r\n").hears("500 FEAT?\r\n").hears("200 I\r\n").hears(reply);
        let [Event::LoggedIn(session)] = talk.events.as_slice() else { panic!("{:?}", talk.events) };
        assert_eq!(session.login_folder, RemotePath::unnamed_login_folder(), "{reply}");
        assert_eq!(session.features, None);
    }
}

#[test]
fn a_server_that_will_not_do_binary_is_of_no_use() {
    let mut talk = Talk::begin(Security::Plaintext, DataProtection::Private);
    talk.hears("220 hi\r\n").hears("230 in\r\n").hears("500 FEAT?\r\n").hears("504 text only\r\n");
    assert!(matches!(talk.failure(), Some(Failure::Refused { command: "TYPE I", .. })));
}

#[test]
fn a_login_cannot_carry_a_command() {
    for text in ["a\r\nDELE b", "a\r", "a\n", "a\0"] {
        assert_eq!(Login::new(text, None).unwrap_err(), BadLogin::User);
        assert_eq!(Login::new("a", Some(Zeroizing::new(text.to_owned()))).unwrap_err(), BadLogin::Password);
    }
    assert_eq!(Login::new("", None).unwrap_err(), BadLogin::User);
    assert!(Login::new("a", Some(Zeroizing::default())).is_ok(), "an empty password is one");
}

#[test]
fn a_password_is_never_shown() {
    let login = Login::new("alice", Some(Zeroizing::new("sesame".to_owned()))).unwrap();
    let plan = Plan { security: Security::Plaintext, data_protection: DataProtection::Private, login };
    let mut machine = Machine::new(plan, Extended::default());
    machine.receive(b"220 hi\r\n");
    assert!(machine.next_event().is_none());
    machine.transmit();
    machine.receive(b"331 ?\r\n");
    assert!(machine.next_event().is_none());
    assert!(!format!("{machine:?}").contains("sesame"), "{machine:?}");
    assert_eq!(machine.transmit().unwrap().bytes(), b"PASS sesame\r\n");
}
