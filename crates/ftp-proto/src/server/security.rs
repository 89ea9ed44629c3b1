//! What is protected? AUTH, PBSZ, PROT and the rest of RFC 2228, as RFC 4217 has them for TLS.

use std::time::Instant;

use super::login::LoginPhase;
use super::{
    Clearing, CloseReason, DataProtection, Event, Mode, Next, Outcome, Pending, Protection, Server, Stage,
    reply,
};
use crate::command::{Level, Mechanism};
use crate::reply::{Code, Reply};

/// What protects the control connection, and with it what may be said about the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// Nothing: there is no PBSZ and no PROT either (RFC 4217 §9).
    Plain,
    /// TLS.
    Tls {
        /// PBSZ was said, or need not be.
        buffer_size_agreed: bool,
        data: DataLevel,
    },
    /// Nothing any more: CCC has ended TLS, and what was agreed about data connections stands (RFC 4217 §5).
    Cleared { data: DataLevel },
}

/// The protection level of the data connection under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataLevel {
    /// No PROT was said: Clear, by RFC 2228 §3.
    ClearByDefault,
    /// `PROT C` was granted.
    Clear,
    /// `PROT P`, or a beginning that includes it.
    Private,
}

impl Security {
    /// Implicit TLS protects data connections from the start and needs no PBSZ.
    pub(super) const fn at_start(mode: Mode) -> Security {
        match mode {
            Mode::Explicit => Security::Plain,
            Mode::Implicit => Security::Tls { buffer_size_agreed: true, data: DataLevel::Private },
        }
    }

    const fn behind(mechanism: Mechanism) -> Security {
        let data = match mechanism {
            Mechanism::Tls => DataLevel::ClearByDefault,
            Mechanism::TlsPrivate => DataLevel::Private,
        };
        Security::Tls { buffer_size_agreed: false, data }
    }

    /// Itself under TLS; where there is none, what AUTH TLS makes of it.
    pub(super) const fn or_tls(self) -> Security {
        match self {
            Security::Plain => Security::behind(Mechanism::Tls),
            other => other,
        }
    }

    pub(super) const fn is_tls(self) -> bool {
        matches!(self, Security::Tls { .. })
    }

    /// What protects the control connection, for STAT.
    pub(super) const fn control_word(self) -> &'static str {
        match self {
            Security::Plain => "clear",
            Security::Tls { .. } => "TLS",
            Security::Cleared { .. } => "clear, behind CCC",
        }
    }

    /// In one word, for STAT.
    pub(super) const fn data_word(self) -> &'static str {
        match self {
            Security::Plain => "clear",
            Security::Tls { data, .. } | Security::Cleared { data } => match data {
                DataLevel::Private => "private (PROT P)",
                DataLevel::Clear => "clear (PROT C)",
                DataLevel::ClearByDefault => "clear, for want of PROT",
            },
        }
    }
}

impl Server {
    /// AUTH: drops the login and asks for the handshake (RFC 4217 §4).
    pub(super) fn auth(&mut self, mechanism: Mechanism, now: Instant) -> Outcome {
        match self.security {
            Security::Plain => {}
            Security::Tls { .. } => {
                return Err(Reply::new(Code::DENIED_BY_POLICY, "TLS is in force already."));
            }
            Security::Cleared { .. } => return Err(connect_again()),
        }
        self.end_login(now);
        // SECURITY: a byte that stands behind AUTH in clear may be another's (CVE-2011-1575). To drop it silently would
        // hide the attack; to read it behind the handshake would be the attack.
        if self.input.holds_bytes() {
            let text = "Wait for the answer to AUTH before sending more; closing.";
            self.refuse_service(CloseReason::PlaintextBehindAuth, text);
            return Ok(Next::Done);
        }
        self.say(&Reply::new(Code::SECURITY_EXCHANGE_COMPLETE, "Begin TLS."));
        let serial = self.next_serial();
        self.stage = Stage::Upgrading(serial, Security::behind(mechanism));
        self.events.push_back(Event::BeginTls(Pending::new(serial)));
        Ok(Next::Done)
    }

    /// PBSZ: TLS has its own idea of buffers, so the answer is 0 whatever was asked (RFC 4217 §9).
    pub(super) fn pbsz(&mut self) -> Outcome {
        match &mut self.security {
            Security::Plain => Err(auth_first()),
            Security::Cleared { .. } => Err(settled_by_ccc()),
            Security::Tls { buffer_size_agreed, .. } => {
                *buffer_size_agreed = true;
                reply(Code::COMMAND_OKAY, "PBSZ=0")
            }
        }
    }

    /// PROT, checked in the order of RFC 2228 §3: sequence, mechanism, policy.
    pub(super) fn prot(&mut self, level: Level) -> Outcome {
        let may_be_clear = self.may_be_clear();
        let (buffer_size_agreed, data) = match &mut self.security {
            Security::Plain => return Err(auth_first()),
            Security::Cleared { .. } => return Err(settled_by_ccc()),
            Security::Tls { buffer_size_agreed, data } => (buffer_size_agreed, data),
        };
        if !*buffer_size_agreed {
            return Err(Reply::new(Code::BAD_SEQUENCE, "Send PBSZ 0 first."));
        }
        match level {
            Level::Unsupported => {
                Err(Reply::new(Code::PROTECTION_LEVEL_NOT_SUPPORTED, "TLS has levels P and C only."))
            }
            Level::Clear if !may_be_clear => Err(Reply::new(
                Code::DENIED_BY_POLICY,
                "Clear data connections are not granted here; send PROT P.",
            )
            .because_of("listen.data_protection")),
            Level::Clear => {
                *data = DataLevel::Clear;
                reply(Code::COMMAND_OKAY, "Data connections are clear.")
            }
            Level::Private => {
                *data = DataLevel::Private;
                reply(Code::COMMAND_OKAY, "Data connections are private.")
            }
        }
    }

    /// CCC: ends TLS where the policy has it so, and once only (RFC 4217 §5). The codes are those of RFC 2228 §3.
    pub(super) fn ccc(&mut self) -> Outcome {
        let Security::Tls { data, .. } = self.security else {
            let text = "The control connection is not protected.";
            return Err(Reply::new(Code::PROTECTION_DENIED, text));
        };
        if !self.may_be_cleared() {
            let text = "The control connection stays under TLS.";
            return Err(Reply::new(Code::DENIED_BY_POLICY, text).because_of("listen.ccc"));
        }
        // RFC 4217 §15.3: else strangers could make the server shake hands for nothing.
        if !self.login.is_logged_in() {
            return Err(Reply::new(Code::DENIED_BY_POLICY, "Log in before CCC: nobody can behind it."));
        }
        // A command behind CCC was sent before its answer: under TLS, where the next one must be in clear.
        if self.input.holds_bytes() {
            let text = "Wait for the answer to CCC before sending more; closing.";
            self.refuse_service(CloseReason::BytesBehindCcc, text);
            return Ok(Next::Done);
        }
        self.say(&Reply::new(Code::COMMAND_OKAY, "Control connection goes on in clear behind TLS's end."));
        let serial = self.next_serial();
        self.stage = Stage::Clearing(serial, data);
        self.events.push_back(Event::EndTls(Pending::new(serial)));
        Ok(Next::Done)
    }

    /// Whether the policy has CCC at all.
    pub(super) fn may_be_cleared(&self) -> bool {
        // SECURITY: an implicit listener promises protection of everything, whatever else is configured.
        self.policy.mode == Mode::Explicit && self.policy.clearing == Clearing::Allowed
    }

    /// ADAT: TLS exchanges its own security data, so no exchange is ever open for it (RFC 4217 §4.2).
    pub(super) fn adat(&self) -> Outcome {
        Err(Reply::new(Code::BAD_SEQUENCE, "TLS needs no ADAT."))
    }

    /// MIC, CONF, ENC: TLS protects the whole connection instead of single commands.
    pub(super) fn protected_command(&self) -> Outcome {
        Err(match self.security {
            Security::Plain => auth_first(),
            Security::Tls { .. } => {
                Reply::new(Code::COMMAND_PROTECTION_NOT_SUPPORTED, "TLS protects every command already.")
            }
            Security::Cleared { .. } => {
                Reply::new(Code::COMMAND_PROTECTION_NOT_SUPPORTED, "TLS protects no single commands.")
            }
        })
    }

    /// The protection of the next data connection, or why there cannot be one.
    pub(super) fn data_protection(&self) -> Result<Protection, Reply> {
        let level = match self.security {
            // A login without TLS was admitted by the policy; its data can only be clear.
            Security::Plain => return Ok(Protection::Clear),
            Security::Tls { data, .. } | Security::Cleared { data } => data,
        };
        let by_default =
            self.policy.mode == Mode::Explicit && self.policy.data_protection == DataProtection::Optional;
        match level {
            DataLevel::Private => Ok(Protection::Private),
            // SECURITY: asked again at every transfer, for the login may be another than the one that was granted PROT C.
            DataLevel::Clear if self.may_be_clear() => Ok(Protection::Clear),
            DataLevel::ClearByDefault if by_default => Ok(Protection::Clear),
            DataLevel::Clear | DataLevel::ClearByDefault => Err(Reply::new(
                Code::NOT_SUPPORTED_ON_DATA_CONNECTION,
                "Data connections must be private: send PBSZ 0 and PROT P first.",
            )
            .because_of("listen.data_protection")),
        }
    }

    /// Whether PROT C is granted to whoever is there.
    fn may_be_clear(&self) -> bool {
        // SECURITY: an implicit listener promises protection of everything, whatever else is configured.
        let granted = matches!(self.login, LoginPhase::LoggedIn(grant, _) if grant.clear_data);
        self.policy.mode == Mode::Explicit
            && (granted || self.policy.data_protection == DataProtection::Optional)
    }
}

/// What a login wants that cannot be had behind CCC.
pub(super) fn connect_again() -> Reply {
    Reply::new(Code::DENIED_BY_POLICY, "CCC has ended TLS for good here: connect again.")
}

fn settled_by_ccc() -> Reply {
    Reply::new(Code::BAD_SEQUENCE, "CCC has settled what protects data connections.")
}

pub(super) fn auth_first() -> Reply {
    Reply::new(Code::BAD_SEQUENCE, "Send AUTH TLS first.")
}
