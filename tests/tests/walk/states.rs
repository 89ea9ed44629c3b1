//! Where does the walk begin? Every listener, and what was said on it before.

use carrack_ftp_proto::server::{Certificates, DataProtection, Mode};

/// How the connection is set up, and what was said before the walk begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    pub(crate) plaintext: Plain,
    pub(crate) data: DataProtection,
    pub(crate) clear_data: bool,
    pub(crate) certificates: Certificates,
    pub(crate) before: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Plain {
    Refuse,
    Limit,
    Allow,
}

pub(crate) const LOGIN: [&str; 2] = ["USER anonymous", "PASS x"];

/// Every listener with every beginning.
pub(crate) fn states() -> Vec<State> {
    let beginnings: &[&[&str]] = &[
        &[],
        &["USER anonymous"],
        &LOGIN,
        &["USER anonymous", "PASS x", "EPSV"],
        &["USER anonymous", "PASS x", "EPSV", "REST 7"],
        &["USER anonymous", "PASS x", "TYPE I", "EPSV", "RANG 5 9"],
        &["USER anonymous", "PASS x", "RNFR a"],
        &["USER anonymous", "PASS x", "EPSV ALL"],
        &["USER anonymous", "PASS x", "TYPE I", "EPSV", "RETR a"],
        &["AUTH TLS"],
        &["AUTH TLS", "USER anonymous", "PASS x", "EPSV"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT C", "EPSV"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT P", "TYPE I", "EPSV"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT P", "TYPE I", "EPSV", "REST 7"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT P", "EPSV", "RETR a"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT P", "EPSV", "RETR a", "QUIT"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT P", "CCC", "EPSV"],
        &["AUTH TLS", "USER anonymous", "PASS x", "PBSZ 0", "PROT C", "CCC", "EPSV", "RETR a"],
        &["AUTH SSL", "USER anonymous", "PASS x", "PORT 192,0,2,1,9,9"],
        &["QUIT"],
    ];
    let mut states = Vec::new();
    // On an implicit listener it has no meaning what is granted without TLS.
    let listeners = [
        (Mode::Explicit, Plain::Refuse, Certificates::NotAsked),
        (Mode::Explicit, Plain::Limit, Certificates::NotAsked),
        (Mode::Explicit, Plain::Allow, Certificates::NotAsked),
        (Mode::Explicit, Plain::Allow, Certificates::Asked),
        (Mode::Implicit, Plain::Allow, Certificates::NotAsked),
        (Mode::Implicit, Plain::Allow, Certificates::Asked),
    ];
    for (mode, plaintext, certificates) in listeners {
        for data in [DataProtection::Require, DataProtection::Optional] {
            for clear_data in [false, true] {
                // A certificate changes how a login begins, and nothing of what PROT does behind it.
                if certificates == Certificates::Asked && (clear_data || data == DataProtection::Optional) {
                    continue;
                }
                for before in beginnings {
                    states.push(State { mode, plaintext, data, clear_data, certificates, before });
                }
            }
        }
    }
    states
}

/// The listeners that differ most: the defaults of both modes, and the most lenient one.
pub(crate) fn is_typical(state: &State) -> bool {
    match state.data {
        DataProtection::Require => {
            !state.clear_data
                && !matches!(state.plaintext, Plain::Limit | Plain::Allow if state.mode == Mode::Explicit)
        }
        DataProtection::Optional => {
            state.clear_data && state.mode == Mode::Explicit && matches!(state.plaintext, Plain::Allow)
        }
    }
}
