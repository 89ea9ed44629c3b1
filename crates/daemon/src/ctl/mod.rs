//! How is a running server asked and told something by its operator?
//!
//! ```text
//!  carrack ctl ─► ctl.sock (0600) ─ Request, a line of JSON ─► desk ─┬─► live sessions: sessions, kick
//!                      ◄──────────── Answer, a line of JSON ────────┘└─► the serving loop: status, reload, drain
//! ```

mod ask;
mod desk;
mod protocol;
mod socket;

pub use ask::{AskError, ask};
pub(crate) use desk::{Desk, Order, Wanted};
pub use protocol::{
    Answer, Certificate, Draining, Errand, Listener, Refusal, Reloaded, Request, Session, State, Status,
    Wrong,
};
pub(crate) use socket::ControlSocket;
