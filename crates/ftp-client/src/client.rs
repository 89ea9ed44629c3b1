//! One server: how a connection to it is come by, kept, and given up.

use std::sync::Arc;

use carrack_ftp_proto::client::machine::{Hidden, Session, Transfer};
use carrack_ftp_proto::client::{Features, RemotePath};
use carrack_tls::{
    CertificateDescription, ConnectError, Seen, Supply, TlsInfo, TrustNote, Version, Versions,
};

use crate::connection::{self, Channel, Connection, Learnt};
use crate::error::{Error, ErrorKind, Operation};
use crate::settings::{DataProtection, Security, Settings};
use crate::url::UrlPath;

/// A server, over one control connection at a time.
///
/// After an error that cost the connection, and when a future or a transfer was dropped before its end, the next operation
/// opens a new connection by itself. What was under way is never repeated silently.
///
/// All paths are absolute, so nothing depends on a working directory. One operation runs at a time; for more at once make
/// more clients from the same [`Settings`].
pub struct Client {
    settings: Arc<Settings>,
    /// The connection, while nothing runs over it.
    idle: Option<Connection>,
    /// Of the last connection.
    features: Features,
    login_folder: RemotePath,
    security: SecurityInfo,
    data_handshakes: DataHandshakes,
    pub(crate) learnt: ClientLearnt,
}

/// How the data connections under TLS began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataHandshakes {
    /// So many resumed a session.
    pub resumed: u64,
    /// So many did not, at the price of a signature and the proof that they belong to their control connection.
    pub full: u64,
}

/// What was learnt about a server, for the operations to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientLearnt {
    /// For the next connection.
    connection: Learnt,
    /// Whether there is no TLS below 1.3 to be had.
    only_tls13: bool,
    /// Whether MLSD and MLST are known, where FEAT does not tell.
    pub(crate) machine_listings: MachineListings,
    /// Whether LIST understands `-a`.
    pub(crate) hidden: Hidden,
    /// Whether `MDTM time path` sets a time, as far as it was tried.
    pub(crate) mdtm_sets: bool,
}

/// A transfer, and the working directory it is to happen in, where it depends on one.
pub(crate) struct Wanted {
    pub(crate) folder: Option<RemotePath>,
    pub(crate) transfer: Transfer,
}

/// A transfer that has begun, with the connection it has to itself.
pub(crate) struct Begun {
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
}

/// Whether a server knows MLSD and MLST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MachineListings {
    /// It says so, or says nothing about anything: they are tried.
    Tried,
    /// It says otherwise, or refused one of them.
    Unknown,
}

/// What protects the connection.
#[derive(Clone, Debug)]
pub struct SecurityInfo {
    /// TLS on the control connection; `None` without.
    pub tls: Option<TlsInfo>,
    /// The server's certificate; `None` without TLS.
    pub certificate: Option<CertificateDescription>,
    /// What the user should be told about the certificate although it is trusted.
    pub note: Option<TrustNote>,
    /// What data connections are made with; `None` without TLS, where they are clear.
    pub data_protection: Option<DataProtection>,
}

impl Client {
    /// Connects, protects the connection and logs in.
    ///
    /// # Errors
    /// Whatever of [`ErrorKind`] can happen on the way. Before the connection is protected as the settings want it, neither
    /// user nor password is sent.
    pub async fn connect(settings: Arc<Settings>) -> Result<Client, Error> {
        let learnt = ClientLearnt {
            connection: Learnt::default(),
            only_tls13: false,
            machine_listings: MachineListings::Tried,
            hidden: Hidden::Asked,
            mdtm_sets: true,
        };
        let connection = Connection::open(&settings, learnt.connection)
            .await
            .map_err(|kind| Error::new(Operation::Connect, settings.server(), kind))?;
        let mut client = Client {
            features: Features::default(),
            login_folder: RemotePath::root(),
            security: SecurityInfo::of(&connection, &settings),
            data_handshakes: DataHandshakes::default(),
            idle: None,
            settings,
            learnt,
        };
        client.meet(&connection);
        client.idle = Some(connection);
        Ok(client)
    }

    /// What the server shows in a handshake, whether it is trusted or not. Nobody logs in, and the connection is closed.
    ///
    /// # Errors
    /// Whatever of [`ErrorKind`] can happen on the way to a certificate; [`ErrorKind::ConnectionLost`] under
    /// [`Security::Plaintext`], which has none.
    pub async fn look(settings: &Arc<Settings>) -> Result<Seen, Error> {
        connection::look(settings)
            .await
            .map_err(|kind| Error::new(Operation::Connect, settings.server(), kind))
    }

    /// What the server says it can do; nothing, where it does not know FEAT.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The folder the login leads to.
    #[must_use]
    pub fn login_folder(&self) -> &RemotePath {
        &self.login_folder
    }

    /// What protects the connection; the last one, where it was lost.
    #[must_use]
    pub fn security(&self) -> &SecurityInfo {
        &self.security
    }

    /// How its data connections under TLS began, those of all its control connections.
    #[must_use]
    pub fn data_handshakes(&self) -> DataHandshakes {
        self.data_handshakes
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// What a URL's path means on this server: beneath the login folder, unless it is absolute.
    #[must_use]
    pub fn resolve(&self, path: &UrlPath) -> RemotePath {
        // A UrlPath holds no byte that a path may not hold.
        self.login_folder().join(path.as_bytes()).unwrap_or_else(|_| self.login_folder().clone())
    }

    /// Says goodbye and closes the connection. Dropping a client closes it without words.
    pub async fn quit(mut self) {
        if let Some(connection) = self.idle.take() {
            connection.quit().await;
        }
    }

    /// A connection to run one operation over. It is the operation's own, and given back with [`Client::keep`] when that
    /// ended as it should.
    pub(crate) async fn take(&mut self) -> Result<Connection, ErrorKind> {
        if let Some(mut connection) = self.idle.take()
            && connection.is_fresh()
        {
            return Ok(connection);
        }
        self.open().await
    }

    /// Takes a connection back.
    pub(crate) fn keep(&mut self, connection: Connection) {
        self.learnt.connection = connection.learnt();
        self.idle = Some(connection);
    }

    async fn open(&mut self) -> Result<Connection, ErrorKind> {
        let opened = match Connection::open(&self.settings, self.learnt.connection).await {
            Err(ErrorKind::Tls(_)) if self.learnt.connection.held_to.is_some() => {
                // The older version that was to help is not spoken.
                self.learnt.connection.held_to = None;
                self.learnt.only_tls13 = true;
                Connection::open(&self.settings, self.learnt.connection).await
            }
            opened => opened,
        };
        let connection = opened?;
        self.meet(&connection);
        Ok(connection)
    }

    /// Takes note of what a new connection has told.
    fn meet(&mut self, connection: &Connection) {
        let Session { features, login_folder } = connection.session.clone();
        if features.as_ref().is_some_and(|features| features.mlst.is_none()) {
            self.learnt.machine_listings = MachineListings::Unknown;
        }
        self.features = features.unwrap_or_default();
        self.login_folder = login_folder;
        self.security = SecurityInfo::of(connection, &self.settings);
    }

    /// Begins a transfer. What it returns is the transfer's own.
    pub(crate) async fn try_begin(&mut self, wanted: &Wanted) -> Result<Begun, ErrorKind> {
        let begun = self.begin_by_any_version(wanted).await?;
        match begun.channel.stream.info() {
            Some(info) if info.resumed => self.data_handshakes.resumed += 1,
            Some(_) => self.data_handshakes.full += 1,
            None => {}
        }
        Ok(begun)
    }

    async fn begin_by_any_version(&mut self, wanted: &Wanted) -> Result<Begun, ErrorKind> {
        let mut connection = self.take_with_session().await?;
        match connection.begin(wanted).await {
            Ok(channel) => Ok(Begun { connection, channel }),
            Err(kind) if self.may_be_about_resumption(&connection, &kind) => {
                connection
                    .link
                    .tell(|| format!("{kind}; trying again with TLS 1.2, whose sessions can be resumed"));
                drop(connection);
                self.begin_with_tls12(wanted).await
            }
            Err(kind) => {
                if kind.is_answer() {
                    self.keep(connection);
                }
                Err(kind)
            }
        }
    }

    /// The second and last try. Where it does not help, the version was not to blame.
    async fn begin_with_tls12(&mut self, wanted: &Wanted) -> Result<Begun, ErrorKind> {
        self.learnt.connection.held_to = Some(Version::Tls12);
        let mut connection = self.open().await?;
        let channel = connection.begin(wanted).await;
        if channel.is_err() {
            self.learnt.connection.held_to = None;
        }
        channel.map(|channel| Begun { connection, channel })
    }

    /// A connection whose session the next data connection can resume, where this server has anything to do with that.
    ///
    /// TLS 1.3 tickets are used once each (RFC 8446 §C.4), and some servers bring none on uploads: when the last is gone, a
    /// server that insists on resumption would refuse every data connection. TLS 1.2 sessions last for ever, so the next
    /// connection is limited to that; where that is not to be, each login brings new tickets.
    async fn take_with_session(&mut self) -> Result<Connection, ErrorKind> {
        let connection = self.take().await?;
        let exhausted = connection
            .tls()
            .is_some_and(|tls| tls.supply() == Supply::Tickets(0) && tls.tickets_received() > 0)
            && self.settings.data_protection == DataProtection::Private;
        if !exhausted {
            return Ok(connection);
        }
        connection
            .link
            .tell(|| "no session ticket is left for the next data connection: connecting anew".to_owned());
        drop(connection);
        if self.may_hold_to_tls12() {
            self.learnt.connection.held_to = Some(Version::Tls12);
        }
        self.open().await
    }

    fn may_hold_to_tls12(&self) -> bool {
        !self.learnt.only_tls13
            && match &self.settings.security {
                Security::Explicit(tls) | Security::Implicit(tls) => tls.versions() == Versions::Any,
                Security::Plaintext => false,
            }
    }

    /// Whether a data connection may have failed because it resumed no session, and TLS 1.2 would.
    fn may_be_about_resumption(&self, connection: &Connection, kind: &ErrorKind) -> bool {
        let tls13 =
            connection.tls().and_then(|tls| tls.info()).is_some_and(|info| info.version == Version::Tls13);
        let data = match kind {
            ErrorKind::DataRefused(_) => true,
            ErrorKind::DataTls(error) => !matches!(error, ConnectError::Untrusted(_)),
            _ => false,
        };
        tls13 && data && self.may_hold_to_tls12()
    }
}

impl Wanted {
    pub(crate) fn anywhere(transfer: Transfer) -> Wanted {
        Wanted { folder: None, transfer }
    }

    pub(crate) fn within(folder: RemotePath, transfer: Transfer) -> Wanted {
        Wanted { folder: Some(folder), transfer }
    }
}

impl SecurityInfo {
    fn of(connection: &Connection, settings: &Settings) -> SecurityInfo {
        let tls = connection.tls();
        SecurityInfo {
            tls: tls.and_then(|tls| tls.info()),
            certificate: tls.and_then(|tls| tls.certificate()),
            note: tls.and_then(|tls| tls.note()),
            data_protection: tls.map(|_| settings.data_protection),
        }
    }
}
