//! From a name to a login: address, TCP, greeting, TLS, login.

use std::io;
use std::sync::Arc;

use carrack_ftp_proto::client::machine::{self, Event, Extended, Machine, Plan, Session};
use carrack_tls::{ClientTls, Seen, Stapled, TlsInfo, Version};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::channel::Handshake;
use super::control::Control;
use super::link::{Link, tls_failed};
use super::{Connection, ErrorKind};
use crate::error::Stage;
use crate::settings::{Security, Settings};

/// How often a quiet control connection shows that it is alive: firewalls commonly forget after five minutes, and a long
/// transfer is quiet on the control connection.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What was learnt about a server on earlier connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Learnt {
    /// Whether it knows EPSV and EPRT.
    pub(crate) extended: Extended,
    /// When it expects the handshake on a data connection.
    pub(crate) handshake: Handshake,
    /// The version its TLS is held to, because its data connections want a session to be resumed and TLS 1.3 has none left.
    pub(crate) held_to: Option<Version>,
}

impl Connection {
    /// Opens a control connection and logs in.
    pub(crate) async fn open(settings: &Arc<Settings>, learnt: Learnt) -> Result<Connection, ErrorKind> {
        let mut link = Link::dialled(settings, learnt).await?;
        let session = link.log_in().await?;
        Ok(Connection::new(link, session))
    }
}

/// What a server shows in the handshake of a control connection. No login takes place.
pub(crate) async fn look(settings: &Arc<Settings>) -> Result<Seen, ErrorKind> {
    let mut link = Link::dialled(settings, Learnt::default()).await?;
    loop {
        link.expect_reply();
        match link.event().await? {
            Event::BeginTls(_) => return link.look().await,
            Event::LoggedIn(_) => return Err(ErrorKind::ConnectionLost),
            _ => {}
        }
    }
}

impl Link {
    async fn dialled(settings: &Arc<Settings>, learnt: Learnt) -> Result<Link, ErrorKind> {
        let machine = Machine::new(plan(settings)?, learnt.extended);
        let socket = dial(settings).await?;
        let ends = (
            socket.peer_addr().map_err(ErrorKind::Connect)?,
            socket.local_addr().map_err(ErrorKind::Connect)?,
        );
        let control = Control::clear(socket, settings.dialogue.clone());
        Ok(Link::new(settings, control, machine, ends, learnt))
    }

    async fn look(&mut self) -> Result<Seen, ErrorKind> {
        let (Security::Explicit(tls) | Security::Implicit(tls)) = &self.settings.security else {
            return Err(ErrorKind::ConnectionLost);
        };
        let socket = self.control.take_clear().ok_or(ErrorKind::ConnectionLost)?;
        timeout(self.settings.timeouts.handshake, tls.look(socket))
            .await
            .map_err(|_| ErrorKind::TimedOut(Stage::Handshake))?
            .map_err(tls_failed)
    }

    async fn log_in(&mut self) -> Result<Session, ErrorKind> {
        loop {
            self.expect_reply();
            match self.event().await? {
                Event::BeginTls(upgrade) => {
                    self.secure().await?;
                    self.machine.tls_established(upgrade);
                }
                Event::LoggedIn(session) => return Ok(session),
                _ => {}
            }
        }
    }

    async fn secure(&mut self) -> Result<(), ErrorKind> {
        let tls = match &self.settings.security {
            Security::Explicit(tls) | Security::Implicit(tls) => held(tls, self.learnt.held_to).control(),
            // The machine asks for TLS only where the settings do.
            Security::Plaintext => return Err(ErrorKind::ConnectionLost),
        };
        let socket = self.control.take_clear().ok_or(ErrorKind::ConnectionLost)?;
        let stream = timeout(self.settings.timeouts.handshake, tls.connect(socket))
            .await
            .map_err(|_| ErrorKind::TimedOut(Stage::Handshake))?
            .map_err(tls_failed)?;
        self.control.secured(stream);
        self.tell(|| match tls.info() {
            Some(info) => format!("control connection: {}", described(&info)),
            None => "control connection: TLS".to_owned(),
        });
        match tls.staple() {
            None | Some(Stapled::Absent) => {}
            Some(Stapled::Unchecked) => {
                self.tell(|| "OCSP staple: not asked, as no authority vouches for this server".to_owned());
            }
            Some(Stapled::Checked(answer)) => self.tell(|| {
                let until = answer.next_update.map(|until| format!(" until {until}")).unwrap_or_default();
                format!("OCSP staple: not revoked, good{until}")
            }),
            Some(Stapled::Unusable(why)) => self.tell(|| format!("OCSP staple: passed over, as it {why}")),
        }
        self.tls = Some(Arc::new(tls));
        Ok(())
    }
}

fn held(tls: &ClientTls, to: Option<Version>) -> ClientTls {
    to.map_or_else(|| tls.clone(), |version| tls.limited_to(version))
}

/// What protects a connection, for people.
pub(super) fn described(info: &TlsInfo) -> String {
    let session = if info.resumed { "resumed" } else { "new" };
    let alpn = info.alpn.map(|alpn| format!(", ALPN {alpn}")).unwrap_or_default();
    let group = info.group.map(|group| format!(", {group}")).unwrap_or_default();
    format!("{}, {}{group}, {session} session{alpn}", info.version, info.cipher)
}

fn plan(settings: &Settings) -> Result<Plan, ErrorKind> {
    let login = &settings.login;
    Ok(Plan {
        security: match settings.security {
            Security::Explicit(_) => machine::Security::Explicit,
            Security::Implicit(_) => machine::Security::Implicit,
            Security::Plaintext => machine::Security::Plaintext,
        },
        data_protection: settings.data_protection,
        login: machine::Login::new(&login.user, login.password.clone()).map_err(ErrorKind::BadLogin)?,
    })
}

/// Connects to the first of the server's addresses that answers.
async fn dial(settings: &Settings) -> Result<TcpStream, ErrorKind> {
    let end = Instant::now() + settings.timeouts.connect;
    let found = timeout_at(end, lookup_host((settings.host.as_str(), settings.port))).await;
    let addresses: Vec<_> = match found {
        Ok(addresses) => addresses.map_err(ErrorKind::Resolve)?.collect(),
        Err(_) => return Err(ErrorKind::Resolve(io::ErrorKind::TimedOut.into())),
    };
    let mut failed = ErrorKind::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for (position, address) in addresses.iter().enumerate() {
        // An address that does not answer leaves time for the others.
        let left = u32::try_from(addresses.len() - position).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()) / left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                prepare(&socket);
                return Ok(socket);
            }
            Ok(Err(error)) => failed = ErrorKind::Connect(error),
            Err(_) => failed = ErrorKind::TimedOut(Stage::Connect),
        }
    }
    Err(failed)
}

/// Options without which the connection works as well, only slower, and not for as long.
fn prepare(socket: &TcpStream) {
    let _slower = socket.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let _shorter = SockRef::from(socket).set_tcp_keepalive(&keepalive);
}
