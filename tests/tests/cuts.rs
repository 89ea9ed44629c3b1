//! The network is cut at many places of a file, up and down, and every client goes on to the same bytes: our own by itself, curl and
//! lftp when they are called again. `scripts/cuts` cuts at 200 places.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use carrack_tests::client::Client;
use carrack_tests::figures::{figure, how_many};
use carrack_tests::logs::Line;
use carrack_tests::programs::{Program, Tls, curl, lftp_at, needs};
use carrack_tests::proxy::{Cut, How, Proxy, Way};
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tree;

/// More than the buffers on the way hold, and eight times what our client keeps no journal of.
const LENGTH: usize = 8 << 20;
/// curl and lftp are cut at every so manieth place.
const OTHERS_EVERY: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Carrack,
    Curl,
    Lftp,
}

/// A server behind a proxy, a file on either side, and our own client.
struct Ground {
    server: Server,
    proxy: Proxy,
    address: SocketAddr,
    client: Client,
    local: PathBuf,
    hash: String,
}

impl Ground {
    fn new() -> Ground {
        let mut proxy = Proxy::reserve();
        let setup = Setup::new().quick_logins().option("passive", "ports", &proxy.passive_ports());
        let server = setup.start();
        let address = proxy.forward(server.explicit);
        let client = Client::new(&server.password()).flag("--trust-new");
        let local = tree::file(&server.scratch(), "file", 11, LENGTH);
        let hash = tree::sha256_of(&local);
        Ground { server, proxy, address, client, local, hash }
    }

    /// Where the file is to come to.
    fn target(&self, way: Way) -> PathBuf {
        match way {
            Way::Up => self.server.home().join("file"),
            Way::Down => self.server.scratch().join("back"),
        }
    }

    fn program(&self, who: Who, way: Way, tls: Tls, again: bool) -> Program {
        let (local, back) = (self.local.to_str().unwrap(), self.target(Way::Down));
        let back = back.to_str().unwrap();
        match who {
            Who::Carrack => {
                let version = if tls == Tls::V12 { "1.2" } else { "1.3" };
                let remote = format!("ftpes://{USER}@{}/file", self.address);
                let (from, to) = if way == Way::Up { (local, &*remote) } else { (&*remote, back) };
                self.client.program(["cp", "--tls", version, from, to])
            }
            Who::Curl => {
                let files = if way == Way::Up { ["-T", local] } else { ["-o", back] };
                let resume: &[&str] = if again { &["-C", "-"] } else { &[] };
                let at = format!("ftp://{}/file", self.address);
                curl(&self.server, Mode::Explicit, tls).args(resume).args(files).arg(at)
            }
            Who::Lftp => {
                let resume = if again { "-c" } else { "" };
                let script = match way {
                    Way::Up => format!("put {resume} {local:?} -o file"),
                    Way::Down => format!("set xfer:use-temp-file no\nget {resume} file -o {back:?}"),
                };
                lftp_at(&self.server, &format!("ftp://{}", self.address), tls, &script)
            }
        }
    }

    /// One transfer through one cut; how many bytes moved again.
    fn cut_and_go_on(&self, who: Who, cut: Cut, tls: Tls) -> Result<u64, String> {
        let target = self.target(cut.way);
        let _ = fs::remove_file(&target);
        if cut.way == Way::Down {
            let _ = fs::copy(&self.local, self.target(Way::Up)).unwrap();
        }
        let known = self.server.logs.lines().len();
        self.proxy.cut_next(cut);
        let first = self.program(who, cut.way, tls, false).spawn();
        if who != Who::Carrack {
            // The server has noticed; of a download it may have sent everything before.
            let is_over =
                |lines: &[Line]| lines[known..].iter().any(|line| line.is("transfer")).then_some(());
            self.server.logs.wait_for("the end of the cut transfer", is_over);
            // lftp would go on by itself.
            let run = if who == Who::Lftp { first.kill() } else { first.wait() };
            if run.status.success() {
                return Err(format!("it called a cut transfer whole: {}", run.report()));
            }
            if cut.way == Way::Up && target.exists() {
                return Err(String::from("what was cut is visible"));
            }
            let run = self.program(who, cut.way, tls, true).run();
            if !run.status.success() {
                return Err(run.report());
            }
        } else {
            let run = first.wait();
            if !run.status.success() {
                return Err(run.report());
            }
        }
        if !self.proxy.was_used() {
            return Err(String::from("nothing was cut"));
        }
        if tree::sha256_of(&target) != self.hash {
            return Err(String::from("the bytes are others"));
        }
        let lines = self.server.logs.lines();
        let moved = lines[known..].iter().filter(|line| line.is("transfer"));
        let moved: u64 = moved.map(|line| line.text("bytes").parse::<u64>().unwrap()).sum();
        Ok(moved.saturating_sub(LENGTH as u64))
    }
}

#[test]
fn a_transfer_that_is_cut_anywhere_goes_on_to_the_same_bytes() {
    let places = how_many("CARRACK_CUTS", 4);
    let ground = Ground::new();
    let mut clients = vec![Who::Carrack];
    clients.extend(needs(&["curl"]).then_some(Who::Curl));
    clients.extend(needs(&["lftp"]).then_some(Who::Lftp));
    let mut failed = Vec::new();
    for who in clients {
        for way in [Way::Up, Way::Down] {
            let (mut tried, mut well, mut twice) = (0, 0, 0);
            let every = if who == Who::Carrack { 1 } else { OTHERS_EVERY };
            for place in (0..places).step_by(every) {
                // The odd bytes keep it from always falling on the same place of a record. One at least: curl says nothing to the
                // server where a data connection ends before it.
                let after = (LENGTH * place / places + place % 7 + 1) as u64;
                let how = [How::Fin, How::Reset, How::Everything][place / every % 3];
                let tls = [Tls::V13, Tls::V12][place / every % 2];
                tried += 1;
                match ground.cut_and_go_on(who, Cut { way, after, how }, tls) {
                    Ok(again) => (well, twice) = (well + 1, twice + again),
                    Err(why) => failed.push(format!("{who:?} {way:?} {how:?} {tls:?} at {after}: {why}")),
                }
            }
            let bar = places / every;
            figure(
                format_args!("{who:?}, {way:?}: cut and went on to the same bytes"),
                bar,
                format_args!("{well} of {tried}"),
            );
            // What of a download was on its way when it was cut has to move again. Of an upload it is the byte by which a partial is
            // offered shorter (docs/uploads.md).
            let moved_again = format!("{who:?}, {way:?}: bytes moved again, of {}", LENGTH * tried);
            figure(moved_again, if way == Way::Up { bar.to_string() } else { String::from("-") }, twice);
            if way == Way::Up && twice > tried as u64 {
                failed.push(format!("{who:?}: {twice} bytes of {tried} uploads moved again"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(tree::names(&ground.server.home()), ["file"], "something is left over");
}
