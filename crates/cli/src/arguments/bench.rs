//! Which flags has the command that measures a server?

use std::path::PathBuf;

use carrack_tls::{Group, PolicyError, Suite, TlsPolicy, Version};
use clap::{Args, ValueEnum};

use super::connection::{Connection, Results, with_notes};
use super::values;

/// Measure what a server can do
///
/// Each scenario runs for some seconds, or so many operations. Of it are printed what the server did in that time, as this client saw it, how
/// long one operation took in the middle and at worst for 99 of 100, and the processor time that this client used; with --pid or --cgroup also that
/// of the server. Compare servers by the processor time, in one run on one machine: rates are those of the slower side.
///
/// Files are kept in a folder of their own below URL, which is removed at the end. Everything goes over real logins, so a server that limits
/// connections or logins shows that here. So that servers are compared and not what they agree on, hold all of them to one version, cipher and
/// group.
#[derive(Debug, Args)]
#[command(after_help = "Example: carrack bench --pid $(pidof vsftpd) ftpes://alice@localhost/", after_long_help = with_notes!("\
Examples:
  carrack bench ftpes://alice@localhost:2121/
  carrack bench --scenario login,smallget-8 --seconds 10 ftps://alice@localhost/
  carrack bench --tls 1.3 --cipher aes256 --key-exchange p256 --cgroup /sys/fs/cgroup/system.slice/vsftpd.service ftpes://alice@localhost/
  carrack bench --scenario idle --idle 1000 --pid 4711 ftps://alice@localhost/"))]
pub(crate) struct Bench {
    /// A folder in which files may be made
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// What is measured; several with commas between them [default: all but login-resumed, get-c, put-c and idle]
    #[arg(long = "scenario", value_name = "NAME", value_delimiter = ',')]
    pub(crate) scenarios: Vec<Scenario>,
    /// How long each scenario runs, in seconds; an operation that has begun is finished
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) seconds: u32,
    /// How many operations each session does, however long they take
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) count: Option<u32>,
    /// The length of a big file, with k, M or G for powers of 1024
    #[arg(long, value_name = "BYTES", default_value = "64M", value_parser = values::size)]
    pub(crate) size: u64,
    /// How many files are listed
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) entries: u32,
    /// How many sessions are held open by the scenario idle; for their memory let the server be freshly started
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) idle: u32,
    /// The server's process on this machine: its processor time and memory are measured, those of the processes it starts too
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pid: Option<u32>,
    /// The server's control group on this machine, such as that of its systemd unit: as --pid, but to the microsecond, and with processes that ended
    #[arg(long, value_name = "DIR", conflicts_with = "pid")]
    pub(crate) cgroup: Option<PathBuf>,
    /// A file or folder below URL to download or list, instead of what would be made for it
    #[arg(long, value_name = "PATH")]
    pub(crate) existing: Option<String>,
    /// The only group that is offered for the exchange of keys
    #[arg(long, value_name = "GROUP", help_heading = "Protection")]
    pub(crate) key_exchange: Option<KeyExchange>,
    /// The only cipher that is offered
    #[arg(long, value_name = "CIPHER", help_heading = "Protection")]
    pub(crate) cipher: Option<Cipher>,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) results: Results,
}

/// Something that is measured. The number behind a name is how many sessions work at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// download a big file
    #[value(name = "get-1")]
    Get1,
    /// the same by four sessions
    #[value(name = "get-4")]
    Get4,
    /// upload a big file
    #[value(name = "put-1")]
    Put1,
    /// the same by four sessions
    #[value(name = "put-4")]
    Put4,
    /// download a big file in clear (PROT C)
    #[value(name = "get-c")]
    GetClear,
    /// upload a big file in clear (PROT C)
    #[value(name = "put-c")]
    PutClear,
    /// connect, log in, leave; four at a time
    #[value(name = "login")]
    Login,
    /// the same, offering to resume the TLS session of the login before
    #[value(name = "login-resumed")]
    LoginResumed,
    /// download a file of 1 KiB
    #[value(name = "smallget-1")]
    SmallGet1,
    /// the same by eight sessions
    #[value(name = "smallget-8")]
    SmallGet8,
    /// upload a file of 1 KiB, by eight sessions
    #[value(name = "smallput-8")]
    SmallPut8,
    /// list a folder
    #[value(name = "list")]
    List,
    /// log in and stay
    #[value(name = "idle")]
    Idle,
}

/// A group of the key exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyExchange {
    /// X25519MLKEM768, of TLS 1.3 alone
    #[value(name = "x25519mlkem768")]
    Hybrid,
    /// X25519
    #[value(name = "x25519")]
    X25519,
    /// secp256r1
    #[value(name = "p256")]
    P256,
    /// secp384r1
    #[value(name = "p384")]
    P384,
}

/// A cipher, with the hash that TLS 1.3 has beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cipher {
    /// AES-256-GCM
    #[value(name = "aes256")]
    Aes256,
    /// AES-128-GCM
    #[value(name = "aes128")]
    Aes128,
    /// ChaCha20-Poly1305
    #[value(name = "chacha20")]
    ChaCha20,
}

impl Bench {
    /// What is offered in handshakes.
    ///
    /// # Errors
    /// The [`PolicyError`], where nothing could be agreed with it.
    pub(crate) fn policy(&self) -> Result<TlsPolicy, PolicyError> {
        let suites = self.cipher.map(|cipher| {
            let word = match cipher {
                Cipher::Aes256 => "AES_256_GCM",
                Cipher::Aes128 => "AES_128_GCM",
                Cipher::ChaCha20 => "CHACHA20_POLY1305",
            };
            Suite::all().iter().filter(|suite| suite.name.contains(word)).collect()
        });
        let group = self.key_exchange.and_then(|group| {
            Group::named(match group {
                KeyExchange::Hybrid => "X25519MLKEM768",
                KeyExchange::X25519 => "X25519",
                KeyExchange::P256 => "secp256r1",
                KeyExchange::P384 => "secp384r1",
            })
        });
        let is_old_one_left_out = group.is_some_and(|group| !group.is_of(Version::Tls12));
        let minimum = if is_old_one_left_out { Version::Tls13 } else { Version::Tls12 };
        TlsPolicy::new(minimum, suites, group.map(|group| vec![group]))
    }
}
