//! How the client secures a data connection.

use std::sync::Arc;

use rustls::{ClientConfig, client::UnbufferedClientConnection, pki_types::ServerName};
use tokio::net::TcpStream;

use super::ConnectError;
use crate::data::{Connection, DataStream, Handshake, Inbox};

/// Secures `socket`, never blocking the thread.
pub(super) async fn connect(
    socket: TcpStream,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<DataStream, ConnectError> {
    let connection = Connection::Client(UnbufferedClientConnection::new(config, name)?);
    let mut session =
        Handshake::new(connection, Inbox::default()).run::<ConnectError>(&socket, |_| (), || None).await?;
    // Our Finished goes out at once: a server that sends waits for it, and one that receives may say 150 only after it. Where all
    // that the server has to send is here already, it waits for our own end.
    if !session.is_closed() {
        session.wire.flush_all(&socket).await?;
    }
    Ok(DataStream::tls(socket, session)?)
}
