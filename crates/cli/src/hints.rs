//! What does somebody see who has just started a server: where it is, how to log in, and commands to paste.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use carrack_daemon::config::{Mode, Plaintext, UserName};
use carrack_daemon::run::Server;
use carrack_ftp_client::url::Url;
use zeroize::Zeroizing;

use crate::password::VARIABLE;
use crate::program::{self, quoted};

/// Columns of the text.
const WIDTH: usize = 98;

/// A shell command that prints the line of a file without byte order mark and carriage return.
const BARE_LINE: &str = r"sed '1s/^\xef\xbb\xbf//; s/\r$//'";

/// How the pasted commands come by the password.
pub(crate) enum Secret {
    /// The server generated it: it is shown.
    Shown(Zeroizing<String>),
    /// It stands in a file, which the commands read.
    File {
        /// The file.
        path: PathBuf,
        /// Whether `cat` gives the password; else a byte order mark and a carriage return are around it.
        plain: bool,
    },
    /// It stands in the environment, where the commands take it from.
    Environment,
}

/// What to tell.
pub(crate) struct Hints {
    /// The folder that is served.
    pub(crate) folder: PathBuf,
    /// Who may log in.
    pub(crate) user: UserName,
    /// With what.
    pub(crate) secret: Secret,
    /// The state folder.
    pub(crate) state: PathBuf,
    /// Whether nothing may be changed.
    pub(crate) read_only: bool,
    /// What a client gets without TLS.
    pub(crate) plaintext: Plaintext,
}

/// The server as the commands name it.
struct Place {
    explicit: Option<(String, u16)>,
    implicit: Option<(String, u16)>,
    certificate: String,
}

impl Hints {
    /// The whole text.
    pub(crate) fn text(&self, server: &Server, colour: bool) -> String {
        let at = |mode: Mode| {
            server.listening().iter().find(|listening| listening.mode == mode).map(|l| l.address)
        };
        let (explicit, implicit) = (at(Mode::Explicit), at(Mode::Implicit));
        let certificate = server.certificate_file().unwrap_or_default();
        let place = Place {
            explicit: explicit.map(reachable),
            implicit: implicit.map(reachable),
            certificate: certificate.to_string_lossy().into_owned(),
        };
        let fingerprint = server.identity().fingerprint().to_string();
        let place = &place;
        let bold = |text: &str| if colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
        let mut out = String::new();
        let what = if self.read_only { "read only" } else { "read and write" };
        let _ = writeln!(
            out,
            "{} serves {} ({what})\n",
            bold("Carrack"),
            bold(&self.folder.display().to_string())
        );
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(out, "  {name:<14} {value}");
        };
        if let Some(address) = explicit {
            row("explicit FTPS", &address.to_string());
        }
        if let Some(address) = implicit {
            row("implicit FTPS", &address.to_string());
        }
        row("user", self.user.as_str());
        match &self.secret {
            Secret::Shown(password) => {
                row("password", &format!("{}  (kept for the next start)", password.as_str()))
            }
            Secret::File { path, .. } => row("password", &format!("in {}", path.display())),
            Secret::Environment => row("password", &format!("in {VARIABLE}")),
        }
        match self.plaintext {
            Plaintext::Refuse => {}
            Plaintext::Limit => row("without TLS", "anonymous, read only"),
            Plaintext::Allow => {
                row("without TLS", "everything is allowed: passwords and files travel in clear")
            }
        }
        row("state", &self.state.display().to_string());
        row("certificate", &format!("{} (self-signed), SHA-256", place.certificate));
        let _ = writeln!(out, "    {fingerprint}\n");

        let _ = writeln!(out, "Paste into another terminal. The certificate is verified in each.\n");
        let carrack = self.carrack(place, &program::word());
        for (title, commands) in
            [("carrack", carrack), ("curl", self.curl(place)), ("lftp", self.lftp(place))]
        {
            let _ = writeln!(out, "  {}", bold(title));
            for command in commands {
                out.push_str(&wrapped(&command));
            }
            out.push('\n');
        }
        out.push_str("Ctrl-C stops the server; transfers that run may finish.\n\n");
        out
    }

    /// The password within double quotes of a shell command.
    fn password_expansion(&self) -> String {
        match &self.secret {
            Secret::Shown(password) => password.to_string(),
            Secret::File { path, plain: true } => format!("$(cat {})", quoted(&path.to_string_lossy())),
            Secret::File { path, plain: false } => {
                format!("$({BARE_LINE} {})", quoted(&path.to_string_lossy()))
            }
            Secret::Environment => format!("${VARIABLE}"),
        }
    }

    fn curl(&self, place: &Place) -> Vec<Vec<String>> {
        let login = match &self.secret {
            Secret::Shown(password) => format!("{}:{}", quoted(self.user.as_str()), password.as_str()),
            _ => format!("{}:\"{}\"", quoted(self.user.as_str()), self.password_expansion()),
        };
        let with = |rest: &[&str]| {
            let mut command = vec![
                "curl".to_owned(),
                "--ssl-reqd".to_owned(),
                format!("--cacert {}", quoted(&place.certificate)),
            ];
            command.push(format!("--user {login}"));
            command.extend(rest.iter().map(|word| (*word).to_owned()));
            command
        };
        let mut commands = Vec::new();
        if let Some((host, port)) = &place.explicit {
            let url = format!("ftp://{host}:{port}/");
            commands.push(with(&[&url]));
            if !self.read_only {
                commands.push(with(&["--upload-file FILE", &url]));
            }
            commands.push(with(&[&format!("--remote-name {url}FILE")]));
        }
        if let Some((host, port)) = &place.implicit {
            commands.push(with(&[&format!("ftps://{host}:{port}/")]));
        }
        commands
    }

    fn lftp(&self, place: &Place) -> Vec<Vec<String>> {
        // One shell word in double quotes; within it lftp has single quotes of its own. Both would take a password apart that holds
        // quotes, so one that was given reaches lftp past its script.
        let user = in_script(self.user.as_str());
        let (before, login) = match &self.secret {
            Secret::Shown(password) => (None, format!("-u {user},{}", password.as_str())),
            _ => (
                Some(format!("LFTP_PASSWORD=\"{}\"", self.password_expansion())),
                format!("--env-password -u {user}"),
            ),
        };
        let with = |what: &str, url: &str| {
            let mut words: Vec<_> = before.clone().into_iter().collect();
            words.extend([
                format!("lftp -c \"set ssl:ca-file {};", in_script(&place.certificate)),
                "set ftp:ssl-force true;".to_owned(),
                format!("open {login} {url};"),
                format!("{what}\""),
            ]);
            words
        };
        let mut commands = Vec::new();
        if let Some((host, port)) = &place.explicit {
            let url = format!("ftp://{host}:{port}");
            commands.push(with("ls", &url));
            if !self.read_only {
                commands.push(with("put FILE", &url));
            }
            commands.push(with("set xfer:clobber true; get FILE -o FILE.new", &url));
        }
        if let Some((host, port)) = &place.implicit {
            commands.push(with("ls", &format!("ftps://{host}:{port}")));
        }
        commands
    }

    /// With the program as a shell calls it.
    fn carrack(&self, place: &Place, program: &str) -> Vec<Vec<String>> {
        let url = |scheme: &str, (host, port): &(String, u16), file: &str| {
            let url = Url::parse(&format!("{scheme}://{host}:{port}/{file}")).ok()?;
            Some(quoted(&Url { user: Some(self.user.as_str().to_owned()), ..url }.to_string()))
        };
        let (before, flag) = match &self.secret {
            Secret::Shown(password) => (format!("{VARIABLE}={} ", password.as_str()), None),
            Secret::File { path, .. } => {
                (String::new(), Some(format!("--password-file {}", quoted(&path.to_string_lossy()))))
            }
            Secret::Environment => (String::new(), None),
        };
        let with = |command: &str, rest: String| {
            let mut words =
                vec![format!("{before}{program} {command}"), format!("--ca {}", quoted(&place.certificate))];
            words.extend(flag.clone());
            words.push(rest);
            words
        };
        let explicit = |file| place.explicit.as_ref().and_then(|at| url("ftpes", at, file));
        let implicit = || place.implicit.as_ref().and_then(|at| url("ftps", at, ""));
        let mut commands = Vec::new();
        commands.extend(explicit("").map(|url| with("ls", url)));
        if !self.read_only {
            commands.extend(explicit("").map(|url| with("cp", format!("FILE {url}"))));
        }
        commands.extend(explicit("FILE").map(|url| with("cp", format!("{url} ."))));
        commands.extend(implicit().map(|url| with("ls -l", url)));
        commands
    }
}

/// The name by which a client on this machine reaches an address, and one that the certificate has.
fn reachable(address: SocketAddr) -> (String, u16) {
    let host = match address.ip() {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    (host, address.port())
}

/// One word of an lftp script that stands in a shell's double quotes.
fn in_script(word: &str) -> String {
    if quoted(word) == word {
        return word.to_owned();
    }
    let mut out = String::from("'");
    for c in word.chars() {
        match c {
            // For lftp a backslash escapes, and the shell takes the first of each pair.
            '\'' => out.push_str("\\\\'"),
            '"' | '$' | '`' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A command over as many lines as it needs; pasted together they are one.
fn wrapped(words: &[String]) -> String {
    let mut out = String::from("   ");
    let mut column = 3;
    for (index, word) in words.iter().enumerate() {
        let width = word.chars().count();
        if index > 0 && column + 1 + width + 2 > WIDTH {
            out.push_str(" \\\n       ");
            column = 7;
        }
        let _ = write!(out, " {word}");
        column += 1 + width;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(secret: Secret) -> Hints {
        Hints {
            folder: "/srv".into(),
            user: "carrack".parse().unwrap(),
            secret,
            state: "/s".into(),
            read_only: false,
            plaintext: Plaintext::Refuse,
        }
    }

    fn place(certificate: &str) -> Place {
        Place {
            explicit: Some(("localhost".into(), 2121)),
            implicit: Some(("localhost".into(), 2990)),
            certificate: certificate.into(),
        }
    }

    #[test]
    fn commands_fit_a_terminal_and_paste_as_one() {
        let hints = hints(Secret::Shown(Zeroizing::new("aaaa-bbbb-cccc-dddd-eeee".to_owned())));
        let place = place("/home/somebody/.local/state/carrack/cert.pem");
        for command in [hints.carrack(&place, "carrack"), hints.curl(&place), hints.lftp(&place)].concat() {
            let text = wrapped(&command);
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            let joined = text.replace(" \\\n       ", "");
            assert_eq!(joined.trim(), command.join(" "));
        }
    }

    #[test]
    fn a_given_password_is_never_shown() {
        let hints = hints(Secret::File { path: "/run/my secret".into(), plain: true });
        let place = place("/c.pem");
        assert!(hints.curl(&place)[0].contains(&"--user carrack:\"$(cat '/run/my secret')\"".to_owned()));
        let lftp = &hints.lftp(&place)[0];
        assert_eq!(lftp[0], "LFTP_PASSWORD=\"$(cat '/run/my secret')\"");
        assert!(lftp[3].starts_with("open --env-password -u carrack ftp://"), "{lftp:?}");
        let carrack = &hints.carrack(&place, "/a/carrack")[1];
        assert_eq!(carrack[0], "/a/carrack cp");
        assert_eq!(
            carrack[2..],
            ["--password-file '/run/my secret'", "FILE ftpes://carrack@localhost:2121/"]
        );
    }

    /// The shell itself says what a pasted command gets.
    #[test]
    fn a_shell_reads_every_password_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("it's a $file");
        for password in
            ["a b ", "it's", "say \"so\"", "$HOME `id` \\n", "comma,semi;colon:", "ä€ï»¿", "-n", "*"]
        {
            for (before, after, plain) in
                [("", "\n", true), ("", "", true), ("\u{feff}", "\r\n", false), ("", "\r\n", false)]
            {
                std::fs::write(&file, format!("{before}{password}{after}")).unwrap();
                let hints = hints(Secret::File { path: file.clone(), plain });
                let script = format!("printf %s \"{}\"", hints.password_expansion());
                let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), password, "{script}");
            }
        }
    }

    #[test]
    fn odd_paths_stay_one_word() {
        assert_eq!(in_script("/a b/$x"), "'/a b/\\$x'");
    }

    #[test]
    fn commands_name_what_the_certificate_names() {
        assert_eq!(reachable("0.0.0.0:21".parse().unwrap()).0, "localhost");
        assert_eq!(reachable("[::1]:21".parse().unwrap()).0, "localhost");
        assert_eq!(reachable("192.0.2.1:21".parse().unwrap()).0, "192.0.2.1");
        assert_eq!(reachable("[2001:db8::1]:21".parse().unwrap()).0, "[2001:db8::1]");
    }
}
