//! Which words do options take that choose between a few, and what does each mean?

use super::choice::words;

words! {
    /// When TLS begins on a connection.
    pub enum Mode {
        /// the client asks for TLS with `AUTH TLS`
        Explicit = "explicit",
        /// TLS from the first byte
        Implicit = "implicit",
    }
}

words! {
    /// What a client gets that does not ask for TLS.
    pub enum Plaintext {
        /// no login
        Refuse = "refuse",
        /// what `[plaintext]` grants
        Limit = "limit",
        /// everything; passwords and files travel in clear
        Allow = "allow",
    }
}

words! {
    /// Whether files and listings may travel in clear beneath a protected control connection, or at all.
    pub enum DataProtection {
        /// data connections are protected
        Require = "require",
        /// the client may choose clear data (`PROT C`)
        Optional = "optional",
        /// no data connections: neither files nor listings are transferred
        Refuse = "refuse",
    }
}

words! {
    /// Whether a client may end TLS on its control connection.
    pub enum Ccc {
        /// the control connection stays under TLS
        Refuse = "refuse",
        /// who is logged in may end it; not on implicit listeners
        Allow = "allow",
    }
}

words! {
    /// What a data connection must show to belong to its control connection.
    pub enum DataTlsReuse {
        /// it resumes the TLS session of its own control connection
        RequireOwn = "require-own",
        /// it resumes the session of its own control connection, or of another one of the same user and address
        Require = "require",
        /// as `require`, or a full handshake from the same address while nobody else competed for the port
        Prefer = "prefer",
        /// nothing
        Off = "off",
    }
}

words! {
    /// What becomes of an upload that ends without close_notify.
    pub enum DataClose {
        /// it failed: it may have been cut
        Strict = "strict",
        /// it counts as complete
        Lenient = "lenient",
    }
}

words! {
    /// Whether clients are asked for a certificate.
    pub enum ClientCertificate {
        /// they are not
        Off = "off",
        /// they are, and may come without one
        Optional = "optional",
        /// they are, and may not
        Required = "required",
    }
}

words! {
    /// What a certificate is worth of which the revocation lists say nothing sure.
    pub enum UnknownRevocation {
        /// nothing: it is refused
        Refuse = "refuse",
        /// it is accepted, which is logged; what a stale list revokes stays revoked
        Accept = "accept",
    }
}

words! {
    /// What becomes of a session whose certificate was revoked.
    pub enum RevokedSessions {
        /// it ends at once
        End = "end",
        /// it goes on until the client ends it
        Keep = "keep",
    }
}

words! {
    /// What it takes to log in.
    pub enum Login {
        /// the password
        Password = "password",
        /// a certificate of this user, and no password
        Certificate = "certificate",
        /// a certificate of this user and the password
        Both = "both",
        /// a certificate of this user, or else the password
        Either = "either",
    }
}

words! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// TLS 1.2 and 1.3
        Tls12 = "1.2",
        /// TLS 1.3 only
        Tls13 = "1.3",
    }
}

words! {
    /// When an upload appears under its name.
    pub enum Publish {
        /// when it is complete, by rename
        Atomic = "atomic",
        /// from its first byte
        InPlace = "in-place",
    }
}

words! {
    /// Of which uploads a digest is computed while the bytes come.
    pub enum UploadDigest {
        /// those of a session that has asked for a digest before, with the algorithm it asked for
        Asked = "asked",
        /// all, with SHA-256
        Sha256 = "sha256",
        /// none; whoever asks has the file read again
        None = "none",
    }
}

words! {
    /// Who sees an unfinished upload in listings.
    pub enum Partials {
        /// nobody
        Hidden = "hidden",
        /// its uploader, with the length it has
        Owner = "owner",
    }
}

words! {
    /// One thing that a user may do.
    pub enum Permission {
        /// see what is in a folder
        List = "list",
        /// download files
        Read = "read",
        /// upload new files
        Write = "write",
        /// replace or change files that are there
        Overwrite = "overwrite",
        /// remove files and folders
        Delete = "delete",
        /// rename and move
        Rename = "rename",
        /// make folders
        Mkdir = "mkdir",
    }
}

words! {
    /// How a log line is written.
    pub enum LogFormat {
        /// for people
        Text = "text",
        /// one JSON object per line
        Json = "json",
    }
}

words! {
    /// The least important log lines written.
    pub enum LogLevel {
        /// what failed on our side
        Error = "error",
        /// and what looks wrong
        Warn = "warn",
        /// and every connection, login and transfer
        Info = "info",
        /// and what helps to find a fault
        Debug = "debug",
    }
}
