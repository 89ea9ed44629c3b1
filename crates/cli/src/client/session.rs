//! How does a command come by a connection to the server of a URL, with trust and login settled once?

use std::sync::Arc;
use std::time::Duration;

use carrack_ftp_client::url::{Scheme, Url};
use carrack_ftp_client::{Client, DataMode, DataProtection, ErrorKind, Login, Security, Settings, Timeouts};
use carrack_tls::{ClientSettings, ClientTls, Identity, TlsPolicy, Trust, Version, Versions};

use super::dialogue::Shown;
use super::login;
use super::output::Output;
use super::trust::Gatekeeper;
use crate::arguments::connection::{Connection, Reach, TlsVersion};
use crate::cert;
use crate::exit::{Failure, Status};

/// The connections of one command.
pub(crate) struct Session {
    flags: Connection,
    output: Arc<Output>,
    gatekeeper: Gatekeeper,
    servers: Vec<Met>,
    /// The certificate that is shown, if any, once it was tried to read it.
    identity: Option<Result<Option<Identity>, Status>>,
    /// What is offered in handshakes.
    policy: TlsPolicy,
}

/// A server that was connected to, or was tried to.
struct Met {
    origin: String,
    user: Option<String>,
    outcome: Result<Client, Status>,
}

impl Session {
    pub(crate) fn new(flags: &Connection, output: &Arc<Output>) -> Session {
        Session {
            flags: flags.clone(),
            output: Arc::clone(output),
            gatekeeper: Gatekeeper::new(&flags.trust),
            servers: Vec::new(),
            identity: None,
            policy: TlsPolicy::default(),
        }
    }

    /// Offers only what `policy` has, on all connections to come.
    pub(crate) fn offer(&mut self, policy: TlsPolicy) {
        self.policy = policy;
    }

    /// A connection to the server of a URL as its user: one that is open, or a new one. A server that cannot be connected to
    /// is tried once, so that no question is asked twice.
    pub(crate) async fn client(&mut self, url: &Url) -> Result<&mut Client, Failure> {
        let origin = url.origin();
        let met = |server: &Met| server.origin == origin && server.user == url.user;
        let at = match self.servers.iter().position(met) {
            Some(at) => at,
            None => {
                let outcome = self.connect(url).await;
                let (outcome, failure) = match outcome {
                    Ok(client) => (Ok(client), None),
                    Err(failure) => (Err(failure.status()), Some(failure)),
                };
                self.servers.push(Met { origin, user: url.user.clone(), outcome });
                if let Some(failure) = failure {
                    return Err(failure);
                }
                self.servers.len() - 1
            }
        };
        match self.servers.get_mut(at).map(|server| &mut server.outcome) {
            Some(Ok(client)) => Ok(client),
            Some(Err(status)) => Err(Failure::new(
                *status,
                format!("{url}: there is no connection to its server, as was said before"),
            )),
            None => Err(Failure::failed("no connection is open")),
        }
    }

    /// Takes leave of all servers.
    pub(crate) async fn quit(self) {
        for server in self.servers {
            if let Ok(client) = server.outcome {
                client.quit().await;
            }
        }
    }

    /// Connects, with all questions that come up.
    pub(crate) async fn connect(&mut self, url: &Url) -> Result<Client, Failure> {
        check_protection(url, &self.flags)?;
        let mut who = login::settle(url, &self.flags.login, &self.output)?;
        let mut trust = self.gatekeeper.rule(url, &self.output)?;
        let identity = self.identity()?;
        self.say_what_is_not_protected(url);
        if who.is_nobody && self.flags.telling.verbose > 0 {
            self.output.note(&format!("no user is named for {}: logging in as anonymous", url.host_port()));
        }
        let (mut asked_for_trust, mut asked_for_password) = (false, false);
        loop {
            let settings = self.settings(url, &trust, identity.clone(), &who.login)?;
            let error = match Client::connect(settings).await {
                Ok(client) => {
                    let security = client.security();
                    self.gatekeeper.note(
                        url,
                        security.note.as_ref(),
                        security.certificate.as_ref(),
                        &self.output,
                    );
                    return Ok(client);
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Untrusted(untrusted) if !asked_for_trust => {
                    asked_for_trust = true;
                    trust = self.gatekeeper.decide(url, untrusted, &self.output).await?;
                }
                ErrorKind::PasswordNeeded if !asked_for_password => {
                    asked_for_password = true;
                    who.login.password = Some(login::ask(url, &who.login.user)?);
                }
                ErrorKind::LoginRefused(_) if who.is_nobody => {
                    let mend = format!(
                        "\n  nobody was named, so this was the login of anonymous; write {}://USER@{}",
                        url.scheme.word(),
                        url.host_port()
                    );
                    return Err(Failure::from(error).and(&mend));
                }
                _ => return Err(error.into()),
            }
        }
    }

    /// The certificate that is shown. It is read once for all servers, so that its password is asked for once.
    fn identity(&mut self) -> Result<Option<Identity>, Failure> {
        if let Some(read) = &self.identity {
            return read.clone().map_err(|status| {
                Failure::new(status, "the client certificate cannot be used, as was said before")
            });
        }
        let read = cert::identity(&self.flags.login);
        self.identity = Some(read.as_ref().map(Option::clone).map_err(Failure::status));
        let identity = read?;
        let warnings = identity.as_ref().map(cert::warnings).unwrap_or_default();
        warnings.iter().for_each(|warning| self.output.note(warning));
        Ok(identity)
    }

    fn settings(
        &self,
        url: &Url,
        trust: &Trust,
        identity: Option<Identity>,
        login: &Login,
    ) -> Result<Arc<Settings>, Failure> {
        let Connection { protection, reach, mode, telling, .. } = &self.flags;
        let data_protection =
            if protection.clear_data { DataProtection::Clear } else { DataProtection::Private };
        let data_mode = if mode.active { DataMode::Active } else { DataMode::Passive };
        Ok(Arc::new(Settings {
            data_protection,
            data_mode,
            login: login.clone(),
            dialogue: Shown::listener(telling.verbose, self.output.screen()),
            ..settings(url, trust.clone(), identity, &self.policy, reach)?
        }))
    }

    /// What the flags gave up is said, every time.
    fn say_what_is_not_protected(&self, url: &Url) {
        if url.scheme == Scheme::Ftp {
            self.output.note(&format!(
                "WARNING: nothing is protected on the way to {}: password, names and files can be read and changed by everybody on it (--plaintext)",
                url.host_port()
            ));
        } else if self.flags.protection.clear_data {
            self.output.note("names in listings and the bytes of files travel in clear (--clear-data)");
        }
    }
}

/// A server reached so, for anonymous and with no dialogue.
pub(crate) fn settings(
    url: &Url,
    trust: Trust,
    identity: Option<Identity>,
    policy: &TlsPolicy,
    reach: &Reach,
) -> Result<Settings, Failure> {
    let versions = match reach.tls {
        None => Versions::Any,
        Some(TlsVersion::Tls12) => Versions::Only(Version::Tls12),
        Some(TlsVersion::Tls13) => Versions::Only(Version::Tls13),
    };
    let tls = || {
        ClientTls::within(&url.host, ClientSettings { trust, versions, identity }, policy)
            .map_err(|error| Failure::new(Status::Untrusted, error))
    };
    let security = match url.scheme {
        Scheme::Ftpes => Security::Explicit(tls()?),
        Scheme::Ftps => Security::Implicit(tls()?),
        Scheme::Ftp => Security::Plaintext,
    };
    let timeouts = reach.timeout.map(Duration::from_secs).map_or_else(Timeouts::default, |time| Timeouts {
        connect: time,
        handshake: time,
        reply: time,
        stall: time,
    });
    Ok(Settings {
        host: url.host.clone(),
        port: url.port,
        security,
        data_protection: DataProtection::Private,
        login: login::nobody(),
        data_mode: DataMode::Passive,
        timeouts,
        dialogue: None,
    })
}

/// Whether the flags allow what the URL asks for. SECURITY: nothing is sent in clear because of a letter that is missing in
/// a URL.
fn check_protection(url: &Url, flags: &Connection) -> Result<(), Failure> {
    if url.scheme != Scheme::Ftp || flags.protection.plaintext {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "ftp:// protects nothing: password, names and files could be read and changed on the way; write ftpes://{} for TLS, or allow it with --plaintext",
        url.host_port()
    )))
}
