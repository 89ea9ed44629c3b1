//! May this data connection carry data: what it proved against what the policy asks for.

use std::fmt;

/// What a TLS data connection has shown about whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It resumed the session of its own control connection.
    Own,
    /// It resumed the session of another live control connection of the same named user from the same address. Clients
    /// that share one session cache among parallel connections (lftp, rclone) do this.
    Sibling,
    /// It presented a live session of somebody else.
    Stranger,
    /// It named its own or a sibling's session, but the handshake was a full one: the client sent another server name or
    /// offered other cipher suites than on the control connection (RFC 6066 §3, RFC 8446 §4.2.11).
    RecordedButFull,
    /// It named no live session.
    None,
    /// It resumed nothing and did not show the certificate that its control connection had shown.
    NoCertificate,
    /// The same, and it presented a live session of somebody else.
    StrangerWithoutCertificate,
}

/// How strictly a data connection has to show that it belongs to its control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataReuse {
    /// Only the session of its own control connection counts.
    RequireOwn,
    /// Its own session counts, or that of a sibling.
    Require,
    /// As `Require`, and a full handshake counts where nothing else could have taken its place (see [`Circumstances`]).
    #[default]
    Prefer,
    /// No session is asked for. Whoever reaches the port first is served, but where the control connection came with a
    /// certificate: that one is asked for on data connections, too.
    Off,
}

/// What the listener knows of how a data connection arrived. Its peer address was compared before the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// No other connection reached this port while the transfer waited.
    pub alone: bool,
    /// No other transfer can be meant: the port was chosen at random for this one, or is shared by sessions of which
    /// only this one, of all from the client's address, awaited a data connection.
    pub unmistakable: bool,
}

/// Why a data connection is refused. `Display` is one plain sentence for the reply that says how to mend the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The session belongs to somebody else.
    Stranger,
    /// A sibling's session where only its own counts.
    NotOwn,
    /// No session was presented, or none that is alive.
    NotResumed,
    /// A full handshake without the certificate that the control connection had shown.
    NoCertificate,
    /// A session was presented under another server name or with other cipher suites.
    FullHandshake,
    /// A full handshake, and another connection reached the same port.
    Contested,
    /// A full handshake on a port where several sessions of this address wait.
    SharedPort,
    /// A session from a cache that parallel sessions share, on a port where several of them wait.
    SharedCache,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Stranger => {
                "The data connection presented the TLS session of another login; let the client keep one session cache per control connection."
            }
            Refusal::NotOwn => {
                "The data connection presented the TLS session of a parallel login; let the client resume the session of this control connection."
            }
            Refusal::NotResumed => {
                "The data connection must resume the TLS session of the control connection; enable TLS session reuse in the client."
            }
            Refusal::NoCertificate => {
                "This login showed a certificate: the data connection must resume its TLS session or show the same certificate; enable one of the two in the client."
            }
            Refusal::FullHandshake => {
                "The data connection could not resume its TLS session; let the client send the same server name (SNI) and cipher suites as on the control connection."
            }
            Refusal::Contested => {
                "Another connection competed for the data port; try again, or enable TLS session reuse in the client."
            }
            Refusal::SharedPort => {
                "Several sessions of your address wait at this shared data port, so the data connection must resume the TLS session; enable TLS session reuse in the client."
            }
            Refusal::SharedCache => {
                "Parallel sessions that share one TLS session cache cannot be told apart at this shared data port; let the client move one file at a time."
            }
        })
    }
}

impl std::error::Error for Refusal {}

/// Decides whether a TLS data connection may carry data.
///
/// # Errors
/// The [`Refusal`], to be said in the reply. A session of somebody else is refused by every policy but [`DataReuse::Off`], and
/// whoever lacks the control connection's certificate by every policy.
pub fn judge(reuse: DataReuse, proof: Proof, circumstances: Circumstances) -> Result<(), Refusal> {
    match (reuse, proof) {
        // SECURITY: the data of a login by certificate is for who has the certificate, whatever the policy on sessions: it is
        // asked for in every handshake that resumes nothing.
        (_, Proof::NoCertificate) | (DataReuse::Off, Proof::StrangerWithoutCertificate) => {
            Err(Refusal::NoCertificate)
        }
        (DataReuse::Off, _) | (_, Proof::Own) => Ok(()),
        // SECURITY: a ticket of another login is never an accident that policy may overlook.
        (_, Proof::Stranger | Proof::StrangerWithoutCertificate) => Err(Refusal::Stranger),
        (DataReuse::RequireOwn, Proof::Sibling) => Err(Refusal::NotOwn),
        (DataReuse::Require | DataReuse::Prefer, Proof::Sibling) => Ok(()),
        (DataReuse::RequireOwn | DataReuse::Require, Proof::RecordedButFull) => Err(Refusal::FullHandshake),
        (DataReuse::RequireOwn | DataReuse::Require, Proof::None) => Err(Refusal::NotResumed),
        (DataReuse::Prefer, Proof::RecordedButFull | Proof::None) => match circumstances {
            Circumstances { unmistakable: false, .. } => Err(Refusal::SharedPort),
            Circumstances { alone: false, .. } => Err(Refusal::Contested),
            Circumstances { alone: true, unmistakable: true } => Ok(()),
        },
    }
}
