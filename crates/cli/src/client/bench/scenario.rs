//! What is done in a scenario, by how many at once, and in what it is counted?

use clap::ValueEnum;

use crate::arguments::bench::Scenario;

/// What one operation of a scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Get(Length),
    Put(Length),
    Login(Session),
    List,
    /// Log in, and do nothing until the end.
    Stay,
}

/// What a login offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// No session: it is a full handshake.
    New,
    /// To resume that of the login before.
    Last,
}

/// Of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// As long as `--size` says.
    Big,
    /// 1 KiB.
    Small,
}

/// In what the cost is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds for 10^9 bytes.
    Gigabyte,
    /// Milliseconds for one operation.
    Operation(&'static str),
}

impl Scenario {
    /// Those that run where nothing else is asked for: data in clear is refused by careful servers, few clients resume a login's
    /// session, and sessions that idle are only worth it with a process whose memory is looked at.
    pub(super) const USUAL: [Scenario; 9] = [
        Scenario::Get1,
        Scenario::Get4,
        Scenario::Put1,
        Scenario::Put4,
        Scenario::Login,
        Scenario::SmallGet1,
        Scenario::SmallGet8,
        Scenario::SmallPut8,
        Scenario::List,
    ];

    /// As it is called on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(super) fn work(self) -> Work {
        match self {
            Scenario::Get1 | Scenario::Get4 | Scenario::GetClear => Work::Get(Length::Big),
            Scenario::Put1 | Scenario::Put4 | Scenario::PutClear => Work::Put(Length::Big),
            Scenario::SmallGet1 | Scenario::SmallGet8 => Work::Get(Length::Small),
            Scenario::SmallPut8 => Work::Put(Length::Small),
            Scenario::Login => Work::Login(Session::New),
            Scenario::LoginResumed => Work::Login(Session::Last),
            Scenario::List => Work::List,
            Scenario::Idle => Work::Stay,
        }
    }

    /// How many sessions work at once; of those that idle, how many log in at once.
    pub(super) fn sessions(self) -> u32 {
        match self {
            Scenario::Get1
            | Scenario::Put1
            | Scenario::GetClear
            | Scenario::PutClear
            | Scenario::SmallGet1
            | Scenario::List => 1,
            Scenario::Get4 | Scenario::Put4 | Scenario::Login | Scenario::LoginResumed => 4,
            Scenario::SmallGet8 | Scenario::SmallPut8 | Scenario::Idle => 8,
        }
    }

    /// Whether its files travel in clear.
    pub(crate) fn is_clear(self) -> bool {
        matches!(self, Scenario::GetClear | Scenario::PutClear)
    }

    pub(super) fn unit(self) -> Unit {
        match self.work() {
            Work::Get(Length::Big) | Work::Put(Length::Big) => Unit::Gigabyte,
            Work::Get(Length::Small) | Work::Put(Length::Small) => Unit::Operation("file"),
            Work::Login(_) | Work::Stay => Unit::Operation("login"),
            Work::List => Unit::Operation("list"),
        }
    }
}
