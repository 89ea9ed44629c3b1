//! Files that change under a running server, in the ways in which renewing programs and people change them.

use std::fs;
use std::path::Path;

use carrack_tls::issue::{KeyType, PrivateKey, Profile, Purpose};
use carrack_tls::{SelfSigned, Suite, Version};

use super::*;
use crate::config::{RevokedSessions, Tables, Tls, TlsIdentity, TlsVersion, UnknownRevocation};
use crate::identities::files::Files;
use crate::state::{AcmeFolder, StateFolder};
use crate::watch::{self as watching, Keeper as _};

const STAPLED_CHAIN: &str = include_str!("../../../tls/src/identity/fixtures/staple/chain.pem");
const STAPLED_KEY: &str = include_str!("../../../tls/src/identity/fixtures/staple/leaf.key.pem");
const STAPLE: &[u8] = include_bytes!("../../../tls/src/identity/fixtures/staple/good.der");
const STAPLE_OF_ANOTHER: &[u8] = include_bytes!("../../../tls/src/identity/fixtures/staple/other.der");

/// A keeper of two identities whose files lie in a folder.
struct World {
    folder: tempfile::TempDir,
    keeper: Keeper,
}

fn made(name: &str) -> SelfSigned {
    Identity::self_signed(&[name.to_owned()]).unwrap()
}

/// A `[tls]` with these files.
fn tls(certificate: &Path, key: &Path, further: Vec<TlsIdentity>) -> Tls {
    Tls {
        certificate: Some(certificate.to_owned()),
        key: Some(key.to_owned()),
        staple: None,
        identity: Tables(further),
        minimum_version: TlsVersion::Tls12,
        suites: None,
        groups: None,
        client_ca: None,
        crl: Vec::new(),
        unknown_revocation: UnknownRevocation::Refuse,
        revoked_sessions: RevokedSessions::End,
    }
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (a, b) = (made("a.example"), made("b.example"));
        for (name, made) in [("a", &a), ("b", &b)] {
            fs::write(path(&format!("{name}.pem")), &made.certificate_pem).unwrap();
            fs::write(path(&format!("{name}.key")), made.key_pem.as_bytes()).unwrap();
        }
        let further =
            TlsIdentity { certificate: path("b.pem"), key: path("b.key"), staple: Some(path("b.der")) };
        let tls = tls(&path("a.pem"), &path("a.key"), vec![further]);
        let load = |name: &str| {
            Identity::load(&path(&format!("{name}.pem")), &path(&format!("{name}.key"))).unwrap()
        };
        let set = Set { default: load("a"), further: vec![load("b")] };
        let state = StateFolder::open(&path("state")).unwrap();
        let origins = Files::of(Some(&tls), &[]).into_iter().map(Origin::Configured).collect();
        let source = Source::new(origins, Vec::new(), Arc::new(state));
        World { keeper: Keeper::start(source, Some(set), Vec::new()).unwrap(), folder }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        // As renewing programs do it: another file takes the name.
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, bytes).unwrap();
        fs::rename(fresh, self.folder.path().join(name)).unwrap();
    }

    fn look(&mut self, occasion: Occasion) -> Vec<String> {
        look(&mut self.keeper, occasion)
    }

    fn shown(&self) -> Vec<String> {
        let set = self.keeper.shown.identities().set();
        set.iter().map(|identity| identity.fingerprint().to_string()).collect()
    }
}

/// The events of a look.
fn look(keeper: &mut Keeper, occasion: Occasion) -> Vec<String> {
    let said = watching::said(|| keeper.look(occasion, SystemTime::now()));
    let event = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["fields"]["message"].as_str().unwrap().to_owned()
    };
    said.iter().map(event).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_changed_pair_is_shown_and_the_other_stays() {
    let mut world = World::new();
    fs::write(world.folder.path().join("b.pem"), STAPLED_CHAIN).unwrap();
    world.write("b.key", STAPLED_KEY);
    world.write("b.der", STAPLE);
    let before = world.shown();
    assert_eq!(world.look(Occasion::Routine), ["certificate_replaced"]);
    let after = world.shown();
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
    assert!(world.keeper.shown.identities().set().further[0].staple().is_some());
    assert_eq!(world.look(Occasion::Routine), NOTHING);
    assert_eq!(world.look(Occasion::Asked), ["certificate_unchanged"; 2]);
}

#[test]
fn a_pair_that_is_half_written_is_waited_for_in_silence() {
    let mut world = World::new();
    world.write("b.pem", STAPLED_CHAIN);
    let before = world.shown();
    assert_eq!(world.look(Occasion::Routine), NOTHING);
    assert_eq!(world.shown(), before);
    world.write("b.key", STAPLED_KEY);
    world.write("b.der", STAPLE);
    assert_eq!(world.look(Occasion::Routine), ["certificate_replaced"]);
}

#[test]
fn a_pair_that_stays_bad_is_told_once_and_the_old_one_goes_on() {
    let mut world = World::new();
    world.write("b.der", STAPLE);
    let before = world.shown();
    world.look(Occasion::Routine);
    world.write("a.key", made("a.example").key_pem.as_bytes());
    assert_eq!(world.look(Occasion::Routine).iter().filter(|said| *said == "certificate_refused").count(), 0);
    assert!(world.look(Occasion::Routine).contains(&"certificate_refused".to_owned()));
    assert_eq!(world.look(Occasion::Routine), NOTHING);
    assert_eq!(world.shown(), before);
    // Who asks is told again, and at once.
    assert!(world.look(Occasion::Asked).contains(&"certificate_refused".to_owned()));
    fs::remove_file(world.folder.path().join("a.pem")).unwrap();
    assert!(world.look(Occasion::Asked).contains(&"certificate_refused".to_owned()));
    assert_eq!(world.shown(), before);
}

#[test]
fn a_bad_staple_keeps_no_certificate_out_and_the_one_before_goes_on() {
    let mut world = World::new();
    world.write("b.pem", STAPLED_CHAIN);
    world.write("b.key", STAPLED_KEY);
    world.write("b.der", STAPLE_OF_ANOTHER);
    let staple = |world: &World| world.keeper.shown.identities().set().further[0].staple().is_some();
    assert_eq!(world.look(Occasion::Routine), ["certificate_replaced"]);
    assert!(!staple(&world));
    assert_eq!(world.look(Occasion::Routine), ["staple_refused"]);
    world.write("b.der", STAPLE);
    assert_eq!(world.look(Occasion::Routine), ["staple_replaced"]);
    assert!(staple(&world));
    world.write("b.der", b"half an ans");
    assert_eq!(
        world.look(Occasion::Asked),
        ["certificate_unchanged", "staple_refused", "certificate_unchanged"]
    );
    assert!(staple(&world));
}

#[test]
fn what_ends_is_told_once_for_each_identity() {
    let mut world = World::new();
    let ends = made("c.example");
    world.write("a.pem", &ends.certificate_pem);
    world.write("a.key", ends.key_pem.as_bytes());
    world.look(Occasion::Asked);
    let end = world.keeper.shown.identities().current().not_after();
    let mut said = || {
        let at = end - Duration::from_secs(5 * 24 * 3600 + 60);
        watching::said(|| world.keeper.look(Occasion::Routine, at)).join("\n")
    };
    let first = said();
    assert_eq!(first.matches("certificate_ends").count(), 2, "{first}");
    assert!(first.contains("\"days\":5") && first.contains("a.pem") && first.contains("b.pem"), "{first}");
    assert_eq!(said().matches("certificate_ends").count(), 0);
}

/// Certificates that an authority issues, in a state folder of its own.
struct Ordered {
    folder: tempfile::TempDir,
    acme: Arc<AcmeFolder>,
}

/// The default, everything; or what cannot show an RSA key.
fn policy(suites: Option<&[&str]>) -> Vec<TlsPolicy> {
    let suites = suites.map(|names| names.iter().map(|name| Suite::named(name).unwrap()).collect());
    vec![TlsPolicy::new(Version::Tls12, suites, None).unwrap()]
}

const ECDSA_ALONE: &[&str] = &["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];

/// Chain and key of an RSA certificate for this name.
fn rsa(name: &str) -> (String, String) {
    let key = PrivateKey::generate(KeyType::Rsa2048).unwrap();
    let profile =
        Profile { names: vec![name.parse().unwrap()], days: None, purpose: Purpose::Server, subject: None };
    (profile.self_signed(&key).unwrap(), key.to_pem(None).unwrap().to_string())
}

impl Ordered {
    fn new() -> Ordered {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        Ordered { acme: Arc::new(state.acme().unwrap()), folder }
    }

    /// A keeper of what is ordered for these names, with certificate and key of a configuration in front of it.
    fn keeper(
        &self,
        names: &[&str],
        configured: Option<&(String, String)>,
        policies: Vec<TlsPolicy>,
    ) -> Result<Keeper, StartError> {
        let state = StateFolder::open(&self.folder.path().join("state")).unwrap();
        let mut origins: Vec<_> = names.iter().map(|name| Origin::issued(&self.acme, name)).collect();
        let set = configured.map(|(chain, key)| {
            let file = self.folder.path().join("configured.pem");
            fs::write(&file, format!("{chain}{key}")).unwrap();
            origins.insert(
                0,
                Origin::Configured(Files::of(Some(&tls(&file, &file, Vec::new())), &[]).remove(0)),
            );
            Set::from(Identity::load(&file, &file).unwrap())
        });
        Keeper::start(Source::new(origins, vec!["localhost".to_owned()], Arc::new(state)), set, policies)
    }

    fn keep(&self, name: &str, chain: &str, key: &str) {
        self.acme.keep_identity("https://acme.example/directory", name, chain, key).unwrap();
    }

    fn issue(&self, name: &str) {
        let made = made(name);
        self.keep(name, &made.certificate_pem, &made.key_pem);
    }
}

/// The names of what is shown, and the file of each.
fn names(keeper: &Keeper) -> Vec<(String, String)> {
    let set = keeper.shown.identities().set();
    let named = keeper.shown.named();
    assert!(set.iter().map(Identity::fingerprint).eq(named.iter().map(|named| named.identity.fingerprint())));
    let file = |file: &str| file.rsplit('/').next().unwrap().to_owned();
    named.iter().map(|named| (named.identity.names().join(" "), file(&named.file))).collect()
}

fn entry(name: &str, file: &str) -> (String, String) {
    (name.to_owned(), file.to_owned())
}

#[test]
fn nothing_stands_in_for_a_pending_certificate_where_another_is_there() {
    let ordered = Ordered::new();
    ordered.issue("second.example");
    let mut keeper = ordered.keeper(&["first.example", "second.example"], None, policy(None)).unwrap();
    let second = entry("second.example", "second.example.pem");
    assert_eq!(names(&keeper), std::slice::from_ref(&second));
    assert_eq!(look(&mut keeper, Occasion::Asked), ["certificate_unchanged"]);
    ordered.issue("first.example");
    assert_eq!(look(&mut keeper, Occasion::Routine), ["certificate_replaced"]);
    assert_eq!(names(&keeper), [entry("first.example", "first.example.pem"), second]);
}

#[test]
fn a_configured_rsa_certificate_is_alone_beside_a_pending_one() {
    let ordered = Ordered::new();
    let configured = rsa("rsa.example");
    let mut keeper = ordered.keeper(&["first.example"], Some(&configured), policy(None)).unwrap();
    assert_eq!(names(&keeper), [entry("rsa.example", "configured.pem")]);
    assert_eq!(look(&mut keeper, Occasion::Routine), NOTHING);
    assert_eq!(names(&keeper), [entry("rsa.example", "configured.pem")]);
}

#[test]
fn the_own_identity_stands_in_until_the_first_certificate_is_there() {
    let ordered = Ordered::new();
    let mut keeper = ordered.keeper(&["first.example", "second.example"], None, policy(None)).unwrap();
    assert_eq!(names(&keeper), [entry("localhost", "cert.pem")]);
    assert_eq!(look(&mut keeper, Occasion::Asked), ["certificate_unchanged"]);
    ordered.issue("second.example");
    assert_eq!(look(&mut keeper, Occasion::Routine), ["certificate_replaced"]);
    assert_eq!(names(&keeper), [entry("second.example", "second.example.pem")]);
    assert_eq!(keeper.own_certificate(), None);
}

#[test]
fn an_issued_certificate_whose_file_is_gone_stays_in_use() {
    let ordered = Ordered::new();
    ordered.issue("first.example");
    let mut keeper = ordered.keeper(&["first.example"], None, policy(None)).unwrap();
    assert_eq!(look(&mut keeper, Occasion::Routine), NOTHING);
    let shown = names(&keeper);
    fs::remove_file(ordered.acme.identity_file("first.example")).unwrap();
    assert_eq!(look(&mut keeper, Occasion::Asked), ["certificate_refused"]);
    assert_eq!(look(&mut keeper, Occasion::Routine), NOTHING);
    assert_eq!(names(&keeper), shown);
}

#[test]
fn what_a_listener_could_not_show_is_refused() {
    let ordered = Ordered::new();
    ordered.issue("first.example");
    let mut keeper = ordered.keeper(&["first.example"], None, policy(Some(ECDSA_ALONE))).unwrap();
    let shown = keeper.shown.identities().current().fingerprint();
    let (chain, key) = rsa("first.example");
    ordered.keep("first.example", &chain, &key);
    assert_eq!(look(&mut keeper, Occasion::Asked), ["certificate_refused"]);
    assert_eq!(keeper.shown.identities().current().fingerprint(), shown);
    drop(keeper);
    // A start has nothing else to go on with.
    let started = ordered.keeper(&["first.example"], None, policy(Some(ECDSA_ALONE)));
    let error = started.unwrap_err().to_string();
    assert!(error.contains("first.example.pem") && error.contains("key is RSA"), "{error}");
    assert!(ordered.keeper(&["first.example"], None, policy(None)).is_ok());
}
