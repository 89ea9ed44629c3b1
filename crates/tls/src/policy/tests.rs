//! Do the tables name everything that can be spoken, and does a policy say what it cannot mean?

use std::sync::Arc;

use rustls::{
    CipherSuite, NamedGroup, SupportedProtocolVersion,
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs, aws_lc_rs::kx_group},
    version::{TLS12, TLS13},
};

use super::{Group, PolicyError, Suite, TlsPolicy};
use crate::{
    identity::Identity,
    info::{TlsInfo, Version},
    server::{ServerTls, Settings},
    testkit::{self, Client, HOME},
};

fn suites(names: &[&str]) -> Option<Vec<&'static Suite>> {
    Some(names.iter().map(|name| Suite::named(name).unwrap()).collect())
}

fn groups(names: &[&str]) -> Option<Vec<&'static Group>> {
    Some(names.iter().map(|name| Group::named(name).unwrap()).collect())
}

#[test]
fn the_default_is_what_the_library_recommends_with_the_hybrid_first() {
    let (ours, theirs) = (TlsPolicy::default().provider(), aws_lc_rs::default_provider());
    assert_eq!(ours.cipher_suites, theirs.cipher_suites);
    let names = |groups: &[&dyn SupportedKxGroup]| -> Vec<NamedGroup> {
        groups.iter().map(|group| group.name()).collect()
    };
    assert_eq!(names(&ours.kx_groups), names(&theirs.kx_groups));
    assert_eq!(ours.kx_groups[0].name(), NamedGroup::X25519MLKEM768);
    assert_eq!(TlsPolicy::new(Version::Tls12, None, None), Ok(TlsPolicy::default()));
}

#[test]
fn everything_has_its_names() {
    assert_eq!(Suite::all().len(), aws_lc_rs::ALL_CIPHER_SUITES.len());
    for suite in Suite::all() {
        for name in [suite.name, suite.openssl, &suite.name.to_lowercase()] {
            assert_eq!(Suite::named(name), Some(suite), "{name}");
        }
        // rustls has IANA's names but for a prefix of its own.
        let theirs = suite.rustls.suite().as_str().unwrap().replace("TLS13_", "TLS_");
        assert_eq!(suite.name, theirs);
        let kind = if suite.version() == Version::Tls13 { "TLS_" } else { "ECDHE-" };
        assert!(suite.openssl.starts_with(kind), "{suite:?}");
    }
    for group in Group::all() {
        assert_eq!(Group::named(group.name), Some(group));
        assert!(group.aliases.iter().all(|alias| Group::named(alias) == Some(group)));
        assert!(group.rustls.name().as_str().unwrap().eq_ignore_ascii_case(group.name));
    }
    assert_eq!(Group::named("p-256"), Group::named("SECP256R1"));
    for unknown in ["", "TLS_RSA_WITH_AES_128_CBC_SHA", "ECDHE"] {
        assert_eq!(Suite::named(unknown), None);
    }
    for unknown in ["", "X448", "ffdhe2048"] {
        assert_eq!(Group::named(unknown), None);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_mend() {
    let new = TlsPolicy::new;
    let modern = &["TLS_AES_256_GCM_SHA384"];
    let old = &["ECDHE-RSA-AES256-GCM-SHA384"];
    let (v12, v13) = (Version::Tls12, Version::Tls13);
    assert_eq!(new(v12, suites(&[]), None), Err(PolicyError::NoSuite));
    assert_eq!(new(v12, None, groups(&[])), Err(PolicyError::NoGroup));
    assert_eq!(new(v12, suites(modern), None), Err(PolicyError::VersionWithoutSuite(v12)));
    for minimum in [v12, v13] {
        assert_eq!(new(minimum, suites(old), None), Err(PolicyError::VersionWithoutSuite(v13)));
    }
    let hybrid = &["X25519MLKEM768"];
    assert_eq!(new(v12, None, groups(hybrid)), Err(PolicyError::VersionWithoutGroup(v12)));
    assert!(new(v13, suites(modern), groups(hybrid)).is_ok());
    for error in [
        PolicyError::NoSuite,
        PolicyError::NoGroup,
        PolicyError::VersionWithoutSuite(v12),
        PolicyError::VersionWithoutSuite(v13),
        PolicyError::VersionWithoutGroup(v12),
        PolicyError::KeyWithoutSuite { key: "Ed25519" },
    ] {
        assert_eq!(error.to_string().split("; ").count().min(2), 2, "{error}");
    }
}

fn with_key(algorithm: &'static rcgen::SignatureAlgorithm) -> Identity {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let certificate =
        rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    Identity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

#[test]
fn a_key_needs_a_suite_of_its_kind_where_tls_1_2_is_spoken() {
    let only = |kind: &str| {
        let older = format!("TLS_ECDHE_{kind}_WITH_AES_256_GCM_SHA384");
        TlsPolicy::new(Version::Tls12, suites(&["TLS_AES_256_GCM_SHA384", &older]), None).unwrap()
    };
    for (algorithm, kind, name) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "ECDSA", "ECDSA"),
        (&rcgen::PKCS_ED25519, "ECDSA", "Ed25519"),
        (&rcgen::PKCS_RSA_SHA256, "RSA", "RSA"),
    ] {
        let identity = with_key(algorithm);
        let other = if kind == "RSA" { "ECDSA" } else { "RSA" };
        assert_eq!(only(kind).serves(&identity), Ok(()));
        let refused = only(other).serves(&identity);
        assert_eq!(refused, Err(PolicyError::KeyWithoutSuite { key: name }));
        assert!(refused.unwrap_err().to_string().contains(&format!("TLS_ECDHE_{kind}_WITH")));
        // In TLS 1.3 the suite says nothing about the key.
        let newest = TlsPolicy::new(Version::Tls13, suites(&["TLS_AES_128_GCM_SHA256"]), None).unwrap();
        assert_eq!(newest.serves(&identity), Ok(()));
    }
}

/// What a server of this policy and a client that offers everything agree on.
async fn agreed(policy: TlsPolicy, client: &Client) -> Option<TlsInfo> {
    let settings = Settings { policy, ..Settings::new(testkit::identity()) };
    let server = Arc::new(ServerTls::new(settings).unwrap());
    let (near, far) = testkit::pair().await;
    let tls = server.control(HOME);
    let (accepted, _) = tokio::join!(tls.accept(near), client.connect(far));
    accepted.ok().map(|(_, info)| info)
}

fn client(version: &'static SupportedProtocolVersion, groups: &[&'static dyn SupportedKxGroup]) -> Client {
    Client::with(version, CryptoProvider { kx_groups: groups.to_vec(), ..aws_lc_rs::default_provider() })
}

/// A client that offers one suite.
fn client_with(suite: CipherSuite) -> Client {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|own| own.suite() == suite);
    Client::with(provider.cipher_suites[0].version(), provider)
}

#[tokio::test]
async fn a_server_speaks_its_policy_and_nothing_else() {
    let all = [kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    for (version, name, suite, other) in [
        (
            &TLS13,
            "TLS_AES_128_GCM_SHA256",
            CipherSuite::TLS13_AES_128_GCM_SHA256,
            CipherSuite::TLS13_AES_256_GCM_SHA384,
        ),
        (
            &TLS12,
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        ),
    ] {
        let names = ["TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"];
        let policy = TlsPolicy::new(Version::Tls12, suites(&names), groups(&["P-256"])).unwrap();
        let info = agreed(policy.clone(), &client(version, &all)).await.unwrap();
        assert_eq!((info.cipher, info.group), (name, Some("secp256r1")));
        assert!(agreed(policy.clone(), &client_with(suite)).await.is_some());
        assert_eq!(agreed(policy.clone(), &client_with(other)).await, None);
        assert_eq!(agreed(policy, &client(version, &[kx_group::X25519])).await, None);
    }
    let newest = TlsPolicy::new(Version::Tls13, None, groups(&["X25519MLKEM768"])).unwrap();
    let info = agreed(newest.clone(), &client(&TLS13, &all)).await.unwrap();
    assert_eq!((info.version, info.group), (Version::Tls13, Some("X25519MLKEM768")));
    assert_eq!(agreed(newest.clone(), &client(&TLS12, &all)).await, None);
    assert_eq!(agreed(newest, &client(&TLS13, &[kx_group::X25519])).await, None);
}

/// The suites go by the server's order and the groups by the client's.
#[tokio::test]
async fn whose_order_counts() {
    for (first, second) in [(0, 1), (1, 0)] {
        let names = ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"];
        let kinds = [kx_group::SECP256R1, kx_group::X25519];
        let both = groups(&["X25519", "secp256r1"]);
        let policy = TlsPolicy::new(Version::Tls13, suites(&[names[first], names[second]]), both).unwrap();
        let info = agreed(policy, &client(&TLS13, &[kinds[first], kinds[second]])).await.unwrap();
        assert_eq!(info.cipher, names[first]);
        assert_eq!(info.group, Group::of(kinds[first].name()).map(|group| group.name));
    }
}
