//! A real ACME server: Let's Encrypt's Pebble, with a DNS of its own, on a loopback address that no other test has.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;

use crate::certificates::{Authority, Kind};
use crate::loopback;
use crate::programs::{Program, Running, needs};
use crate::setup::Setup;
use crate::wait;

/// The name that certificates are ordered for; Pebble's DNS has every name lead to the address of the test.
pub const NAME: &str = "ftp.example.org";

/// Where Pebble asks for HTTP-01, in place of port 80.
const HTTP_PORT: u16 = 5002;
/// Where Pebble asks for TLS-ALPN-01, in place of port 443.
const TLS_PORT: u16 = 5001;
const DIRECTORY_PORT: u16 = 14000;
const MANAGEMENT_PORT: u16 = 15000;
const DNS_PORT: u16 = 8053;
const DNS_MANAGEMENT_PORT: u16 = 8055;

/// The identifier and the MAC key of an account, where Pebble demands one.
pub const EXTERNAL: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

/// Whom Pebble lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// Everybody.
    Open,
    /// Who has [`EXTERNAL`].
    External,
}

/// Pebble and its DNS; ended when dropped.
#[derive(Debug)]
pub struct AcmeServer {
    /// The address of everything.
    pub ip: Ipv4Addr,
    folder: tempfile::TempDir,
    pebble: Option<Running>,
    dns: Option<Running>,
}

impl AcmeServer {
    /// Its files, nothing running yet; `None` where Pebble is not installed. Certificates are good for `validity_s`.
    pub fn prepared(accounts: Accounts, validity_s: u64) -> Option<AcmeServer> {
        if !needs(&["pebble", "pebble-challtestsrv", "curl", "openssl"]) {
            return None;
        }
        let ip = loopback::unused();
        let folder = tempfile::Builder::new().prefix("carrack-acme-").tempdir().unwrap();
        let authority = Authority::new();
        authority.file(folder.path());
        let shown = authority.issue(Kind::Good, &[&ip.to_string()]);
        fs::write(folder.path().join("cert.pem"), shown.certificate_pem).unwrap();
        fs::write(folder.path().join("key.pem"), shown.key_pem).unwrap();
        fs::write(folder.path().join("eab.key"), format!("{}\n", EXTERNAL.1)).unwrap();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("{ip}:{DIRECTORY_PORT}"),
            "managementListenAddress": format!("{ip}:{MANAGEMENT_PORT}"),
            "certificate": folder.path().join("cert.pem"),
            "privateKey": folder.path().join("key.pem"),
            "httpPort": HTTP_PORT,
            "tlsPort": TLS_PORT,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": accounts == Accounts::External,
            "externalAccountMACKeys": { EXTERNAL.0: EXTERNAL.1 },
            "certificateValidityPeriod": validity_s,
        }});
        fs::write(folder.path().join("pebble.json"), config.to_string()).unwrap();
        Some(AcmeServer { ip, folder, pebble: None, dns: None })
    }

    /// One that runs.
    pub fn start(accounts: Accounts, validity_s: u64) -> Option<AcmeServer> {
        let mut server = AcmeServer::prepared(accounts, validity_s)?;
        server.run();
        Some(server)
    }

    /// Starts it, and waits until it listens.
    pub fn run(&mut self) {
        let ip = self.ip;
        let off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
        let dns = Program::new("pebble-challtestsrv")
            .args(off)
            .args(["-defaultIPv4", &ip.to_string(), "-dns01", &format!("{ip}:{DNS_PORT}")])
            .args(["-management", &format!("{ip}:{DNS_MANAGEMENT_PORT}")]);
        self.dns = Some(dns.spawn());
        wait::until_true("the DNS", || TcpStream::connect((ip, DNS_MANAGEMENT_PORT)).is_ok());
        let pebble = Program::new("pebble")
            .arg("-config")
            .arg(self.folder.path().join("pebble.json"))
            .args(["-dnsserver", &format!("{ip}:{DNS_PORT}")])
            // No pauses, no chance: every name is validated anew, and no good nonce is refused.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", "0");
        self.pebble = Some(pebble.spawn());
        wait::until_true("Pebble", || TcpStream::connect((ip, DIRECTORY_PORT)).is_ok());
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.pebble = None;
        self.dns = None;
    }

    /// A server whose certificate comes from here.
    pub fn setup(&self, challenge: &str) -> Setup {
        self.known_to(Setup::new(), challenge)
    }

    /// These settings, with what orders certificates here.
    pub fn known_to(&self, setup: Setup, challenge: &str) -> Setup {
        let setup = setup
            .option("acme", "directory", &format!("\"https://{}:{DIRECTORY_PORT}/dir\"", self.ip))
            .option("acme", "ca", &format!("{:?}", self.folder.path().join("authority.pem")))
            .option("acme", "terms_agreed", "true")
            .option("acme", "contact", "[\"admin@example.org\"]")
            .option("acme", "challenge", &format!("\"{challenge}\""));
        match challenge {
            "http-01" => setup.option("acme", "http_address", &format!("\"{}:{HTTP_PORT}\"", self.ip)),
            "tls-alpn-01" => setup.option("acme", "tls_alpn_address", &format!("\"{}:{TLS_PORT}\"", self.ip)),
            _ => setup.option("acme", "dns_hook", &format!("[{:?}, \"{}\"]", self.hook(), self.ip)),
        }
    }

    /// The file with the MAC key of [`EXTERNAL`].
    pub fn external_key(&self) -> PathBuf {
        self.folder.path().join("eab.key")
    }

    /// The program of `dns_hook`: it tells Pebble's DNS, and writes down what it was called with.
    fn hook(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join("hook");
        let script = format!(
            "#!/bin/sh\nset -e\necho \"$2 $3\" >> '{}'\ncase $2 in present) what=set-txt ;; *) what=clear-txt ;; esac\n\
             exec curl -fsS -d \"{{\\\"host\\\":\\\"$3.\\\",\\\"value\\\":\\\"$4\\\"}}\" http://$1:{DNS_MANAGEMENT_PORT}/$what\n",
            self.calls_file().display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn calls_file(&self) -> PathBuf {
        self.folder.path().join("calls")
    }

    /// What the program of `dns_hook` was called with: word and record, one call a line.
    pub fn hook_calls(&self) -> Vec<String> {
        fs::read_to_string(self.calls_file()).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The certificate of the authority that signs here, in a file: Pebble makes a new one at each start.
    pub fn root(&self) -> PathBuf {
        let run = Program::new("curl")
            .args(["-fsS", "--cacert"])
            .arg(self.folder.path().join("authority.pem"))
            .arg(format!("https://{}:{MANAGEMENT_PORT}/roots/0", self.ip))
            .run()
            .ok();
        let path = self.folder.path().join("root.pem");
        fs::write(&path, run.stdout).unwrap();
        path
    }
}

/// A table with a certificate for these names.
pub fn certificate(names: &[&str]) -> String {
    format!("\n[[acme.certificate]]\nnames = {names:?}")
}
