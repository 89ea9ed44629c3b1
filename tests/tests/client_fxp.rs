//! Does `carrack cp URL URL` have two servers exchange files, and relay what they do not exchange?

use std::fs;

use carrack_tests::certificates::Authority;
use carrack_tests::client::{Client, objects, summary};
use carrack_tests::hosts::{CLIENT_V6, Host, Hosts, INSIDE_V6};
use carrack_tests::loopback;
use carrack_tests::partners::{Site, partners_under};
use carrack_tests::peers::{Peer, Wanted};
use carrack_tests::programs::{EVERY_WAY, Tls, lftp, needs, percent_encoded};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{EVERYTHING, Setup, USER, password};
use carrack_tests::tree;

const BYTES: usize = 3_000_001;

fn client(authority: &Authority) -> Client {
    Client::new(&password(USER)).trusting(authority)
}

fn url(server: &Server, mode: Mode, path: &str) -> String {
    let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
    format!("{scheme}://{USER}@{}/{}", server.address(mode), percent_encoded(path))
}

/// How a transfer with another server is logged: which, and how protected.
fn logged(server: &Server, direction: &str) -> (String, String) {
    let line = server.logged("transfer", |line| line.text("direction") == direction);
    (line.text("fxp"), line.text("protection"))
}

#[test]
fn a_tree_goes_directly_from_server_to_server() {
    let authority = Authority::new();
    let (one, other) = partners_under(&authority, |setup| setup);
    tree::file(&one.home(), "tree/big", 1, BYTES);
    tree::file(&one.home(), "tree/empty", 2, 0);
    tree::file(&one.home(), "tree/a folder/Grüße", 3, 77);
    let client = client(&authority);
    for (at, (mode, tls)) in EVERY_WAY.into_iter().enumerate() {
        let client = Client::new(&password(USER)).trusting(&authority).speaking(tls);
        let to = url(&other, mode, &format!("copy{at}"));
        let run = client.run(["cp", "-r", "--json", &url(&one, mode, "tree"), &to]).ok();
        tree::assert_same(&one.home().join("tree"), &other.home().join(format!("copy{at}")));
        assert!(!run.stderr.contains("pass through"), "{}", run.report());
        let sum = summary(&run.stdout);
        assert_eq!((sum["files"].as_u64(), sum["bytes"].as_u64()), (Some(3), Some(BYTES as u64 + 77)));
        assert_eq!(sum["verified_by_hash"].as_u64(), Some(3), "{sum}");
        let done = objects(&run.stdout).into_iter().find(|told| told["event"] == "done").unwrap();
        let port = |url: &serde_json::Value| url.as_str().unwrap().split('@').nth(1).unwrap().to_owned();
        assert!(port(&done["source"]).starts_with(&one.address(mode).to_string()), "{done}");
        assert!(port(&done["target"]).starts_with(&other.address(mode).to_string()), "{done}");
    }
    let private = |server: &Server| (server.explicit.ip().to_string(), "private".to_owned());
    assert_eq!(logged(&one, "download"), private(&other));
    assert_eq!(logged(&other, "upload"), private(&one));
    // What is not there, and what may not be there, is said of the file and not of the servers.
    let explicit = |server: &Server, path: &str| url(server, Mode::Explicit, path);
    let run = client.ends_with(6, ["cp", &explicit(&one, "nothing"), &explicit(&other, "")]);
    assert!(run.stderr.contains("nothing") && !run.stderr.contains("pass through"), "{}", run.report());
    client.ends_with(2, ["cp", "--append", &explicit(&one, "tree/big"), &explicit(&other, "")]);
}

#[test]
fn where_the_servers_refuse_the_files_are_relayed_and_it_is_said_once() {
    let authority = Authority::new();
    let site = |partner| Site { address: loopback::unused().into(), signed_by: &authority, partner };
    let (plain, other) = (site(None).start(|setup| setup), site(None).start(|setup| setup));
    // One that knows SSCN, but not the other server.
    let choosy = site(Some((loopback::unused().into(), Some(&authority)))).start(|setup| setup);
    for source in [&plain, &choosy] {
        tree::file(&source.home(), "tree/big", 1, BYTES);
        tree::file(&source.home(), "tree/small", 2, 5);
        let (from, to) = (url(source, Mode::Explicit, "tree"), url(&other, Mode::Implicit, ""));
        let run = client(&authority).run(["cp", "-r", &from, &to]).ok();
        assert_eq!(run.stderr.matches("pass through this machine").count(), 1, "{}", run.report());
        tree::assert_same(&source.home().join("tree"), &other.home().join("tree"));
        std::fs::remove_dir_all(other.home().join("tree")).unwrap();
    }
    // Nobody can hold two servers to a rate.
    let (one, two) = partners_under(&authority, |setup| setup);
    tree::file(&one.home(), "file", 1, BYTES);
    let (from, to) = (url(&one, Mode::Explicit, "file"), url(&two, Mode::Explicit, ""));
    client(&authority).prints(["cp", "--limit-rate", "100M", &from, &to]);
    assert_eq!(logged(&two, "upload").0, "");
    assert_eq!(tree::sha256_of(&one.home().join("file")), tree::sha256_of(&two.home().join("file")));
}

/// Each server on a host of its own, with nothing but IPv6 between them, and the client beside one of them.
#[test]
fn between_two_hosts_over_ipv6() {
    let Some(hosts) = Hosts::new() else { return };
    let authority = Authority::new();
    let on = |host, own: &str, partner: &str| {
        let partner = Some((partner.parse().unwrap(), Some(&authority)));
        let site = Site { address: own.parse().unwrap(), signed_by: &authority, partner };
        site.start(|setup| setup.within(&hosts.namespace(host)).ports(2121, 2990))
    };
    let (one, other) = (on(Host::Server, INSIDE_V6, CLIENT_V6), on(Host::Client, CLIENT_V6, INSIDE_V6));
    tree::file(&one.home(), "file", 1, BYTES);
    for (at, (mode, tls)) in EVERY_WAY.into_iter().enumerate() {
        let client = client(&authority).speaking(tls);
        let (there, back) = (format!("there{at}"), format!("back{at}"));
        for (from, to) in [
            (url(&one, mode, "file"), url(&other, mode, &there)),
            (url(&other, mode, &there), url(&one, mode, &back)),
        ] {
            let run = client.on((&hosts, Host::Client), ["cp", &from, &to]).run().ok();
            assert!(!run.stderr.contains("pass through"), "{}", run.report());
        }
        assert_eq!(fs::read(one.home().join(back)).unwrap(), tree::bytes(1, BYTES));
    }
    assert_eq!(logged(&one, "download"), (CLIENT_V6.to_owned(), "private".to_owned()));
    assert_eq!(logged(&other, "upload"), (INSIDE_V6.to_owned(), "private".to_owned()));
}

#[test]
fn nothing_is_copied_onto_itself() {
    let authority = Authority::new();
    let (one, _) = partners_under(&authority, |setup| setup.option("upload", "publish", "\"in-place\""));
    tree::file(&one.home(), "tree/file", 1, BYTES);
    let at = |path: &str| url(&one, Mode::Explicit, path);
    for (from, to) in
        [("tree/file", "tree/file"), ("tree/file", "tree/"), ("tree", "tree/in"), ("tree/", "tree/in")]
    {
        let run = client(&authority).run(["cp", "-r", &at(from), &at(to)]);
        assert_eq!(run.status.code(), Some(1), "{}", run.report());
        assert!(run.stderr.contains("give another target"), "{}", run.report());
    }
    assert_eq!(tree::names(&one.home().join("tree")), ["file"]);
    assert_eq!(fs::read(one.home().join("tree/file")).unwrap(), tree::bytes(1, BYTES));
}

#[test]
fn in_clear_only_when_it_is_said() {
    let authority = Authority::new();
    let (one, other) = partners_under(&authority, |setup| setup.explicit("data_protection = \"optional\""));
    tree::file(&one.home(), "file", 1, BYTES);
    let (from, to) = (url(&one, Mode::Explicit, "file"), url(&other, Mode::Explicit, ""));
    client(&authority).prints(["cp", "--clear-data", &from, &to]);
    assert_eq!(logged(&other, "upload"), (one.explicit.ip().to_string(), "clear".to_owned()));
    assert_eq!(tree::sha256_of(&one.home().join("file")), tree::sha256_of(&other.home().join("file")));
}

#[test]
fn a_target_that_refuses_the_file_is_a_failure_of_the_file() {
    let authority = Authority::new();
    let (one, other) = partners_under(&authority, |setup| {
        setup.user(USER, &[EVERYTHING, "\n[[user.folder]]\npath = \"/closed\"\npermissions = [\"list\"]"])
    });
    tree::file(&one.home(), "file", 1, BYTES);
    tree::file(&one.home(), "second", 2, 100);
    tree::file(&other.home(), "closed/x", 2, 100);
    let from = |name: &str| url(&one, Mode::Explicit, name);
    let run = client(&authority).run(["cp", &from("file"), &url(&other, Mode::Explicit, "closed/")]);
    assert!(!run.status.success() && !run.stderr.contains("pass through"), "{}", run.report());
    // And the servers exchange files afterwards as before.
    client(&authority).prints(["cp", &from("second"), &url(&other, Mode::Explicit, "")]);
    assert_eq!(tree::sha256_of(&one.home().join("second")), tree::sha256_of(&other.home().join("second")));
}

#[test]
fn to_and_from_proftpd() {
    if !Peer::Proftpd.is_here() {
        return;
    }
    let authority = Authority::new();
    for (mode, version) in EVERY_WAY {
        let wanted = Wanted::new(mode).only(version).partners_of(&authority);
        let peer = Peer::Proftpd.start(&wanted);
        let site = Site {
            address: loopback::unused().into(),
            signed_by: &authority,
            partner: Some((peer.address.ip(), Some(&peer.authority))),
        };
        let ours = site.start(|setup| setup);
        let both = ours.scratch().join("both.pem");
        std::fs::write(&both, format!("{}{}", authority.pem(), peer.authority.pem())).unwrap();
        let client = Client::new(&password(USER)).flag("--ca").flag(&both);
        tree::file(&ours.home(), "out", 1, BYTES);
        let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
        let run = client.run(["cp", &url(&ours, mode, "out"), &peer.url(scheme, "")]).ok();
        assert!(!run.stderr.contains("pass through"), "{}", run.report());
        assert_eq!(tree::sha256_of(&ours.home().join("out")), tree::sha256_of(&peer.home().join("out")));
        let run = client.run(["cp", &peer.url(scheme, "out"), &url(&ours, mode, "back")]).ok();
        assert!(!run.stderr.contains("pass through"), "{}", run.report());
        assert_eq!(tree::sha256_of(&ours.home().join("out")), tree::sha256_of(&ours.home().join("back")));
        for direction in ["download", "upload"] {
            let line = ours.logged("transfer", |line| line.text("direction") == direction);
            assert_eq!(line.text("fxp"), peer.address.ip().to_string(), "{}", line.raw);
            let wanted = if version == Tls::V12 { "TLSv1.2" } else { "TLSv1.3" };
            assert_eq!((line.text("protection"), line.text("tls")), ("private".into(), wanted.into()));
        }
    }
}

#[test]
fn lftp_has_them_exchange_files() {
    if !needs(&["lftp"]) {
        return;
    }
    let authority = Authority::new();
    let (one, other) = partners_under(&authority, |setup: Setup| setup);
    tree::file(&one.home(), "tree/big", 1, BYTES);
    tree::file(&one.home(), "tree/folder/small", 2, 5);
    let secret = percent_encoded(&password(USER));
    let to = format!("ftp://{USER}:{secret}@{}", other.explicit);
    let script = format!(
        "set ftp:use-fxp yes\nset ftp:fxp-force yes\nset ftp:ssl-protect-fxp yes\nmirror /tree {to}/tree"
    );
    lftp(&one, Mode::Explicit, Tls::V13, &script).run().ok();
    tree::assert_same(&one.home().join("tree"), &other.home().join("tree"));
    assert_eq!(logged(&other, "upload"), (one.explicit.ip().to_string(), "private".to_owned()));
}
