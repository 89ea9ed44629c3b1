//! What moves, or changes, or is asked about files? And what is answered while a transfer runs?

use super::pending::Serial;
use super::{
    Action, Carried, DataRole, Event, Hash, HashForm, ListFormat, Next, Outcome, Pending, Purpose,
    Representation, Request, Server, Stage, StoreMode, Transfer, reply,
};
use crate::command::{PathArgument, Span};
use crate::hash::HashAlgorithm;
use crate::limits;
use crate::reply::{Code, Reply};
use crate::verb::Verb;

/// A transfer or a hash, from its event to its final reply.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) serial: Serial,
    pub(super) verb: Option<Verb>,
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
        if representation == Representation::Ascii {
            action.may_restart_as_text()?;
        }
        if action.is_span() {
            self.demand_octets()?;
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
        let (mode, level) = (self.parameters.mode, self.parameters.level);
        let charset = self.charset();
        let is_upload = matches!(action, Action::Store { .. } | Action::StoreUnique { .. });
        let announced = self.announced.take().filter(|_| is_upload);
        let transfer =
            Transfer { action, representation, mode, level, protection, channel, charset, role, announced };
        self.stage = Stage::Transferring(UnderWay { serial, verb: self.verb, aside: Aside::Nothing });
        self.events.push_back(Event::Transfer { transfer, pending: Pending::new(serial) });
        Ok(Next::Done)
    }

    /// RETR, behind REST, RANG or neither.
    pub(super) fn retrieve(&mut self, path: PathArgument, carried: &Carried) -> Outcome {
        self.transfer(match *carried {
            Carried::Range(span) => Action::RetrieveSpan { path, span },
            Carried::Restart(offset) => Action::Retrieve { path, offset },
            Carried::Nothing | Carried::RenameFrom(_) => Action::Retrieve { path, offset: 0 },
        })
    }

    /// STOR and APPE. Behind REST both store from the marker (RFC 3659 §5.3); `REST 0` takes a marker back. Behind RANG
    /// both store into the range (draft-bryan-ftp-range §4.3).
    pub(super) fn store(&mut self, path: PathArgument, carried: &Carried, unmarked: StoreMode) -> Outcome {
        let mode = match *carried {
            Carried::Range(span) => StoreMode::Span(span),
            Carried::Restart(offset) if offset > 0 => StoreMode::From(offset),
            Carried::Restart(_) | Carried::Nothing | Carried::RenameFrom(_) => unmarked,
        };
        self.transfer(Action::Store { path, mode })
    }

    /// HASH, XCRC and their kin. One under way is like a transfer: the client may end it, or ask how it stands.
    pub(super) fn hash(
        &mut self,
        path: PathArgument,
        algorithm: HashAlgorithm,
        span: Span,
        form: HashForm,
    ) -> Outcome {
        let serial = self.next_serial();
        self.stage = Stage::Transferring(UnderWay { serial, verb: self.verb, aside: Aside::Nothing });
        let hash = Hash { path, algorithm, span, form };
        self.events.push_back(Event::Hash { hash, pending: Pending::new(serial) });
        Ok(Next::Done)
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
            Carried::Nothing | Carried::Restart(_) | Carried::Range(_) => {
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
    /// In TYPE A a marker counts bytes of the wire (RFC 3659 §5). Where they stand in a file is known of what we send, and
    /// not of what a client sent, whose line ends may have been of either kind.
    fn may_restart_as_text(&self) -> Result<(), Reply> {
        let refusal = match self {
            Action::Retrieve { offset, .. } if *offset > limits::TEXT_RESTART => {
                format!("A text restarts within its first {} bytes; use TYPE I.", limits::TEXT_RESTART)
            }
            Action::Store { mode: StoreMode::From(_), .. } => "An upload restarts in TYPE I only.".to_owned(),
            Action::Retrieve { .. }
            // A span has a rule of its own.
            | Action::RetrieveSpan { .. }
            | Action::Store { .. }
            | Action::StoreUnique { .. }
            | Action::List { .. } => {
                return Ok(());
            }
        };
        Err(Reply::new(Code::FILE_UNAVAILABLE, refusal))
    }

    /// Whether it moves a range of octets.
    const fn is_span(&self) -> bool {
        matches!(self, Action::RetrieveSpan { .. } | Action::Store { mode: StoreMode::Span(_), .. })
    }
}

impl Carried {
    /// The range's octets; the whole file without one.
    pub(super) const fn span(&self) -> Span {
        match self {
            Carried::Range(span) => *span,
            Carried::Restart(_) | Carried::Nothing | Carried::RenameFrom(_) => Span::WHOLE,
        }
    }
}
