//! A connection on a data port that many sessions share: whom does it name, before anything is answered?

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustls::server::ClientHello;
use tokio::net::TcpStream;

use crate::{
    binding::{ControlSession, Registry, Relation},
    data::Inbox,
    handshake::{HandshakeError, read_client_hello},
    server::ControlTls,
};

/// A data connection that was not answered yet. [`ControlTls::accept_caller`] does. Of one that [`Sessions::meet`] has met, the
/// ClientHello was read.
///
/// SECURITY: what a ClientHello names is no proof, for whoever saw one can send it again. It only says with which
/// control connection the handshake is to be tried; the proof is the same as on a port of one's own.
///
/// [`Sessions::meet`]: crate::Sessions::meet
#[derive(Debug)]
pub struct Caller {
    pub(crate) socket: TcpStream,
    pub(crate) inbox: Inbox,
    names: Option<Arc<ControlSession>>,
}

/// Whose session a [`Caller`] would like to resume, seen from one control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// This control connection's own.
    Own,
    /// That of another live control connection of the same named user from the same address.
    Sibling,
    /// That of somebody else.
    Stranger,
    /// None that is alive.
    Nobody,
}

impl Caller {
    /// One of which nothing was read yet.
    pub fn unread(socket: TcpStream) -> Caller {
        Caller { socket, inbox: Inbox::default(), names: None }
    }

    /// Reads the ClientHello, of which `received` was read already.
    pub(crate) async fn meet(
        registry: &Registry,
        socket: TcpStream,
        received: &[u8],
    ) -> Result<Caller, HandshakeError> {
        let mut caller = Caller { inbox: Inbox::holding(received), ..Caller::unread(socket) };
        let named = |_: &ClientHello<'_>, records: &[u8]| registry.named_by(records);
        caller.names = read_client_hello(&caller.socket, &mut caller.inbox, named).await?;
        Ok(caller)
    }

    /// Whom it names, seen from `control`.
    pub fn names(&self, control: &ControlTls) -> Named {
        match self.names.as_ref().map(|issuer| control.session().relation_to(issuer)) {
            Some(Relation::Own) => Named::Own,
            Some(Relation::Sibling) => Named::Sibling,
            Some(Relation::Stranger) => Named::Stranger,
            None => Named::Nobody,
        }
    }

    /// Whether it names a session of this process.
    pub fn names_anybody(&self) -> bool {
        self.names.is_some()
    }

    /// Its socket once more with what was read of it, for another process that may know whom it names.
    ///
    /// # Errors
    /// The process has as many file descriptors as it may.
    pub fn share(&mut self) -> std::io::Result<(OwnedFd, Vec<u8>)> {
        Ok((self.socket.as_fd().try_clone_to_owned()?, self.inbox.received().to_vec()))
    }

    /// Whether the session it names was seen on a connection other than its own: its client keeps one cache for parallel
    /// connections, so the name does not tell which of them is meant.
    pub fn is_from_shared_cache(&self) -> bool {
        self.names.as_ref().is_some_and(|issuer| issuer.shares_cache())
    }

    /// Remembers that this belongs to another control connection than the one it names.
    pub fn note_shared_cache(&self) {
        if let Some(issuer) = &self.names {
            issuer.note_shared_cache();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::{
        ServerTls,
        testkit::{Client, HOME, VERSIONS, control_from, login, pair, server},
    };

    /// What the server makes of a ClientHello of this client, which goes no further.
    async fn meet(server: &ServerTls, client: &Client) -> Caller {
        let (near, mut far) = pair().await;
        let mut hello = Vec::new();
        client.connection().write_tls(&mut hello).unwrap();
        far.write_all(&hello).await.unwrap();
        server.sessions().meet(near, &[]).await.unwrap()
    }

    #[tokio::test]
    async fn a_client_hello_names_its_control_connection() {
        for version in VERSIONS {
            let server = server();
            let (hers, his, nobodys) = (Client::new(version), Client::new(version), Client::new(version));
            let mine = login(&server, &hers, "alice").await;
            let sibling = login(&server, &Client::new(version), "alice").await;
            let stranger = login(&server, &his, "bob").await;
            let caller = meet(&server, &hers).await;
            assert_eq!(caller.names(&mine.tls), Named::Own);
            assert_eq!(caller.names(&sibling.tls), Named::Sibling);
            assert_eq!(caller.names(&stranger.tls), Named::Stranger);
            assert_eq!(meet(&server, &nobodys).await.names(&mine.tls), Named::Nobody);
            // With its control connection a session ends.
            drop(stranger);
            assert_eq!(meet(&server, &his).await.names(&mine.tls), Named::Nobody);
        }
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_said_to_speak_none() {
        let (near, mut far) = pair().await;
        far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(matches!(server().sessions().meet(near, &[]).await, Err(HandshakeError::NotTls)));
        let (near, far) = pair().await;
        drop(far);
        assert!(matches!(server().sessions().meet(near, &[]).await, Err(HandshakeError::Closed)));
    }

    #[tokio::test]
    async fn one_cache_for_parallel_logins_is_noticed_and_two_caches_are_not_taken_for_one() {
        for version in VERSIONS {
            let server = server();
            let (shared, apart) = (Client::new(version), Client::new(version));
            let first = login(&server, &shared, "alice").await;
            let other = login(&server, &apart, "alice").await;
            assert!(!first.tls.shares_cache() && !other.tls.shares_cache());
            // From another address it may be a copy, and says nothing about this client.
            let far = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
            let copy = control_from(&server, &shared, far).await;
            assert!(!first.tls.shares_cache() && !copy.tls.shares_cache());
            drop(copy);
            let first = login(&server, &shared, "alice").await;
            let second = control_from(&server, &shared, HOME).await;
            assert!(first.tls.shares_cache() && second.tls.shares_cache());
            assert!(!other.tls.shares_cache());
        }
    }
}
