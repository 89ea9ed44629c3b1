//! A simulated power cut: what the real program asked of the disk ([`trace`]), what a disk may have of that when the power goes
//! ([`disk`]), and that as files which a server can be started over ([`rebuild`]).

pub mod check;
pub mod disk;
pub mod rebuild;
pub mod story;
pub mod trace;
