//! One control connection, and the data connections that belong to it.
//!
//! A [`Connection`] is owned by the one operation that runs over it. Whoever drops an operation drops the connection with it,
//! so nothing that was under way can be mistaken for the answer to what comes next.

mod channel;
mod control;
mod link;
mod open;
mod patience;

use std::task::{Context, Waker};

use carrack_ftp_proto::client::machine::{Command, Event, Session};
use carrack_ftp_proto::client::{HashAlgorithm, RemotePath, Reply};
use carrack_tls::ClientControlTls;
use tokio::time::{Duration, timeout};

use crate::client::Wanted;
use crate::error::ErrorKind;
pub(crate) use channel::Channel;
pub(crate) use link::Link;
pub(crate) use open::{Learnt, look};

/// One control connection behind its login.
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) session: Session,
    /// The working directory, once it was changed.
    pub(crate) folder: Option<RemotePath>,
    /// What HASH answers with, once OPTS HASH has said so.
    pub(crate) hash: Option<HashAlgorithm>,
}

impl Connection {
    fn new(link: Link, session: Session) -> Connection {
        Connection { link, session, folder: None, hash: None }
    }

    /// Sends a command and waits for its reply, whatever that says.
    pub(crate) async fn ask(&mut self, command: &Command) -> Result<Reply, ErrorKind> {
        self.ask_patiently(command, self.link.settings.timeouts.reply).await
    }

    /// As [`Connection::ask`], for commands over which a server may think for longer.
    pub(crate) async fn ask_patiently(
        &mut self,
        command: &Command,
        patience: Duration,
    ) -> Result<Reply, ErrorKind> {
        self.link.machine.ask(command);
        self.link.expect_reply_within(patience);
        loop {
            if let Event::Answered(reply) = self.link.event().await? {
                return Ok(reply);
            }
        }
    }

    /// Makes a folder the working directory.
    pub(crate) async fn change_folder(&mut self, folder: &RemotePath) -> Result<(), ErrorKind> {
        self.demand(&Command::ChangeFolder(folder.clone())).await?;
        self.folder = Some(folder.clone());
        Ok(())
    }

    /// Begins a transfer: when this is done, bytes may flow.
    pub(crate) async fn begin(&mut self, wanted: &Wanted) -> Result<Channel, ErrorKind> {
        if let Some(folder) = &wanted.folder {
            self.change_folder(folder).await?;
        }
        self.link.begin(wanted.transfer.clone()).await
    }

    /// As [`Connection::ask`], where anything but 2xx is an error.
    pub(crate) async fn demand(&mut self, command: &Command) -> Result<Reply, ErrorKind> {
        let reply = self.ask(command).await?;
        if reply.code().is_completion() {
            return Ok(reply);
        }
        Err(ErrorKind::refused(command.name(), reply))
    }

    /// Whether an idle connection can still be used: the server has not closed it, and has said nothing in the meantime that
    /// would be taken for an answer.
    pub(crate) fn is_fresh(&mut self) -> bool {
        self.link.poll_event(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// What the next connection to this server should know.
    pub(crate) fn learnt(&self) -> Learnt {
        Learnt { extended: self.link.machine.extended(), ..self.link.learnt }
    }

    /// Its TLS; none in clear.
    pub(crate) fn tls(&self) -> Option<&ClientControlTls> {
        self.link.tls.as_deref()
    }

    /// Says goodbye. The server need not answer.
    pub(crate) async fn quit(mut self) {
        let _farewell = self.ask(&Command::Quit).await;
        let _closed = timeout(self.link.settings.timeouts.reply, self.link.control.close()).await;
    }
}
