//! Which of the waiting sessions of an address is a connection to be tried with?
//!
//! SECURITY: a wrong answer never opens a file to a stranger, for the session still asks for its proof. But it would
//! give one session of a user the data of another, so a connection goes where only one session can be meant, or nowhere.

use carrack_tls::{Caller, ControlTls, HandshakeError, Named, Refusal};

use super::{Expects, Met, Place};

/// Where a connection goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To this seat; `alone` when no other of its address was there.
    To { serial: u64, alone: bool },
    /// Nowhere, and these seats are told.
    Refused { told: Vec<u64>, why: Refusal },
    /// Nowhere; those that wait for clear data are told.
    ClearAmongOthers,
}

pub(super) fn route(seats: &[Place], met: &Met) -> Route {
    // SECURITY: a connection that came before a seat was taken belongs to an earlier transfer.
    let seats: Vec<&Place> = seats.iter().filter(|seat| seat.serial < met.serial).collect();
    let alone = match seats.as_slice() {
        [only] if Some(only.serial) == met.only => Some(only.serial),
        _ => None,
    };
    match &met.hello {
        Ok(caller) => by_name(&seats, caller, alone).unwrap_or_else(|| by_address(&seats, alone)),
        Err(HandshakeError::NotTls) if alone.is_none() => Route::ClearAmongOthers,
        Err(_) => by_address(&seats, alone),
    }
}

/// By the TLS session that it would resume; `None` where that is nobody's who waits here.
fn by_name(seats: &[&Place], caller: &Caller, alone: Option<u64>) -> Option<Route> {
    let kin: Vec<(u64, &ControlTls, Named)> = seats
        .iter()
        .filter_map(|seat| match &seat.expects {
            Expects::Tls(control) => Some((seat.serial, &**control, caller.names(control))),
            Expects::Clear => None,
        })
        .filter(|(.., named)| matches!(named, Named::Own | Named::Sibling))
        .collect();
    let own = kin.iter().find(|(.., named)| *named == Named::Own).map(|(serial, ..)| *serial);
    match (kin.as_slice(), own) {
        ([], _) => None,
        ([(serial, ..)], own) => {
            if own.is_none() {
                caller.note_shared_cache();
            }
            Some(Route::To { serial: *serial, alone: alone == Some(*serial) })
        }
        // A client with a cache for each control connection, which most are, says itself which one is meant.
        (several, Some(serial))
            if !caller.is_from_shared_cache()
                && !several.iter().any(|(_, control, _)| control.shares_cache()) =>
        {
            Some(Route::To { serial, alone: false })
        }
        (several, own) => {
            if own.is_none() {
                caller.note_shared_cache();
            }
            let told = several.iter().map(|(serial, ..)| *serial).collect();
            Some(Route::Refused { told, why: Refusal::SharedCache })
        }
    }
}

/// By the address alone.
fn by_address(seats: &[&Place], alone: Option<u64>) -> Route {
    match alone {
        Some(serial) => Route::To { serial, alone: true },
        None => {
            let tls = seats.iter().filter(|seat| matches!(seat.expects, Expects::Tls(_)));
            Route::Refused { told: tls.map(|seat| seat.serial).collect(), why: Refusal::SharedPort }
        }
    }
}
