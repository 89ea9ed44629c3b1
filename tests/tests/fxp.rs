//! Do two servers exchange a file directly, protected, and only with those who are partners?

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use carrack_tests::certificates::Authority;
use carrack_tests::control::Control;
use carrack_tests::loopback;
use carrack_tests::partners::{Site, partners};
use carrack_tests::programs::{EVERY_WAY, Tls};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tls::Identity;

const BYTES: usize = 700_001;

/// Who is told to be the TLS client, and how.
#[derive(Clone, Copy, Debug)]
enum Way {
    SscnOnPassive,
    SscnOnActive,
    Cpsv,
    Nobody,
}

fn session(server: &Server, mode: Mode, tls: Tls) -> Control {
    Control::session(server, mode, &TlsClient::new(tls), USER)
}

/// Has `passive` listen and `active` connect there.
fn arm(passive: &mut Control, active: &mut Control, way: Way) {
    let asks = match way {
        Way::SscnOnPassive => {
            passive.expect("SSCN ON", 200);
            "PASV"
        }
        Way::SscnOnActive => {
            passive.expect("SSCN OFF", 200);
            active.expect("SSCN ON", 200);
            "PASV"
        }
        Way::Cpsv => "CPSV",
        Way::Nobody => "PASV",
    };
    let port = passive.expect(asks, 227).to_string();
    let numbers = port.split(['(', ')']).nth(1).unwrap().to_owned();
    active.expect(&format!("PORT {numbers}"), 200);
}

#[test]
fn a_file_goes_from_one_to_the_other_protected_in_every_way() {
    let (one, other) = partners(|setup| setup.listen("data_tls_reuse = \"require\""));
    tree::file(&one.home(), "file", 3, BYTES);
    for (mode, tls) in EVERY_WAY {
        for way in [Way::SscnOnPassive, Way::SscnOnActive, Way::Cpsv] {
            let (mut from, mut to) = (session(&one, mode, tls), session(&other, mode, tls));
            // The destination listens.
            arm(&mut to, &mut from, way);
            to.expect("STOR a", 150);
            from.expect("RETR file", 150);
            from.wait_for(226);
            to.wait_for(226);
            for control in [&mut from, &mut to] {
                control.expect("SSCN OFF", 200);
            }
            // And the other way round.
            arm(&mut from, &mut to, way);
            to.expect("STOR b", 150);
            from.expect("RETR file", 150);
            from.wait_for(226);
            to.wait_for(226);
            let wanted = tree::sha256_of(&one.home().join("file"));
            for name in ["a", "b"] {
                assert_eq!(tree::sha256_of(&other.home().join(name)), wanted, "{mode:?} {tls:?} {way:?}");
                fs::remove_file(other.home().join(name)).unwrap();
            }
        }
    }
    // A line on each side that names the other server.
    for (server, direction, partner) in [(&one, "download", &other), (&other, "upload", &one)] {
        let line = server.logged("transfer", |line| line.text("direction") == direction);
        assert_eq!(line.text("fxp"), partner.explicit.ip().to_string(), "{}", line.raw);
        assert_eq!(line.text("bytes"), BYTES.to_string());
        assert_eq!((line.text("protection"), line.text("tls")), ("private".into(), "TLSv1.3".into()));
        assert_eq!(line.text("user"), USER);
    }
}

#[test]
fn the_listing_and_the_clients_own_transfers_stay_as_they_were() {
    let (one, _other) = partners(|setup| {
        setup.listen("data_tls_reuse = \"require\"").option("timeouts", "data_accept_s", "2")
    });
    tree::file(&one.home(), "file", 3, BYTES);
    let mut control = session(&one, Mode::Explicit, Tls::V13);
    control.expect("SSCN ON", 200);
    assert!(control.listing("MLSD").contains("file"));
    control.expect("SSCN OFF", 200);
    assert_eq!(control.download("file").len(), BYTES);
    // And with SSCN ON a client that is no partner is told so.
    control.expect("SSCN ON", 200);
    let _data = control.data();
    control.expect("RETR file", 150);
    let reply = control.wait_for(425);
    assert!(reply.to_string().contains("SSCN OFF"), "{reply}");
}

#[test]
fn without_fxp_foreign_addresses_are_refused_and_nothing_is_offered() {
    let server = Setup::new().start();
    let mut control = Control::open(&server);
    let features = control.expect("FEAT", 211).to_string();
    assert!(!features.contains("SSCN") && !features.contains("CPSV"), "{features}");
    control.expect("SSCN ON", 502);
    control.expect("CPSV", 502);
    control.expect("PORT 127,0,0,2,195,80", 504);
    let (one, _other) = partners(|setup| setup);
    let mut control = Control::open(&one);
    let features = control.expect("FEAT", 211).to_string();
    assert!(features.contains("\n SSCN\n") && features.contains("\n CPSV\n"), "{features}");
}

#[test]
fn an_address_that_is_no_partners_and_a_low_port_of_one_are_refused() {
    let (one, other) = partners(|setup| setup);
    let mut control = Control::open(&one);
    let stranger = Ipv4Addr::new(127, 0, 0, 9);
    control.expect(&format!("EPRT |1|{stranger}|50000|"), 504);
    control.expect(&format!("EPRT |1|{}|1023|", other.explicit.ip()), 504);
    control.expect(&format!("EPRT |1|{}|50000|", other.explicit.ip()), 200);
    // Who comes to a passive port from elsewhere is dropped, and the port waits on for its owner.
    tree::file(&one.home(), "file", 3, 100);
    control.expect("SSCN OFF", 200);
    let at = control.passive();
    let mut foreign = connect_from(stranger, at);
    control.expect("RETR file", 150);
    let mut rest = [0; 1];
    assert!(matches!(std::io::Read::read(&mut foreign, &mut rest), Ok(0) | Err(_)));
    let mut own = carrack_tests::wire::Wire::connect(at);
    own.secure(&control.tls.clone()).unwrap();
    assert_eq!(own.read_to_end().0.len(), 100);
    drop(own.finish());
    control.wait_for(226);
}

fn connect_from(from: Ipv4Addr, to: SocketAddr) -> std::net::TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let stranger = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&stranger, &SocketAddr::new(IpAddr::V4(from), 0)).unwrap();
    connect(&stranger, &to).unwrap();
    stranger.into()
}

#[test]
fn a_certificate_of_another_authority_is_refused_on_either_side() {
    let (authority, foreign) = (Authority::new(), Authority::new());
    let (here, there) = (loopback::unused().into(), loopback::unused().into());
    let one = Site { address: here, signed_by: &authority, partner: Some((there, Some(&authority))) };
    let other = Site { address: there, signed_by: &foreign, partner: Some((here, Some(&authority))) };
    let (one, other) = (one.start(|setup| setup), other.start(|setup| setup));
    tree::file(&one.home(), "file", 3, BYTES);
    let (mut from, mut to) =
        (session(&one, Mode::Explicit, Tls::V13), session(&other, Mode::Explicit, Tls::V13));
    arm(&mut from, &mut to, Way::SscnOnPassive);
    to.expect("STOR a", 150);
    from.expect("RETR file", 150);
    let reply = from.wait_for(522).to_string();
    assert!(reply.contains("not trusted") && reply.contains("[fxp] ca here"), "{reply}");
    let reply = to.wait_for(522).to_string();
    assert!(reply.contains("The other server refused TLS"), "{reply}");
    assert!(tree::names(&other.home()).is_empty());
    let line = one.logged("transfer", |_| true);
    assert!(line.text("why").contains("certificate is not trusted"), "{}", line.raw);
    // Without an authority there is no judging, and no being the client.
    let neither =
        Site { address: loopback::unused().into(), signed_by: &authority, partner: Some((here, None)) };
    let neither = neither.start(|setup| setup);
    let mut control = Control::open(&neither);
    control.expect("SSCN ON", 534);
    control.expect("CPSV", 534);
    control.expect("SSCN OFF", 200);
}

/// The public key of a server that [`Site::start`] started, as a line of the configuration.
fn pin(server: &Server) -> String {
    let at = |name: &str| server.scratch().join(name);
    let identity = Identity::load(&at("certificate.pem"), &at("key.pem")).unwrap();
    format!("[\"{}\"]", identity.spki_fingerprint())
}

#[test]
fn a_pinned_partner_needs_no_authority_and_another_key_of_the_same_authority_is_refused() {
    let authority = Authority::new();
    let address = || IpAddr::from(loopback::unused());
    let (here, right, wrong) = (address(), address(), address());
    let partner = |address| {
        let site = Site { address, signed_by: &authority, partner: Some((here, Some(&authority))) };
        site.start(|setup| setup)
    };
    let addresses = format!("[\"{right}\", \"{wrong}\"]");
    let (right, wrong) = (partner(right), partner(wrong));
    for believed in [None, Some(&authority)] {
        let partner = Some((right.explicit.ip(), believed));
        let site = Site { address: here, signed_by: &authority, partner };
        let one = site.start(|setup| {
            setup.option("fxp", "partners", &addresses).option("fxp", "spki_sha256", &pin(&right))
        });
        tree::file(&one.home(), "file", 3, BYTES);
        for (mode, tls) in EVERY_WAY {
            let (mut from, mut to) = (session(&one, mode, tls), session(&right, mode, tls));
            arm(&mut from, &mut to, Way::SscnOnPassive);
            to.expect("STOR a", 150);
            from.expect("RETR file", 150);
            from.wait_for(226);
            to.wait_for(226);
            assert_eq!(tree::sha256_of(&right.home().join("a")), tree::sha256_of(&one.home().join("file")));
            fs::remove_file(right.home().join("a")).unwrap();
        }
        let (mut from, mut to) =
            (session(&one, Mode::Explicit, Tls::V13), session(&wrong, Mode::Explicit, Tls::V13));
        arm(&mut from, &mut to, Way::SscnOnPassive);
        to.expect("STOR a", 150);
        from.expect("RETR file", 150);
        let reply = from.wait_for(522).to_string();
        assert!(
            reply.contains("none of those that are pinned") && reply.contains("spki_sha256 here"),
            "{reply}"
        );
        let reply = to.wait_for(522).to_string();
        assert!(reply.contains("The other server refused TLS"), "{reply}");
        assert!(tree::names(&wrong.home()).is_empty());
    }
}

#[test]
fn where_nobody_is_the_tls_client_the_reply_says_so() {
    let (one, other) = partners(|setup| setup.option("timeouts", "data_accept_s", "1"));
    tree::file(&one.home(), "file", 3, BYTES);
    let (mut from, mut to) =
        (session(&one, Mode::Explicit, Tls::V13), session(&other, Mode::Explicit, Tls::V13));
    arm(&mut to, &mut from, Way::Nobody);
    to.expect("STOR a", 150);
    from.expect("RETR file", 150);
    for control in [&mut from, &mut to] {
        let reply = control.reply();
        assert!([425, 522].contains(&reply.code), "{reply}");
        assert!(reply.to_string().contains("one has to be the TLS client: SSCN ON"), "{reply}");
    }
    assert!(tree::names(&other.home()).is_empty());
}

#[test]
fn in_clear_only_where_both_servers_grant_it() {
    let (one, other) = partners(|setup| setup.explicit("data_protection = \"optional\""));
    tree::file(&one.home(), "file", 3, BYTES);
    let (mut from, mut to) =
        (session(&one, Mode::Explicit, Tls::V13), session(&other, Mode::Explicit, Tls::V13));
    for control in [&mut from, &mut to] {
        control.expect("PROT C", 200);
    }
    arm(&mut to, &mut from, Way::Nobody);
    to.expect("STOR a", 150);
    from.expect("RETR file", 150);
    from.wait_for(226);
    to.wait_for(226);
    assert_eq!(tree::sha256_of(&other.home().join("a")), tree::sha256_of(&one.home().join("file")));
    let line = other.logged("transfer", |_| true);
    assert_eq!((line.text("protection"), line.text("fxp")), ("clear".into(), one.explicit.ip().to_string()));
    let (one, _other) = partners(|setup| setup);
    session(&one, Mode::Explicit, Tls::V13).expect("PROT C", 534);
}
