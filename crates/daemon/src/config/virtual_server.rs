//! Which servers do clients name, whose users are whose, and what holds for whom?

use std::collections::HashMap;
use std::path::PathBuf;

use carrack_core::account;

use super::banner::Banner;
use super::check::Faults;
use super::name::ServerName;
use super::plaintext::Grant;
use super::section::section;
use super::table::{ClientCertificate, Config, DataProtection, Listen, Plaintext, User};
use super::value::UserName;
use super::warnings::Warning;

section! {
    /// A server that clients name, in the TLS handshake (SNI) or with `HOST`, on every listener: with users of its own, and where it says
    /// so with its own certificate, greeting and policy. Clients that name none of them are at the server of `[[listen]]`, with the users
    /// that have no `virtual_server`. Page `virtual-servers.md` shows it.
    pub struct VirtualServer {
        /// Its names, such as `ftp.example.org`; `*.example.org` stands for one label in the place of the `*`. The first is what its users
        /// and the log call it. A name itself goes before one with `*`.
        NewSessions names: Vec<ServerName> = [required];
        /// The certificate and its chain, PEM, as in `[[tls.identity]]`: it has to stand for all the names, and `[tls]` has to have another
        /// for clients that name nobody. Left out: whichever is there for the name.
        NewConnections certificate: Option<PathBuf> = [optional];
        /// Its private key, PEM.
        NewConnections key: Option<PathBuf> = [optional];
        /// An OCSP answer about it, as in `[tls]`.
        NewConnections staple: Option<PathBuf> = [optional];
        /// The text of its greeting, as `listen.banner`. It is said as soon as the server is named and a reply has room for it: the first
        /// `220` on implicit listeners, the reply to `HOST`, else the one to the login. Left out: what the listener says.
        NewSessions banner: Option<Banner> = [optional];
        /// What `listen.plaintext` says, for clients that have named this server; the stricter of the two counts. Left out: what the
        /// listener says, as with the two that follow.
        NewSessions plaintext: Option<Plaintext> = [optional];
        /// What `listen.data_protection` says, for these clients; the stricter of the two counts.
        NewSessions data_protection: Option<DataProtection> = [optional];
        /// What `listen.client_certificate` says, for these clients; the stricter of the two counts.
        NewSessions client_certificate: Option<ClientCertificate> = [optional];
    }
}

impl VirtualServer {
    /// What its users and the log call it.
    pub fn name(&self) -> Option<&ServerName> {
        self.names.first()
    }
}

impl User {
    /// Who it is among the users of all servers.
    pub fn id(&self) -> String {
        id(&self.name, self.virtual_server.as_ref())
    }

    /// Whether it belongs there; `None` is the server that nobody has to name.
    pub fn is_at(&self, server: Option<&VirtualServer>) -> bool {
        self.virtual_server.as_ref() == server.and_then(VirtualServer::name)
    }
}

impl Grant<'_> {
    /// Whose it is among the users of all servers.
    pub fn id(&self) -> String {
        id(self.user, self.server)
    }

    /// Whether it is for this user.
    pub fn is_for(&self, user: &User) -> bool {
        *self.user == user.name && self.server == user.virtual_server.as_ref()
    }
}

fn id(name: &UserName, server: Option<&ServerName>) -> String {
    let server = server.map(ServerName::as_str);
    account::User { server, name: name.as_str() }.id().into_owned()
}

/// The servers that there are: the one that nobody has to name, and the others.
pub fn servers(config: &Config) -> impl Iterator<Item = Option<&VirtualServer>> {
    std::iter::once(None).chain(config.virtual_server.iter().map(Some))
}

/// What a server may say as well as a listener.
const OWN: [[&str; 2]; 3] = [
    ["listen.plaintext", "virtual_server.plaintext"],
    ["listen.data_protection", "virtual_server.data_protection"],
    ["listen.client_certificate", "virtual_server.client_certificate"],
];

/// The virtual server of this first name.
pub fn server_named<'c>(config: &'c Config, name: Option<&ServerName>) -> Option<&'c VirtualServer> {
    config.virtual_server.iter().find(|server| name.is_some() && server.name() == name)
}

/// What a client gets that has named a server here and does not ask for TLS.
//
// SECURITY: a name is anybody's to say; it never makes anything weaker than the listener is.
pub fn plaintext(listen: &Listen, server: Option<&VirtualServer>) -> Plaintext {
    stricter(listen.plaintext, server.and_then(|server| server.plaintext), lenience_of_plaintext)
}

/// Which data connections clients of a server have here.
pub fn data_protection(listen: &Listen, server: Option<&VirtualServer>) -> DataProtection {
    let own = server.and_then(|server| server.data_protection);
    stricter(listen.data_protection, own, lenience_of_data_protection)
}

/// Whether clients of a server are asked for a certificate here.
pub fn client_certificate(listen: &Listen, server: Option<&VirtualServer>) -> ClientCertificate {
    let own = server.and_then(|server| server.client_certificate);
    stricter(listen.client_certificate, own, lenience_of_client_certificate)
}

/// The options of a server that count in the place of the listener's here, each behind that one.
pub fn own_options(listen: &Listen, server: &VirtualServer) -> Vec<[&'static str; 2]> {
    let (here, at_listener) = (Some(server), None);
    let counts = [
        plaintext(listen, here) != plaintext(listen, at_listener),
        data_protection(listen, here) != data_protection(listen, at_listener),
        client_certificate(listen, here) != client_certificate(listen, at_listener),
    ];
    OWN.into_iter().zip(counts).filter(|(_, counts)| *counts).map(|(options, _)| options).collect()
}

fn stricter<T: Copy>(of_listener: T, own: Option<T>, lenience: fn(T) -> u8) -> T {
    own.filter(|own| lenience(*own) < lenience(of_listener)).unwrap_or(of_listener)
}

fn lenience_of_plaintext(word: Plaintext) -> u8 {
    match word {
        Plaintext::Refuse => 0,
        Plaintext::Limit => 1,
        Plaintext::Allow => 2,
    }
}

fn lenience_of_data_protection(word: DataProtection) -> u8 {
    match word {
        DataProtection::Refuse => 0,
        DataProtection::Require => 1,
        DataProtection::Optional => 2,
    }
}

fn lenience_of_client_certificate(word: ClientCertificate) -> u8 {
    match word {
        ClientCertificate::Required => 0,
        ClientCertificate::Optional => 1,
        ClientCertificate::Off => 2,
    }
}

/// Names that are there once, users of servers that are there, and no word that never counts.
pub(super) fn check(config: &Config, faults: &mut Faults) {
    let mut seen = HashMap::new();
    for (index, server) in config.virtual_server.iter().enumerate() {
        let place = |key: &str| format!("virtual_server.{index}.{key}");
        if server.names.is_empty() {
            faults.add(
                place("names"),
                "a virtual server without a name is one that nobody can mean",
                "name it, as in names = [\"ftp.example.org\"]",
            );
        }
        for name in &server.names {
            if seen.insert(name, index).is_some() {
                faults.add(
                    place("names"),
                    format!("{} is a virtual server's name already", name.as_str()),
                    "leave it to one",
                );
            }
        }
        weaker(config, server, &place, faults);
    }
    for (index, user) in config.user.iter().enumerate() {
        if let Some(named) = &user.virtual_server {
            let server = config.virtual_server.iter().find(|server| server.names.contains(named));
            let mend = match server.and_then(VirtualServer::name) {
                Some(first) if first == named => continue,
                Some(first) => format!("write virtual_server = {:?}, its first name", first.as_str()),
                None => format!("add [[virtual_server]] with names = [{:?}]", named.as_str()),
            };
            let what = format!("{} is the first name of no [[virtual_server]]", named.as_str());
            faults.add(format!("user.{index}.virtual_server"), what, mend);
        }
    }
}

/// A word that is weaker than that of every listener counts nowhere.
fn weaker(config: &Config, server: &VirtualServer, place: &dyn Fn(&str) -> String, faults: &mut Faults) {
    let mut judge = |key: &str, word: &str, counts: &dyn Fn(&Listen) -> bool| {
        if !config.listen.is_empty() && !config.listen.iter().any(counts) {
            faults.add(
                place(key),
                format!("{word:?} never counts: every [[listen]] is stricter, and no name makes it weaker"),
                format!("set {key} = {word:?} on a [[listen]] as well, or take it out"),
            );
        }
    };
    if let Some(word) = server.plaintext {
        judge("plaintext", word.word(), &|listen| plaintext(listen, Some(server)) == word);
    }
    if let Some(word) = server.data_protection {
        judge("data_protection", word.word(), &|listen| data_protection(listen, Some(server)) == word);
    }
    if let Some(word) = server.client_certificate {
        judge("client_certificate", word.word(), &|listen| client_certificate(listen, Some(server)) == word);
    }
}

/// Servers where nobody can log in.
pub(super) fn warnings(config: &Config, warnings: &mut Vec<Warning>) {
    for server in config.virtual_server.iter() {
        if let Some(name) = server.name()
            && !config.user.iter().any(|user| user.is_at(Some(server)))
        {
            warnings.push(Warning(format!(
                "nobody can log in at {0}: no [[user]] has virtual_server = \"{0}\"",
                name.as_str()
            )));
        }
    }
}
