//! Whose data connection is this: the record that ties it to its control connection, and the policy that judges it.
//!
//! Every control connection has a ticket key of its own. What it hands out for resumption (TLS 1.3 tickets, TLS 1.2 tickets
//! and session ids) names it; a data connection that presents one of them and completes the resumed handshake has shown
//! that it comes from the same TLS client. The key outlives its connection by some minutes, and then only for a client that
//! comes back on a new control connection (decision 0042).
//!
//! ```text
//! control handshake ──► ticket = connection id ‖ nonce ‖ sealed(session state)      session id ─► connection id
//!                                     │ the client presents it on a data connection
//! data handshake ─► Claim: id ─► registry of live control connections ─► its key opens ─► recorded: own | sibling | stranger
//!                                                                                             │ and handshake resumed, Finished seen
//!                                                                              Proof ─► judge(policy) ─► carry data or refuse
//! ```

mod claim;
mod hello;
mod policy;
mod registry;
#[cfg(test)]
mod tests;

pub use policy::{Circumstances, DataReuse, Proof, Refusal, judge};

pub(crate) use claim::{Claim, ControlTickets};
pub(crate) use hello::Offers;
pub(crate) use registry::{ControlSession, PolicyId, Registry, Relation};

/// What RFC 8446 §4.6.1 allows at most, in seconds. The key goes soon after its control connection, which is the true limit:
/// a shorter lifetime would only end uploads of sessions that stay open for long.
const TICKET_LIFETIME_S: u32 = 604_800;
