//! Which address is a client told, and which does it come from: IPv6, IPv4 behind it, and NAT between two hosts.

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use carrack_tests::control::Control;
use carrack_tests::hosts::{Host, Hosts, INSIDE, INSIDE_V6, OUTSIDE, ROUTER};
use carrack_tests::programs::{Program, Run, Tls, needs};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER, password};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wire::{End, Wire};

const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A session that reaches the listener at `ip` of this machine.
fn session_at(server: &Server, ip: IpAddr, tls: &TlsClient) -> Control {
    let mut control = Control::connect(SocketAddr::new(ip, server.explicit.port()), tls);
    control.wait_for(220);
    control.expect("AUTH TLS", 234);
    control.secure();
    control.login(USER);
    control.expect("PBSZ 0", 200);
    control.expect("PROT P", 200);
    control.expect("TYPE I", 200);
    control
}

#[test]
fn one_listener_serves_ipv6_and_the_ipv4_behind_it() {
    if std::net::TcpListener::bind((V6, 0)).is_err() {
        return eprintln!("left out: this machine has no IPv6");
    }
    for setup in [Setup::new(), Setup::new().one_data_port()] {
        let server = setup
            .at(Ipv6Addr::UNSPECIFIED.into())
            .option("passive", "public_address", "\"203.0.113.7\"")
            .start();
        for version in [Tls::V12, Tls::V13] {
            let tls = TlsClient::new(version);
            let mut six = session_at(&server, V6, &tls);
            six.upload("six", b"by EPSV");
            // PASV has no room for the address, and an IPv4 one would be of no use here (RFC 2428 §1).
            let reply = six.expect("PASV", 425);
            assert!(reply.to_string().contains("EPSV"), "{reply}");
            assert!(six.expect("EPSV 1", 522).to_string().contains("(2)"));
            six.expect("EPSV 2", 229);
            six.expect("PORT 127,0,0,1,200,1", 504);
            let active = six.active(V6);
            six.expect("RETR six", 150);
            let mut data = Wire::over(active.accept().unwrap().0);
            data.secure(&tls).unwrap();
            assert_eq!(data.read_to_end(), (b"by EPSV".to_vec(), End::Clean));
            drop(data.finish());
            six.wait_for(226);

            let four = IpAddr::from([127, 0, 0, 1]);
            let tls = TlsClient::new(version);
            let mut four = session_at(&server, four, &tls);
            four.upload("four", b"by EPSV");
            // On this machine the public address is not named.
            assert!(four.expect("PASV", 227).to_string().contains("(127,0,0,1,"));
            assert!(four.expect("EPSV 2", 522).to_string().contains("(1)"));
            four.expect("EPSV ALL", 200);
            for refused in ["PASV", "PORT 127,0,0,1,200,1", "EPRT |1|127.0.0.1|50001|"] {
                four.expect(refused, 503);
            }
            assert_eq!(four.download("four"), b"by EPSV");
        }
    }
}

#[test]
fn a_name_that_is_never_found_leaves_epsv() {
    // RFC 6761 §6.4: this name is never there. Clients on this machine are not told it, so the rule is made for one outside.
    let server = Setup::new().option("passive", "public_address", "\"lost.invalid\"").start();
    server.logged("public_address_not_found", |line| line.text("name") == "lost.invalid");
    let mut control = Control::session(&server, Mode::Explicit, &TlsClient::new(Tls::V13), USER);
    control.expect("PASV", 227);
    control.upload("file", b"bytes");
}

/// A server inside, with control ports 2121 and 2990 and data port 50000, all of them forwarded from outside.
fn inside(hosts: &mut Hosts, setup: Setup) -> Server {
    hosts.forward(&[2121, 2990, 50_000]);
    setup
        .within(&hosts.namespace(Host::Server))
        .at(Ipv6Addr::UNSPECIFIED.into())
        .ports(2121, 2990)
        .option("passive", "ports", "50000")
        .option("timeouts", "data_accept_s", "2")
        .start()
}

/// curl that believes the address in `227`, as other clients do.
fn curl(hosts: &Hosts, host: Host, url: &str, arguments: &[&str]) -> Program {
    let user = format!("{USER}:{}", password(USER));
    let always = ["-sS", "-k", "--no-ftp-skip-pasv-ip", "--max-time", "60", "-u", &user];
    // Protects all, or the control connection alone.
    let protect = if arguments.contains(&"--ftp-ssl-control") { "--ftp-ssl-control" } else { "--ssl-reqd" };
    hosts.run(host, "curl").args(always).arg(protect).args(arguments).arg(url)
}

fn lftp(hosts: &Hosts, host: Host, at: &str, settings: &str, script: &str) -> Run {
    let always = "set ssl:verify-certificate no\nset ftp:ssl-force yes\nset ftp:ssl-protect-data yes\n\
                  set ftp:fix-pasv-address no\nset net:max-retries 1\nset net:timeout 20\nset cmd:fail-exit yes\n";
    let open = format!("open -u {USER},'{}' ftp://{at}\n", password(USER));
    let script = format!("{always}{settings}\n{open}{script}\nbye\n");
    hosts.run(host, "lftp").args(["-f", "/dev/stdin"]).input(script).run()
}

#[test]
fn behind_nat_pasv_works_with_the_right_public_address_and_not_with_another() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    for (public, right) in [(Some(OUTSIDE), true), (Some("203.0.113.7"), false), (None, false)] {
        let Some(mut hosts) = Hosts::new() else { return };
        let mut setup = Setup::new();
        if let Some(public) = public {
            setup = setup.option("passive", "public_address", &format!("{public:?}"));
        }
        let server = inside(&mut hosts, setup);
        let local = tree::file(&server.scratch(), "local", 5, 100_000);
        let at = format!("{OUTSIDE}:2121");
        let up = curl(&hosts, Host::Client, &format!("ftp://{at}/by-pasv"), &["--disable-epsv"]);
        let run = up.arg("-T").arg(&local).run();
        assert_eq!(run.status.success(), right, "{public:?}: {run:?}");
        assert_eq!(server.home().join("by-pasv").exists(), right, "{public:?}");
        // EPSV names no address, so it works either way; two ports in all are forwarded.
        curl(&hosts, Host::Client, &format!("ftp://{at}/by-epsv"), &[]).arg("-T").arg(&local).run().ok();
        assert_eq!(tree::sha256_of(&server.home().join("by-epsv")), tree::sha256_of(&local));
        let down = server.scratch().join("down");
        curl(&hosts, Host::Client, &format!("ftps://{OUTSIDE}:2990/by-epsv"), &[])
            .arg("-o")
            .arg(&down)
            .run()
            .ok();
        assert_eq!(tree::sha256_of(&down), tree::sha256_of(&local));
        if right {
            let put = format!("put {local:?} -o by-lftp");
            lftp(&hosts, Host::Client, &at, "set ftp:prefer-epsv no", &put).ok();
            assert_eq!(tree::sha256_of(&server.home().join("by-lftp")), tree::sha256_of(&local));
        }
        // Active mode: the client's own address is not the one that the server sees.
        let active = ["--ftp-port", "-", "--disable-eprt", "-v"];
        let run =
            curl(&hosts, Host::Client, &format!("ftp://{at}/active"), &active).arg("-T").arg(&local).run();
        assert!(run.stderr.contains("504 Only your own address"), "{run:?}");
    }
}

#[test]
fn clients_inside_are_told_the_inner_address_and_those_outside_the_outer_one() {
    if !needs(&["curl"]) {
        return;
    }
    let Some(mut hosts) = Hosts::new() else { return };
    let rule = format!("[[passive.network]]\nclients = {ROUTER:?}\npublic_address = {OUTSIDE:?}");
    let setup = Setup::new().option("passive", "public_address", &format!("{INSIDE:?}")).table(&rule);
    let server = inside(&mut hosts, setup);
    fs::write(server.home().join("file"), tree::bytes(3, 3000)).unwrap();
    for (host, at, told) in [(Host::Client, OUTSIDE, "198,51,100,1"), (Host::Server, INSIDE, "10,7,0,2")] {
        let back = server.scratch().join("back");
        let run = curl(&hosts, host, &format!("ftp://{at}:2121/file"), &["--disable-epsv", "-v"])
            .arg("-o")
            .arg(&back)
            .run()
            .ok();
        assert!(run.stderr.contains(&format!("({told},195,80)")), "{host:?}: {}", run.stderr);
        assert_eq!(fs::read(&back).unwrap(), tree::bytes(3, 3000), "{host:?}");
    }
}

#[test]
fn between_two_hosts_ipv6_works_passive_and_active() {
    if !needs(&["curl", "lftp"]) {
        return;
    }
    let Some(mut hosts) = Hosts::new() else { return };
    let server = inside(&mut hosts, Setup::new().explicit("data_protection = \"optional\""));
    let local = tree::file(&server.scratch(), "local", 6, 200_000);
    let at = format!("[{INSIDE_V6}]:2121");
    curl(&hosts, Host::Client, &format!("ftp://{at}/by-curl"), &[]).arg("-T").arg(&local).run().ok();
    assert_eq!(tree::sha256_of(&server.home().join("by-curl")), tree::sha256_of(&local));
    for passive in ["yes", "no"] {
        let (settings, name) = (format!("set ftp:passive-mode {passive}"), format!("passive-{passive}"));
        lftp(&hosts, Host::Client, &at, &settings, &format!("put {local:?} -o {name}")).ok();
        assert_eq!(tree::sha256_of(&server.home().join(&name)), tree::sha256_of(&local), "{name}");
    }
    // Debian's curl does no TLS on active data connections: these go in clear, which this server grants.
    let active = ["--ftp-port", "-", "--ftp-ssl-control"];
    for (host, at, name) in [(Host::Client, at.as_str(), "eprt"), (Host::Server, "10.7.0.2:2121", "port")] {
        curl(&hosts, host, &format!("ftp://{at}/{name}"), &active).arg("-T").arg(&local).run().ok();
        assert_eq!(tree::sha256_of(&server.home().join(name)), tree::sha256_of(&local), "{name}");
    }
    // Told to use PASV alone, curl learns that it cannot.
    let run =
        curl(&hosts, Host::Client, &format!("ftp://{at}/not"), &["-Q", "PASV"]).arg("-T").arg(&local).run();
    assert!(!run.status.success() && !server.home().join("not").exists(), "{run:?}");
}
