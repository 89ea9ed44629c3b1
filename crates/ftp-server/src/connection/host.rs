//! HOST: is that one of this server's names? (RFC 7151)

use std::time::Instant;

use carrack_ftp_proto::command::HostName;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{HostKind, Pending};

use super::Connection;

impl Connection {
    /// Every name leads to the same users and files here; a wrong one is refused all the same, so that a client does not
    /// take this server for another.
    pub(super) fn judge_host(&mut self, host: &HostName, pending: Pending<HostKind>) {
        let named_in_tls = self.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        let refusal = match host {
            // RFC 7151 §3.1: an address must be the server's.
            HostName::Address(address) => (*address != self.local.ip() && !self.is_listed(host))
                .then_some("That is not this server's address."),
            // SECURITY: RFC 7151 §4: the certificate was judged by the name in the handshake; no other may come in behind it.
            HostName::Domain(name) if named_in_tls.is_some_and(|in_tls| in_tls != name) => {
                Some("TLS was begun for another name: connect again to change it.")
            }
            HostName::Domain(_) => {
                let any = self.server.settings.hosts.is_empty();
                (!any && !self.is_listed(host)).then_some("No such host here.")
            }
        };
        let reply = match refusal {
            Some(text) => Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text),
            None => Reply::new(Code::SERVICE_READY, "Host accepted."),
        };
        self.machine.answer(pending, reply, Instant::now());
    }

    fn is_listed(&self, host: &HostName) -> bool {
        self.server.settings.hosts.contains(host)
    }
}
