//! `carrack version`: which program is this, and which cryptography is in it?

use carrack_daemon::config::Fips;
use carrack_tls::fips::{self, Module};
use serde_json::json;

use crate::exit::Failure;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs `carrack version`.
pub(crate) fn version(json: bool, mode: Fips) -> Result<(), Failure> {
    let (release, module) = (fips::library_release(), fips::module());
    if json {
        let described = module.map(|module| {
            json!({
                "module": Module::NAME,
                "generation": module.generation,
                "release": module.release,
                "certificate": module.certificate,
                "mode": if mode == Fips::Demanded { "on" } else { "off" },
            })
        });
        let tls = json!({ "library": "rustls", "provider": "AWS-LC", "release": release });
        say!("{}", json!({ "version": VERSION, "tls": tls, "fips": described }));
        return Ok(());
    }
    say!("carrack {VERSION}");
    say!("TLS: rustls with AWS-LC {release}");
    match module {
        None => say!("FIPS 140-3: no module; this program was built without it"),
        Some(module) => {
            say!("FIPS 140-3: {}", described(module));
            say!(
                "FIPS mode: {}",
                if mode == Fips::Demanded { "on" } else { "off; --fips or fips = true switches it on" }
            );
        }
    }
    Ok(())
}

fn described(module: Module) -> String {
    let Module { generation, release, certificate } = module;
    let certificate = certificate
        .map_or_else(|| "no certificate known".to_owned(), |number| format!("CMVP certificate {number}"));
    format!("{}, generation {generation} (AWS-LC {release}), {certificate}", Module::NAME)
}
