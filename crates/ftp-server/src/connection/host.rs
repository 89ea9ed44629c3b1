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
        let refusal = self.refusal_of(host);
        if refusal.is_none() && self.tls.is_none() {
            // RFC 7151 §4: HOST precedes the handshake where that names nobody. Anybody may have put it there, so the
            // handshake's own name goes before it, and nothing but the certificate goes by it.
            self.host = Some(match host {
                HostName::Address(address) => address.to_string(),
                HostName::Domain(name) => name.clone(),
            });
        }
        let reply = match refusal {
            Some((text, Some(option))) => Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text).because_of(option),
            Some((text, None)) => Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text),
            None => Reply::new(Code::SERVICE_READY, "Host accepted."),
        };
        self.machine.answer(pending, reply, Instant::now());
    }

    /// Why it is refused, and the option that says so, where one does.
    fn refusal_of(&self, host: &HostName) -> Option<(&'static str, Option<&'static str>)> {
        // SECURITY: RFC 7151 §3.2.2, §4: the certificate was judged by the name in the handshake; no other may come in
        // behind it. An address is another: no handshake can name one (RFC 6066 §3).
        if let Some(in_tls) = self.tls.as_ref().and_then(|tls| tls.server_name.as_deref()) {
            let same = matches!(host, HostName::Domain(name) if name == in_tls);
            if !same {
                return Some(("TLS was begun for another name: connect again to change it.", None));
            }
        }
        let listed = self.is_listed(host);
        match host {
            // RFC 7151 §3.1: an address must be the server's.
            HostName::Address(address) => {
                (*address != self.local.ip() && !listed).then_some(("That is not this server's address.", Some("listen.hosts")))
            }
            HostName::Domain(_) if !listed && !self.server.settings.hosts.is_empty() => {
                Some(("No such host here.", Some("listen.hosts")))
            }
            HostName::Domain(name) => match &self.tls {
                None => (!self.server.tls.identities().answer_to(name)).then_some(("No such host here.", Some("tls.identity.certificate"))),
                Some(tls) => (!tls.control.stands_for(name)).then_some((
                    "Your certificate from here is for another name: send HOST before AUTH, or name the server in TLS.",
                    None,
                )),
            },
        }
    }

    fn is_listed(&self, host: &HostName) -> bool {
        self.server.settings.hosts.contains(host)
    }
}
