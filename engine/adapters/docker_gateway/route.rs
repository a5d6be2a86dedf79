//! Which call a request is: method and path, looked up in one table.
//!
//! The container engine decodes a path before it looks for its route, and takes what follows `/containers/` up to the last part as a name.
//! So the path is decoded once, parts that two readers could read differently are refused, and what is sent on is encoded anew.

use hyper::Method;

use super::capability::Refusal;

/// What a call does, as far as it is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table below says what each is")]
pub enum Kind {
    Look,
    ContainerCreate,
    ContainerAct,
    ContainerStart,
    ContainerAttach,
    ContainerUpdate,
    ContainerRemove,
    ContainerPrune,
    ExecCreate,
    ExecAct,
    NetworkCreate,
    NetworkJoin,
    NetworkRemove,
    NetworkPrune,
    VolumeCreate,
    VolumeAct,
    VolumeRemove,
    VolumePrune,
    Build,
    BuildPrune,
    Session,
    BuildKit,
    Commit,
    ImageAdd,
    ImageMake,
    ImageLoad,
    ImageTag,
    ImageRemove,
    ImagePrune,
    Swarm,
    Plugins,
    Unknown,
}

/// The calls that change something, first match first. `*` is one part of the path, `**` all that are left, at least one.
/// Everything else that is no GET, HEAD or OPTIONS is [`Kind::Unknown`].
const ROUTES: [(&str, &str, Kind); 47] = [
    // A GET that takes the input of a container.
    ("GET", "containers/*/attach/ws", Kind::ContainerAttach),
    // A GET that runs a command in a container, of Podman's.
    ("GET", "libpod/containers/*/healthcheck", Kind::ContainerAct),
    ("GET", "**", Kind::Look),
    ("HEAD", "**", Kind::Look),
    ("OPTIONS", "**", Kind::Look),
    ("POST", "auth", Kind::Look),
    // Made, with labels and limits.
    ("POST", "containers/create", Kind::ContainerCreate),
    ("POST", "networks/create", Kind::NetworkCreate),
    ("POST", "volumes/create", Kind::VolumeCreate),
    ("POST", "build", Kind::Build),
    ("POST", "commit", Kind::Commit),
    // Removed in bulk, what is ours only.
    ("POST", "containers/prune", Kind::ContainerPrune),
    ("POST", "networks/prune", Kind::NetworkPrune),
    ("POST", "volumes/prune", Kind::VolumePrune),
    ("POST", "images/prune", Kind::ImagePrune),
    ("POST", "build/prune", Kind::BuildPrune),
    // On what must be ours. Calls of a newer engine on one container are among them.
    ("POST", "containers/*/wait", Kind::Look),
    ("POST", "containers/*/attach", Kind::ContainerAttach),
    ("POST", "containers/*/start", Kind::ContainerStart),
    ("POST", "containers/*/restart", Kind::ContainerStart),
    ("POST", "containers/*/update", Kind::ContainerUpdate),
    ("POST", "containers/*/exec", Kind::ExecCreate),
    // Written to, and read from, a folder of the host.
    ("POST", "containers/*/checkpoints", Kind::Unknown),
    ("POST", "containers/*/*", Kind::ContainerAct),
    ("PUT", "containers/*/*", Kind::ContainerAct),
    ("DELETE", "containers/*", Kind::ContainerRemove),
    ("POST", "exec/*/*", Kind::ExecAct),
    ("POST", "networks/*/connect", Kind::NetworkJoin),
    ("POST", "networks/*/disconnect", Kind::NetworkJoin),
    ("DELETE", "networks/*", Kind::NetworkRemove),
    ("PUT", "volumes/*", Kind::VolumeAct),
    ("DELETE", "volumes/*", Kind::VolumeRemove),
    // Images are the host's common stock: anyone may add, none may take away what is not ours.
    ("POST", "images/create", Kind::ImageMake),
    ("POST", "images/load", Kind::ImageLoad),
    ("POST", "images/**", Kind::ImageAdd),
    ("DELETE", "images/**", Kind::ImageRemove),
    ("POST", "build/cancel", Kind::Look),
    // Over the first, BuildKit asks the client for what a build needs; over the second, a client asks BuildKit for anything.
    ("POST", "session", Kind::Session),
    ("POST", "grpc", Kind::BuildKit),
    // The swarm, and what is installed in the engine itself.
    ("*", "swarm/**", Kind::Swarm),
    ("*", "nodes/**", Kind::Swarm),
    ("*", "services/**", Kind::Swarm),
    ("*", "tasks/**", Kind::Swarm),
    ("*", "secrets/**", Kind::Swarm),
    ("*", "configs/**", Kind::Swarm),
    ("*", "plugins/**", Kind::Plugins),
    ("*", "**", Kind::Unknown),
];

/// A request, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it does.
    pub kind: Kind,
    /// The id or name that stands in the path.
    pub subject: Option<String>,
    /// The path that is sent on: what was judged, encoded anew.
    pub path: String,
    /// The query, as it was written.
    pub query: Option<String>,
}

/// The parts that the pattern leaves open, where it fits; an empty slice where it leaves none.
fn matches<'a>(pattern: &str, parts: &'a [String]) -> Option<&'a [String]> {
    let mut subject: &[String] = &[];
    let mut wanted = pattern.split('/');
    for (at, part) in parts.iter().enumerate() {
        match wanted.next()? {
            "**" => return Some(if subject.is_empty() { &parts[at..] } else { subject }),
            "*" if subject.is_empty() => subject = &parts[at..=at],
            "*" => {}
            word if word == part => {}
            _ => return None,
        }
    }
    wanted.next().is_none().then_some(subject)
}

/// The value of a hexadecimal digit.
fn digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Undoes the percent encoding; none where it is broken or no text.
pub(super) fn decode(text: &str, plus: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                decoded.push(digit(bytes.get(at + 1))? * 16 + digit(bytes.get(at + 2))?);
                at += 2;
            }
            b'+' if plus => decoded.push(b' '),
            byte => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8(decoded).ok()
}

/// Percent-encodes all that could mean something in a path or a query.
pub(super) fn encode(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for half in [byte >> 4, byte & 15] {
                encoded.push(char::from_digit(u32::from(half), 16).map_or('0', |digit| digit.to_ascii_uppercase()));
            }
        }
    }
    encoded
}

impl Call {
    /// Reads the first line of a request.
    ///
    /// # Errors
    /// Where the path could be read in two ways.
    pub fn read(method: &Method, path: &str, query: Option<&str>) -> Result<Self, Refusal> {
        let refusal = || Refusal::never(format!("the path `{path}`, which can be read in more than one way"));
        let decoded = decode(path, false).ok_or_else(refusal)?;
        let inner = decoded.strip_prefix('/').ok_or_else(refusal)?;
        if decoded.chars().any(char::is_control) {
            return Err(refusal());
        }
        let mut parts: Vec<String> = inner.split('/').map(str::to_owned).collect();
        if parts.iter().any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(refusal());
        }
        let is_version = |part: &str| {
            part.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        };
        if is_version(&parts[0]) {
            parts.remove(0);
        }
        let found = ROUTES.iter().find_map(|(verb, pattern, kind)| {
            if *verb != "*" && *verb != method.as_str() {
                return None;
            }
            matches(pattern, &parts).map(|subject| (*kind, (!subject.is_empty()).then(|| subject.join("/"))))
        });
        let (kind, subject) = match found.unwrap_or((Kind::Unknown, None)) {
            // The name of an image has many parts.
            (Kind::ImageAdd, Some(subject)) if subject.ends_with("/tag") => (Kind::ImageTag, Some(subject)),
            other => other,
        };
        Ok(Self { kind, subject, path: encode(&decoded, b"/:@"), query: query.map(str::to_owned) })
    }

    /// Path and query, as they are sent on.
    pub fn target(&self) -> String {
        self.query.as_ref().map_or_else(|| self.path.clone(), |query| format!("{}?{query}", self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str) -> Result<(Kind, Option<String>), Refusal> {
        Call::read(&method.parse().unwrap(), path, None).map(|call| (call.kind, call.subject))
    }

    #[test]
    fn a_call_is_known_with_and_without_a_version_and_however_it_is_encoded() {
        for path in ["/containers/create", "/v1.41/containers/create", "/v1.41/containers/%63reate", "/containers%2Fcreate"] {
            assert_eq!(read("POST", path).unwrap().0, Kind::ContainerCreate, "{path}");
        }
        assert_eq!(read("POST", "/containers/a/kill").unwrap(), (Kind::ContainerAct, Some("a".to_owned())));
        assert_eq!(read("DELETE", "/v1.41/images/library/busybox").unwrap(), (Kind::ImageRemove, Some("library/busybox".to_owned())));
        assert_eq!(read("GET", "/containers/a/attach/ws").unwrap(), (Kind::ContainerAttach, Some("a".to_owned())));
        assert_eq!(read("POST", "/services/create").unwrap().0, Kind::Swarm);
        assert_eq!(read("HEAD", "/_ping").unwrap().0, Kind::Look);
    }

    #[test]
    fn a_name_of_many_parts_is_no_name_of_ours() {
        // The engine would take `ours/alias` for the container that ours is linked to.
        for (method, path) in
            [("DELETE", "/containers/ours/alias"), ("POST", "/containers/ours/alias/kill"), ("POST", "/v4.0.0/libpod/containers/create")]
        {
            assert_eq!(read(method, path).unwrap().0, Kind::Unknown, "{path}");
        }
        assert_eq!(read("PATCH", "/containers/a").unwrap().0, Kind::Unknown);
    }

    #[test]
    fn a_path_that_reads_two_ways_is_refused() {
        for path in [
            "//v1.41//containers/create",
            "/containers/./create",
            "/x/%2e%2e/containers/create",
            "/containers/create/",
            "/%zz",
            "/a%00",
            "*",
            "",
        ] {
            assert!(read("POST", path).is_err(), "{path}");
        }
        assert_eq!(Call::read(&Method::POST, "/volumes/%252e", None).unwrap().path, "/volumes/%252e");
    }
}
