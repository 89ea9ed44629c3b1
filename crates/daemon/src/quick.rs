//! What does `carrack serve DIR` run, without a file?

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use carrack_core::password::{Cost, hash_with};
use zeroize::Zeroizing;

use crate::config::{
    Access, Banner, Ccc, Checked, ClientCertificate, Config, DataClose, DataProtection, DataTlsReuse,
    Defence, Fault, Fips, FolderPath, HashedPassword, Limits, Listen, Log, Login, Mode, Passive, Permission,
    Plaintext, PlaintextGrant, PortRange, ServerProcess, Tables, Timeouts, Upload, User, UserName, Users,
    check,
};
use crate::state::{StateError, StateFolder, standard_folder};

/// Where explicit FTPS is served when nothing else is said.
pub const EXPLICIT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2121);
/// Where implicit FTPS is served when nothing else is said.
pub const IMPLICIT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2990);
/// The user when nothing else is said.
pub const USER: &str = "carrack";

/// One folder, one user, two ports.
#[derive(Debug)]
pub struct QuickStart {
    /// The folder that is served.
    pub folder: PathBuf,
    /// Where explicit FTPS is served.
    pub explicit: SocketAddr,
    /// Where implicit FTPS is served.
    pub implicit: SocketAddr,
    /// Ports of passive data connections.
    pub passive_ports: PortRange,
    /// The user.
    pub user: UserName,
    /// The user's password; `None` takes the one that the state folder keeps.
    pub password: Option<Zeroizing<String>>,
    /// The state folder; `None` takes the standard one.
    pub state: Option<PathBuf>,
    /// Whether nothing may be changed.
    pub read_only: bool,
    /// What a client gets that does not ask for TLS. `Limit`: anonymous, who may list and read.
    pub plaintext: Plaintext,
    /// The log.
    pub log: Log,
    /// Whether FIPS 140-3 was asked for.
    pub fips: Fips,
}

/// Why a quick start did not come about.
#[derive(Debug, thiserror::Error)]
pub enum QuickStartError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// No state folder is known.
    #[error(
        "neither XDG_STATE_HOME nor HOME is set, so there is no standard state folder\n  mend: name one with --state DIR"
    )]
    NoStateFolder,
    /// The password cannot be hashed.
    #[error("{0}\n  mend: choose another password")]
    Password(#[from] carrack_core::password::HashingError),
    /// What was asked for makes no sense together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Check(Vec<Fault>),
    /// The path of the folder cannot be made absolute.
    #[error("the current folder is gone: {0}\n  mend: change to a folder that is there")]
    CurrentFolder(std::io::Error),
}

/// A quick start that may be run.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration, checked as a file's is.
    pub checked: Checked,
    /// The state folder, held.
    pub state: StateFolder,
    /// The password that the state folder keeps, to be shown; `None` where one was given.
    pub kept_password: Option<Zeroizing<String>>,
}

impl QuickStart {
    /// Takes the state folder, makes the password if need be, and checks what was asked for.
    ///
    /// # Errors
    /// The state folder is of no use, or what was asked for is wrong.
    pub fn prepare(self) -> Result<Prepared, QuickStartError> {
        let here = std::path::absolute(".").map_err(QuickStartError::CurrentFolder)?;
        let state_path = self.state.clone().or_else(standard_folder).ok_or(QuickStartError::NoStateFolder)?;
        // Mistakes are told before anything is made on the disk; the password may be in the state folder, so it comes last.
        let mut checked = check(self.config(state_path), &here).map_err(QuickStartError::Check)?;
        let state = StateFolder::open(&checked.state)?;
        let (password, kept_password) = match self.password {
            Some(given) => (given, None),
            None => {
                let kept = state.password()?;
                (kept.clone(), Some(kept))
            }
        };
        let cost = match self.fips {
            Fips::AsConfigured => Cost::RECOMMENDED,
            Fips::Demanded => Cost::APPROVED,
        };
        let hash = HashedPassword::new(hash_with(password.as_bytes(), cost)?);
        for user in checked.config.user.0.iter_mut().filter(|user| user.name == self.user) {
            user.password = Some(hash.clone());
        }
        Ok(Prepared { checked, state, kept_password })
    }

    /// The configuration, with an empty hash: nobody can log in with that, and [`prepare`](Self::prepare) puts in the real one.
    fn config(&self, state: PathBuf) -> Config {
        let all = [
            Permission::List,
            Permission::Read,
            Permission::Write,
            Permission::Overwrite,
            Permission::Delete,
            Permission::Rename,
            Permission::Mkdir,
        ];
        let reading = [Permission::List, Permission::Read];
        let user = |name: &UserName, password: Option<HashedPassword>, permissions: &[Permission]| User {
            name: name.clone(),
            virtual_server: None,
            password,
            home: self.folder.clone(),
            permissions: permissions.to_vec(),
            plaintext: None,
            disabled: false,
            login: Login::Password,
            networks: Vec::new(),
            spki_sha256: Vec::new(),
            certificate: Tables::default(),
            data_tls_reuse: None,
            charset: None,
            sessions: None,
            transfers: None,
            files_per_session: None,
            bytes_per_session: None,
            quota_bytes: None,
            file_mode: None,
            dir_mode: None,
            group: None,
            upload_bytes_per_s: None,
            download_bytes_per_s: None,
            transfer_upload_bytes_per_s: None,
            transfer_download_bytes_per_s: None,
            hours: Tables::default(),
            folder: Tables::default(),
        };
        let listen = |mode, address, plaintext| Listen {
            mode,
            address,
            sessions: None,
            banner: Banner::standard(),
            plaintext,
            data_protection: DataProtection::Require,
            ccc: Ccc::Refuse,
            hosts: Vec::new(),
            data_tls_reuse: DataTlsReuse::Prefer,
            data_close: DataClose::Strict,
            client_certificate: ClientCertificate::Off,
            deflate: false,
            allow: Vec::new(),
            deny: Vec::new(),
            proxy_protocol: Vec::new(),
            minimum_version: None,
            suites: None,
            groups: None,
        };
        let unset = HashedPassword::new(String::new());
        let mut users = vec![user(&self.user, Some(unset), if self.read_only { &reading } else { &all })];
        let plaintext = (self.plaintext == Plaintext::Limit).then(|| {
            let anonymous = UserName::anonymous();
            users.push(user(&anonymous, None, &reading));
            PlaintextGrant {
                user: anonymous,
                virtual_server: None,
                folders: vec![FolderPath(carrack_core::path::VirtualPath::root())],
                write: false,
                permissions: None,
                upload_bytes_per_s: None,
                download_bytes_per_s: None,
                grant: Tables::default(),
            }
        });
        Config {
            server: ServerProcess::default(),
            state: Some(state),
            roots: Vec::new(),
            fips: self.fips == Fips::Demanded,
            listen: Tables(vec![
                listen(Mode::Explicit, self.explicit, self.plaintext),
                listen(Mode::Implicit, self.implicit, Plaintext::Refuse),
            ]),
            passive: Passive {
                ports: self.passive_ports.clone(),
                public_address: None,
                network: Tables::default(),
            },
            tls: None,
            acme: None,
            upload: Upload::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            access: Access::default(),
            defence: Defence::default(),
            fxp: None,
            plaintext,
            virtual_server: Tables::default(),
            user: Tables(users),
            users: Users::default(),
            log: self.log.clone(),
            metrics: None,
            hook: Tables::default(),
        }
    }
}
