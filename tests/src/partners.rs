//! Servers of ours that exchange files with others: each at an address of its own, with a certificate and partners.

use std::net::IpAddr;

use crate::certificates::{Authority, Kind};
use crate::loopback;
use crate::server::Server;
use crate::setup::Setup;

/// Where a server is and what it believes.
#[derive(Debug)]
pub struct Site<'a> {
    /// Where it listens.
    pub address: IpAddr,
    /// Who signed its own certificate.
    pub signed_by: &'a Authority,
    /// `[fxp]`: the partner and whom to believe there.
    pub partner: Option<(IpAddr, Option<&'a Authority>)>,
}

impl Site<'_> {
    /// Starts it with further settings.
    pub fn start(&self, further: impl FnOnce(Setup) -> Setup) -> Server {
        let setup = Setup::new().at(self.address);
        let scratch = setup.scratch();
        let names = ["partner.example", &self.address.to_string()];
        let files = self.signed_by.issue(Kind::Good, &names).files(&scratch);
        let mut setup = setup.option("tls", "certificate", &format!("{:?}", files.certificate)).option(
            "tls",
            "key",
            &format!("{:?}", files.key),
        );
        if let Some((partner, believed)) = self.partner {
            setup = setup.option("fxp", "partners", &format!("[\"{partner}\"]"));
            if let Some(authority) = believed {
                setup = setup.option("fxp", "ca", &format!("{:?}", authority.file(&scratch)));
            }
        }
        further(setup).start()
    }
}

/// Two servers that are each other's partners.
pub fn partners(further: impl Fn(Setup) -> Setup) -> (Server, Server) {
    partners_under(&Authority::new(), further)
}

/// The same, under an authority that the test knows.
pub fn partners_under(authority: &Authority, further: impl Fn(Setup) -> Setup) -> (Server, Server) {
    let (here, there) = (loopback::unused().into(), loopback::unused().into());
    let site =
        |address, partner| Site { address, signed_by: authority, partner: Some((partner, Some(authority))) };
    (site(here, there).start(&further), site(there, here).start(&further))
}
