//! How does a file go from one server to another without passing through this machine (FXP)?
//!
//! One server opens a port (PASV), the other is told to connect to it (PORT), and then the one is told to send and the
//! other to receive (RFC 959 §2.3 draws it). Under TLS one of the two has to take the client's part (SSCN, CPSV).

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use carrack_ftp_proto::client::machine::{Command, Event, Listen, Store, TlsPart, Transfer};
use carrack_ftp_proto::client::{Features, RemotePath, Violation, epsv_port, pasv_port};
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Operation};
use crate::settings::{DataProtection, Security};

/// How long the one server is waited for, once the other has refused: it waits itself for a connection that will not come.
const PARTNER: Duration = Duration::from_secs(30);

/// Why two servers did not exchange a file.
#[derive(Debug)]
pub(crate) enum NotExchanged {
    /// They will not, or cannot, have a data connection with each other: in words. The same file may still be relayed.
    Unable(String),
    /// The file cannot be sent.
    Source(Error),
    /// The file cannot be received.
    Target(Error),
}

/// One of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// Who listens, and who is the TLS client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Arrangement {
    passive: Side,
    tls: Tls,
}

/// How it is said who is the TLS client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// Not at all: the data goes in clear.
    None,
    /// CPSV to who listens.
    Cpsv,
    /// SSCN ON to this side.
    Sscn(Side),
}

impl Arrangement {
    /// The target listens where that will do: more servers may be connected to than may connect out.
    fn of(source: &Client, target: &Client) -> Result<Arrangement, NotExchanged> {
        match (is_private(source), is_private(target)) {
            (false, false) => Ok(Arrangement { passive: Side::Target, tls: Tls::None }),
            (true, true) => Arrangement::private(source.features(), target.features()).ok_or_else(|| {
                NotExchanged::Unable(
                    "neither server knows SSCN or CPSV, so none can be the TLS client".to_owned(),
                )
            }),
            _ => Err(NotExchanged::Unable("data is protected on one server and not on the other".to_owned())),
        }
    }

    fn private(source: &Features, target: &Features) -> Option<Arrangement> {
        let (passive, tls) = match (source, target) {
            (_, target) if target.sscn => (Side::Target, Tls::Sscn(Side::Target)),
            (source, _) if source.sscn => (Side::Target, Tls::Sscn(Side::Source)),
            (_, target) if target.cpsv => (Side::Target, Tls::Cpsv),
            (source, _) if source.cpsv => (Side::Source, Tls::Cpsv),
            _ => return None,
        };
        Some(Arrangement { passive, tls })
    }
}

fn is_private(client: &Client) -> bool {
    let settings = client.settings();
    !matches!(settings.security, Security::Plaintext) && settings.data_protection == DataProtection::Private
}

/// Has `source` send a file to `target`, which puts it in the place of whatever is there.
///
/// Nothing of it is seen here while it moves, so there is no limit to how long that takes: each server has one of its own
/// for a connection over which nothing moves.
pub(crate) async fn exchange(
    source: &mut Client,
    path: &RemotePath,
    target: &mut Client,
    to: &RemotePath,
) -> Result<(), NotExchanged> {
    let arrangement = Arrangement::of(source, target)?;
    let at_source = |kind| NotExchanged::Source(Error::new(Operation::Download, path, kind));
    let at_target = |kind| NotExchanged::Target(Error::new(Operation::Upload, to, kind));
    let mut sender = source.take().await.map_err(at_source)?;
    let mut receiver = target.take().await.map_err(at_target)?;
    match sender.link.peer().is_ipv4() == receiver.link.peer().is_ipv4() {
        true => {}
        false => return Err(NotExchanged::Unable("one is reached by IPv4 and the other by IPv6".to_owned())),
    }
    let knows = (source.features().sscn, target.features().sscn);
    let arranged = arrange(arrangement, &mut sender, &mut receiver, knows).await;
    // Who was told SSCN ON would take the client's part towards us as well.
    let is_changed = |side| arrangement.tls == Tls::Sscn(side);
    if let Err((side, kind)) = arranged {
        let answer = kind.is_answer();
        // The one that has said no, and the one that was not asked, are as good as before.
        if (answer || side == Side::Target) && !is_changed(Side::Source) {
            source.keep(sender);
        }
        if (answer || side == Side::Source) && !is_changed(Side::Target) {
            target.keep(receiver);
        }
        return Err(match (answer, side) {
            (true, _) => NotExchanged::Unable(in_words(side, &kind)),
            (false, Side::Source) => at_source(kind),
            (false, Side::Target) => at_target(kind),
        });
    }
    sender.link.begin_elsewhere(Transfer::Retrieve(path.clone(), 0));
    receiver.link.begin_elsewhere(Transfer::Store(to.clone(), Store::Replace));
    let (sent, received) = both(&mut sender, &mut receiver).await;
    let is_settled = |outcome: &Option<Result<(), ErrorKind>>| match outcome {
        Some(Ok(())) => true,
        Some(Err(kind)) => kind.is_answer(),
        None => false,
    };
    // Behind a success the next file is exchanged as well.
    let done = matches!((&sent, &received), (Some(Ok(())), Some(Ok(()))));
    if is_settled(&sent) && (done || !is_changed(Side::Source)) {
        source.keep(sender);
    }
    if is_settled(&received) && (done || !is_changed(Side::Target)) {
        target.keep(receiver);
    }
    match (sent, received) {
        (Some(Ok(())), Some(Ok(()))) => Ok(()),
        (Some(Err(kind)), _) if !is_about_data(&kind) => Err(at_source(kind)),
        (_, Some(Err(kind))) if !is_about_data(&kind) => Err(at_target(kind)),
        (Some(Err(kind)), _) => Err(NotExchanged::Unable(in_words(Side::Source, &kind))),
        (_, Some(Err(kind))) => Err(NotExchanged::Unable(in_words(Side::Target, &kind))),
        (None, _) => Err(at_source(ErrorKind::DataLost)),
        (_, None) => Err(at_target(ErrorKind::DataLost)),
    }
}

fn in_words(side: Side, kind: &ErrorKind) -> String {
    match side {
        Side::Source => format!("the source's server: {kind}"),
        Side::Target => format!("the target's server: {kind}"),
    }
}

/// Whether a refusal concerns the data connection and not the file.
fn is_about_data(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::DataRefused(_) => true,
        ErrorKind::Refused { reply, .. } => matches!(reply.code().number(), 426 | 500..=504 | 536),
        _ => false,
    }
}

/// Says who listens, who connects and who is the TLS client; or who refused.
async fn arrange(
    arrangement: Arrangement,
    sender: &mut Connection,
    receiver: &mut Connection,
    (sender_knows, receiver_knows): (bool, bool),
) -> Result<(), (Side, ErrorKind)> {
    let Arrangement { passive, tls } = arrangement;
    if let Tls::Sscn(client) = tls {
        let part = |side| if side == client { TlsPart::Client } else { TlsPart::Server };
        // Also to the one that is the TLS server anyhow: by that it learns that another server will come.
        if sender_knows {
            let said = sender.demand(&Command::TakePart(part(Side::Source))).await;
            said.map_err(|kind| (Side::Source, kind))?;
        }
        if receiver_knows {
            let said = receiver.demand(&Command::TakePart(part(Side::Target))).await;
            said.map_err(|kind| (Side::Target, kind))?;
        }
    }
    let (listener, connector, other) = match passive {
        Side::Source => (sender, receiver, Side::Target),
        Side::Target => (receiver, sender, Side::Source),
    };
    let address = listen(listener, tls).await.map_err(|kind| (passive, kind))?;
    connector.demand(&Command::ConnectTo(address)).await.map(drop).map_err(|kind| (other, kind))
}

/// Has a server listen, and says where.
// SECURITY: only the port is the server's word. Its own address is the one we are connected to, so no server can have the
// other one connect to a third.
async fn listen(server: &mut Connection, tls: Tls) -> Result<SocketAddr, ErrorKind> {
    let ip = server.link.peer();
    let command = Command::Listen(match (tls, ip) {
        (Tls::Cpsv, _) => Listen::AsTlsClient,
        (_, IpAddr::V4(_)) => Listen::Passive,
        (_, IpAddr::V6(_)) => Listen::Extended,
    });
    let reply = server.demand(&command).await?;
    let port = match command {
        Command::Listen(Listen::Extended) => epsv_port(reply.last_line()),
        _ => pasv_port(reply.last_line()).map(|(_, port)| port),
    };
    match port {
        Some(port) => Ok(SocketAddr::new(ip, port)),
        None => Err(ErrorKind::Protocol(Violation::Unreadable { command: command.name(), reply })),
    }
}

/// Hears both servers to the end of the transfer. `None` is who had nothing to say after the other has refused.
async fn both(
    sender: &mut Connection,
    receiver: &mut Connection,
) -> (Option<Result<(), ErrorKind>>, Option<Result<(), ErrorKind>>) {
    let (mut sending, mut receiving) = (pin!(completed(sender)), pin!(completed(receiver)));
    let (mut sent, mut received) = (None, None);
    let mut until = None;
    while sent.is_none() || received.is_none() {
        let refused = tokio::select! {
            outcome = &mut sending, if sent.is_none() => sent.insert(outcome).is_err(),
            outcome = &mut receiving, if received.is_none() => received.insert(outcome).is_err(),
            () = patience(until) => break,
        };
        if refused && until.is_none() {
            until = Some(Instant::now() + PARTNER);
        }
    }
    (sent, received)
}

async fn patience(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Hears one server to the end of its transfer.
async fn completed(connection: &mut Connection) -> Result<(), ErrorKind> {
    connection.link.patience.unlimited();
    loop {
        match connection.link.event().await? {
            Event::Completed(_) => return Ok(()),
            Event::Refused { command, reply } => return Err(ErrorKind::transfer_refused(command, reply)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_is_the_tls_client_where_one_can_be() {
        let none = Features::default();
        let sscn = Features { sscn: true, ..Features::default() };
        let cpsv = Features { cpsv: true, ..Features::default() };
        let of = |source: &Features, target: &Features| {
            Arrangement::private(source, target).map(|Arrangement { passive, tls }| (passive, tls))
        };
        assert_eq!(of(&sscn, &sscn), Some((Side::Target, Tls::Sscn(Side::Target))));
        assert_eq!(of(&none, &sscn), Some((Side::Target, Tls::Sscn(Side::Target))));
        assert_eq!(of(&sscn, &none), Some((Side::Target, Tls::Sscn(Side::Source))));
        assert_eq!(of(&sscn, &cpsv), Some((Side::Target, Tls::Sscn(Side::Source))));
        assert_eq!(of(&none, &cpsv), Some((Side::Target, Tls::Cpsv)));
        assert_eq!(of(&cpsv, &none), Some((Side::Source, Tls::Cpsv)));
        assert_eq!(of(&none, &none), None);
    }
}
