//! Logins that must fail alike.

use super::*;
use crate::backend::{self, Backend, Located};
use crate::certificate::CertificateRule;
use crate::password::{Cost, PasswordHash};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

const CHEAP: Cost = Cost::Argon2id { memory_kib: 8, passes: 1, lanes: 1 };

/// A store that is never asked anything.
struct Nowhere;

type Refusal<T> = crate::error::Result<T>;

impl Backend for Nowhere {
    fn capabilities(&self) -> backend::Capabilities {
        backend::Capabilities::default()
    }
    fn stat(&self, _: &Located<backend::Stat>) -> Refusal<backend::Metadata> {
        unreachable!()
    }
    fn list(&self, _: &Located<backend::List>, _: Option<&str>) -> Refusal<backend::Listing> {
        unreachable!()
    }
    fn open(&self, _: &Located<backend::Read>) -> Refusal<Box<dyn backend::ReadFile>> {
        unreachable!()
    }
    fn create(
        &self,
        _: &Located<backend::Write>,
        _: &str,
        _: backend::Start,
    ) -> Refusal<Box<dyn backend::WriteFile>> {
        unreachable!()
    }
    fn partial(&self, _: &Located<backend::Resume>, _: &str) -> Refusal<Option<backend::Partial>> {
        unreachable!()
    }
    fn drop_partial(&self, _: &Located<backend::Resume>, _: &str) -> Refusal<bool> {
        unreachable!()
    }
    fn make_directory(&self, _: &Located<backend::Mkdir>) -> Refusal<()> {
        unreachable!()
    }
    fn remove_directory(&self, _: &Located<backend::Delete>) -> Refusal<()> {
        unreachable!()
    }
    fn remove_file(&self, _: &Located<backend::Delete>) -> Refusal<()> {
        unreachable!()
    }
    fn rename(&self, _: &Located<backend::Rename>, _: &Located<backend::RenameTo>) -> Refusal<()> {
        unreachable!()
    }
}

struct Two;

/// Where nobody comes from.
struct Elsewhere;

impl crate::account::Networks for Elsewhere {
    fn contain(&self, _: IpAddr) -> bool {
        false
    }
}

impl Accounts for Two {
    fn find(&self, user: User<'_>) -> Option<Arc<Account>> {
        let name = user.name;
        let credential = match name {
            "alice" => {
                let hash = password::hash_with(b"secret", CHEAP).unwrap();
                Credential::Password(PasswordHash::parse(&hash).unwrap())
            }
            "anonymous" => Credential::Anyone,
            "certificate" => Credential::NoPassword,
            "anybody-certified" => {
                let anybody = Account::new(name, Credential::Anyone, Arc::new(Nowhere));
                return Some(certified(&anybody, "certificate"));
            }
            "elsewhere" | "anybody-elsewhere" | "certified-elsewhere" => {
                let here = match name {
                    "elsewhere" => self.find("alice".into()),
                    "anybody-elsewhere" => self.find("anonymous".into()),
                    _ => self.find("certificate".into()),
                }?;
                let confined = here.confined_to(&[]);
                return Some(Arc::new(Account { networks: Some(Arc::new(Elsewhere)), ..confined }));
            }
            "both" | "either" => return self.find("alice".into()).map(|alice| certified(&alice, name)),
            _ => return None,
        };
        let account = Account::new(name, credential, Arc::new(Nowhere));
        Some(if name == "certificate" { certified(&account, name) } else { Arc::new(account) })
    }

    fn decoy_cost(&self) -> Cost {
        CHEAP
    }
}

/// The same account, for whom a certificate with the key `[1; 32]` counts.
fn certified(account: &Account, name: &str) -> Arc<Account> {
    let login = match name {
        "certificate" => LoginRule::Certificate,
        "both" => LoginRule::Both,
        _ => LoginRule::Either,
    };
    let certificates = vec![CertificateRule::Key([1; 32])];
    let copy = Account::new(name, account.credential.clone(), Arc::clone(&account.home));
    Arc::new(Account { login, certificates, ..copy })
}

#[tokio::test]
async fn a_certificate_counts_where_the_account_says_so() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    let right = Certificate { key_sha256: [1; 32], ..Certificate::default() };
    let wrong = Certificate { key_sha256: [2; 32], ..Certificate::default() };
    let (right, wrong) = (Some(&right), Some(&wrong));
    let refused = |why| Err(LoginError::Refused(why));
    for (user, certificate, password, alone, outcome) in [
        ("certificate", right, "", true, Ok(())),
        ("certificate", wrong, "secret", false, refused(Why::NoCertificate)),
        ("certificate", None, "secret", false, refused(Why::NoCertificate)),
        ("both", right, "secret", false, Ok(())),
        ("both", right, "wrong", false, refused(Why::WrongPassword)),
        ("both", wrong, "secret", false, refused(Why::NoCertificate)),
        ("both", None, "secret", false, refused(Why::NoCertificate)),
        ("both", None, "wrong", false, refused(Why::WrongPassword)),
        ("either", right, "wrong", true, Ok(())),
        ("either", wrong, "secret", false, Ok(())),
        ("either", None, "secret", false, Ok(())),
        ("either", wrong, "wrong", false, refused(Why::WrongPassword)),
        ("alice", right, "secret", false, Ok(())),
        ("alice", right, "wrong", false, refused(Why::WrongPassword)),
        ("nobody", right, "secret", false, refused(Why::UnknownUser)),
        ("anonymous", wrong, "", false, Ok(())),
        ("anybody-certified", right, "", true, Ok(())),
        ("anybody-certified", wrong, "", false, refused(Why::NoCertificate)),
        ("anybody-certified", None, "", false, refused(Why::NoCertificate)),
    ] {
        let what = format!("{user} with {certificate:?} and {password:?}");
        assert_eq!(authenticator.by_certificate(HERE, user.into(), certificate).is_some(), alone, "{what}");
        let login = authenticator.authenticate(HERE, user.into(), password.as_bytes(), certificate).await;
        assert_eq!(login.map(drop), outcome, "{what}");
    }
}

#[tokio::test]
async fn who_showed_a_certificate_that_counts_no_more_is_refused_with_the_right_password_too() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    for (user, password) in [("alice", "secret"), ("either", "secret"), ("anonymous", ""), ("nobody", "")] {
        let refusal = authenticator.refuse_certificate(HERE, user.into(), password.as_bytes()).await;
        assert_eq!(refusal, LoginError::Refused(Why::RefusedCertificate), "{user}");
    }
}

#[tokio::test]
async fn only_the_right_password_logs_in() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    assert_eq!(
        authenticator.authenticate(HERE, "alice".into(), b"secret", None).await.unwrap().name,
        "alice"
    );
    assert_eq!(
        authenticator.authenticate(HERE, "anonymous".into(), b"me@example.org", None).await.unwrap().name,
        "anonymous"
    );
    let long = [b'x'; MAX_PASSWORD + 1];
    for (user, password, why) in [
        ("alice", b"wrong".as_slice(), Why::WrongPassword),
        ("alice", b"", Why::WrongPassword),
        ("alice", &long, Why::PasswordTooLong),
        ("bob", b"secret", Why::UnknownUser),
        ("bob", &long, Why::PasswordTooLong),
        ("anonymous", &long, Why::PasswordTooLong),
    ] {
        let error = authenticator.authenticate(HERE, user.into(), password, None).await.unwrap_err();
        assert_eq!(error, LoginError::Refused(why));
        assert_eq!(error.to_string(), "login incorrect");
    }
}

#[tokio::test]
async fn a_user_who_may_not_come_from_there_is_refused_like_a_wrong_password_with_any_proof() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    let right = Certificate { key_sha256: [1; 32], ..Certificate::default() };
    for (user, password, certificate) in [
        ("elsewhere", b"secret".as_slice(), None),
        ("elsewhere", b"wrong", None),
        ("anybody-elsewhere", b"", None),
        ("certified-elsewhere", b"", Some(&right)),
    ] {
        assert!(authenticator.by_certificate(HERE, user.into(), certificate).is_none(), "{user}");
        let error = authenticator.authenticate(HERE, user.into(), password, certificate).await.unwrap_err();
        assert_eq!(error, LoginError::Refused(Why::WrongNetwork), "{user}");
        assert_eq!(error.to_string(), "login incorrect");
    }
}

#[tokio::test]
async fn every_refusal_hashes_once() {
    let wrong = Certificate { key_sha256: [2; 32], ..Certificate::default() };
    let mut hashed = Vec::new();
    for (user, password, certificate) in [
        ("nobody", b"".as_slice(), None),
        ("alice", b"", None),
        ("alice", b"wrong", None),
        ("certificate", b"secret", None),
        ("certificate", b"", Some(&wrong)),
        ("both", b"secret", Some(&wrong)),
        ("anybody-certified", b"", None),
        ("elsewhere", b"secret", None),
        ("anybody-elsewhere", b"", None),
        ("certified-elsewhere", b"", None),
    ] {
        // As the only thread is taken, whoever needs it waits in vain.
        let authenticator = Authenticator::new(Arc::new(Two), 1);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let busy = authenticator.hashing.run(HERE, CHEAP, move |_| released.recv().is_err());
        tokio::pin!(busy);
        let login = authenticator.authenticate(HERE, user.into(), password, certificate);
        tokio::pin!(login);
        tokio::select! {
            biased;
            _ = &mut busy => unreachable!("nobody has let it go"),
            _ = &mut login => hashed.push((user, false)),
            () = tokio::task::yield_now() => hashed.push((user, true)),
        }
        drop(release);
        let (_, outcome) = tokio::join!(busy, login);
        assert!(matches!(outcome, Err(LoginError::Refused(_))), "{user}");
    }
    assert!(hashed.iter().all(|(_, hashed)| *hashed), "{hashed:?}");
}

#[tokio::test]
async fn a_login_does_not_queue_for_ever() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (told, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let busy =
        authenticator.hashing.run(HERE, CHEAP, move |_| told.send(()).is_ok() && released.recv().is_err());
    tokio::pin!(busy);
    tokio::select! {
        _ = &mut busy => unreachable!("nobody has let it go"),
        _ = begun.recv() => {}
    }
    tokio::time::pause();
    for user in ["alice", "bob"] {
        let outcome = authenticator.authenticate(HERE, user.into(), b"secret", None).await;
        assert_eq!(outcome.unwrap_err(), LoginError::Overloaded);
    }
    drop(release);
    assert_eq!(busy.await, Ok(true));
}

/// Lets nobody be judged, or after an hour.
struct Slow(bool);

impl Pace for Slow {
    fn source_of(&self, from: IpAddr) -> IpAddr {
        from
    }

    fn before_login(
        &self,
        _: IpAddr,
        _: User<'_>,
        _: Option<&Certificate>,
    ) -> Result<std::time::Duration, crate::pace::TooManyGuesses> {
        if self.0 { Ok(std::time::Duration::from_secs(3600)) } else { Err(crate::pace::TooManyGuesses) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_waits_as_long_as_its_pace_says() {
    let with =
        |pace| Authenticator::with_limits(Arc::new(Two), HashingLimits::with_threads(1), Arc::new(pace));
    let began = tokio::time::Instant::now();
    with(Slow(true)).authenticate(HERE, "anonymous".into(), b"", None).await.unwrap();
    assert!(began.elapsed() >= std::time::Duration::from_secs(3600));
    for user in ["alice", "nobody", "anonymous"] {
        let outcome = with(Slow(false)).authenticate(HERE, user.into(), b"secret", None).await;
        assert_eq!(outcome.unwrap_err(), LoginError::TooManyGuesses);
    }
}

/// Accounts beside which somebody else knows `bob`, or nobody answers.
struct Beside {
    users: Option<Arc<Account>>,
    bob: Result<Option<Arc<Account>>, Unanswered>,
}

struct Bob(Result<Option<Arc<Account>>, Unanswered>);

impl crate::account::Outside for Bob {
    fn option(&self) -> &'static str {
        "users.program"
    }

    fn ask<'a>(&'a self, _: IpAddr, user: User<'a>, password: &'a [u8]) -> crate::account::Asked<'a> {
        let answer = self.0.clone().map(|bob| bob.filter(|_| (user.name, password) == ("bob", b"secret")));
        Box::pin(std::future::ready(answer))
    }
}

impl Accounts for Beside {
    fn find(&self, user: User<'_>) -> Option<Arc<Account>> {
        self.users.clone().filter(|account| account.name == user.name)
    }

    fn decoy_cost(&self) -> Cost {
        CHEAP
    }

    fn outside(&self) -> Option<Arc<dyn crate::account::Outside>> {
        Some(Arc::new(Bob(self.bob.clone())))
    }
}

fn alice() -> Arc<Account> {
    Two.find("alice".into()).unwrap()
}

fn bob() -> Arc<Account> {
    Arc::new(Account::new("bob", Credential::NoPassword, Arc::new(Nowhere)))
}

#[tokio::test]
async fn who_stands_in_no_file_is_asked_about_and_no_refusal_tells_by_its_time() {
    let accounts = Beside { users: Some(alice()), bob: Ok(Some(bob())) };
    let authenticator = Authenticator::new(Arc::new(accounts), 1);
    let login = async |user: &str, password: &[u8]| {
        let begun = Instant::now();
        let outcome = authenticator.authenticate(HERE, user.into(), password, None).await;
        (outcome.map(|account| account.name.clone()), begun.elapsed())
    };
    assert_eq!(login("alice", b"secret").await.0, Ok("alice".to_owned()));
    assert_eq!(login("bob", b"secret").await.0, Ok("bob".to_owned()));
    for (user, why) in [
        ("alice", Why::WrongPassword),
        ("bob", Why::NotLetIn("users.program")),
        ("carol", Why::NotLetIn("users.program")),
    ] {
        let (outcome, lasted) = login(user, b"wrong").await;
        assert_eq!(outcome, Err(LoginError::Refused(why)), "{user}");
        assert!(lasted >= REFUSAL_TIME, "{user}: {lasted:?}");
    }
}

#[tokio::test]
async fn an_answer_is_held_to_the_rules_of_every_account_and_none_is_no_refusal() {
    let elsewhere = Account { networks: Some(Arc::new(Elsewhere)), ..bob().confined_to(&[]) };
    let disabled = Account { disabled: true, ..bob().confined_to(&[]) };
    let unanswered = Unanswered { option: "users.program" };
    for (bob, error) in [
        (Ok(Some(Arc::new(elsewhere))), LoginError::Refused(Why::WrongNetwork)),
        (Ok(Some(Arc::new(disabled))), LoginError::Refused(Why::Disabled)),
        (Err(unanswered), LoginError::Unanswered(unanswered)),
    ] {
        let accounts = Arc::new(Beside { users: None, bob });
        let outcome = Authenticator::new(accounts, 1).authenticate(HERE, "bob".into(), b"secret", None).await;
        assert_eq!(outcome.err(), Some(error));
    }
}

#[tokio::test]
async fn accounts_that_take_over_count_on_whichever_connection() {
    let with = |users| Arc::new(Beside { users, bob: Ok(None) });
    let before = Authenticator::new(with(Some(alice())), 1);
    let after = before.with_accounts(with(None));
    let login = async |authenticator: &Authenticator| {
        authenticator.authenticate(HERE, "alice".into(), b"secret", None).await.is_ok()
    };
    assert!(login(&before).await && login(&after).await, "nothing has taken over yet");
    after.take_over();
    assert!(!login(&before).await && !login(&after).await);
    let disabled = Account { disabled: true, ..alice().confined_to(&[]) };
    let disabled = before.with_accounts(with(Some(Arc::new(disabled))));
    disabled.take_over();
    let refused = before.authenticate(HERE, "alice".into(), b"secret", None).await;
    assert_eq!(refused.err(), Some(LoginError::Refused(Why::Disabled)));
}

#[tokio::test]
async fn an_account_of_another_server_is_nobodys_whoever_found_it() {
    use crate::event::{Events, Origin, SessionId};
    // These are found by their names alone.
    let core = crate::Core::new(Authenticator::new(Arc::new(Two), 1), Events::default());
    let origin = |server: Option<&str>| Origin {
        id: SessionId(1),
        peer: (HERE, 4711).into(),
        protocol: "test",
        server: server.map(Into::into),
    };
    let right = Arc::new(Certificate { key_sha256: [1; 32], ..Certificate::default() });
    let (here, elsewhere) = (origin(None), origin(Some("a.example")));
    assert_eq!(core.login(&here, "alice", b"secret", None).await.unwrap().name, "alice");
    let refused = core.login(&elsewhere, "alice", b"secret", None).await.unwrap_err();
    assert_eq!(refused, LoginError::Refused(Why::UnknownUser));
    assert!(core.login_by_certificate(&here, "certificate", Some(&right)).is_some());
    assert!(core.login_by_certificate(&elsewhere, "certificate", Some(&right)).is_none());
}
