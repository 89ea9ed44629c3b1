//! Who begins TLS on a data connection with another server? SSCN and CPSV
//!
//! No RFC has them. RFC 4217 makes every server the TLS server, so two of them wait for each other: one has to be told to
//! take the client's part. SSCN says it for the transfers that follow, CPSV for the port that it opens.

use super::security::{Security, auth_first};
use super::{DataRole, Fxp, Outcome, PassiveStyle, Server, reply};
use crate::command::Sscn;
use crate::reply::{Code, Reply};

impl Server {
    /// SSCN. The words of the reply are ProFTPD's, which clients have learnt to read.
    pub(super) fn sscn(&mut self, switch: Option<Sscn>) -> Outcome {
        self.gate_fxp()?;
        match switch {
            Some(Sscn::On) => {
                self.gate_tls_client()?;
                self.parameters.role = DataRole::TlsClient;
            }
            Some(Sscn::Off) => self.parameters.role = DataRole::TlsServer,
            None => {}
        }
        reply(
            Code::COMMAND_OKAY,
            match self.parameters.role {
                DataRole::TlsClient => "SSCN:CLIENT METHOD",
                DataRole::TlsServer | DataRole::Own => "SSCN:SERVER METHOD",
            },
        )
    }

    /// CPSV.
    pub(super) fn cpsv(&mut self) -> Outcome {
        self.gate_fxp()?;
        self.gate_tls_client()?;
        self.passive(PassiveStyle::Cpsv)
    }

    /// Whether there is anything protected to exchange with another server.
    fn gate_fxp(&self) -> Result<(), Reply> {
        if self.policy.fxp == Fxp::Refused {
            let text = "This server exchanges no files with other servers.";
            return Err(Reply::new(Code::NOT_IMPLEMENTED, text).because_of("fxp.partners"));
        }
        // Behind CCC data connections are protected as before, so there is something to say about them.
        if matches!(self.security, Security::Plain) {
            return Err(auth_first());
        }
        Ok(())
    }

    // SECURITY: without an authority to judge by, anybody at a partner's address would be taken for the partner.
    fn gate_tls_client(&self) -> Result<(), Reply> {
        if self.policy.fxp == Fxp::EitherSide {
            return Ok(());
        }
        let text = "This server has no authority to judge another's certificate by; \
                    let the other one be the TLS client (SSCN ON there).";
        Err(Reply::new(Code::DENIED_BY_POLICY, text).because_of("fxp.ca"))
    }
}
