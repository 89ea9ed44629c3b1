//! Downloads one file over explicit TLS and shows how far it is:
//!
//!     CARRACK_PASSWORD=… cargo run -p carrack-ftp-client --example download -- HOST PORT USER /path/on/server LOCAL-FILE [CA.pem]

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use carrack_ftp_client::{
    Client, DataMode, DataProtection, Login, Pace, RemotePath, Security, Settings, Timeouts, Watch,
};
use carrack_tls::{Authorities, ClientSettings, ClientTls, Trust, Versions};

/// Tells every megabyte.
#[derive(Default)]
struct Progress(AtomicU64);

impl Watch for Progress {
    fn moved(&self, bytes: u64) -> Pace {
        const MEGABYTE: u64 = 1_000_000;
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before / MEGABYTE < (before + bytes) / MEGABYTE {
            eprint!("\r{} MB", (before + bytes) / MEGABYTE);
        }
        Pace::Go
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (host, port, user, remote, local, ca) = match arguments.as_slice() {
        [host, port, user, remote, local] => (host, port, user, remote, local, None),
        [host, port, user, remote, local, ca] => (host, port, user, remote, local, Some(ca)),
        _ => return Err("usage: download HOST PORT USER /path/on/server LOCAL-FILE [CA.pem]".into()),
    };
    let authorities = match ca {
        Some(file) => Authorities::load(Path::new(file))?,
        None => Authorities::Platform,
    };
    let trust = Trust::Authorities(authorities);
    let tls = ClientTls::new(host, ClientSettings { trust, versions: Versions::Any, identity: None })?;
    let settings = Settings {
        host: host.clone(),
        port: port.parse()?,
        security: Security::Explicit(tls),
        data_protection: DataProtection::Private,
        login: Login { user: user.clone(), password: std::env::var("CARRACK_PASSWORD").ok().map(Into::into) },
        data_mode: DataMode::Passive,
        timeouts: Timeouts::default(),
        dialogue: None,
    };

    let mut client = Client::connect(Arc::new(settings)).await?;
    let download = client.retrieve(&RemotePath::parse(remote.as_bytes())?, 0).await?;
    let bytes = download.save(&File::create(local)?, 0, Arc::new(Progress::default())).await?;
    eprintln!("\r{bytes} bytes");
    client.quit().await;
    Ok(())
}
