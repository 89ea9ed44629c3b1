//! THE TABLE OF OPTIONS: which keys are there, what do they mean, what is in force when they are left out?
//!
//! A row is a help text, what a change takes, the key with its type, and its default. `config check`, `config show`, the JSON Schema and the
//! manual page read these rows and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;

use carrack_net::Network;
use carrack_tls::{Group, Sha256Fingerprint, Suite};

use super::acme::Acme;
use super::certificate::CertificateName;
use super::hook::Hook;
use super::name::{CharacterSet, Host};
use super::public_address::PublicAddress;
use super::section::{Tables, section};
use super::value::{Count, FolderPath, HashedPassword, PortRange, Seconds, UserName};
pub use super::words::{
    Ccc, ClientCertificate, DataClose, DataProtection, DataTlsReuse, LogFormat, LogLevel, Login, Mode,
    Partials, Permission, Plaintext, Publish, RevokedSessions, TlsVersion, UnknownRevocation, UploadDigest,
};

section! {
    /// The top of the file, before the first `[table]`.
    pub struct Config {
        /// The folder of the server's own files: identity, and index of unfinished uploads. No path of a client reaches it.
        /// Left out: `$XDG_STATE_HOME/carrack`, or `~/.local/state/carrack`.
        Restart state: Option<PathBuf> = [optional];
        /// Folders beneath which every home must lie. Left out: the homes themselves.
        Restart roots: Vec<PathBuf> = [Vec::new()];
        /// Whether cryptography is done by the FIPS 140-3 validated module alone, and nothing is served without it. The program must have been
        /// built with the module; what the mode does not approve of is an error. Page `fips.md` tells what it covers.
        Restart fips: bool = [false];
        /// The addresses on which clients are served.
        Restart listen: Tables<Listen> = [Tables::default()];
        /// Passive data connections.
        Restart passive: Passive = [Passive::default()];
        /// The identity shown to clients.
        Restart tls: Option<Tls> = [optional];
        /// Certificates that are ordered and renewed by ACME. Not beside `[tls]`.
        Restart acme: Option<Acme> = [optional];
        /// How uploads come to rest.
        Restart upload: Upload = [Upload::default()];
        /// How long the server waits.
        Restart timeouts: Timeouts = [Timeouts::default()];
        /// How much the server takes on.
        Restart limits: Limits = [Limits::default()];
        /// The servers with which files are exchanged directly.
        Restart fxp: Option<Fxp> = [optional];
        /// What clients get that do not ask for TLS.
        Restart plaintext: Option<PlaintextGrant> = [optional];
        /// Who may log in.
        Restart user: Tables<User> = [Tables::default()];
        /// What the server tells about its work.
        Restart log: Log = [Log::default()];
        /// Where the server's state is measured.
        Restart metrics: Option<Metrics> = [optional];
        /// Who is told what happens.
        Restart hook: Tables<Hook> = [Tables::default()];
    }
}

section! {
    /// One address on which clients are served. At least one.
    pub struct Listen {
        /// When TLS begins.
        Restart mode: Mode = [Mode::Explicit];
        /// Address and port, such as `0.0.0.0:2121` or `[::]:2121`. Port 0 takes any free one.
        Restart address: SocketAddr = [required];
        /// What a client gets that does not ask for TLS.
        Restart plaintext: Plaintext = [Plaintext::Refuse];
        /// Whether files and listings may travel in clear once the login was protected, and whether there are any; a folder may say otherwise.
        Restart data_protection: DataProtection = [DataProtection::Require];
        /// Whether a client may end TLS on its control connection (`CCC`), so that a firewall can read which ports are agreed. Passwords
        /// never follow in clear, and data connections stay as they are.
        Restart ccc: Ccc = [Ccc::Refuse];
        /// The names by which clients may call this server with `HOST`, such as `ftp.example.com`. Left out: any name.
        Restart hosts: Vec<Host> = [Vec::new()];
        /// What a data connection must show to belong to its control connection.
        Restart data_tls_reuse: DataTlsReuse = [DataTlsReuse::Prefer];
        /// What becomes of an upload whose data connection ends without TLS's close_notify.
        Restart data_close: DataClose = [DataClose::Strict];
        /// Whether clients are asked for a certificate in the TLS handshake. One that is not accepted ends the handshake, also where it
        /// is optional. Who may log in with which is said at the users. Page `client-certificates.md` shows it.
        Restart client_certificate: ClientCertificate = [ClientCertificate::Off];
        /// Whether files and listings may travel compressed (`MODE Z`), where the client asks for it. It takes processor time of the server
        /// and helps on slow lines only.
        Restart deflate: bool = [false];
        /// What `tls.minimum_version` says, said for this listener.
        Restart minimum_version: Option<TlsVersion> = [optional];
        /// What `tls.suites` says, said for this listener.
        Restart suites: Option<Vec<&'static Suite>> = [optional];
        /// What `tls.groups` says, said for this listener.
        Restart groups: Option<Vec<&'static Group>> = [optional];
    }
}

section! {
    defaulted
    /// Passive data connections.
    pub struct Passive {
        /// The ports offered to clients, `first-last`, or a single one that all sessions share. A firewall has to let them in. With a
        /// single port, data connections are told apart by the TLS session that they resume. Those that resume none, and those in clear
        /// (`PROT C`), work only while no other session of the same address waits for one. So does a client that keeps one TLS session
        /// cache for parallel logins.
        Restart ports: PortRange = [PortRange::STANDARD];
        /// The IPv4 address told to clients in the answer to `PASV`, where it is not the one they connected to (NAT). Or a name such as
        /// `ftp.example.net`, which is looked up every minute; while it is not found, the last answer counts.
        Restart public_address: Option<PublicAddress> = [optional];
        /// Networks whose clients are told another address.
        Restart network: Tables<PassiveNetwork> = [Tables::default()];
    }
}

section! {
    /// A network whose clients are told an address of their own in the answer to `PASV`: those inside need another one than the world. The
    /// first that a client lies in counts; clients of none are told `passive.public_address`.
    pub struct PassiveNetwork {
        /// Where the clients are.
        Restart clients: Network = [required];
        /// The IPv4 address told to them, or a name that is looked up every minute.
        Restart public_address: PublicAddress = [required];
    }
}

section! {
    /// The identity shown to clients, and which TLS is spoken.
    pub struct Tls {
        /// The certificate and its chain, PEM. Left out: what `[acme]` orders; without that, or until it is there, a self-signed one,
        /// made once and kept in the state folder.
        NewConnections certificate: Option<PathBuf> = [optional];
        /// Its private key, PEM.
        NewConnections key: Option<PathBuf> = [optional];
        /// An OCSP answer about the certificate, DER or PEM, for clients that ask for one. Another program fetches it and renews it in
        /// time; one that is out of date is not shown.
        NewConnections staple: Option<PathBuf> = [optional];
        /// Further certificates, for other names or with another kind of key.
        Restart identity: Tables<TlsIdentity> = [Tables::default()];
        /// The oldest version of TLS spoken.
        Restart minimum_version: TlsVersion = [TlsVersion::Tls12];
        /// The cipher suites spoken, the preferred one first, by their names at IANA or in OpenSSL; page `tls.md` lists them. TLS 1.3 is
        /// always spoken, so one of its suites must be among them. Left out: all.
        Restart suites: Option<Vec<&'static Suite>> = [optional];
        /// The groups of the key exchange, by their names at IANA or in OpenSSL; page `tls.md` lists them. Which of them is taken goes by
        /// the client's order. Left out: X25519MLKEM768, which is safe from quantum computers, X25519, secp256r1 and secp384r1.
        Restart groups: Option<Vec<&'static Group>> = [optional];
        /// The certificates of the authorities that vouch for clients, PEM. A client's certificate must lead to one of them, be in date
        /// and be issued for clients, unless its public key stands in a user's `spki_sha256`.
        NewConnections client_ca: Option<PathBuf> = [optional];
        /// What these authorities have revoked: their lists, PEM or DER. Left out: nothing is asked about revocation.
        NewConnections crl: Vec<PathBuf> = [Vec::new()];
        /// What a client's certificate is worth where there are lists and the one of its issuer is stale or missing.
        Restart unknown_revocation: UnknownRevocation = [UnknownRevocation::Refuse];
        /// What becomes of a session when a list that is read again names its certificate. New data connections of it are refused
        /// either way.
        Restart revoked_sessions: RevokedSessions = [RevokedSessions::End];
    }
}

section! {
    /// A further certificate. It is shown to clients that ask for one of its names, in the TLS handshake (SNI) or before it with `HOST`;
    /// of several for a name the one whose kind of key the client can check. Clients that name nobody are shown the one of `[tls]`. As soon
    /// as there are other names than those of the first, a handshake that asks for a name of no certificate is refused.
    pub struct TlsIdentity {
        /// The certificate and its chain, PEM.
        NewConnections certificate: PathBuf = [required];
        /// Its private key, PEM.
        NewConnections key: PathBuf = [required];
        /// An OCSP answer about it, as in `[tls]`.
        NewConnections staple: Option<PathBuf> = [optional];
    }
}

section! {
    defaulted
    /// How uploads come to rest.
    pub struct Upload {
        /// When an upload appears under its name.
        Restart publish: Publish = [Publish::Atomic];
        /// Whether success is answered only after file and folder are on disk.
        Restart sync: bool = [true];
        /// Of which uploads a digest is computed while the bytes come, so that `HASH` and its kin answer at once afterwards. SHA-256 may cost
        /// more processor time than all else an upload does.
        Restart digest: UploadDigest = [UploadDigest::Asked];
        /// Who sees an unfinished upload in listings. FileZilla resumes only what it sees.
        Restart partials: Partials = [Partials::Hidden];
        /// Seconds after which an unfinished upload that nobody went on with is removed.
        Restart partial_expiry_s: Seconds<60, 315_360_000> = [Seconds(604_800)];
    }
}

section! {
    defaulted
    /// How long the server waits. All are whole seconds.
    pub struct Timeouts {
        /// From the connection to a login, TLS handshake included.
        Restart login_s: Seconds<1, 3_600> = [Seconds(30)];
        /// From one command, or the end of a transfer, to the next command.
        Restart idle_s: Seconds<1, 86_400> = [Seconds(300)];
        /// From an announced transfer to its data connection.
        Restart data_accept_s: Seconds<1, 600> = [Seconds(10)];
        /// Without a byte on a data connection.
        Restart data_stall_s: Seconds<1, 86_400> = [Seconds(60)];
        /// From SIGTERM to the end of the transfers that still run.
        Restart drain_s: Seconds<0, 86_400> = [Seconds(30)];
    }
}

section! {
    defaulted
    /// How much the server takes on.
    pub struct Limits {
        /// Control connections at a time.
        Restart sessions: Count<1, 1_000_000> = [Count(10_000)];
        /// Control connections at a time from one IPv4 address or one IPv6 /64.
        Restart sessions_per_source: Count<1, 1_000_000> = [Count(200)];
        /// Refused logins after which a connection is closed.
        Restart login_failures: Count<1, 100> = [Count(3)];
    }
}

section! {
    /// Server-to-server transfers (FXP): a client has this server exchange a file with another one, which is a partner. Without this
    /// table data connections lead to the client's own address and come from nowhere else. Page `fxp.md` tells how it works.
    pub struct Fxp {
        /// The partners' addresses, or networks of them: what a data connection may lead to or come from beside the client's own address.
        Restart partners: Vec<Network> = [required];
        /// The certificates of the authorities that sign for partners, PEM; a partner's own may stand among them. This server is the TLS
        /// client of a partner (`SSCN ON`, `CPSV`) whose certificate leads to one of them, is in date and was issued for servers; names
        /// are not compared. Without this and `spki_sha256` it is never the TLS client, so the partner has to be.
        Restart ca: Option<PathBuf> = [optional];
        /// The SHA-256 of the partners' public keys, as `carrack cert fingerprint` prints them. A partner with another key is refused. Without
        /// `ca` the key is all that counts; with it the certificate must lead there as well.
        Restart spki_sha256: Option<Vec<Sha256Fingerprint>> = [optional];
    }
}

section! {
    /// What `plaintext = "limit"` grants: without TLS only this user may log in, and has these folders and nothing else. Where the user
    /// has no password the same holds with TLS: TLS hides what travels, it does not tell who comes.
    pub struct PlaintextGrant {
        /// The user. There must be a `[[user]]` of this name; it may go without a password. Then any is taken, with TLS as well, and this
        /// grant narrows the user's own permissions whether the client asks for TLS or not.
        Restart user: UserName = [UserName::anonymous()];
        /// The folders granted, as this user sees them.
        Restart folders: Vec<FolderPath> = [required];
        /// Whether this user may change anything without TLS, as far as its own permissions go; where it has no password, with TLS too.
        Restart write: bool = [false];
    }
}

section! {
    /// Somebody who may log in. At least one.
    pub struct User {
        /// The name given to `USER`.
        Restart name: UserName = [required];
        /// The hash of the password, made by `carrack user hash`: argon2id, or PBKDF2 where `fips` asks for it. Only the user of `[plaintext]` may go without, and has no more
        /// than `[plaintext]` grants then, with TLS as well.
        Restart password: Option<HashedPassword> = [optional];
        /// The folder on disk that this user sees as `/`. It must be there.
        Restart home: PathBuf = [required];
        /// What it takes to log in.
        Restart login: Login = [Login::Password];
        /// SHA-256 of the public keys of client certificates that log this user in, as `carrack cert fingerprint` prints it for the public
        /// key. Nobody has to vouch for a certificate with such a key.
        Restart spki_sha256: Vec<Sha256Fingerprint> = [Vec::new()];
        /// Client certificates that log this user in by a name.
        Restart certificate: Tables<UserCertificate> = [Tables::default()];
        /// What the user may do.
        Restart permissions: Vec<Permission> = [vec![Permission::List, Permission::Read]];
        /// The listener's `data_tls_reuse`, said for this user. Left out: what the listener says.
        Restart data_tls_reuse: Option<DataTlsReuse> = [optional];
        /// The character set in which this user's device spells names, such as `latin1`, `windows-1251`, `gbk` or `shift_jis`: any
        /// but UTF-8 of the Encoding Standard that has ASCII in it. Left out: UTF-8. `OPTS UTF8 ON` gives a client of this user UTF-8.
        Restart charset: Option<CharacterSet> = [optional];
        /// Folders with rules of their own.
        Restart folder: Tables<Folder> = [Tables::default()];
    }
}

section! {
    /// A name in a client's certificate that logs the user above in. It counts together with its issuer alone, and only whole: no part of
    /// a name, no pattern. Exactly one of the names is given. `carrack cert show` prints issuer and names as they are written here.
    pub struct UserCertificate {
        /// The distinguished name of the certificate's issuer, such as `CN=Example CA`.
        Restart issuer: CertificateName = [required];
        /// An e-mail address among its subject alternative names.
        Restart email: Option<CertificateName> = [optional];
        /// A user principal name among its subject alternative names.
        Restart upn: Option<CertificateName> = [optional];
        /// A URI among its subject alternative names.
        Restart uri: Option<CertificateName> = [optional];
        /// A DNS name among its subject alternative names.
        Restart dns: Option<CertificateName> = [optional];
        /// The distinguished name of its subject.
        Restart subject: Option<CertificateName> = [optional];
    }
}

section! {
    /// A folder of the user above, with all beneath it, that has rules of its own. Rules go by the path: for a user who has any, symbolic
    /// links are not followed, as one could lead into a folder past its rules.
    pub struct Folder {
        /// The folder as this user sees it, from `/`.
        Restart path: FolderPath = [required];
        /// What the user may do there. Left out: the same as elsewhere.
        Restart permissions: Option<Vec<Permission>> = [optional];
        /// What the listener's `data_protection` says, said for this folder: `optional` lets its files travel in clear also where the
        /// listener requires protection (never on implicit listeners), `require` protects them also where the listener and `[plaintext]`
        /// do not, `refuse` keeps its files and listings off all data connections. Left out: what the listener says.
        Restart data_protection: Option<DataProtection> = [optional];
    }
}

section! {
    defaulted
    /// What the server tells about its work.
    pub struct Log {
        /// The file that lines are appended to. It is opened anew on SIGUSR1 and SIGHUP, so that other programs may rename it. Left out:
        /// standard error.
        Restart file: Option<PathBuf> = [optional];
        /// How a line is written.
        Restart format: LogFormat = [LogFormat::Text];
        /// The least important lines written.
        Restart level: LogLevel = [LogLevel::Info];
        /// A file for a line about each upload, download and delete in the form of wu-ftpd, `xferlog`, which many programs read. It is
        /// opened anew like `file`. Left out: none.
        Restart xferlog: Option<PathBuf> = [optional];
    }
}

section! {
    /// Measurements over plain HTTP: `GET /metrics` for Prometheus, `GET /health` for whoever restarts servers. Left out: none. See
    /// `metrics.md`.
    pub struct Metrics {
        /// Address and port, such as `127.0.0.1:9121`. Nobody has to log in there, so keep it to this machine or to a network of your own.
        Restart address: SocketAddr = [required];
        /// How many users have transfers and bytes counted under their name: the first that transfer something after the start. All
        /// further ones are counted together. 0 counts by no user.
        Restart per_user: Count<0, 10_000> = [Count(0)];
    }
}
