//! An FTPS server inside another program: serves one folder to one user until it is interrupted.
//!
//! ```text
//! cargo run -p carrack-ftp-server --example embedded -- /srv/files
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use carrack_core::Core;
use carrack_core::account::{Account, Accounts, User};
use carrack_core::event::Events;
use carrack_core::login::Authenticator;
use carrack_core::partial::NoIndex;
use carrack_core::password::{self, Credential, PasswordHash};
use carrack_ftp_server::{
    ByName, Clearing, Compression, DataClose, DataProtection, DataReuse, FtpServer, FtpSettings, Mode,
    Plaintext, PublicAddresses, RevokedSessions, Timeouts,
};
use carrack_net::{Access, Admission, Drain, Limits, Listener, PortPool, Startups};
use carrack_storage::local::{LocalSettings, LocalStore};
use carrack_tls::{Identity, ServerTls, Settings};

/// The accounts of this program: one.
struct OneAccount(Arc<Account>);

impl Accounts for OneAccount {
    fn find(&self, user: User<'_>) -> Option<Arc<Account>> {
        (user == User::from(&*self.0.name)).then(|| Arc::clone(&self.0))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("which folder?")?);
    let store = LocalStore::open(&folder, LocalSettings::new(Arc::new(NoIndex)))?;
    let credential = Credential::Password(PasswordHash::parse(&password::hash(b"secret")?)?);
    let account = Arc::new(Account::new("alice", credential, Arc::new(store)));
    let core = Core::new(Authenticator::new(Arc::new(OneAccount(account)), 2), Events::default());

    let made = Identity::self_signed(&["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let identity = Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes())?;
    let tls = Arc::new(ServerTls::new(Settings::new(identity))?);

    let listener = Listener::bind("127.0.0.1:2121".parse()?)?;
    println!("explicit FTPS on {}, user alice, password secret", listener.local_addr()?);
    let drain = Drain::new();
    let admission =
        Admission::new(Limits { sessions: 1000, sessions_per_source: 1000, startups: Startups::STANDARD });
    let server = FtpServer::new(settings(), core, tls, admission, PortPool::new(0..=0), drain.clone());
    let serving = tokio::spawn(server.serve(listener));
    tokio::signal::ctrl_c().await?;
    drain.start();
    serving.await?;
    drain.idle().await;
    Ok(())
}

fn settings() -> FtpSettings {
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
            tls: Duration::from_secs(10),
            login: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            data_accept: Duration::from_secs(10),
            data_stall: Duration::from_secs(60),
            data_stall_bytes: 1024,
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
