//! What can the server do? (FEAT, RFC 2389 §3)

use crate::hash::HashAlgorithm;
use crate::limits;

/// What a server offers beyond RFC 959. All `false` is a server that does not know FEAT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// MLST and MLSD, with the facts that can be asked for (RFC 3659 §7.8).
    pub mlst: Option<Vec<OfferedFact>>,
    /// SIZE (RFC 3659 §4).
    pub size: bool,
    /// MDTM (RFC 3659 §3).
    pub mdtm: bool,
    /// MFMT (draft-somers-ftp-mfxx).
    pub mfmt: bool,
    /// SITE UTIME, which has no specification.
    pub site_utime: bool,
    /// REST in stream mode (RFC 3659 §5).
    pub rest_stream: bool,
    /// Names are UTF-8 (RFC 2640).
    pub utf8: bool,
    /// EPSV (RFC 2428 §3).
    pub epsv: bool,
    /// EPRT (RFC 2428 §2).
    pub eprt: bool,
    /// `/` separates the components of a path (RFC 3659 §6).
    pub tvfs: bool,
    /// The mechanisms of AUTH.
    pub auth: Auth,
    /// PBSZ (RFC 4217 §8).
    pub pbsz: bool,
    /// PROT (RFC 4217 §9).
    pub prot: bool,
    /// HASH, with the algorithms that are known here (draft-bryan-ftpext-hash §3.1).
    pub hash: Vec<HashAlgorithm>,
    /// The one of them that HASH computes until OPTS HASH says otherwise.
    pub hash_selected: Option<HashAlgorithm>,
    /// XCRC, which has no specification.
    pub xcrc: bool,
    /// XMD5, which has no specification.
    pub xmd5: bool,
    /// XSHA1, which has no specification.
    pub xsha1: bool,
    /// XSHA256, which has no specification.
    pub xsha256: bool,
    /// XSHA512, which has no specification.
    pub xsha512: bool,
    /// MODE Z (draft-preston-ftpext-deflate).
    pub mode_z: bool,
    /// CPSV, for transfers from server to server.
    pub cpsv: bool,
    /// SSCN, for transfers from server to server.
    pub sscn: bool,
    /// AVBL, the space that is left (draft-peterson-streamlined-ftp-command-extensions).
    pub avbl: bool,
}

/// A fact that MLST can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedFact {
    /// Its name, in small letters.
    pub name: String,
    /// Whether it is shown until OPTS MLST says otherwise: it had a `*`.
    pub shown: bool,
}

/// Mechanisms of AUTH (RFC 4217 §2 and §17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// `TLS`
    pub tls: bool,
    /// `TLS-C`
    pub tls_c: bool,
    /// `TLS-P`
    pub tls_p: bool,
    /// `SSL`
    pub ssl: bool,
}

/// The facts worth asking for: those [`Facts`](super::Facts) has a place for.
const WANTED: [&str; 13] = [
    "type",
    "size",
    "sizd",
    "modify",
    "perm",
    "unique",
    "unix.mode",
    "unix.ownername",
    "unix.owner",
    "unix.uid",
    "unix.groupname",
    "unix.group",
    "unix.gid",
];

impl Features {
    /// Reads the lines between the first and the last of the answer to FEAT. RFC 2389 §3.2 indents each by one space; more,
    /// none, or the code again before it are understood too, and so is any case.
    ///
    /// ```
    /// use carrack_ftp_proto::client::{Features, HashAlgorithm};
    /// let features = Features::parse([" SIZE", " REST STREAM", " HASH SHA-256;SHA-1*;", " MLST type*;size*;unique;"]);
    /// assert!(features.size && features.rest_stream && !features.utf8);
    /// assert_eq!(features.hash, [HashAlgorithm::Sha256, HashAlgorithm::Sha1]);
    /// assert_eq!(features.hash_selected, Some(HashAlgorithm::Sha1));
    /// assert_eq!(features.facts_to_ask().as_deref(), Some("type;size;unique;"));
    /// ```
    #[must_use]
    pub fn parse<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Features {
        let mut features = Features::default();
        for line in lines {
            features.hear(line.as_ref());
        }
        features
    }

    /// What to send behind `OPTS MLST ` so that every fact is shown that is of use; nothing where they all are, or where
    /// there is no MLST.
    #[must_use]
    pub fn facts_to_ask(&self) -> Option<String> {
        let wanted = |fact: &&OfferedFact| WANTED.contains(&fact.name.as_str());
        let facts = || self.mlst.iter().flatten().filter(wanted);
        facts().any(|fact| !fact.shown).then(|| facts().map(|fact| format!("{};", fact.name)).collect())
    }

    /// One line: a word, and what stands behind it.
    fn hear(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        let line = line.strip_prefix(b"211-").unwrap_or(line).trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let Some((word, parameters)) = line.split_at_checked(end) else { return };
        let parameters = parameters.trim_ascii();
        let says = |text: &[u8]| parameters.to_ascii_uppercase().starts_with(text);
        match word.to_ascii_uppercase().as_slice() {
            b"MLST" => self.mlst = Some(offered_facts(parameters)),
            // Some servers name MLSD, which RFC 3659 §7.8 has under MLST.
            b"MLSD" => _ = self.mlst.get_or_insert_default(),
            b"SIZE" => self.size = true,
            b"MDTM" => self.mdtm = true,
            b"MFMT" => self.mfmt = true,
            b"SITE" => self.site_utime |= list(parameters).any(|word| word.eq_ignore_ascii_case(b"UTIME")),
            b"REST" => self.rest_stream |= says(b"STREAM"),
            b"UTF8" | b"UTF-8" => self.utf8 = true,
            b"EPSV" => self.epsv = true,
            b"EPRT" => self.eprt = true,
            b"TVFS" => self.tvfs = true,
            b"AUTH" => self.auth.hear(parameters),
            b"PBSZ" => self.pbsz = true,
            b"PROT" => self.prot = true,
            b"HASH" => self.hear_hash(parameters),
            b"XCRC" => self.xcrc = true,
            b"XMD5" => self.xmd5 = true,
            b"XSHA1" => self.xsha1 = true,
            b"XSHA256" => self.xsha256 = true,
            b"XSHA512" => self.xsha512 = true,
            b"MODE" => self.mode_z |= list(parameters).any(|mode| mode.eq_ignore_ascii_case(b"Z")),
            b"CPSV" => self.cpsv = true,
            b"SSCN" => self.sscn = true,
            b"AVBL" => self.avbl = true,
            _ => {}
        }
    }

    fn hear_hash(&mut self, algorithms: &[u8]) {
        for name in list(algorithms) {
            let plain = name.strip_suffix(b"*").unwrap_or(name);
            let Some(algorithm) = HashAlgorithm::named(plain) else { continue };
            if !self.hash.contains(&algorithm) {
                self.hash.push(algorithm);
            }
            if plain.len() < name.len() {
                self.hash_selected = Some(algorithm);
            }
        }
    }
}

impl Auth {
    fn hear(&mut self, mechanisms: &[u8]) {
        for mechanism in list(mechanisms) {
            match mechanism.to_ascii_uppercase().as_slice() {
                b"TLS" => self.tls = true,
                b"TLS-C" => self.tls_c = true,
                b"TLS-P" => self.tls_p = true,
                b"SSL" => self.ssl = true,
                _ => {}
            }
        }
    }
}

/// The parts of `a;b;c;`, also where spaces or commas part them.
fn list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b';' | b',') || byte.is_ascii_whitespace())
        .filter(|part| !part.is_empty())
        .take(limits::FACT_NAMES)
}

/// The facts of `type*;size;`.
fn offered_facts(facts: &[u8]) -> Vec<OfferedFact> {
    list(facts)
        .filter_map(|fact| {
            let name = fact.strip_suffix(b"*").unwrap_or(fact);
            let text = std::str::from_utf8(name).ok().filter(|name| name.len() <= limits::FACT_VALUE)?;
            Some(OfferedFact { name: text.to_ascii_lowercase(), shown: name.len() < fact.len() })
        })
        .collect()
}

#[cfg(test)]
mod tests;
