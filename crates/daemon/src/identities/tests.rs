//! Files that change under a running server, in the ways in which renewing programs and people change them.

use std::fs;
use std::io::{self, Write};
use std::sync::Mutex;

use carrack_tls::SelfSigned;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::config::{RevokedSessions, Tables, Tls, TlsIdentity, TlsVersion, UnknownRevocation};
use crate::state::StateFolder;

const STAPLED_CHAIN: &str = include_str!("../../../tls/src/identity/fixtures/staple/chain.pem");
const STAPLED_KEY: &str = include_str!("../../../tls/src/identity/fixtures/staple/leaf.key.pem");
const STAPLE: &[u8] = include_bytes!("../../../tls/src/identity/fixtures/staple/good.der");
const STAPLE_OF_ANOTHER: &[u8] = include_bytes!("../../../tls/src/identity/fixtures/staple/other.der");

/// A keeper of two identities whose files lie in a folder, and what it says.
struct World {
    folder: tempfile::TempDir,
    keeper: Keeper,
    said: Said,
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn made(name: &str) -> SelfSigned {
    Identity::self_signed(&[name.to_owned()]).unwrap()
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
        let tls = Tls {
            certificate: Some(path("a.pem")),
            key: Some(path("a.key")),
            staple: None,
            identity: Tables(vec![TlsIdentity {
                certificate: path("b.pem"),
                key: path("b.key"),
                staple: Some(path("b.der")),
            }]),
            minimum_version: TlsVersion::Tls12,
            suites: None,
            groups: None,
            client_ca: None,
            crl: Vec::new(),
            unknown_revocation: UnknownRevocation::Refuse,
            revoked_sessions: RevokedSessions::End,
        };
        let load = |name: &str| {
            Identity::load(&path(&format!("{name}.pem")), &path(&format!("{name}.key"))).unwrap()
        };
        let shown = Arc::new(Identities::several(Set { default: load("a"), further: vec![load("b")] }));
        let state = StateFolder::open(&path("state")).unwrap();
        let origins = Files::of(&tls).into_iter().map(Origin::Configured).collect();
        let source = Source::new(origins, Vec::new(), state);
        World { keeper: Keeper::new(source, shown), folder, said: Said::default() }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        // As renewing programs do it: another file takes the name.
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, bytes).unwrap();
        fs::rename(fresh, self.folder.path().join(name)).unwrap();
    }

    /// The events of a look.
    fn look(&mut self, occasion: Occasion) -> Vec<String> {
        let writer = self.said.clone();
        let layer = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            self.keeper.look(occasion, SystemTime::now());
        });
        let said = String::from_utf8(std::mem::take(&mut *self.said.0.lock().unwrap())).unwrap();
        let event = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["fields"]["message"].as_str().unwrap().to_owned()
        };
        said.lines().map(event).collect()
    }

    fn shown(&self) -> Vec<String> {
        let set = self.keeper.shown.set();
        set.iter().map(|identity| identity.fingerprint().to_string()).collect()
    }
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
    assert!(world.keeper.shown.set().further[0].staple().is_some());
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
    let staple = |world: &World| world.keeper.shown.set().further[0].staple().is_some();
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
    let end = world.keeper.shown.current().not_after();
    let mut said = || {
        let writer = world.said.clone();
        let layer = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            world.keeper.look(Occasion::Routine, end - Duration::from_secs(5 * 24 * 3600 + 60));
        });
        String::from_utf8(std::mem::take(&mut *world.said.0.lock().unwrap())).unwrap()
    };
    let first = said();
    assert_eq!(first.matches("certificate_ends").count(), 2, "{first}");
    assert!(first.contains("\"days\":5") && first.contains("a.pem") && first.contains("b.pem"), "{first}");
    assert_eq!(said().matches("certificate_ends").count(), 0);
}
