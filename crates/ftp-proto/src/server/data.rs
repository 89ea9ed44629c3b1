//! Where is the next data connection to be? PASV, EPSV, PORT, EPRT (RFC 959 §4.1.2, RFC 2428)

use std::net::SocketAddr;

use super::{Channel, DataRole, Event, Outcome, PassiveStyle, Purpose, Server, reply};
use crate::reply::{Code, Reply};
use crate::verb::Verb;

/// What was agreed about the next data connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DataPort {
    /// Set by an accepted PASV, CPSV, EPSV, PORT or EPRT; used up by one transfer.
    armed: Option<(Channel, DataRole)>,
    /// `EPSV ALL` was said: nothing but EPSV from now on (RFC 2428 §4).
    epsv_only: bool,
}

impl DataPort {
    /// With the role that goes with the channel, where the command says one.
    pub(super) const fn arm(&mut self, channel: Channel, role: DataRole) {
        self.armed = Some((channel, role));
    }

    /// Gives the channel up; says whether there was one.
    pub(super) fn disarm(&mut self) -> bool {
        self.armed.take().is_some()
    }

    /// Behind EPSV ALL everything is refused that would set up a data connection in another way (RFC 2428 §3).
    pub(super) fn may_be_armed_by(&self, verb: Verb) -> Result<(), Reply> {
        if self.epsv_only && verb != Verb::Epsv {
            return Err(Reply::new(Code::BAD_SEQUENCE, "EPSV ALL was said: only EPSV from now on."));
        }
        Ok(())
    }

    /// Uses the channel up.
    pub(super) fn take(&mut self) -> Result<(Channel, DataRole), Reply> {
        self.armed.take().ok_or_else(|| {
            Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, "Send EPSV or PASV (or EPRT or PORT) first.")
        })
    }
}

impl Server {
    /// PASV, CPSV, EPSV.
    pub(super) fn passive(&mut self, style: PassiveStyle) -> Outcome {
        self.data.disarm();
        self.ask(Purpose::Passive(style), |pending| Event::Passive { style, pending })
    }

    pub(super) fn active(&mut self, address: SocketAddr) -> Outcome {
        self.data.disarm();
        self.ask(Purpose::Active(address), |pending| Event::Active { address, pending })
    }

    pub(super) fn epsv_all(&mut self) -> Outcome {
        self.data.epsv_only = true;
        reply(Code::COMMAND_OKAY, "Only EPSV from now on.")
    }
}

/// The reply that tells the client where to connect, if its command can carry the address.
pub(super) fn entering_passive(at: SocketAddr, style: PassiveStyle) -> Result<Reply, Reply> {
    match (style, at) {
        (PassiveStyle::Epsv(_), at) => Ok(Reply::new(
            Code::ENTERING_EXTENDED_PASSIVE_MODE,
            format!("Entering Extended Passive Mode (|||{}|)", at.port()),
        )),
        (PassiveStyle::Pasv | PassiveStyle::Cpsv, SocketAddr::V4(at)) => {
            let [h1, h2, h3, h4] = at.ip().octets();
            let [p1, p2] = at.port().to_be_bytes();
            let text = format!("Entering Passive Mode ({h1},{h2},{h3},{h4},{p1},{p2})");
            Ok(Reply::new(Code::ENTERING_PASSIVE_MODE, text))
        }
        (PassiveStyle::Pasv, SocketAddr::V6(_)) => {
            Err(Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, "PASV is for IPv4; send EPSV."))
        }
        (PassiveStyle::Cpsv, SocketAddr::V6(_)) => {
            let text = "CPSV is for IPv4; send SSCN ON and EPSV.";
            Err(Reply::new(Code::CANNOT_OPEN_DATA_CONNECTION, text))
        }
    }
}
