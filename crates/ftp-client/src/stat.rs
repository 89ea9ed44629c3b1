//! What is a path on the server: kind, size, time?

use carrack_ftp_proto::client::machine::Command;
use carrack_ftp_proto::client::{
    Entry, EntryKind, Facts, Listed, Modified, RemotePath, Reply, facts_line, moment, size,
};
use carrack_ftp_proto::reply::Code;

use crate::client::{Client, MachineListings};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Operation};

impl Client {
    /// What a path is. MLST tells all the server knows. Of servers without it: SIZE and MDTM of a file; that it is a folder,
    /// where CWD leads there; and of what is neither, what the listing of its folder says.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where there is nothing, and whatever else can happen on the way.
    pub async fn stat(&mut self, path: &RemotePath) -> Result<Facts, Error> {
        let mut connection = self.take_for(Operation::Stat, path).await?;
        if self.learnt.machine_listings == MachineListings::Tried {
            match connection.facts(path).await {
                Err(kind) if kind.is_unknown_command() => {
                    self.learnt.machine_listings = MachineListings::Unknown;
                }
                told => return self.done(connection, told, Operation::Stat, path),
            }
        }
        let found = connection.probe(path).await;
        match self.done(connection, found, Operation::Stat, path)? {
            Found::Facts(facts) => Ok(facts),
            Found::Nothing(reply) => self.stat_in_listing(path, reply).await,
        }
    }

    /// The size of a file in bytes, by SIZE, or by MLST where there is no SIZE; `None` where the server does not tell.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where there is no such file, and whatever else can happen on the way.
    pub async fn size(&mut self, path: &RemotePath) -> Result<Option<u64>, Error> {
        let mut connection = self.take_for(Operation::Stat, path).await?;
        let told = match connection.value(Command::Size(path.clone()), size).await {
            Ok(None) if self.learnt.machine_listings == MachineListings::Tried => {
                match connection.facts(path).await {
                    Err(kind) if kind.is_unknown_command() => Ok(None),
                    told => told.map(|facts| facts.size.filter(|_| facts.kind != EntryKind::Folder)),
                }
            }
            told => told,
        };
        self.done(connection, told, Operation::Stat, path)
    }

    /// When a file was last modified; `None` where the server does not tell.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where there is no such file, and whatever else can happen on the way.
    pub async fn modified(&mut self, path: &RemotePath) -> Result<Option<Modified>, Error> {
        let mut connection = self.take_for(Operation::Stat, path).await?;
        let told = connection.value(Command::Modified(path.clone()), moment).await;
        self.done(connection, told, Operation::Stat, path)
    }

    /// Sets a file's time of modification, Unix seconds: with MFMT, or with `MDTM time path` where a server reads that so.
    /// False where it cannot be done.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where there is no such file, and whatever else can happen on the way.
    pub async fn set_modified(&mut self, path: &RemotePath, unix_s: i64) -> Result<bool, Error> {
        let (mfmt, by_mdtm) = (self.features().mfmt, self.learnt.mdtm_sets);
        let mut connection = self.take_for(Operation::SetModified, path).await?;
        let set = match (mfmt, by_mdtm) {
            (true, _) => connection.set_modified(path, unix_s).await,
            (false, true) => connection.set_modified_by_mdtm(path, unix_s).await,
            (false, false) => Ok(false),
        };
        if matches!((mfmt, &set), (false, Ok(false))) {
            self.learnt.mdtm_sets = false;
        }
        self.done(connection, set, Operation::SetModified, path)
    }

    /// Looks a path up where its folder lists it: a link that leads nowhere, a device, a file that may not be read.
    async fn stat_in_listing(&mut self, path: &RemotePath, reply: Reply) -> Result<Facts, Error> {
        let missing = |reply| Error::new(Operation::Stat, path, ErrorKind::NotFoundOrDenied(reply));
        let (Some(folder), Some(name)) = (path.parent(), path.name()) else { return Err(missing(reply)) };
        let mut listing = match self.list(&folder).await {
            Ok(listing) => listing,
            Err(error) if error.kind().is_answer() => return Err(missing(reply)),
            Err(error) => return Err(error),
        };
        let mut found = None;
        // To its end, so that the connection can be kept.
        while let Some(listed) = listing.next().await {
            match listed? {
                Listed::Entry(entry) if entry.name.as_bytes() == name => found = Some(without_name(entry)),
                _ => {}
            }
        }
        found.ok_or_else(|| missing(reply))
    }
}

/// What was learnt about a path.
enum Found {
    Facts(Facts),
    /// It is no file that SIZE tells anything about, and no folder, in these words.
    Nothing(Reply),
}

impl Connection {
    async fn facts(&mut self, path: &RemotePath) -> Result<Facts, ErrorKind> {
        let command = Command::Facts(path.clone());
        let reply = self.demand(&command).await?;
        let facts = reply.body().find_map(|line| facts_line(line).ok()).map(|line| line.facts);
        facts.ok_or_else(|| unreadable(command.name(), reply))
    }

    async fn probe(&mut self, path: &RemotePath) -> Result<Found, ErrorKind> {
        if path.name().is_none() {
            return Ok(Found::Facts(bare(EntryKind::Folder)));
        }
        let reply = self.ask(&Command::Size(path.clone())).await?;
        if reply.code() == Code::FILE_STATUS {
            let modified = self.value(Command::Modified(path.clone()), moment).await?;
            return Ok(Found::Facts(Facts {
                size: size(reply.last_line()),
                modified,
                ..bare(EntryKind::File)
            }));
        }
        match self.change_folder(path).await {
            Ok(()) => Ok(Found::Facts(bare(EntryKind::Folder))),
            Err(ErrorKind::NotFoundOrDenied(reply) | ErrorKind::Refused { reply, .. }) => {
                Ok(Found::Nothing(reply))
            }
            Err(kind) => Err(kind),
        }
    }

    /// The value of a 213; none where the server does not know the command, or answers it with something else.
    async fn value<T>(
        &mut self,
        command: Command,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, ErrorKind> {
        let reply = self.ask(&command).await?;
        match reply.code() {
            Code::FILE_STATUS => Ok(read(reply.last_line())),
            code if is_unknown(code) => Ok(None),
            code if code.is_refusal() => Err(ErrorKind::refused(command.name(), reply)),
            _ => Err(unreadable(command.name(), reply)),
        }
    }

    async fn set_modified(&mut self, path: &RemotePath, unix_s: i64) -> Result<bool, ErrorKind> {
        let command = Command::SetModified(path.clone(), unix_s);
        let reply = self.ask(&command).await?;
        match reply.code() {
            code if code.is_completion() => Ok(true),
            code if is_unknown(code) => Ok(false),
            _ => Err(ErrorKind::refused(command.name(), reply)),
        }
    }

    /// A server that only reads times with MDTM looks for a file with a strange name, so a refusal says nothing about the
    /// file.
    async fn set_modified_by_mdtm(&mut self, path: &RemotePath, unix_s: i64) -> Result<bool, ErrorKind> {
        let reply = self.ask(&Command::SetModifiedByMdtm(path.clone(), unix_s)).await?;
        Ok(reply.code().is_completion())
    }
}

/// Whether a refusal says that a command is not known, or not in this form (RFC 959 §4.2.2).
fn is_unknown(code: Code) -> bool {
    matches!(
        code,
        Code::SYNTAX_ERROR
            | Code::SYNTAX_ERROR_IN_ARGUMENT
            | Code::NOT_IMPLEMENTED
            | Code::ARGUMENT_NOT_IMPLEMENTED
    )
}

fn without_name(entry: Entry) -> Facts {
    let Entry { name: _, kind, size, modified, mode, owner, group, perm, unique } = entry;
    Facts { kind, size, modified, mode, owner, group, perm, unique }
}

fn bare(kind: EntryKind) -> Facts {
    Facts { kind, size: None, modified: None, mode: None, owner: None, group: None, perm: None, unique: None }
}

fn unreadable(command: &'static str, reply: Reply) -> ErrorKind {
    ErrorKind::Protocol(carrack_ftp_proto::client::Violation::Unreadable { command, reply })
}
