//! How is a running server asked and told something by its operator?
//!
//! ```text
//!  carrack ctl ─► ctl.sock (0600) ─ Request, a line of JSON ─► desk ─┬─► live sessions: sessions, kick, bans
//!                      ◄──────────── Answer, a line of JSON ────────┘└─► the serving loop: status, reload, drain
//! ```

mod ask;
mod bans;
mod desk;
mod parcel;
mod protocol;
mod socket;
mod take_over;
mod upgrade;

pub use ask::{AskError, ask};
pub(crate) use desk::{Desk, Order, Succession, Successor, Wanted};
pub(crate) use parcel::Parcel;
pub use protocol::{
    Answer, Ban, Banned, Certificate, Draining, Errand, HandedOver, Listener, Place, Refusal, Reloaded,
    Request, Session, State, Status, Unbanned, Upgraded, Wrong,
};
pub(crate) use socket::{ControlSocket, of_state};
pub(crate) use take_over::Leaving;
pub use take_over::{Predecessor, TakeOverError, TakenOver};
pub use upgrade::Called;
