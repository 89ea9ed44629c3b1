//! Behind a load balancer: who is believed to say who the client is, and what then sees the client's own address.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use carrack_tests::control::{Control, Reply};
use carrack_tests::logs::Line;
use carrack_tests::pages::blocks;
use carrack_tests::programs::{EVERY_WAY, Program, Running, Tls, curl, lftp_at, needs};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;
use carrack_tests::wait;
use carrack_tests::wire::{End, Wire};

/// The balancer that is listed.
const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Somebody who is not.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const PAGE: &str = "docs/behind-a-load-balancer.md";

/// What every header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The header of version 1 for a client, which came to some address outside.
fn version_1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 203.0.113.7 40000 21\r\n").into_bytes()
}

/// The same in version 2.
fn version_2(client: &str) -> Vec<u8> {
    let client: Ipv4Addr = client.parse().unwrap();
    [SIGNATURE, b"\x21\x11\x00\x0c", &client.octets(), &[203, 0, 113, 7], b"\x9c\x40\x00\x15"].concat()
}

/// The same two for a client of IPv6.
fn version_1_of_ipv6(client: Ipv6Addr) -> Vec<u8> {
    format!("PROXY TCP6 {client} 2001:db8:1::7 40000 21\r\n").into_bytes()
}

fn version_2_of_ipv6(client: Ipv6Addr) -> Vec<u8> {
    let outside = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);
    [SIGNATURE, b"\x21\x21\x00\x24", &client.octets(), &outside.octets(), b"\x9c\x40\x00\x15"].concat()
}

/// A check of the balancer's own, in both versions.
fn checks() -> [Vec<u8>; 2] {
    [b"PROXY UNKNOWN\r\n".to_vec(), [SIGNATURE, b"\x20\x00\x00\x00"].concat()]
}

/// Listens behind [`BALANCER`].
fn behind() -> Setup {
    Setup::new().quick_logins().listen(&format!("proxy_protocol = [\"{BALANCER}\"]"))
}

/// A connection from an address that begins with these bytes.
fn connect(to: SocketAddr, from: impl Into<IpAddr>, first: &[u8]) -> Wire {
    let mut wire = Wire::connect_from(from.into(), to).unwrap();
    wire.send(first).unwrap();
    wire
}

/// A control connection of a client that comes through the balancer.
fn relayed(server: &Server, client: &str) -> Control {
    let wire = connect(server.explicit, BALANCER, &version_2(client));
    Control::over(wire, &TlsClient::new(Tls::V13))
}

fn secured(mut control: Control) -> Control {
    control.wait_for(220);
    control.expect("AUTH TLS", 234);
    control.secure();
    control
}

/// The same with a session of the default user.
fn session(server: &Server, client: &str) -> Control {
    let mut control = secured(relayed(server, client));
    control.login(USER);
    control.expect("PBSZ 0", 200);
    control.expect("PROT P", 200);
    control.expect("TYPE I", 200);
    control
}

/// Where the next data connection is to go.
fn data_port(control: &mut Control, server: &Server) -> SocketAddr {
    SocketAddr::new(server.explicit.ip(), control.passive().port())
}

fn is_from(line: &Line, address: &str) -> bool {
    line.text("peer").starts_with(&format!("{address}:"))
}

fn refused(server: &Server) -> usize {
    server.logs.lines().iter().filter(|line| line.is("connection_refused")).count()
}

/// One haproxy with the configuration of the manual, on addresses of this test's own.
struct HaProxy {
    /// Where clients come to.
    front: Ipv4Addr,
    /// The client's own address.
    client: Ipv4Addr,
    _running: Running,
}

impl HaProxy {
    /// Starts what the page shows before `server`, with `word` in place of `send-proxy-v2`.
    fn start(server: &Server, net: [u8; 2], word: &str) -> HaProxy {
        let [a, b] = net;
        let at = |last| Ipv4Addr::new(127, a, b, last);
        let (front, client) = (at(10), at(7));
        let shown = blocks(PAGE, "text").into_iter().find(|block| block.text.contains("defaults"));
        let text = shown.expect("the page shows a haproxy.cfg").text;
        let text = text
            .replace("192.0.2.10", &front.to_string())
            .replace("10.0.0.20:2121", &server.explicit.to_string())
            .replace("10.0.0.20:2990", &server.implicit.to_string())
            .replace("10.0.0.20", &server.explicit.ip().to_string())
            .replace("10.0.0.5", &at(5).to_string())
            .replace("send-proxy-v2", word);
        let file = server.scratch().join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let running = Program::new("haproxy").arg("-db").arg("-f").arg(&file).spawn();
        let proxy = HaProxy { front, client, _running: running };
        wait::until_true("haproxy", || Wire::connect_from(client.into(), (front, 21).into()).is_ok());
        proxy
    }

    fn url(&self, mode: Mode, path: &str) -> String {
        let (scheme, port) = if mode == Mode::Explicit { ("ftp", 21) } else { ("ftps", 990) };
        format!("{scheme}://{}:{port}{path}", self.front)
    }
}

/// Every client in every way, up and down, through haproxy.
fn moves_files_through_haproxy(word: &str, ports: &str, net: [u8; 2]) {
    if !needs(&["haproxy", "curl", "lftp"]) {
        return;
    }
    let [a, b] = net;
    let server = Setup::new()
        .quick_logins()
        .at(IpAddr::V4(Ipv4Addr::new(127, a, b, 20)))
        .listen(&format!("proxy_protocol = [\"127.{a}.{b}.5\"]"))
        .option("passive", "ports", &format!("\"{ports}\""))
        .start();
    let proxy = HaProxy::start(&server, net, word);
    let client = proxy.client.to_string();
    let local = tree::file(&server.scratch(), "local", 1, 300_000);
    let back = server.scratch().join("back");
    for (mode, tls) in EVERY_WAY {
        for way in [&["--disable-eprt"][..], &["--disable-epsv", "--no-ftp-skip-pasv-ip"]] {
            let at = proxy.url(mode, "/file");
            let run = |arguments: &[&str]| {
                let curl = curl(&server, mode, tls).args(way).args(["--interface", &client]);
                curl.args(arguments).arg(&at).run().ok();
            };
            run(&["-T", local.to_str().unwrap()]);
            run(&["-o", back.to_str().unwrap()]);
            assert_eq!(tree::sha256_of(&back), tree::sha256_of(&local), "curl {mode:?} {tls:?} {way:?}");
            fs::remove_file(&back).unwrap();
        }
        let script = format!(
            "set net:socket-bind-ipv4 {client}\nput {} -o by-lftp\nget by-lftp -o {}",
            local.display(),
            back.display()
        );
        lftp_at(&server, &proxy.url(mode, ""), tls, &script).run().ok();
        assert_eq!(tree::sha256_of(&back), tree::sha256_of(&local), "lftp {mode:?} {tls:?}");
        fs::remove_file(&back).unwrap();
    }
    // Of all that was moved and of all that came no line names the balancer.
    let transfers = 4 * 6;
    server.logs.wait_for("every transfer", |lines| {
        let lines: Vec<_> = lines.iter().filter(|line| line.is("transfer")).collect();
        assert!(lines.iter().all(|line| is_from(line, &client)), "{lines:?}");
        (lines.len() >= transfers).then_some(())
    });
    let lines = server.logs.lines();
    let others: Vec<_> =
        lines.iter().filter(|line| !line.text("peer").is_empty() && !is_from(line, &client)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn clients_move_files_through_haproxy_with_version_1() {
    moves_files_through_haproxy("send-proxy", "50000-50019", [81, 1]);
}

#[test]
fn clients_move_files_through_haproxy_with_version_2() {
    moves_files_through_haproxy("send-proxy-v2", "50000-50019", [81, 2]);
}

#[test]
fn clients_move_files_through_haproxy_to_a_port_that_all_share() {
    moves_files_through_haproxy("send-proxy-v2", "50007", [81, 3]);
}

#[test]
fn who_is_listed_has_to_begin_with_a_header() {
    let server = behind().start();
    let endless = connect(server.explicit, BALANCER, b"PROXY TCP4 192.0.2.1 ");
    for (to, first, why) in [
        (server.explicit, &b"USER carrack\r\n"[..], "no PROXY header came"),
        (server.implicit, b"\x16\x03\x01\x00\x05hello", "no PROXY header came"),
        (server.explicit, b"PROXY TCP4 192.0.2.1 nobody 1 2\r\n", "malformed"),
        (server.implicit, &[SIGNATURE, b"\x21\x11\x00\x04abcd"].concat(), "malformed"),
        (server.explicit, &[SIGNATURE, b"\x21\x11\xff\xff"].concat(), "longer than 4096 bytes"),
    ] {
        let before = refused(&server);
        let (said, _) = connect(to, BALANCER, first).read_to_end();
        assert_eq!(String::from_utf8_lossy(&said), "");
        let line = server.logs.wait_for("the refusal", |lines| {
            lines.iter().filter(|line| line.is("connection_refused")).nth(before).cloned()
        });
        assert!(line.text("why").contains(why), "{}", line.raw);
        assert_eq!(
            (line.text("reason"), line.text("option")),
            ("proxy_protocol".into(), "listen.proxy_protocol".into())
        );
        assert!(is_from(&line, &BALANCER.to_string()), "{}", line.raw);
    }
    // Meanwhile a header that does not end has kept nobody waiting, and it has an end.
    session(&server, "192.0.2.1").upload_through(&server, "192.0.2.1");
    let (said, _) = { endless }.read_to_end();
    assert_eq!(said, b"");
    server.logged("connection_refused", |line| line.text("why").contains("within 5 seconds"));
}

#[test]
fn a_header_from_somebody_else_is_not_believed() {
    let server = behind().start();
    for header in [version_1("192.0.2.9"), version_2("192.0.2.9")] {
        let mut explicit =
            Control::over(connect(server.explicit, STRANGER, &header), &TlsClient::new(Tls::V13));
        explicit.wait_for(220);
        let (replies, _) = explicit.replies_to_end();
        assert!(replies.iter().any(|reply| reply.code == 421), "{replies:?}");
        let mut implicit = connect(server.implicit, STRANGER, &header);
        assert!(implicit.secure(&TlsClient::new(Tls::V13)).is_err());
    }
    server.logged("disconnected", |line| {
        line.text("why").contains("proxy_protocol") && is_from(line, "127.0.0.3")
    });
    // Who is not listed comes directly, and is asked for nothing.
    let wire = Wire::connect_from(STRANGER.into(), server.explicit).unwrap();
    secured(Control::over(wire, &TlsClient::new(Tls::V12))).login(USER);
    assert!(!server.logs.lines().iter().any(|line| is_from(line, "192.0.2.9")));
}

#[test]
fn limits_lists_and_bans_see_the_client_and_not_the_balancer() {
    let server = behind()
        .option("limits", "sessions_per_source", "1")
        .option("access", "deny", "[\"192.0.2.66\", \"127.0.0.2\"]")
        .option("defence", "exempt", "[]")
        .option("defence", "slow_after", "100")
        .option("defence", "ban_after", "5")
        .start();
    let turned_away = |client: &str, option: &str| {
        let said: Option<Reply> = relayed(&server, client).reply_or_end().ok();
        assert!(said.is_none_or(|reply| reply.code == 421));
        server.logged("connection_refused", |line| line.text("option") == option && is_from(line, client));
    };
    let _one = session(&server, "192.0.2.1");
    turned_away("192.0.2.1", "limits.sessions_per_source");
    let _another = session(&server, "192.0.2.2");
    turned_away("192.0.2.66", "access.deny");
    for guess in 0..5 {
        let mut control = wait::until("the place of the last guess", || {
            let mut control = relayed(&server, "192.0.2.5");
            control.reply_or_end().is_ok_and(|reply| reply.code == 220).then_some(control)
        });
        control.expect("AUTH TLS", 234);
        control.secure();
        control.expect(&format!("USER {USER}"), 331);
        control.expect(&format!("PASS guess {guess}"), 530);
    }
    server.logged("banned", |line| line.text("network") == "192.0.2.5");
    turned_away("192.0.2.5", "defence.ban_after");
    session(&server, "192.0.2.6");
    server.logged("login", |line| is_from(line, "192.0.2.6"));
}

#[test]
fn passive_replies_name_the_address_that_the_client_came_to() {
    let server = behind().start();
    let mut control = session(&server, "192.0.2.1");
    let told = control.expect("PASV", 227).to_string();
    assert!(told.contains("203,0,113,7"), "{told}");
    let wire = Wire::connect_from(STRANGER.into(), server.explicit).unwrap();
    let mut direct = secured(Control::over(wire, &TlsClient::new(Tls::V13)));
    direct.login(USER);
    let told = direct.expect("PASV", 227).to_string();
    assert!(told.contains("127,0,0,1"), "{told}");
}

/// Uploads under TLS over a data connection that is there, and insists on success.
fn stores(control: &mut Control, mut data: Wire) {
    control.expect("STOR file", 150);
    let tls = control.tls.clone();
    data.secure(&tls).unwrap();
    data.send(b"through the balancer").unwrap();
    data.finish().unwrap();
    control.wait_for(226);
}

trait Through {
    /// Uploads under TLS over a data connection of the balancer for `client`, and insists on success.
    fn upload_through(&mut self, server: &Server, client: &str);
}

impl Through for Control {
    fn upload_through(&mut self, server: &Server, client: &str) {
        let at = data_port(self, server);
        stores(self, connect(at, BALANCER, &version_1(client)));
        assert_eq!(fs::read(server.home().join("file")).unwrap(), b"through the balancer");
    }
}

/// Data connections that are not the client's are closed, and its own comes to its transfer all the same.
fn only_the_clients_data_connection_is_taken(setup: Setup) {
    let server = setup.start();
    let mut control = session(&server, "192.0.2.1");
    let at = data_port(&mut control, &server);
    let mut others = [
        (BALANCER, b"\x16\x03\x01\x00\x05hello".to_vec()),
        (BALANCER, version_2("192.0.2.9")),
        (BALANCER, b"PROXY TCP4 what\r\n".to_vec()),
        (BALANCER, checks()[1].clone()),
        // Directly: neither the client's address nor a balancer's.
        (STRANGER, version_2("192.0.2.1")),
    ]
    .map(|(from, first)| connect(at, from, &first));
    let silent = Wire::connect_from(BALANCER.into(), at).unwrap();
    for other in &mut others {
        let (said, end) = other.read_to_end();
        assert!(said.is_empty() && matches!(end, End::Clean | End::Reset), "{end:?}");
    }
    stores(&mut control, connect(at, BALANCER, &version_2("192.0.2.1")));
    assert_eq!(fs::read(server.home().join("file")).unwrap(), b"through the balancer");
    drop(silent);
    control.upload_through(&server, "192.0.2.1");
    server.logged("transfer", |line| is_from(line, "192.0.2.1"));
}

#[test]
fn only_the_clients_data_connection_is_taken_at_a_port_of_its_own() {
    only_the_clients_data_connection_is_taken(behind());
}

#[test]
fn only_the_clients_data_connection_is_taken_at_a_port_that_all_share() {
    only_the_clients_data_connection_is_taken(behind().one_data_port());
}

#[test]
fn a_balancers_checks_are_greeted_and_leave_no_line() {
    let server = behind().start();
    for check in checks() {
        let wire = connect(server.explicit, BALANCER, &check);
        Control::over(wire, &TlsClient::new(Tls::V13)).wait_for(220);
        drop(connect(server.implicit, BALANCER, &check));
    }
    drop(Wire::connect_from(BALANCER.into(), server.explicit).unwrap());
    // Who says something is told of.
    let wire = connect(server.explicit, BALANCER, &checks()[0]);
    let mut talks = Control::over(wire, &TlsClient::new(Tls::V13));
    talks.wait_for(220);
    talks.expect("QUIT", 221);
    server.logged("disconnected", |line| is_from(line, &BALANCER.to_string()));
    let told = server.logs.lines().into_iter().filter(|line| is_from(line, &BALANCER.to_string()));
    let told: Vec<_> = told.map(|line| line.text("event")).collect();
    assert_eq!(told, ["connected", "disconnected"]);
}

#[test]
fn a_balancer_that_is_listed_at_a_reload_is_believed_from_then_on() {
    let mut server = Setup::new().quick_logins().one_data_port().start();
    let mut before = relayed(&server, "192.0.2.1");
    before.wait_for(220);
    assert!(before.replies_to_end().0.iter().any(|reply| matches!(reply.code, 221 | 421)), "{before}");
    server.rewrite(|setup| setup.listen(&format!("proxy_protocol = [\"{BALANCER}\"]")));
    server.signal(rustix::process::Signal::HUP);
    server.logged("reloaded", |_| true);
    session(&server, "192.0.2.1").upload_through(&server, "192.0.2.1");
    server.logged("transfer", |line| is_from(line, "192.0.2.1"));
}

#[test]
fn a_client_of_ipv6_is_seen_through_the_balancer_with_its_network() {
    let balancer = Ipv6Addr::LOCALHOST;
    let (client, neighbour) = ("2001:db8::7".parse().unwrap(), "2001:db8::8".parse().unwrap());
    let stranger = "2001:db8:0:1::7".parse().unwrap();
    for header in [version_1_of_ipv6, version_2_of_ipv6] {
        let server = Setup::new()
            .quick_logins()
            .at(balancer.into())
            .listen(&format!("proxy_protocol = [\"{balancer}\"]"))
            .option("limits", "sessions_per_source", "1")
            .start();
        let relayed = |client| {
            Control::over(connect(server.explicit, balancer, &header(client)), &TlsClient::new(Tls::V13))
        };
        let mut control = secured(relayed(client));
        control.login(USER);
        control.expect("PBSZ 0", 200);
        control.expect("PROT P", 200);
        // A source is a /64: the neighbour is the same one, and who is in the next network is not.
        assert!(relayed(neighbour).reply_or_end().is_ok_and(|reply| reply.code == 421));
        server.logged("connection_refused", |line| {
            line.text("option") == "limits.sessions_per_source" && is_from(line, &format!("[{neighbour}]"))
        });
        secured(relayed(stranger)).login(USER);
        let at = data_port(&mut control, &server);
        let mut other = connect(at, balancer, &header(stranger));
        let (said, _) = other.read_to_end();
        assert_eq!(said, b"");
        stores(&mut control, connect(at, balancer, &header(client)));
        server.logged("transfer", |line| is_from(line, &format!("[{client}]")));
    }
}
