//! A defect of ours that panics costs the session that it was about: at each event in turn, others do not notice, and everything that the
//! session had comes back.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carrack_core::Core;
use carrack_core::account::{Account, Accounts, User};
use carrack_core::event::{Event, Events, Subscriber};
use carrack_core::login::Authenticator;
use carrack_core::partial::NoIndex;
use carrack_core::password::{Credential, PasswordHash};
use carrack_ftp_server::{
    ByName, Clearing, Compression, DataClose, DataProtection, DataReuse, FtpServer, FtpSettings, Mode,
    Plaintext, PublicAddresses, RevokedSessions, Timeouts,
};
use carrack_net::{Access, Admission, Drain, Limits, Listener, PortPool, Startups};
use carrack_storage::local::{LocalSettings, LocalStore};
use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::setup::quick_hash;
use carrack_tests::tls_client::TlsClient;
use carrack_tests::{tree, wait};
use carrack_tls::{Identity, ServerTls, Settings};
use tokio::runtime::Runtime;

/// As many sessions as there are here at a time, and no more: one that was lost would be missed.
const SESSIONS: usize = 2;

/// Panics at one event of those that are about [`VICTIM`]s sessions, counted from when it was armed.
#[derive(Default)]
struct Defect {
    /// How many are still passed over; 0: it is not armed.
    left: AtomicUsize,
    seen: AtomicUsize,
}

const VICTIM: &str = "victim";
const BYSTANDER: &str = "bystander";

impl Subscriber for Defect {
    fn event(&self, event: &Event) {
        if !format!("{event:?}").contains(VICTIM) {
            return;
        }
        self.seen.fetch_add(1, Ordering::SeqCst);
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert_ne!(left, Ok(1), "a defect");
    }
}

struct Two(HashMap<String, Arc<Account>>);

impl Accounts for Two {
    fn find(&self, user: User<'_>) -> Option<Arc<Account>> {
        self.0.get(user.name).cloned()
    }
}

fn account(name: &str, folder: &Path) -> Arc<Account> {
    let store = LocalStore::open(folder, LocalSettings::new(Arc::new(NoIndex))).unwrap();
    let hash = quick_hash(&carrack_tests::setup::password(name));
    let credential = Credential::Password(PasswordHash::parse(&hash).unwrap());
    Arc::new(Account::new(name, credential, Arc::new(store)))
}

struct World {
    _runtime: Runtime,
    address: SocketAddr,
    drain: Drain,
    defect: Arc<Defect>,
}

fn world(folder: &Path) -> World {
    let runtime = Runtime::new().unwrap();
    let inside = runtime.enter();
    let accounts = [VICTIM, BYSTANDER].map(|name| (name.to_owned(), account(name, folder)));
    let defect = Arc::new(Defect::default());
    let events = Events::new(vec![Arc::<Defect>::clone(&defect) as _]);
    let core = Core::new(Authenticator::new(Arc::new(Two(accounts.into())), 2), events);
    let made = Identity::self_signed(&["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap();
    let tls = Arc::new(ServerTls::new(Settings::new(identity)).unwrap());
    let limits = Limits { sessions: SESSIONS, sessions_per_source: SESSIONS, startups: Startups::STANDARD };
    let drain = Drain::new();
    let server =
        FtpServer::new(settings(), core, tls, Admission::new(limits), PortPool::new(0..=0), drain.clone());
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(server.serve(listener));
    drop(inside);
    World { _runtime: runtime, address, drain, defect }
}

fn settings() -> FtpSettings {
    let far = Duration::from_secs(600);
    FtpSettings {
        mode: Mode::Explicit,
        greeting: "Ready.".to_owned(),
        servers: ByName::default(),
        plaintext: Plaintext::Refuse,
        plaintext_grants: HashMap::new(),
        grants_of_anybody: HashMap::new(),
        clearing: Clearing::Refused,
        hosts: Vec::new(),
        data_protection: DataProtection::Require,
        data_tls_reuse: DataReuse::Prefer,
        data_tls_reuse_of_user: HashMap::new(),
        charset_of_user: HashMap::new(),
        data_close: DataClose::Strict,
        compression: Compression::Refused,
        timeouts: Timeouts {
            tls: far,
            login: far,
            idle: far,
            data_accept: far,
            data_stall: far,
            data_stall_bytes: 1,
        },
        access: Access::default(),
        revoked_sessions: RevokedSessions::End,
        sessions: None,
        login_failures: 3,
        public_address: PublicAddresses::default(),
        balancers: Arc::default(),
        fxp: None,
    }
}

fn session(world: &World, user: &str) -> Control {
    let mut control = Control::connect(world.address, &TlsClient::new(Tls::V13));
    control.wait_for(220);
    control.expect("AUTH TLS", 234);
    control.secure();
    control.login(user);
    control.expect("PBSZ 0", 200);
    control.expect("PROT P", 200);
    control.expect("TYPE I", 200);
    control
}

/// Something of everything that is told.
fn dialogue(world: &World) {
    let mut control = session(world, VICTIM);
    control.expect("MKD victims", 257);
    control.upload("victims/file", b"bytes");
    control.expect("SIZE victims/nothing", 550);
    assert_eq!(control.download("victims/file"), b"bytes");
    control.expect("RNFR victims/file", 350);
    control.expect("RNTO victims/other", 250);
    drop(control.begin("STOR victims/cut"));
    let _ = control.reply_or_end();
    control.expect("DELE victims/other", 250);
    control.expect("QUIT", 221);
}

#[test]
fn a_panic_costs_the_session_that_it_was_about_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let world = world(home.path());
    let mut bystander = session(&world, BYSTANDER);
    let is_alone = || wait::until_true("the victim's end", || world.drain.live() == 1);
    dialogue(&world);
    is_alone();
    let all = world.defect.seen.load(Ordering::SeqCst);
    assert!(all >= 8, "{all} events");
    for at in 1..=all {
        world.defect.left.store(at, Ordering::SeqCst);
        let hook = take_hook();
        set_hook(Box::new(|_| {}));
        // The client's own expectations may fail with it; where it costs a piece of the session's work alone, they do not.
        let _ = catch_unwind(AssertUnwindSafe(|| dialogue(&world)));
        set_hook(hook);
        wait::until_true("the defect", || world.defect.left.load(Ordering::SeqCst) == 0);
        is_alone();
        let _ = std::fs::remove_dir_all(home.path().join("victims"));
        bystander.upload("bystanders", format!("{at}").as_bytes());
        assert_eq!(bystander.download("bystanders"), format!("{at}").as_bytes());
        assert_eq!(tree::names(home.path()), ["bystanders"]);
    }
    // Nothing of what they had is missing.
    dialogue(&world);
    is_alone();
}
