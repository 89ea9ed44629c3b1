//! Who may log in, and what is theirs?

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use crate::backend::Backend;
use crate::certificate::{Certificate, CertificateRule};
use crate::event::Origin;
use crate::limits::AccountLimits;
use crate::password::{Cost, Credential};
use crate::path::VirtualPath;
use crate::permission::Permissions;

/// A user by name, at one of the servers that a process is: names are told apart at each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User<'u> {
    /// The virtual server; `None` is the one that nobody has to name.
    pub server: Option<&'u str>,
    /// The name as it was given.
    pub name: &'u str,
}

impl<'u> User<'u> {
    /// The user of this name at the virtual server that the session is at.
    pub fn of(origin: &'u Origin, name: &'u str) -> User<'u> {
        User { server: origin.server.as_deref(), name }
    }

    /// One word for both, which nobody else in the process has: accounts' names hold no control characters. Never to be made of what a
    /// client sent.
    pub fn id(self) -> Cow<'u, str> {
        match self.server {
            None => Cow::Borrowed(self.name),
            Some(server) => Cow::Owned(format!("{}\u{1f}{server}", self.name)),
        }
    }
}

impl<'u> From<&'u str> for User<'u> {
    /// At the server that nobody has to name.
    fn from(name: &'u str) -> User<'u> {
        User { server: None, name }
    }
}

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.server.map_or(Ok(()), |server| write!(f, "@{server}"))
    }
}

/// One user as configured. Never changed while in use: a reload makes new ones.
pub struct Account {
    /// The name that logs in and that logs show.
    pub name: String,
    /// The virtual server at which alone it logs in; `None` is the one that nobody has to name.
    pub server: Option<Arc<str>>,
    /// The password that proves that a client is this user.
    pub credential: Credential,
    /// Which certificates prove it; any of them.
    pub certificates: Vec<CertificateRule>,
    /// What of the two it takes to log in.
    pub login: LoginRule,
    /// From where alone it may log in; from anywhere where it is `None`.
    pub networks: Option<Arc<dyn Networks>>,
    /// The store whose root is this user's `/`.
    pub home: Arc<dyn Backend>,
    /// What the user may do where no folder says otherwise.
    pub permissions: Permissions,
    /// How file bytes may cross the network where no folder says otherwise.
    pub in_transit: InTransit,
    /// Rules for single folders and all beneath them; the longest matching one decides alone.
    pub folders: Vec<Folder>,
    /// Nothing is granted but what [`confined_to`](Account::confined_to) left.
    pub confined: bool,
    /// Many people use this account (anonymous): one session learns and takes nothing from another.
    pub shared: bool,
    /// How much it may take, and how fast.
    pub limits: AccountLimits,
    /// Nobody may log in to it.
    pub disabled: bool,
}

/// Some addresses.
pub trait Networks: Send + Sync {
    /// Whether this is one of them.
    fn contain(&self, address: IpAddr) -> bool;
}

/// What it takes to log in, whatever the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginRule {
    /// The password.
    #[default]
    Password,
    /// A certificate.
    Certificate,
    /// A certificate and the password.
    Both,
    /// A certificate, or the password of who shows none.
    Either,
}

/// The rule for a folder and all beneath it.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where the rule begins to hold.
    pub path: VirtualPath,
    /// What the user may do there, instead of (not beside) what holds above.
    pub permissions: Permissions,
    /// How file bytes may cross the network there.
    pub in_transit: InTransit,
}

/// How the bytes of files and listings may cross the network, whatever the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InTransit {
    /// As it is for everybody who comes the same way.
    #[default]
    AsElsewhere,
    /// Unprotected too.
    MayBeClear,
    /// Protected, however lenient it is elsewhere.
    Protected,
    /// Not at all.
    Never,
}

impl Account {
    /// An account with all permissions, protected data only, and no folder rules: the base to build others from.
    pub fn new(name: impl Into<String>, credential: Credential, home: Arc<dyn Backend>) -> Account {
        Account {
            name: name.into(),
            server: None,
            credential,
            certificates: Vec::new(),
            login: LoginRule::Password,
            networks: None,
            home,
            permissions: Permissions::ALL,
            in_transit: InTransit::AsElsewhere,
            folders: Vec::new(),
            confined: false,
            shared: false,
            limits: AccountLimits::default(),
            disabled: false,
        }
    }

    /// Who it is, among all of the process: what is counted, claimed and left unfinished by users goes by this.
    pub fn id(&self) -> Cow<'_, str> {
        User { server: self.server.as_deref(), name: &self.name }.id()
    }

    /// Whether it belongs to the server that the user is at.
    //
    // SECURITY: asked of whatever was found, so that nobody who knows accounts by name alone lets one in at another server.
    pub fn is_of(&self, user: User<'_>) -> bool {
        self.server.as_deref() == user.server
    }

    /// Whether the certificate is one of this user's.
    pub fn is_proven_by(&self, certificate: Option<&Certificate>) -> bool {
        certificate.is_some_and(|shown| self.certificates.iter().any(|rule| rule.admits(shown)))
    }

    /// Whether it may log in from there.
    pub fn is_admitted_from(&self, address: IpAddr) -> bool {
        self.networks.as_ref().is_none_or(|networks| networks.contain(address))
    }

    /// Whether anybody may log in to it from there.
    pub fn is_open_to(&self, address: IpAddr) -> bool {
        !self.disabled && self.is_admitted_from(address)
    }

    /// The folder rule that holds at `path`: the longest that contains it.
    pub fn rule(&self, path: &VirtualPath) -> Option<&Folder> {
        let matching = self.folders.iter().filter(|folder| path.starts_with(&folder.path));
        matching.max_by_key(|folder| folder.path.as_bytes().len())
    }

    /// The same account with nothing granted outside `folders`.
    #[must_use]
    pub fn confined_to(&self, folders: &[VirtualPath]) -> Account {
        let rule_at = |path: &VirtualPath| {
            let folder = self.rule(path);
            Folder {
                path: path.clone(),
                permissions: folder.map_or(self.permissions, |folder| folder.permissions),
                in_transit: folder.map_or(self.in_transit, |folder| folder.in_transit),
            }
        };
        let beneath = |folder: &&Folder| folders.iter().any(|granted| folder.path.starts_with(granted));
        Account {
            name: self.name.clone(),
            server: self.server.clone(),
            credential: self.credential.clone(),
            certificates: self.certificates.clone(),
            login: self.login,
            networks: self.networks.clone(),
            home: Arc::clone(&self.home),
            permissions: Permissions::NONE,
            in_transit: InTransit::AsElsewhere,
            folders: folders
                .iter()
                .map(rule_at)
                .chain(self.folders.iter().filter(beneath).cloned())
                .collect(),
            confined: true,
            shared: self.shared,
            limits: self.limits.clone(),
            disabled: self.disabled,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where accounts are looked up.
pub trait Accounts: Send + Sync {
    /// The account of this exact name, at this server alone.
    fn find(&self, user: User<'_>) -> Option<Arc<Account>>;

    /// What a login under an unknown name must cost, so that it takes as long as one under a known name: the cost
    /// of the hashes in this collection.
    fn decoy_cost(&self) -> Cost {
        Cost::RECOMMENDED
    }

    /// Whether every password takes the same work to check.
    fn are_alike(&self) -> bool {
        true
    }

    /// Who is asked about users that are not here.
    fn outside(&self) -> Option<Arc<dyn Outside>> {
        None
    }
}

/// Somebody else who knows users: a program or a server of the operator's.
pub trait Outside: Send + Sync {
    /// The option that says who is asked.
    fn option(&self) -> &'static str;

    /// The account that this name and password log in to; `None` where there is none, or they do not.
    ///
    /// # Errors
    /// Nobody answers. It is told there; who logs in hears that it is nobody's password.
    fn ask<'a>(&'a self, from: IpAddr, user: User<'a>, password: &'a [u8]) -> Asked<'a>;
}

/// An answer that is waited for.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Option<Arc<Account>>, Unanswered>> + Send + 'a>>;

/// Whoever knows about a user has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The option that says who is asked.
    pub option: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_at_two_servers_is_two_users() {
        let at = |server| User { server, name: "alice" };
        assert_eq!(User::from("alice").id(), "alice");
        assert_ne!(at(Some("a.example")).id(), at(None).id());
        assert_ne!(at(Some("a.example")).id(), at(Some("b.example")).id());
        assert_ne!(at(Some("a.example")).id(), User::from("alice@a.example").id());
        assert_eq!(at(Some("a.example")).to_string(), "alice@a.example");
    }
}
