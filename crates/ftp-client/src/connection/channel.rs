//! How does a data connection come about? Two sides meet, the command is answered, TLS begins.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use carrack_ftp_proto::client::Reply;
use carrack_ftp_proto::client::machine::{DataProtection, Event, Route, Transfer};
use carrack_tls::{ClientControlTls, ConnectError, DataStream, Supply};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use super::link::Link;
use super::open::described;
use crate::error::{ErrorKind, Stage};
use crate::settings::DataMode;

/// How long the first reply to a transfer is waited for before the handshake on its data connection begins without it. A
/// few servers say 150 only once the handshake is done, and give up after a second.
const GRACE: Duration = Duration::from_millis(250);

/// A ticket of TLS 1.3 is used up by a handshake, also where the server then refuses the transfer (RFC 8446 §C.4): with so
/// few of them left none is risked.
const LAST_TICKETS: usize = 1;

/// How long is waited, once a data connection has failed, for the server to say why.
const REASON: Duration = Duration::from_secs(5);

/// When the client begins the handshake on a data connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// Once the server has said that the transfer begins, or some time has passed: no transfer went well yet, or the last
    /// one was refused.
    #[default]
    OnceBegun,
    /// As soon as the connection is there, which saves each transfer a round trip.
    AtOnce,
}

/// A data connection that may carry bytes.
pub(crate) struct Channel {
    pub(crate) stream: DataStream,
    /// The server's last word about the transfer, where it came already.
    pub(crate) completed: Option<Reply>,
}

/// How the socket of a data connection is come by.
enum Meeting {
    Met(TcpStream),
    Awaited(TcpListener),
}

impl Link {
    /// Begins a transfer: when this is done, bytes may flow.
    pub(crate) async fn begin(&mut self, transfer: Transfer) -> Result<Channel, ErrorKind> {
        let meeting = match self.settings.data_mode {
            DataMode::Passive => self.arrange_passive(transfer).await?,
            DataMode::Active => self.arrange_active(transfer).await?,
        };
        self.expect_reply();
        let begun = Arc::new(Notify::new());
        let tls = self.data_tls();
        let opening = Opening {
            meeting,
            server: self.peer,
            limit: self.settings.timeouts.connect,
            handshake: self.next_handshake(tls.as_deref()),
            tls,
            begun: Arc::clone(&begun),
        };
        let channel = self.join(opening.open(), &begun).await?;
        if let Some(info) = channel.stream.info() {
            self.tell(|| format!("data connection: {}", described(&info)));
        }
        Ok(channel)
    }

    async fn arrange_passive(&mut self, transfer: Transfer) -> Result<Meeting, ErrorKind> {
        self.machine.transfer(transfer, Route::Passive);
        self.expect_reply();
        loop {
            match self.event().await? {
                Event::Dial(port) => {
                    // SECURITY: whatever address the server named, data goes where the control connection goes
                    // (CVE-2020-8284).
                    let mut address = self.peer;
                    address.set_port(port);
                    let socket = self.dial(address).await?;
                    self.machine.channel_connected();
                    return Ok(Meeting::Met(socket));
                }
                Event::Refused { command, reply } => return Err(ErrorKind::transfer_refused(command, reply)),
                _ => {}
            }
        }
    }

    async fn dial(&mut self, address: SocketAddr) -> Result<TcpStream, ErrorKind> {
        self.patience.for_stage(Stage::DataConnect, self.settings.timeouts.connect);
        let mut dialling = pin!(TcpStream::connect(address));
        poll_fn(|cx| match dialling.as_mut().poll(cx) {
            Poll::Ready(dialled) => Poll::Ready(dialled.map_err(ErrorKind::DataConnect)),
            Poll::Pending => self.poll_patience(cx).map(Err),
        })
        .await
    }

    async fn arrange_active(&mut self, transfer: Transfer) -> Result<Meeting, ErrorKind> {
        let mut address = self.local;
        address.set_port(0);
        let listener = TcpListener::bind(address).await.map_err(ErrorKind::DataConnect)?;
        let listening = listener.local_addr().map_err(ErrorKind::DataConnect)?;
        self.machine.transfer(transfer, Route::Active(listening));
        Ok(Meeting::Awaited(listener))
    }

    fn data_tls(&self) -> Option<Arc<ClientControlTls>> {
        match self.settings.data_protection {
            DataProtection::Private => self.tls.clone(),
            DataProtection::Clear => None,
        }
    }

    /// When this transfer's handshake begins. That of the next one waits, unless this one goes well.
    fn next_handshake(&mut self, tls: Option<&ClientControlTls>) -> Handshake {
        let learnt = std::mem::take(&mut self.learnt.handshake);
        match tls.map(ClientControlTls::supply) {
            Some(Supply::Tickets(..=LAST_TICKETS)) => Handshake::OnceBegun,
            Some(Supply::Tickets(_) | Supply::Endless) | None => learnt,
        }
    }

    /// Waits for the first reply and for the channel, in whichever order they come.
    async fn join(
        &mut self,
        channel: impl Future<Output = Result<DataStream, ErrorKind>>,
        begun: &Notify,
    ) -> Result<Channel, ErrorKind> {
        let mut channel = pin!(channel);
        let (mut has_begun, mut opened, mut completed) = (false, None, None);
        loop {
            let news = poll_fn(|cx| {
                if completed.is_none()
                    && let Poll::Ready(event) = self.poll_event(cx)
                {
                    return Poll::Ready(News::Heard(event));
                }
                if opened.is_none()
                    && let Poll::Ready(channel) = channel.as_mut().poll(cx)
                {
                    return Poll::Ready(News::Opened(channel));
                }
                self.poll_patience(cx).map(|kind| News::Heard(Err(kind)))
            });
            match news.await {
                News::Heard(event) => match event? {
                    Event::Begun(_) => {
                        has_begun = true;
                        begun.notify_one();
                        self.patience.for_stage(Stage::DataHandshake, self.time_behind_begin());
                    }
                    Event::Completed(reply) => completed = Some(reply),
                    Event::Refused { command, reply } => {
                        return Err(ErrorKind::transfer_refused(command, reply));
                    }
                    _ => {}
                },
                News::Opened(Ok(stream)) => opened = Some(stream),
                News::Opened(Err(kind)) => return Err(self.reason(kind, completed.is_some()).await),
            }
            if has_begun && let Some(stream) = opened.take() {
                self.learnt.handshake = Handshake::AtOnce;
                return Ok(Channel { stream, completed });
            }
        }
    }

    /// How long the channel may take once the server has said that the transfer begins.
    fn time_behind_begin(&self) -> Duration {
        let timeouts = &self.settings.timeouts;
        match self.settings.data_mode {
            DataMode::Passive => timeouts.handshake,
            // The server may still be on its way, which has a limit of its own.
            DataMode::Active => timeouts.connect + timeouts.handshake,
        }
    }

    /// The data connection failed: the server may say why, and then its words are the better error.
    async fn reason(&mut self, kind: ErrorKind, completed: bool) -> ErrorKind {
        // SECURITY: a certificate that is not the control connection's is nothing a server explains away.
        if completed || matches!(kind, ErrorKind::DataTls(ConnectError::Untrusted(_))) {
            return kind;
        }
        self.expect_reply_within(REASON.min(self.settings.timeouts.reply));
        loop {
            match self.event().await {
                Ok(Event::Refused { command, reply }) => return ErrorKind::transfer_refused(command, reply),
                Err(closed @ ErrorKind::ServiceClosed(_)) => return closed,
                Ok(Event::Completed(_)) | Err(_) => return kind,
                Ok(_) => {}
            }
        }
    }
}

/// What came first.
enum News {
    Heard(Result<Event, ErrorKind>),
    Opened(Result<DataStream, ErrorKind>),
}

/// What a data connection is made from. Owns all it needs, so that it comes about while the control connection is heard.
struct Opening {
    meeting: Meeting,
    server: SocketAddr,
    /// For the server to come, where it is the one who does.
    limit: Duration,
    /// None for a clear connection.
    tls: Option<Arc<ClientControlTls>>,
    handshake: Handshake,
    /// Told when the server has said that the transfer begins.
    begun: Arc<Notify>,
}

impl Opening {
    async fn open(self) -> Result<DataStream, ErrorKind> {
        let socket = match self.meeting {
            Meeting::Met(socket) => socket,
            Meeting::Awaited(listener) => timeout(self.limit, accept(&listener, self.server))
                .await
                .map_err(|_| ErrorKind::TimedOut(Stage::DataConnect))?
                .map_err(ErrorKind::DataConnect)?,
        };
        // Without it the last bytes of a small file wait for an acknowledgement; with it nothing else changes.
        let _slower = socket.set_nodelay(true);
        let Some(tls) = self.tls else {
            return DataStream::clear(socket).map_err(ErrorKind::DataConnect);
        };
        if self.handshake == Handshake::OnceBegun {
            let _at_last = timeout(GRACE, self.begun.notified()).await;
        }
        tls.connect_data(socket).await.map_err(ErrorKind::DataTls)
    }
}

/// The server's connection. Whoever else connects is sent away, and the waiting goes on.
async fn accept(listener: &TcpListener, server: SocketAddr) -> std::io::Result<TcpStream> {
    loop {
        let (socket, from) = listener.accept().await?;
        // SECURITY: another could deliver a file of its own, or take ours.
        if from.ip() == server.ip() {
            return Ok(socket);
        }
    }
}
