//! Who hears of the TLS handshakes of one session?

use carrack_core::event::{Channel, Event, Events, Origin};
use carrack_tls::TlsInfo;

use crate::agreed::agreed;

/// Tells core's subscribers about one session's handshakes. Cheap to clone: each handshake takes one along.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    events: Events,
    origin: Origin,
}

impl Witness {
    pub(crate) fn new(events: Events, origin: Origin) -> Witness {
        Witness { events, origin }
    }

    /// TLS protects the connection.
    pub(crate) fn secured(&self, channel: Channel, info: &TlsInfo) {
        let origin = self.origin.clone();
        self.events.emit(&Event::Secured { origin, channel, tls: agreed(info) });
    }

    /// It does not, although it was to.
    pub(crate) fn not_secured(&self, channel: Channel, option: Option<&'static str>, why: impl ToString) {
        let origin = self.origin.clone();
        self.events.emit(&Event::NotSecured { origin, channel, option, why: why.to_string() });
    }
}
