//! What is done to files and folders on the server without a data connection.

use carrack_ftp_proto::client::RemotePath;
use carrack_ftp_proto::client::machine::Command;

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Operation};

impl Client {
    /// Makes a folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`], also where there is something of this name already.
    pub async fn make_folder(&mut self, path: &RemotePath) -> Result<(), Error> {
        let mut connection = self.take_for(Operation::MakeFolder, path).await?;
        let made = connection.demand(&Command::MakeFolder(path.clone())).await;
        self.done(connection, made.map(drop), Operation::MakeFolder, path)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`].
    pub async fn remove_file(&mut self, path: &RemotePath) -> Result<(), Error> {
        let mut connection = self.take_for(Operation::RemoveFile, path).await?;
        let removed = connection.demand(&Command::RemoveFile(path.clone())).await;
        self.done(connection, removed.map(drop), Operation::RemoveFile, path)
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`], also where it is not empty.
    pub async fn remove_folder(&mut self, path: &RemotePath) -> Result<(), Error> {
        let mut connection = self.take_for(Operation::RemoveFolder, path).await?;
        let removed = connection.remove_folder(path).await;
        self.done(connection, removed, Operation::RemoveFolder, path)
    }

    /// Gives a file or folder another name, or another place. Whether something at the new place is replaced is for the
    /// server to decide.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`].
    pub async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<(), Error> {
        let mut connection = self.take_for(Operation::Rename, from).await?;
        let renamed = connection.rename(from, to).await;
        self.done(connection, renamed, Operation::Rename, from)
    }

    pub(crate) async fn take_for(
        &mut self,
        operation: Operation,
        path: &RemotePath,
    ) -> Result<Connection, Error> {
        self.take().await.map_err(|kind| Error::new(operation, path, kind))
    }

    /// An operation has come to its end: the connection is kept if the server has answered, whatever it said.
    pub(crate) fn done<T>(
        &mut self,
        connection: Connection,
        outcome: Result<T, ErrorKind>,
        operation: Operation,
        path: &RemotePath,
    ) -> Result<T, Error> {
        if outcome.as_ref().err().is_none_or(ErrorKind::is_answer) {
            self.keep(connection);
        }
        outcome.map_err(|kind| Error::new(operation, path, kind))
    }
}

impl Connection {
    async fn remove_folder(&mut self, path: &RemotePath) -> Result<(), ErrorKind> {
        self.leave(path).await?;
        self.demand(&Command::RemoveFolder(path.clone())).await.map(drop)
    }

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<(), ErrorKind> {
        self.leave(from).await?;
        let command = Command::RenameFrom(from.clone());
        let reply = self.ask(&command).await?;
        if !reply.code().is_intermediate() {
            return Err(ErrorKind::refused(command.name(), reply));
        }
        self.demand(&Command::RenameTo(to.clone())).await.map(drop)
    }

    /// Goes out of a folder before it is removed or renamed: some servers will not touch the one they are in.
    async fn leave(&mut self, folder: &RemotePath) -> Result<(), ErrorKind> {
        if !self.folder.as_ref().is_some_and(|current| current.is_within(folder)) {
            return Ok(());
        }
        let login_folder = self.session.login_folder.clone();
        match self.change_folder(&login_folder).await {
            // Where it cannot be left, the server may do it all the same.
            Err(kind) if kind.is_answer() => Ok(()),
            left => left,
        }
    }
}
