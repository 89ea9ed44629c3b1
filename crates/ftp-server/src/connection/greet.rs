//! When TLS begins on a control connection, and when it ends: at once on implicit listeners, or on `AUTH`; on `CCC`.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carrack_core::event::{Channel, Event, Origin};
use carrack_ftp_proto::server::{self, Certificates, CloseReason, Fxp, Mode, Policy, Server};
use carrack_net::{Accepted, Phase, Slot};
use carrack_tls::{ControlStream, ControlTls, HandshakeError, Newcomer, TlsInfo};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::{Connection, Ended, Tls, certificates};
use crate::control::Control;
use crate::data::Callers;
use crate::settings::{DataProtection, PartnerSettings};
use crate::virtual_server::VirtualServer;
use crate::{FtpServer, FtpSettings};

/// The first byte of every TLS connection: a handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// What a client hears on an implicit port that waits for a greeting, or speaks FTP at once.
const SPEAK_TLS: &[u8] =
    b"421 This port speaks TLS from the first byte (implicit FTPS); use ftps:// or the explicit port.\r\n";

/// How long a client may take to end TLS behind CCC: its close_notify is its answer to our `200`.
const CLEARING: Duration = Duration::from_secs(10);

/// How long a parting word may take.
const PARTING: Duration = Duration::from_secs(1);

/// Serves one accepted connection to its end; its place is free then.
pub(crate) async fn serve(server: Arc<FtpServer>, accepted: Accepted, slot: Slot) {
    let Accepted { stream, peer, local, bound, is_check } = accepted;
    let id = server.core.next_session();
    let certificates = certificates::asked(server.tls.clients());
    let machine = Server::new(policy(&server.settings, None, certificates), Instant::now());
    let partners = server.settings.fxp.as_ref().map(|fxp| Arc::clone(&fxp.partners));
    let balancers = Arc::clone(&server.settings.balancers);
    let callers = Callers::new(peer.ip(), partners.unwrap_or_default()).behind(balancers);
    let live = server.core.live.enter(Origin { id, peer, protocol: server.protocol(), server: None });
    let mut connection = Connection {
        server,
        slot,
        id,
        peer,
        local,
        bound,
        is_announced: false,
        callers,
        machine,
        control: Control::clear(stream),
        host: None,
        at: None,
        tls: None,
        visitor: None,
        trust_changes: None,
        data_port: None,
        work: None,
        errand: None,
        moved_before: 0,
        heard: Instant::now(),
        live,
        aborts: Vec::new(),
        draining: false,
    };
    if !is_check {
        connection.announce();
    }
    let secured = match connection.server.settings.mode {
        Mode::Implicit => Box::pin(connection.begin_tls()).await,
        Mode::Explicit => Ok(()),
    };
    let ended = match secured {
        Ok(()) => connection.run().await,
        Err(ended) => ended,
    };
    // A login is over before its connection is.
    connection.visitor = None;
    let (origin, lasted) = (connection.origin(), connection.live.lasted());
    if connection.is_announced {
        connection.server.core.events.emit(&Event::Disconnected {
            origin,
            why: ended.why(),
            option: ended.option(),
            lasted,
        });
    } else {
        tracing::debug!(%peer, "health_check");
    }
}

/// What holds for a client at this server.
pub(super) fn policy(
    settings: &FtpSettings,
    at: Option<&VirtualServer>,
    certificates: Certificates,
) -> Policy {
    Policy {
        certificates,
        mode: settings.mode,
        plaintext: at.map_or(&settings.plaintext, |at| &at.plaintext).clone(),
        data_protection: match at.map_or(settings.data_protection, |at| at.data_protection) {
            DataProtection::Optional => server::DataProtection::Optional,
            DataProtection::Require | DataProtection::Refuse => server::DataProtection::Require,
        },
        clearing: settings.clearing,
        compression: settings.compression,
        fxp: match &settings.fxp {
            None => Fxp::Refused,
            Some(PartnerSettings { tls: None, .. }) => Fxp::TlsServerOnly,
            Some(PartnerSettings { tls: Some(_), .. }) => Fxp::EitherSide,
        },
        tls_timeout: settings.timeouts.tls,
        login_timeout: settings.timeouts.login,
        idle_timeout: settings.timeouts.idle,
        login_failures: settings.login_failures,
        greeting: at.map_or(&settings.greeting, |at| &at.greeting).clone(),
    }
}

impl Connection {
    /// Shakes hands on the control connection, within the time that TLS and a login may take.
    pub(super) async fn begin_tls(&mut self) -> Result<(), Ended> {
        // In clear, and whole: the client begins its handshake on the last byte of the 234.
        self.control.flush().await.map_err(|_| Ended::Lost)?;
        let Some(stream) = self.control.take_clear() else { return Err(Ended::Handshake) };
        let drain = self.server.drain.clone();
        tokio::select! {
            shaken = self.shake_hands(stream) => shaken,
            // Whoever is still shaking hands has nothing to lose, and must not hold the server up.
            () = drain.reached(Phase::Draining) => Err(Ended::ByMachine(CloseReason::Drained)),
        }
    }

    /// Ends TLS on the control connection behind the `200` to CCC (RFC 4217 §5). The session that data connections resume
    /// lives on in `self.tls`.
    pub(super) async fn end_tls(&mut self) -> Result<(), Ended> {
        let drain = self.server.drain.clone();
        let cleared = tokio::select! {
            cleared = timeout(CLEARING, self.control.end_tls()) => cleared,
            () = drain.reached(Phase::Cut) => return Err(Ended::Cut),
        };
        match cleared {
            Ok(Ok(())) => {
                tracing::info!(session = self.id.0, peer = %self.peer, "control_connection_cleared");
                Ok(())
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(Ended::ByMachine(CloseReason::BytesBehindCcc))
            }
            Ok(Err(_)) | Err(_) => Err(Ended::Lost),
        }
    }

    /// Shakes hands as the server that the client names in the handshake, else as the one that it has named with HOST before.
    async fn agree(&mut self, stream: TcpStream) -> Result<Agreement, HandshakeError> {
        let newcomer = Newcomer::meet(stream).await?;
        let (asked, host) = (newcomer.server_name(), self.host.take());
        // Whoever is refused in the handshake is refused by the server that was named.
        self.go_to(self.named(asked.as_deref().or(host.as_deref())));
        let tls = self.at.as_ref().map_or(&self.server.tls, |at| &at.tls);
        let control = tls.control_of_host(self.peer.ip(), host);
        let (stream, info) = control.accept_met(newcomer).await?;
        Ok(Agreement { control, stream, info })
    }

    async fn shake_hands(&mut self, stream: TcpStream) -> Result<(), Ended> {
        let deadline = self.machine.handshake_deadline().unwrap_or_else(Instant::now).into();
        let implicit = self.server.settings.mode == Mode::Implicit;
        if implicit && !speaks_tls(&stream, deadline).await {
            part(stream).await;
            return Err(Ended::NotTls);
        }
        self.announce();
        match timeout_at(deadline, self.agree(stream)).await {
            Ok(Ok(Agreement { control, stream, info })) => {
                let server_name = stream.server_name();
                self.control = Control::tls(stream);
                if let Some(client) = control.client() {
                    self.tell_unsure(client);
                }
                self.trust_changes = certificates::changes(control.clients());
                self.tls = Some(Tls { control: Arc::new(control), info, told: None, server_name });
                self.witness().secured(Channel::Session, &info);
                Ok(())
            }
            Ok(Err(HandshakeError::ClientCertificate(refusal))) => {
                self.tell_refusal(&refusal);
                Err(Ended::Handshake)
            }
            Ok(Err(error @ HandshakeError::NoClientCertificate)) => {
                self.tell_refused(None, "listen.client_certificate", error.to_string());
                Err(Ended::Handshake)
            }
            Ok(Err(error)) => {
                self.witness().not_secured(Channel::Session, error.option(), error);
                Err(Ended::Handshake)
            }
            Err(_) => {
                self.witness().not_secured(Channel::Session, Some("timeouts.tls_s"), "it took too long");
                Err(Ended::Handshake)
            }
        }
    }
}

/// What a handshake has come to.
struct Agreement {
    control: ControlTls,
    stream: ControlStream,
    info: TlsInfo,
}

/// Whether the client begins with a TLS record; a plain FTP client waits, or says USER.
async fn speaks_tls(stream: &TcpStream, deadline: tokio::time::Instant) -> bool {
    let mut first = [0];
    matches!(timeout_at(deadline, stream.peek(&mut first)).await, Ok(Ok(1))) && first == [TLS_HANDSHAKE]
}

/// Tells a client that does not speak TLS so, in the only words it understands.
async fn part(mut stream: TcpStream) {
    let _ = tokio::time::timeout(PARTING, async {
        stream.write_all(SPEAK_TLS).await?;
        stream.shutdown().await
    })
    .await;
}
