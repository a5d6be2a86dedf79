//! What is so in a simulated world: what a check would find.
//!
//! A check of a phase finds what it looks for once the phase is done (see [`World::done_at`]) and as long as what it looks at is there: a file
//! until it is removed, a port while somebody of ours listens.

use std::path::Path;

use super::files::Node;
use super::world::World;
use crate::adapters::local::ports::{HostPort, parse};
use crate::base::name::Name;
use crate::base::owner::Owner;
use crate::kernel::answer::Answer;
use crate::kernel::fault::Fault;
use crate::manifest::check::{CheckKind, FileCheck, FileExpect, Http, Tcp};
use crate::manifest::resource::Scope;
use crate::plan::sealed::PhaseIx;

impl World {
    /// What a look finds.
    pub(super) fn find(&self, place: &Owner, kind: &CheckKind, root: &Path) -> Answer {
        if let Some(file) = &kind.file {
            return self.find_file(place, file, root);
        }
        if kind.http.is_some() || kind.tcp.is_some() {
            return self.find_port(place, kind);
        }
        if self.is_so(place) { Answer::pass("it is so") } else { Answer::fail(Fault::CheckFailed, "it is not so yet") }
    }

    /// Whether what a place's checks ask for is so: of a resource that it is up, of a phase that it is done.
    pub(super) fn is_so(&self, place: &Owner) -> bool {
        if place.resource.is_some() { self.is_up(place) } else { self.done_at(place).is_some() }
    }

    fn is_up(&self, place: &Owner) -> bool {
        let here = |process: &&super::process::Process| process.main && process.owner == *place;
        self.processes.values().find(here).and_then(|process| process.up_at).is_some_and(|up| up <= self.elapsed)
    }

    /// Since when a phase has been done: its work has ended well and its services are up. One that does nothing itself is done with
    /// all that it needs.
    fn done_at(&self, place: &Owner) -> Option<u64> {
        let plan = self.plan.as_ref()?;
        let (ix, _) = plan.find(place.phase.as_ref()?.as_str())?;
        self.phase_done_at(plan, &place.goal, ix)
    }

    fn phase_done_at(&self, plan: &crate::plan::sealed::Plan, goal: &Name, ix: PhaseIx) -> Option<u64> {
        let planned = plan.phase(ix);
        let mut done = 0;
        let works = planned.spec.run.is_some();
        if works {
            done = *self.worked.get(&Owner::phase(goal, &planned.name))?;
        }
        let mut has_subject = works;
        for (name, declared) in &planned.spec.resources {
            let owner = Owner::resource(goal, &planned.name, name);
            let runs = crate::manifest::kind::Kind::of(declared).runs() && !planned.completes(name);
            if runs && (declared.scope == Scope::Goal || !works) {
                has_subject = true;
                if !self.is_up(&owner) {
                    return None;
                }
            }
            if let Some(path) = self.made.get(&owner)
                && works
                && !self.files.lasts(path, done)
            {
                // What the work made went with the directory that it was made in.
                return None;
            }
            if declared.custom.is_some() {
                has_subject = true;
                done = done.max(*self.customs.get(&owner)?);
            }
        }
        if !has_subject {
            for edge in &planned.needs {
                done = done.max(self.phase_done_at(plan, goal, edge.phase)?);
            }
            // Nothing at all makes it so, and it is not so by itself.
            if planned.needs.is_empty() {
                return None;
            }
        }
        Some(done)
    }

    fn find_file(&self, place: &Owner, check: &FileCheck, root: &Path) -> Answer {
        let expect = match check {
            FileCheck::Path(path) => FileExpect { path: path.clone(), ..FileExpect::default() },
            FileCheck::Full(expect) => expect.clone(),
        };
        let (path, shown) = (root.join(&expect.path), &expect.path);
        let done = self.done_at(place).filter(|done| self.files.lasts(&path, *done));
        if expect.exists == Some(false) {
            // Whoever asks that is told so once the phase is done; until then it was there.
            let gone = if self.plan.is_some() { self.done_at(place).is_some() } else { self.files.at(&path).is_none() };
            return if gone {
                Answer::pass(format!("{shown} is not there"))
            } else {
                Answer::fail(Fault::CheckFailed, format!("{shown} is there, and should not be"))
            };
        }
        let there = || Answer::pass(format!("{shown} is there"));
        match self.files.at(&path) {
            _ if done.is_some() => there(),
            None => Answer::fail(Fault::MissingFile, format!("{shown} is not there")),
            Some(node) => match lacks(node, &expect) {
                None => there(),
                Some(why) => Answer::fail(Fault::CheckFailed, format!("{shown} {why}")),
            },
        }
    }

    fn find_port(&self, place: &Owner, kind: &CheckKind) -> Answer {
        let address = address(kind);
        let local = address.as_ref().filter(|(host, _)| is_local(host));
        let port = local.and_then(|(_, port)| parse(&port.to_string()));
        let shown = address.as_ref().map_or_else(|| "the socket".to_owned(), |(host, port)| format!("{host}:{port}"));
        let refused = || Answer::fail(Fault::ConnectionRefused, format!("connection refused by {shown}"));
        let so = self.plan.is_none() || self.is_so(place);
        let answers = || Answer::pass(format!("{shown} answers"));
        let Some(port) = port else { return if so && self.plan.is_some() { answers() } else { refused() } };
        let stranger = self.strangers.values().any(|stranger| stranger.port == port);
        let listens = stranger || self.processes.values().any(|process| process.listens(port, self.elapsed));
        match (listens, so) {
            (true, true) if stranger && kind.http.is_some() => Answer::fail(Fault::WrongAnswer, format!("{shown} is a stranger's")),
            (true, true) => answers(),
            (true, false) => Answer::fail(Fault::WrongAnswer, format!("{shown} does not answer as wanted yet")),
            // A port that no service declares may be anybody's who is up by now.
            (false, true) if self.plan.is_some() && !self.is_known(port) => answers(),
            (false, _) => refused(),
        }
    }

    fn is_known(&self, port: HostPort) -> bool {
        self.known_ports.iter().any(|(number, _)| *number == port.number)
    }
}

/// What a file does not have of what is wanted.
fn lacks(node: &Node, expect: &FileExpect) -> Option<String> {
    let wants = expect.contains.is_some() || expect.matches.is_some() || expect.sha256.is_some();
    let content = match node {
        Node::Directory if wants || expect.min_size.is_some() => return Some("is not a file".to_owned()),
        Node::Directory | Node::File(None) => return None,
        Node::File(Some(content)) => content,
    };
    if expect.min_size.is_some_and(|least| (content.len() as u64) < least.0) {
        return Some(format!("has {} bytes", content.len()));
    }
    if let Some(part) = expect.contains.as_ref().filter(|part| !content.contains(part.as_str())) {
        return Some(format!("does not contain `{part}`"));
    }
    let pattern = expect.matches.as_ref().and_then(|pattern| regex::Regex::new(pattern).ok());
    pattern.filter(|pattern| !pattern.is_match(content)).map(|pattern| format!("does not match `{pattern}`"))
}

/// The host and the port that a check connects to.
fn address(kind: &CheckKind) -> Option<(String, u16)> {
    let text = match (&kind.http, &kind.tcp) {
        (Some(http), _) => {
            let url = match http {
                Http::Url(url) => url,
                Http::Request(request) if request.unix.is_some() => return None,
                Http::Request(request) => &request.url,
            };
            let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
            let authority = rest.split(['/', '?']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
            let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            if has_port { authority.to_owned() } else { format!("{authority}:{}", if scheme == "https" { 443 } else { 80 }) }
        }
        (None, Some(Tcp::Address(address))) => address.clone(),
        (None, Some(Tcp::Talk(talk))) => talk.address.clone()?,
        (None, None) => return None,
    };
    let (host, port) = text.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

fn is_local(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.starts_with("127.") || matches!(host, "::1" | "0.0.0.0" | "::")
}
