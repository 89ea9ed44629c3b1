//! THE TABLE OF OPTIONS: which keys are there, what do they mean, what is in force when they are left out?
//!
//! A row is a help text, what a change takes, the key with its type, and its default. `config check`, `config show`, the JSON Schema and the
//! manual page read these rows and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;

use carrack_net::{Network, Startups};
use carrack_tls::{Sha256Fingerprint, Suite};

use super::acme::Acme;
use super::banner::Banner;
use super::certificate::CertificateName;
use super::created::{FileMode, FolderMode, Group};
use super::defence::{Access, Defence, Place};
use super::hook::Hook;
use super::limits::{ByteRate, Bytes, TimeOfDay, Weekday};
use super::name::{CharacterSet, Host, ServerName};
use super::plaintext::PlaintextGrant;
use super::public_address::PublicAddress;
use super::section::{Tables, section};
use super::server::ServerProcess;
pub use super::upload::Upload;
use super::users::Users;
use super::value::{Count, FolderPath, HashedPassword, PortRange, Seconds, UserName};
use super::virtual_server::VirtualServer;
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
        NewSessions roots: Vec<PathBuf> = [Vec::new()];
        /// Whether cryptography is done by the FIPS 140-3 validated module alone, and nothing is served without it. The program must have been
        /// built with the module; what the mode does not approve of is an error. Page `fips.md` tells what it covers.
        Restart fips: bool = [false];
        /// The process of the server.
        Restart server: ServerProcess = [ServerProcess::default()];
        /// The addresses on which clients are served.
        NewSessions listen: Tables<Listen> = [Tables::default()];
        /// Passive data connections.
        NewSessions passive: Passive = [Passive::default()];
        /// The identity shown to clients.
        NewSessions tls: Option<Tls> = [optional];
        /// Certificates that are ordered and renewed by ACME. Not beside `[tls]`.
        Restart acme: Option<Acme> = [optional];
        /// How uploads come to rest.
        NewSessions upload: Upload = [Upload::default()];
        /// How long the server waits.
        NewSessions timeouts: Timeouts = [Timeouts::default()];
        /// How much the server takes on.
        AtOnce limits: Limits = [Limits::default()];
        /// From where clients may come.
        NewSessions access: Access = [Access::default()];
        /// How guessing is slowed down and ended.
        AtOnce defence: Defence = [Defence::default()];
        /// The servers with which files are exchanged directly.
        NewSessions fxp: Option<Fxp> = [optional];
        /// What clients get that do not ask for TLS.
        NewSessions plaintext: Option<PlaintextGrant> = [optional];
        /// Servers that clients name.
        NewSessions virtual_server: Tables<VirtualServer> = [Tables::default()];
        /// Who may log in.
        NewSessions user: Tables<User> = [Tables::default()];
        /// Where further users are found.
        NewSessions users: Users = [Users::default()];
        /// What the server tells about its work.
        AtOnce log: Log = [Log::default()];
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
        NewSessions mode: Mode = [Mode::Explicit];
        /// Address and port, such as `0.0.0.0:2121` or `[::]:2121`. Port 0 takes any free one.
        NewSessions address: SocketAddr = [required];
        /// Control connections at a time on this listener, beside `limits.sessions`. Left out: as many as that.
        AtOnce sessions: Option<Count<1, 1_000_000>> = [optional];
        /// The text of the greeting, of one line or several; not where a client names a `[[virtual_server]]` with one of its own.
        NewSessions banner: Banner = [Banner::standard()];
        /// What a client gets that does not ask for TLS.
        NewSessions plaintext: Plaintext = [Plaintext::Refuse];
        /// Whether files and listings may travel in clear once the login was protected, and whether there are any; a folder may say otherwise.
        NewSessions data_protection: DataProtection = [DataProtection::Require];
        /// Whether a client may end TLS on its control connection (`CCC`), so that a firewall can read which ports are agreed. Passwords
        /// never follow in clear, and data connections stay as they are.
        NewSessions ccc: Ccc = [Ccc::Refuse];
        /// The names by which clients may call this server with `HOST`, such as `ftp.example.com`. Left out: any name.
        NewSessions hosts: Vec<Host> = [Vec::new()];
        /// What a data connection must show to belong to its control connection.
        NewSessions data_tls_reuse: DataTlsReuse = [DataTlsReuse::Prefer];
        /// What becomes of an upload whose data connection ends without TLS's close_notify.
        NewSessions data_close: DataClose = [DataClose::Strict];
        /// Whether clients are asked for a certificate in the TLS handshake. One that is not accepted ends the handshake, also where it
        /// is optional. Who may log in with which is said at the users. Page `client-certificates.md` shows it.
        NewSessions client_certificate: ClientCertificate = [ClientCertificate::Off];
        /// Whether files and listings may travel compressed (`MODE Z`), where the client asks for it. It takes processor time of the server
        /// and helps on slow lines only.
        NewSessions deflate: bool = [false];
        /// What `access.allow` says, said for this listener: a client has to pass both.
        NewSessions allow: Vec<Place> = [Vec::new()];
        /// What `access.deny` says, said for this listener beside it.
        NewSessions deny: Vec<Network> = [Vec::new()];
        /// The networks of the load balancers before this listener. Every connection from there, data connections too, must begin with a
        /// PROXY header, version 1 or 2, within five seconds, and its client's address is the one in there. All others come directly, and a
        /// header of theirs is refused. A single passive port asks the balancers of all listeners. Page `behind-a-load-balancer.md` shows it.
        NewSessions proxy_protocol: Vec<Network> = [Vec::new()];
        /// What `tls.minimum_version` says, said for this listener.
        NewSessions minimum_version: Option<TlsVersion> = [optional];
        /// What `tls.suites` says, said for this listener.
        NewSessions suites: Option<Vec<&'static Suite>> = [optional];
        /// What `tls.groups` says, said for this listener.
        NewSessions groups: Option<Vec<&'static carrack_tls::Group>> = [optional];
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
        NewSessions public_address: Option<PublicAddress> = [optional];
        /// Networks whose clients are told another address.
        NewSessions network: Tables<PassiveNetwork> = [Tables::default()];
    }
}

section! {
    /// A network whose clients are told an address of their own in the answer to `PASV`: those inside need another one than the world. The
    /// first that a client lies in counts; clients of none are told `passive.public_address`.
    pub struct PassiveNetwork {
        /// Where the clients are.
        NewSessions clients: Network = [required];
        /// The IPv4 address told to them, or a name that is looked up every minute.
        NewSessions public_address: PublicAddress = [required];
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
        NewSessions identity: Tables<TlsIdentity> = [Tables::default()];
        /// The oldest version of TLS spoken.
        NewSessions minimum_version: TlsVersion = [TlsVersion::Tls12];
        /// The cipher suites spoken, the preferred one first, by their names at IANA or in OpenSSL; page `tls.md` lists them. TLS 1.3 is
        /// always spoken, so one of its suites must be among them. Left out: all.
        NewSessions suites: Option<Vec<&'static Suite>> = [optional];
        /// The groups of the key exchange, by their names at IANA or in OpenSSL; page `tls.md` lists them. Which of them is taken goes by
        /// the client's order. Left out: X25519MLKEM768, which is safe from quantum computers, X25519, secp256r1 and secp384r1.
        NewSessions groups: Option<Vec<&'static carrack_tls::Group>> = [optional];
        /// The certificates of the authorities that vouch for clients, PEM. A client's certificate must lead to one of them, be in date
        /// and be issued for clients, unless its public key stands in a user's `spki_sha256`.
        NewConnections client_ca: Option<PathBuf> = [optional];
        /// What these authorities have revoked: their lists, PEM or DER. Left out: nothing is asked about revocation.
        NewConnections crl: Vec<PathBuf> = [Vec::new()];
        /// What a client's certificate is worth where there are lists and the one of its issuer is stale or missing.
        AtOnce unknown_revocation: UnknownRevocation = [UnknownRevocation::Refuse];
        /// What becomes of a session when a list that is read again names its certificate. New data connections of it are refused
        /// either way.
        NewSessions revoked_sessions: RevokedSessions = [RevokedSessions::End];
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
    /// How long the server waits. All are whole seconds but the last.
    pub struct Timeouts {
        /// From the connection to the end of its TLS handshake, on listeners where nobody may go without TLS.
        NewSessions tls_s: Seconds<1, 3_600> = [Seconds(10)];
        /// From the connection to a login, TLS handshake included.
        NewSessions login_s: Seconds<1, 3_600> = [Seconds(30)];
        /// From one command, or the end of a transfer, to the next command. `NOOP` and what is refused count as none.
        NewSessions idle_s: Seconds<1, 86_400> = [Seconds(300)];
        /// From an announced transfer to its data connection.
        NewSessions data_accept_s: Seconds<1, 600> = [Seconds(10)];
        /// From the last progress of a transfer to its end as stalled. Time in which a limit on its rate holds it back does not count.
        NewSessions data_stall_s: Seconds<1, 86_400> = [Seconds(60)];
        /// From SIGTERM to the end of the transfers that still run.
        AtOnce drain_s: Seconds<0, 86_400> = [Seconds(30)];
        /// What counts as progress: so many bytes within `data_stall_s`. A byte now and then does not; with 1 every byte does.
        NewSessions data_stall_bytes: Count<1, 1_073_741_824> = [Count(1024)];
    }
}

section! {
    defaulted
    /// How much the server takes on.
    pub struct Limits {
        /// Control connections at a time.
        AtOnce sessions: Count<1, 1_000_000> = [Count(10_000)];
        /// Control connections at a time from one IPv4 address or one IPv6 /64.
        AtOnce sessions_per_source: Count<1, 1_000_000> = [Count(200)];
        /// Refused logins after which a connection is closed.
        NewSessions login_failures: Count<1, 100> = [Count(3)];
        /// Control connections that have not logged in, as in sshd's `MaxStartups`, `start:percent:full`: from `start` of them on newcomers are
        /// turned away by chance, with `percent` at first and all of them at `full`. Addresses from which somebody is logged in are let in.
        AtOnce startups: Startups = [Startups::STANDARD];
        /// Memory that password checks may take at a time, in MiB. One that needs more by itself runs alone.
        Restart hash_memory_mib: Count<1, 1_048_576> = [Count(256)];
        /// Logins that wait for their password check. Beyond that, whichever source has most of them is told to come back later.
        Restart login_queue: Count<1, 1_000_000> = [Count(1_000)];
        /// Sessions at a time of one user; who has as many is told `421` behind the right password. Left out: any number. Page `limits.md`
        /// tells of this and all that follow.
        NewSessions sessions_per_user: Option<Count<1, 1_000_000>> = [optional];
        /// Uploads and downloads at a time of one user, all sessions together. Left out: one for each session.
        NewSessions transfers_per_user: Option<Count<1, 1_000_000>> = [optional];
        /// Files that one session may upload and download, both together.
        NewSessions files_per_session: Option<Count<1, 1_000_000_000>> = [optional];
        /// Bytes of files that one session may upload and download, both together.
        NewSessions bytes_per_session: Option<Bytes<1>> = [optional];
        /// How fast all uploads together may be. Left out, or 0: no limit; the same holds for all rates.
        NewSessions upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast all downloads together may be.
        NewSessions download_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast the uploads of one user together may be.
        NewSessions user_upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast the downloads of one user together may be.
        NewSessions user_download_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast one upload may be.
        NewSessions transfer_upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast one download may be.
        NewSessions transfer_download_bytes_per_s: Option<ByteRate> = [optional];
        /// Hours with other rates.
        NewSessions hours: Tables<LimitsHours> = [Tables::default()];
    }
}

section! {
    /// Hours in which other rates hold than those of `[limits]`. The first that names a rate and fits counts; a rate that it leaves out
    /// is what it is at other hours.
    pub struct LimitsHours {
        /// The days on which they begin.
        NewSessions days: Vec<Weekday> = [Weekday::ALL.to_vec()];
        /// When they begin, such as `08:00`, on the server's local clock.
        NewSessions from: TimeOfDay = [required];
        /// When they end; where that is earlier, on the next day. `24:00` is midnight.
        NewSessions to: TimeOfDay = [required];
        /// How fast all uploads together may be.
        NewSessions upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast all downloads together may be.
        NewSessions download_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast the uploads of one user together may be.
        NewSessions user_upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast the downloads of one user together may be.
        NewSessions user_download_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast one upload may be.
        NewSessions transfer_upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast one download may be.
        NewSessions transfer_download_bytes_per_s: Option<ByteRate> = [optional];
    }
}

section! {
    /// Server-to-server transfers (FXP): a client has this server exchange a file with another one, which is a partner. Without this
    /// table data connections lead to the client's own address and come from nowhere else. Page `fxp.md` tells how it works.
    pub struct Fxp {
        /// The partners' addresses, or networks of them: what a data connection may lead to or come from beside the client's own address.
        NewSessions partners: Vec<Network> = [required];
        /// The certificates of the authorities that sign for partners, PEM; a partner's own may stand among them. This server is the TLS
        /// client of a partner (`SSCN ON`, `CPSV`) whose certificate leads to one of them, is in date and was issued for servers; names
        /// are not compared. Without this and `spki_sha256` it is never the TLS client, so the partner has to be.
        NewSessions ca: Option<PathBuf> = [optional];
        /// The SHA-256 of the partners' public keys, as `carrack cert fingerprint` prints them. A partner with another key is refused. Without
        /// `ca` the key is all that counts; with it the certificate must lead there as well.
        NewSessions spki_sha256: Option<Vec<Sha256Fingerprint>> = [optional];
    }
}

section! {
    /// Somebody who may log in. At least one, here or where `[users]` says.
    pub struct User {
        /// The name given to `USER`.
        NewSessions name: UserName = [required];
        /// The `[[virtual_server]]` at which alone this user is known, by the first of its names. The same name at another server is somebody
        /// else. Left out: the server of clients that name none of them.
        NewSessions virtual_server: Option<ServerName> = [optional];
        /// The hash of the password, made by `carrack user hash`: argon2id, or PBKDF2 where `fips` asks for it. Hashes of other servers are taken
        /// as they are: bcrypt (`$2y$`), SHA-crypt (`$5$`, `$6$`) and yescrypt (`$y$`). Only the users of `[plaintext]` may go without, and
        /// have no more than it grants them then, with TLS as well.
        NewSessions password: Option<HashedPassword> = [optional];
        /// The folder on disk that this user sees as `/`. It must be there.
        NewSessions home: PathBuf = [required];
        /// The listener's `plaintext`, said for this user: `refuse` keeps it to TLS where others need none, `limit` leaves it its grant of
        /// `[plaintext]` also where others have everything, `allow` gives it everything where others have a grant or nothing. A listener
        /// with `refuse` lets nobody in. Left out: what the listener says.
        NewSessions plaintext: Option<Plaintext> = [optional];
        /// Whether nobody may log in as this user. A reload that disables a user, or takes one out, ends its sessions.
        NewSessions disabled: bool = [false];
        /// What it takes to log in.
        NewSessions login: Login = [Login::Password];
        /// The networks from which alone this user may log in; from elsewhere every login is refused like a wrong password. Left out: all.
        NewSessions networks: Vec<Network> = [Vec::new()];
        /// SHA-256 of the public keys of client certificates that log this user in, as `carrack cert fingerprint` prints it for the public
        /// key. Nobody has to vouch for a certificate with such a key.
        NewSessions spki_sha256: Vec<Sha256Fingerprint> = [Vec::new()];
        /// Client certificates that log this user in by a name.
        NewSessions certificate: Tables<UserCertificate> = [Tables::default()];
        /// What the user may do.
        NewSessions permissions: Vec<Permission> = [vec![Permission::List, Permission::Read]];
        /// The listener's `data_tls_reuse`, said for this user. Left out: what the listener says.
        NewSessions data_tls_reuse: Option<DataTlsReuse> = [optional];
        /// The character set in which this user's device spells names, such as `latin1`, `windows-1251`, `gbk` or `shift_jis`: any
        /// but UTF-8 of the Encoding Standard that has ASCII in it. Left out: UTF-8. `OPTS UTF8 ON` gives a client of this user UTF-8.
        NewSessions charset: Option<CharacterSet> = [optional];
        /// What `limits.sessions_per_user` says, said for this user.
        NewSessions sessions: Option<Count<1, 1_000_000>> = [optional];
        /// What `limits.transfers_per_user` says, said for this user.
        NewSessions transfers: Option<Count<1, 1_000_000>> = [optional];
        /// What `limits.files_per_session` says, said for this user.
        NewSessions files_per_session: Option<Count<1, 1_000_000_000>> = [optional];
        /// What `limits.bytes_per_session` says, said for this user.
        NewSessions bytes_per_session: Option<Bytes<1>> = [optional];
        /// How many bytes the files in the user's home may have, whoever put them there, unfinished uploads among them. Left out: as
        /// many as the disk has room for.
        NewSessions quota_bytes: Option<Bytes<1>> = [optional];
        /// What `upload.file_mode` says, said for this user.
        NewSessions file_mode: Option<FileMode> = [optional];
        /// What `upload.dir_mode` says, said for this user.
        NewSessions dir_mode: Option<FolderMode> = [optional];
        /// What `upload.group` says, said for this user.
        NewSessions group: Option<Group> = [optional];
        /// What `limits.user_upload_bytes_per_s` says, said for this user: how fast all its uploads together may be. 0: no limit.
        NewSessions upload_bytes_per_s: Option<ByteRate> = [optional];
        /// What `limits.user_download_bytes_per_s` says, said for this user.
        NewSessions download_bytes_per_s: Option<ByteRate> = [optional];
        /// What `limits.transfer_upload_bytes_per_s` says, said for this user.
        NewSessions transfer_upload_bytes_per_s: Option<ByteRate> = [optional];
        /// What `limits.transfer_download_bytes_per_s` says, said for this user.
        NewSessions transfer_download_bytes_per_s: Option<ByteRate> = [optional];
        /// Hours with other rates.
        NewSessions hours: Tables<UserHours> = [Tables::default()];
        /// Folders with rules of their own.
        NewSessions folder: Tables<Folder> = [Tables::default()];
    }
}

section! {
    /// Hours in which other rates hold for the user above, as in `[[limits.hours]]`, and before those.
    pub struct UserHours {
        /// The days on which they begin.
        NewSessions days: Vec<Weekday> = [Weekday::ALL.to_vec()];
        /// When they begin, such as `08:00`, on the server's local clock.
        NewSessions from: TimeOfDay = [required];
        /// When they end; where that is earlier, on the next day. `24:00` is midnight.
        NewSessions to: TimeOfDay = [required];
        /// How fast all uploads of the user together may be.
        NewSessions upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast all downloads of the user together may be.
        NewSessions download_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast one upload may be.
        NewSessions transfer_upload_bytes_per_s: Option<ByteRate> = [optional];
        /// How fast one download may be.
        NewSessions transfer_download_bytes_per_s: Option<ByteRate> = [optional];
    }
}

section! {
    /// A name in a client's certificate that logs the user above in. It counts together with its issuer alone, and only whole: no part of
    /// a name, no pattern. Exactly one of the names is given. `carrack cert show` prints issuer and names as they are written here.
    pub struct UserCertificate {
        /// The distinguished name of the certificate's issuer, such as `CN=Example CA`.
        NewSessions issuer: CertificateName = [required];
        /// An e-mail address among its subject alternative names.
        NewSessions email: Option<CertificateName> = [optional];
        /// A user principal name among its subject alternative names.
        NewSessions upn: Option<CertificateName> = [optional];
        /// A URI among its subject alternative names.
        NewSessions uri: Option<CertificateName> = [optional];
        /// A DNS name among its subject alternative names.
        NewSessions dns: Option<CertificateName> = [optional];
        /// The distinguished name of its subject.
        NewSessions subject: Option<CertificateName> = [optional];
    }
}

section! {
    /// A folder of the user above, with all beneath it, that has rules of its own. Rules go by the path: for a user who has any, symbolic
    /// links are not followed, as one could lead into a folder past its rules.
    pub struct Folder {
        /// The folder as this user sees it, from `/`.
        NewSessions path: FolderPath = [required];
        /// What the user may do there. Left out: the same as elsewhere.
        NewSessions permissions: Option<Vec<Permission>> = [optional];
        /// What the listener's `data_protection` says, said for this folder: `optional` lets its files travel in clear also where the
        /// listener requires protection (never on implicit listeners), `require` protects them also where the listener and `[plaintext]`
        /// do not, `refuse` keeps its files and listings off all data connections. Left out: what the listener says.
        NewSessions data_protection: Option<DataProtection> = [optional];
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
        AtOnce level: LogLevel = [LogLevel::Info];
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
