//! HOST and SNI: which of the names behind this listener does the client mean? (RFC 7151, RFC 6066 §3)

use std::sync::Arc;
use std::time::Instant;

use carrack_core::event::Event;
use carrack_ftp_proto::command::HostName;
use carrack_ftp_proto::reply::{Code, Reply};
use carrack_ftp_proto::server::{HostKind, Pending};
use carrack_tls::ClientCertificates;

use super::{Connection, certificates, greet};
use crate::settings::DataProtection;
use crate::virtual_server::VirtualServer;

/// Why a name is refused, to the client and to the log.
struct Refusal {
    text: &'static str,
    /// What the operator would change.
    option: Option<&'static str>,
}

impl Connection {
    /// `HOST`: a name that nobody has is refused, so that a client does not take this server for another.
    pub(super) fn judge_host(&mut self, host: &HostName, pending: Pending<HostKind>) {
        let named = match host {
            HostName::Domain(name) => self.named(Some(name)),
            HostName::Address(_) => None,
        };
        if let Err(Refusal { text, option }) = self.judge(host, named.as_deref()) {
            // RFC 7151 §3: the last HOST alone counts, and this one names nobody.
            self.forget_host();
            let (origin, name) = (self.origin(), written(host));
            self.server.core.events.emit(&Event::ServerRefused { origin, name, option, why: text });
            let reply = Reply::new(Code::ARGUMENT_NOT_IMPLEMENTED, text);
            return self.machine.answer(pending, reply, Instant::now());
        }
        self.go_to(named);
        if self.tls.is_none() {
            // RFC 7151 §4: HOST precedes the handshake where that names nobody. Anybody may have put it there: the certificate
            // goes by it too, for the client to judge, and the handshake's own name goes before it.
            self.host = Some(written(host));
        }
        self.machine.host_accepted(pending, Instant::now());
    }

    /// As if HOST had not been said.
    pub(super) fn forget_host(&mut self) {
        self.host = None;
        let in_tls = self.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        self.go_to(self.named(in_tls));
    }

    /// The virtual server that a client means by this name.
    pub(super) fn named(&self, name: Option<&str>) -> Option<Arc<VirtualServer>> {
        self.server.settings.servers.find(name?).cloned()
    }

    /// The client is at this server from now on. Nobody may be logged in.
    pub(super) fn go_to(&mut self, at: Option<Arc<VirtualServer>>) {
        if at.as_ref().map(Arc::as_ptr) == self.at.as_ref().map(Arc::as_ptr) {
            return;
        }
        self.at = at;
        let asked = certificates::asked(self.clients());
        let policy = greet::policy(&self.server.settings, self.at.as_deref(), asked);
        self.machine.hold_to(policy, Instant::now());
    }

    /// The option that says what `option` of the listener says, at the server where the client is.
    pub(super) fn option_here(&self, option: &'static str) -> &'static str {
        let own =
            self.at.iter().flat_map(|at| &at.own_options).find(|[of_listener, _]| *of_listener == option);
        own.map_or(option, |[_, own]| *own)
    }

    /// Which data connections there are, where the folder at hand does not say it.
    pub(super) fn data_protection(&self) -> DataProtection {
        self.at.as_ref().map_or(self.server.settings.data_protection, |at| at.data_protection)
    }

    /// Whether the client was, or would be, asked for a certificate.
    fn clients(&self) -> &ClientCertificates {
        match (&self.tls, &self.at) {
            (Some(tls), _) => tls.control.clients(),
            (None, Some(at)) => at.tls.clients(),
            (None, None) => self.server.tls.clients(),
        }
    }

    /// Whether the client may name this server now, where `named` is the virtual server that it means.
    fn judge(&self, host: &HostName, named: Option<&VirtualServer>) -> Result<(), Refusal> {
        // SECURITY: RFC 7151 §3.2.2, §4: the certificate was judged by the name in the handshake; no other may come in
        // behind it. An address is another: no handshake can name one (RFC 6066 §3).
        if let Some(in_tls) = self.tls.as_ref().and_then(|tls| tls.server_name.as_deref()) {
            let same = matches!(host, HostName::Domain(name) if name == in_tls);
            if !same {
                let text = "TLS was begun for another name: connect again to change it.";
                return Err(Refusal { text, option: None });
            }
        }
        let is_listed = named.is_some() || self.server.settings.hosts.contains(host);
        match host {
            // RFC 7151 §3.1: an address must be the server's.
            HostName::Address(address) if *address != self.local.ip() && !is_listed => {
                let text = "That is not this server's address.";
                return Err(Refusal { text, option: Some("listen.hosts") });
            }
            HostName::Domain(_) if !is_listed && !self.server.settings.hosts.is_empty() => {
                return Err(Refusal { text: "No such host here.", option: Some("listen.hosts") });
            }
            HostName::Domain(name) => self.judge_certificate_for(name)?,
            HostName::Address(_) => {}
        }
        // SECURITY: who was not asked in the handshake has shown nothing, and this server lets nobody in like that.
        let demands =
            named.is_some_and(|named| matches!(named.tls.clients(), ClientCertificates::Required(_)));
        if demands && self.tls.as_ref().is_some_and(|tls| tls.control.client().is_none()) {
            let text = "That server asks for your certificate in the TLS handshake: name it there, or send HOST before AUTH.";
            return Err(Refusal { text, option: Some("virtual_server.client_certificate") });
        }
        Ok(())
    }

    /// Whether the certificate that is shown, or would be, is for this name.
    fn judge_certificate_for(&self, name: &str) -> Result<(), Refusal> {
        let text = match &self.tls {
            None if self.server.tls.identities().answer_to(name) => return Ok(()),
            Some(tls) if tls.control.stands_for(name) => return Ok(()),
            None => "No such host here.",
            Some(_) => {
                "Your certificate from here is for another name: send HOST before AUTH, or name the server in TLS."
            }
        };
        Err(Refusal { text, option: Some("tls.identity.certificate") })
    }
}

/// A name as it is compared.
fn written(host: &HostName) -> String {
    match host {
        HostName::Address(address) => address.to_string(),
        HostName::Domain(name) => name.clone(),
    }
}
