//! What moves, or changes, or is asked about files? And what is answered while a transfer runs?

use super::pending::Serial;
use super::{
    Action, Carried, DataRole, Event, ListFormat, Next, Outcome, Pending, Purpose, Representation, Request,
    Server, Stage, StoreMode, Transfer, reply,
};
use crate::command::PathArgument;
use crate::reply::{Code, Reply};

/// A transfer, from its event to its final reply.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) serial: Serial,
    pub(super) aside: Aside,
}

/// What was asked beside a transfer. One thing at a time, so that replies keep the order of the commands.
#[derive(Debug)]
pub(super) enum Aside {
    Nothing,
    /// The driver owes an answer to ABOR.
    Abort(Serial),
    /// The driver has answered ABOR. The reply waits for the transfer's own, which RFC 959 §4.1.3 wants first.
    Aborted(Reply),
    /// The driver owes an answer to STAT.
    Status(Serial),
}

impl UnderWay {
    pub(super) const fn takes_commands(&self) -> bool {
        matches!(self.aside, Aside::Nothing)
    }
}

impl Server {
    /// Checks what the machine can check of a transfer, then asks the driver.
    pub(super) fn transfer(&mut self, action: Action) -> Outcome {
        let representation = match action {
            // RFC 3659 §7.2: MLSD as if TYPE L 8 were set.
            Action::List { format: ListFormat::Facts(_), .. } => Representation::Image,
            _ => self.parameters.representation,
        };
        if action.restarts() && representation == Representation::Ascii {
            return Err(Reply::new(Code::FILE_UNAVAILABLE, "A transfer restarts in TYPE I only."));
        }
        let protection = self.data_protection()?;
        let (channel, of_channel) = self.data.take()?;
        let role = match (&action, of_channel) {
            // As ProFTPD has it: whoever asks for a listing wants it for itself, whatever SSCN says.
            (Action::List { .. }, _) => DataRole::Own,
            (_, DataRole::Own) => self.parameters.role,
            (_, said) => said,
        };
        let serial = self.next_serial();
        let transfer = Transfer { action, representation, protection, channel, role };
        self.stage = Stage::Transferring(UnderWay { serial, aside: Aside::Nothing });
        self.events.push_back(Event::Transfer { transfer, pending: Pending::new(serial) });
        Ok(Next::Done)
    }

    /// STOR and APPE. Behind REST both store from the marker (RFC 3659 §5.3); `REST 0` takes a marker back.
    pub(super) fn store(&mut self, path: PathArgument, offset: u64, unmarked: StoreMode) -> Outcome {
        let mode = if offset == 0 { unmarked } else { StoreMode::From(offset) };
        self.transfer(Action::Store { path, mode })
    }

    /// LIST, NLST and MLSD.
    pub(super) fn list(&mut self, path: Option<PathArgument>, format: ListFormat) -> Outcome {
        self.transfer(Action::List { path, format })
    }

    /// Whatever one reply of the driver settles.
    pub(super) fn request(&mut self, request: Request) -> Outcome {
        self.ask(Purpose::Reply, |pending| Event::Request { request, pending })
    }

    /// RNFR: the name is carried on if the driver says `350`.
    pub(super) fn rnfr(&mut self, path: PathArgument) -> Outcome {
        let request = Request::RenameFrom { path: path.clone() };
        self.ask(Purpose::RenameFrom(path), |pending| Event::Request { request, pending })
    }

    /// RNTO, right behind RNFR or not at all.
    pub(super) fn rnto(&mut self, to: PathArgument, carried: Carried) -> Outcome {
        match carried {
            Carried::RenameFrom(from) => self.request(Request::Rename { from, to }),
            Carried::Nothing | Carried::Restart(_) => {
                Err(Reply::new(Code::BAD_SEQUENCE, "Send RNFR right before RNTO."))
            }
        }
    }

    /// SIZE depends on the TYPE (RFC 3659 §4).
    pub(super) fn size(&mut self, path: PathArgument) -> Outcome {
        let representation = self.parameters.representation;
        self.request(Request::Size { path, representation })
    }

    /// STAT: of a path, or of the connection and of what runs.
    pub(super) fn stat(&mut self, path: Option<PathArgument>) -> Outcome {
        match path {
            Some(path) => self.request(Request::StatusOf { path }),
            None if self.is_transferring() => self.ask_beside_transfer(Aside::Status, Event::Status),
            None => self.ask(Purpose::Reply, Event::Status),
        }
    }

    /// ABOR. Without a transfer it gives up a port that listens (RFC 2428 §3).
    pub(super) fn abor(&mut self) -> Outcome {
        if self.is_transferring() {
            return self.ask_beside_transfer(Aside::Abort, Event::Abort);
        }
        if self.data.disarm() {
            self.events.push_back(Event::CloseDataPort);
        }
        reply(Code::NO_TRANSFER_IN_PROGRESS, "No transfer in progress.")
    }

    fn ask_beside_transfer<K>(
        &mut self,
        aside: impl FnOnce(Serial) -> Aside,
        event: impl FnOnce(Pending<K>) -> Event,
    ) -> Outcome {
        let serial = self.next_serial();
        if let Stage::Transferring(under_way) = &mut self.stage {
            under_way.aside = aside(serial);
            self.events.push_back(event(Pending::new(serial)));
        }
        Ok(Next::Done)
    }

    pub(super) const fn is_transferring(&self) -> bool {
        matches!(self.stage, Stage::Transferring(_))
    }
}

impl Action {
    /// Whether it begins in the middle of a file.
    const fn restarts(&self) -> bool {
        match self {
            Action::Retrieve { offset, .. } => *offset > 0,
            Action::Store { mode, .. } => matches!(mode, StoreMode::From(_)),
            Action::StoreUnique { .. } | Action::List { .. } => false,
        }
    }
}

impl Carried {
    /// The restart marker's offset; the file's begin without one.
    pub(super) const fn offset(&self) -> u64 {
        match self {
            Carried::Restart(offset) => *offset,
            Carried::Nothing | Carried::RenameFrom(_) => 0,
        }
    }
}
