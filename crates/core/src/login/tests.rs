//! Logins that must fail alike.

use super::*;
use crate::backend::{self, Backend, Located};
use crate::certificate::CertificateRule;
use crate::password::{Cost, PasswordHash};

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

impl Accounts for Two {
    fn find(&self, name: &str) -> Option<Arc<Account>> {
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
            "both" | "either" => return self.find("alice").map(|alice| certified(&alice, name)),
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
        assert_eq!(authenticator.by_certificate(user, certificate).is_some(), alone, "{what}");
        let login = authenticator.authenticate(user, password.as_bytes(), certificate).await;
        assert_eq!(login.map(drop), outcome, "{what}");
    }
}

#[tokio::test]
async fn who_showed_a_certificate_that_counts_no_more_is_refused_with_the_right_password_too() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    for (user, password) in [("alice", "secret"), ("either", "secret"), ("anonymous", ""), ("nobody", "")] {
        let refusal = authenticator.refuse_certificate(user, password.as_bytes()).await;
        assert_eq!(refusal, LoginError::Refused(Why::RefusedCertificate), "{user}");
    }
}

#[tokio::test]
async fn only_the_right_password_logs_in() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    assert_eq!(authenticator.authenticate("alice", b"secret", None).await.unwrap().name, "alice");
    assert_eq!(
        authenticator.authenticate("anonymous", b"me@example.org", None).await.unwrap().name,
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
        let error = authenticator.authenticate(user, password, None).await.unwrap_err();
        assert_eq!(error, LoginError::Refused(why));
        assert_eq!(error.to_string(), "login incorrect");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_does_not_queue_for_ever() {
    let authenticator = Authenticator::new(Arc::new(Two), 1);
    let _busy = Arc::clone(&authenticator.slots).acquire_owned().await.unwrap();
    assert_eq!(
        authenticator.authenticate("alice", b"secret", None).await.unwrap_err(),
        LoginError::Overloaded
    );
    assert_eq!(authenticator.authenticate("bob", b"secret", None).await.unwrap_err(), LoginError::Overloaded);
}
