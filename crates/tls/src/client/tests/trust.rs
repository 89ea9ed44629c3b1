//! Which certificates are trusted by which rule, and what is said of the others.

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ServerConfig,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{
    certificates::{
        Authority, authority as named, but, der, expired, for_clients, good, marked_as_authority,
        of_the_future, self_signed, self_signed_pem, trusted,
    },
    *,
};
use crate::Timestamp;

/// What a client says that trusts by `trust` and meets `identity` at `host`.
async fn meet(
    host: &str,
    identity: &Identity,
    trust: Trust,
    version: Version,
) -> Result<Control, Box<Untrusted>> {
    match control(&server(identity.clone()), &client(host, trust, version)).await {
        Ok(control) => Ok(control),
        Err(ConnectError::Untrusted(untrusted)) => Err(untrusted),
        Err(other) => panic!("{other}"),
    }
}

async fn refusal(identity: &Identity, trust: Trust) -> Untrusted {
    let mut whys = Vec::new();
    for version in BOTH {
        whys.push(*meet("localhost", identity, trust.clone(), version).await.err().unwrap());
    }
    assert_eq!(whys[0], whys[1]);
    assert_eq!(&whys[0].chain[0], identity.description());
    whys.remove(0)
}

fn date(text: &str) -> Timestamp {
    let of = |params: CertificateParams| self_signed(&params).description().clone();
    let moments = [of(expired()).not_after, of(of_the_future()).not_before];
    *moments.iter().find(|moment| moment.to_string() == text).unwrap()
}

#[tokio::test]
async fn an_authority_vouches_for_a_server() {
    let authority = Authority::new("authority");
    let below = authority.below(named("authority below"));
    for identity in [authority.issue(good()), below.issue(good())] {
        for (host, version) in [("localhost", BOTH[0]), ("localhost", BOTH[1]), ("127.0.0.1", BOTH[1])] {
            let control = meet(host, &identity, authority.trusted(), version).await.ok().unwrap();
            assert_eq!(control.far.certificate().as_ref(), Some(identity.description()));
            assert_eq!(control.far.note(), None);
            let info = control.far.info().unwrap();
            assert_eq!((info.alpn, info.resumed), (Some("ftp"), false));
        }
    }
}

#[tokio::test]
async fn strangers_are_a_question_for_the_user() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let of = |params: CertificateParams| self_signed(&params);
    for (identity, why, chain) in [
        (of(good()), Distrust::SelfSigned, 1),
        (of(marked_as_authority(good())), Distrust::SelfSigned, 1),
        // Nobody vouches for the dates either.
        (of(expired()), Distrust::SelfSigned, 1),
        (of(marked_as_authority(of_the_future())), Distrust::SelfSigned, 1),
        (unknown.issue(good()), Distrust::UnknownIssuer, 2),
        (unknown.issue(expired()), Distrust::UnknownIssuer, 2),
    ] {
        let untrusted = refusal(&identity, known.trusted()).await;
        assert_eq!((&untrusted.why, untrusted.chain.len()), (&why, chain));
        assert!(untrusted.why.may_be_remembered());
    }
}

#[tokio::test]
async fn what_an_authority_vouches_for_must_be_right() {
    let authority = Authority::new("authority");
    let other = CertificateParams::new(["other.example".to_owned(), "192.0.2.1".to_owned()]).unwrap();
    let nameless = but(good(), |params| params.subject_alt_names.clear());
    let wrong_name = |names: &[&str]| Distrust::WrongName {
        wanted: "localhost".to_owned(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
    };
    for (params, why) in [
        (expired(), Distrust::Expired { not_after: date("2021-02-03T00:00:00Z") }),
        (of_the_future(), Distrust::NotYetValid { not_before: date("2119-02-03T00:00:00Z") }),
        (other, wrong_name(&["other.example", "192.0.2.1"])),
        (nameless, wrong_name(&[])),
        (for_clients(), Distrust::NotForServers),
    ] {
        let untrusted = refusal(&authority.issue(params), authority.trusted()).await;
        assert_eq!(untrusted.why, why);
        assert!(!untrusted.why.may_be_remembered());
    }
    // Signed with another key by somebody of the same name.
    let forged = Authority::new("authority").issue(good());
    assert_eq!(refusal(&forged, authority.trusted()).await.why, Distrust::BadSignature);
    let (one, other) = (self_signed(&good()), self_signed(&good()));
    assert_eq!(refusal(&one, trusted([der(&other)])).await.why, Distrust::SelfSigned);
}

#[tokio::test]
async fn an_expired_authority_below_is_what_has_expired() {
    let root = Authority::new("root");
    let below = but(named("below"), |params| params.not_after = expired().not_after);
    let below = root.below(below);
    let untrusted = refusal(&below.issue(good()), root.trusted()).await;
    assert_eq!(untrusted.why, Distrust::Expired { not_after: date("2021-02-03T00:00:00Z") });
}

#[tokio::test]
async fn a_server_whose_own_certificate_is_the_authority_vouches_for_itself() {
    for params in [good(), marked_as_authority(good())] {
        let identity = self_signed(&params);
        for version in BOTH {
            assert!(meet("localhost", &identity, trusted([der(&identity)]), version).await.is_ok());
        }
        let why =
            meet("other.example", &identity, trusted([der(&identity)]), BOTH[1]).await.err().unwrap().why;
        assert!(matches!(why, Distrust::WrongName { .. }), "{why}");
    }
    for (params, why) in [
        (marked_as_authority(expired()), Distrust::Expired { not_after: date("2021-02-03T00:00:00Z") }),
        (
            marked_as_authority(of_the_future()),
            Distrust::NotYetValid { not_before: date("2119-02-03T00:00:00Z") },
        ),
    ] {
        let identity = self_signed(&params);
        assert_eq!(refusal(&identity, trusted([der(&identity)])).await.why, why);
    }
}

#[tokio::test]
async fn this_machines_authorities_know_none_of_ours() {
    let platform = || Trust::Authorities(Authorities::Platform);
    assert_eq!(refusal(&self_signed(&good()), platform()).await.why, Distrust::SelfSigned);
    // A machine without the package ca-certificates has none.
    let why = refusal(&Authority::new("unknown").issue(good()), platform()).await.why;
    assert!(matches!(why, Distrust::UnknownIssuer | Distrust::NoAuthorities), "{why}");
}

#[tokio::test]
async fn a_pin_is_for_one_certificate_whatever_it_says() {
    let authority = Authority::new("authority");
    for params in [good(), expired(), for_clients(), marked_as_authority(good())] {
        let identity = authority.issue(params);
        for version in BOTH {
            let pinned = Trust::Pinned(identity.fingerprint());
            assert!(meet("elsewhere.example", &identity, pinned, version).await.is_ok());
        }
    }
    let (shown, pinned) = (authority.issue(good()), authority.issue(good()).fingerprint());
    assert_eq!(refusal(&shown, Trust::Pinned(pinned)).await.why, Distrust::NotPinned { pinned });
}

#[tokio::test]
async fn a_remembered_key_may_come_with_a_new_certificate_and_no_other_key_may_come() {
    let key = KeyPair::generate().unwrap();
    let [old, new] = [expired(), of_the_future()].map(|params| self_signed_pem(&params, &key).identity());
    let remembered = |identity: &Identity| RememberedKey {
        spki: identity.spki_fingerprint(),
        certificate: identity.fingerprint(),
    };
    for version in BOTH {
        let same = meet("elsewhere.example", &old, Trust::Remembered(remembered(&old)), version).await;
        assert_eq!(same.ok().unwrap().far.note(), None);
        let renewed = meet("elsewhere.example", &new, Trust::Remembered(remembered(&old)), version).await;
        let note = TrustNote::Renewed { remembered: remembered(&old), now: remembered(&new) };
        assert_eq!(renewed.ok().unwrap().far.note(), Some(note));
    }
    let changed = refusal(&self_signed(&good()), Trust::Remembered(remembered(&old))).await;
    assert_eq!(changed.why, Distrust::KeyChanged { remembered: remembered(&old) });
    assert!(!changed.why.may_be_remembered());
}

#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let identity = self_signed(&good());
    let thief = self_signed(&good());
    let stolen = CertifiedKey::new(vec![der(&identity)], Arc::clone(&thief.certified_key().key));
    let config = ServerConfig::builder_with_provider(crate::policy::provider())
        .with_protocol_versions(&[&TLS12, &TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(stolen)));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let remembered = RememberedKey { spki: identity.spki_fingerprint(), certificate: identity.fingerprint() };
    for version in BOTH {
        for trust in
            [Trust::Pinned(identity.fingerprint()), Trust::Remembered(remembered), trusted([der(&identity)])]
        {
            let (near, far) = pair().await;
            let tls = client("localhost", trust, version).control();
            let (_, connected) = tokio::join!(acceptor.accept(near), tls.connect(far));
            match connected.unwrap_err() {
                ConnectError::Untrusted(untrusted) => {
                    assert_eq!(untrusted.why, Distrust::BadSignature);
                    assert_eq!(untrusted.chain, [identity.description().clone()]);
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn a_data_connection_shows_the_certificate_of_its_control_connection_or_is_another_servers() {
    let authority = Authority::new("authority");
    let identity = authority.issue(good());
    for version in BOTH {
        let client = client("localhost", authority.trusted(), version);
        let control = control(&server(identity.clone()), &client).await.unwrap();
        // Servers that know nothing of the session.
        let twin = server(identity.clone()).control(HOME);
        let (_, proof, far) = data(&twin, &control.far, Direction::ToClient).await.unwrap();
        assert_eq!((proof, far.info().unwrap().resumed), (Proof::None, false));

        let stranger = server(authority.issue(good())).control(HOME);
        match data(&stranger, &control.far, Direction::ToClient).await.map(drop).unwrap_err() {
            ConnectError::Untrusted(untrusted) => assert_eq!(untrusted.why, Distrust::NotOfControl),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn reasons_read_as_the_end_of_a_sentence() {
    let print = crate::Sha256Fingerprint::of(b"");
    let remembered = RememberedKey { spki: print, certificate: print };
    let names: Vec<String> = (0..12).map(|n| format!("n{n}.example")).collect();
    for (why, part) in [
        (Distrust::SelfSigned, "self-signed"),
        (Distrust::NoAuthorities, "no certificate authorities"),
        (Distrust::Expired { not_after: date("2021-02-03T00:00:00Z") }, "2021-02-03T00:00:00Z"),
        (Distrust::WrongName { wanted: "a".into(), names: Vec::new() }, "no name at all"),
        (Distrust::WrongName { wanted: "a".into(), names }, "n9.example and 2 more"),
        (Distrust::WrongName { wanted: "a".into(), names: vec!["\x1b[2J".into()] }, "\\u{1b}[2J"),
        (Distrust::KeyChanged { remembered }, &print.to_string()),
    ] {
        let sentence = ConnectError::Untrusted(Box::new(Untrusted { why, chain: Vec::new() })).to_string();
        assert!(sentence.starts_with("the server's certificate is not trusted: "), "{sentence}");
        assert!(sentence.contains(part), "{sentence}");
    }
}
